//! Imports of stores that real MLflow packages made.

use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;

use herdbook_domain::import::Finding;
use herdbook_domain::tags::key;
use herdbook_domain::{
    BreachKind, Evaluation, ModelName, PromotionRequest, Reason, RollbackRequest, RunId, RunStatus,
    Stage, Timestamp, VersionKey, VersionNumber, champion_at,
};
use herdbook_import::{Source, target_location};
use herdbook_store::{
    Effect, EventQuery, FileState, Location, Missing, Session, Store, StoreError, VersionQuery,
};

use crate::backend::open;
use crate::herd::options;
use crate::old_stores::{ALL, OldStore, dry_run, import_into};

fn key_of(name: &str, version: i64) -> VersionKey {
    VersionKey {
        name: ModelName::parse(name).unwrap(),
        version: VersionNumber::new(version).unwrap(),
    }
}

fn hourly(version: i64) -> VersionKey {
    key_of("1H_trading_model", version)
}

fn four_hourly(version: i64) -> VersionKey {
    key_of("4H_trading_model", version)
}

fn run_id(old: &OldStore, name: &str) -> RunId {
    RunId::parse(&old.runs()[name]).unwrap()
}

/// Stage and version type of a version, by its tags.
fn standing(store: &Session, key: &VersionKey) -> (String, String) {
    let tags = store.version(key).unwrap().tags;
    let tag = |key: &str| tags.get(key).cloned().unwrap_or_default();
    (tag(key::PROMOTION_STAGE), tag(key::VERSION_TYPE))
}

#[test]
fn store_of_each_mlflow_comes_in_whole_and_healthy() {
    for name in ALL {
        let old = OldStore::unpack(name);
        let before = old.bytes();
        let store = old.store(Missing::Create);
        let report = old.import(&store).unwrap();
        assert_eq!((report.runs.found, report.runs.added), (16, 16), "{name}");
        assert_eq!((report.versions.found, report.versions.added), (13, 13), "{name}");
        assert_eq!(old.bytes(), before, "{name}: the source was changed");

        let verification = store.verify().unwrap();
        assert!(verification.chain.unwrap().is_ok(), "{name}");
        let intact = verification.files.iter().filter(|(_, state)| *state == FileState::Intact);
        assert_eq!(intact.count(), 11, "{name}: {:?}", verification.files);
        let breaches: Vec<BreachKind> =
            store.diagnose().unwrap().iter().map(|breach| breach.kind).collect();
        let named = [BreachKind::OrphanParent, BreachKind::ModelFile];
        assert_eq!(breaches, named, "{name}: what the audit names, too");

        let words = |stage: &str, kind: &str| (stage.to_owned(), kind.to_owned());
        assert_eq!(standing(&store, &hourly(1)), words("archived", "old"), "{name}");
        assert_eq!(standing(&store, &hourly(2)), words("champion", "old"), "{name}");
        assert_eq!(standing(&store, &hourly(3)), words("beta", "latest"), "{name}");
        assert_eq!(standing(&store, &four_hourly(1)), words("archived", "old"), "{name}");
        assert_eq!(standing(&store, &four_hourly(2)), words("champion", "latest"), "{name}");
        assert_eq!(standing(&store, &four_hourly(4)), words("development", "latest"), "{name}");
    }
}

#[test]
fn audit_names_each_contradiction_once_and_again_the_next_time() {
    let kinds = [
        "alias_differs",
        "duplicate_registration",
        "latest_with_children",
        "model_file_missing",
        "old_without_children",
        "parent_missing",
        "parent_timeframe",
        "run_left_running",
        "stage_without_history",
        "tags_differ",
        "two_champions",
        "unknown_word",
        "version_gap",
    ];
    let old = OldStore::unpack("2.22.2-sqlite");
    let dry = old.dry_run();
    let store = old.store(Missing::Create);
    let first = old.import(&store).unwrap();
    let second = old.import(&store).unwrap();
    let found = |report: &herdbook_import::ImportReport| {
        let mut words: Vec<&str> = report.audit.iter().map(|it| it.kind.as_str()).collect();
        words.sort_unstable();
        words.dedup();
        words
    };
    assert_eq!(found(&first), kinds);
    assert_eq!((found(&dry), dry.runs.added, dry.versions.added), (kinds.to_vec(), 16, 13));
    assert_eq!(first.audit.len(), second.audit.len());
    let champions = first.audit.iter().find(|it| it.kind.as_str() == "two_champions").unwrap();
    assert_eq!(
        champions.line(),
        "`4H_trading_model`: it has more than one champion: version 1 (since 2025-07-03T07:00:00Z), \
         version 2 (since 2025-07-06T07:00:00Z); version 2, which became champion last, stays \
         champion; the others are archived"
    );
}

