//! Views for Jaeger: an object and what it is linked to, as spans.
//!
//! Promise: every span carries exactly the asked trace id; there is one root; every parent is in
//! the view; ids, order and times follow from the facts alone.
//! Never here: wire formats, budgets of gathering.

mod act_span;
mod change;
mod links;

use kausal_trace::{AttrValue, SpanId, SpanKind, TraceId, UnixNanos, ViewSpan, attribute as a};

use crate::act;
use crate::actor::Names;
use crate::effects::Causes;
use crate::gathered::{Gathered, Relation};
use crate::mode::{Display, Mode};
use crate::policy::TellPolicy;
use crate::story::{Act, Outcome};
use crate::tell::{self, is_of_story};
use crate::world::{FactId, Record, World};
use act_span::Told;
use links::Tree;

/// Renders what was gathered as the spans of one trace, the root first.
pub fn render(gathered: &Gathered, mode: Mode, id: TraceId, policy: &TellPolicy) -> Vec<ViewSpan> {
    let world = World::read(gathered, policy);
    let causes = Causes::find(&world);
    let tree = Tree::of(&world);
    let mut told = tell_all(&world, &causes);
    let mut warnings = world.warnings.clone();
    warnings.extend(tree.warnings.iter().cloned());
    limit(&mut told, policy, tree.order.len(), mode.display, &mut warnings);
    let view = View { world: &world, mode, id, tree: &tree };
    view.spans(told, warnings)
}

/// What is told of each object, by its index in the world.
type AllTold = Vec<Vec<Told>>;

/// What is told of each object, in the order of time.
fn tell_all(world: &World<'_>, causes: &Causes) -> AllTold {
    let shown: Vec<FactId> = world.fact_ids().filter(|id| is_shown(world, *id)).collect();
    let actors: Vec<_> = shown.iter().filter_map(|id| world.fact(*id)).map(act::actor).collect();
    let names = Names::of(&actors);
    let mut effects = tell::effects(world, causes);
    let mut told: AllTold = world.objects.iter().map(room_for).collect();
    for id in shown {
        let Some((mut act, fact)) = act::tell(world, causes, id).zip(world.fact(id)) else {
            continue;
        };
        act.effects = effects.remove(&id).unwrap_or_default();
        let on = if is_namespace(world, id) { 0 } else { id.object };
        if let Some(told) = told.get_mut(on) {
            told.push(Told::act(&act, fact, &names, world.root().key));
        }
    }
    for (record, told) in world.objects.iter().zip(&mut told) {
        let events = record.events.iter().filter(|event| world.shows(event.time));
        told.extend(events.map(Told::event));
        told.sort_by(|a, b| a.order().cmp(&b.order()));
    }
    told
}

fn room_for(record: &Record<'_>) -> Vec<Told> {
    Vec::with_capacity(record.facts.len() + record.events.len())
}

fn is_namespace(world: &World<'_>, id: FactId) -> bool {
    world.object(id).is_some_and(|record| *record.relation == Relation::Namespace)
}

fn is_shown(world: &World<'_>, id: FactId) -> bool {
    let Some((record, fact)) = world.object(id).zip(world.fact(id)) else { return false };
    match record.relation {
        Relation::Ancestor { .. } => world.shows(fact.start),
        _ => is_of_story(world, id),
    }
}

/// Leaves out what is over the budget: routine first, then what controllers did, newest first.
fn limit(
    told: &mut AllTold,
    policy: &TellPolicy,
    objects: usize,
    display: Display,
    warnings: &mut Vec<String>,
) {
    let total: usize = told.iter().map(Vec::len).sum();
    let room = match display {
        Display::Tree => policy.view_spans_max.saturating_sub(objects),
        Display::Tracing => usize::MAX,
    };
    if total <= room {
        return;
    }
    let mut ranked: Vec<_> = told
        .iter()
        .enumerate()
        .flat_map(|(object, told)| {
            told.iter().enumerate().map(move |(at, told)| (told.rank(), told.time, object, at))
        })
        .collect();
    ranked.sort_unstable();
    let mut out: Vec<_> =
        ranked.split_off(room).iter().map(|(.., object, at)| (*object, *at)).collect();
    out.sort_unstable_by(|a, b| b.cmp(a));
    for (object, at) in &out {
        if let Some(told) = told.get_mut(*object) {
            told.remove(*at);
        }
    }
    warnings.push(format!(
        "{} of {total} acts and events are left out, routine first; the mode `tracing` shows them",
        out.len()
    ));
}

struct View<'v, 'a> {
    world: &'v World<'a>,
    mode: Mode,
    id: TraceId,
    tree: &'v Tree,
}

impl View<'_, '_> {
    fn spans(&self, mut told: AllTold, warnings: Vec<String>) -> Vec<ViewSpan> {
        let times = self.times(&told);
        let acts = match self.mode.display {
            Display::Tracing => 0,
            Display::Tree => told.iter().map(Vec::len).sum(),
        };
        let mut spans = Vec::with_capacity(self.tree.order.len() + acts);
        let mut warnings = Some(warnings);
        for &object in &self.tree.order {
            let Some((record, time)) = self.world.objects.get(object).zip(time_of(&times, object))
            else {
                continue;
            };
            let told = told.get_mut(object).map(std::mem::take).unwrap_or_default();
            let mut span = self.object_span(object, record, time);
            span.error = told.iter().find_map(Told::error_of_object);
            let own = own_warnings(record);
            let all: Vec<_> = warnings.take().into_iter().flatten().chain(own).collect();
            if !all.is_empty() {
                span.attributes.push((a::JAEGER_WARNINGS.to_owned(), AttrValue::Strs(all)));
            }
            let parent = span.span;
            match self.mode.display {
                Display::Tracing => {
                    span.events = told.into_iter().map(Told::into_event).collect();
                    spans.push(span);
                }
                Display::Tree => {
                    spans.push(span);
                    spans.extend(told.into_iter().map(|told| self.act_span(record, told, parent)));
                }
            }
        }
        spans
    }

