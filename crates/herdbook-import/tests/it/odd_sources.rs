//! Imports of sources with faults: damaged files, texts that are too long, names that are not valid, interruptions.

use std::fs;
use std::path::{Path, PathBuf};

use herdbook_domain::{RunId, RunStatus};
use herdbook_import::{ImportReport, ImportRequest, Source, SourceOptions, target_location};
use herdbook_store::{EventQuery, Missing, Session, StoreError};
use tempfile::TempDir;

use crate::backend::open;
use crate::herd::{Herd, MODEL_FILE, model};
use crate::old_stores::{dry_run, import_into};

/// A file store that a test writes by hand, and a store to import it into.
struct Scene {
    source: TempDir,
    target: TempDir,
}

fn id(digit: char) -> String {
    digit.to_string().repeat(32)
}

fn parsed(digit: char) -> RunId {
    RunId::parse(&id(digit)).unwrap()
}

impl Scene {
    fn new() -> Self {
        let scene =
            Self { source: tempfile::tempdir().unwrap(), target: tempfile::tempdir().unwrap() };
        scene.write("1/meta.yaml", "experiment_id: '1'\nname: theirs\nlifecycle_stage: active\n");
        scene
    }

    fn write(&self, path: &str, content: &str) {
        let path = self.root().join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, content).unwrap();
    }

    fn root(&self) -> PathBuf {
        self.source.path().join("mlruns")
    }

    /// A finished run of the experiment.
    fn run(&self, digit: char) {
        let id = id(digit);
        let meta = format!(
            "run_id: {id}\nexperiment_id: '1'\nrun_name: r\nstatus: 3\nstart_time: 1000\n\
             end_time: 2000\nlifecycle_stage: active\nartifact_uri: {}/1/{id}/artifacts\n",
            self.root().display()
        );
        self.write(&format!("1/{id}/meta.yaml"), &meta);
        self.write(&format!("1/{id}/artifacts/notes.txt"), "notes");
    }

    fn request(&self) -> ImportRequest {
        let source = Source::parse(self.root().to_str().unwrap(), self.source.path()).unwrap();
        let zone = "UTC".parse().unwrap();
        ImportRequest { source, options: SourceOptions::default(), zone }
    }

    fn store(&self) -> Session {
        let request = self.request();
        let location = target_location(None, self.target.path(), &request.source).unwrap();
        open(&location, Missing::Create).unwrap()
    }

    fn import(&self) -> (Session, ImportReport) {
        let store = self.store();
        let report = import_into(&store, &self.request()).unwrap();
        (store, report)
    }
}

pub(crate) fn lines(report: &ImportReport) -> String {
    report.audit.iter().map(|finding| finding.line() + "\n").collect()
}

#[test]
fn damaged_run_is_reported_and_the_others_are_imported() {
    let scene = Scene::new();
    scene.run('a');
    scene.run('b');
    scene.write(&format!("1/{}/meta.yaml", id('b')), "run_id: [");
    scene.write("1/stray/notes.txt", "no meta.yaml here");
    scene.write("2/meta.yaml", "experiment_id: '2'\nname: empty\n");
    let (store, report) = scene.import();
    assert_eq!((report.experiments.added, report.runs.added), (2, 1));
    assert_eq!(store.run(&parsed('a')).unwrap().status, RunStatus::Finished);
    let lines = lines(&report);
    assert!(lines.contains(&format!("{}/meta.yaml` cannot be read", id('b'))), "{lines}");
    assert!(lines.contains("stray` cannot be read: it has no `meta.yaml`"), "{lines}");
    assert_eq!(dry_run(&scene.request()).unwrap().audit.len(), report.audit.len());
}

