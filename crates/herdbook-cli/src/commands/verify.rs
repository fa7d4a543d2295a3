//! `verify`: checks the hash chain of the history and the hashes of the model files.

use std::path::Path;

use anyhow::Context as _;
use herdbook_domain::{ChainBreak, Event, Reason, VersionKey, verify_chain};
use herdbook_store::{FileState, PlaceState, Session, StoreError, Verification};
use serde_json::json;

use crate::args::VerifyArgs;
use crate::failure::{Code, Failure};
use crate::format::count;
use crate::input::read_data_text;
use crate::output::Output;

pub(crate) fn run(
    args: &VerifyArgs,
    store: impl FnOnce(&mut Output) -> Result<Session, Failure>,
    output: &mut Output,
) -> Result<(), Failure> {
    if let Some(log) = &args.log {
        return verify_log(log, args.head.as_deref(), output);
    }
    let store = store(output)?;
    let found = store.verify()?;
    if let Some(reason) = args.reason.as_deref().filter(|_| args.accept_history) {
        return accept(&store, &found, reason, output);
    }
    check_remembered(&store, &found)?;
    verify_store(&found, store.place(), args.head.as_deref(), output)
}

/// Accepts a history that differs from the one last seen on this machine. A history with a broken chain cannot be accepted.
fn accept(
    store: &Session,
    found: &Verification,
    reason: &str,
    output: &mut Output,
) -> Result<(), Failure> {
    found.chain.as_ref().map_err(broken)?;
    let reason = Reason::parse(reason)?;
    match store.accept_history(&reason)? {
        None => output.data(
            || json!({"accepted": false}),
            || "the history is the one last seen on this machine: nothing to accept".to_owned(),
        ),
        Some(change) => output.data_of_act(
            store,
            || {
                json!({
                    "accepted": true,
                    "remembered": change.remembered,
                    "found": change.found,
                    "message": change.to_string(),
                })
            },
            || format!("accepted: {change}"),
        ),
    }
}

/// Fails if the history is not the one last seen on this machine.
fn check_remembered(store: &Session, found: &Verification) -> Result<(), Failure> {
    match store.history_change() {
        Some(change) if found.chain.is_ok() => {
            let (store, change) = (store.location().uri(), Box::new(change));
            Err(StoreError::HistoryChanged { store, change }.into())
        }
        _ => Ok(()),
    }
}

fn verify_log(log: &Path, head: Option<&str>, output: &mut Output) -> Result<(), Failure> {
    let text = read_data_text(log)
        .with_context(|| format!("cannot read `{}` (flag `--log`)", log.display()))?;
    let events = (1..)
        .zip(text.lines())
        .map(|(line, json)| {
            serde_json::from_str(json)
                .with_context(|| format!("`{}` line {line} is not an event", log.display()))
        })
        .collect::<Result<Vec<Event>, _>>()?;
    let found = expect_head(verify_chain(&events), head).map_err(|chain| broken(&chain))?;
    let value = || json!({"events": events.len(), "head": found});
    output.data(value, || intact_chain(events.len(), &found))
}

fn verify_store(
    found: &Verification,
    place: &PlaceState,
    head: Option<&str>,
    output: &mut Output,
) -> Result<(), Failure> {
    let chain = expect_head(found.chain.clone(), head).map_err(|chain| broken(&chain))?;
    if let Some((key, state)) = found.files.iter().find(|(_, state)| state.problem().is_some()) {
        return Err(broken_file(key, state, place));
    }
    let intact = found.files.iter().filter(|(_, state)| *state == FileState::Intact).count();
    let unknown = found.files.len() - intact;
    let value = || {
        json!({
            "events": found.n_events,
            "head": chain,
            "files_intact": intact,
            "files_without_recorded_hash": unknown,
        })
    };
    output.data(value, || {
        let mut text = intact_chain(found.n_events, &chain);
        text += &format!("\nmodel files with the registered hash: {}", count(intact as u64));
        if unknown > 0 {
            text += &format!(
                "\nmodel files without a recorded hash (registered outside herdbook): {}",
                count(unknown as u64)
            );
        }
        text
    })
}

fn intact_chain(n_events: usize, head: &str) -> String {
    format!("{} events, hash chain intact\nhead {head}", count(n_events as u64))
}

/// Checks that the chain ends with the expected hash, if one is given.
fn expect_head(
    chain: Result<String, ChainBreak>,
    expected: Option<&str>,
) -> Result<String, ChainBreak> {
    let found = chain?;
    match expected {
        Some(expected) if expected != found => {
            Err(ChainBreak::Head { expected: expected.to_owned(), found })
        }
        _ => Ok(found),
    }
}

fn broken(chain: &ChainBreak) -> Failure {
    Failure::new(Code::Conflict, format!("the history is broken: {chain}"))
}

fn broken_file(key: &VersionKey, state: &FileState, place: &PlaceState) -> Failure {
    let problem = state.problem().unwrap_or_default();
    let way_out = place.way_out().unwrap_or(
        "restore the file from a backup; the history holds its registered hash. If files were moved, \
         `herdbook relocate --to FOLDER` updates their locations",
    );
    Failure::new(Code::Conflict, format!("the model file of {key} {problem}")).with_hint(way_out)
}