    /// From the first to the last thing that happened to an object and to what hangs under it, by
    /// the object's index; every object of the tree has one.
    fn times(&self, told: &AllTold) -> Vec<Option<Time>> {
        let mut times: Vec<Option<Time>> = vec![None; self.world.objects.len()];
        for &object in self.tree.order.iter().rev() {
            let told = told.get(object).map(Vec::as_slice).unwrap_or_default();
            let own = told.iter().map(|told| (told.time, told.end)).reduce(union);
            let under = time_of(&times, object);
            let Some(time) = own.into_iter().chain(under).reduce(union) else { continue };
            put_time(&mut times, object, time);
            if let Some(parent) = self.tree.parent_of(object) {
                let whole = time_of(&times, parent).map_or(time, |known| union(known, time));
                put_time(&mut times, parent, whole);
            }
        }
        let whole = times.iter().flatten().copied().reduce(union);
        let whole = whole.unwrap_or((self.world.from, self.world.to.min(LATEST)));
        for &object in &self.tree.order {
            let parent = self.tree.parent_of(object).and_then(|parent| time_of(&times, parent));
            let time = time_of(&times, object).or(parent).unwrap_or(whole);
            put_time(&mut times, object, time);
        }
        times
    }

    fn object_span(&self, object: usize, record: &Record<'_>, (start, end): Time) -> ViewSpan {
        let key = &record.key;
        let uids: Vec<String> = record
            .lives
            .all
            .iter()
            .filter(|life| !life.uid.is_empty())
            .map(|life| life.uid.to_string())
            .collect();
        let mut attributes = key_attributes(record);
        if let [uid] = uids.as_slice() {
            attributes.push((a::UID.to_owned(), AttrValue::Str(uid.clone())));
        } else if !uids.is_empty() {
            attributes.push((a::UID.to_owned(), AttrValue::Strs(uids)));
        }
        ViewSpan {
            trace: self.id,
            span: self.object_id(record),
            parent: self
                .tree
                .parent_of(object)
                .and_then(|parent| self.world.objects.get(parent))
                .map(|parent| self.object_id(parent)),
            name: operation(record),
            service: key.resource.clone(),
            cluster: key.cluster.clone(),
            start,
            end,
            attributes,
            events: Vec::new(),
            error: None,
            kind: SpanKind::Internal,
        }
    }

    fn act_span(&self, record: &Record<'_>, told: Told, parent: SpanId) -> ViewSpan {
        let mut attributes = key_attributes(record);
        attributes.extend(told.attributes);
        ViewSpan {
            trace: self.id,
            span: SpanId::derived(self.id, &[b"act", &parent.0, &told.identity]),
            parent: Some(parent),
            name: told.name,
            service: told.source.to_owned(),
            cluster: record.key.cluster.clone(),
            start: told.time,
            end: told.end,
            attributes,
            events: Vec::new(),
            error: told.error,
            kind: SpanKind::Internal,
        }
    }

    fn object_id(&self, record: &Record<'_>) -> SpanId {
        let [cluster, group, resource, namespace, name] = record.key.as_ref().parts();
        let parts =
            [b"object".as_slice(), cluster.as_bytes(), group.as_bytes(), resource.as_bytes()];
        SpanId::derived(
            self.id,
            &[parts.as_slice(), &[namespace.as_bytes(), name.as_bytes()]].concat(),
        )
    }
}

/// The end of what a browser can show, for a view of nothing over an open range.
const LATEST: UnixNanos = UnixNanos::from_seconds(4_102_444_800);

/// First and last instant.
type Time = (UnixNanos, UnixNanos);

fn time_of(times: &[Option<Time>], object: usize) -> Option<Time> {
    times.get(object).copied().flatten()
}

fn put_time(times: &mut [Option<Time>], object: usize, time: Time) {
    if let Some(slot) = times.get_mut(object) {
        *slot = Some(time);
    }
}

fn union(a: Time, b: Time) -> Time {
    (a.0.min(b.0), a.1.max(b.1))
}

/// `shop web`; the collection of a resource has no name.
fn operation(record: &Record<'_>) -> String {
    let key = &record.key;
    let parts = [key.namespace.as_str(), key.name.as_str()];
    let name = parts.iter().filter(|part| !part.is_empty()).copied().collect::<Vec<_>>().join(" ");
    if name.is_empty() { key.resource.clone() } else { name }
}

fn key_attributes(record: &Record<'_>) -> Vec<(String, AttrValue)> {
    let names = [a::CLUSTER, a::GROUP, a::RESOURCE, a::NAMESPACE, a::NAME];
    let parts = record.key.as_ref().parts();
    names.iter().zip(parts).map(|(name, part)| ((*name).to_owned(), part.into())).collect()
}

fn own_warnings(record: &Record<'_>) -> Option<String> {
    let lives = &record.lives.all;
    (lives.len() > 1).then(|| {
        let uids: Vec<_> = lives.iter().map(|life| &*life.uid).collect();
        format!("{} lives of this name, told apart by uid: {}", lives.len(), uids.join(", "))
    })
}

/// Whether somebody who is no controller was refused.
fn is_refused_act(act: &Act) -> bool {
    act.folded.is_none() && matches!(act.outcome, Outcome::Refused { .. })
}
