//! The indexed attributes: one byte in place of a name.
//!
//! Promise: an id never means two attributes in one partition. An attribute that is chosen later
//! is used only for partitions that began after that; older ones are searched without it.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::config::BUCKETED;

/// Posting lists by kind of fact, of the store's own.
pub(crate) const KIND_ID: u8 = 1;
const FIRST_ID: u8 = 2;
/// Names longer than this are not indexed.
const NAME_BYTES_MAX: usize = 128;
/// In which moment of its minute a span starts: kept like an attribute, under a name that nobody
/// asks for.
const MOMENT: &str = "\0moment";

/// How the values of an attribute are laid out in the index.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Shape {
    /// A posting list a value.
    Exact,
    /// A posting list for each of 256 parts of the values; entries carry a check.
    Bucketed,
}

/// One indexed attribute.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Attribute {
    pub(crate) id: u8,
    pub(crate) shape: Shape,
    /// First window whose partitions have its postings.
    since: u64,
}

impl Attribute {
    /// Whether a partition that begins at `window` has all postings of this attribute.
    pub(crate) fn covers(&self, window: u64) -> bool {
        window >= self.since
    }
}

/// The indexed attributes by name.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub(crate) struct IndexedAttributes {
    by_name: BTreeMap<String, Attribute>,
}

impl IndexedAttributes {
    /// The attributes for `wanted`, keeping what `self` has of it; `since` is the first window that
    /// has no facts yet.
    pub(crate) fn adapted(&self, wanted: &[String], since: u64) -> Self {
        let kept: BTreeMap<String, Attribute> = self
            .by_name
            .iter()
            .filter(|(name, _)| wanted.contains(name) || *name == MOMENT)
            .map(|(name, attribute)| (name.clone(), *attribute))
            .collect();
        let mut adapted = Self { by_name: kept };
        for name in wanted.iter().map(String::as_str).chain([MOMENT]) {
            adapted.add(name, since);
        }
        adapted
    }

    /// The attribute of this name, if it is indexed.
    pub(crate) fn get(&self, name: &str) -> Option<&Attribute> {
        self.by_name.get(name)
    }

    /// The moments of starts, which narrow a minute with many traces.
    pub(crate) fn moment(&self) -> Option<&Attribute> {
        self.get(MOMENT)
    }

    /// For the hot path: names by their length.
    pub(crate) fn by_length(&self) -> ByLength {
        let mut names = vec![Vec::new(); NAME_BYTES_MAX + 1];
        for (name, attribute) in self.by_name.iter().filter(|(name, _)| *name != MOMENT) {
            if let Some(same_length) = names.get_mut(name.len()) {
                same_length.push((name.clone().into_bytes(), *attribute));
            }
        }
        ByLength { names, moment: self.moment().copied() }
    }

    fn add(&mut self, name: &str, since: u64) {
        let taken = |id: u8| self.by_name.values().any(|attribute| attribute.id == id);
        let free = (FIRST_ID..=u8::MAX).find(|&id| !taken(id));
        let (false, Some(id)) = (self.by_name.contains_key(name), free) else { return };
        let shape = if BUCKETED.contains(&name) { Shape::Bucketed } else { Shape::Exact };
        self.by_name.insert(name.to_owned(), Attribute { id, shape, since });
    }
}

/// Finds attributes by their encoded names without hashing: few names share a length.
#[derive(Clone, Debug)]
pub(crate) struct ByLength {
    names: Vec<Vec<(Vec<u8>, Attribute)>>,
    moment: Option<Attribute>,
}

impl ByLength {
    #[inline]
    pub(crate) fn get(&self, name: &[u8]) -> Option<Attribute> {
        let same_length = self.names.get(name.len())?;
        same_length.iter().find(|(other, _)| other == name).map(|(_, attribute)| *attribute)
    }

    /// The moments of starts.
    pub(crate) fn moment(&self) -> Option<Attribute> {
        self.moment
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(list: &[&str]) -> Vec<String> {
        list.iter().map(|&name| name.to_owned()).collect()
    }

    #[test]
    fn ids_stay_and_later_attributes_cover_later_partitions_only() {
        let first = IndexedAttributes::default().adapted(&names(&["verb", "uid"]), 0);
        let second = first.adapted(&names(&["uid", "verb", "name"]), 500);
        assert_eq!(first.get("verb"), second.get("verb"));
        let name = second.get("name").expect("added");
        assert!(!name.covers(499) && name.covers(500));
        assert!(second.get("verb").is_some_and(|verb| verb.covers(0)));
        assert_eq!(second.get("uid").map(|uid| uid.shape), Some(Shape::Bucketed));
        let ids: std::collections::BTreeSet<u8> =
            second.by_name.values().map(|attribute| attribute.id).collect();
        assert_eq!(ids.len(), 4, "the three and the moments of starts");
    }

    #[test]
    fn an_attribute_that_was_left_out_in_between_starts_anew() {
        let first = IndexedAttributes::default().adapted(&names(&["verb"]), 0);
        let again = first.adapted(&names(&[]), 10).adapted(&names(&["verb"]), 20);
        assert!(again.get("verb").is_some_and(|verb| !verb.covers(19)));
    }

    #[test]
    fn moments_are_kept_and_no_attribute_stands_for_them() {
        let first = IndexedAttributes::default().adapted(&names(&["verb"]), 7);
        let moment = first.moment().expect("always there");
        assert!(moment.covers(7) && !moment.covers(6), "stores of before have none");
        assert_eq!(first.adapted(&names(&[]), 90).moment(), Some(moment));
        assert_eq!(first.by_length().get(MOMENT.as_bytes()), None);
    }

    #[test]
    fn the_hot_path_finds_the_same() {
        let indexed = IndexedAttributes::default().adapted(&names(&["verb", "name", "uid"]), 0);
        let fast = indexed.by_length();
        for name in ["verb", "name", "uid", "kind", "", "a.very.long.name"] {
            assert_eq!(fast.get(name.as_bytes()).as_ref(), indexed.get(name), "{name}");
        }
        assert_eq!(fast.get(&[b'x'; 1_000]), None);
    }
}
