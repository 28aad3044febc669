//! The reading plan against a real store.

use kausal_object::ObjectKey;
use kausal_store::SpanStore;
use kausal_story::{GatheredObject, LinkRole, Mode, Relation};
use kausal_trace::{Day, KeyHash, SpanRef, ViewId, Window};

use super::{Gathering, Meter, Range, When, gather, object_of};
use crate::stop::Stop;
use crate::testing::{Act, Bed, Facts, T0, at, key, web};
use crate::{ReadConfig, ReadError};

const DEPLOY: &str = "c1/apps/deployments/shop/web";

fn gathered(bed: &Bed, config: ReadConfig, when: When, mode: Mode) -> Option<Gathering> {
    let (limits, stop) = (config.validate().unwrap(), Stop::default());
    let stats = bed.store.stats().unwrap();
    let horizon = (Day::of(stats.oldest.unwrap()), Day::of(stats.newest.unwrap()));
    let mut meter = Meter::start(&*bed.store, &limits, &stop);
    gather(&mut meter, &key(DEPLOY), when, mode, horizon).unwrap()
}

fn all(bed: &Bed, mode: Mode) -> Gathering {
    gathered(bed, ReadConfig::default(), When::Wish(None, None), mode).expect("facts")
}

fn names(gathering: &Gathering) -> Vec<&str> {
    gathering.gathered.objects.iter().map(|object| object.key.name.as_str()).collect()
}

fn object<'g>(gathering: &'g Gathering, name: &str) -> &'g GatheredObject {
    gathering.gathered.objects.iter().find(|object| object.key.name == name).expect("there")
}

fn audits(object: &GatheredObject) -> usize {
    let spans = object.spans.iter().map(|bytes| SpanRef::parse(bytes).expect("a span"));
    spans.filter(|span| span.name.starts_with("audit")).count()
}

#[test]
fn the_mode_says_how_far_links_are_followed() {
    let bed = Bed::new();
    bed.store(web(2));
    assert_eq!(names(&all(&bed, Mode::default())), ["web"]);
    let tree = all(&bed, Mode::OWNED_OBJECTS);
    assert_eq!(names(&tree), ["web", "web-1", "web-1-0000", "web-1-0001"]);
    assert!(tree.gathered.warnings.is_empty(), "{:?}", tree.gathered.warnings);
    assert_eq!(audits(object(&tree, "web")), 3);
    assert_eq!(audits(object(&tree, "web-1-0001")), 2);
    let owned = |parent: &str, depth| Relation::Owned { parent: key(parent), depth };
    assert_eq!(object(&tree, "web").relation, Relation::Root);
    assert_eq!(object(&tree, "web-1").relation, owned(DEPLOY, 1));
    let set = "c1/apps/replicasets/shop/web-1";
    assert_eq!(object(&tree, "web-1-0000").relation, owned(set, 2));
}

#[test]
fn the_namespace_comes_along_when_something_happened_to_it() {
    let bed = Bed::new();
    let mut facts = web(0);
    let namespace = key("c1//namespaces//shop");
    facts.act(&namespace, Act { at: at(600), verb: "delete", ..Act::default() });
    bed.store(facts);
    let gathering = all(&bed, Mode::default());
    assert_eq!(object(&gathering, "shop").relation, Relation::Namespace);
    assert_eq!(audits(object(&gathering, "shop")), 1);
}

#[test]
fn without_a_wish_it_is_the_newest_24_hours_with_facts() {
    let bed = Bed::new();
    let mut facts = Facts::default();
    for hours in [-49, -25, -2, 0] {
        facts.act(&key(DEPLOY), Act { at: at(hours * 3_600), ..Act::default() });
    }
    bed.store(facts);
    let range = all(&bed, Mode::default()).range;
    assert_eq!((range.from, range.to), (at(-2 * 3_600), at(1_800)));
    let wish = When::Wish(None, Some(at(-3 * 3_600)));
    let before = gathered(&bed, ReadConfig::default(), wish, Mode::default()).unwrap().range;
    assert_eq!((before.from, before.to), (at(-25 * 3_600), at(-3 * 3_600)));
    let wish = When::Wish(Some(at(3_600)), None);
    assert!(gathered(&bed, ReadConfig::default(), wish, Mode::default()).is_none());
}

