//! Trees of any set of runs, whatever parents they name.

use std::collections::BTreeMap;

use herdbook_domain::{LineageMember, LineageTree, RunId, lineage_trees};
use proptest::prelude::*;

#[derive(Debug, Clone, PartialEq)]
struct Member {
    run_id: RunId,
    parent: Option<RunId>,
}

impl LineageMember for Member {
    fn run_id(&self) -> &RunId {
        &self.run_id
    }

    fn parent(&self) -> Option<&RunId> {
        self.parent.as_ref()
    }
}

fn run(id: usize) -> RunId {
    RunId::parse(&format!("{id:032x}")).unwrap()
}

/// Members 0, 1, 2 …, each with any parent: one of them, itself, or a run outside the set.
fn members() -> impl Strategy<Value = Vec<Member>> {
    prop::collection::vec(prop::option::of(0..14_usize), 0..12).prop_map(|parents| {
        let member = |(id, parent): (usize, Option<usize>)| Member {
            run_id: run(id),
            parent: parent.map(run),
        };
        parents.into_iter().enumerate().map(member).collect()
    })
}

/// The parent of each member by the trees.
fn placed<'a>(
    trees: &'a [LineageTree<Member>],
    parent: Option<&'a RunId>,
    found: &mut Vec<(&'a RunId, Option<&'a RunId>)>,
) {
    for tree in trees {
        found.push((&tree.member.run_id, parent));
        placed(&tree.children, Some(&tree.member.run_id), found);
    }
}

proptest! {
    #[test]
    fn prop_every_member_is_in_one_tree_below_its_parent_or_at_a_root(members in members()) {
        let trees = lineage_trees(&members);
        let mut found = Vec::new();
        placed(&trees, None, &mut found);
        prop_assert_eq!(found.len(), members.len());
        let found: BTreeMap<_, _> = found.into_iter().collect();
        prop_assert_eq!(found.len(), members.len(), "a member is in two places");
        for member in &members {
            if let Some(parent) = found[&member.run_id] {
                prop_assert_eq!(Some(parent), member.parent.as_ref());
                continue;
            }
            let is_known = |parent: &RunId| members.iter().any(|other| other.run_id == *parent);
            let parent = member.parent.as_ref().filter(|parent| is_known(parent));
            // A member with a known parent is a root only to cut a circle.
            prop_assert!(parent.is_none_or(|parent| is_descendant(&members, parent, member)));
        }
    }
}

/// Whether following the parents of `run_id` leads to `ancestor`.
fn is_descendant(members: &[Member], run_id: &RunId, ancestor: &Member) -> bool {
    let mut current = Some(run_id.clone());
    for _ in 0..=members.len() {
        let Some(run_id) = current else { return false };
        if run_id == ancestor.run_id {
            return true;
        }
        let member = members.iter().find(|member| member.run_id == run_id);
        current = member.and_then(|member| member.parent.clone());
    }
    false
}
