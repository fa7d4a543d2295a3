//! Look-ups of versions: one, the champion, lists.

use std::num::NonZeroUsize;

use herdbook_domain::{ModelName, RunId, Stage, Timeframe, VersionKey};

use crate::engine::backend::Scope;
use crate::engine::db::{Conn, params};
use crate::error::StoreError;
use crate::search::listing::Listing;
use crate::store::Store;
use crate::tables::batch::Versions;
use crate::tables::metric::{self, MetricSelection};
use crate::tables::seal;
use crate::tables::tag::{self, SealedTags, TagSelection};
use crate::tables::version::{
    COLUMNS_WITHOUT_SYMBOL, VersionRecord, add_seal, add_symbols, champion_of, from_row,
    keys_of_run, load_with_metrics, require_model,
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
    /// At most so many, the newest; `None` for all.
    pub limit: Option<NonZeroUsize>,
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

/// From this number of versions on, their values are searched in whole tables and not key by key.
const MANY: usize = 250;

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
            "SELECT {COLUMNS_WITHOUT_SYMBOL} FROM {in_stage}
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
        listing.limit(query.limit.map_or(usize::MAX, NonZeroUsize::get));
        self.add_values(conn, query, &mut listing)?;
        Ok(listing)
    }

    /// Adds tags, seals, and the values of MLflow that count to the versions of a list.
    fn add_values(
        &self,
        conn: &Conn,
        query: &VersionQuery,
        listing: &mut Listing<VersionRecord>,
    ) -> Result<(), StoreError> {
        let is_whole = query.name.is_none()
            && query.timeframe.is_none()
            && query.stage.is_none()
            && listing.n_beyond_limit == 0;
        let records = &mut listing.records;
        let keys: Vec<VersionKey> = records.iter().map(|record| record.key.clone()).collect();
        // Many versions are found sooner by reading whole tables.
        let versions =
            if is_whole || keys.len() > MANY { Versions::All } else { Versions::With(&keys) };
        if self.has_seals(conn)? {
            let mut sealed = seal::of_versions(conn, versions, query.metrics)?;
            for record in records.iter_mut() {
                record.sealed = sealed.take(&record.key);
            }
            add_seals_of_renamed(conn, records)?;
        }
        let have_seals = records.iter().all(|record| record.sealed.is_some());
        let sealed_tags = if have_seals { SealedTags::LeftOut } else { SealedTags::Read };
        let mut tags = tag::of_versions(conn, versions, query.tags, sealed_tags)?;
        for record in records.iter_mut() {
            record.tags = tags.take(&record.key).unwrap_or_default();
        }
        add_symbols(conn, records.iter_mut().filter(|record| record.sealed.is_none()))?;
        let wants_all = query.unsealed_values == UnsealedValues::OfAll;
        let mut needed: Vec<&mut VersionRecord> =
            records.iter_mut().filter(|record| wants_all || record.sealed.is_none()).collect();
        let run_ids: Vec<&str> =
            needed.iter().filter_map(|record| Some(record.run_id.as_ref()?.as_str())).collect();
        let metrics = match query.metrics {
            MetricSelection::Only(names) if is_whole && !needed.is_empty() => {
                metric::of_all_runs(conn, names)?
            }
            selection => metric::of_runs_with(conn, &run_ids, selection)?,
        };
        for record in &mut needed {
            let of_run = record.run_id.as_ref().and_then(|run_id| metrics.get(run_id.as_str()));
            record.metrics = of_run.cloned().unwrap_or_default();
        }
        Ok(())
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
