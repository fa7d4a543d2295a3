//! Disk errors at each step of each command: the command fails, and can be repeated.

use std::path::Path;
use std::time::Instant;

use herdbook_store::StoreError;

use super::empty;
use super::power::Chance;
use super::recording::{Fault, Plan, Recording};
use super::scenario::{Command, Head, LIFE, Place, temporary};
use crate::chance::{report, seed, stride};

fn copy(from: &Path, to: &Path) {
    for entry in std::fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let to = to.join(entry.file_name());
        if entry.path().is_dir() {
            std::fs::create_dir(&to).unwrap();
            copy(&entry.path(), &to);
        } else {
            std::fs::copy(entry.path(), to).unwrap();
        }
    }
}

/// Runs a command with a plan of faults. Returns the number of its steps, and what is wrong afterwards.
fn run_with(
    place: &Place,
    command: Command,
    plan: Plan,
    before: Option<&Head>,
) -> (usize, Vec<String>) {
    let recording = Recording::of(&place.folder, plan);
    let outcome = place.run(command, Some(&recording));
    let steps = recording.end();
    let (is_done, mut breaches) = place.look(command, before);
    match &outcome {
        Ok(()) if !is_done => breaches.push("it said it was done and is not".to_owned()),
        Err(StoreError::Sqlite(error)) => {
            breaches.push(format!("an error without a file: {error}"));
        }
        _ => {}
    }
    if !is_done && breaches.is_empty() {
        match place.run(command, None) {
            Ok(()) => breaches.extend(place.look(command, before).1),
            Err(error) => breaches.push(format!("it cannot be repeated: {error}")),
        }
    }
    (steps.len(), breaches)
}

/// Runs every command with a fault at steps spread over it, each time from the same state.
fn assert_survived(what: &str, plan: impl Fn(usize) -> Plan) {
    let begun = Instant::now();
    // Always at the same path, since the records contain the path of their artifacts.
    let (herd, before) = (temporary(), temporary());
    let place = Place { folder: herd.path().to_owned() };
    let (mut n_points, mut found) = (0, Vec::new());
    let mut chance = Chance(seed());
    for command in LIFE {
        empty(before.path());
        copy(herd.path(), before.path());
        let head = place.folder.join("mlflow.db").exists().then(|| place.head().unwrap());
        let (n_steps, _) = run_with(&place, command, Plan::Sound, head.as_ref());
        // Evenly spread, with a random first step.
        let stride = stride(n_steps * LIFE.len(), 200);
        for at in (chance.next() as usize % stride..n_steps).step_by(stride) {
            empty(herd.path());
            copy(before.path(), herd.path());
            let (_, breaches) = run_with(&place, command, plan(at), head.as_ref());
            found.extend(breaches.iter().map(|b| format!("{command:?}, step {at}: {b}")));
            n_points += 1;
        }
        // The next command starts after a complete one.
        empty(herd.path());
        copy(before.path(), herd.path());
        place.run(command, None).unwrap();
    }
    report(what, n_points, found.len(), begun);
    assert!(n_points > LIFE.len());
    assert!(found.is_empty(), "{} breaches:\n{}", found.len(), found.join("\n"));
}

#[test]
fn one_error_of_the_disk_at_any_step_is_told_and_survived() {
    assert_survived("one error of the disk", |at| Plan::At(at, Fault::Error));
}

#[test]
fn disk_that_answers_errors_from_any_step_on_is_told_and_survived() {
    assert_survived("errors of the disk from a step on", |at| Plan::From(at, Fault::Error));
}

#[test]
fn disk_that_is_full_from_any_step_on_is_told_and_survived() {
    assert_survived("disk full from a step on", |at| Plan::From(at, Fault::Full));
}
