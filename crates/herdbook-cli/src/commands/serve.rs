//! `serve`: serves the store to MLflow's clients over HTTP.

use std::net::IpAddr;
use std::path::PathBuf;

use herdbook_domain::Channel;
use herdbook_mlflow::ArtifactRoot;
use herdbook_server::{Config, LifeCycle, Mode, NamePattern, ServeError, serve};
use tracing_subscriber::filter::LevelFilter;

use crate::args::{Global, LifeCycleMode, ServeArgs};
use crate::conditions;
use crate::context::open_store_for_serving;
use crate::failure::{Code, Failure};
use crate::output::Output;
use crate::settings::working_directory;

pub(crate) fn run(args: ServeArgs, global: Global, output: &mut Output) -> Result<(), Failure> {
    let global = Global { tracking_uri: args.backend_store_uri.or(global.tracking_uri), ..global };
    let artifacts_destination = working_directory()?.join(folder(args.artifacts_destination)?);
    let artifact_root =
        ArtifactRoot::new(args.default_artifact_root.as_deref().unwrap_or(ArtifactRoot::PROXY));
    if !args.insecure && !is_loopback(&args.host) {
        return Err(Failure::usage(&format!(
            "`{}` can be reached from other machines, and anyone there could change the store",
            args.host
        ))
        .with_hint(
            "`--insecure` serves it without users; `--host 127.0.0.1` serves this machine alone",
        ));
    }
    let level = if global.quiet { LevelFilter::WARN } else { LevelFilter::INFO };
    // A program that has its own log keeps it.
    let _ = tracing_subscriber::fmt()
        .with_writer(std::io::stderr)
        .with_ansi(false)
        .with_target(false)
        .with_max_level(level)
        .try_init();
    let session = open_store_for_serving(&global, &artifacts_destination, output)?;
    let session = session.store().session(session.actor().clone(), Channel::Http);
    let life_cycle = LifeCycle {
        mode: match args.life_cycle {
            LifeCycleMode::Enforce => Mode::Enforce,
            LifeCycleMode::Observe => Mode::Observe,
            LifeCycleMode::Off => Mode::Off,
        },
        patterns: args.life_cycle_model.into_iter().map(NamePattern::new).collect(),
        conditions: conditions::read(args.config.as_deref(), output)?,
        notices: output.notices(),
    };
    let config = Config { host: args.host, port: args.port, artifact_root, life_cycle };
    serve(&session, config, |address| output.note(&format!("serving on http://{address}")))
        .map_err(|error| failure(&error))
}

/// Whether a host is this machine, seen from itself.
fn is_loopback(host: &str) -> bool {
    host == "localhost" || host.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
}

/// The folder of a path or `file:` URI.
fn folder(destination: PathBuf) -> Result<PathBuf, Failure> {
    let Some(uri) = destination.to_str().filter(|text| text.contains(':')) else {
        return Ok(destination);
    };
    herdbook_store::artifacts::place::local_folder(uri).ok_or_else(|| {
        Failure::usage(&format!(
            "the artifacts destination `{uri}` is not a folder of this machine"
        ))
        .with_hint("`--artifacts-destination` takes a path or a `file:` URI")
    })
}

fn failure(error: &ServeError) -> Failure {
    match error {
        ServeError::CannotListen { .. } => Failure::usage(&error.to_string())
            .with_hint("`--port` chooses another port, `--host` another address of this machine"),
        ServeError::NotADatabase { .. } => Failure::usage(&error.to_string())
            .with_hint("`--tracking-uri` takes `sqlite:///…` or `postgresql://…` here"),
        ServeError::Store(_) | ServeError::Stopped(_) => {
            Failure::new(Code::StoreFailed, error.to_string())
        }
    }
}
