//! Kills, power losses, disk errors and full disks at every step of every command.
//!
//! A scenario is run once, and each step of its files is recorded. Then the state of the disk between two steps is restored:
//! with all writes, as after a kill, or with only the synced ones and a random part of the rest, as after a power loss. The
//! store is opened in that state, and its records are compared with the acknowledged acts.

mod io_errors;
mod power;
mod power_loss;
mod recording;
mod scenario;
mod vfs;

use std::path::Path;

/// Removes everything in a folder.
fn empty(folder: &Path) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() { std::fs::remove_dir_all(path) } else { std::fs::remove_file(path) }
            .unwrap();
    }
}
