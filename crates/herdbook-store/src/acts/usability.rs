//! Whether a version can be used: one answer for promotions, rollbacks, searches, the doctor and everything that loads a
//! model.
//!
//! The records answer first. Only where they name no obstacle is the model file looked at.

use herdbook_domain::{Obstacle, RunId, Stage, VersionKey, is_managed};

use crate::acts::files::FileState;
use crate::engine::db::{Conn, params};
use crate::error::StoreError;
use crate::search::versions::VersionQuery;
use crate::store::Store;
use crate::tables::metric::MetricSelection;
use crate::tables::version::VersionRecord;

/// A version that cannot be used.
#[derive(Debug, Clone)]
pub struct UnusableVersion {
    /// The version.
    pub version: VersionRecord,
    /// Why it cannot be used.
    pub why: Obstacle,
}

impl Store {
    /// Why a version cannot be used, by the records and the model file; `None` where it can. Reads the model file.
    ///
    /// # Errors
    /// [`StoreError::NoSuchModel`], [`StoreError::NoSuchVersion`]; those of reading records and file.
    pub fn obstacle_to_use(&self, version: &VersionRecord) -> Result<Option<Obstacle>, StoreError> {
        if let Some(why) = self.obstacle_on_record(version)? {
            return Ok(Some(why));
        }
        let states = self.file_states(std::slice::from_ref(&version.key))?;
        Ok(states.first().and_then(obstacle_of_file).filter(Obstacle::bars_use))
    }

    /// Why a version cannot be used, by the records alone. A caller that reads the model file itself asks for this.
    ///
    /// # Errors
    /// Those of reading the records.
    pub fn obstacle_on_record(
        &self,
        version: &VersionRecord,
    ) -> Result<Option<Obstacle>, StoreError> {
        self.read(|conn| of_record(conn, version))
    }

    /// The versions with a stage that cannot be used by the records. Model files are not read.
    ///
    /// Versions that never had a run are left out unless they are champion: other programs register such versions, and
    /// nothing was lost.
    ///
    /// # Errors
    /// Those of reading the records.
    pub(crate) fn unusable_on_record(&self) -> Result<Vec<UnusableVersion>, StoreError> {
        self.read_as_it_stands(|conn| {
            let metrics = MetricSelection::Only(&[]);
            let query = VersionQuery { metrics, ..VersionQuery::default() };
            let versions = self.versions_in(conn, &query)?.records;
            let mut unusable = Vec::new();
            for version in versions.iter().filter(|version| is_managed(&version.tags)) {
                if let Some(why) = of_record(conn, version)?
                    && (why != Obstacle::WithoutRun || version.stage() == Some(Stage::Champion))
                {
                    unusable.push(UnusableVersion { version: version.clone(), why });
                }
            }
            Ok(unusable)
        })
    }

    /// The first version that a search finds and that can be used. Each one that cannot is passed over, and added to
    /// `passed`: the search is asked again without the runs of these versions.
    ///
    /// # Errors
    /// Those of the search and of [`Store::obstacle_to_use`].
    pub fn first_usable<T>(
        &self,
        passed: &mut Vec<(VersionKey, Obstacle)>,
        search: impl Fn(Vec<RunId>) -> Result<Option<T>, StoreError>,
        version_of: impl Fn(&T) -> &VersionRecord,
    ) -> Result<Option<T>, StoreError> {
        let mut runs = Vec::new();
        loop {
            let Some(found) = search(runs.clone())? else { return Ok(None) };
            let version = version_of(&found);
            let Some(why) = self.obstacle_to_use(version)? else { return Ok(Some(found)) };
            let is_known = passed.iter().any(|(key, _)| *key == version.key);
            // A candidate has a run. Without one it could not be excluded from the next search.
            let Some(run_id) = version.run_id.clone() else { return Ok(None) };
            runs.push(run_id);
            if !is_known {
                passed.push((version.key.clone(), why));
            }
        }
    }
}

/// Why a version cannot be used, by its row and those of its run and experiment.
pub(crate) fn of_record(
    conn: &Conn,
    version: &VersionRecord,
) -> Result<Option<Obstacle>, StoreError> {
    if version.deleted {
        return Ok(Some(Obstacle::Deleted));
    }
    if let Some(status) = version.status.as_ref().filter(|status| *status != "READY") {
        return Ok(Some(Obstacle::NotReady { status: status.clone() }));
    }
    let Some(run_id) = &version.run_id else { return Ok(Some(Obstacle::WithoutRun)) };
    let stages = conn.query_first(
        "SELECT coalesce(r.lifecycle_stage, ''), coalesce(e.lifecycle_stage, ''), coalesce(e.name, '')
         FROM runs r LEFT JOIN experiments e ON e.experiment_id = r.experiment_id
         WHERE r.run_uuid = ?1",
        params![run_id.as_str()],
        |row| {
            let text = |column| Ok::<_, StoreError>(row.readable::<String>(column)?.unwrap_or_default());
            Ok((text(0)?, text(1)?, text(2)?))
        },
    )?;
    let run_id = run_id.clone();
    Ok(match stages {
        None => Some(Obstacle::RunMissing { run_id }),
        // MLflow deletes the runs of an experiment together with it. To restore it is what helps.
        Some((_, experiment, name)) if experiment == "deleted" => {
            Some(Obstacle::ExperimentDeleted { experiment: name })
        }
        Some((run, _, _)) if run == "deleted" => Some(Obstacle::RunDeleted { run_id }),
        Some(_) => None,
    })
}

/// What the state of a model file means for the use of its version.
pub(crate) fn obstacle_of_file(file: &FileState) -> Option<Obstacle> {
    match file {
        FileState::Intact => None,
        FileState::Missing { path } | FileState::Unreadable { path, .. } => {
            Some(Obstacle::FileMissing { path: path.display().to_string() })
        }
        FileState::Altered { path, .. } => {
            Some(Obstacle::FileAltered { path: path.display().to_string() })
        }
        FileState::Unknown => Some(Obstacle::FileUnknown),
    }
}
