//! MLflow's old file store: `mlruns/<experiment>/<run>/…`, and its registry in `mlruns/models`.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use herdbook_domain::Timestamp;
use herdbook_domain::import::{Finding, FindingKind};
use herdbook_domain::tags::Tags;
use herdbook_store::tables::metric::Metric;
use herdbook_store::{StoreError, read_regular};

use super::local::{LocalArtifacts, files};
use super::records::{
    ArtifactsUnreadable, ExperimentRecord, ModelRecord, ModelVersionRecord, Reader, RunData,
    RunInfo,
};
use super::yaml::scalars;

const META: &str = "meta.yaml";
/// Largest file of the records, in bytes. A metric of ten million values has half of it.
const LARGEST_FILE: u64 = 1 << 30;
/// Deleted experiments are moved into this folder.
const TRASH: &str = ".trash";
const MODELS: &str = "models";

pub(super) struct Files {
    root: PathBuf,
    artifacts: LocalArtifacts,
    /// The folder of each run, by its id.
    folders: BTreeMap<String, PathBuf>,
    findings: Vec<Finding>,
}

type Meta = BTreeMap<String, Option<String>>;

impl Files {
    pub(super) fn open(root: &Path, artifacts: Option<&Path>) -> Result<Self, StoreError> {
        let store = Self {
            root: root.to_owned(),
            artifacts: LocalArtifacts::beside(root, artifacts),
            folders: BTreeMap::new(),
            findings: Vec::new(),
        };
        if store.experiment_folders()?.is_empty() {
            return Err(StoreError::Source {
                source_uri: root.display().to_string(),
                problem: "it is not an MLflow file store: no folder in it has a `meta.yaml`"
                    .to_owned(),
            });
        }
        Ok(store)
    }

    /// The folders of all experiments, also of deleted ones.
    fn experiment_folders(&self) -> Result<Vec<PathBuf>, StoreError> {
        let mut found = Vec::new();
        for place in [self.root.clone(), self.root.join(TRASH)] {
            if place.is_dir() {
                found.extend(subfolders(&place)?.into_iter().filter(|folder| {
                    folder.join(META).is_file() && folder.file_name() != Some(MODELS.as_ref())
                }));
            }
        }
        Ok(found)
    }

    /// Reads a `meta.yaml`. If it cannot be read, reports it.
    fn meta(&mut self, folder: &Path) -> Option<Meta> {
        let path = folder.join(META);
        let read = read_text(&path).map_err(|error| error.to_string());
        match read.and_then(|text| scalars(&text)) {
            Ok(meta) => Some(meta),
            Err(problem) => {
                self.unusable(&path, &problem);
                None
            }
        }
    }

    fn unusable(&mut self, path: &Path, problem: &str) {
        let message = format!("`{}` cannot be read: {problem}", path.display());
        self.findings.push(Finding::new(FindingKind::Unusable, message, "left out"));
    }

    /// Reads tags or params: one file each, whose path below the folder is the key and whose content is the value.
    fn values(&mut self, folder: &Path) -> Tags {
        let mut found = Tags::new();
        for key in self.keys(folder) {
            let path = folder.join(&key);
            match read_regular(&path, LARGEST_FILE) {
                Ok(bytes) => {
                    found.insert(key, String::from_utf8_lossy(&bytes).into_owned());
                }
                Err(error) => self.unusable(&path, &error.to_string()),
            }
        }
        found
    }

    fn keys(&mut self, folder: &Path) -> Vec<String> {
        if !folder.is_dir() {
            return Vec::new();
        }
        files(folder).unwrap_or_else(|error| {
            self.unusable(folder, &error.to_string());
            Vec::new()
        })
    }

    fn run(&mut self, folder: PathBuf) -> Option<RunInfo> {
        let meta = self.meta(&folder)?;
        let (Some(id), Some(experiment)) = (
            value(&meta, "run_id").or_else(|| value(&meta, "run_uuid")),
            value(&meta, "experiment_id"),
        ) else {
            self.unusable(&folder.join(META), "it has no `run_id` or no `experiment_id`");
            return None;
        };
        let tags = self.values(&folder.join("tags"));
        self.folders.insert(id.clone(), folder);
        Some(RunInfo {
            id,
            experiment,
            name: value(&meta, "run_name")
                .or_else(|| value(&meta, "name"))
                .or_else(|| tags.get("mlflow.runName").cloned())
                .unwrap_or_default(),
            user: value(&meta, "user_id").unwrap_or_default(),
            status: status(&value(&meta, "status").unwrap_or_default()),
            is_deleted: value(&meta, "lifecycle_stage").as_deref() == Some("deleted"),
            started_at: number(&meta, "start_time"),
            ended_at: number(&meta, "end_time"),
            artifact_uri: value(&meta, "artifact_uri").unwrap_or_default(),
            tags,
        })
    }

