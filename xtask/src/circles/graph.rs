//! Circles in a directed graph.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

/// Which nodes each node leads to.
pub(crate) type Graph = BTreeMap<usize, BTreeSet<usize>>;

/// A list of circles, the shortest first. After each, one of its arrows is removed from the graph and the search is
/// repeated, until no circle is left. A circle is the list of its nodes; the last leads to the first.
pub(crate) fn circles(mut graph: Graph) -> Vec<Vec<usize>> {
    let mut found = Vec::new();
    while let Some(circle) = shortest_circle(&graph) {
        let (last, first) = (circle[circle.len() - 1], circle[0]);
        graph.entry(last).or_default().remove(&first);
        found.push(circle);
    }
    found
}

fn shortest_circle(graph: &Graph) -> Option<Vec<usize>> {
    let mut shortest: Option<Vec<usize>> = None;
    for start in graph.keys() {
        let circle = circle_through(graph, *start);
        if let Some(circle) = circle
            && shortest.as_ref().is_none_or(|best| circle.len() < best.len())
        {
            shortest = Some(circle);
        }
    }
    shortest
}

/// The shortest circle through a node, by breadth-first search.
fn circle_through(graph: &Graph, start: usize) -> Option<Vec<usize>> {
    let mut came_from: BTreeMap<usize, usize> = BTreeMap::new();
    let mut waiting = VecDeque::from([start]);
    while let Some(node) = waiting.pop_front() {
        for next in graph.get(&node).into_iter().flatten() {
            if *next == start {
                let back = std::iter::successors(Some(node), |at| came_from.get(at).copied());
                let mut circle: Vec<usize> = back.collect();
                circle.reverse();
                return Some(circle);
            }
            if !came_from.contains_key(next) {
                came_from.insert(*next, node);
                waiting.push_back(*next);
            }
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn graph(arrows: &[(usize, usize)]) -> Graph {
        let mut graph = Graph::new();
        for (from, to) in arrows {
            graph.entry(*from).or_default().insert(*to);
        }
        graph
    }

    #[test]
    fn graph_without_a_circle_has_none() {
        assert!(circles(graph(&[(1, 2), (1, 3), (2, 4), (3, 4)])).is_empty());
    }

    #[test]
    fn shortest_circle_comes_first() {
        let found = circles(graph(&[(1, 2), (2, 3), (3, 1), (3, 4), (4, 3)]));
        assert_eq!(found, [vec![3, 4], vec![1, 2, 3]]);
    }

    #[test]
    fn circle_that_an_earlier_one_breaks_is_not_listed() {
        // Both circles contain the arrow from 2 to 1.
        let found = circles(graph(&[(1, 2), (2, 1), (1, 3), (3, 2)]));
        assert_eq!(found, [vec![1, 2]]);
    }
}