#[test]
fn second_import_adds_nothing_and_changes_nothing() {
    for name in ["2.9.2-files", "3.1.4-sqlite"] {
        let old = OldStore::unpack(name);
        let store = old.store(Missing::Create);
        old.import(&store).unwrap();
        let events = store.events(&EventQuery::default()).unwrap();
        let report = old.import(&store).unwrap();
        let added = [
            report.experiments.added,
            report.runs.added,
            report.models.added,
            report.versions.added,
        ];
        assert_eq!((added, report.files), ([0; 4], 0), "{name}");
        assert_eq!(store.events(&EventQuery::default()).unwrap(), events, "{name}");
    }
}

#[test]
fn runs_come_with_tags_params_histories_and_files() {
    for name in ALL {
        let old = OldStore::unpack(name);
        let store = old.store(Missing::Create);
        old.import(&store).unwrap();
        let base = run_id(&old, "base");
        let run = store.run(&base).unwrap();
        assert_eq!(run.status, RunStatus::Finished, "{name}");
        assert_eq!(
            run.started_at.to_string().split('.').next(),
            Some("2025-06-01T07:00:00"),
            "{name}"
        );
        assert_eq!(run.tags["mlflow.note.content"], "two\nlines, ünïcode", "{name}");
        assert_eq!(run.params["net_arch"], "[64, 64]", "{name}");
        let latest = (run.metric("evaluation/mean_reward").unwrap(), run.metric("loss").unwrap());
        assert_eq!(latest, (1.0, -2.5e-7), "{name}");
        assert!(run.metric("final/mean_reward").is_none(), "{name}: NaN is not finite");
        let conn = rusqlite::Connection::open(old.target().join("mlflow.db")).unwrap();
        let history: Vec<(f64, i64, bool)> = conn
            .prepare(
                "SELECT value, step, is_nan FROM metrics WHERE run_uuid = ?1 ORDER BY key, step",
            )
            .unwrap()
            .query_map([base.as_str()], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))
            .unwrap()
            .collect::<Result<_, _>>()
            .unwrap();
        assert_eq!(
            history,
            [
                (1.4, 8192, false),
                (0.25, 2048, false),
                (0.5, 4096, false),
                (0.75, 6144, false),
                (1.0, 8192, false),
                (0.0, 8192, true),
                (f64::MAX, 0, false),
                (-2.5e-7, 1, false),
            ],
            "{name}"
        );
        let model = store.read_artifact(&base, "models/1H/model.zip").unwrap();
        assert_eq!(model, format!("a model{base}").into_bytes(), "{name}");
        assert_eq!(
            store.artifact_names(&base, "plots/deep/down").unwrap(),
            ["équity.txt"],
            "{name}"
        );
        assert!(store.run(&run_id(&old, "deleted")).unwrap().deleted, "{name}");
        let running = store.run(&run_id(&old, "running")).unwrap();
        assert_eq!(
            (running.status, running.tags["imported_status"].as_str()),
            (RunStatus::Failed, "RUNNING")
        );
    }
}

#[test]
fn imported_herd_is_promoted_rolled_back_and_remembered() {
    let old = OldStore::unpack("2.9.2-sqlite");
    let store = old.store(Missing::Create);
    old.import(&store).unwrap();
    let events = |name: &VersionKey| {
        store
            .events(&EventQuery { name: Some(name.name.clone()), ..EventQuery::default() })
            .unwrap()
    };
    let of_hourly = events(&hourly(1));
    let then = |text| {
        champion_at(&of_hourly, Timestamp::parse(text).unwrap())
            .and_then(|it| it.what.version)
            .map(VersionNumber::get)
    };
    assert_eq!(
        (then("2025-06-02T12:00Z"), then("2025-06-05"), then("2025-06-12")),
        (None, Some(1), Some(2))
    );
    assert!(
        of_hourly.iter().all(|event| Evaluation::of(event).is_none() && event.actor == "tester")
    );

    let champion = PromotionRequest {
        key: hourly(3),
        target: Stage::Champion,
        reason: Some(Reason::parse("better").unwrap()),
        expected_champion: None,
        force: false,
    };
    store.promote(&champion, Effect::Commit).unwrap();
    let rollback = RollbackRequest {
        name: hourly(1).name,
        reason: Reason::parse("worse").unwrap(),
        force: false,
    };
    store.rollback(&rollback, Effect::Commit).unwrap();
    assert_eq!(store.champion(&hourly(1).name).unwrap().unwrap().key, hourly(2));
    assert_eq!(store.diagnose().unwrap().len(), 2, "the orphan and the version without a file");
}