    fn metrics(&mut self, folder: &Path) -> Vec<Metric> {
        let mut found = Vec::new();
        for key in self.keys(folder) {
            let path = folder.join(&key);
            let text = match read_text(&path) {
                Ok(text) => text,
                Err(error) => {
                    self.unusable(&path, &error.to_string());
                    continue;
                }
            };
            for (line, row) in (1..).zip(text.lines().filter(|row| !row.trim().is_empty())) {
                match metric(&key, row) {
                    Some(metric) => found.push(metric),
                    None => self.unusable(&path, &format!("line {line} is not a metric value")),
                }
            }
        }
        found
    }

    fn model(&mut self, folder: &Path) -> Option<ModelRecord> {
        let meta = self.meta(folder)?;
        let aliases = self.values(&folder.join("aliases"));
        let versions = subfolders(folder).unwrap_or_default();
        let is_version = |folder: &PathBuf| {
            folder.file_name().is_some_and(|name| name.to_string_lossy().starts_with("version-"))
        };
        let mut versions: Vec<ModelVersionRecord> =
            versions.into_iter().filter(is_version).filter_map(|it| self.version(&it)).collect();
        versions.sort_by_key(|version| version.number);
        Some(ModelRecord {
            name: value(&meta, "name")?,
            created_at: number(&meta, "creation_timestamp"),
            updated_at: number(&meta, "last_updated_timestamp"),
            description: value(&meta, "description").unwrap_or_default(),
            tags: self.values(&folder.join("tags")),
            aliases: aliases
                .into_iter()
                .filter_map(|(alias, version)| Some((alias, version.trim().parse().ok()?)))
                .collect(),
            versions,
        })
    }

    fn version(&mut self, folder: &Path) -> Option<ModelVersionRecord> {
        let meta = self.meta(folder)?;
        let Some(version) = number(&meta, "version") else {
            self.unusable(&folder.join(META), "it has no `version`");
            return None;
        };
        Some(ModelVersionRecord {
            number: version,
            created_at: number(&meta, "creation_timestamp"),
            updated_at: number(&meta, "last_updated_timestamp"),
            description: value(&meta, "description").unwrap_or_default(),
            user: value(&meta, "user_id").unwrap_or_default(),
            stage: value(&meta, "current_stage").unwrap_or_else(|| "None".to_owned()),
            location: value(&meta, "storage_location")
                .or_else(|| value(&meta, "source"))
                .unwrap_or_default(),
            run_id: value(&meta, "run_id").filter(|id| !id.is_empty()),
            tags: self.values(&folder.join("tags")),
        })
    }

    /// The folder of a run's artifacts: in the run's own folder, also after the store was moved, or the recorded one.
    fn artifact_folder(&self, run: &RunInfo) -> Result<Option<PathBuf>, ArtifactsUnreadable> {
        let own = self.folders.get(&run.id).map(|folder| folder.join("artifacts"));
        match own.filter(|folder| folder.is_dir()) {
            Some(folder) => Ok(Some(folder)),
            None => self.artifacts.folder(run),
        }
    }
}

impl Reader for Files {
    fn label(&self) -> String {
        self.root.display().to_string()
    }

    fn experiments(&mut self) -> Result<Vec<ExperimentRecord>, StoreError> {
        let mut found = Vec::new();
        for folder in self.experiment_folders()? {
            let Some(meta) = self.meta(&folder) else { continue };
            let Some(id) = value(&meta, "experiment_id") else { continue };
            found.push(ExperimentRecord {
                id,
                name: value(&meta, "name").unwrap_or_default(),
                is_deleted: value(&meta, "lifecycle_stage").as_deref() == Some("deleted"),
                created_at: number(&meta, "creation_time"),
                updated_at: number(&meta, "last_update_time"),
                tags: self.values(&folder.join("tags")),
            });
        }
        Ok(found)
    }

    fn runs(&mut self) -> Result<Vec<RunInfo>, StoreError> {
        let mut found = Vec::new();
        for experiment in self.experiment_folders()? {
            for folder in subfolders(&experiment)? {
                if folder.join(META).is_file() {
                    found.extend(self.run(folder));
                } else if !matches!(
                    folder.file_name().and_then(|it| it.to_str()),
                    Some("tags" | "datasets" | "traces" | "models")
                ) {
                    self.unusable(&folder, "it has no `meta.yaml`");
                }
            }
        }
        found.sort_by(|one, other| (one.started_at, &one.id).cmp(&(other.started_at, &other.id)));
        Ok(found)
    }

