//! Times in JSON: RFC 3339 with as many digits as they have, so that people and scripts can read
//! them; integers (nanoseconds) only for what no calendar here holds.

use kausal_trace::UnixNanos;
use serde::de::{Deserializer, Error};
use serde::{Deserialize, Serialize, Serializer};

#[derive(Serialize, Deserialize)]
#[serde(untagged)]
enum Time {
    Text(String),
    Nanos(u64),
}

impl Time {
    fn of(time: UnixNanos) -> Self {
        let text = text(time);
        if UnixNanos::parse_rfc3339(&text) == Some(time) {
            Self::Text(text)
        } else {
            Self::Nanos(time.0)
        }
    }

    fn read<E: Error>(self) -> Result<UnixNanos, E> {
        match self {
            Self::Nanos(nanos) => Ok(UnixNanos(nanos)),
            Self::Text(text) => UnixNanos::parse_rfc3339(&text)
                .ok_or_else(|| E::custom(format!("{text:?} is no RFC 3339 time"))),
        }
    }
}

/// Microseconds, as Kubernetes writes them; nanoseconds where there are any.
fn text(time: UnixNanos) -> String {
    let nanos = time.0 % 1_000;
    let text = time.to_string();
    if nanos == 0 { text } else { format!("{}{nanos:03}Z", text.trim_end_matches('Z')) }
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde calls it with a reference")]
pub(crate) fn serialize<S: Serializer>(time: &UnixNanos, serializer: S) -> Result<S::Ok, S::Error> {
    Time::of(*time).serialize(serializer)
}

pub(crate) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<UnixNanos, D::Error> {
    Time::deserialize(from)?.read()
}

/// The same for a time that may be missing.
pub(crate) mod option {
    use super::{Deserialize, Deserializer, Serialize, Serializer, Time, UnixNanos};

    #[expect(clippy::ref_option, reason = "serde calls it with a reference to the field")]
    pub(crate) fn serialize<S: Serializer>(
        time: &Option<UnixNanos>,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        time.map(Time::of).serialize(serializer)
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(
        from: D,
    ) -> Result<Option<UnixNanos>, D::Error> {
        Option::<Time>::deserialize(from)?.map(Time::read).transpose()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_survive_both_ways() {
        let check = |nanos: u64, expect: &str| {
            let mut json = Vec::new();
            serialize(&UnixNanos(nanos), &mut serde_json::Serializer::new(&mut json))
                .expect("JSON");
            let json = String::from_utf8(json).expect("UTF-8");
            assert_eq!(json, expect);
            let mut from = serde_json::Deserializer::from_str(&json);
            assert_eq!(deserialize(&mut from).expect("a time"), UnixNanos(nanos));
        };
        check(1_795_187_131_321_174_000, "\"2026-11-20T15:05:31.321174Z\"");
        check(1_795_187_131_321_174_005, "\"2026-11-20T15:05:31.321174005Z\"");
        check(0, "\"1970-01-01T00:00:00.000000Z\"");
        check(u64::MAX, "18446744073709551615");
    }
}
