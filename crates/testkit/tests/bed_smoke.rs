//! The bed itself: a control plane that runs pods, and a Jaeger that knows when its plugin is away.

use kausal_testkit::bed::{ALICE, Bed, ControlPlane, Jaeger, PatchKind, Webhook};
use kausal_testkit::process::free_address;
use serde_json::json;

#[test]
fn a_deployment_runs_and_audit_says_who_made_it() {
    let dir = tempfile::tempdir().expect("a folder");
    let url = format!("http://{}/audit/bed", free_address());
    let webhook = Webhook { url, certificate: None, token: String::new() };
    let plane = ControlPlane::start(&Bed::find(), dir.path(), &webhook);
    plane.create_namespace("shop");

    let labels = json!({"app": "web"});
    let deployment = json!({
        "apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "web"},
        "spec": {"replicas": 3, "selector": {"matchLabels": labels}, "template": {
            "metadata": {"labels": labels},
            "spec": {"containers": [{"name": "web", "image": "example.com/web:1.0"}]},
        }},
    });
    let deployments = "/apis/apps/v1/namespaces/shop/deployments";
    let made = plane.admin().post(deployments, &deployment).ok();
    plane.wait_for_pods("shop", "app=web", 3);

    let web = format!("{deployments}/web");
    let scale = json!({"spec": {"replicas": 1}});
    drop(plane.admin().patch(&format!("{web}/scale"), PatchKind::Merge, &scale).ok());
    plane.wait_for_pods("shop", "app=web", 1);
    let refused = plane.client(ALICE).delete(&web);
    assert_eq!(refused.status, 403, "{}", refused.text);
    drop(plane.admin().delete(&web).ok());
    plane.wait_for_pods("shop", "app=web", 0);

    let log = plane.audit_log();
    for (answer, user) in [(&made, "admin"), (&refused, "alice@example.com")] {
        let id = answer.audit_id.as_deref().expect("the answer names its audit id");
        let line = log.lines().find(|line| line.contains(id)).expect("the log has the request");
        assert!(line.contains(&format!(r#""username":"{user}""#)), "{line}");
    }
}

#[test]
fn jaeger_is_healthy_and_says_that_its_plugin_is_away() {
    let dir = tempfile::tempdir().expect("a folder");
    let jaeger = Jaeger::start(&Bed::find(), dir.path(), free_address());
    assert_eq!(jaeger.services(), None);
}
