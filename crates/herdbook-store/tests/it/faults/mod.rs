//! Kills, power losses, errors of the disk and full disks at every step of every command.
//!
//! A life is lived once, each step of its files recorded. Then the disk is put back as it was between any two steps
//! (all that was written: the process was killed; only what was synced, or that and some: the power went), the store
//! is opened there, and what it holds is compared with what had been acknowledged.

mod io_errors;
mod power;
mod power_loss;
mod recording;
mod scenario;
mod vfs;

use std::path::Path;

/// Takes everything out of a folder.
fn empty(folder: &Path) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() { std::fs::remove_dir_all(path) } else { std::fs::remove_file(path) }
            .unwrap();
    }
}
