//! Display modes and their modifiers, as people pick them in Jaeger's service list.
//!
//! Both are tables: a mode is a row of [`DISPLAYS`] and rows of [`MODIFIERS`], at most one of each
//! class. What a modifier does stands in its row; nothing else knows it by name.
//!
//! **Invariant:** the numbers are part of view ids and are those of Kelemetry: people edit them in
//! URLs.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// How acts are drawn.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Display {
    /// Acts are events on the span of their object.
    #[default]
    Tracing,
    /// Acts are child spans of their object.
    Tree,
    /// Acts of all objects are one flat list of spans under the root.
    Timeline,
    /// Acts are events on a span for their source, under their object; Kubernetes Events stay on
    /// the object itself.
    Grouped,
}

/// What a modifier changes. Two of one class exclude each other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Class {
    /// Which owner references are followed.
    OwnerLinks,
    /// Which other links are followed.
    OtherLinks,
    /// How much of what is routine is shown.
    Routine,
}

/// Something that a mode adds to its display.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Modifier {
    /// Its bit in a view id.
    pub bits: u32,
    /// As people read it.
    pub name: &'static str,
    /// What it excludes.
    pub class: Class,
    /// The links it follows.
    pub links: Option<LinkSelector>,
}

/// Which links are followed, and how far.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LinkSelector {
    /// By what they are.
    pub links: Links,
    /// Where following begins.
    pub start: Start,
    /// Steps towards parents.
    pub up: usize,
    /// Steps towards children.
    pub down: usize,
    /// What happens above.
    pub siblings: Siblings,
}

/// Links by what they are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Links {
    /// Owner references.
    Owner,
    /// All but owner references.
    Other,
}

/// Where following begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Start {
    /// At the object asked for.
    Asked,
    /// At every object that owner references lead to, too.
    Each,
}

/// Whether what is reached upwards is followed downwards again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Siblings {
    /// It is: the whole tree.
    Along,
    /// It is not: the direction never changes.
    LeftOut,
}

/// As many steps as the setting `depth_max` allows.
const FAR: usize = usize::MAX;

/// Every display: its number in a view id and its name, the default first.
pub const DISPLAYS: [(Display, u32, &str); 4] = [
    (Display::Tracing, 0x2000_0000, "tracing"),
    (Display::Tree, 0, "tree"),
    (Display::Timeline, 0x1000_0000, "timeline"),
    (Display::Grouped, 0x3000_0000, "grouped"),
];

/// Every modifier, in the order of names.
pub const MODIFIERS: [Modifier; 5] = [
    Modifier {
        bits: 0x0100_0000,
        name: "full tree",
        class: Class::OwnerLinks,
        links: Some(owner_links(FAR, FAR, Siblings::Along)),
    },
    Modifier {
        bits: 0x0200_0000,
        name: "ancestors",
        class: Class::OwnerLinks,
        links: Some(owner_links(FAR, 0, Siblings::LeftOut)),
    },
    Modifier {
        bits: 0x0400_0000,
        name: "owned objects",
        class: Class::OwnerLinks,
        links: Some(owner_links(0, FAR, Siblings::LeftOut)),
    },
    Modifier {
        bits: 0x0800_0000,
        name: "related",
        class: Class::OtherLinks,
        links: Some(LinkSelector {
            links: Links::Other,
            start: Start::Each,
            up: 1,
            down: 1,
            siblings: Siblings::LeftOut,
        }),
    },
    Modifier { bits: 0x0010_0000, name: "quiet", class: Class::Routine, links: None },
];

const fn owner_links(up: usize, down: usize, siblings: Siblings) -> LinkSelector {
    LinkSelector { links: Links::Owner, start: Start::Asked, up, down, siblings }
}

/// A display with its modifiers, eight hex digits of a view id.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub struct Mode {
    /// How acts are drawn.
    pub display: Display,
    /// The bits of its modifiers; no two of one class.
    modifiers: u32,
}

/// Not a mode this version knows.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("unknown mode {given:?}, known are: {}", known())]
pub struct UnknownMode {
    /// What was given.
    pub given: String,
}

