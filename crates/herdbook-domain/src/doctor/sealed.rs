//! Checks of a version's sealed facts: MLflow's params, metrics and tags against the seal in the history.
//!
//! Rules decide on sealed facts, so a difference changes no decision. It changes what MLflow and its users see.

use super::breach::{Breach, BreachKind, Fix, Remedy, Repair, Subject};
use super::difference::{Difference, list};
use super::log_index::LogIndex;
use super::records::{LoggedMetric, Records, RunRow, Storage, VersionOnRecord};
use crate::evidence::{Seal, SealOrigin, SealedMetric, window_params};
use crate::values::RunId;

/// Compares the run of a version with the version's seal.
pub(super) fn check(version: &VersionOnRecord, records: &Records, log: &LogIndex) -> Vec<Breach> {
    let Some(seal) = log.seal(&version.key).filter(|_| !version.deleted) else {
        return Vec::new();
    };
    let Some(run_id) = &seal.run_id else { return Vec::new() };
    let Some(row) = records.run_rows.get(run_id) else { return Vec::new() };
    let check = Check { version, seal, run_id, storage: records.storage, log };
    [check.params(row), check.metrics(row), check.fingerprint()].into_iter().flatten().collect()
}

/// Whether two finite values are the same. SQLite does not keep the sign of zero.
fn is_same(a: f64, b: f64) -> bool {
    (a + 0.0).to_bits() == (b + 0.0).to_bits()
}

struct Check<'a> {
    version: &'a VersionOnRecord,
    seal: &'a Seal,
    run_id: &'a RunId,
    storage: Storage,
    log: &'a LogIndex,
}

impl Check<'_> {
    fn params(&self, row: &RunRow) -> Option<Breach> {
        let mut found = Vec::new();
        let mut fixes = Vec::new();
        for key in window_params::sealed() {
            let (is, sealed) = (row.params.get(key), self.seal.facts.params.get(key));
            if is == sealed {
                continue;
            }
            found.push(Difference::new(key, is.cloned(), sealed.cloned()));
            fixes.push(Fix::Param(self.run_id.clone(), key.to_owned(), sealed.cloned()));
        }
        self.breach(BreachKind::Params, "params", &found, fixes)
    }

    fn metrics(&self, row: &RunRow) -> Option<Breach> {
        let mut found = Vec::new();
        let mut fixes = Vec::new();
        for (name, sealed) in &self.seal.facts.metrics {
            let is = row.metrics.get(name);
            if is.is_some_and(|is| self.agrees(*is, *sealed)) && !row.overwritten.contains(name) {
                continue;
            }
            let text = match is {
                Some(is) if is_same(is.value, sealed.value) => {
                    Some(format!("{} at step {}", is.value, is.step))
                }
                is => is.map(|is| is.value.to_string()),
            };
            let recorded = match &text {
                Some(text) if text.contains("step") => {
                    format!("{} at step {}", sealed.value, sealed.step)
                }
                _ => sealed.value.to_string(),
            };
            found.push(Difference::new(name, text, Some(recorded)));
            fixes.push(Fix::Metric(self.run_id.clone(), name.clone(), *sealed));
        }
        self.breach(BreachKind::Metrics, "metrics", &found, fixes)
    }

    /// Whether the last value of a metric is the sealed one. A training can end with a value that is not finite; then the last
    /// finite one before it was sealed.
    fn agrees(&self, is: LoggedMetric, sealed: SealedMetric) -> bool {
        let total = self.seal.facts.total_timesteps.and_then(|total| i64::try_from(total).ok());
        if !is.value.is_finite() {
            return is.step > sealed.step && total.is_none_or(|total| is.step <= total);
        }
        // A server can add a value again only at another step or time.
        let is_at_step = self.storage == Storage::Server || is.step == sealed.step;
        is_same(is.value, sealed.value) && is_at_step
    }

    /// The tag from which the search for comparable models reads the windows.
    fn fingerprint(&self) -> Option<Breach> {
        let run_tags = self.version.run_tags.as_ref()?;
        let found = run_tags.get(window_params::FINGERPRINT)?;
        let sealed = self.seal.facts.fingerprint()?;
        if *found == sealed || self.seal.origin != SealOrigin::Registration {
            return None;
        }
        let mut tags = crate::tags::TagChanges::default();
        tags.set(window_params::FINGERPRINT, sealed.clone());
        let fix = Fix::TagRun(self.run_id.clone(), tags);
        let found = Difference::new(window_params::FINGERPRINT, Some(found.clone()), Some(sealed));
        self.breach(BreachKind::RunTags, "tags", &[found], vec![fix])
    }

    fn breach(
        &self,
        kind: BreachKind,
        what: &str,
        found: &[Difference],
        fixes: Vec<Fix>,
    ) -> Option<Breach> {
        let first = found.first()?;
        let key = &self.version.key;
        let is_possible = self.storage == Storage::Database || kind == BreachKind::RunTags;
        let remedy = if is_possible {
            Remedy::Possible(Repair {
                outcome: "the sealed values are restored".to_owned(),
                at: Some(self.log.time_for(&key.name)),
                fixes,
                events: Vec::new(),
            })
        } else {
            Remedy::None(format!(
                "decisions use the sealed values. MLflow's interface cannot restore {what} of a run, so the difference \
                 stays, and `doctor` and `verify` go on to report it"
            ))
        };
        let message = format!(
            "the {what} of run `{}` of {key} differ from its seal (event {}): {}",
            self.run_id,
            self.seal.event_id,
            list(found)
        );
        let subject = Subject::of_version(key, Some(self.run_id));
        let (from, to) = (first.found.clone(), first.recorded.clone());
        Some(Breach { kind, subject, message, remedy }.with_event(from.as_deref(), to.as_deref()))
    }
}
