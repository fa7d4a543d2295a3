//! `doctor`: checks the records against every rule and repairs what is safe to repair.

use herdbook_domain::{Breach, Remedy, VersionKey};
use herdbook_store::{EngineCheck, Examination, Session};
use serde_json::{Value, json};

use crate::args::DoctorArgs;
use crate::failure::{Code, Failure};
use crate::format::count;
use crate::output::Output;
use crate::terminal::one_line;

pub(crate) fn run(args: &DoctorArgs, store: &Session, output: &mut Output) -> Result<(), Failure> {
    let Examination { breaches, engine, without_run, .. } =
        if args.repair { store.repair_and_examine()? } else { store.examination()? };
    let n_open = breaches.iter().filter(|breach| breach.is_open()).count();
    let value = || {
        json!({
            "breaches": breaches.iter().map(to_json).collect::<Vec<_>>(),
            "healthy": n_open == 0,
            "engine_check": in_words(&engine),
            "without_run": without_run,
        })
    };
    if breaches.iter().any(|breach| matches!(breach.remedy, Remedy::Done(_))) {
        output.data_of_act(store, value, || text(&breaches, &engine, &without_run))?;
    } else {
        output.data(value, || text(&breaches, &engine, &without_run))?;
    }
    if n_open == 0 {
        return Ok(());
    }
    let left = Failure::after_data(Code::Conflict, format!("{} left", breaches_in_words(n_open)));
    let is_repairable = breaches.iter().any(|one| matches!(one.remedy, Remedy::Possible(_)));
    Err(if is_repairable {
        let command = output.command("herdbook doctor --repair");
        left.with_hint(format!("`{command}` repairs what is safe to repair"))
    } else {
        left
    })
}

fn to_json(breach: &Breach) -> Value {
    json!({
        "kind": breach.kind,
        "name": breach.subject.name,
        "version": breach.subject.version,
        "run_id": breach.subject.run_id,
        "message": breach.line(),
        "repair": match breach.remedy {
            Remedy::Done(_) => "done",
            Remedy::Possible(_) => "possible",
            Remedy::None(_) => "none",
        },
    })
}

fn text(breaches: &[Breach], engine: &EngineCheck, without_run: &[VersionKey]) -> String {
    let mut lines: Vec<String> = breaches
        .iter()
        .map(|breach| format!("{}: {}", breach.kind, one_line(&breach.line())))
        .collect();
    if lines.is_empty() {
        lines.push("healthy: every rule holds".to_owned());
    }
    lines.extend(without_run.iter().map(has_no_run));
    lines.extend(unavailable(engine));
    lines.join("\n")
}

/// A line about a version that has no run.
pub(crate) fn has_no_run(key: &VersionKey) -> String {
    format!("{key} has no run, and so no model file: it cannot be used or become champion")
}

/// The result of the engine's own check, as `--json` prints it.
pub(crate) fn in_words(engine: &EngineCheck) -> String {
    match engine {
        EngineCheck::Done(problems) if problems.is_empty() => "passed".to_owned(),
        EngineCheck::Done(_) => "failed".to_owned(),
        EngineCheck::Unavailable(reason) => format!("not available: {reason}"),
    }
}

/// A line that says why the database did not check its files; `None` if it did.
pub(crate) fn unavailable(engine: &EngineCheck) -> Option<String> {
    match engine {
        EngineCheck::Done(_) => None,
        EngineCheck::Unavailable(reason) => {
            Some(format!("the files of the database were not checked: {reason}"))
        }
    }
}

fn breaches_in_words(n: usize) -> String {
    if n == 1 { "1 breach is".to_owned() } else { format!("{} breaches are", count(n as u64)) }
}
