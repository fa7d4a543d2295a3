//! The same records in PostgreSQL, copied table by table from the SQLite file.

use std::io::Write as _;
use std::path::Path;
use std::time::Instant;

use herdbook_store::Missing;
use postgres::{Client, NoTls};
use rusqlite::Connection;
use rusqlite::types::ValueRef;

use crate::generate;

/// The tables in which the generated store has rows.
const TABLES: [&str; 14] = [
    "experiments",
    "runs",
    "tags",
    "params",
    "metrics",
    "latest_metrics",
    "registered_models",
    "registered_model_aliases",
    "model_versions",
    "model_version_tags",
    "herdbook_events",
    "herdbook_registrations",
    "herdbook_seals",
    "herdbook_sealed_metrics",
];

/// Copies the store of a folder into an empty database.
pub(crate) fn copy(folder: &Path, uri: &str) -> anyhow::Result<()> {
    let begun = Instant::now();
    drop(generate::open_at(Some(uri), folder, Missing::Create)?);
    let from = Connection::open(folder.join("mlflow.db"))?;
    let mut to = Client::connect(uri, NoTls)?;
    // Rows are copied table by table, in an order that foreign keys would refuse.
    to.batch_execute("SET session_replication_role = replica; TRUNCATE experiments CASCADE")?;
    for table in TABLES {
        copy_table(&from, &mut to, table)?;
    }
    // As autovacuum does sooner or later.
    to.batch_execute("VACUUM ANALYZE")?;
    println!("-- copied into PostgreSQL in {:.0} s", begun.elapsed().as_secs_f64());
    Ok(())
}

fn copy_table(from: &Connection, to: &mut Client, table: &str) -> anyhow::Result<()> {
    let mut rows = from.prepare(&format!("SELECT * FROM {table}"))?;
    let columns: Vec<String> = rows.column_names().map(|column| format!("\"{column}\"")).collect();
    let mut writer = std::io::BufWriter::with_capacity(
        1 << 20,
        to.copy_in(&format!("COPY {table} ({}) FROM STDIN", columns.join(", ")))?,
    );
    let mut rows = rows.query([])?;
    while let Some(row) = rows.next()? {
        for column in 0..columns.len() {
            writer.write_all(if column == 0 { b"" } else { b"\t" })?;
            match row.get_ref(column)? {
                ValueRef::Null => writer.write_all(b"\\N")?,
                ValueRef::Integer(value) => write!(writer, "{value}")?,
                ValueRef::Real(value) => write!(writer, "{value}")?,
                ValueRef::Text(text) | ValueRef::Blob(text) => {
                    writer.write_all(&escaped(text))?;
                }
            }
        }
        writer.write_all(b"\n")?;
    }
    writer.into_inner().map_err(std::io::IntoInnerError::into_error)?.finish()?;
    Ok(())
}

/// Escapes a text for COPY.
fn escaped(text: &[u8]) -> Vec<u8> {
    let mut line = Vec::with_capacity(text.len());
    for &byte in text {
        match byte {
            b'\\' => line.extend(b"\\\\"),
            b'\t' => line.extend(b"\\t"),
            b'\n' => line.extend(b"\\n"),
            b'\r' => line.extend(b"\\r"),
            byte => line.push(byte),
        }
    }
    line
}
