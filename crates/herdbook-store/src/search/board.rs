//! The board of all models: versions are counted, not read one by one.

use std::collections::BTreeMap;

use herdbook_domain::{ModelName, Stage, VersionNumber};

use crate::engine::db::{Conn, Row, params};
use crate::error::StoreError;
use crate::search::listing::Listing;
use crate::store::Store;
use crate::tables::tag;
use crate::tables::version::{self, COLUMNS, UnreadableVersion, VersionRecord};

/// A registered model at a glance.
#[derive(Debug, Clone)]
pub struct ModelSummary {
    /// Its newest version, without metrics.
    pub newest: VersionRecord,
    /// How many versions are in each stage; a stage without any is absent.
    pub n_in_stage: BTreeMap<Stage, usize>,
}

impl Store {
    /// Every registered model that has a version, by name; deleted versions do not count. A model whose newest version cannot be
    /// read is listed by that version.
    ///
    /// # Errors
    /// Those of the database.
    pub fn summaries(&self) -> Result<Listing<ModelSummary>, StoreError> {
        self.read(|conn| {
            let mut counts = counts(conn)?;
            let mut summaries = Vec::new();
            for name in version::model_names(conn)? {
                let Some(newest) = newest(conn, &name)? else { continue };
                let n_in_stage = counts.remove(&name).unwrap_or_default();
                summaries.push(newest.map(|newest| ModelSummary { newest, n_in_stage }));
            }
            Ok(summaries.into_iter().collect())
        })
    }

    /// The versions of a model by stage, newest first; deleted ones are not among them.
    ///
    /// # Errors
    /// Those of the database.
    pub fn numbers_by_stage(
        &self,
        name: &ModelName,
    ) -> Result<BTreeMap<Stage, Vec<VersionNumber>>, StoreError> {
        self.read(|conn| {
            let rows: Vec<(String, i64)> = conn.query(
                "SELECT coalesce(t.value, ''), t.version FROM model_version_tags t
                 WHERE t.workspace = 'default' AND t.key = 'promotion_stage' AND t.name = ?1
                   AND NOT EXISTS (SELECT 1 FROM model_versions v
                        WHERE v.workspace = 'default' AND v.name = t.name AND v.version = t.version
                          AND v.current_stage = 'Deleted_Internal')
                 ORDER BY t.version DESC",
                params![name.as_str()],
                |row| Ok((row.shown(0)?.unwrap_or_default(), row.readable(1)?.unwrap_or_default())),
            )?;
            let mut numbers: BTreeMap<Stage, Vec<VersionNumber>> = BTreeMap::new();
            for (stage, version) in rows {
                if let (Ok(stage), Some(version)) = (stage.parse(), VersionNumber::new(version)) {
                    numbers.entry(stage).or_default().push(version);
                }
            }
            Ok(numbers)
        })
    }
}

/// The newest version of a model, with its tags.
fn newest(
    conn: &Conn,
    name: &str,
) -> Result<Option<Result<VersionRecord, UnreadableVersion>>, StoreError> {
    let sql = format!(
        "SELECT {COLUMNS} FROM model_versions v WHERE v.workspace = 'default' AND v.name = ?1
           AND v.current_stage IS DISTINCT FROM 'Deleted_Internal' ORDER BY v.version DESC LIMIT 1"
    );
    let mut newest = conn.query_first(&sql, params![name], version::from_row)?;
    if let Some(Ok(record)) = &mut newest {
        record.tags = tag::of_version(conn, &record.key)?;
    }
    Ok(newest)
}

/// Versions by model and stage: all with the tag, minus the deleted ones.
fn counts(conn: &Conn) -> Result<BTreeMap<String, BTreeMap<Stage, usize>>, StoreError> {
    // Other workspaces are dropped below: with a condition on them SQLite would sort rows that the index has in order.
    let of_workspaces = conn.query(
        "SELECT t.name, t.value, count(*), t.workspace FROM model_version_tags t
         WHERE t.key = 'promotion_stage' GROUP BY t.value, t.workspace, t.name",
        params![],
        |row| {
            let workspace = row.shown(3)?;
            Ok((workspace.as_deref() == Some("default")).then_some(named_count(row)?))
        },
    )?;
    let tagged = of_workspaces.into_iter().flatten();
    // `coalesce` keeps SQLite from an index by workspace, which would read all versions.
    let deleted = conn.query(
        "SELECT t.name, t.value, count(*) FROM model_versions v CROSS JOIN model_version_tags t
         WHERE v.current_stage = 'Deleted_Internal' AND coalesce(v.workspace, '') = 'default'
           AND t.workspace = 'default' AND t.key = 'promotion_stage' AND t.name = v.name
           AND t.version = v.version
         GROUP BY t.name, t.value",
        params![],
        named_count,
    )?;
    let mut counts: BTreeMap<String, BTreeMap<Stage, usize>> = BTreeMap::new();
    for (name, stage, n) in tagged {
        if let Ok(stage) = stage.parse() {
            counts.entry(name).or_default().insert(stage, n as usize);
        }
    }
    for (name, stage, n) in deleted {
        if let (Some(of_model), Ok(stage)) = (counts.get_mut(&name), stage.parse())
            && let Some(count) = of_model.get_mut(&stage)
        {
            *count = count.saturating_sub(n as usize);
        }
    }
    Ok(counts)
}

/// A model, the stage as written in the tag, and the number of versions.
fn named_count(row: &Row<'_>) -> Result<(String, String, i64), StoreError> {
    let text = |column| row.shown(column).map(Option::unwrap_or_default);
    Ok((text(0)?, text(1)?, row.get(2)?))
}
