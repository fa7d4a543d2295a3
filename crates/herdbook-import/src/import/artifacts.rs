//! Artifact files: copied from the source, and searched for the model file.

use std::fs::{self, File};
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use herdbook_domain::import::SourceFile;
use herdbook_domain::tags::key;
use herdbook_store::artifacts::hashing::sha256;
use herdbook_store::{StoreError, open_regular};

use crate::source::{self, ArtifactsUnreadable, ModelVersionRecord, Reader, RunInfo};

/// The facts to find out about a model file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum FileDetail {
    /// Its path.
    Path,
    /// Its path and its SHA-256.
    PathAndHash,
}

/// The result of copying the files of one run.
#[derive(Debug, Default)]
pub(super) struct Copied {
    pub(super) files: usize,
    pub(super) bytes: u64,
    /// Files that could not be read: path and problem.
    pub(super) unread: Vec<(String, String)>,
}

/// Copies the artifacts of a run. The run is not recorded yet, so files that an interrupted import left in the folder are
/// replaced. The files are durable after [`sync`].
pub(super) fn copy(
    reader: &mut dyn Reader,
    info: &RunInfo,
    folder: &Path,
) -> Result<Result<Copied, ArtifactsUnreadable>, StoreError> {
    let names = match reader.artifacts(info) {
        Ok(names) => names,
        Err(unreadable) => return Ok(Err(unreadable)),
    };
    refuse_to_copy_onto_itself(reader, info, folder)?;
    let mut copied = Copied::default();
    for name in names {
        let path = folder.join(&name);
        remove_existing(&path)?;
        match reader.fetch(info, &name, &path) {
            Ok(()) => {
                copied.files += 1;
                copied.bytes += fs::metadata(&path).map_or(0, |file| file.len());
            }
            Err(source) if is_target_full(&source) => {
                return Err(StoreError::Artifact { verb: "write", path, source });
            }
            Err(error) => {
                // Best effort: an incomplete file must not be left behind as if it were complete.
                let _ = fs::remove_file(&path);
                copied.unread.push((name, error.to_string()));
            }
        }
    }
    Ok(Ok(copied))
}

/// Refuses a folder that source and target share: copying would delete the source's files.
fn refuse_to_copy_onto_itself(
    reader: &dyn Reader,
    info: &RunInfo,
    folder: &Path,
) -> Result<(), StoreError> {
    let source = reader.folder(info).and_then(|folder| folder.canonicalize().ok());
    match (source, folder.canonicalize()) {
        (Some(source), Ok(target))
            if target.starts_with(&source) || source.starts_with(&target) =>
        {
            Err(StoreError::SameStore { path: folder.to_owned() })
        }
        _ => Ok(()),
    }
}

fn remove_existing(path: &Path) -> Result<(), StoreError> {
    let parent = path.parent().unwrap_or(Path::new("/"));
    fs::create_dir_all(parent).map_err(|source| StoreError::Artifact {
        verb: "create the folder",
        path: parent.to_owned(),
        source,
    })?;
    match fs::remove_file(path) {
        Err(source) if source.kind() != ErrorKind::NotFound => {
            Err(StoreError::Artifact { verb: "replace", path: path.to_owned(), source })
        }
        _ => Ok(()),
    }
}

fn is_target_full(error: &std::io::Error) -> bool {
    matches!(
        error.kind(),
        ErrorKind::StorageFull
            | ErrorKind::QuotaExceeded
            | ErrorKind::FileTooLarge
            | ErrorKind::ReadOnlyFilesystem
    )
}

/// Makes all files and folders below a folder durable, with one call for the whole file system: file by file it takes minutes
/// for tens of thousands of runs.
#[cfg(target_os = "linux")]
pub(super) fn sync(folder: &Path) -> Result<(), StoreError> {
    let failed = |source| StoreError::Artifact { verb: "sync", path: folder.to_owned(), source };
    let handle = File::open(folder).map_err(failed)?;
    rustix::fs::syncfs(&handle).map_err(|error| failed(error.into()))
}

/// Makes all files and folders below a folder durable, file by file.
#[cfg(not(target_os = "linux"))]
pub(super) fn sync(folder: &Path) -> Result<(), StoreError> {
    let failed = |source| StoreError::Artifact { verb: "sync", path: folder.to_owned(), source };
    for entry in fs::read_dir(folder).map_err(failed)? {
        let path = entry.map_err(failed)?.path();
        if path.is_dir() {
            sync(&path)?;
        } else {
            File::open(&path).and_then(|file| file.sync_all()).map_err(failed)?;
        }
    }
    File::open(folder).and_then(|folder| folder.sync_all()).map_err(failed)
}

