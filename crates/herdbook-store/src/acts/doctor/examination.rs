//! The examination of a whole store: the engine's check, the rows, the rules, the history and the files.

use std::collections::{BTreeMap, BTreeSet};

use herdbook_domain::tags::key;
use herdbook_domain::{
    Breach, BreachKind, ChainBreak, ModelName, Obstacle, Records, Remedy, Seal, VersionKey,
    VersionNumber, events_under_present_names, examine, verify_chain,
};

use super::records::collect;
use crate::acts::files::FileState;
use crate::engine::backend::EngineCheck;
use crate::error::StoreError;
use crate::store::Store;
use crate::tables::soundness::bad_rows;

/// The result of an examination.
#[derive(Debug, Clone)]
pub struct Examination {
    /// Everything that is wrong.
    pub breaches: Vec<Breach>,
    /// Whether the engine checked its files.
    pub engine: EngineCheck,
    /// Number of events; 0 if they cannot be read.
    pub n_events: usize,
    /// The hash of the last event, or the first break of the chain; `None` if the events cannot be read.
    pub chain: Option<Result<String, ChainBreak>>,
    /// Number of versions with a history and without a seal: of these, only what their events hold was compared.
    pub n_unsealed: usize,
    /// Versions without a run, neither in their row nor in their history: they have no files and cannot be used. That breaks no
    /// rule: MLflow registers such versions.
    pub without_run: Vec<VersionKey>,
    /// The state of the model file of each version that was not deleted.
    pub files: Vec<(VersionKey, FileState)>,
}

impl Store {
    /// Examines the whole store. Changes nothing, and reads all registered model files.
    ///
    /// # Errors
    /// Those of reaching the records. Damage, broken records and files are in the result.
    pub fn examination(&self) -> Result<Examination, StoreError> {
        let engine = self.backend().check_engine().map_err(|error| self.named(error))?;
        let mut found = Examination {
            breaches: Vec::new(),
            n_events: 0,
            chain: None,
            n_unsealed: 0,
            without_run: Vec::new(),
            files: Vec::new(),
            engine: engine.clone(),
        };
        if let EngineCheck::Done(problems) = &engine {
            found.breaches.extend(problems.iter().map(|problem| Breach::of_database(problem)));
        }
        match self.examine_records(&mut found) {
            Err(error) if engine.has_problems() || is_about_content(&error) => {
                let problem = format!("the examination ended early: {error}");
                found.breaches.push(Breach::of_database(&problem));
            }
            outcome => outcome?,
        }
        Ok(found)
    }

    fn examine_records(&self, found: &mut Examination) -> Result<(), StoreError> {
        let (records, bad) =
            self.read_as_it_stands(|conn| Ok((collect(conn, self)?, bad_rows(conn)?)))?;
        found.breaches.extend(bad.iter().map(Breach::of_bad_row));
        found.breaches.extend(examine(&records));
        if let Ok(events) = &records.events {
            found.n_events = events.len();
            found.chain = Some(verify_chain(events));
        }
        self.examine_files(&records, found)?;
        let events = records.events.as_deref().unwrap_or_default();
        let wrong = self.wrong_evidence_files(events)?;
        found.breaches.extend(wrong.into_iter().map(|breach| self.moved(breach)));
        for unusable in self.unusable_on_record()? {
            let version = &unusable.version;
            // Its row names another run than the history: that is among the breaches already.
            let is_row_altered = found
                .breaches
                .iter()
                .any(|breach| breach.kind == BreachKind::VersionRow && breach.is_of(&version.key));
            let is_about_run =
                matches!(unusable.why, Obstacle::RunMissing { .. } | Obstacle::WithoutRun);
            if is_row_altered && is_about_run {
                continue;
            }
            found.breaches.push(Breach::of_obstacle(
                &version.key,
                version.run_id.as_ref(),
                version.tags.get(key::PROMOTION_STAGE).map(String::as_str),
                &unusable.why,
            ));
        }
        found.breaches.extend(self.breaches_of_store());
        Ok(())
    }

    /// A breach of a file of a store that was moved: what to do is to relocate the store.
    fn moved(&self, found: Breach) -> Breach {
        match self.place().way_out() {
            Some(way_out) => Breach { remedy: Remedy::None(way_out.to_owned()), ..found },
            None => found,
        }
    }

    fn examine_files(&self, records: &Records, found: &mut Examination) -> Result<(), StoreError> {
        let versions: Vec<_> = records.versions.iter().filter(|version| !version.deleted).collect();
        let keys: Vec<VersionKey> = versions.iter().map(|version| version.key.clone()).collect();
        let mut seals: BTreeMap<VersionKey, Seal> = BTreeMap::new();
        let events = events_under_present_names(records);
        for event in &events {
            if let Ok(Some(seal)) = Seal::of(event) {
                seals.entry(seal.key.clone()).or_insert(seal);
            }
        }
        let recorded: BTreeSet<(&ModelName, VersionNumber)> = events
            .iter()
            .filter_map(|event| event.what.name.as_ref().zip(event.what.version))
            .collect();
        found.n_unsealed = keys
            .iter()
            .filter(|key| recorded.contains(&(&key.name, key.version)) && !seals.contains_key(*key))
            .count();
        let has_run: BTreeSet<(&ModelName, VersionNumber)> = events
            .iter()
            .filter(|event| event.what.run_id.is_some())
            .filter_map(|event| event.what.name.as_ref().zip(event.what.version))
            .collect();
        let lacks_run = versions.iter().filter(|version| {
            version.row.run_id.is_none()
                && !has_run.contains(&(&version.key.name, version.key.version))
        });
        found.without_run = lacks_run.map(|version| version.key.clone()).collect();
        for (version, mut state) in versions.into_iter().zip(self.file_states(&keys)?) {
            let (key, run_id) = (&version.key, version.run_id.as_ref());
            let problem = state.problem();
            found.breaches.extend(
                problem.map(|problem| self.moved(Breach::of_model_file(key, run_id, &problem))),
            );
            if let Some(seal) = seals.get(key).filter(|seal| !seal.facts.files.is_empty()) {
                let wrong = self.wrong_served_files(seal)?;
                if state == FileState::Unknown && wrong.is_empty() {
                    state = FileState::Intact;
                }
                found.breaches.extend(wrong.iter().map(|file| {
                    self.moved(Breach::of_served_file(key, run_id, &file.path, &file.problem))
                }));
            }
            found.files.push((key.clone(), state));
        }
        Ok(())
    }
}

/// Whether an error is about the content of the database, and not about reaching it.
fn is_about_content(error: &StoreError) -> bool {
    matches!(
        error,
        StoreError::Damaged { .. }
            | StoreError::NotADatabase { .. }
            | StoreError::BrokenRecord { .. }
            | StoreError::Database { .. }
    )
}
