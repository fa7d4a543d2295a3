//! From flags, environment and defaults to a resolved plan: which store, who acts.

use std::time::Duration;

use anyhow::Context as _;
use herdbook_domain::{Actor, Channel};
use herdbook_store::{Location, Missing, OpenOptions, Opened, Store, StoreError};

use crate::args::Global;
use crate::failure::Failure;
use crate::output::Output;

/// Opens the store of this call and says which it is.
pub(crate) fn open_store(
    global: &Global,
    missing: Missing,
    output: &mut Output,
) -> Result<Store, Failure> {
    open_with(global, missing, output, Store::open)
}

/// The same where two champions would keep every other command out.
pub(crate) fn open_store_for_doctor(
    global: &Global,
    output: &mut Output,
) -> Result<Store, Failure> {
    open_with(global, Missing::Refuse, output, Store::open_for_doctor)
}

fn open_with(
    global: &Global,
    missing: Missing,
    output: &mut Output,
    open: impl FnOnce(Location, OpenOptions) -> Result<Store, StoreError>,
) -> Result<Store, Failure> {
    let directory = std::env::current_dir().context("cannot read the working directory")?;
    let from_environment = environment("MLFLOW_TRACKING_URI");
    let uri = global.tracking_uri.as_ref().or(from_environment.as_ref());
    let location = Location::resolve(uri.map(String::as_str), &directory)?;
    let options = OpenOptions {
        missing,
        busy_timeout: Duration::from_secs(u64::from(global.lock_timeout)),
        actor: actor(global)?,
        channel: Channel::Cli,
    };
    let store = open(location, options)?;
    let what = match store.opened() {
        Opened::AsItWas => "store",
        Opened::Created => "new store",
        Opened::Completed => "store (tables and indexes of herdbook added)",
        Opened::ReadOnly => "store (read-only)",
    };
    output.note(&format!("{what}: {}", store.location().uri()));
    Ok(store)
}

fn actor(global: &Global) -> Result<Actor, Failure> {
    if let Some(actor) = &global.actor {
        return Ok(actor.clone());
    }
    if let Some(name) = environment("HERDBOOK_ACTOR") {
        return Actor::parse(&name)
            .map_err(|error| Failure::usage(&format!("HERDBOOK_ACTOR: {error}")));
    }
    let uid = rustix::process::getuid().as_raw();
    let user = user_name(uid).or_else(|| environment("USER"));
    Ok(user
        .and_then(|user| Actor::parse(&user).ok())
        .unwrap_or_else(|| Actor::parse(&format!("uid {uid}")).expect("this is a valid actor")))
}

/// The name of a user of this system.
fn user_name(uid: u32) -> Option<String> {
    let accounts = std::fs::read_to_string("/etc/passwd").ok()?;
    let uid = uid.to_string();
    accounts.lines().find_map(|line| {
        let mut fields = line.split(':');
        let name = fields.next()?;
        (fields.nth(1)? == uid).then(|| name.to_owned())
    })
}

/// A variable that is set and not empty.
pub(crate) fn environment(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|value| !value.is_empty())
}
