//! From one request to its facts: the span of its object, and one for each object that a
//! deletecollection deleted, with the frames that announce them.

use kausal_audit::Event;
use kausal_object::json::{elements, members, string};
use kausal_object::{BodyPart, KeyRef, kinds};
use kausal_trace::KeyHash;

use super::act::{Act, Words};
use super::bodies::{self, BodyOf, BodyText, Nature, ReadBody};
use super::identify::{Target, is_plausible, text_member};
use super::{Encoder, EventTime, Output, Scratch, Texts, Unencodable, check_time, took_effect};
use crate::frames::LinkEnd;

impl Encoder {
    /// Writes the facts of a request; gives their number.
    pub(super) fn audit_spans(
        &mut self,
        event: &Event<'_>,
        texts: Texts<'_>,
        time: EventTime,
        out: &mut Output<'_>,
    ) -> Result<u64, Unencodable> {
        let target = Target::of(event, texts.response);
        let key = target.key(self.cluster.as_str());
        if !is_plausible(key) {
            return Err(Unencodable::KeyTooLong);
        }
        check_time(time.received, out)?;
        let Scratch { request: request_text, response: response_text, item, words } =
            &mut self.scratch;
        let redaction = &*self.redaction;
        let subresource = event.object_ref.as_ref().map_or("", |target| &*target.subresource);
        let of = |part| BodyOf { key, subresource, part, redaction };
        let request = bodies::read(texts.request, of(bodies::request_part(event)), request_text);
        let response = bodies::read(texts.response, of(BodyPart::Response), response_text);
        let items = deleted_items(event, &response);
        if response.nature == Nature::Status {
            // Its reason, message, causes and uid are attributes.
            response_text.clear();
        } else if !items.is_empty() {
            let count = items.len();
            response_text.leave_out(format_args!("{count} objects, each on a span of its own"));
        }
        let is_dry_run = is_dry_run(event, texts.request);
        let has_effect = took_effect(event, is_dry_run);
        let act = Act {
            event,
            time,
            key,
            uid: uid(event, &request, &response),
            made: if has_effect { made(event, &response) } else { "" },
            response_kind: kind_of_another(&response),
            is_dry_run,
            has_fingerprints: request.has_fingerprints() || response.has_fingerprints(),
            request: request_text,
            response: response_text,
            redaction,
        };
        let state = state_of(event, &request, &response).filter(|_| has_effect);
        write(&act, state, words, out)?;
        let mut facts = 1;
        for body in items {
            let part = ItemPart { act: &act, target: &target, list: &response };
            facts += part.write(body, item, words, out);
        }
        Ok(facts)
    }
}

/// What the spans of a deletecollection's objects share.
#[derive(Clone, Copy)]
struct ItemPart<'a> {
    act: &'a Act<'a>,
    target: &'a Target<'a>,
    list: &'a ReadBody<'a>,
}

impl ItemPart<'_> {
    /// Writes the span of one object as it was before; 0 if it says no name, or cannot be stored.
    fn write(
        self,
        body: &str,
        text: &mut BodyText,
        words: &mut Words,
        out: &mut Output<'_>,
    ) -> u64 {
        let Self { act, target, list } = self;
        let metadata = members(body).map_while(Result::ok).find(|member| member.is("metadata"));
        let metadata = metadata.map_or("", |member| member.value);
        let Some(name) = text_member(metadata, "name") else { return 0 };
        let own_namespace = text_member(metadata, "namespace").unwrap_or_default();
        let namespace = match kinds::is_cluster_scoped(target.group, target.resource) {
            true => "",
            false if own_namespace.is_empty() => target.namespace,
            false => &own_namespace,
        };
        let key = KeyRef { namespace, name: &name, ..act.key };
        if !is_plausible(key) {
            return 0;
        }
        let redaction = act.redaction;
        let of = BodyOf { key, subresource: "", part: BodyPart::Response, redaction };
        let read = bodies::read(Some(body), of, text);
        let item = Act {
            key,
            uid: read.facts.as_ref().map_or("", |facts| &facts.uid),
            made: "",
            response_kind: "",
            has_fingerprints: read.has_fingerprints(),
            response: text,
            ..*act
        };
        let list = list.facts.as_ref();
        let state = State {
            body: &read,
            kind: list.and_then(|list| list.kind.strip_suffix("List")).unwrap_or_default(),
            api_version: list.map_or("", |list| &list.api_version),
        };
        u64::from(write(&item, Some(state), words, out).is_ok())
    }
}