/// Finds the model file of a version, among the copied artifacts if there are any, or else among those of the source, which
/// are not hashed.
pub(super) fn model_file(
    reader: &mut dyn Reader,
    info: &RunInfo,
    version: &ModelVersionRecord,
    copied: Option<PathBuf>,
    detail: FileDetail,
) -> Result<Option<SourceFile>, StoreError> {
    let Some(folder) = copied else {
        let names = reader.artifacts(info).unwrap_or_default();
        let artifact = locate(info, version, &names);
        return Ok(artifact.map(|artifact| SourceFile { artifact, sha256: None }));
    };
    let mut names = Vec::new();
    if folder.is_dir() {
        names = source::local::files(&folder).map_err(|source| StoreError::Artifact {
            verb: "list",
            path: folder.clone(),
            source,
        })?;
    }
    let Some(artifact) = locate(info, version, &names) else { return Ok(None) };
    let sha256 = match detail {
        FileDetail::Path => None,
        FileDetail::PathAndHash => {
            let path = folder.join(&artifact);
            let hashed = open_regular(&path).and_then(|mut file| sha256(&mut file));
            Some(hashed.map_err(|source| StoreError::Artifact { verb: "read", path, source })?)
        }
    };
    Ok(Some(SourceFile { artifact, sha256 }))
}

/// The path of a version's model file: the conventional one, the one recorded for the version, or that of the only zip file.
fn locate(info: &RunInfo, version: &ModelVersionRecord, names: &[String]) -> Option<String> {
    let has = |name: &String| names.contains(name);
    let timeframe = version.tags.get(key::TIMEFRAME).or_else(|| info.tags.get(key::TIMEFRAME));
    let by_convention = timeframe.map(|timeframe| format!("models/{timeframe}/model.zip"));
    let recorded = path_in_run(info, &version.location);
    let in_recorded = recorded.as_ref().map(|folder| format!("{folder}/model.zip"));
    let candidates = [by_convention, recorded, in_recorded];
    if let Some(found) = candidates.into_iter().flatten().find(has) {
        return Some(found);
    }
    let is_zip = |name: &&String| Path::new(name).extension().is_some_and(|it| it == "zip");
    let mut zips = names.iter().filter(is_zip);
    zips.next().filter(|_| zips.next().is_none()).cloned()
}

/// The path of a version's files among the artifacts of its run.
pub(super) fn path_in_run(info: &RunInfo, location: &str) -> Option<String> {
    let in_run = location
        .strip_prefix(info.artifact_uri.as_str())
        .or_else(|| location.strip_prefix("runs:/")?.strip_prefix(info.id.as_str()))?;
    let path = in_run.trim_matches('/');
    (!path.is_empty()).then(|| path.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use herdbook_domain::tags::Tags;

    fn info() -> RunInfo {
        RunInfo {
            id: "ab".to_owned(),
            experiment: "1".to_owned(),
            name: String::new(),
            user: String::new(),
            status: "FINISHED".to_owned(),
            is_deleted: false,
            started_at: None,
            ended_at: None,
            artifact_uri: "/old/1/ab/artifacts".to_owned(),
            tags: Tags::new(),
        }
    }

    fn at(location: &str) -> ModelVersionRecord {
        ModelVersionRecord {
            number: 1,
            created_at: None,
            updated_at: None,
            description: String::new(),
            user: String::new(),
            stage: "None".to_owned(),
            location: location.to_owned(),
            run_id: None,
            tags: Tags::from([(key::TIMEFRAME.to_owned(), "1H".to_owned())]),
        }
    }

    #[test]
    fn model_file_is_found_by_convention_by_location_or_because_it_is_the_only_one() {
        let found = |location: &str, names: &[&str]| {
            let names: Vec<String> = names.iter().map(|&name| name.to_owned()).collect();
            locate(&info(), &at(location), &names)
        };
        let usual = "models/1H/model.zip";
        assert_eq!(found("elsewhere", &["x.zip", usual]).as_deref(), Some(usual));
        assert_eq!(found("runs:/ab/m", &["m/model.zip", "x.zip"]).as_deref(), Some("m/model.zip"));
        let in_place = found("/old/1/ab/artifacts/m/a.zip", &["m/a.zip", "x.zip"]);
        assert_eq!(in_place.as_deref(), Some("m/a.zip"));
        assert_eq!(found("", &["plot.png", "agent.zip"]).as_deref(), Some("agent.zip"));
        assert_eq!(found("", &["a.zip", "b.zip"]), None);
        assert_eq!(found("", &[]), None);
    }
}
