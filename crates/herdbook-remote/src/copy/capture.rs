//! The changes that an act makes to the copy, recorded by triggers.
//!
//! Only this process uses the copy, so the triggers affect no other program.

use herdbook_store::StoreError;
use rusqlite::Connection;

use crate::client::runs::MetricRow;
use crate::journal::changes::{Changes, Field, Step};

/// A row per change: the kind of field, its keys, the value before and after.
const BEGIN: &str = "
CREATE TEMP TABLE captured (seq INTEGER PRIMARY KEY, kind TEXT, a TEXT, b TEXT, c TEXT, old TEXT, new TEXT);
CREATE TEMP TABLE captured_metrics (seq INTEGER PRIMARY KEY, run TEXT, key TEXT, value REAL, is_nan INTEGER,
    timestamp INTEGER, step INTEGER);
CREATE TEMP TRIGGER run_tag_set AFTER INSERT ON main.tags BEGIN
    INSERT INTO captured (kind, a, b, old, new) VALUES ('run_tag', new.run_uuid, new.key, NULL, new.value); END;
CREATE TEMP TRIGGER run_tag_changed AFTER UPDATE ON main.tags BEGIN
    INSERT INTO captured (kind, a, b, old, new) VALUES ('run_tag', new.run_uuid, new.key, old.value, new.value); END;
CREATE TEMP TRIGGER run_tag_removed AFTER DELETE ON main.tags BEGIN
    INSERT INTO captured (kind, a, b, old, new) VALUES ('run_tag', old.run_uuid, old.key, old.value, NULL); END;
CREATE TEMP TRIGGER version_tag_set AFTER INSERT ON main.model_version_tags BEGIN
    INSERT INTO captured (kind, a, b, c, old, new)
    VALUES ('version_tag', new.name, new.version, new.key, NULL, new.value); END;
CREATE TEMP TRIGGER version_tag_changed AFTER UPDATE ON main.model_version_tags BEGIN
    INSERT INTO captured (kind, a, b, c, old, new)
    VALUES ('version_tag', new.name, new.version, new.key, old.value, new.value); END;
CREATE TEMP TRIGGER version_tag_removed AFTER DELETE ON main.model_version_tags BEGIN
    INSERT INTO captured (kind, a, b, c, old, new)
    VALUES ('version_tag', old.name, old.version, old.key, old.value, NULL); END;
CREATE TEMP TRIGGER version_made AFTER INSERT ON main.model_versions BEGIN
    INSERT INTO captured (kind, a, b, old, new) VALUES ('stage', new.name, new.version, 'None', new.current_stage); END;
CREATE TEMP TRIGGER stage_changed AFTER UPDATE OF current_stage ON main.model_versions BEGIN
    INSERT INTO captured (kind, a, b, old, new)
    VALUES ('stage', new.name, new.version, old.current_stage, new.current_stage); END;
CREATE TEMP TRIGGER alias_set AFTER INSERT ON main.registered_model_aliases BEGIN
    INSERT INTO captured (kind, a, b, old, new) VALUES ('alias', new.name, new.alias, NULL, new.version); END;
CREATE TEMP TRIGGER alias_moved AFTER UPDATE ON main.registered_model_aliases BEGIN
    INSERT INTO captured (kind, a, b, old, new) VALUES ('alias', new.name, new.alias, old.version, new.version); END;
CREATE TEMP TRIGGER alias_removed AFTER DELETE ON main.registered_model_aliases BEGIN
    INSERT INTO captured (kind, a, b, old, new) VALUES ('alias', old.name, old.alias, old.version, NULL); END;
CREATE TEMP TRIGGER status_changed AFTER UPDATE OF status, end_time ON main.runs BEGIN
    INSERT INTO captured (kind, a, old, new) VALUES ('status', new.run_uuid,
        old.status || ' ' || coalesce(old.end_time, ''), new.status || ' ' || coalesce(new.end_time, '')); END;
CREATE TEMP TRIGGER param_set AFTER INSERT ON main.params BEGIN
    INSERT INTO captured (kind, a, b, new) VALUES ('param', new.run_uuid, new.key, new.value); END;
CREATE TEMP TRIGGER metric_logged AFTER INSERT ON main.metrics BEGIN
    INSERT INTO captured_metrics (run, key, value, is_nan, timestamp, step)
    VALUES (new.run_uuid, new.key, new.value, new.is_nan, new.timestamp, new.step); END;
CREATE TEMP TRIGGER lease_taken AFTER INSERT ON main.herdbook_leases BEGIN
    INSERT INTO captured (kind, a) VALUES ('lease', new.run_uuid); END;
CREATE TEMP TRIGGER lease_refreshed AFTER UPDATE ON main.herdbook_leases BEGIN
    INSERT INTO captured (kind, a) VALUES ('lease', new.run_uuid); END;
CREATE TEMP TRIGGER lease_removed AFTER DELETE ON main.herdbook_leases BEGIN
    INSERT INTO captured (kind, a) VALUES ('lease', old.run_uuid); END;