/// A body that shows the object's state, and the kind it is of: items of lists do not say theirs.
#[derive(Clone, Copy)]
struct State<'a> {
    body: &'a ReadBody<'a>,
    kind: &'a str,
    api_version: &'a str,
}

/// Writes one fact, announces it, and what the object's state says of others.
fn write(
    act: &Act<'_>,
    state: Option<State<'_>>,
    words: &mut Words,
    out: &mut Output<'_>,
) -> Result<(), Unencodable> {
    let (key, time) = (act.key, act.time.received);
    let hash = KeyHash::of(key);
    act.write(hash, words, out)?;
    Encoder::announce(key, hash, time, out);
    if let Some(State { body, kind, api_version }) = state {
        let own = LinkEnd { key, uid: act.uid, kind, api_version };
        Encoder::announce_links(own, body, time, out);
    }
    Ok(())
}

/// The body that shows the object's state after the request: the answer, or, where answers are not
/// recorded, the whole object that was sent.
fn state_of<'a>(
    event: &Event<'_>,
    request: &'a ReadBody<'_>,
    response: &'a ReadBody<'_>,
) -> Option<State<'a>> {
    let sent_whole = matches!(&*event.verb, "create" | "update")
        && request.nature == Nature::OwnKind
        && response.nature == Nature::Absent;
    let body = match response.nature {
        Nature::OwnKind => response,
        _ if sent_whole => request,
        _ => return None,
    };
    let facts = body.facts.as_ref()?;
    Some(State { body, kind: &facts.kind, api_version: &facts.api_version })
}

fn deleted_items<'b>(event: &Event<'_>, response: &ReadBody<'b>) -> Vec<&'b str> {
    match &response.facts {
        Some(facts) if event.verb == "deletecollection" && response.nature == Nature::List => {
            facts.items.clone()
        }
        _ => Vec::new(),
    }
}

fn uid<'a>(event: &'a Event<'_>, request: &'a ReadBody<'_>, response: &'a ReadBody<'_>) -> &'a str {
    let own = |body: &'a ReadBody<'_>| {
        body.facts.as_ref().filter(|_| body.nature == Nature::OwnKind).map(|facts| &*facts.uid)
    };
    let details = event.status.as_ref().and_then(|status| status.details.as_ref());
    let deleted = details.filter(|_| event.verb == "delete").map(|details| &*details.uid);
    let referred = event.object_ref.as_ref().map(|target| &*target.uid);
    let mut known = [own(response), deleted, referred, own(request)].into_iter().flatten();
    known.find(|uid| !uid.is_empty()).unwrap_or_default()
}

/// resourceVersion a write made.
fn made<'a>(event: &Event<'_>, response: &'a ReadBody<'_>) -> &'a str {
    let is_read = matches!(&*event.verb, "get" | "list" | "watch");
    match (&response.facts, response.nature) {
        (Some(facts), Nature::OwnKind | Nature::Scale) if !is_read => &facts.resource_version,
        _ => "",
    }
}

fn kind_of_another<'a>(response: &'a ReadBody<'_>) -> &'a str {
    match &response.facts {
        Some(facts) if response.nature != Nature::OwnKind => &facts.kind,
        _ => "",
    }
}

/// Whether the request asked for a rehearsal: by its query, or by the options it sent as its body.
pub(super) fn is_dry_run(event: &Event<'_>, request: Option<&str>) -> bool {
    let query = event.request_uri.split_once('?').map_or("", |(_, query)| query);
    if query.split('&').any(|pair| pair == "dryRun=All") {
        return true;
    }
    let subresource = event.object_ref.as_ref().map_or("", |target| &*target.subresource);
    match (&*event.verb, subresource) {
        ("delete" | "deletecollection", _) => request.is_some_and(asks_for_dry_run),
        ("create", "eviction") => request
            .and_then(|eviction| raw_member(eviction, "deleteOptions"))
            .is_some_and(asks_for_dry_run),
        _ => false,
    }
}

fn asks_for_dry_run(options: &str) -> bool {
    let list = raw_member(options, "dryRun").unwrap_or_default();
    elements(list).map_while(Result::ok).any(|value| string(value).is_some_and(|v| v == "All"))
}

fn raw_member<'a>(object: &'a str, key: &str) -> Option<&'a str> {
    let member = members(object).map_while(Result::ok).find(|member| member.is(key))?;
    Some(member.value)
}
