//! A real API server sends its audit events to `kausal all-in-one`: every act can soon be read in
//! Jaeger, and killing us in the middle of it loses nothing and tells nothing twice.

#![expect(clippy::print_stderr, reason = "what was measured is part of the result")]

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use kausal_runtime::clock::Stopwatch;
use kausal_testkit::bed::{
    ALICE, AllInOne, Answer, Bed, Certificate, Client, ControlPlane, Jaeger, Kausal, PatchKind,
    Relay, Webhook,
};
use kausal_testkit::process;
use serde_json::{Value, json};

const CLUSTER: &str = "live";
const TOKEN: &str = "the-token-of-the-live-cluster";
const DEPLOYMENTS: &str = "/apis/apps/v1/namespaces/shop/deployments";
const LIMIT: Duration = Duration::from_mins(2);
/// Writes between one kill and the next: some seconds, and a batch leaves the API server each second.
const WRITES: usize = 600;

#[test]
fn a_live_cluster_is_told_whole_and_once() {
    let bed = Bed::find();
    let dir = tempfile::tempdir().expect("a folder");
    let kausal = Kausal::new(env!("CARGO_BIN_EXE_kausal"), dir.path());
    let certificate = Certificate::make(dir.path());
    let mut server = kausal.all_in_one(Some(&configuration(dir.path(), &certificate)));
    let relay = Relay::start(server.at().webhook, &certificate);
    let webhook = Webhook {
        url: format!("https://{}/audit/{CLUSTER}", relay.address()),
        certificate: Some(certificate.file.clone()),
        token: TOKEN.to_owned(),
    };
    let plane = ControlPlane::start(&bed, dir.path(), &webhook);
    let jaeger = Jaeger::start(&bed, dir.path(), server.at().grpc);

    only_the_right_token_opens(&server, &certificate);
    plane.create_namespace("shop");
    let_alice_in(plane.admin());
    acts_are_soon_to_be_read(&plane, &jaeger);
    the_story_names_who_did_what(&server);
    kills_lose_nothing(&plane, &mut server, &relay);
    everything_is_there_once(&plane, &server, &relay);
    the_story_of_the_storm_is_whole(&plane, &server, &jaeger);
}

/// One token, good for one cluster; searches may answer with everything there is.
fn configuration(dir: &Path, certificate: &Certificate) -> String {
    let file = dir.join("webhook.token");
    std::fs::write(&file, TOKEN).expect("the token can be written");
    // JSON is YAML too.
    let configuration = json!({
        "webhook": {
            "tls": {"cert_file": certificate.file, "key_file": certificate.key_file},
            "tokens": [{"cluster": CLUSTER, "token_file": file}],
        },
        "read": {"results_max": 100_000},
    });
    configuration.to_string()
}

fn only_the_right_token_opens(server: &AllInOne, certificate: &Certificate) {
    let pem = std::fs::read(&certificate.file).expect("the certificate");
    let webhook = Client::https(server.at().webhook, &pem).expect("a certificate");
    let batch = json!({"kind": "EventList", "apiVersion": "audit.k8s.io/v1", "items": []});
    let check = |token: &str, cluster: &str, status: u16| {
        let answer = webhook.with_token(token).post(&format!("/audit/{cluster}"), &batch);
        assert_eq!(answer.status, status, "{token} {cluster}: {}", answer.text);
    };
    check(TOKEN, CLUSTER, 200);
    check(TOKEN, "other", 403);
    check("a-token-of-another-kind", CLUSTER, 401);
}

