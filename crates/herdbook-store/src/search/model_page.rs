//! Pages of the versions of one model. Only what decides on filter and order is read of all of them.

use std::cmp::Reverse;
use std::collections::BTreeMap;

use herdbook_domain::tags::key;
use herdbook_domain::{
    Direction, Honesty, ModelName, ModelType, Stage, VersionKey, VersionNumber, VersionType,
};

use crate::engine::db::{Conn, params};
use crate::error::StoreError;
use crate::store::Store;
use crate::tables::metric::{FINITE, MetricSelection};
use crate::tables::version::{VersionRecord, load_for_rules, require_model};

/// The order of versions. Equal ones are ordered newest first.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum VersionOrder {
    /// The newest registration first.
    #[default]
    Registered,
    /// The newest change first.
    Changed,
    /// Champion, beta, development, archived.
    Stage,
    /// The best value of a metric first; versions without it last.
    Metric(String),
}

/// Which versions of a model to read.
#[derive(Debug, Clone)]
pub struct ModelPageQuery {
    /// The model.
    pub name: ModelName,
    /// Only those in this stage.
    pub stage: Option<Stage>,
    /// Only those of this model type.
    pub model_type: Option<ModelType>,
    /// Only those with this version type.
    pub version_type: Option<VersionType>,
    /// Only those in this state of honesty.
    pub honesty: Option<Honesty>,
    /// In which order.
    pub order: VersionOrder,
    /// Whether the order is reversed.
    pub is_reversed: bool,
    /// How many versions to skip.
    pub offset: usize,
    /// At most so many.
    pub limit: usize,
}

/// A page of the versions of a model.
#[derive(Debug, Clone)]
pub struct ModelPage {
    /// The versions, with their tags, and their seals or metrics.
    pub records: Vec<VersionRecord>,
    /// How many versions fit the query.
    pub n_found: usize,
}

impl Store {
    /// A page of the versions of a model; deleted ones are not among them.
    ///
    /// # Errors
    /// [`StoreError::NoSuchModel`]; those of the database.
    pub fn model_page(&self, query: &ModelPageQuery) -> Result<ModelPage, StoreError> {
        self.read(|conn| {
            require_model(conn, &query.name)?;
            let mut rows = rows(conn, query)?;
            rows.retain(|row| row.fits(query));
            sort(&mut rows, query);
            let n_found = rows.len();
            let page = rows.into_iter().skip(query.offset).take(query.limit);
            let records = page
                .map(|row| {
                    let key = VersionKey { name: query.name.clone(), version: row.version };
                    load_for_rules(conn, &key, MetricSelection::All)
                })
                .collect::<Result<_, _>>()?;
            Ok(ModelPage { records, n_found })
        })
    }
}

/// What decides on filter and order of a version.
struct Row {
    version: VersionNumber,
    created_at: i64,
    updated_at: i64,
    stage: Option<Stage>,
    model_type: Option<ModelType>,
    version_type: Option<VersionType>,
    honesty: Option<Honesty>,
    metric: Option<f64>,
}

impl Row {
    fn fits(&self, query: &ModelPageQuery) -> bool {
        query.stage.is_none_or(|it| self.stage == Some(it))
            && query.model_type.is_none_or(|it| self.model_type == Some(it))
            && query.version_type.is_none_or(|it| self.version_type == Some(it))
            && query.honesty.is_none_or(|it| self.honesty.unwrap_or(Honesty::Unknown) == it)
    }
}

fn sort(rows: &mut [Row], query: &ModelPageQuery) {
    rows.sort_by_key(|row| Reverse((row.created_at, row.version)));
    match &query.order {
        VersionOrder::Registered => {}
        VersionOrder::Changed => rows.sort_by_key(|row| Reverse(row.updated_at)),
        VersionOrder::Stage => rows.sort_by_key(|row| match row.stage {
            Some(Stage::Champion) => 0,
            Some(Stage::Beta) => 1,
            Some(Stage::Development) => 2,
            Some(Stage::Archived) => 3,
            None => 4,
        }),
        VersionOrder::Metric(name) => {
            let is_less_better = (Direction::of(name) == Direction::Less) != query.is_reversed;
            rows.sort_by(|a, b| match (a.metric, b.metric) {
                (Some(a), Some(b)) if is_less_better => a.total_cmp(&b),
                (Some(a), Some(b)) => b.total_cmp(&a),
                (a, b) => a.is_none().cmp(&b.is_none()),
            });
            // Versions without the metric come last in both directions.
            return;
        }
    }
    if query.is_reversed {
        rows.reverse();
    }
}

