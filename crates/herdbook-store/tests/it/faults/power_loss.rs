//! `kill -9` and the loss of power between any two steps.

use std::path::{Path, PathBuf};
use std::time::Instant;

use super::empty;
use super::power::{Chance, Left, Power};
use super::recording::{Op, Plan, Recording};
use super::scenario::{Head, LIFE, Place, temporary};
use crate::chance::{points, report, seed, stride};

/// A recorded run of the scenario.
struct Lived {
    folder: tempfile::TempDir,
    steps: Vec<(PathBuf, Op)>,
    /// The states after each command.
    heads: Vec<Head>,
}

impl Lived {
    fn new() -> Self {
        let folder = temporary();
        let place = Place { folder: folder.path().to_owned() };
        let mut steps = Vec::new();
        let mut heads = Vec::new();
        for command in LIFE {
            let recording = Recording::of(folder.path(), Plan::Sound);
            place.run(command, Some(&recording)).unwrap();
            steps.extend(recording.end());
            heads.push(place.head().unwrap());
        }
        Self { folder, steps, heads }
    }

    fn place(&self) -> Place {
        Place { folder: self.folder.path().to_owned() }
    }

    /// The breaches after the first `n_steps` steps, with the unsynced rest left as given. Then runs the scenario to its end.
    fn breaches_after(&self, power: &Power, n_acknowledged: usize, left: Left) -> Vec<String> {
        empty(self.folder.path());
        power.go(left, self.folder.path());
        let place = self.place();
        let head = n_acknowledged.checked_sub(1).map(|last| &self.heads[last]);
        // After the last command, check that its act is in the records.
        let command = LIFE[n_acknowledged.min(LIFE.len() - 1)];
        let (is_done, mut breaches) = place.look(command, head);
        if breaches.is_empty() && !is_done {
            let repeated = place.run(command, None);
            breaches.extend(repeated.err().map(|error| format!("not repeatable: {error}")));
            let (is_done, found) = place.look(command, head);
            breaches.extend(found);
            breaches.extend((!is_done).then(|| "repeated in vain".to_owned()));
        }
        breaches
    }
}

/// Checks the records after some of the steps. Returns every breach with its step.
fn breaches(
    lived: &Lived,
    steps: &[(PathBuf, Op)],
    mut points_at: impl FnMut(usize) -> Vec<Left>,
) -> (usize, Vec<String>) {
    let mut power = Power::default();
    let (mut n_acknowledged, mut n_points, mut found) = (0, 0, Vec::new());
    for (number, (path, op)) in steps.iter().enumerate() {
        power.step(path, op);
        n_acknowledged += usize::from(*op == Op::Acknowledged);
        for left in points_at(number) {
            n_points += 1;
            let breaches = lived.breaches_after(&power, n_acknowledged, left);
            found.extend(breaches.into_iter().map(|breach| {
                format!(
                    "after step {number} ({op:.40?} of {}), {left:?} left: {breach}",
                    path.display()
                )
            }));
        }
    }
    (n_points, found)
}

fn assert_none(what: &str, lived: &Lived, points_at: impl FnMut(usize) -> Vec<Left>) {
    let begun = Instant::now();
    let (n_points, found) = breaches(lived, &lived.steps, points_at);
    report(what, n_points, found.len(), begun);
    assert!(n_points > 0);
    assert!(found.is_empty(), "{} breaches:\n{}", found.len(), found.join("\n"));
}

#[test]
fn killed_after_any_write_nothing_acknowledged_is_lost_and_the_command_can_be_repeated() {
    let lived = Lived::new();
    let stride = stride(lived.steps.len(), 120);
    assert_none("kill -9 after a step", &lived, |number| {
        if number % stride == 0 { vec![Left::Everything] } else { Vec::new() }
    });
}

#[test]
fn power_lost_at_any_sync_point_nothing_acknowledged_is_lost() {
    let lived = Lived::new();
    let steps = lived.steps.clone();
    assert_none("power lost around a sync, nothing else left", &lived, |number| {
        let is_sync = |at: usize| {
            matches!(
                steps.get(at),
                Some((_, Op::Sync | Op::SyncFolder | Op::Acknowledged | Op::RenameTo(_)))
            )
        };
        if is_sync(number) || is_sync(number + 1) { vec![Left::Nothing] } else { Vec::new() }
    });
}

#[test]
fn power_lost_anywhere_with_sectors_and_names_left_by_chance_nothing_acknowledged_is_lost() {
    let lived = Lived::new();
    let mut chance = Chance(seed());
    let n_points = points(120);
    let n_steps = lived.steps.len();
    let mut at: Vec<usize> = (0..n_points).map(|_| chance.next() as usize % n_steps).collect();
    at.sort_unstable();
    assert_none("power lost, the rest left by chance", &lived, |number| {
        let here = at.iter().filter(|at| **at == number);
        here.map(|_| Left::Some(chance.next())).collect()
    });
}

/// Whether to leave a step out.
type Omitted<'a> = &'a dyn Fn(&Path, &Op) -> bool;

/// Checks the tests above: they detect each sync that is left out.
#[test]
fn every_kind_of_sync_left_out_is_a_loss_that_is_seen() {
    let lived = Lived::new();
    let is_artifact = |path: &Path| path.starts_with("mlruns");
    let of_the_log: Omitted<'_> = &|path, op| path.ends_with("mlflow.db-wal") && *op == Op::Sync;
    let of_files: Omitted<'_> = &|path, op| is_artifact(path) && *op == Op::Sync;
    let of_folders: Omitted<'_> = &|path, op| is_artifact(path) && *op == Op::SyncFolder;
    for (what, omitted) in [("log", of_the_log), ("files", of_files), ("folders", of_folders)] {
        let steps: Vec<_> =
            lived.steps.iter().filter(|(path, op)| !omitted(path, op)).cloned().collect();
        assert!(steps.len() < lived.steps.len(), "there are syncs of the {what}");
        let acknowledged = |at: usize| matches!(steps[at].1, Op::Acknowledged);
        let (_, found) = breaches(&lived, &steps, |number| {
            if acknowledged(number) { vec![Left::Nothing] } else { Vec::new() }
        });
        assert!(!found.is_empty(), "without syncs of the {what} nothing was lost");
    }
}
