//! `verify`: checks that the store is as it was recorded: the history, MLflow's rows, the model files and the database.

use std::path::Path;

use anyhow::Context as _;
use herdbook_domain::{
    Breach, BreachKind, ChainBreak, Event, GENESIS_HASH, Reason, Remedy, verify_chain,
};
use herdbook_store::{Examination, FileState, Session, StoreError};
use serde_json::json;

use crate::args::VerifyArgs;
use crate::commands::doctor;
use crate::failure::{Code, Failure};
use crate::format::count;
use crate::input::read_data_text;
use crate::output::Output;
use crate::terminal::one_line;

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
    verify_store(&found, args.head.as_deref(), output)
}

/// Accepts a history that differs from the one last seen on this machine. A history with a broken chain cannot be accepted.
fn accept(
    store: &Session,
    found: &Examination,
    reason: &str,
    output: &mut Output,
) -> Result<(), Failure> {
    if let Some(Err(chain)) = &found.chain {
        return Err(broken(chain));
    }
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
fn check_remembered(store: &Session, found: &Examination) -> Result<(), Failure> {
    match store.history_change() {
        Some(change) if found.chain.as_ref().is_none_or(Result::is_ok) => {
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
    found: &Examination,
    head: Option<&str>,
    output: &mut Output,
) -> Result<(), Failure> {
    if let Some(failure) = failure_of(&found.breaches, output) {
        return Err(failure);
    }
    let chain = found.chain.clone().unwrap_or_else(|| Ok(GENESIS_HASH.to_owned()));
    let chain = expect_head(chain, head).map_err(|chain| broken(&chain))?;
    let intact = found.files.iter().filter(|(_, state)| *state == FileState::Intact).count();
    let unknown = found.files.len() - intact;
    let value = || {
        json!({
            "events": found.n_events,
            "head": chain,
            "files_intact": intact,
            "files_without_recorded_hash": unknown,
            "versions_without_seal": found.n_unsealed,
            "without_run": found.without_run,
            "engine_check": doctor::in_words(&found.engine),
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
        text += "\nMLflow's rows agree with the history";
        if found.n_unsealed > 0 {
            text += &format!(
                "\nversions without a seal (registered by an older herdbook; their metrics and params were not compared): {}",
                count(found.n_unsealed as u64)
            );
        }
        for key in &found.without_run {
            text += &format!("\n{}", doctor::has_no_run(key));
        }
        if let Some(line) = doctor::unavailable(&found.engine) {
            text += &format!("\n{line}");
        }
        text
    })
}

/// The failure that names everything that is wrong; `None` if nothing is.
fn failure_of(breaches: &[Breach], output: &Output) -> Option<Failure> {
    let repair = output.command("herdbook doctor --repair");
    match breaches {
        [] => None,
        [only] => {
            let hint = match &only.remedy {
                Remedy::Possible(_) => format!("`{repair}` repairs it"),
                Remedy::Done(way_out) | Remedy::None(way_out) => way_out.clone(),
            };
            Some(Failure::new(Code::Conflict, one_line(&only.message)).with_hint(hint))
        }
        several => {
            let lines = several.iter().map(|breach| format!("\n  {}", one_line(&breach.message)));
            let message = format!(
                "the store is not as it was recorded, in {} places:{}",
                count(several.len() as u64),
                lines.collect::<String>()
            );
            // A store that was moved lacks all its files for that one reason.
            let place = several.iter().find(|breach| breach.kind == BreachKind::Place);
            let is_file = |breach: &&Breach| breach.kind == BreachKind::ModelFile;
            let place = place.or_else(|| several.first().filter(is_file));
            let hint = match place.map(|breach| &breach.remedy) {
                Some(Remedy::None(way_out)) => way_out.clone(),
                _ => format!("`{}` says what to do about each", output.command("herdbook doctor")),
            };
            Some(Failure::new(Code::Conflict, message).with_hint(hint))
        }
    }
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
