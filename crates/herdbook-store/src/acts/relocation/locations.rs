//! The columns of MLflow's tables that hold artifact locations, read and written.

use std::path::{Path, PathBuf};

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

use crate::artifacts::place::{local_folder, location_of};
use crate::engine::db::{Conn, Dialect, ToValue, params};
use crate::error::StoreError;

/// A column that holds artifact locations.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Column {
    pub(super) table: &'static str,
    pub(super) name: &'static str,
    /// The columns of the primary key, and whether each is a text.
    key: &'static [(&'static str, bool)],
    /// The rows that hold locations.
    filter: &'static str,
    /// Longest value in characters. PostgreSQL refuses longer ones.
    longest: usize,
    /// Whether files are written at these locations, so that a copy must not share them.
    is_written: bool,
}

const COLUMNS: [Column; 7] = [
    Column {
        table: "experiments",
        name: "artifact_location",
        key: &[("experiment_id", false)],
        filter: "TRUE",
        longest: 256,
        is_written: true,
    },
    Column {
        table: "runs",
        name: "artifact_uri",
        key: &[("run_uuid", true)],
        filter: "TRUE",
        longest: 200,
        is_written: true,
    },
    Column {
        table: "model_versions",
        name: "source",
        key: &[("workspace", true), ("name", true), ("version", false)],
        filter: "TRUE",
        longest: 500,
        is_written: false,
    },
    Column {
        table: "model_versions",
        name: "storage_location",
        key: &[("workspace", true), ("name", true), ("version", false)],
        filter: "TRUE",
        longest: 500,
        is_written: false,
    },
    Column {
        table: "logged_models",
        name: "artifact_location",
        key: &[("model_id", true)],
        filter: "TRUE",
        longest: 1000,
        is_written: true,
    },
    // The artifacts of a trace.
    Column {
        table: "trace_tags",
        name: "value",
        key: &[("key", true), ("request_id", true)],
        filter: "\"key\" = 'mlflow.artifactLocation'",
        longest: 8000,
        is_written: true,
    },
    Column {
        table: "workspaces",
        name: "default_artifact_root",
        key: &[("name", true)],
        filter: "TRUE",
        longest: 8000,
        is_written: true,
    },
];

/// Characters that a `file` URI shows as they are, besides letters and digits.
const OF_PATHS: &AsciiSet =
    &NON_ALPHANUMERIC.remove(b'/').remove(b'-').remove(b'_').remove(b'.').remove(b'~');

/// An artifact location on this machine.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Location {
    pub(super) column: &'static Column,
    /// The values of the primary key, as text.
    pub(super) key: Vec<String>,
    pub(super) text: String,
    pub(super) place: Place,
}

/// The folder of a location.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Place {
    Absolute(PathBuf),
    /// Relative to the working directory, as older versions of MLflow recorded them.
    Relative(PathBuf),
}

impl Location {
    pub(super) fn is_written(&self) -> bool {
        self.column.is_written
    }

    /// Whether it is that of a run whose folder does not exist.
    pub(super) fn is_run_without_files(&self) -> bool {
        let Place::Absolute(folder) = &self.place else { return false };
        self.column.table == "runs" && !folder.exists()
    }

    /// Its record and column, for messages.
    pub(super) fn name(&self) -> String {
        format!("{}.{} of `{}`", self.column.table, self.column.name, self.key.join(" "))
    }

    /// The text for another folder, in the same form: a path stays a path and a URI a URI.
    pub(super) fn text_for(&self, folder: &Path) -> String {
        if self.text.starts_with("file:") {
            let path = folder.display().to_string();
            format!("file://{}", utf8_percent_encode(&path, OF_PATHS))
        } else {
            location_of(folder)
        }
    }

    /// Whether a text is too long for its column.
    pub(super) fn is_too_long(&self, text: &str, dialect: Dialect) -> bool {
        dialect == Dialect::Postgres && text.chars().count() > self.column.longest
    }

    /// The longest text of its column, in characters.
    pub(super) fn longest(&self) -> usize {
        self.column.longest
    }
}

