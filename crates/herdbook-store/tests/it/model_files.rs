//! Model files during a change of stage: which of them are read, and when.

use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use herdbook_domain::{Obstacle, Reason, Refusal, RollbackRequest, RunId, Stage};
use herdbook_store::artifacts::place::ArtifactPlace;
use herdbook_store::engine::backend::{ActRequest, Backend, LookUp, Scope};
use herdbook_store::engine::opening::Connected;
use herdbook_store::{
    ArtifactEntry, ArtifactStore, Content, Effect, FileStamp, Missing, Opened, Promotion, Session,
    Store, StoreError,
};

use crate::herd::{Herd, MODEL_FILE, model, number, options, promotion, session};

const MODEL: &str = "models/1H/model.zip";

/// A backend that counts opened files, and can interfere right before an act.
#[derive(Debug, Clone)]
struct Watched {
    store: Store,
    watch: Arc<Watch>,
}

#[derive(Default)]
struct Watch {
    n_opened: AtomicUsize,
    is_unreadable: bool,
    /// Run before each act, until it returns `false`.
    before_act: Mutex<Option<BeforeAct>>,
}

type BeforeAct = Box<dyn FnMut() -> bool + Send>;

impl std::fmt::Debug for Watch {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Watch({})", self.n_opened.load(Ordering::Relaxed))
    }
}

#[derive(Debug)]
struct WatchedArtifacts {
    inner: Box<dyn ArtifactStore>,
    watch: Arc<Watch>,
}

impl Backend for Watched {
    fn read(&self, scope: Scope<'_>, look_up: &mut LookUp<'_>) -> Result<(), StoreError> {
        self.store.backend().read(scope, look_up)
    }

    fn write(&self, request: ActRequest<'_>, act: &mut LookUp<'_>) -> Result<(), StoreError> {
        let mut before_act = self.watch.before_act.lock().unwrap();
        if before_act.as_mut().is_some_and(|before_act| !before_act()) {
            *before_act = None;
        }
        drop(before_act);
        self.store.backend().write(request, act)
    }

    fn artifacts_at(&self, owner: &str, _location: &str) -> Result<ArtifactPlace, StoreError> {
        let inner = self.store.artifacts(&RunId::parse(owner).unwrap())?;
        let watch = Arc::clone(&self.watch);
        Ok(ArtifactPlace::Elsewhere(Box::new(WatchedArtifacts { inner, watch })))
    }
}

impl ArtifactStore for WatchedArtifacts {
    fn put(&self, path: &str, content: &mut (dyn std::io::Read + Send)) -> Result<(), StoreError> {
        self.inner.put(path, content)
    }

    fn open(
        &self,
        path: &str,
        range: Option<std::ops::Range<u64>>,
    ) -> Result<Option<Content>, StoreError> {
        self.watch.n_opened.fetch_add(1, Ordering::Relaxed);
        if self.watch.is_unreadable {
            let source = ErrorKind::PermissionDenied.into();
            return Err(StoreError::Artifact { verb: "read", path: path.into(), source });
        }
        self.inner.open(path, range)
    }

    fn list(&self, folder: &str) -> Result<Vec<ArtifactEntry>, StoreError> {
        self.inner.list(folder)
    }

    fn remove(&self, path: &str) -> Result<(), StoreError> {
        self.inner.remove(path)
    }

    fn stamp(&self, path: &str) -> Option<FileStamp> {
        self.inner.stamp(path)
    }

    fn location_of(&self, path: &str) -> PathBuf {
        self.inner.location_of(path)
    }

    fn local_path(&self, path: &str) -> Option<PathBuf> {
        self.inner.local_path(path)
    }
}

/// A herd whose files are watched.
struct Scene {
    herd: Herd,
    watch: Arc<Watch>,
    store: Session,
}