impl Mode {
    /// `tracing [owned objects]`: what a story is told of.
    pub const OWNED_OBJECTS: Self = Self { display: Display::Tracing, modifiers: 0x0400_0000 };

    /// Every mode, the default first.
    pub fn all() -> impl Iterator<Item = Self> {
        let subsets = 0..1_u32 << MODIFIERS.len();
        let subsets: Vec<u32> =
            subsets.map(bits_of_subset).filter(|bits| is_sound(*bits)).collect();
        DISPLAYS.into_iter().flat_map(move |(display, ..)| {
            subsets.clone().into_iter().map(move |modifiers| Self { display, modifiers })
        })
    }

    /// The number in a view id.
    pub fn id(self) -> u32 {
        let display = DISPLAYS.iter().find(|(display, ..)| *display == self.display);
        display.map_or(0, |(_, bits, _)| *bits) | self.modifiers
    }

    /// The mode of a view id.
    pub fn from_id(id: u32) -> Option<Self> {
        let known = MODIFIERS.iter().fold(0, |known, modifier| known | modifier.bits);
        let (display, ..) = *DISPLAYS.iter().find(|(_, bits, _)| *bits == id & !known)?;
        let modifiers = id & known;
        is_sound(modifiers).then_some(Self { display, modifiers })
    }

    /// Its modifiers.
    pub fn modifiers(self) -> impl Iterator<Item = &'static Modifier> {
        MODIFIERS.iter().filter(move |modifier| self.modifiers & modifier.bits != 0)
    }

    /// The links it follows.
    pub fn links(self) -> impl Iterator<Item = LinkSelector> {
        self.modifiers().filter_map(|modifier| modifier.links)
    }

    /// Whether what is routine becomes a number.
    pub fn folds_routine(self) -> bool {
        self.modifiers().any(|modifier| modifier.class == Class::Routine)
    }
}

fn bits_of_subset(subset: u32) -> u32 {
    let chosen = MODIFIERS.iter().enumerate().filter(|(at, _)| subset >> at & 1 == 1);
    chosen.fold(0, |bits, (_, modifier)| bits | modifier.bits)
}

/// Whether no two of the modifiers exclude each other.
fn is_sound(bits: u32) -> bool {
    let chosen = || MODIFIERS.iter().filter(|modifier| bits & modifier.bits != 0);
    chosen().all(|one| chosen().filter(|other| one.class == other.class).count() == 1)
}

/// `tracing`, `tree [owned objects + related]`.
impl fmt::Display for Mode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let display = DISPLAYS.iter().find(|(display, ..)| *display == self.display);
        f.write_str(display.map_or("", |(_, _, name)| name))?;
        let names: Vec<_> = self.modifiers().map(|modifier| modifier.name).collect();
        if names.is_empty() { Ok(()) } else { write!(f, " [{}]", names.join(" + ")) }
    }
}

/// By name (`tracing [owned objects]`, also `tracing+owned-objects`, modifiers in any order) or by
/// eight hex digits.
impl FromStr for Mode {
    type Err = UnknownMode;

    fn from_str(text: &str) -> Result<Self, UnknownMode> {
        let bare = text.trim().trim_start_matches("* ");
        let number = (bare.len() == 8).then(|| u32::from_str_radix(bare, 16).ok()).flatten();
        let mode = number.map_or_else(|| named(bare), Self::from_id);
        mode.ok_or_else(|| UnknownMode { given: text.to_owned() })
    }
}

/// Reads words, whatever stands between them: a `+` in a URL arrives as a space.
fn named(text: &str) -> Option<Mode> {
    let words = text.replace(['[', ']', '+', '-', '_', ','], " ").to_ascii_lowercase();
    let words = words.split_whitespace().collect::<Vec<_>>().join(" ");
    let (display, mut rest) = DISPLAYS
        .iter()
        .find_map(|(display, _, name)| without_prefix(&words, name).map(|rest| (*display, rest)))?;
    let mut modifiers = 0;
    while !rest.is_empty() {
        let next = MODIFIERS
            .iter()
            .find_map(|modifier| Some((modifier.bits, without_prefix(rest, modifier.name)?)));
        let (bits, after) = next.filter(|(bits, _)| modifiers & bits == 0)?;
        (modifiers, rest) = (modifiers | bits, after);
    }
    is_sound(modifiers).then_some(Mode { display, modifiers })
}

