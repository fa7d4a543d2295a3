//! A register of many versions: one training is copied row by row in the server's database, with its acts in the journal.

use herdbook_domain::{Event, RunId, VersionNumber};
use rusqlite::params;
use serde_json::Value;

use crate::backend::Foreign;
use crate::herd::{Herd, model};

/// Tables with rows about runs, and their columns with a run's id.
const OF_RUNS: [(&str, &str); 5] = [
    ("runs", "run_uuid"),
    ("tags", "run_uuid"),
    ("params", "run_uuid"),
    ("metrics", "run_uuid"),
    ("latest_metrics", "run_uuid"),
];
const OF_VERSIONS: [&str; 2] = ["model_versions", "model_version_tags"];

/// Fills an empty register with `n` versions of one model, all in development, each with its run.
pub(crate) fn fill(herd: &Herd, n: i64) {
    let first = herd.train(None, 1.0);
    let conn = herd.foreign();
    let journal: String = conn
        .query_row("SELECT run_uuid FROM params WHERE key = 'act.1'", [], |row| row.get(0))
        .unwrap();
    let acts: Vec<Value> = ["act.1", "act.2"].iter().map(|key| act(&conn, &journal, key)).collect();
    let mut last = events(&acts[1]).pop().unwrap();
    conn.execute_batch("PRAGMA foreign_keys = OFF; BEGIN IMMEDIATE").unwrap();
    for (table, column) in OF_RUNS {
        keep(&conn, table, &format!("{column} = '{first}'"));
    }
    for table in OF_VERSIONS {
        keep(&conn, table, "version = 1");
    }
    for number in 2..=n {
        let run_id = run_of(number).to_string();
        let tables = OF_RUNS.into_iter().map(|(table, _)| table).chain(OF_VERSIONS);
        for table in tables {
            copy(&conn, table, first.as_str(), &run_id, number);
        }
        for (idx, act) in acts.iter().enumerate() {
            let (text, sealed) = copied(act, first.as_str(), &run_id, number, &last);
            let key = format!("act.{}", 2 * (number - 1) + idx as i64 + 1);
            conn.prepare_cached("INSERT INTO params (key, value, run_uuid) VALUES (?1, ?2, ?3)")
                .unwrap()
                .execute(params![key, text, journal])
                .unwrap();
            last = sealed;
        }
    }
    conn.execute(
        "UPDATE tags SET value = ?1 WHERE key = 'herdbook.journal.applied'",
        [(2 * n).to_string()],
    )
    .unwrap();
    conn.execute_batch("COMMIT").unwrap();
}

/// The run of a copied version, which is any but the first.
pub(crate) fn run_of(number: i64) -> RunId {
    RunId::parse(&format!("{number:032x}")).unwrap()
}

fn act(conn: &Foreign, journal: &str, key: &str) -> Value {
    let sql = "SELECT value FROM params WHERE run_uuid = ?1 AND key = ?2";
    let text: String = conn.query_row(sql, [journal, key], |row| row.get(0)).unwrap();
    serde_json::from_str(&text).unwrap()
}

fn events(act: &Value) -> Vec<Event> {
    serde_json::from_value(act["events"].clone()).unwrap()
}

/// An act of the first training, changed into one of the copied training, and its last event.
fn copied(act: &Value, first: &str, run_id: &str, number: i64, last: &Event) -> (String, Event) {
    let act_id = format!("{}-{number}", act["act"].as_str().unwrap());
    let mut last = last.clone();
    let mut sealed = Vec::new();
    for mut event in events(act) {
        event.id = last.id + 1;
        event.act_id.clone_from(&act_id);
        event.what.run_id = Some(RunId::parse(run_id).unwrap());
        event.what.version = event.what.version.and_then(|_| VersionNumber::new(number));
        let details = serde_json::to_string(&event.what.details).unwrap();
        event.what.details = serde_json::from_str(&details.replace(first, run_id)).unwrap();
        event.previous_hash.clone_from(&last.hash);
        event.hash = event.compute_hash();
        last = event.clone();
        sealed.push(event);
    }
    let name = model();
    let mut changes = act["changes"].to_string().replace(first, run_id);
    changes = changes.replace(&format!("\"{name}/1\""), &format!("\"{name}/{number}\""));
    let events = serde_json::to_string(&sealed).unwrap();
    (format!(r#"{{"v":1,"act":"{act_id}","changes":{changes},"events":{events}}}"#), last)
}

/// Keeps the rows of the first training apart: a search among all rows would take longer with each copy.
fn keep(conn: &Foreign, table: &str, of: &str) {
    let sql = format!("CREATE TEMP TABLE first_{table} AS SELECT * FROM {table} WHERE {of}");
    conn.execute_batch(&sql).unwrap();
}

/// Copies the rows of the first training.
fn copy(conn: &Foreign, table: &str, first: &str, run_id: &str, number: i64) {
    let value = |column: &str| match column {
        "start_time" | "creation_time" => format!("{column} + {number}"),
        "version" => number.to_string(),
        other => renamed(other, first, run_id),
    };
    let mut statement = conn.prepare_cached("SELECT name FROM pragma_table_info(?1)").unwrap();
    let columns = statement.query_map([table], |row| row.get(0)).unwrap();
    let columns: Vec<String> = columns.map(Result::unwrap).collect();
    let values: Vec<String> = columns.iter().map(|column| value(column)).collect();
    let (columns, values) = (columns.join(", "), values.join(", "));
    let sql = format!("INSERT INTO {table} ({columns}) SELECT {values} FROM first_{table}");
    conn.execute_batch(&sql).unwrap();
}

/// A column with the run's id replaced in it. A number stays a number.
fn renamed(column: &str, first: &str, run_id: &str) -> String {
    format!(
        "CASE typeof({column}) WHEN 'text' THEN replace({column}, '{first}', '{run_id}')
         ELSE {column} END"
    )
}