impl Scene {
    /// A scene with this number of trained versions, all in beta.
    fn of(n_versions: i64, watch: Watch) -> Self {
        let herd = Herd::new();
        for version in 1..=n_versions {
            herd.train(None, 1.0);
            herd.promote(version, Stage::Beta).unwrap();
        }
        let watch = Arc::new(watch);
        let backend = Watched { store: herd.store.store().clone(), watch: Arc::clone(&watch) };
        let opened = Opened::AsItWas;
        let connected = Connected { backend: Box::new(backend), opened, put_back: Vec::new() };
        let location = herd.store.location().clone();
        let store = session(&Store::over(connected, location, &options(Missing::Refuse)));
        Self { herd, watch, store }
    }

    fn promote(&self, version: i64, target: Stage) -> Result<Promotion, StoreError> {
        self.store.promote(&promotion(version, target), Effect::Commit)
    }

    fn n_opened(&self) -> usize {
        self.watch.n_opened.swap(0, Ordering::Relaxed)
    }

    fn file(&self, version: i64) -> PathBuf {
        let version = self.store.version(&crate::herd::version(version)).unwrap();
        self.herd.store.artifact_path(&version.run_id.unwrap(), MODEL).unwrap()
    }

    /// Runs before every act until it returns `false`.
    fn before_act(&self, action: impl FnMut() -> bool + Send + 'static) {
        *self.watch.before_act.lock().unwrap() = Some(Box::new(action));
    }

    fn champion(&self) -> Option<i64> {
        self.store.champion(&model()).unwrap().map(|it| i64::from(it.key.version.get()))
    }
}

/// Puts another file in the place of one.
fn replace(file: &Path, content: &[u8]) {
    let new = file.with_extension("new");
    fs::write(&new, content).unwrap();
    fs::rename(new, file).unwrap();
}

fn is_altered(outcome: &Result<Promotion, StoreError>) -> bool {
    let Err(StoreError::Refused(refusal)) = outcome else { return false };
    let Refusal::Unusable { why, .. } = refusal else { return false };
    matches!(why, Obstacle::FileMissing { .. } | Obstacle::FileAltered { .. })
}

#[test]
fn model_file_is_read_by_rises_only() {
    let scene = Scene::of(1, Watch::default());
    for (target, n_opened) in
        [(Stage::Development, 0), (Stage::Beta, 1), (Stage::Archived, 0), (Stage::Beta, 1)]
    {
        scene.promote(1, target).unwrap();
        assert_eq!(scene.n_opened(), n_opened, "{target}");
    }
    scene.promote(1, Stage::Champion).unwrap();
    assert_eq!(scene.n_opened(), 1);
    // A champion without a file can be demoted.
    fs::remove_file(scene.file(1)).unwrap();
    scene.promote(1, Stage::Beta).unwrap();
    scene.promote(1, Stage::Development).unwrap();
    let refused = scene.promote(1, Stage::Beta);
    assert!(is_altered(&refused), "{refused:?}");
}

#[test]
fn promotion_to_champion_reads_the_file_of_the_new_champion_only() {
    let scene = Scene::of(2, Watch::default());
    scene.promote(1, Stage::Champion).unwrap();
    assert_eq!(scene.n_opened(), 1);
    fs::remove_file(scene.file(1)).unwrap();
    scene.promote(2, Stage::Champion).unwrap();
    assert_eq!((scene.n_opened(), scene.champion()), (1, Some(2)));
}

#[test]
fn rollback_reads_files_until_one_may_return() {
    let scene = Scene::of(3, Watch::default());
    for version in 1..=3 {
        scene.promote(version, Stage::Champion).unwrap();
    }
    replace(&scene.file(2), b"something else");
    scene.n_opened();
    let request =
        RollbackRequest { name: model(), reason: Reason::parse("worse").unwrap(), force: false };
    let promotion = scene.store.rollback(&request, Effect::Commit).unwrap();
    assert_eq!(promotion.plan.requested().unwrap().key.version, number(1));
    assert_eq!(scene.n_opened(), 2, "version 2, which was altered, and version 1");
    scene.herd.assert_invariants();
}

