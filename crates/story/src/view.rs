//! Views for Jaeger: an object and what it is linked to, as spans.
//!
//! Promise: every span carries exactly the asked trace id; there is one root; every parent is in
//! the view; ids, order and times follow from the facts alone.
//! Never here: wire formats, budgets of gathering.

mod act_span;
mod budget;
mod change;
mod draw;
mod inside;
mod links;
mod object_span;
mod routine;

use kausal_trace::{TraceId, UnixNanos, ViewSpan};

use crate::act;
use crate::actor::Names;
use crate::effects::Causes;
use crate::gathered::{Gathered, Relation};
use crate::mode::{Display, Mode};
use crate::policy::TellPolicy;
use crate::story::{Act, Outcome};
use crate::tell::{self, is_of_story};
use crate::world::{FactId, Record, World};
use act_span::{Shape, Told};
use links::Tree;

/// Renders what was gathered as the spans of one trace, the root first.
pub fn render(gathered: &Gathered, mode: Mode, id: TraceId, policy: &TellPolicy) -> Vec<ViewSpan> {
    let world = World::read(gathered, policy);
    let causes = Causes::find(&world);
    let tree = Tree::of(&world);
    let mut told = tell_all(&world, &causes, shape(mode.display));
    let mut warnings = world.warnings.clone();
    warnings.extend(tree.warnings.iter().cloned());
    if mode.folds_routine() {
        told.iter_mut().for_each(routine::fold);
    }
    let objects = if mode.display == Display::Timeline { 1 } else { tree.order.len() };
    warnings.extend(budget::limit(&mut told, policy.view_spans_max.saturating_sub(objects)));
    let view = View { world: &world, mode, id, tree: &tree };
    view.draw(told, warnings)
}

fn shape(display: Display) -> Shape {
    match display {
        Display::Tracing | Display::Grouped => Shape::Log,
        Display::Tree | Display::Timeline => Shape::Span,
    }
}

/// What is told of each object, by its index in the world.
type AllTold = Vec<Vec<Told>>;

/// What is told of each object, in the order of time.
fn tell_all(world: &World<'_>, causes: &Causes, shape: Shape) -> AllTold {
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
            let cause = causes.chain(id).last().copied();
            let mut told_act = Told::act(&act, fact, &names, world.root().key, shape);
            (told_act.id, told_act.cause) = (Some(id), cause);
            told.push(told_act);
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
        Relation::Ancestor { .. } | Relation::Related { .. } => world.shows(fact.start),
        _ => is_of_story(world, id),
    }
}

struct View<'v, 'a> {
    world: &'v World<'a>,
    mode: Mode,
    id: TraceId,
    tree: &'v Tree,
}

impl View<'_, '_> {
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

/// Whether somebody who is no controller was refused.
fn is_refused_act(act: &Act) -> bool {
    act.folded.is_none() && matches!(act.outcome, Outcome::Refused { .. })
}