/// All locations on this machine.
///
/// # Errors
/// Those of the database.
pub(super) fn all(conn: &Conn) -> Result<Vec<Location>, StoreError> {
    let mut found = Vec::new();
    for column in &COLUMNS {
        let columns: Vec<String> =
            conn.query(conn.dialect().columns_of_table(), params![column.table], |row| row.get(0))?;
        // Older revisions of MLflow's schema lack some of the tables.
        if !columns.iter().any(|name| name == column.name) {
            continue;
        }
        let key: Vec<String> =
            column.key.iter().map(|(name, _)| format!("CAST(\"{name}\" AS TEXT)")).collect();
        let sql = format!(
            "SELECT {}, {} FROM {} WHERE {} AND {0} IS NOT NULL ORDER BY {1}",
            column.name,
            key.join(", "),
            column.table,
            column.filter,
        );
        let rows = conn.query(&sql, params![], |row| {
            // A value that is no text is none of MLflow's; `doctor` reports it.
            let Ok(text) = row.get::<String>(0) else { return Ok(None) };
            let key = (1..=column.key.len())
                .map(|idx| Ok(row.get::<Option<String>>(idx)?.unwrap_or_default()))
                .collect::<Result<Vec<String>, StoreError>>()?;
            Ok(place_of(&text).map(|place| Location { column, key, text, place }))
        })?;
        found.extend(rows.into_iter().flatten());
    }
    Ok(found)
}

fn place_of(text: &str) -> Option<Place> {
    if let Some(folder) = local_folder(text) {
        return Some(Place::Absolute(folder));
    }
    let is_relative = !text.is_empty() && !text.contains(':');
    is_relative.then(|| Place::Relative(PathBuf::from(text.trim_start_matches("./"))))
}

/// Replaces the text of a location.
///
/// # Errors
/// Those of the database.
pub(super) fn write_location(
    conn: &Conn,
    location: &Location,
    text: &str,
) -> Result<(), StoreError> {
    let Column { table, name: column, key, .. } = location.column;
    let conditions: Vec<String> = (2..)
        .zip(*key)
        .map(|(idx, (name, is_text))| match is_text {
            true => format!("\"{name}\" = ?{idx}"),
            false => format!("\"{name}\" = CAST(CAST(?{idx} AS TEXT) AS INTEGER)"),
        })
        .collect();
    let sql = format!("UPDATE {table} SET {column} = ?1 WHERE {}", conditions.join(" AND "));
    let mut values: Vec<&dyn ToValue> = vec![&text];
    values.extend(location.key.iter().map(|value| value as &dyn ToValue));
    conn.execute(&sql, values.as_slice())?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn location(text: &str) -> Location {
        let place = place_of(text).unwrap();
        Location { column: &COLUMNS[1], key: vec!["r".to_owned()], text: text.to_owned(), place }
    }

    #[test]
    fn text_keeps_its_form_and_reads_back() {
        for (text, folder, expected) in [
            ("/a/1", "/b c/1", "/b c/1"),
            ("/a/1", "/b%/ü?", "file:///b%25/ü%3F"),
            ("file:///a/1", "/b c/ü", "file:///b%20c/%C3%BC"),
            ("file:/a/1", "/b", "file:///b"),
            ("file:///a%20b", "/b#%", "file:///b%23%25"),
        ] {
            let shown = location(text).text_for(Path::new(folder));
            assert_eq!(shown, expected);
            assert_eq!(local_folder(&shown), Some(PathBuf::from(folder)), "{shown}");
        }
    }

    #[test]
    fn only_locations_on_this_machine_are_read() {
        assert_eq!(place_of("./mlruns/0"), Some(Place::Relative(PathBuf::from("mlruns/0"))));
        for text in
            ["", "s3://b/a", "mlflow-artifacts:/0", "runs:/x/model", "models:/m-1", "dbfs:/a"]
        {
            assert_eq!(place_of(text), None, "{text}");
        }
    }
}