#[test]
fn what_is_new_in_the_source_comes_with_the_next_import() {
    let old = OldStore::unpack("2.22.2-sqlite");
    let store = old.store(Missing::Create);
    old.import(&store).unwrap();
    let (running, base) = (run_id(&old, "running"), run_id(&old, "base"));
    let conn = old.database();
    let fresh = "0123456789abcdef0123456789abcdef";
    for sql in [
        format!("UPDATE runs SET status = 'FINISHED', end_time = 1752700000000 WHERE run_uuid = '{running}'"),
        format!("INSERT INTO metrics SELECT 'late', 7, 1752700000000, '{running}', 9, 0"),
        format!(
            "INSERT INTO runs SELECT '{fresh}', 'new', source_type, source_name, entry_point_name, user_id, \
             status, start_time, end_time, source_version, lifecycle_stage, artifact_uri, experiment_id, \
             deleted_time FROM runs WHERE run_uuid = '{base}'"
        ),
        "INSERT INTO model_versions (name, version, creation_time, last_updated_time, current_stage, source, \
         run_id, status) VALUES ('1H_trading_model', 4, 1752800000000, 1752800000000, 'None', '', \
         '0123456789abcdef0123456789abcdef', 'READY')"
            .to_owned(),
        "INSERT INTO model_version_tags (key, value, name, version) VALUES \
         ('promotion_stage', 'development', '1H_trading_model', 4), ('timeframe', '1H', '1H_trading_model', 4), \
         ('model_type', 'base', '1H_trading_model', 4)"
            .to_owned(),
    ] {
        conn.execute(&sql, []).unwrap();
    }
    let report = old.import(&store).unwrap();
    assert_eq!((report.runs.added, report.runs.completed, report.versions.added), (1, 1, 1));
    let completed = store.run(&running).unwrap();
    assert_eq!((completed.status, completed.metric("late")), (RunStatus::Finished, Some(7.0)));
    assert!(!completed.tags.contains_key("imported_status"));
    assert_eq!(standing(&store, &hourly(4)), ("development".to_owned(), "latest".to_owned()));
    assert_eq!(old.import(&store).unwrap().runs.completed, 0);
}

#[test]
fn database_with_a_write_ahead_log_is_read_with_it_and_left_as_it_is() {
    let old = OldStore::unpack("2.22.2-sqlite");
    let writer = old.database();
    writer.pragma_update(None, "journal_mode", "wal").unwrap();
    writer.pragma_update(None, "wal_autocheckpoint", 0).unwrap();
    writer.execute("UPDATE experiments SET name = 'renamed' WHERE experiment_id = 1", []).unwrap();
    assert!(fs::metadata(old.path("mlflow.db-wal")).unwrap().len() > 0);
    let before = old.bytes();
    let store = old.store(Missing::Create);
    old.import(&store).unwrap();
    assert_eq!(old.bytes(), before);
    assert_eq!(store.run(&run_id(&old, "base")).unwrap().experiment, "renamed");
}

#[test]
fn source_that_is_the_target_is_refused() {
    let old = OldStore::unpack("3.10.1-sqlite");
    let folder = old.path("");
    let source = old.source();
    let refused = target_location(None, &folder, &source).unwrap_err();
    assert!(matches!(refused, StoreError::SameStore { .. }), "{refused}");
    // Another database next to it: its artifacts are written elsewhere, because `mlruns` belongs to the source.
    let beside = target_location(Some("sqlite:///new.db"), &folder, &source).unwrap();
    let store = open(&beside, Missing::Create).unwrap();
    let before = old.bytes();
    assert_eq!(old.import(&store).unwrap().files, 30);
    assert!(old.path("mlartifacts").is_dir());
    let after = old.bytes();
    let of_source = |path: &PathBuf| path.starts_with(old.path("mlruns"));
    assert!(before.iter().filter(|(path, _)| of_source(path)).all(|(path, it)| after[path] == *it));
    assert_eq!(
        before.keys().filter(|it| of_source(it)).count(),
        after.keys().filter(|it| of_source(it)).count()
    );
}

#[test]
fn file_store_is_imported_into_the_folder_it_lies_in() {
    let old = OldStore::unpack("2.9.2-files");
    let (folder, before) = (old.path(""), old.bytes());
    let refused = Location::resolve(None, &folder).unwrap_err().to_string();
    assert!(refused.contains("import it with `herdbook import ./mlruns`"), "{refused}");
    let location = target_location(None, &folder, &old.source()).unwrap();
    let store = open(&location, Missing::Create).unwrap();
    assert_eq!(old.import(&store).unwrap().runs.added, 16);
    assert!(old.path("mlartifacts").is_dir());
    let after = old.bytes();
    let same: BTreeMap<_, _> =
        before.keys().filter_map(|path| Some((path.clone(), after.get(path)?.clone()))).collect();
    assert_eq!(same, before);
    let inside = target_location(None, &old.path("mlruns"), &old.source()).unwrap_err();
    assert!(matches!(inside, StoreError::SameStore { .. }), "{inside}");
}