    fn models(&mut self) -> Result<Vec<ModelRecord>, StoreError> {
        let folder = self.root.join(MODELS);
        if !folder.is_dir() {
            return Ok(Vec::new());
        }
        Ok(subfolders(&folder)?.iter().filter_map(|folder| self.model(folder)).collect())
    }

    fn run_data(&mut self, runs: &[&RunInfo]) -> Result<Vec<RunData>, StoreError> {
        let mut run_data = Vec::new();
        for run in runs {
            let folder = self.folders.get(&run.id).cloned().unwrap_or_default();
            run_data.push(RunData {
                params: self.values(&folder.join("params")),
                metrics: self.metrics(&folder.join("metrics")),
            });
        }
        Ok(run_data)
    }

    fn artifacts(&mut self, run: &RunInfo) -> Result<Vec<String>, ArtifactsUnreadable> {
        let Some(folder) = self.artifact_folder(run)? else { return Ok(Vec::new()) };
        files(&folder).map_err(|error| ArtifactsUnreadable {
            root: folder.display().to_string(),
            problem: error.to_string(),
        })
    }

    fn folder(&self, run: &RunInfo) -> Option<PathBuf> {
        self.artifact_folder(run).ok().flatten()
    }

    fn fetch(&mut self, run: &RunInfo, artifact: &str, to: &Path) -> std::io::Result<()> {
        let folder = self.folder(run).unwrap_or_default();
        fs::copy(folder.join(artifact), to).map(drop)
    }

    fn findings(&mut self) -> Vec<Finding> {
        std::mem::take(&mut self.findings)
    }
}

/// The folders in a folder, sorted.
fn subfolders(folder: &Path) -> Result<Vec<PathBuf>, StoreError> {
    let failed = |source| StoreError::Artifact { verb: "list", path: folder.to_owned(), source };
    let entries = fs::read_dir(folder).map_err(failed)?.collect::<Result<Vec<_>, _>>();
    let paths = entries.map_err(failed)?.into_iter().map(|entry| entry.path());
    let mut found: Vec<PathBuf> = paths.filter(|path| path.is_dir()).collect();
    found.sort_unstable();
    Ok(found)
}

fn value(meta: &Meta, key: &str) -> Option<String> {
    meta.get(key)?.clone()
}

fn number(meta: &Meta, key: &str) -> Option<i64> {
    value(meta, key)?.parse().ok()
}

/// The status of a run: a number of `RunStatus` in MLflow's `service.proto`, in old stores its name.
fn status(text: &str) -> String {
    let name = match text {
        "1" => "RUNNING",
        "2" => "SCHEDULED",
        "3" => "FINISHED",
        "4" => "FAILED",
        "5" => "KILLED",
        name => name,
    };
    name.to_owned()
}

/// Parses `time value`, `time value step`, or `time value step dataset digest`.
fn metric(key: &str, row: &str) -> Option<Metric> {
    let fields: Vec<&str> = row.split_whitespace().collect();
    let (at, value, step) = match fields[..] {
        [at, value] => (at, value, "0"),
        [at, value, step] | [at, value, step, _, _] => (at, value, step),
        _ => return None,
    };
    Some(Metric {
        key: key.to_owned(),
        value: value.parse().ok()?,
        at: Timestamp::from_millis(at.parse().ok()?),
        step: step.parse().ok()?,
    })
}

fn read_text(path: &Path) -> io::Result<String> {
    String::from_utf8(read_regular(path, LARGEST_FILE)?)
        .map_err(|_| io::Error::other("it is not UTF-8"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn value_is_read_in_each_form_that_mlflow_wrote() {
        let read = |row| metric("loss", row).map(|it| (it.at.millis(), it.value, it.step));
        assert_eq!(read("1751353200002 0.25 2048"), Some((1_751_353_200_002, 0.25, 2048)));
        assert_eq!(read("1751353200002 -2.5e-07"), Some((1_751_353_200_002, -2.5e-7, 0)));
        assert_eq!(read("1 inf 7 data 0a1b"), Some((1, f64::INFINITY, 7)));
        assert!(metric("loss", "1 nan 7").unwrap().value.is_nan());
        for row in ["", "1", "x 1 2", "1 y 2", "1 2 z", "1 2 3 4"] {
            assert_eq!(read(row), None, "{row}");
        }
    }
}
