//! The format of stored data, held by literals. If one of these tests fails, the change breaks
//! every store that exists: do not mend the literal, mend the change.

use kausal_object::KeyRef;
use kausal_trace::{
    AuditIdentity, ChangeIdentity, Day, EventIdentity, IdParts, KeyHash, LinkIdentity, NewSpan,
    SpanBatch, SpanId, TraceId, UnixNanos, ViewId, Window, attribute as attr, export,
};

const KEY: KeyRef<'_> = KeyRef {
    cluster: "capture",
    group: "apps",
    resource: "deployments",
    namespace: "shop",
    name: "web",
};
const NODE: KeyRef<'_> =
    KeyRef { cluster: "capture", group: "", resource: "nodes", namespace: "", name: "n1" };

/// 2026-11-20T15:05:31.321174Z
const TIME: UnixNanos = UnixNanos(1_795_187_131_321_174_000);

fn check(id: &impl ToString, expect: &str) {
    assert_eq!(id.to_string(), expect);
}

fn facts() -> TraceId {
    TraceId::facts_at(KeyHash::of(KEY), TIME)
}

fn catalogue() -> TraceId {
    TraceId::catalogue_at(KeyHash::of(KEY), TIME)
}

#[test]
fn windows_and_days() {
    assert_eq!(Window::of(TIME), Window(997_326));
    assert_eq!(Day::of(TIME), Day(20_777));
}

#[test]
fn key_hashes() {
    check(&KeyHash::of(KEY), "03ae3ee1c90154");
    check(&KeyHash::of(NODE), "78446b1f27271a");
    check(&KeyHash::of(KeyRef::default()), "607b1aff64b013");
}

/// The layout that the literals stand for, put together by hand.
#[test]
fn ids_are_hashes_of_length_prefixed_parts() {
    let part = |text: &str| [&(text.len() as u32).to_be_bytes()[..], text.as_bytes()].concat();
    let number = |value: u64| [&8_u32.to_be_bytes()[..], &value.to_be_bytes()].concat();
    let key = KEY.parts().map(part).concat();
    let digest = blake3::hash(&key);
    assert_eq!(KeyHash::of(KEY).0, digest.as_bytes()[..7]);

    let AuditIdentity { audit_id, verb, raw_uri, username, .. } = audit();
    let bytes = [
        facts().0.to_vec(),
        part("audit"),
        key,
        part(audit_id),
        number(1_795_187_131_321_174),
        part(verb),
        part(raw_uri),
        part(username),
    ];
    let digest = blake3::hash(&bytes.concat());
    assert_eq!(SpanId::audit(facts(), KEY, &audit()).0, digest.as_bytes()[..8]);
}

#[test]
fn trace_ids() {
    check(&facts(), "0103ae3ee1c9015400000000000f37ce");
    check(&catalogue(), "0203ae3ee1c901540000000000005129");
}

#[test]
fn view_ids() {
    let view =
        ViewId { mode: 0x2000_0000, first: Window(997_326), windows: 2, key: KeyHash::of(KEY) };
    let id = view.encode().expect("a range that has an id");
    check(&id, "ff200000003af5c00203ae3ee1c90154");
    assert_eq!(id.parts(), IdParts::View(view));
}

fn audit() -> AuditIdentity<'static> {
    AuditIdentity {
        audit_id: "7629cded-d32e-486e-8482-55f700799d4d",
        received: TIME,
        verb: "patch",
        raw_uri: "/apis/apps/v1/namespaces/shop/deployments/web?fieldManager=kubectl",
        username: "alice@example.com",
    }
}

#[test]
fn span_ids() {
    check(&SpanId::audit(facts(), KEY, &audit()), "39736946f3a369aa");
    let event = EventIdentity { uid: "0d1f", count: 3, last: TIME };
    check(&SpanId::event(facts(), KEY, &event), "594cb9bcdb8e2d1e");
    let change = ChangeIdentity::Update { uid: "b442b83c", old: "100", new: "101" };
    check(&SpanId::change(facts(), KEY, &change), "0d8680b81580c857");
    let deleted = ChangeIdentity::Deleted { uid: "b442b83c" };
    check(&SpanId::change(facts(), KEY, &deleted), "16e776a5ce252608");
    check(&SpanId::object(catalogue(), KEY, Window::of(TIME)), "261ad1fd36ca495e");
    let link = LinkIdentity {
        day: Day::of(TIME),
        own_uid: "b442b83c",
        target: NODE,
        target_uid: "",
        role: "child",
        class: "owner",
    };
    check(&SpanId::link(catalogue(), KEY, &link), "68e9b70c3e0c475a");
    check(&SpanId::derived(facts(), &[b"act", b"1"]), "651da656019da7cf");
}

/// A span as the consumers write them, one of every type of value.
fn audit_span() -> SpanBatch {
    let mut batch = SpanBatch::default();
    batch
        .open(NewSpan {
            trace: facts(),
            span: SpanId::audit(facts(), KEY, &audit()),
            name: "audit patch",
            start: TIME,
            end: UnixNanos(TIME.0 + 1_500_000),
        })
        .str(attr::CLUSTER, KEY.cluster)
        .str(attr::GROUP, KEY.group)
        .str(attr::RESOURCE, KEY.resource)
        .str(attr::NAMESPACE, KEY.namespace)
        .str(attr::NAME, KEY.name)
        .str_some(attr::SUBRESOURCE, "")
        .str_of(attr::USERNAME, &["alice", "@", "example.com"])
        .strs(attr::GROUPS, ["dev", ""].into_iter())
        .int(attr::STATUS_CODE, 422)
        .bool(attr::DRY_RUN, true)
        .error();
    batch
}

#[test]
fn encoded_audit_span() {
    let batch = audit_span();
    let record = batch.iter().next().expect("one span");
    let hex = |byte: &u8| [byte >> 4, byte & 15].map(|digit| char::from_digit(digit.into(), 16));
    let text: Option<String> = record.bytes.iter().flat_map(hex).collect();
    check(
        &text.expect("digits"),
        "\
0a100103ae3ee1c9015400000000000f37ce120839736946f3a369aa2a0b61756469742070617463\
68300139f047c0432fc9e91841502bd7432fc9e9184a140a07636c757374657212090a0763617074\
7572654a0f0a0567726f757012060a04617070734a190a087265736f75726365120d0a0b6465706c\
6f796d656e74734a130a096e616d65737061636512060a0473686f704a0d0a046e616d6512050a03\
7765624a1f0a08757365726e616d6512130a11616c696365406578616d706c652e636f6d4a170a06\
67726f757073120d2a0b0a050a036465760a020a004a200a19687474702e726573706f6e73652e73\
74617475735f636f6465120318a6034a0d0a076472795f72756e120210017a021802",
    );
}

#[test]
fn encoded_export() {
    let batch = audit_span();
    check(
        &blake3::hash(&export::encode(batch.iter())),
        "9675864228b3d8313a96882b64a53669f4a70d0ce82a32875f9d05afcaf0af5d",
    );
}
