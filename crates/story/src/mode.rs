//! Display modes and how far a view reaches, as people pick them in Jaeger's service list.
//!
//! **Invariant:** the numbers are part of view ids and are those of Kelemetry: people edit them in
//! URLs.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// How acts are drawn.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Display {
    /// Acts are child spans of their object.
    Tree,
    /// Acts are events on the span of their object.
    #[default]
    Tracing,
}

/// Which linked objects are followed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Reach {
    /// The object alone.
    #[default]
    Object,
    /// Up to three owners up, then everything down, siblings too.
    FullTree,
    /// Up to three owners up.
    Ancestors,
    /// What it owns, up to three steps down.
    OwnedObjects,
}

/// A display mode with its modifier, eight hex digits of a view id.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub struct Mode {
    /// How acts are drawn.
    pub display: Display,
    /// Which linked objects are followed.
    pub reach: Reach,
}

/// Not a mode this version knows.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("unknown mode {given:?}, known are: {}", known())]
pub struct UnknownMode {
    /// What was given.
    pub given: String,
}

const TRACING: u32 = 0x2000_0000;
const FULL_TREE: u32 = 0x0100_0000;
const ANCESTORS: u32 = 0x0200_0000;
const OWNED_OBJECTS: u32 = 0x0400_0000;

const DISPLAYS: [(Display, u32, &str); 2] =
    [(Display::Tracing, TRACING, "tracing"), (Display::Tree, 0, "tree")];
const REACHES: [(Reach, u32, &str); 4] = [
    (Reach::Object, 0, ""),
    (Reach::FullTree, FULL_TREE, "full tree"),
    (Reach::Ancestors, ANCESTORS, "ancestors"),
    (Reach::OwnedObjects, OWNED_OBJECTS, "owned objects"),
];

impl Mode {
    /// Every mode, the default first.
    pub fn all() -> impl Iterator<Item = Self> {
        DISPLAYS.into_iter().flat_map(|(display, ..)| {
            REACHES.into_iter().map(move |(reach, ..)| Self { display, reach })
        })
    }

    /// The number in a view id.
    pub fn id(self) -> u32 {
        let display = DISPLAYS.iter().find(|(display, ..)| *display == self.display);
        let reach = REACHES.iter().find(|(reach, ..)| *reach == self.reach);
        display.map_or(0, |(_, id, _)| *id) | reach.map_or(0, |(_, id, _)| *id)
    }

    /// The mode of a view id.
    pub fn from_id(id: u32) -> Option<Self> {
        Self::all().find(|mode| mode.id() == id)
    }
}

/// `tracing`, `tree [full tree]`.
impl fmt::Display for Mode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let display = DISPLAYS.iter().find(|(display, ..)| *display == self.display);
        f.write_str(display.map_or("", |(_, _, name)| name))?;
        match REACHES.iter().find(|(reach, ..)| *reach == self.reach) {
            Some((_, _, name)) if !name.is_empty() => write!(f, " [{name}]"),
            _ => Ok(()),
        }
    }
}

/// By name (`tracing [owned objects]`, also `tracing+owned-objects`) or by eight hex digits.
impl FromStr for Mode {
    type Err = UnknownMode;

    fn from_str(text: &str) -> Result<Self, UnknownMode> {
        let unknown = || UnknownMode { given: text.to_owned() };
        let bare = text.trim().trim_start_matches("* ");
        if bare.len() == 8
            && let Ok(id) = u32::from_str_radix(bare, 16)
        {
            return Self::from_id(id).ok_or_else(unknown);
        }
        let plain = |name: &str| {
            let words = name.replace(['[', ']', '+', '-', '_'], " ");
            words.split_whitespace().collect::<Vec<_>>().join(" ").to_ascii_lowercase()
        };
        let wanted = plain(bare);
        Self::all().find(|mode| plain(&mode.to_string()) == wanted).ok_or_else(unknown)
    }
}

impl From<Mode> for String {
    fn from(mode: Mode) -> Self {
        mode.to_string()
    }
}

impl TryFrom<String> for Mode {
    type Error = UnknownMode;

    fn try_from(text: String) -> Result<Self, UnknownMode> {
        text.parse()
    }
}

fn known() -> String {
    Mode::all().map(|mode| mode.to_string()).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, expect: Option<(u32, &str)>) {
        let mode = text.parse::<Mode>().ok();
        let got = mode.map(|mode| (mode.id(), mode.to_string()));
        assert_eq!(got, expect.map(|(id, name)| (id, name.to_owned())), "{text}");
    }

    #[test]
    fn names_and_numbers_are_kelemetrys() {
        check("tree", Some((0, "tree")));
        check("tracing", Some((0x2000_0000, "tracing")));
        check("tracing [full tree]", Some((0x2100_0000, "tracing [full tree]")));
        check("tree+owned-objects", Some((0x0400_0000, "tree [owned objects]")));
        check("* tracing [ancestors]", Some((0x2200_0000, "tracing [ancestors]")));
        check("24000000", Some((0x2400_0000, "tracing [owned objects]")));
        check("30000000", None);
        check("pretty", None);
    }

    #[test]
    fn every_mode_survives_both_ways() {
        for mode in Mode::all() {
            assert_eq!(Mode::from_id(mode.id()), Some(mode));
            assert_eq!(mode.to_string().parse(), Ok(mode));
        }
        assert_eq!(Mode::all().next(), Some(Mode::default()));
    }

    #[test]
    fn an_unknown_mode_is_told_the_known_ones() {
        let error = "pretty".parse::<Mode>().expect_err("no mode").to_string();
        assert!(error.contains("tree [ancestors]"), "{error}");
    }
}