#[test]
fn file_that_is_replaced_between_hashing_and_act_is_noticed() {
    let scene = Scene::of(1, Watch::default());
    let file = scene.file(1);
    scene.before_act(move || {
        replace(&file, b"something else");
        false
    });
    let refused = scene.promote(1, Stage::Champion);
    assert!(is_altered(&refused), "{refused:?}");
    assert_eq!((scene.n_opened(), scene.champion()), (2, None));
}

#[test]
fn file_that_is_rewritten_in_place_with_its_old_time_is_noticed() {
    let scene = Scene::of(1, Watch::default());
    let file = scene.file(1);
    let modified = fs::metadata(&file).unwrap().modified().unwrap();
    let other: Vec<u8> = MODEL_FILE.iter().map(|byte| byte ^ 1).collect();
    scene.before_act(move || {
        fs::write(&file, &other).unwrap();
        fs::File::options().write(true).open(&file).unwrap().set_modified(modified).unwrap();
        false
    });
    let refused = scene.promote(1, Stage::Champion);
    assert!(is_altered(&refused), "{refused:?}");
}

#[test]
fn file_that_is_replaced_by_its_like_is_hashed_again_and_promoted() {
    let scene = Scene::of(1, Watch::default());
    let file = scene.file(1);
    scene.before_act(move || {
        replace(&file, MODEL_FILE);
        false
    });
    scene.promote(1, Stage::Champion).unwrap();
    assert_eq!((scene.n_opened(), scene.champion()), (2, Some(1)));
}

#[test]
fn file_that_keeps_changing_is_given_up_on() {
    let scene = Scene::of(1, Watch::default());
    let file = scene.file(1);
    scene.before_act(move || {
        replace(&file, MODEL_FILE);
        true
    });
    let error = scene.promote(1, Stage::Champion).unwrap_err();
    assert_eq!(
        error.to_string(),
        "the model file of `1H_trading_model` version 1 keeps changing while it is checked: \
         try again when nothing writes to it"
    );
    *scene.watch.before_act.lock().unwrap() = None;
    scene.promote(1, Stage::Champion).unwrap();
}

#[test]
fn version_whose_file_is_a_folder_unreadable_or_a_dangling_link_does_not_become_champion() {
    let scene = Scene::of(1, Watch::default());
    let file = scene.file(1);
    fs::remove_file(&file).unwrap();
    let refused = scene.promote(1, Stage::Champion);
    assert!(is_altered(&refused), "missing: {refused:?}");
    fs::create_dir(&file).unwrap();
    let refused = scene.promote(1, Stage::Champion);
    assert!(is_altered(&refused), "a folder: {refused:?}");
    fs::remove_dir(&file).unwrap();
    #[cfg(unix)]
    {
        std::os::unix::fs::symlink("nowhere", &file).unwrap();
        let refused = scene.promote(1, Stage::Champion);
        assert!(is_altered(&refused), "a dangling link: {refused:?}");
        fs::remove_file(&file).unwrap();
        // A link to the registered content is as good as the file.
        let target = file.with_extension("kept");
        fs::write(&target, MODEL_FILE).unwrap();
        std::os::unix::fs::symlink(&target, &file).unwrap();
        scene.promote(1, Stage::Champion).unwrap();
    }
    let scene = Scene::of(1, Watch { is_unreadable: true, ..Watch::default() });
    let refused = scene.promote(1, Stage::Champion);
    assert!(is_altered(&refused), "unreadable: {refused:?}");
}