#[test]
fn run_with_a_bad_status_or_id_or_without_its_experiment_is_left_out() {
    let scene = Scene::new();
    for digit in ['a', 'b', 'c', 'd'] {
        scene.run(digit);
    }
    let change = |digit: char, from: &str, to: &str| {
        let path = scene.root().join(format!("1/{}/meta.yaml", id(digit)));
        let meta = fs::read_to_string(&path).unwrap();
        assert!(meta.contains(from));
        fs::write(&path, meta.replacen(from, to, 1)).unwrap();
    };
    change('b', "status: 3", "status: LOST");
    change('c', "experiment_id: '1'", "experiment_id: '99'");
    change('d', &id('d'), &id('a'));
    let dry = dry_run(&scene.request()).unwrap();
    let (store, report) = scene.import();
    assert_eq!((report.runs.found, report.runs.added), (1, 1));
    assert_eq!((dry.runs.added, dry.audit.len()), (report.runs.added, report.audit.len()));
    assert!(store.run(&parsed('c')).is_err());
    let lines = lines(&report);
    assert!(lines.contains("its experiment is missing"), "{lines}");
    assert!(lines.contains("another run has the same id"), "{lines}");
    assert!(lines.contains("LOST"), "{lines}");
}

#[test]
fn texts_that_are_too_long_are_cut_and_reported() {
    let scene = Scene::new();
    scene.run('a');
    let run = format!("1/{}", id('a'));
    scene.write(&format!("{run}/tags/long"), &"é".repeat(9_000));
    scene.write(&format!("{run}/params/long"), &"p".repeat(9_000));
    // A key may be a path; this one is longer than 250 characters.
    scene.write(&format!("{run}/tags/{}/{}", "k".repeat(200), "k".repeat(200)), "v");
    scene.write(&format!("{run}/metrics/{}/{}", "m".repeat(200), "m".repeat(200)), "1 2 3\n");
    scene.write(&format!("{run}/metrics/evaluation/loss"), "1000 0.5 7\nbroken line\n");
    let (store, report) = scene.import();
    let imported = store.run(&parsed('a')).unwrap();
    assert_eq!(imported.tags["long"], "é".repeat(8_000));
    assert_eq!(imported.params["long"], "p".repeat(8_000));
    assert_eq!(imported.metric("evaluation/loss"), Some(0.5));
    let metric_keys = imported.metrics.iter().map(|metric| &metric.key);
    assert!(imported.tags.keys().chain(metric_keys).all(|key| key.len() <= 250));
    let lines = lines(&report);
    assert!(lines.contains("the tag `long` has 9000 characters"), "{lines}");
    assert!(lines.contains("the param `long` has 9000 characters"), "{lines}");
    assert!(lines.contains("the key of a tag is longer than 250 characters"), "{lines}");
    assert!(lines.contains("the key of a metric is longer than 250 characters"), "{lines}");
    assert!(lines.contains("line 2 is not a metric value"), "{lines}");
}

#[test]
fn experiment_whose_name_is_not_valid_gets_another_one() {
    let scene = Scene::new();
    scene.run('a');
    scene.write("1/meta.yaml", "experiment_id: '1'\nname: \"two\\nlines\"\n");
    scene.write(".trash/5/meta.yaml", "experiment_id: '5'\nname: old\nlifecycle_stage: deleted\n");
    let (store, report) = scene.import();
    assert_eq!(store.run(&parsed('a')).unwrap().experiment, "imported_1");
    assert!(lines(&report).contains("imported as `imported_1`"), "{}", lines(&report));
    assert_eq!(report.experiments.added, 2, "the deleted one, too");
    let (_, again) = scene.import();
    assert_eq!(again.experiments.added, 0);
}

/// A file where a folder of the target has to be stops the import; once it is gone, the import completes.
#[test]
fn import_that_was_interrupted_is_completed_by_the_next() {
    let scene = Scene::new();
    scene.run('a');
    scene.run('b');
    let store = scene.store();
    let experiment = scene.target.path().join("mlruns/1");
    fs::create_dir_all(&experiment).unwrap();
    let obstacle = experiment.join(id('b'));
    fs::write(&obstacle, "in the way").unwrap();
    let error = import_into(&store, &scene.request()).unwrap_err();
    assert!(matches!(error, StoreError::Artifact { .. }), "{error}");
    assert!(store.run(&parsed('a')).is_err(), "the batch was not written");
    fs::remove_file(&obstacle).unwrap();
    let report = import_into(&store, &scene.request()).unwrap();
    assert_eq!((report.runs.added, report.files), (2, 2));
    for digit in ['a', 'b'] {
        assert_eq!(store.read_artifact(&parsed(digit), "notes.txt").unwrap(), b"notes");
    }
    assert_eq!(store.diagnose().unwrap(), []);
}

