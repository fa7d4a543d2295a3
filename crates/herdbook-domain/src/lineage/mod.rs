//! Parents and children: which parent an enhancement starts from, and the trees that models form.

mod origin;
mod parent;
mod tree;

pub use origin::{EnhancedFrom, Origin};
pub use parent::{
    Attempt, Departure, InvalidParentSelector, ParentSelector, attempts_for_best,
    attempts_for_latest, base_model_fallback,
};
pub use tree::{LineageMember, LineageTree, lineage_trees};
