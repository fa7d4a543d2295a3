//! The stores that real MLflow packages made (`testdata/old_stores`), unpacked and imported.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use herdbook_domain::hex_sha256;
use herdbook_import::{
    Import, ImportObserver, ImportReport, ImportRequest, Source, SourceOptions, target_location,
};
use herdbook_store::{Effect, Missing, Session, StoreError};
use tempfile::TempDir;

use crate::backend::open;

/// Every archive next to `make.py`.
pub(crate) const ALL: [&str; 7] = [
    "1.30.0-sqlite",
    "2.9.2-sqlite",
    "2.9.2-files",
    "2.22.2-sqlite",
    "2.22.2-files",
    "3.1.4-sqlite",
    "3.10.1-sqlite",
];

/// A store of an old MLflow in a folder of its own, and a folder to import into.
pub(crate) struct OldStore {
    folder: TempDir,
    target: TempDir,
    is_database: bool,
}

/// An observer that ignores the progress.
struct Silent;

impl ImportObserver for Silent {
    fn runs(&mut self, _done: usize, _total: usize) {}
    fn stage(&mut self, _text: &str) {}
}

impl OldStore {
    pub(crate) fn unpack(name: &str) -> Self {
        let archive = Path::new(env!("CARGO_MANIFEST_DIR"))
            .join(format!("../../testdata/old_stores/mlflow-{name}.tar.gz"));
        let folder = tempfile::tempdir().unwrap();
        let packed = flate2::read::GzDecoder::new(fs::File::open(archive).unwrap());
        tar::Archive::new(packed).unpack(folder.path()).unwrap();
        let is_database = name.ends_with("sqlite");
        Self { folder, target: tempfile::tempdir().unwrap(), is_database }
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub(crate) fn target(&self) -> &Path {
        self.target.path()
    }

    /// The database of the source, as another program writes it.
    pub(crate) fn database(&self) -> rusqlite::Connection {
        rusqlite::Connection::open(self.path("mlflow.db")).unwrap()
    }

    pub(crate) fn source(&self) -> Source {
        let name = if self.is_database { "mlflow.db" } else { "mlruns" };
        Source::parse(self.path(name).to_str().unwrap(), self.folder.path()).unwrap()
    }

    /// The ids of the source's runs by the names that `make.py` gave them.
    pub(crate) fn runs(&self) -> BTreeMap<String, String> {
        serde_json::from_slice(&fs::read(self.path("runs.json")).unwrap()).unwrap()
    }

    pub(crate) fn request(&self) -> ImportRequest {
        ImportRequest {
            source: self.source(),
            options: SourceOptions::default(),
            zone: "Europe/Berlin".parse().unwrap(),
        }
    }

    pub(crate) fn store(&self, missing: Missing) -> Session {
        let location = target_location(None, self.target(), &self.source()).unwrap();
        open(&location, missing).unwrap()
    }

    /// Another store to import into.
    pub(crate) fn store_in(&self, name: &str) -> Session {
        let folder = self.target().join(name);
        fs::create_dir(&folder).unwrap();
        let location = target_location(None, &folder, &self.source()).unwrap();
        open(&location, Missing::Create).unwrap()
    }

    pub(crate) fn import(&self, store: &Session) -> Result<ImportReport, StoreError> {
        import_into(store, &self.request())
    }

    pub(crate) fn dry_run(&self) -> ImportReport {
        dry_run(&self.request()).unwrap()
    }

    /// Hash of every file of the source, by its path.
    pub(crate) fn bytes(&self) -> BTreeMap<PathBuf, String> {
        let mut found = BTreeMap::new();
        hash_below(self.folder.path(), &mut found);
        found
    }
}

pub(crate) fn import_into(
    store: &Session,
    request: &ImportRequest,
) -> Result<ImportReport, StoreError> {
    Import::read(request, &mut Silent)?.bring_into(Some(store), Effect::Commit, &mut Silent)
}

pub(crate) fn dry_run(request: &ImportRequest) -> Result<ImportReport, StoreError> {
    Import::read(request, &mut Silent)?.bring_into(None, Effect::DryRun, &mut Silent)
}

fn hash_below(folder: &Path, found: &mut BTreeMap<PathBuf, String>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            hash_below(&path, found);
        } else {
            found.insert(path.clone(), hex_sha256(&fs::read(&path).unwrap()));
        }
    }
}
