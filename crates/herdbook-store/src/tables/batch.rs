//! Rows of many versions or runs, read with few statements: a server answers each statement over the network.

use std::collections::HashMap;

use herdbook_domain::VersionKey;

use crate::engine::db::{Conn, Row, ToValue, placeholders};
use crate::error::StoreError;

/// Numbers of keys in one statement. There are few, because a connection keeps each statement that it has prepared.
const BATCHES: [usize; 3] = [1, 16, 128];

/// Versions whose rows are read.
#[derive(Debug, Clone, Copy)]
pub enum Versions<'a> {
    /// All versions of the store. The table is read once.
    All,
    /// The versions with these keys.
    With(&'a [VersionKey]),
}

/// A value for each of many versions.
#[derive(Debug)]
pub struct ByVersion<T>(HashMap<String, HashMap<i64, T>>);

impl<T> Default for ByVersion<T> {
    fn default() -> Self {
        Self(HashMap::new())
    }
}

impl<T> ByVersion<T> {
    /// Sets the value of a version.
    pub(crate) fn insert(&mut self, name: &str, version: i64, value: T) {
        if let Some(of_model) = self.0.get_mut(name) {
            of_model.insert(version, value);
        } else {
            self.0.insert(name.to_owned(), HashMap::from([(version, value)]));
        }
    }

    /// The value of a version.
    pub(crate) fn get_mut(&mut self, name: &str, version: i64) -> Option<&mut T> {
        self.0.get_mut(name)?.get_mut(&version)
    }

    /// Removes the value of a version and returns it.
    pub fn take(&mut self, key: &VersionKey) -> Option<T> {
        self.0.get_mut(key.name.as_str())?.remove(&key.version.get().into())
    }
}

/// Reads rows of versions from a table `t` with the columns `name` and `version`. `condition` has no parameters.
///
/// # Errors
/// Those of the database and of `read`.
pub(crate) fn of_versions(
    conn: &Conn,
    versions: Versions<'_>,
    (columns, table, condition): (&str, &str, &str),
    mut read: impl FnMut(&Row<'_>) -> Result<(), StoreError>,
) -> Result<(), StoreError> {
    let Versions::With(keys) = versions else {
        let sql = format!("SELECT {columns} FROM {table} t WHERE {condition}");
        return conn.query(&sql, &[][..] as &[&dyn ToValue], read).map(drop);
    };
    let keys: Vec<(&str, i64)> =
        keys.iter().map(|key| (key.name.as_str(), key.version.get().into())).collect();
    in_batches(&keys, ("", 0), |batch| {
        let rows = placeholders(batch.len(), 2);
        // `CROSS JOIN`: SQLite takes the keys first, and finds the rows of each one with an index.
        let sql = format!(
            "SELECT {columns} FROM (VALUES {rows}) k CROSS JOIN {table} t
             WHERE t.name = k.column1 AND t.version = k.column2 AND {condition}"
        );
        let values: Vec<&dyn ToValue> =
            batch.iter().flat_map(|(name, version)| [name as &dyn ToValue, version]).collect();
        conn.query(&sql, values.as_slice(), &mut read).map(drop)
    })
}

/// A query for rows of a table `t` by run.
#[derive(Debug, Clone, Copy)]
pub(crate) struct OfRuns<'a> {
    /// The columns that are read.
    pub(crate) columns: &'a str,
    pub(crate) table: &'a str,
    /// The column with the id of the run.
    pub(crate) run_id: &'a str,
    /// A condition without parameters.
    pub(crate) condition: &'a str,
}

impl OfRuns<'_> {
    /// Reads the rows of the runs with these ids.
    ///
    /// # Errors
    /// Those of the database and of `read`.
    pub(crate) fn query(
        self,
        conn: &Conn,
        run_ids: &[&str],
        mut read: impl FnMut(&Row<'_>) -> Result<(), StoreError>,
    ) -> Result<(), StoreError> {
        let Self { columns, table, run_id, condition } = self;
        in_batches(run_ids, "", |batch| {
            let rows = placeholders(batch.len(), 1);
            let sql = format!(
                "SELECT {columns} FROM (VALUES {rows}) k CROSS JOIN {table} t
                 WHERE t.{run_id} = k.column1 AND {condition}"
            );
            let values: Vec<&dyn ToValue> =
                batch.iter().map(|run_id| run_id as &dyn ToValue).collect();
            conn.query(&sql, values.as_slice(), &mut read).map(drop)
        })
    }
}

/// Calls `run` with the keys in batches of one of the sizes. A key that no row has fills the last one.
fn in_batches<K: Copy>(
    keys: &[K],
    filler: K,
    mut run: impl FnMut(&[K]) -> Result<(), StoreError>,
) -> Result<(), StoreError> {
    let [.., largest] = BATCHES;
    for chunk in keys.chunks(largest) {
        let size = BATCHES.into_iter().find(|size| *size >= chunk.len()).unwrap_or(largest);
        let mut batch = chunk.to_vec();
        batch.resize(size, filler);
        run(&batch)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn batches_hold_every_key_once_and_have_few_sizes() {
        for n in [0, 1, 2, 16, 17, 128, 129, 300] {
            let keys: Vec<i64> = (1..=n).collect();
            let (mut seen, mut sizes) = (Vec::new(), Vec::new());
            in_batches(&keys, 0, |batch| {
                seen.extend(batch.iter().copied().filter(|key| *key != 0));
                sizes.push(batch.len());
                Ok(())
            })
            .unwrap();
            assert_eq!(seen, keys);
            assert!(sizes.iter().all(|size| BATCHES.contains(size)), "{n}: {sizes:?}");
        }
    }
}