#[cfg(unix)]
#[test]
fn links_among_artifacts_are_read_as_files_and_folders_behind_them_left_out() {
    use std::os::unix::fs::symlink;
    let scene = Scene::new();
    scene.run('a');
    let artifacts = scene.root().join(format!("1/{}/artifacts", id('a')));
    symlink("notes.txt", artifacts.join("link.txt")).unwrap();
    symlink("nowhere", artifacts.join("dangling.txt")).unwrap();
    symlink(&artifacts, artifacts.join("itself")).unwrap();
    let (store, report) = scene.import();
    assert_eq!(report.files, 2);
    let names = store.artifact_names(&parsed('a'), "").unwrap();
    assert_eq!(names, ["link.txt", "notes.txt"]);
    let path = store.artifact_path(&parsed('a'), "link.txt").unwrap();
    assert!(fs::symlink_metadata(path).unwrap().is_file(), "a copy, not a link");
}

/// The source of an import may be herdbook's own database, also while it is open.
pub(crate) fn import_of(herd: &Herd, folder: &Path) -> (Session, ImportReport) {
    let source =
        Source::parse(herd.folder.path().join("mlflow.db").to_str().unwrap(), folder).unwrap();
    let location = target_location(None, folder, &source).unwrap();
    let store = open(&location, Missing::Create).unwrap();
    let zone = "UTC".parse().unwrap();
    let request = ImportRequest { source, options: SourceOptions::default(), zone };
    let report = import_into(&store, &request).unwrap();
    (store, report)
}

#[test]
fn store_of_herdbook_is_imported_with_stages_lineage_and_files() {
    let herd = Herd::new();
    let parent = herd.train(None, 1.0);
    let child = herd.train(Some(&parent), 2.0);
    for stage in [herdbook_domain::Stage::Beta, herdbook_domain::Stage::Champion] {
        herd.promote(2, stage).unwrap();
    }
    let folder = tempfile::tempdir().unwrap();
    let (store, report) = import_of(&herd, folder.path());
    assert_eq!((report.runs.added, report.versions.added, report.audit.len()), (2, 2, 0));
    let champion = store.champion(&model()).unwrap().unwrap();
    assert_eq!(champion.run_id.as_ref(), Some(&child));
    assert_eq!(store.read_artifact(&child, "models/1H/model.zip").unwrap(), MODEL_FILE);
    let tags = |store: &Session| store.version(&champion.key).unwrap().tags;
    assert_eq!(tags(&store), tags(&herd.store));
    assert_eq!(store.diagnose().unwrap(), []);
    assert!(store.verify().unwrap().chain.unwrap().is_ok());
}

#[test]
fn other_workspaces_and_kinds_of_records_are_reported_and_left_out() {
    let herd = Herd::new();
    herd.train(None, 1.0);
    herd.foreign()
        .execute_batch(
            "INSERT INTO experiments (name, artifact_location, lifecycle_stage, workspace)
             VALUES ('theirs', '/x', 'active', 'another');
             INSERT INTO datasets (dataset_uuid, experiment_id, name, digest, dataset_source_type,
                 dataset_source)
             VALUES ('u', 0, 'd', 'x', 's', 's')",
        )
        .unwrap();
    let folder = tempfile::tempdir().unwrap();
    let (store, report) = import_of(&herd, folder.path());
    assert_eq!(report.runs.added, 1);
    let lines = lines(&report);
    assert!(lines.contains("1 logged datasets are not imported"), "{lines}");
    assert!(lines.contains("1 experiments of other workspaces are not imported"), "{lines}");
    assert!(!store.events(&EventQuery::default()).unwrap().is_empty());
}

