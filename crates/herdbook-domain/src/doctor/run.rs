//! Checks of runs: dead processes, stray leases, missing parents.

use super::breach::{Breach, BreachKind, Fix, Remedy, Repair, Subject, excerpt};
use super::log_index::LogIndex;
use super::records::{Orphan, Process, RunOnRecord};
use crate::history::{EventDraft, EventKind};
use crate::values::{RunId, RunStatus, VersionKey};

/// The reason in the log for ending a run whose process has ended.
const PROCESS_ENDED: &str = "its process has ended";

pub(super) fn check(run: &RunOnRecord, log: &LogIndex) -> Option<Breach> {
    let run_id = RunId::parse(&run.run_id).ok();
    match (run.is_running, run.process, run_id) {
        (true, Process::Dead, Some(run_id)) => Some(dead(run_id, log)),
        // Runs of other programs have no lease either; only those that herdbook started are checked.
        (true, Process::Unknown, Some(run_id)) => {
            log.started(&run_id).map(|_| of_unknown_process(run_id, "without a lease"))
        }
        (true, Process::OfTheFuture, Some(run_id)) => {
            Some(of_unknown_process(run_id, "with a lease from the future of this machine's clock"))
        }
        (true, ..) => None,
        (false, _, run_id) => Some(stray_lease(&run.run_id, run_id)),
    }
}

fn dead(run_id: RunId, log: &LogIndex) -> Breach {
    let name = log.started(&run_id);
    let event = EventDraft {
        name: name.cloned(),
        run_id: Some(run_id.clone()),
        from: Some(RunStatus::Running.to_string()),
        to: Some(RunStatus::Failed.to_string()),
        reason: Some(PROCESS_ENDED.to_owned()),
        ..EventDraft::new(
            EventKind::RunEnded,
            &serde_json::json!({"v": 1, "breach": BreachKind::DeadRun}),
        )
    };
    Breach {
        kind: BreachKind::DeadRun,
        subject: Subject { name: name.cloned(), version: None, run_id: Some(run_id.clone()) },
        message: format!("run `{run_id}` is RUNNING, but {PROCESS_ENDED}"),
        remedy: Remedy::Possible(Repair {
            outcome: "it is FAILED".to_owned(),
            at: name.map(|name| log.time_for(name)),
            fixes: vec![Fix::FailRun(run_id)],
            events: vec![event],
        }),
    }
}

fn of_unknown_process(run_id: RunId, why: &str) -> Breach {
    Breach {
        kind: BreachKind::DeadRun,
        message: format!(
            "run `{run_id}` is RUNNING {why}, so it is unknown whether its process is alive"
        ),
        remedy: Remedy::None(format!(
            "if the process has ended, end the run with MLflow's client: `set_terminated(\"{run_id}\", \"FAILED\")`"
        )),
        subject: Subject { run_id: Some(run_id), ..Subject::default() },
    }
}

fn stray_lease(written: &str, run_id: Option<RunId>) -> Breach {
    Breach {
        kind: BreachKind::StrayLease,
        subject: Subject { run_id, ..Subject::default() },
        message: format!("run `{}` has a lease and is not RUNNING", excerpt(written)),
        remedy: Remedy::Possible(Repair {
            outcome: "the lease is removed".to_owned(),
            at: None,
            fixes: vec![Fix::RemoveLease(written.to_owned())],
            events: Vec::new(),
        }),
    }
    .with_event(None, None)
}

pub(super) fn orphan(orphan: &Orphan) -> Breach {
    let Subject { name, version, run_id } = &orphan.subject;
    let who = match (name, version, run_id) {
        (Some(name), Some(version), _) => {
            VersionKey { name: name.clone(), version: *version }.to_string()
        }
        (_, _, Some(run_id)) => format!("run `{run_id}`"),
        _ => "a run".to_owned(),
    };
    Breach {
        kind: BreachKind::OrphanParent,
        subject: orphan.subject.clone(),
        message: format!(
            "{who} names `{}` as its parent, but there is no such run",
            excerpt(&orphan.parent)
        ),
        remedy: Remedy::None(
            "its ancestors are unknown: restore the parent from a backup".to_owned(),
        ),
    }
}
