//! A store in a temporary folder.

use std::time::Duration;

use herdbook_domain::{Actor, Channel};
use herdbook_store::{Location, Missing, OpenOptions, Session, Store};
use tempfile::TempDir;

pub(crate) fn temporary() -> anyhow::Result<(TempDir, Session)> {
    let folder = tempfile::tempdir()?;
    let options = OpenOptions {
        missing: Missing::Create,
        busy_timeout: Duration::from_secs(30),
        ..OpenOptions::default()
    };
    let store = Store::open(Location::resolve(None, folder.path())?, &options)?
        .session(Actor::parse("bench")?, Channel::Cli);
    Ok((folder, store))
}