/// One thread keeps replacing the file while another promotes. A version becomes champion only with the registered content.
#[test]
fn promotion_races_with_a_writer_of_the_file() {
    let scene = Scene::of(1, Watch::default());
    let file = scene.file(1);
    let is_over = std::sync::atomic::AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            for round in 0_usize.. {
                if is_over.load(Ordering::Relaxed) {
                    break;
                }
                let content: &[u8] = if round % 2 == 0 { b"something else" } else { MODEL_FILE };
                replace(&file, content);
            }
        });
        for _ in 0..10 {
            let outcome = scene.promote(1, Stage::Champion);
            match &outcome {
                // Beta needs the file too, and it may be the wrong one at that moment.
                Ok(_) => while scene.promote(1, Stage::Beta).is_err() {},
                Err(StoreError::FileNotHashed { .. }) => {}
                Err(_) => assert!(is_altered(&outcome), "{outcome:?}"),
            }
        }
        is_over.store(true, Ordering::Relaxed);
    });
    scene.herd.assert_invariants();
}

#[test]
fn obstacle_of_a_rollback_names_the_file() {
    let scene = Scene::of(2, Watch::default());
    scene.promote(1, Stage::Champion).unwrap();
    scene.promote(2, Stage::Champion).unwrap();
    fs::remove_file(scene.file(1)).unwrap();
    let request =
        RollbackRequest { name: model(), reason: Reason::parse("worse").unwrap(), force: false };
    let refused = scene.store.rollback(&request, Effect::DryRun).unwrap_err();
    let StoreError::Refused(Refusal::NoFormerChampion { passed, .. }) = &refused else {
        panic!("{refused}")
    };
    assert!(matches!(
        passed[..],
        [herdbook_domain::PassedOver { why: Obstacle::FileMissing { .. }, .. }]
    ));
}

/// Puts something that is no file in the place of a file.
fn put_special(file: &Path, special: Special) {
    fs::remove_file(file).unwrap();
    match special {
        Special::Pipe => {
            rustix::fs::mkfifoat(rustix::fs::CWD, file, rustix::fs::Mode::RUSR).unwrap();
        }
        Special::EndlessDevice => std::os::unix::fs::symlink("/dev/zero", file).unwrap(),
        Special::Folder => fs::create_dir(file).unwrap(),
    }
}

#[derive(Debug, Clone, Copy)]
enum Special {
    Pipe,
    EndlessDevice,
    Folder,
}

#[test]
fn pipe_or_device_in_the_place_of_a_file_is_reported_and_read_by_nobody() {
    for (special, problem) in [
        (Special::Pipe, "it is a pipe, not a file"),
        (Special::EndlessDevice, "it is a device, not a file"),
        (Special::Folder, "is a directory"),
    ] {
        let herd = Herd::new();
        let (run_id, origin) = herd.start(None);
        herd.store.store_artifact(&run_id, "models/1H/model.onnx", b"a network").unwrap();
        herd.finish(&run_id, origin, 1.0);
        herd.promote(1, Stage::Beta).unwrap();
        let model = herd.store.artifact_path(&run_id, MODEL).unwrap();
        put_special(&model, special);
        put_special(&model.with_file_name("model.onnx"), special);
        for breaches in [
            herd.store.verify().unwrap().breaches,
            herd.store.diagnose().unwrap(),
            herd.store.repair().unwrap(),
        ] {
            let problems = breaches.iter().map(|breach| breach.message.as_str());
            let of_files: Vec<_> = problems.filter(|it| it.contains("cannot be read")).collect();
            assert_eq!(of_files.len(), 2, "{special:?}: {breaches:?}");
            assert!(of_files.iter().all(|it| it.ends_with(problem)), "{of_files:?}");
        }
        let refused = herd.promote(1, Stage::Champion);
        assert!(is_altered(&refused), "{special:?}: {refused:?}");
        for artifact in [MODEL, "models/1H/model.onnx"] {
            let error = herd.store.read_artifact(&run_id, artifact).unwrap_err();
            assert!(matches!(error, StoreError::Artifact { .. }), "{error}");
            assert!(error.to_string().ends_with(problem), "{error}");
        }
    }
}