/// Alice may do anything to Deployments but delete them.
fn let_alice_in(admin: &Client) {
    let rbac = "/apis/rbac.authorization.k8s.io/v1/namespaces/shop";
    let name = json!({"name": "developer"});
    let role = json!({"metadata": name, "rules": [{
        "apiGroups": ["apps"], "resources": ["deployments", "deployments/scale"],
        "verbs": ["get", "create", "update", "patch"],
    }]});
    drop(admin.post(&format!("{rbac}/roles"), &role).ok());
    let binding = json!({
        "metadata": name,
        "subjects": [{"kind": "User", "name": "alice@example.com", "apiGroup": "rbac.authorization.k8s.io"}],
        "roleRef": {"kind": "Role", "name": "developer", "apiGroup": "rbac.authorization.k8s.io"},
    });
    drop(admin.post(&format!("{rbac}/rolebindings"), &binding).ok());
}

fn deployment(name: &str, replicas: u32) -> Value {
    let labels = json!({"app": name});
    json!({
        "apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": name},
        "spec": {"replicas": replicas, "selector": {"matchLabels": labels}, "template": {
            "metadata": {"labels": labels},
            "spec": {"containers": [{"name": "main", "image": "registry.example/web:1.0"}]},
        }},
    })
}

fn replicas(count: usize) -> Value {
    json!({"spec": {"replicas": count}})
}

fn acts_are_soon_to_be_read(plane: &ControlPlane, jaeger: &Jaeger) {
    let (admin, alice) = (plane.admin(), plane.client(ALICE));
    let web = format!("{DEPLOYMENTS}/web");
    let read = |what: &str, act: &dyn Fn() -> Answer| {
        let watch = Stopwatch::start();
        let audit_id = act().audit_id.expect("the answer names its audit id");
        let answered = watch.elapsed();
        process::wait_for(what, LIMIT, || is_told(jaeger, "web", &audit_id).then_some(()));
        eprintln!("{what}: answered in {answered:.1?}, in Jaeger after {:.1?}", watch.elapsed());
    };

    read("create", &|| alice.post(DEPLOYMENTS, &deployment("web", 3)).ok());
    plane.wait_for_pods("shop", "app=web", 3);
    let scale = format!("{web}/scale");
    read("scale", &|| alice.patch(&scale, PatchKind::Merge, &replicas(5)).ok());
    plane.wait_for_pods("shop", "app=web", 5);
    let image = json!([{"name": "main", "image": "registry.example/web:broken"}]);
    let image = json!({"spec": {"template": {"spec": {"containers": image}}}});
    read("break", &|| admin.patch(&web, PatchKind::Strategic, &image).ok());
    plane.wait_until("the rollout", &web, |web| {
        let status = &web["status"];
        status["updatedReplicas"] == 5
            && status["availableReplicas"] == 5
            && status["replicas"] == 5
    });
    read("refused delete", &|| {
        let answer = alice.delete(&web);
        assert_eq!(answer.status, 403, "{}", answer.text);
        answer
    });
    read("delete", &|| admin.delete(&web).ok());
    plane.wait_for_pods("shop", "app=web", 0);
}

/// Whether a search for the Deployment leads to a trace that shows this request.
fn is_told(jaeger: &Jaeger, name: &str, audit_id: &str) -> bool {
    let tags = json!({"resource": "deployments", "namespace": "shop", "name": name});
    let found = jaeger.search(&[("service", "tracing"), ("operation", CLUSTER)], &tags);
    let opened = found.iter().filter_map(|trace| jaeger.trace(&trace.id));
    opened
        .flat_map(|trace| trace.spans.into_values())
        .any(|span| span.logs.iter().any(|log| log.values().any(|value| value == audit_id)))
}

fn the_story_names_who_did_what(server: &AllInOne) {
    let story = story(server, "web");
    let told =
        acts(&story).into_iter().filter(|act| act["place"] == "on" && act["folded"].is_null());
    let told: Vec<_> = told
        .map(|act| [&act["actor"]["username"], &act["title"], &act["outcome"]["result"]].map(text))
        .collect();
    let expect = [
        ["alice@example.com", "create", "done"],
        ["alice@example.com", "scale", "done"],
        ["admin", "patch", "done"],
        ["alice@example.com", "delete", "refused"],
        ["admin", "delete", "done"],
    ];
    assert_eq!(told, expect, "{story:#}");
}

