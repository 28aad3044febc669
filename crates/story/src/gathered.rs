//! What a story is told from: stored spans of an object and of what it is linked to.

use kausal_object::ObjectKey;
use kausal_trace::UnixNanos;

use crate::frames::LinkRole;

/// Everything gathered for one story or view.
#[derive(Clone, Debug, Default)]
pub struct Gathered {
    /// The object asked for.
    pub root: ObjectKey,
    /// First instant of the range. Facts before it are known as bases of diffs, never shown.
    pub from: UnixNanos,
    /// Last instant of the range, inclusive. Facts after it are not shown.
    pub to: UnixNanos,
    /// The objects, in any order; one object may come in several parts.
    pub objects: Vec<GatheredObject>,
    /// What went wrong while gathering, and what a budget left out.
    pub warnings: Vec<String>,
}

/// The stored spans of one object.
#[derive(Clone, Debug)]
pub struct GatheredObject {
    /// Whose they are.
    pub key: ObjectKey,
    /// Why it is here.
    pub relation: Relation,
    /// Facts and frames as stored (OTLP `Span` messages), any order, duplicates allowed.
    pub spans: Vec<Box<[u8]>>,
}

/// How a gathered object relates to the one asked for. When an object comes with several
/// relations, the one declared first here counts.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Relation {
    /// It is the one.
    Root,
    /// Reached downwards: `parent` owns it. Also siblings in `full tree`.
    Owned {
        /// The owner it was reached from.
        parent: ObjectKey,
        /// Steps from where the descent began, 1 for its direct dependents.
        depth: u32,
    },
    /// Reached upwards: it owns `child`.
    Ancestor {
        /// The object it was reached from.
        child: ObjectKey,
        /// Steps up, 1 for direct owners.
        depth: u32,
    },
    /// Reached by a link that is no owner reference (a config map, a secret).
    Related {
        /// The object whose link led to it.
        to: ObjectKey,
        /// What it is to that object.
        role: LinkRole,
        /// What relates them, as the link says.
        class: String,
    },
    /// The Namespace the root lives in: its deletion takes the root with it.
    Namespace,
}
