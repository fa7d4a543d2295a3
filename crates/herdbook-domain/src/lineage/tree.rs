//! Trees of models: each base model with its enhancements, their enhancements, and so on.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;

use crate::values::RunId;

/// One member of a lineage with its descendants.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct LineageTree<T> {
    /// The member.
    #[serde(flatten)]
    pub member: T,
    /// The trees of its children, in the order of the input.
    pub children: Vec<LineageTree<T>>,
}

/// A member of a lineage: a run that may name a parent run.
pub trait LineageMember {
    /// The member's run.
    fn run_id(&self) -> &RunId;
    /// The run of its parent; `None` for a base model.
    fn parent(&self) -> Option<&RunId>;
}

/// Builds the trees of a set of members, in the order of the input.
///
/// A member whose parent is not in the set is a root. In a circle of parents, which only tags written by other programs
/// can form, the first member is the root. Every member is in exactly one tree; of members with one run id, only the
/// first.
pub fn lineage_trees<T: LineageMember + Clone>(members: &[T]) -> Vec<LineageTree<T>> {
    let known: BTreeSet<&RunId> = members.iter().map(LineageMember::run_id).collect();
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
    for root in roots {
        if placed.insert(root.run_id()) {
            trees.push(grow(root, &children, &mut placed));
        }
    }
    // The members that are left are on a circle or below one.
    for member in members {
        if !placed.contains(member.run_id()) {
            let root = first_of_circle(member, members);
            placed.insert(root.run_id());
            trees.push(grow(root, &children, &mut placed));
        }
    }
    trees
}

/// The first member, in the order of the input, of the circle that the parents of `member` lead to.
fn first_of_circle<'a, T: LineageMember>(member: &'a T, members: &'a [T]) -> &'a T {
    let parents: BTreeMap<&RunId, &RunId> = members
        .iter()
        .rev()
        .filter_map(|member| Some((member.run_id(), member.parent()?)))
        .collect();
    let mut above = BTreeSet::new();
    let mut current = member.run_id();
    while above.insert(current) {
        current = parents.get(current).copied().unwrap_or(current);
    }
    let mut circle = BTreeSet::new();
    while circle.insert(current) {
        current = parents.get(current).copied().unwrap_or(current);
    }
    members.iter().find(|member| circle.contains(member.run_id())).unwrap_or(member)
}

fn grow<'a, T: LineageMember + Clone>(
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

    impl LineageMember for Member {
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

    #[test]
    fn member_below_a_circle_hangs_below_its_parent() {
        let members = [member(3, Some(2)), member(1, Some(2)), member(2, Some(1))];
        assert_eq!(shape(&lineage_trees(&members)), "1(2(3()))");
    }
}