#[test]
fn metrics_keep_steps_times_and_infinities() {
    let herd = Herd::new();
    let run_id = herd.train(None, 1.0);
    herd.foreign()
        .execute_batch(&format!(
            "INSERT INTO metrics (key, value, timestamp, run_uuid, step, is_nan) VALUES
             ('x', 1.7976931348623157e308, 11, '{run_id}', 1, 0),
             ('x', -1.7976931348623157e308, 12, '{run_id}', 2, 0),
             ('x', 0, 13, '{run_id}', 3, 1)"
        ))
        .unwrap();
    let folder = tempfile::tempdir().unwrap();
    let (_, _) = import_of(&herd, folder.path());
    let history = |file: PathBuf| -> Vec<(f64, i64, i64, bool)> {
        let sql =
            "SELECT value, timestamp, step, is_nan FROM metrics WHERE key = 'x' ORDER BY step";
        let conn = rusqlite::Connection::open(file).unwrap();
        let mut statement = conn.prepare(sql).unwrap();
        let row =
            |row: &rusqlite::Row<'_>| Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?));
        statement.query_map([], row).unwrap().collect::<Result<_, _>>().unwrap()
    };
    let imported = history(folder.path().join("mlflow.db"));
    assert_eq!(imported.len(), 3);
    assert_eq!(imported, history(herd.folder.path().join("mlflow.db")));
}

#[test]
fn source_is_recognised_as_the_target_through_links_and_relative_paths() {
    let herd = Herd::new();
    let folder = herd.folder.path();
    let refused = |source: &str, directory: &Path| {
        let source = Source::parse(source, directory).unwrap();
        matches!(target_location(None, folder, &source), Err(StoreError::SameStore { .. }))
    };
    assert!(refused("mlflow.db", folder));
    assert!(refused("sqlite:///mlflow.db", folder));
    fs::create_dir(folder.join("deeper")).unwrap();
    assert!(refused("../mlflow.db", &folder.join("deeper")));
    #[cfg(unix)]
    {
        let elsewhere = tempfile::tempdir().unwrap();
        let link = elsewhere.path().join("link.db");
        std::os::unix::fs::symlink(folder.join("mlflow.db"), &link).unwrap();
        assert!(refused(link.to_str().unwrap(), elsewhere.path()));
    }
}

#[test]
fn addresses_of_other_kinds_are_refused_with_those_that_are_read() {
    let folder = tempfile::tempdir().unwrap();
    let parse = |text: &str| Source::parse(text, folder.path());
    for text in ["mysql://h/d", "s3://bucket/mlruns", "databricks://x"] {
        let error = parse(text).unwrap_err().to_string();
        assert!(error.contains(text) && error.contains("`http(s)://…`"), "{error}");
    }
    assert!(matches!(parse("postgresql://h/d").unwrap(), Source::Postgres(_)));
    let error = parse("postgresql://h").unwrap_err().to_string();
    assert!(error.contains("it names no database"), "{error}");
    let error = parse("file:mlruns").unwrap_err().to_string();
    assert!(error.contains("write `file:///absolute/path`"), "{error}");
    fs::create_dir(folder.path().join("a b")).unwrap();
    let uri = format!("file://{}/a%20b", folder.path().display());
    assert_eq!(parse(&uri).unwrap(), Source::Files(folder.path().join("a b")));
    assert_eq!(parse("https://h/").unwrap(), Source::Server("https://h".to_owned()));
}

#[test]
fn value_of_a_wrong_type_is_reported_with_its_table_and_the_rest_is_imported() {
    let herd = Herd::new();
    let run_id = herd.train(None, 1.0);
    herd.foreign()
        .execute_batch(
            "UPDATE runs SET start_time = 'abc';
             UPDATE model_versions SET last_updated_time = x'ff';
             UPDATE registered_models SET creation_time = 'long ago';
             UPDATE experiments SET creation_time = 'then' WHERE experiment_id <> 0;
             UPDATE metrics SET step = 'first'",
        )
        .unwrap();
    let folder = tempfile::tempdir().unwrap();
    let (store, report) = import_of(&herd, folder.path());
    assert_eq!((report.runs.added, report.versions.added), (1, 1));
    assert!(store.run(&run_id).unwrap().ended_at.is_some());
    let lines = lines(&report);
    for said in [
        &format!(
            "run `{run_id}`: `start_time` in the table `runs` is `abc`, not an integer; imported without it"
        ),
        "`1H_trading_model` version 1: `last_updated_time` in the table `model_versions` is",
        "`1H_trading_model`: `creation_time` in the table `registered_models` is `long ago`",
        "`creation_time` in the table `experiments` is `then`",
        "a value of its metric `evaluation/best_mean_reward` in the table `metrics`: it is not an integer",
    ] {
        assert!(lines.contains(said), "{said}: {lines}");
    }
}