#[test]
fn what_was_before_the_range_is_read_as_far_as_a_state() {
    let bed = Bed::new();
    let mut facts = Facts::default();
    let deploy = key(DEPLOY);
    let patch = Act { code: 200, ..Act::default() };
    facts
        .act(&deploy, Act { at: at(-30 * 3_600), version: 1, ..patch })
        .act(&deploy, Act { at: at(-29 * 3_600), version: 2, ..patch })
        .act(&deploy, Act { at: at(-28 * 3_600), code: 403, version: 3, ..patch })
        .act(&deploy, Act { at: at(0), version: 4, ..patch });
    bed.store(facts);
    let gathering = all(&bed, Mode::default());
    assert_eq!(gathering.gathered.from, T0);
    let starts: Vec<_> = gathering.gathered.objects[0]
        .spans
        .iter()
        .map(|bytes| SpanRef::parse(bytes).unwrap())
        .filter(|span| span.name.starts_with("audit"))
        .map(|span| span.start)
        .collect();
    // The refused write is no state, so the window before it is read as well, and no further.
    assert_eq!(starts, [at(0), at(-28 * 3_600), at(-29 * 3_600)]);
}

#[test]
fn a_range_that_begins_with_the_creation_has_no_before() {
    let bed = Bed::new();
    let (mut facts, deploy) = (Facts::default(), key(DEPLOY));
    facts
        .act(&deploy, Act { at: at(-30 * 3_600), uid: "old", ..Act::default() })
        .act(&deploy, Act { at: at(0), verb: "create", code: 201, ..Act::default() });
    bed.store(facts);
    assert_eq!(audits(object(&all(&bed, Mode::default()), "web")), 1);
}

#[test]
fn links_of_yesterday_hold_today_and_lead_to_nothing_old() {
    let bed = Bed::new();
    let (deploy, set) = (key(DEPLOY), key("c1/apps/replicasets/shop/web-1"));
    let (pod, old) = (key("c1//pods/shop/new"), key("c1//pods/shop/old"));
    let today = Day::of(T0);
    let yesterday = Day(today.0 - 1);
    let mut facts = Facts::default();
    facts
        .act(&deploy, Act::default())
        .act(&pod, Act { uid: "p1", ..Act::default() })
        .act(&old, Act { at: at(-86_400), uid: "p2", ..Act::default() })
        .owns(&deploy, &set, yesterday)
        .owns(&set, &old, yesterday)
        .owns(&set, &pod, today);
    bed.store(facts);
    let range = When::Exactly(Range::of_windows(Window::of(T0), Window::of(T0)));
    let reach = Mode::OWNED_OBJECTS;
    let gathering = gathered(&bed, ReadConfig::default(), range, reach).unwrap();
    // The set has no facts in the range and stays, because it leads to the pod.
    assert_eq!(names(&gathering), ["web", "web-1", "new"]);
}

#[test]
fn what_is_related_comes_along_when_something_happened_to_it() {
    let bed = Bed::new();
    let mut facts = web(1);
    let (pod, today) = (key("c1//pods/shop/web-1-0000"), Day::of(T0));
    let (config, quiet) = (key("c1//configmaps/shop/settings"), key("c1//configmaps/shop/quiet"));
    facts
        .act(&config, Act { uid: "c", ..Act::default() })
        .links(&pod, &config, "configmap", today)
        .links(&pod, &quiet, "configmap", today);
    bed.store(facts);
    let mode = |name: &str| name.parse().unwrap();
    assert_eq!(names(&all(&bed, mode("tracing+owned-objects"))), ["web", "web-1", "web-1-0000"]);
    let gathering = all(&bed, mode("tracing+owned-objects+related"));
    assert_eq!(names(&gathering), ["web", "web-1", "web-1-0000", "settings"]);
    let (to, class) = (pod, "configmap".to_owned());
    let relation = Relation::Related { to, role: LinkRole::Child, class };
    assert_eq!(object(&gathering, "settings").relation, relation);
}

#[test]
fn links_that_only_earlier_days_tell_are_looked_up_newest_first() {
    let bed = Bed::new();
    let (deploy, set) = (key(DEPLOY), key("c1/apps/replicasets/shop/web-1"));
    let (old, owner) = (key("c1/apps/replicasets/shop/old"), key("c1/ops/apps/shop/owner"));
    let ago = |days: u64| Day(Day::of(T0).0 - days);
    let mut facts = Facts::default();
    facts
        .act(&deploy, Act::default())
        .act(&owner, Act { uid: "o", ..Act::default() })
        .act(&owner, Act { at: at(-86_400 * 20), uid: "o", ..Act::default() })
        .act(&set, Act { uid: "s", ..Act::default() })
        .act(&old, Act { uid: "x", ..Act::default() })
        .owns(&deploy, &old, ago(9))
        .owns(&deploy, &set, ago(5))
        .owns(&owner, &deploy, ago(5))
        .owns(&key("c1/ops/apps/shop/top"), &owner, ago(12));
    bed.store(facts);
    let at_mode = |name: &str| names_of(&all(&bed, name.parse().unwrap()));
    assert_eq!(at_mode("tracing+owned-objects"), ["web", "web-1"]);
    // The owner of the owner is found in the owner's own catalogue of another day.
    assert_eq!(at_mode("tracing+ancestors"), ["web", "owner", "top"]);
}

