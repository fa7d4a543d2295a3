//! Resolves flags, environment variables and defaults: which store to open, and who acts.

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::Context as _;
use herdbook_domain::Actor;
use herdbook_import::{Source, target_location};
use herdbook_store::{
    Effect, Location, Missing, OpenOptions, Opened, Session, Store, StoreError,
    standard_state_folder,
};

use crate::args::Global;
use crate::failure::{Code, Failure};
use crate::output::Output;

/// Opens the store and prints its URI.
pub(crate) fn open_store(
    global: &Global,
    missing: Missing,
    output: &mut Output,
) -> Result<Session, Failure> {
    open_with(global, missing, output, Location::resolve, herdbook_remote::open)
}

/// Opens the store for `doctor` and `verify`, which also accept a store where a model has two champions.
pub(crate) fn open_store_for_doctor(
    global: &Global,
    output: &mut Output,
) -> Result<Session, Failure> {
    open_with(global, Missing::Refuse, output, Location::resolve, herdbook_remote::open_for_doctor)
}

/// Opens or creates the target store of an import, with artifacts outside the folders of the source. A dry run creates
/// nothing, and gets `None` if there is no store.
pub(crate) fn open_store_for_import(
    global: &Global,
    source: &Source,
    effect: Effect,
    output: &mut Output,
) -> Result<Option<Session>, Failure> {
    let locate = |uri: Option<&str>, directory: &Path| target_location(uri, directory, source);
    let missing = if effect == Effect::Commit { Missing::Create } else { Missing::Refuse };
    match open_with(global, missing, output, locate, herdbook_remote::open) {
        Err(failure) if effect == Effect::DryRun && failure.code() == Code::NotFound => Ok(None),
        outcome => outcome.map(Some),
    }
}

pub(crate) fn working_directory() -> Result<PathBuf, Failure> {
    Ok(std::env::current_dir().context("cannot read the working directory")?)
}

fn open_with(
    global: &Global,
    missing: Missing,
    output: &mut Output,
    locate: impl FnOnce(Option<&str>, &Path) -> Result<Location, StoreError>,
    open: impl FnOnce(Location, &OpenOptions) -> Result<Store, StoreError>,
) -> Result<Session, Failure> {
    let directory = working_directory()?;
    let from_environment = environment("MLFLOW_TRACKING_URI");
    let uri = global.tracking_uri.as_ref().or(from_environment.as_ref());
    let location = locate(uri.map(String::as_str), &directory)?;
    let busy_timeout = Duration::from_secs(u64::from(global.lock_timeout));
    let state_folder = standard_state_folder();
    if state_folder.is_none() {
        output.note(
            "note: there is no home folder in which the end of the history could be remembered, so a history that is \
             changed outside herdbook may go unnoticed; `XDG_STATE_HOME` names a folder",
        );
    }
    let options = OpenOptions {
        missing,
        busy_timeout,
        state_folder,
        notices: output.notices(),
        ..OpenOptions::default()
    };
    let actor = actor(global)?;
    let store = open(location, &options)?;
    let what = match store.opened() {
        Opened::AsItWas => "store",
        Opened::Created => "new store",
        Opened::Completed => "store (added the tables and indexes of herdbook)",
        Opened::ReadOnly => "store (read-only)",
    };
    output.note(&format!("{what}: {}", store.location().uri()));
    if let Some((place, way_out)) = store.place().note().zip(store.place().way_out()) {
        output.note(&format!("note: {place}; {way_out}"));
    }
    Ok(store.session(actor, output.channel()))
}

fn actor(global: &Global) -> Result<Actor, Failure> {
    global.actor.clone().map_or_else(default_actor, Ok)
}

/// The actor of acts that name none: `HERDBOOK_ACTOR`, else the system's user name, else `uid N`.
///
/// # Errors
/// [`Code::InvalidInput`](crate::Code::InvalidInput) if `HERDBOOK_ACTOR` is not a valid name.
pub fn default_actor() -> Result<Actor, Failure> {
    if let Some(name) = environment("HERDBOOK_ACTOR") {
        return Actor::parse(&name).map_err(|error| {
            Failure::usage(&format!("environment variable `HERDBOOK_ACTOR`: {error}"))
        });
    }
    let user = whoami::username().ok().or_else(|| environment("USER"));
    Ok(user.and_then(|user| Actor::parse(&user).ok()).unwrap_or_else(|| {
        let uid = rustix::process::getuid().as_raw();
        Actor::parse(&format!("uid {uid}")).expect("`uid N` is a valid actor")
    }))
}

/// Value of an environment variable, or `None` if it is unset or empty.
pub(crate) fn environment(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|value| !value.is_empty())
}
