//! What the board of all models shows, by counting instead of reading every version.

use std::collections::BTreeMap;

use herdbook_domain::{ModelName, Stage, VersionNumber};

use crate::engine::db::{Conn, Row, params};
use crate::error::StoreError;
use crate::store::Store;
use crate::tables::tag;
use crate::tables::version::{self, COLUMNS, VersionRecord};

/// A registered model at a glance.
#[derive(Debug, Clone)]
pub struct ModelSummary {
    /// Its newest version, without metrics.
    pub newest: VersionRecord,
    /// How many versions are in each stage; a stage without any is absent.
    pub n_in_stage: BTreeMap<Stage, usize>,
}

impl Store {
    /// Every registered model that has a version, by name; deleted versions do not count.
    pub fn summaries(&self) -> Result<Vec<ModelSummary>, StoreError> {
        self.read(|conn| {
            let mut counts = counts(conn)?;
            let mut summaries = Vec::new();
            for name in version::model_names(conn)? {
                let Some(newest) = newest(conn, &name)? else { continue };
                let n_in_stage = counts.remove(&name).unwrap_or_default();
                summaries.push(ModelSummary { newest, n_in_stage });
            }
            Ok(summaries)
        })
    }

    /// The versions of a model by stage, newest first; deleted ones are not among them.
    pub fn numbers_by_stage(
        &self,
        name: &ModelName,
    ) -> Result<BTreeMap<Stage, Vec<VersionNumber>>, StoreError> {
        self.read(|conn| {
            let rows: Vec<(String, i64)> = conn.query(
                "SELECT t.value, t.version FROM model_version_tags t
                 WHERE t.workspace = 'default' AND t.key = 'promotion_stage' AND t.name = ?1
                   AND NOT EXISTS (SELECT 1 FROM model_versions v
                        WHERE v.workspace = 'default' AND v.name = t.name AND v.version = t.version
                          AND v.current_stage = 'Deleted_Internal')
                 ORDER BY t.version DESC",
                params![name.as_str()],
                |row| Ok((row.get(0)?, row.get(1)?)),
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

fn newest(conn: &Conn, name: &str) -> Result<Option<VersionRecord>, StoreError> {
    let sql = format!(
        "SELECT {COLUMNS} FROM model_versions v WHERE v.workspace = 'default' AND v.name = ?1
           AND v.current_stage <> 'Deleted_Internal' ORDER BY v.version DESC LIMIT 1"
    );
    let newest = conn.query_first(&sql, params![name], version::from_row)?.flatten();
    newest
        .map(|mut record| {
            record.tags = tag::of_version(conn, &record.key)?;
            Ok(record)
        })
        .transpose()
}

/// By model and stage: all that are tagged, less those that were deleted.
fn counts(conn: &Conn) -> Result<BTreeMap<String, BTreeMap<Stage, usize>>, StoreError> {
    // Workspaces are told apart below: with a condition on them SQLite would sort what the index has in order.
    let of_workspaces = conn.query(
        "SELECT t.name, t.value, count(*), t.workspace FROM model_version_tags t
         WHERE t.key = 'promotion_stage' GROUP BY t.value, t.workspace, t.name",
        params![],
        |row| {
            let workspace: String = row.get(3)?;
            Ok((workspace == "default").then_some(named_count(row)?))
        },
    )?;
    let tagged = of_workspaces.into_iter().flatten();
    // `coalesce` keeps SQLite from the index of the workspace, in which they all are.
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

/// A model, the stage as it is tagged, and how many.
fn named_count(row: &Row<'_>) -> Result<(String, String, i64), StoreError> {
    Ok((row.get(0)?, row.get(1)?, row.get(2)?))
}