fn names_of(gathering: &Gathering) -> Vec<String> {
    names(gathering).into_iter().map(str::to_owned).collect()
}

#[test]
fn budgets_leave_out_and_say_so() {
    let bed = Bed::new();
    bed.store(web(20));
    let check = |config: ReadConfig, expect: &str| {
        let (wish, reach) = (When::Wish(None, None), Mode::OWNED_OBJECTS);
        let gathering = gathered(&bed, config, wish, reach).unwrap();
        let warnings = gathering.gathered.warnings.join("\n");
        assert!(warnings.contains(expect), "{warnings}");
        assert_eq!(gathering.gathered.objects[0].relation, Relation::Root);
        gathering
    };
    let few = ReadConfig { objects_max: 5, ..ReadConfig::default() };
    let gathering = check(few, "18 linked objects left out");
    assert!(gathering.gathered.warnings[0].contains("pods/shop/web-1-0002"));
    let shallow = ReadConfig { depth_max: 1, ..ReadConfig::default() };
    let (wish, reach) = (When::Wish(None, None), Mode::OWNED_OBJECTS);
    let gathering = gathered(&bed, shallow, wish, reach).unwrap();
    assert_eq!(names(&gathering), ["web", "web-1"]);
    let warnings = gathering.gathered.warnings.join("\n");
    assert!(warnings.contains("20 owners or owned objects left out"), "{warnings}");
    assert!(warnings.contains("at most 1 steps"), "{warnings}");
    // The catalogues alone have 65 frames; what is left is given to the object asked for first.
    let small = ReadConfig { spans_max: 70, ..ReadConfig::default() };
    let gathering = check(small, "half hours left out");
    assert_eq!(audits(object(&gathering, "web")), 3);
}

#[test]
fn an_id_finds_its_object_from_any_span() {
    let bed = Bed::new();
    bed.store(web(1));
    let (limits, stop) = (ReadConfig::default().validate().unwrap(), Stop::default());
    let find = |object: &ObjectKey, range| {
        let mut meter = Meter::start(&*bed.store, &limits, &stop);
        object_of(&mut meter, KeyHash::of(object.as_ref()), range).unwrap().pop_first()
    };
    let now = Range::of_windows(Window::of(T0), Window::of(T0));
    assert_eq!(find(&key(DEPLOY), now), Some(key(DEPLOY)));
    assert_eq!(find(&key("c1//pods/shop/none"), now), None);
    let earlier = Range::of_windows(Window(Window::of(T0).0 - 200), Window(Window::of(T0).0 - 190));
    assert_eq!(find(&key(DEPLOY), earlier), None);
}

#[test]
fn another_object_of_the_same_hash_is_told_apart() {
    // A catalogue that holds frames of somebody else, as a collision of hashes would.
    let spans = |object: &ObjectKey| {
        let mut facts = Facts::default();
        facts.act(object, Act::default());
        facts.batch.iter().map(|record| record.bytes.into()).collect::<Vec<Box<[u8]>>>()
    };
    let (ours, theirs) = (key(DEPLOY), key("c1//secrets/shop/x"));
    let mut mixed = spans(&ours);
    mixed.extend(spans(&theirs));
    mixed.push(vec![0xff].into());
    let frames = super::Frames::read(&ours, mixed);
    assert_eq!((frames.windows.len(), frames.malformed), (1, 1));
    assert_eq!(frames.strangers.into_iter().collect::<Vec<_>>(), [theirs]);
}

#[test]
fn nobody_waiting_ends_the_reading() {
    let bed = Bed::new();
    bed.store(web(1));
    let stop = Stop::default();
    drop(stop.on_drop());
    let query = crate::ObjectQuery::typed("deploy/web", None).unwrap();
    assert!(matches!(bed.reader.story(&query, &stop), Err(ReadError::Abandoned)));
    let view = ViewId {
        mode: 0x2000_0000,
        first: Window::of(T0),
        windows: 1,
        key: KeyHash::of(key(DEPLOY).as_ref()),
    };
    let opened = bed.reader.open(view.encode().unwrap(), view, &stop);
    assert!(matches!(opened, Err(ReadError::Abandoned)));
}