/// What follows some whole words.
fn without_prefix<'t>(text: &'t str, words: &str) -> Option<&'t str> {
    let rest = text.strip_prefix(words)?;
    if rest.is_empty() { Some(rest) } else { rest.strip_prefix(' ') }
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

/// Displays and modifiers rather than their many combinations.
fn known() -> String {
    let displays: Vec<_> = DISPLAYS.iter().map(|(_, _, name)| *name).collect();
    let mut modifiers = String::new();
    for (at, modifier) in MODIFIERS.iter().enumerate() {
        let before = at.checked_sub(1).and_then(|before| MODIFIERS.get(before));
        let excluded = before.is_some_and(|before| before.class == modifier.class);
        modifiers.push_str(if excluded { " | " } else { " + " });
        modifiers.push_str(modifier.name);
    }
    let modifiers = modifiers.trim_start_matches([' ', '+']);
    format!("{}, any of them with [{modifiers}]", displays.join(", "))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    fn check(text: &str, expect: Option<(u32, &str)>) {
        let mode = text.parse::<Mode>().ok();
        let got = mode.map(|mode| (mode.id(), mode.to_string()));
        assert_eq!(got, expect.map(|(id, name)| (id, name.to_owned())), "{text}");
    }

    #[test]
    fn names_and_numbers_are_kelemetrys() {
        check("tree", Some((0, "tree")));
        check("timeline", Some((0x1000_0000, "timeline")));
        check("tracing", Some((0x2000_0000, "tracing")));
        check("grouped", Some((0x3000_0000, "grouped")));
        check("tracing [full tree]", Some((0x2100_0000, "tracing [full tree]")));
        check("tree+owned-objects", Some((0x0400_0000, "tree [owned objects]")));
        check("* tracing [ancestors]", Some((0x2200_0000, "tracing [ancestors]")));
        check("24000000", Some((0x2400_0000, "tracing [owned objects]")));
        check("3c100000", Some((0x3c10_0000, "grouped [owned objects + related + quiet]")));
    }

    #[test]
    fn modifiers_come_in_any_order_and_with_anything_between_them() {
        let all = Some((0x0410_0000 | 0x0800_0000, "tree [owned objects + related + quiet]"));
        check("tree [owned objects + related + quiet]", all);
        check("tree+owned-objects+related+quiet", all);
        check("tree quiet related owned_objects", all);
        check("Tree [quiet, related, owned objects]", all);
    }

    #[test]
    fn what_excludes_each_other_is_no_mode() {
        check("tree [full tree + ancestors]", None);
        check("tree+quiet+quiet", None);
        check("23000000", None);
        check("40000000", None);
        check("20000001", None);
        check("quiet", None);
        check("trees", None);
        check("tree+quieter", None);
        check("", None);
    }

    #[test]
    fn every_mode_survives_both_ways() {
        for mode in Mode::all() {
            assert_eq!(Mode::from_id(mode.id()), Some(mode));
            assert_eq!(mode.to_string().parse(), Ok(mode));
        }
        assert_eq!(Mode::all().next(), Some(Mode::default()));
        let ids: BTreeSet<_> = Mode::all().map(Mode::id).collect();
        assert_eq!((ids.len(), Mode::all().count()), (64, 64));
        assert_eq!(Mode::OWNED_OBJECTS.to_string(), "tracing [owned objects]");
    }

    #[test]
    fn an_unknown_mode_is_told_the_known_ones() {
        let error = "pretty".parse::<Mode>().expect_err("no mode").to_string();
        assert!(error.contains("timeline, grouped, any of them with [full tree | "), "{error}");
    }
}