/// All versions of the model that are not deleted.
fn rows(conn: &Conn, query: &ModelPageQuery) -> Result<Vec<Row>, StoreError> {
    let name = query.name.as_str();
    let mut rows: BTreeMap<VersionNumber, Row> = conn
        .query(
            "SELECT v.version, v.creation_time, v.last_updated_time FROM model_versions v
             WHERE v.workspace = 'default' AND v.name = ?1
               AND v.current_stage IS DISTINCT FROM 'Deleted_Internal'",
            params![name],
            |row| {
                let version = row.readable::<i64>(0)?.and_then(VersionNumber::new);
                let (created_at, updated_at) = (row.readable(1)?, row.readable(2)?);
                Ok(version.map(|version| Row {
                    version,
                    created_at: created_at.unwrap_or(0),
                    updated_at: updated_at.unwrap_or(0),
                    stage: None,
                    model_type: None,
                    version_type: None,
                    honesty: None,
                    metric: None,
                }))
            },
        )?
        .into_iter()
        .flatten()
        .map(|row| (row.version, row))
        .collect();
    let read = [key::PROMOTION_STAGE, key::MODEL_TYPE, key::VERSION_TYPE, key::HONESTY];
    for tag in read {
        conn.query(
            "SELECT t.version, t.value FROM model_version_tags t
             WHERE t.workspace = 'default' AND t.key = ?2 AND t.name = ?1",
            params![name, tag],
            |row| {
                let version = row.readable::<i64>(0)?.and_then(VersionNumber::new);
                let of_row = version.and_then(|version| rows.get_mut(&version));
                if let (Some(found), Some(value)) = (of_row, row.shown(1)?) {
                    match tag {
                        key::PROMOTION_STAGE => found.stage = value.parse().ok(),
                        key::MODEL_TYPE => found.model_type = value.parse().ok(),
                        key::VERSION_TYPE => found.version_type = value.parse().ok(),
                        _ => found.honesty = value.parse().ok(),
                    }
                }
                Ok(())
            },
        )?;
    }
    add_sealed(conn, name, &mut rows)?;
    if let VersionOrder::Metric(metric) = &query.order {
        add_metric(conn, (name, metric), &mut rows)?;
    }
    Ok(rows.into_values().collect())
}

/// Replaces tags by the sealed facts that they repeat.
fn add_sealed(
    conn: &Conn,
    name: &str,
    rows: &mut BTreeMap<VersionNumber, Row>,
) -> Result<(), StoreError> {
    conn.query(
        "SELECT version, model_type, honesty FROM herdbook_seals WHERE name = ?1",
        params![name],
        |row| {
            let version = row.readable::<i64>(0)?.and_then(VersionNumber::new);
            if let Some(found) = version.and_then(|version| rows.get_mut(&version)) {
                found.model_type = row.shown(1)?.and_then(|text| text.parse().ok());
                found.honesty = row.shown(2)?.and_then(|text| text.parse().ok());
            }
            Ok(())
        },
    )?;
    Ok(())
}

/// Adds the value by which versions are ordered: the sealed one, or of a version without a seal the last one of its run.
fn add_metric(
    conn: &Conn,
    (name, metric): (&str, &str),
    rows: &mut BTreeMap<VersionNumber, Row>,
) -> Result<(), StoreError> {
    let sealed = "SELECT s.version, s.value FROM herdbook_sealed_metrics s
                  WHERE s.metric = ?2 AND s.name = ?1";
    let unsealed = format!(
        "SELECT v.version, m.value FROM model_versions v
            JOIN latest_metrics m ON m.run_uuid = v.run_id AND m.key = ?2
         WHERE v.workspace = 'default' AND v.name = ?1 AND {FINITE}
           AND NOT EXISTS (SELECT 1 FROM herdbook_seals s
                WHERE s.name = v.name AND s.version = v.version)"
    );
    for sql in [sealed, &unsealed] {
        conn.query(sql, params![name, metric], |row| {
            let version = row.readable::<i64>(0)?.and_then(VersionNumber::new);
            if let Some(found) = version.and_then(|version| rows.get_mut(&version)) {
                found.metric = row.readable(1)?;
            }
            Ok(())
        })?;
    }
    Ok(())
}
