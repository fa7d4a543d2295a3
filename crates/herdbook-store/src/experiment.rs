//! Experiments: found by name, or made.

use std::path::{Path, PathBuf};

use herdbook_domain::{ExperimentName, Timestamp};
use percent_encoding::percent_decode_str;

use crate::StoreError;
use crate::db::params;
use crate::store::Act;

/// An experiment whose artifacts lie on this machine.
pub(crate) struct Experiment {
    pub(crate) id: i64,
    pub(crate) artifacts: PathBuf,
}

/// The experiment of a name; it is made where there is none.
pub(crate) fn find_or_create(
    act: &Act<'_>,
    name: &ExperimentName,
    at: Timestamp,
) -> Result<Experiment, StoreError> {
    let found: Option<(i64, Option<String>, String)> = act.tx.query_first(
        "SELECT experiment_id, artifact_location, lifecycle_stage FROM experiments
         WHERE workspace = 'default' AND name = ?1",
        params![name.as_str()],
        |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)),
    )?;
    let Some((id, location, lifecycle)) = found else {
        return create(act, name, at);
    };
    if lifecycle == "deleted" {
        return Err(StoreError::DeletedExperiment { name: name.to_string(), id });
    }
    let location = location.unwrap_or_default();
    let artifacts = local_folder(&location).ok_or_else(|| StoreError::ForeignArtifacts {
        name: name.to_string(),
        location: location.clone(),
    })?;
    Ok(Experiment { id, artifacts })
}

pub(crate) fn create(
    act: &Act<'_>,
    name: &ExperimentName,
    at: Timestamp,
) -> Result<Experiment, StoreError> {
    let next_id = act.tx.dialect().next_experiment_id();
    let id: i64 = act.tx.query_row(next_id, params![], |row| row.get(0))?;
    let artifacts = act.artifact_root.join(id.to_string());
    let location = location_of(&artifacts);
    act.tx.execute(
        "INSERT INTO experiments (experiment_id, name, artifact_location, lifecycle_stage,
            creation_time, last_update_time, workspace)
         VALUES (?1, ?2, ?3, 'active', ?4, ?4, 'default')",
        params![id, name.as_str(), location, at.millis()],
    )?;
    // By this tag MLflow's UI shows the experiment with the pages for training, not those for language models.
    act.tx.execute(
        "INSERT INTO experiment_tags (key, value, experiment_id)
         VALUES ('mlflow.experimentKind', 'custom_model_development', ?1)",
        params![id],
    )?;
    Ok(Experiment { id, artifacts })
}

/// A folder as MLflow reads it: as it is, or as a `file://` URI where a character in it would be taken for more.
pub(crate) fn location_of(folder: &Path) -> String {
    let path = folder.display().to_string();
    if path.contains(['%', '#', '?']) {
        let escaped = path.replace('%', "%25").replace('#', "%23").replace('?', "%3F");
        format!("file://{escaped}")
    } else {
        path
    }
}

/// The folder that an artifact location or URI names, if it is one of this machine.
pub(crate) fn local_folder(location: &str) -> Option<PathBuf> {
    let path = match location.strip_prefix("file://") {
        Some(encoded) => {
            let path = encoded.strip_prefix("localhost").unwrap_or(encoded);
            percent_decode_str(path).decode_utf8().ok()?.into_owned()
        }
        None => location.to_owned(),
    };
    path.starts_with('/').then(|| PathBuf::from(path))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn location_of_a_folder_reads_back() {
        for folder in ["/a/b", "/a b/%20", "/a#b?"] {
            assert_eq!(local_folder(&location_of(Path::new(folder))), Some(PathBuf::from(folder)));
        }
    }

    #[test]
    fn only_absolute_paths_and_file_uris_are_local() {
        assert_eq!(local_folder("/a/b"), Some(PathBuf::from("/a/b")));
        assert_eq!(local_folder("file:///a/b%20c"), Some(PathBuf::from("/a/b c")));
        assert_eq!(local_folder("/a/b%20c"), Some(PathBuf::from("/a/b%20c")));
        assert_eq!(local_folder("mlflow-artifacts:/1"), None);
        assert_eq!(local_folder("s3://bucket/a"), None);
    }
}
