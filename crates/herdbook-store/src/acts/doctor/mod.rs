//! The doctor: finds breaches of the rules with the rulebook's `examine`, and carries out the repairs that are safe.
//!
//! Each repair is one transaction, decided on the records as they are in it: they are read again under the same lock,
//! unless no other connection has committed since they were read.

mod examination;
mod records;
mod runs;

use std::collections::VecDeque;

use herdbook_domain::{Breach, BreachKind, Fix, Remedy, Repair, RunStatus, Timestamp, examine};

pub use self::examination::Examination;

use self::records::collect;
use crate::clock::now;
use crate::engine::db::Conn;
use crate::engine::opening::SecondChampion;
use crate::engine::schema::{self, Found};
use crate::error::StoreError;
use crate::session::{Act, Session};
use crate::store::Store;
use crate::tables::{alias, lease, restoring, run, tag, version};

impl Store {
    /// Every breach of the rules in the store. Changes nothing, and reads all registered model files.
    ///
    /// # Errors
    /// Those of reaching the records. Damage, broken records and files are among the breaches.
    pub fn diagnose(&self) -> Result<Vec<Breach>, StoreError> {
        Ok(self.examination()?.breaches)
    }

    /// Whether the store lies elsewhere than recorded, or has another history than the one last seen.
    fn breaches_of_store(&self) -> Vec<Breach> {
        let place = self.place().note().zip(self.place().way_out());
        let place =
            place.map(|(note, way_out)| Breach::of_store(BreachKind::Place, &note, way_out));
        let history = self.history_change().map(|change| {
            let way_out = "restore a newer backup, or accept the present history with \
                           `herdbook verify --accept-history --reason TEXT`";
            Breach::of_store(BreachKind::RememberedHistory, &change.to_string(), way_out)
        });
        place.into_iter().chain(history).collect()
    }
}

impl Session {
    /// Carries out every safe repair. Returns the repaired breaches, and then those that are left. Nothing is repaired while the
    /// database is damaged.
    ///
    /// # Errors
    /// Those of the database. Repairs before the error are kept.
    pub fn repair(&self) -> Result<Vec<Breach>, StoreError> {
        Ok(self.repair_and_examine()?.breaches)
    }

    /// As [`Session::repair`]; returns the examination after the repairs, with the repaired breaches before those that are left.
    ///
    /// # Errors
    /// As [`Session::repair`].
    pub fn repair_and_examine(&self) -> Result<Examination, StoreError> {
        let engine = self.backend().check_engine().map_err(|error| self.named(error))?;
        if engine.has_problems() {
            let mut found = self.examination()?;
            found.breaches.iter_mut().for_each(Breach::withhold_repair_of_damaged);
            return Ok(found);
        }
        let mut repaired = Vec::new();
        let has_repairs =
            self.read_as_it_stands(|conn| Ok(!repairable(conn, self, &[])?.is_empty()))?;
        // Such a store is only read. The report says so.
        let is_writable = self.place().refusal().is_none() && self.history_change().is_none();
        if has_repairs && is_writable {
            let mut plan = RepairPlan::default();
            while let Some(breach) =
                self.write_as_it_stands(|act| plan.next(act, self, &repaired))?
            {
                repaired.push(breach.repaired());
            }
        }
        let mut found = self.examination()?;
        found.breaches.splice(0..0, repaired);
        Ok(found)
    }
}

/// Repairs that were decided together.
#[derive(Default)]
struct RepairPlan {
    /// The number of [`Backend::commits_of_others`](crate::engine::backend::Backend::commits_of_others) at the decision.
    commits_of_others: Option<i64>,
    repairs: VecDeque<Breach>,
}

impl RepairPlan {
    /// Carries out the next repair, if there is one. Decides again if another connection has committed since.
    fn next(
        &mut self,
        act: &Act<'_>,
        store: &Store,
        repaired: &[Breach],
    ) -> Result<Option<Breach>, StoreError> {
        act.hold_everything()?;
        let commits = store.backend().commits_of_others(act.tx)?;
        if commits.is_none() || self.commits_of_others != commits {
            self.repairs = repairable(act.tx, store, repaired)?;
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

/// The breaches that can be repaired. A breach that was repaired before and is there again is left to the report:
/// otherwise a program that keeps breaking the record would keep the doctor running forever.
fn repairable(
    conn: &Conn,
    store: &Store,
    repaired: &[Breach],
) -> Result<VecDeque<Breach>, StoreError> {
    let is_new = |breach: &Breach| {
        !repaired.iter().any(|one| one.kind == breach.kind && one.subject == breach.subject)
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
        Fix::VersionColumn(key, column) => restoring::set_version_column(act.tx, key, column, at),
        Fix::Renumber(key, number) => restoring::renumber(act.tx, key, *number),
        Fix::Param(run_id, key, value) => {
            restoring::set_param(act.tx, run_id, key, value.as_deref())
        }
        Fix::Metric(run_id, name, sealed) => {
            restoring::restore_metric(act.tx, run_id, name, *sealed, at)
        }
        Fix::RunColumn(run_id, column) => restoring::set_run_column(act.tx, run_id, column),
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
        Fix::RefillRegistrations => {
            schema::registrations::refill(act.tx)?;
            schema::seals::refill(act.tx)
        }
    }
}