/// Writes without a pause while `kausal` is killed: once anywhere, once when a batch is durable and
/// the API server does not know it yet.
fn kills_lose_nothing(plane: &ControlPlane, server: &mut AllInOne, relay: &Relay) {
    let admin = plane.admin();
    drop(admin.post(DEPLOYMENTS, &deployment("storm", 1)).ok());
    let storm = Storm::default();
    std::thread::scope(|scope| {
        scope.spawn(|| storm.blow(admin));
        let _calm = Calm(&storm);
        storm.wait_for_more();
        server.kill();
        start_again(server, "a kill anywhere");

        storm.wait_for_more();
        let lost = relay.lose_next_answer();
        server.kill();
        eprintln!("killed with {} events stored and not acknowledged", lost.audit_ids.len());
        let stored = lost.audit_ids.clone();
        drop(lost);
        start_again(server, "a kill before an acknowledgement");
        process::wait_for("the same events again", LIMIT, || {
            let deliveries = relay.deliveries();
            stored.iter().all(|id| deliveries[id].taken >= 2).then_some(())
        });
        storm.wait_for_more();
    });
    eprintln!("{} writes while it happened", storm.done.load(Ordering::SeqCst));
}

fn start_again(server: &mut AllInOne, after: &str) {
    let watch = Stopwatch::start();
    server.start_again();
    eprintln!("ready again {:.1?} after {after}", watch.elapsed());
}

/// One client's writes, one after another.
#[derive(Default)]
struct Storm {
    done: AtomicUsize,
    is_over: AtomicBool,
}

impl Storm {
    fn blow(&self, admin: &Client) {
        let storm = format!("{DEPLOYMENTS}/storm");
        while !self.is_over.load(Ordering::SeqCst) {
            let number = self.done.load(Ordering::SeqCst);
            let note = json!({"metadata": {"annotations": {"number": number.to_string()}}});
            let change =
                if number.is_multiple_of(50) { replicas(1 + number / 50 % 3) } else { note };
            drop(admin.patch(&storm, PatchKind::Merge, &change).ok());
            self.done.fetch_add(1, Ordering::SeqCst);
        }
    }

    fn wait_for_more(&self) {
        let enough = self.done.load(Ordering::SeqCst) + WRITES;
        process::wait_for("more writes", LIMIT, || {
            (self.done.load(Ordering::SeqCst) >= enough).then_some(())
        });
    }
}

/// Ends the storm, also when the test fails.
struct Calm<'a>(&'a Storm);

impl Drop for Calm<'_> {
    fn drop(&mut self) {
        self.0.is_over.store(true, Ordering::SeqCst);
    }
}

/// Every write that the API server's own log has until now is found, and found once.
fn everything_is_there_once(plane: &ControlPlane, server: &AllInOne, relay: &Relay) {
    let log = audit_log(plane);
    process::wait_for("the API server to have sent everything", LIMIT, || {
        let deliveries = relay.deliveries();
        let is_taken = |event: &Value| {
            let id = text(&event["auditID"]) + " " + &text(&event["stage"]);
            deliveries.get(&id).is_some_and(|deliveries| deliveries.taken > 0)
        };
        log.iter().all(is_taken).then_some(())
    });

    let mut found: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for row in rows(server) {
        let object = format!("{} {}", text(&row["kind"]), row["object"]);
        found.entry(text(&row["audit_id"])).or_default().push(object);
    }
    let logged: BTreeSet<_> =
        audit_log(plane).iter().map(|event| text(&event["auditID"])).collect();
    let invented: Vec<_> = found.keys().filter(|id| !logged.contains(*id)).collect();
    assert!(invented.is_empty(), "{invented:?}");
    let missing: Vec<_> = log
        .iter()
        .filter(|event| is_kept(event) && !found.contains_key(&text(&event["auditID"])))
        .map(|event| format!("{} {} {}", event["auditID"], event["verb"], event["requestURI"]))
        .collect();
    assert!(missing.is_empty(), "{} of {} are missing:\n{missing:#?}", missing.len(), log.len());
    let twice =
        |objects: &Vec<String>| objects.iter().collect::<BTreeSet<_>>().len() < objects.len();
    let twice: Vec<_> = found.iter().filter(|(_, objects)| twice(objects)).collect();
    assert!(twice.is_empty(), "{twice:#?}");

    let deliveries = relay.deliveries();
    let count = |is_so: &dyn Fn(&kausal_testkit::bed::Deliveries) -> bool| {
        deliveries.values().filter(|deliveries| is_so(deliveries)).count()
    };
    eprintln!(
        "{} events logged, {} sent, {} of them more than once, {} taken more than once; all found, once",
        log.len(),
        deliveries.len(),
        count(&|deliveries| deliveries.sent > 1),
        count(&|deliveries| deliveries.taken > 1),
    );
}