#[test]
fn source_that_cannot_be_read_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let parse = |text: &str| Source::parse(text, folder.path());
    let error = parse("nowhere.db").unwrap_err().to_string();
    assert!(error.starts_with("cannot import from `nowhere.db`: No such file"), "{error}");
    let error = parse("mysql://x/y").unwrap_err().to_string();
    assert!(error.contains("give `sqlite:///…`, `postgresql://…`, the path"), "{error}");
    fs::write(folder.path().join("notes.txt"), "not a database at all, but long enough").unwrap();
    fs::create_dir(folder.path().join("empty")).unwrap();
    for (name, problem) in
        [("notes.txt", "file is not a database"), ("empty", "not an MLflow file store")]
    {
        let old = OldStore::unpack("2.9.2-files");
        let request =
            herdbook_import::ImportRequest { source: parse(name).unwrap(), ..old.request() };
        let error = dry_run(&request).unwrap_err().to_string();
        assert!(error.contains(problem), "{error}");
    }
}

#[test]
fn artifacts_that_cannot_be_found_are_named_by_their_root() {
    let old = OldStore::unpack("2.22.2-sqlite");
    fs::rename(old.path("mlruns"), old.path("elsewhere")).unwrap();
    let store = old.store(Missing::Create);
    let report = old.import(&store).unwrap();
    let roots: Vec<String> = report
        .audit
        .iter()
        .filter(|it| it.kind.as_str() == "artifacts_unreadable")
        .map(Finding::line)
        .collect();
    assert_eq!(roots.len(), 2, "{roots:?}");
    assert!(roots[0].contains("the folder does not exist on this machine"), "{roots:?}");
    assert!(roots[0].contains("5 runs are imported without artifacts"), "{roots:?}");

    let other = old.store_in("given");
    let mut request = old.request();
    request.options.artifacts = Some(old.path("elsewhere"));
    let report = import_into(&other, &request).unwrap();
    assert!(report.audit.iter().all(|it| it.kind.as_str() != "artifacts_unreadable"));
    assert_eq!(report.files, 30);
}

#[test]
fn older_databases_are_refused_with_the_command_that_upgrades_them() {
    for name in ["1.30.0-sqlite", "2.9.2-sqlite", "2.22.2-sqlite", "3.1.4-sqlite"] {
        let old = OldStore::unpack(name);
        let before = old.bytes();
        let uri = format!("sqlite:///{}", old.path("mlflow.db").display());
        let location = Location::resolve(Some(&uri), old.target()).unwrap();
        let error = Store::open(location, &options(Missing::Refuse)).unwrap_err().to_string();
        assert!(
            error.contains(&format!("run `mlflow db upgrade {uri}` with MLflow 3.17")),
            "{error}"
        );
        assert_eq!(old.bytes(), before, "{name} was changed by being refused");
    }
}

#[test]
fn database_of_mlflow_3_10_is_opened_for_writing() {
    let old = OldStore::unpack("3.10.1-sqlite");
    // Two versions are tagged champion there: every command but the doctor refuses that.
    old.database()
        .execute(
            "UPDATE model_version_tags SET value = 'beta' WHERE name = '4H_trading_model' AND version = 2
             AND key = 'promotion_stage'",
            [],
        )
        .unwrap();
    let uri = format!("sqlite:///{}", old.path("mlflow.db").display());
    let location = Location::resolve(Some(&uri), old.target()).unwrap();
    let store = open(&location, Missing::Refuse).unwrap();
    assert_eq!(store.versions(&VersionQuery::default()).unwrap().records.len(), 13);
    let request = PromotionRequest {
        key: hourly(3),
        target: Stage::Archived,
        reason: None,
        expected_champion: None,
        force: false,
    };
    // Its artifacts are not on this machine, so it can only be put away.
    let rise = PromotionRequest { target: Stage::Champion, ..request.clone() };
    let refused = store.promote(&rise, Effect::Commit).unwrap_err().to_string();
    assert!(refused.contains("has no model file"), "{refused}");
    store.promote(&request, Effect::Commit).unwrap();
    assert_eq!(store.version(&hourly(3)).unwrap().stage(), Some(Stage::Archived));
}
