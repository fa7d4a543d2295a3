//! The suite of the store over a stock `mlflow server`: what is about the acts, not about a database's tables.

#![expect(clippy::unwrap_used, reason = "a broken test stops where it breaks")]

mod backend;
mod deaths;
mod doctor_journal;
mod proxy;

#[path = "../it/chance.rs"]
mod chance;
#[path = "../it/doctor.rs"]
mod doctor;
#[path = "../it/finding.rs"]
mod finding;
#[path = "../it/herd.rs"]
mod herd;
#[path = "../it/life.rs"]
mod life;

use herd::Herd;

#[test]
fn nothing_is_written_on_this_side() {
    let herd = Herd::new();
    herd.train(None, 1.0);
    assert_eq!(std::fs::read_dir(herd.folder.path()).unwrap().count(), 0);
}