/// What the API server logged; the last line may be in the making.
fn audit_log(plane: &ControlPlane) -> Vec<Value> {
    let text = plane.audit_log();
    let whole = text.rsplit_once('\n').map_or("", |(whole, _)| whole);
    whole.lines().map(|line| serde_json::from_str(line).expect("an event a line")).collect()
}

/// Not what the default filter only counts, as the documentation says: reviews that were answered.
/// Reads and leases are not in this log.
fn is_kept(event: &Value) -> bool {
    let resource = event["objectRef"]["resource"].as_str().unwrap_or_default();
    let refused = matches!(event["responseStatus"]["code"].as_u64(), Some(401 | 403));
    refused || !resource.ends_with("reviews")
}

fn rows(server: &AllInOne) -> Vec<Value> {
    let search = ["search", "cluster=live", "--limit", "100000", "-o", "json"];
    let answer: Value = serde_json::from_str(&server.run(&search)).expect("JSON");
    answer["rows"].as_array().expect("rows").clone()
}

/// The story has exactly the writes of the log, and Jaeger shows none of them twice.
fn the_story_of_the_storm_is_whole(plane: &ControlPlane, server: &AllInOne, jaeger: &Jaeger) {
    let is_storm = |event: &Value| {
        let object = &event["objectRef"];
        object["resource"] == "deployments" && object["name"] == "storm"
    };
    let log = audit_log(plane);
    let logged: BTreeSet<_> =
        log.iter().filter(|event| is_storm(event)).map(|event| text(&event["auditID"])).collect();
    let story = story(server, "storm");
    let told = acts(&story).into_iter().filter(|act| act["place"] == "on");
    let told: Vec<_> = told.map(|act| text(&act["audit_id"])).collect();
    let once: BTreeSet<_> = told.iter().cloned().collect();
    assert_eq!(told.len(), once.len(), "an act is told twice");
    assert_eq!(once, logged);

    let tags = json!({"resource": "deployments", "namespace": "shop", "name": "storm"});
    let found = jaeger.search(&[("service", "tree [owned objects]")], &tags);
    let [trace] = found.try_into().expect("one trace");
    let warned: Vec<_> = trace.spans.values().flat_map(|span| &span.warnings).collect();
    assert!(!warned.iter().any(|warning| warning.contains("duplicate")), "{warned:?}");
    eprintln!("{} acts on the storm's Deployment, each told once", told.len());
}

fn story(server: &AllInOne, name: &str) -> Value {
    let object = format!("deploy/{name}");
    let told = server.run(&["trace", &object, "-n", "shop", "--all", "-o", "json"]);
    serde_json::from_str(&told).expect("JSON")
}

fn acts(story: &Value) -> Vec<Value> {
    let list = |value: &Value| value.as_array().cloned().unwrap_or_default();
    list(&story["lives"]).iter().flat_map(|life| list(&life["acts"])).collect()
}

fn text(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}
