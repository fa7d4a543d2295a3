//! Lineage: the tree from a base model through each enhancement to its newest descendants.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;

use crate::RunId;

/// One member of a lineage and what was bred from it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct LineageTree<T> {
    /// The member.
    #[serde(flatten)]
    pub member: T,
    /// Its children, in the order they were given.
    pub children: Vec<LineageTree<T>>,
}

/// A member of a lineage: a run that may name a parent run.
pub trait Pedigree {
    /// The member's run.
    fn run_id(&self) -> &RunId;
    /// The parent's run; `None` for a base model.
    fn parent(&self) -> Option<&RunId>;
}

/// Builds the trees of a set of members. A member whose parent is not among them is a root; where tags written
/// by others make a circle, its first member is.
pub fn lineage_trees<T: Pedigree + Clone>(members: &[T]) -> Vec<LineageTree<T>> {
    let known: BTreeSet<&RunId> = members.iter().map(Pedigree::run_id).collect();
    let mut children: BTreeMap<&RunId, Vec<&T>> = BTreeMap::new();
    let mut roots = Vec::new();
    for member in members {
        match member.parent().filter(|parent| known.contains(parent)) {
            Some(parent) => children.entry(parent).or_default().push(member),
            None => roots.push(member),
        }
    }
    let mut placed = BTreeSet::new();
    let mut trees = Vec::new();
    for member in roots.into_iter().chain(members) {
        if placed.insert(member.run_id()) {
            trees.push(grow(member, &children, &mut placed));
        }
    }
    trees
}

fn grow<'a, T: Pedigree + Clone>(
    member: &'a T,
    children: &BTreeMap<&'a RunId, Vec<&'a T>>,
    placed: &mut BTreeSet<&'a RunId>,
) -> LineageTree<T> {
    let mut tree = LineageTree { member: member.clone(), children: Vec::new() };
    for child in children.get(member.run_id()).into_iter().flatten() {
        if placed.insert(child.run_id()) {
            tree.children.push(grow(child, children, placed));
        }
    }
    tree
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, Clone, PartialEq)]
    struct Member(RunId, Option<RunId>);

    impl Pedigree for Member {
        fn run_id(&self) -> &RunId {
            &self.0
        }

        fn parent(&self) -> Option<&RunId> {
            self.1.as_ref()
        }
    }

    fn member(id: u8, parent: Option<u8>) -> Member {
        let run = |id: u8| RunId::parse(&format!("{id:032x}")).unwrap();
        Member(run(id), parent.map(run))
    }

    fn shape(trees: &[LineageTree<Member>]) -> String {
        let one = |tree: &LineageTree<Member>| {
            let name = tree.member.0.as_str().trim_start_matches('0');
            format!("{name}({})", shape(&tree.children))
        };
        trees.iter().map(one).collect::<Vec<_>>().concat()
    }

    #[test]
    fn children_hang_below_their_parent() {
        let members = [member(3, Some(2)), member(2, Some(1)), member(1, None), member(4, Some(1))];
        assert_eq!(shape(&lineage_trees(&members)), "1(2(3())4())");
    }

    #[test]
    fn member_of_an_unknown_parent_is_a_root() {
        assert_eq!(shape(&lineage_trees(&[member(2, Some(1))])), "2()");
    }

    #[test]
    fn circle_is_cut_at_its_first_member() {
        let members = [member(1, Some(2)), member(2, Some(1))];
        assert_eq!(shape(&lineage_trees(&members)), "1(2())");
    }
}
