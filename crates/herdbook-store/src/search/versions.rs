//! Look-ups of versions: one, the champion, lists.

use std::collections::BTreeMap;

use herdbook_domain::{ModelName, RunId, Stage, Timeframe, VersionKey};

use crate::engine::backend::Scope;
use crate::engine::db::{Conn, params};
use crate::error::StoreError;
use crate::search::listing::Listing;
use crate::store::Store;
use crate::tables::metric::{self, MetricSelection};
use crate::tables::seal;
use crate::tables::tag::{self, AllTags, TagSelection};
use crate::tables::version::{
    COLUMNS, VersionRecord, add_metrics, add_seal, champion_of, from_row, keys_of_run,
    load_with_metrics, require_model,
};

/// Which versions to list; without any field, all.
#[derive(Debug, Clone, Default)]
pub struct VersionQuery {
    /// Only those of this registered model.
    pub name: Option<ModelName>,
    /// Only those with this timeframe tag.
    pub timeframe: Option<Timeframe>,
    /// Only those in this stage.
    pub stage: Option<Stage>,
    /// Which of their metrics to read.
    pub metrics: MetricSelection,
    /// Of which versions to read MLflow's values of these metrics.
    pub unsealed_values: UnsealedValues,
    /// Which of their tags to read at least.
    pub tags: TagSelection,
}

/// Of which versions MLflow's values of metrics are read. Rules decide on them only where there is no seal.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum UnsealedValues {
    /// Of all versions.
    #[default]
    OfAll,
    /// Of those without a seal, in which alone they count.
    WhereTheyCount,
}

impl Store {
    /// One version.
    ///
    /// # Errors
    /// [`StoreError::NoSuchModel`], [`StoreError::NoSuchVersion`], [`StoreError::DeletedVersion`].
    pub fn version(&self, key: &VersionKey) -> Result<VersionRecord, StoreError> {
        self.read(|conn| {
            let record = load_with_metrics(conn, key)?;
            if record.deleted {
                return Err(StoreError::DeletedVersion { key: key.clone() });
            }
            Ok(record)
        })
    }

    /// Whether a registered model exists.
    ///
    /// # Errors
    /// Those of the database.
    pub fn has_model(&self, name: &ModelName) -> Result<bool, StoreError> {
        self.read_in(Scope::Model(name), |conn| match require_model(conn, name) {
            Ok(()) => Ok(true),
            Err(StoreError::NoSuchModel { .. }) => Ok(false),
            Err(error) => Err(error),
        })
    }

    /// The champion of a registered model, if it has one.
    ///
    /// # Errors
    /// Those of the database.
    pub fn champion(&self, name: &ModelName) -> Result<Option<VersionRecord>, StoreError> {
        self.read(|conn| {
            let Some(version) = champion_of(conn, name)? else {
                return Ok(None);
            };
            let record = load_with_metrics(conn, &VersionKey { name: name.clone(), version })?;
            Ok((!record.deleted).then_some(record))
        })
    }

    /// The versions that a query asks for, newest first; deleted ones are not among them.
    ///
    /// # Errors
    /// Those of the database.
    pub fn versions(&self, query: &VersionQuery) -> Result<Listing<VersionRecord>, StoreError> {
        self.read(|conn| self.versions_in(conn, query))
    }

    /// As [`Store::versions`], in an open transaction.
    pub(crate) fn versions_in(
        &self,
        conn: &Conn,
        query: &VersionQuery,
    ) -> Result<Listing<VersionRecord>, StoreError> {
        // Few versions are beta or champion, so the tags are read first.
        let in_stage = if query.stage.is_some() {
            "model_version_tags s CROSS JOIN model_versions v WHERE s.workspace = 'default'
               AND s.key = 'promotion_stage' AND s.value = ?3 AND v.name = s.name
               AND v.version = s.version AND"
        } else {
            "model_versions v WHERE ?3 IS NULL AND"
        };
        let sql = format!(
            "SELECT {COLUMNS} FROM {in_stage}
                   v.workspace = 'default' AND v.current_stage IS DISTINCT FROM 'Deleted_Internal'
               AND (?1 IS NULL OR v.name = ?1)
               AND (?2 IS NULL OR EXISTS (SELECT 1 FROM model_version_tags t
                    WHERE t.workspace = 'default' AND t.key = 'timeframe' AND t.name = v.name
                      AND t.version = v.version AND t.value = ?2))
             ORDER BY v.creation_time DESC, v.version DESC, v.name"
        );
        let rows = conn.query(
            &sql,
            params![
                query.name.as_ref().map(ModelName::as_str),
                query.timeframe.map(Timeframe::as_str),
                query.stage.map(Stage::as_str),
            ],
            from_row,
        )?;
        let mut listing: Listing<VersionRecord> = rows.into_iter().collect();
        let is_whole = query.timeframe.is_none() && query.stage.is_none();
        let mut tags =
            if is_whole { tag::of_all_versions(conn, query.tags)? } else { AllTags::default() };
        let has_seals = self.has_seals(conn)?;
        let mut sealed = if is_whole && has_seals {
            seal::of_all_versions(conn, query.metrics)?
        } else {
            BTreeMap::new()
        };
        let wants_all = query.unsealed_values == UnsealedValues::OfAll;
        let is_needed =
            |record: &VersionRecord| wants_all || !sealed.contains_key(&seal::row_key(&record.key));
        let metrics = match query.metrics {
            MetricSelection::Only(names) if is_whole && listing.records.iter().any(is_needed) => {
                Some(metric::of_all_runs(conn, names)?)
            }
            MetricSelection::Only(_) if is_whole => Some(BTreeMap::new()),
            _ => None,
        };
        for record in &mut listing.records {
            record.sealed = if is_whole {
                sealed.remove(&seal::row_key(&record.key))
            } else if has_seals {
                seal::summary_of(conn, &record.key, query.metrics)?
            } else {
                None
            };
            record.tags =
                if is_whole { tags.take(&record.key) } else { tag::of_version(conn, &record.key)? };
            match (&metrics, &record.run_id) {
                (Some(metrics), Some(run_id)) => {
                    record.metrics = metrics.get(run_id.as_str()).cloned().unwrap_or_default();
                }
                (None, _) if record.sealed.is_some() && !wants_all => {}
                _ => add_metrics(conn, record, query.metrics)?,
            }
        }
        if has_seals {
            add_seals_of_renamed(conn, &mut listing.records)?;
        }
        Ok(listing)
    }

    /// The version that was registered from a run; the newest if there are several.
    ///
    /// # Errors
    /// Those of the database.
    pub fn version_of_run(&self, run_id: &RunId) -> Result<Option<VersionRecord>, StoreError> {
        self.read(|conn| {
            let newest = keys_of_run(conn, run_id)?.pop();
            newest.map(|key| load_with_metrics(conn, &key)).transpose()
        })
    }
}

/// Adds the seals of versions whose model was renamed: the tables of seals have them under the former name.
fn add_seals_of_renamed(conn: &Conn, records: &mut [VersionRecord]) -> Result<(), StoreError> {
    let unsealed: Vec<_> = records.iter_mut().filter(|record| record.sealed.is_none()).collect();
    if unsealed.is_empty() {
        return Ok(());
    }
    let moved = seal::keys_of_renamed(conn)?;
    for record in unsealed {
        let Some(run_id) = &record.run_id else { continue };
        if moved.contains(&(run_id.to_string(), record.key.version.get().into())) {
            add_seal(conn, record)?;
        }
    }
    Ok(())
}
