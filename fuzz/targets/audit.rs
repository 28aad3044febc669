//! An audit log of any content.
//!
//! Holds: nothing panics or hangs; every item lies in the input, in order; what is refused is handed
//! back as it came.
#![no_main]

use kausal_audit::{Event, Item, Limits, decode_all, decode_webhook_body};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: &[u8]| {
    let limits = Limits { event_bytes_max: 16 << 10, text_bytes_max: 4 << 10, ..Limits::default() };
    let mut end = 0;
    decode_all(input, &limits, &mut |item| {
        if let Err(rejected) = &item {
            assert!(rejected.offset >= end, "items come in order");
            end = rejected.offset + rejected.bytes.len();
            assert_eq!(input.get(rejected.offset..end), Some(rejected.bytes));
        }
        look_at(item);
    });
    let _ = decode_webhook_body(input, &limits, &mut look_at);
});

fn look_at(item: Item<'_>) {
    match item {
        Ok(event) => {
            for body in [&event.request_object, &event.response_object].into_iter().flatten() {
                assert!(body.borrowed().is_none_or(|text| *text == *body.json()));
            }
            let text = format!("{event:?}");
            let owned: Event<'static> = event.into_owned();
            assert_eq!(format!("{owned:?}"), text);
        }
        Err(rejected) => assert!(!rejected.reason.to_string().is_empty()),
    }
}
