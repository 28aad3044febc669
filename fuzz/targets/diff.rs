//! Two states of an object, of any content.
//!
//! Holds: nothing panics or hangs; a state is no different from itself; a change is one way the
//! other way round too; what is printed stays short.
#![no_main]

use kausal_object::diff::{diff, is_noise};
use libfuzzer_sys::fuzz_target;
use serde_json::{Deserializer, Value};

fuzz_target!(|input: &[u8]| {
    let mut values = Deserializer::from_slice(input).into_iter::<Value>().map_while(Result::ok);
    let Some(first) = values.next() else { return };
    let (old, new) = match values.next() {
        Some(second) => (first, second),
        // An audit event, as the seeds are: its two bodies.
        None => (first["requestObject"].clone(), first["responseObject"].clone()),
    };
    assert_eq!(diff(&old, &old), []);
    assert_eq!(diff(&new, &new), []);
    let there = diff(&old, &new);
    let back = diff(&new, &old);
    assert_eq!(there.is_empty(), back.is_empty());
    for change in there {
        assert_ne!(change.old, change.new);
        let _ = is_noise(&change.path);
        assert!(change.to_string().chars().count() <= change.path.chars().count() + 700);
    }
});
