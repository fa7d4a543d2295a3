//! The doctor: the rulebook's `examine` names breaches in the records, and their repairs are carried out one by one.
//!
//! Each repair is one transaction. It rests on records that were read under the same lock, or that nobody has
//! changed since: only then does the next repair of a plan follow.

mod records;

use std::collections::VecDeque;

use herdbook_domain::{Breach, Fix, Remedy, Repair, RunStatus, Timestamp, VersionKey, examine};

use self::records::collect;
use crate::clock::now;
use crate::engine::db::Conn;
use crate::engine::opening::SecondChampion;
use crate::engine::schema::{self, Found};
use crate::error::StoreError;
use crate::session::{Act, Session};
use crate::store::Store;
use crate::tables::{alias, lease, run, tag, version};

impl Store {
    /// Every breach of the rules in the store. Reads only.
    pub fn diagnose(&self) -> Result<Vec<Breach>, StoreError> {
        let records = self.read_as_it_stands(|conn| collect(conn, self))?;
        let mut breaches = examine(&records);
        let versions: Vec<_> = records.versions.iter().filter(|version| !version.deleted).collect();
        let keys: Vec<VersionKey> = versions.iter().map(|version| version.key.clone()).collect();
        for (version, state) in versions.into_iter().zip(self.file_states(&keys)?) {
            let problem = state.problem();
            breaches.extend(problem.map(|problem| {
                Breach::of_model_file(&version.key, version.run_id.as_ref(), &problem)
            }));
        }
        Ok(breaches)
    }
}

impl Session {
    /// Carries out every repair that is safe. Answers what was mended, then what is left.
    pub fn repair(&self) -> Result<Vec<Breach>, StoreError> {
        let mut mended = Vec::new();
        let is_ailing =
            self.read_as_it_stands(|conn| Ok(!repairable(conn, self, &[])?.is_empty()))?;
        if is_ailing {
            let mut plan = Plan::default();
            while let Some(breach) = self.write_as_it_stands(|act| plan.next(act, self, &mended))? {
                mended.push(breach.repaired());
            }
        }
        mended.extend(self.diagnose()?);
        Ok(mended)
    }
}

/// Repairs that were decided together, and the state of the file they rest on.
#[derive(Default)]
struct Plan {
    commits_of_others: Option<i64>,
    repairs: VecDeque<Breach>,
}

impl Plan {
    /// Carries out the next repair, if there is one; decides anew where another process has written meanwhile.
    fn next(
        &mut self,
        act: &Act<'_>,
        store: &Store,
        mended: &[Breach],
    ) -> Result<Option<Breach>, StoreError> {
        act.hold_everything()?;
        let commits = store.backend().commits_of_others(act.tx)?;
        if commits.is_none() || self.commits_of_others != commits {
            self.repairs = repairable(act.tx, store, mended)?;
            self.commits_of_others = commits;
        }
        let Some(breach) = self.repairs.pop_front() else {
            return Ok(None);
        };
        if let Remedy::Possible(repair) = &breach.remedy {
            carry_out(act, repair)?;
        }
        Ok(Some(breach))
    }
}

/// The breaches that can be mended. What was mended before and broken again meanwhile is left to the report: a
/// program that goes on breaking it would never let the doctor go.
fn repairable(
    conn: &Conn,
    store: &Store,
    mended: &[Breach],
) -> Result<VecDeque<Breach>, StoreError> {
    let is_new = |breach: &Breach| {
        !mended.iter().any(|one| one.kind == breach.kind && one.subject == breach.subject)
    };
    Ok(examine(&collect(conn, store)?)
        .into_iter()
        .filter(|breach| matches!(breach.remedy, Remedy::Possible(_)) && is_new(breach))
        .collect())
}

fn carry_out(act: &Act<'_>, repair: &Repair) -> Result<(), StoreError> {
    let at = repair.at.unwrap_or_else(now);
    for fix in &repair.fixes {
        apply(act, fix, at)?;
    }
    act.append(at, repair.events.clone())?;
    Ok(())
}

fn apply(act: &Act<'_>, fix: &Fix, at: Timestamp) -> Result<(), StoreError> {
    match fix {
        Fix::TagVersion(key, tags) => {
            tag::change_on_version(act.tx, key, tags)?;
            version::touch(act.tx, key, at)
        }
        Fix::TagRun(run_id, tags) => tag::change_on_run(act.tx, run_id, tags),
        Fix::MlflowStage(key, stage) => version::set_mlflow_stage(act.tx, key, *stage, at),
        Fix::Alias(name, change) => {
            alias::move_champion(act.tx, name, *change)?;
            version::touch_model(act.tx, name, at)
        }
        Fix::FailRun(run_id) => run::close(act.tx, run_id, RunStatus::Failed, at),
        Fix::RemoveLease(run_id) => lease::remove(act.tx, run_id),
        Fix::CompleteSchema => schema::complete(
            act.tx,
            Found::WithoutOurs,
            act.artifact_root,
            at,
            SecondChampion::Refuse,
        ),
        Fix::RefillRegistrations => schema::registrations::refill(act.tx),
    }
}