";

const END: &str = "
DROP TRIGGER run_tag_set; DROP TRIGGER run_tag_changed; DROP TRIGGER run_tag_removed;
DROP TRIGGER version_tag_set; DROP TRIGGER version_tag_changed; DROP TRIGGER version_tag_removed;
DROP TRIGGER version_made; DROP TRIGGER stage_changed;
DROP TRIGGER alias_set; DROP TRIGGER alias_moved; DROP TRIGGER alias_removed;
DROP TRIGGER status_changed; DROP TRIGGER param_set; DROP TRIGGER metric_logged;
DROP TRIGGER lease_taken; DROP TRIGGER lease_refreshed; DROP TRIGGER lease_removed;
DROP TABLE captured; DROP TABLE captured_metrics;
";

/// The changes of an act, without its events.
#[derive(Debug, Default)]
pub(crate) struct Captured {
    /// Changes of fields; they are part of the journal's entry.
    pub(crate) changes: Changes,
    /// Params of runs: run, key, value.
    pub(crate) params: Vec<(String, String, String)>,
    /// Metrics: run, then metric.
    pub(crate) metrics: Vec<(String, MetricRow)>,
    /// Runs whose lease was written or removed.
    pub(crate) leases: Vec<String>,
}

impl Captured {
    /// Whether params or metrics are added to runs.
    pub(crate) fn has_additions(&self) -> bool {
        !self.params.is_empty() || !self.metrics.is_empty()
    }
}

/// Begins recording, inside the act's transaction.
///
/// # Errors
/// Those of SQLite.
pub(crate) fn begin(conn: &Connection) -> Result<(), StoreError> {
    Ok(conn.execute_batch(BEGIN)?)
}

/// Ends recording and returns what was recorded.
///
/// # Errors
/// Those of SQLite.
pub(crate) fn end(conn: &Connection) -> Result<Captured, StoreError> {
    let mut captured = Captured::default();
    let mut statement =
        conn.prepare("SELECT kind, a, b, c, old, new FROM captured ORDER BY seq")?;
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        let kind: String = row.get(0)?;
        let a: String = row.get(1)?;
        let text = |column| -> rusqlite::Result<String> {
            Ok(row.get::<_, Option<String>>(column)?.unwrap_or_default())
        };
        let number = |text: String| text.parse().unwrap_or_default();
        let step = Step(row.get(4)?, row.get(5)?);
        let place = match kind.as_str() {
            "run_tag" => Field::RunTag { run: a, key: text(2)? },
            "version_tag" => {
                Field::VersionTag { name: a, version: number(text(2)?), key: text(3)? }
            }
            "stage" => Field::VersionStage { name: a, version: number(text(2)?) },
            "alias" => Field::Alias { name: a, alias: text(2)? },
            "status" => Field::RunStatus { run: a },
            "param" => {
                captured.params.push((a, text(2)?, text(5)?));
                continue;
            }
            _ => {
                if !captured.leases.contains(&a) {
                    captured.leases.push(a);
                }
                continue;
            }
        };
        captured.changes.note(place, step);
    }
    drop(rows);
    drop(statement);
    captured.changes = captured.changes.net();
    captured.metrics = metrics(conn)?;
    conn.execute_batch(END)?;
    Ok(captured)
}

fn metrics(conn: &Connection) -> Result<Vec<(String, MetricRow)>, StoreError> {
    let mut statement = conn.prepare(
        "SELECT run, key, value, is_nan, timestamp, step FROM captured_metrics ORDER BY seq",
    )?;
    let rows = statement.query_map([], |row| {
        let value = if row.get(3)? { f64::NAN } else { row.get(2)? };
        let metric =
            MetricRow { key: row.get(1)?, value, timestamp: row.get(4)?, step: row.get(5)? };
        Ok((row.get(0)?, metric))
    })?;
    Ok(rows.collect::<Result<_, _>>()?)
}

impl Captured {
    /// Params by run.
    pub(crate) fn params_by_run(&self) -> Vec<(&str, Vec<(String, String)>)> {
        by_run(
            self.params
                .iter()
                .map(|(run, key, value)| (run.as_str(), (key.clone(), value.clone()))),
        )
    }

    /// Metrics: run, then metric.
    pub(crate) fn metrics_by_run(&self) -> Vec<(&str, Vec<MetricRow>)> {
        by_run(self.metrics.iter().map(|(run, metric)| (run.as_str(), metric.clone())))
    }
}

fn by_run<'a, T>(items: impl Iterator<Item = (&'a str, T)>) -> Vec<(&'a str, Vec<T>)> {
    let mut runs: Vec<(&str, Vec<T>)> = Vec::new();
    for (run, item) in items {
        match runs.iter_mut().find(|(known, _)| *known == run) {
            Some((_, items)) => items.push(item),
            None => runs.push((run, vec![item])),
        }
    }
    runs
}
