//! The settings of telling.

use serde::{Deserialize, Serialize};

/// Spans that a view gives to Jaeger unless told otherwise; its UI grows slow beyond.
pub const VIEW_SPANS_MAX: usize = 1_500;

/// What a story depends on besides the facts.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct TellPolicy {
    /// User names that are controllers although they are no `system:` names; `*` stands for any
    /// number of characters.
    pub controllers: Vec<String>,
    /// The most spans a view may have; acts nearest to people are kept.
    pub view_spans_max: usize,
}

impl Default for TellPolicy {
    fn default() -> Self {
        Self { controllers: vec!["kwok-*".to_owned()], view_spans_max: VIEW_SPANS_MAX }
    }
}
