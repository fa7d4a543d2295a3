//! Resolves flags, environment variables and defaults: which store to open, and who acts.

use std::path::{Path, PathBuf};
use std::time::Duration;

use herdbook_domain::Actor;
use herdbook_import::{Source, target_location};
use herdbook_store::{
    Effect, Location, Missing, OpenOptions, Opened, Session, Store, StoreError,
    standard_state_folder,
};

use crate::args::Global;
use crate::failure::{Code, Failure};
use crate::output::Output;
use crate::settings::{self, working_directory};

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

/// Opens or creates the store that a server serves. `artifacts` is the folder of artifacts that pass through the server.
pub(crate) fn open_store_for_serving(
    global: &Global,
    artifacts: &Path,
    output: &mut Output,
) -> Result<Session, Failure> {
    let open = |location: Location, options: &OpenOptions| {
        let artifacts_destination = Some(artifacts.to_owned());
        herdbook_remote::open(location, &OpenOptions { artifacts_destination, ..options.clone() })
    };
    open_with(global, Missing::Create, output, Location::resolve, open)
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

/// The choice of a store.
pub(crate) struct StoreChoice {
    /// Its tracking URI; `None` for the default of the folder.
    pub(crate) uri: Option<String>,
    /// The folder that relative paths start from.
    folder: PathBuf,
    /// The file of settings that names the store, and the line.
    named_in: Option<(PathBuf, usize)>,
}

impl StoreChoice {
    /// The store of a flag, else that of `MLFLOW_TRACKING_URI`, else that of the file of settings, else the default.
    ///
    /// # Errors
    /// [`Code::InvalidInput`] if the file of settings is needed and cannot be used.
    pub(crate) fn of(flag: Option<&str>, config_file: Option<&Path>) -> Result<Self, Failure> {
        let folder = working_directory()?;
        let uri = flag.map(str::to_owned).or_else(|| environment("MLFLOW_TRACKING_URI"));
        let named_in = None;
        if uri.is_some() {
            return Ok(Self { uri, folder, named_in });
        }
        let Some(file) = settings::load(config_file)? else {
            return Ok(Self { uri, folder, named_in });
        };
        let Some(store) = file.settings.store else {
            return Ok(Self { uri, folder, named_in });
        };
        let path = folder.join(&file.path);
        let folder = path.parent().unwrap_or(&folder).to_owned();
        Ok(Self { uri: Some(store.uri), folder, named_in: Some((file.path, store.line)) })
    }

    /// Resolves the choice. An error names the line of the file of settings.
    fn locate(
        &self,
        locate: impl FnOnce(Option<&str>, &Path) -> Result<Location, StoreError>,
    ) -> Result<Location, Failure> {
        locate(self.uri.as_deref(), &self.folder).map_err(|error| {
            let failure = Failure::from(error);
            match &self.named_in {
                Some((path, line)) => failure.in_file(path, *line),
                None => failure,
            }
        })
    }
}

/// The location of the store that a tracking URI names, else the environment, else the file of settings, else the default of
/// the working directory.
///
/// # Errors
/// [`Code::InvalidInput`] if the URI or the file of settings cannot be used.
pub fn store_location(uri: Option<&str>) -> Result<Location, Failure> {
    StoreChoice::of(uri, None)?.locate(Location::resolve)
}

fn open_with(
    global: &Global,
    missing: Missing,
    output: &mut Output,
    locate: impl FnOnce(Option<&str>, &Path) -> Result<Location, StoreError>,
    open: impl FnOnce(Location, &OpenOptions) -> Result<Store, StoreError>,
) -> Result<Session, Failure> {
    let choice = StoreChoice::of(global.tracking_uri.as_deref(), global.config_file.as_deref())?;
    let location = choice.locate(locate)?;
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
    let named_in = choice.named_in.map(|(path, _)| format!(" (named in {})", path.display()));
    output.note(&format!("{what}: {}{}", store.location().uri(), named_in.unwrap_or_default()));
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
