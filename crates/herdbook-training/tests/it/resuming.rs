//! A resumed training has the same result as an uninterrupted one.

use std::sync::atomic::{AtomicBool, Ordering};

use herdbook_domain::{
    Enhancement, EventKind, ParentSelector, RunId, RunStatus, Timestamp, hex_sha256,
};
use herdbook_store::{EventQuery, StoreError};
use herdbook_training::{
    Boundaries, Observer, Progress, Resumption, TrainReport, TrainRequest, TrainingError, resume,
    train,
};

use crate::fixture::{Fixture, Listener, child, market, request, walk};

const TIMESTEPS: u64 = 2_560;

/// Cancels the training after some timesteps.
struct Stopper<'a> {
    after: u64,
    cancelled: &'a AtomicBool,
}

impl Observer for Stopper<'_> {
    fn notice(&mut self, _text: &str) {}

    fn stage(&mut self, _text: &str) {}

    fn progress(&mut self, progress: &Progress) {
        self.cancelled.store(progress.trained >= self.after, Ordering::Relaxed);
    }
}

fn stopped_after(fixture: &Fixture, request: TrainRequest, after: u64) -> RunId {
    let cancelled = AtomicBool::new(false);
    let mut stopper = Stopper { after, cancelled: &cancelled };
    let outcome = train(&fixture.store, &request.prepare().unwrap(), &mut stopper, &cancelled);
    match outcome.unwrap_err() {
        TrainingError::Cancelled { run_id, timesteps } => {
            assert_eq!(timesteps, after);
            run_id
        }
        error => panic!("{error}"),
    }
}

fn resumed(fixture: &Fixture, run_id: &RunId) -> Result<TrainReport, TrainingError> {
    let mut listener = Listener::default();
    let found = Resumption::find(&fixture.store, run_id, &mut listener)?;
    let prepared = found.prepare(request().data.bytes)?;
    let outcome = resume(&fixture.store, prepared, &mut listener, &AtomicBool::new(false))?;
    Ok(outcome.registered().clone())
}

fn model_file(fixture: &Fixture, run_id: &RunId) -> Vec<u8> {
    fixture.store.read_artifact(run_id, "models/1H/model.zip").unwrap()
}

fn files(fixture: &Fixture, run_id: &RunId) -> Vec<String> {
    fixture.store.artifact_names(run_id, "models/1H").unwrap()
}

fn requests() -> Vec<TrainRequest> {
    let long = |request: TrainRequest| TrainRequest { timesteps: TIMESTEPS, ..request };
    let mut requests: Vec<TrainRequest> = Enhancement::ALL
        .iter()
        .map(|enhancement| long(child(ParentSelector::Latest, *enhancement)))
        .collect();
    let several = TrainRequest {
        config: herdbook_training::PpoConfig { n_envs: 2, n_steps: 128, ..request().config },
        ..request()
    };
    requests.extend([long(request()), long(several)]);
    requests
}

#[test]
fn model_of_a_training_taken_up_again_has_the_bytes_of_one_that_never_stopped() {
    for request in requests() {
        let fixture = Fixture::new();
        fixture.train(crate::fixture::request()).unwrap();
        let stopped = stopped_after(&fixture, request.clone(), 1_024);
        let resumed = resumed(&fixture, &stopped).unwrap();
        let whole = fixture.train(request).unwrap();
        assert_eq!(resumed.run.run_id, stopped);
        assert!(model_file(&fixture, &stopped) == model_file(&fixture, &whole.run.run_id));
        assert_eq!(resumed.run.metrics, whole.run.metrics);
        assert_eq!(resumed.run.improvement, whole.run.improvement);
        let text = |run_id: &RunId, artifact: &str| {
            let bytes = fixture.store.read_artifact(run_id, artifact).unwrap();
            String::from_utf8(bytes).unwrap().replace(run_id.as_str(), "RUN")
        };
        for artifact in ["evaluation/details.json", "report.html"] {
            assert!(text(&stopped, artifact) == text(&whole.run.run_id, artifact), "{artifact}");
        }
        let steps = |run_id| fixture.store.logged_steps(run_id).unwrap();
        assert_eq!(steps(&stopped), steps(&whole.run.run_id));
    }
}

/// The best evaluation was before the interruption: its model is read from the store.
#[test]
fn best_policy_of_before_the_interruption_is_registered() {
    let resumed_late = (0..20).find_map(|seed| {
        let request = TrainRequest { seed, timesteps: TIMESTEPS, ..request() };
        let fixture = Fixture::new();
        let whole = fixture.train(request.clone()).unwrap();
        let at = fixture.store.run(&whole.run.run_id).unwrap().metric("registered_timesteps");
        if at.unwrap() > 512.0 {
            return None;
        }
        let stopped = stopped_after(&fixture, request, 1_024);
        let resumed = resumed(&fixture, &stopped).unwrap();
        assert!(model_file(&fixture, &stopped) == model_file(&fixture, &whole.run.run_id));
        assert_eq!(resumed.run.metrics, whole.run.metrics);
        Some(())
    });
    assert!(resumed_late.is_some(), "no seed has its best evaluation early");
}

#[test]
fn training_can_be_stopped_more_than_once() {
    let fixture = Fixture::new();
    let request = TrainRequest { timesteps: TIMESTEPS, ..request() };
    let run_id = stopped_after(&fixture, request.clone(), 512);
    let cancelled = AtomicBool::new(false);
    let mut stopper = Stopper { after: 1_536, cancelled: &cancelled };
    let found = Resumption::find(&fixture.store, &run_id, &mut stopper).unwrap();
    let prepared = found.prepare(request.data.bytes.clone()).unwrap();
    resume(&fixture.store, prepared, &mut stopper, &cancelled).unwrap_err();
    resumed(&fixture, &run_id).unwrap();
    let whole = fixture.train(request).unwrap();
    assert!(model_file(&fixture, &run_id) == model_file(&fixture, &whole.run.run_id));
}

#[test]
fn run_is_running_again_and_the_history_says_so() {
    let fixture = Fixture::new();
    let run_id = stopped_after(&fixture, TrainRequest { timesteps: TIMESTEPS, ..request() }, 512);
    assert_eq!(fixture.store.run(&run_id).unwrap().status, RunStatus::Killed);
    resumed(&fixture, &run_id).unwrap();
    assert_eq!(fixture.store.run(&run_id).unwrap().status, RunStatus::Finished);
    let told: Vec<EventKind> = fixture
        .store
        .events(&EventQuery::default())
        .unwrap()
        .into_iter()
        .map(|event| event.what.kind)
        .collect();
    let expected =
        [EventKind::RunStarted, EventKind::RunEnded, EventKind::RunResumed, EventKind::Registered];
    assert_eq!(told, expected);
}

#[test]
fn last_three_checkpoints_are_kept_until_the_end_and_the_best_models_after_it() {
    let fixture = Fixture::new();
    let run_id = stopped_after(&fixture, TrainRequest { timesteps: TIMESTEPS, ..request() }, 1_536);
    // A temporary file, as an interrupted write leaves it.
    fixture.store.store_artifact(&run_id, "models/1H/.model.onnx.1.tmp", b"half").unwrap();
    let names = files(&fixture, &run_id);
    let kept = ["checkpoint_1024.resume", "checkpoint_1280.resume", "checkpoint_1536.resume"];
    assert!(kept.iter().all(|name| names.contains(&(*name).to_owned())), "{names:?}");
    assert!(!names.contains(&"checkpoint_768.resume".to_owned()), "{names:?}");
    resumed(&fixture, &run_id).unwrap();
    let names = files(&fixture, &run_id);
    let is_passing = |name: &String| name.contains(".resume") || name.contains(".tmp");
    assert!(!names.iter().any(is_passing), "{names:?}");
    assert!(names.iter().any(|name| name.starts_with("best_model_256.zip")), "{names:?}");
    assert!(names.contains(&"model.zip".to_owned()));
}

#[test]
fn damaged_checkpoint_is_announced_and_the_one_before_it_taken() {
    let fixture = Fixture::new();
    let request = TrainRequest { timesteps: TIMESTEPS, ..request() };
    let run_id = stopped_after(&fixture, request.clone(), 1_536);
    let newest = fixture.store.artifact_path(&run_id, "models/1H/checkpoint_1536.resume").unwrap();
    let mut bytes = std::fs::read(&newest).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    std::fs::write(&newest, bytes).unwrap();
    let mut listener = Listener::default();
    let found = Resumption::find(&fixture.store, &run_id, &mut listener).unwrap();
    assert_eq!(found.trained_timesteps(), 1_280);
    assert!(listener.notices[0].contains("`checkpoint_1536.resume` is damaged"));
    resumed(&fixture, &run_id).unwrap();
    let whole = fixture.train(request).unwrap();
    assert!(model_file(&fixture, &run_id) == model_file(&fixture, &whole.run.run_id));
}

#[test]
fn run_that_may_not_go_on_is_refused() {
    let fixture = Fixture::new();
    let finished = fixture.train(request()).unwrap().run.run_id;
    let refused = resumed(&fixture, &finished).unwrap_err().to_string();
    let text = format!("the run `{finished}` is FINISHED: it cannot be resumed");
    assert_eq!(refused, text);

    let run_id = stopped_after(&fixture, TrainRequest { timesteps: TIMESTEPS, ..request() }, 512);
    let other = Resumption::find(&fixture.store, &run_id, &mut Listener::default()).unwrap();
    let other = other.prepare(market(walk(1_500, 2, 0.003)).bytes).unwrap();
    let mut listener = Listener::default();
    let refused =
        resume(&fixture.store, other, &mut listener, &AtomicBool::new(false)).unwrap_err();
    assert!(refused.to_string().contains("was started with `data."), "{refused}");
    assert_eq!(fixture.store.run(&run_id).unwrap().status, RunStatus::Killed);

    // If other bars also end before a window begins, the bars are the error that is reported.
    let late = Timestamp::parse("2017-09-05").unwrap();
    let boundaries = Boundaries { test_from_ms: Some(late.millis()), ..Boundaries::default() };
    let bounded = TrainRequest { boundaries, timesteps: TIMESTEPS, ..request() };
    let run_id = stopped_after(&fixture, bounded, 512);
    let other = Resumption::find(&fixture.store, &run_id, &mut Listener::default()).unwrap();
    let refused = other.prepare(walk(400, 1, 0.003)).unwrap_err();
    assert!(matches!(refused, TrainingError::ResumeMismatch { .. }), "{refused}");
}

#[test]
fn run_whose_process_lives_is_refused() {
    let fixture = Fixture::new();
    let run_id = stopped_after(&fixture, TrainRequest { timesteps: TIMESTEPS, ..request() }, 512);
    let found = Resumption::find(&fixture.store, &run_id, &mut Listener::default()).unwrap();
    let prepared = found.prepare(request().data.bytes).unwrap();
    fixture.store.resume_run(&run_id, &request().model).unwrap();
    let mut listener = Listener::default();
    let refused = resume(&fixture.store, prepared, &mut listener, &AtomicBool::new(false));
    let is_alive = |problem: &str| problem.contains("is being trained by process");
    assert!(matches!(
        refused,
        Err(TrainingError::Store(StoreError::NotResumable { problem, .. })) if is_alive(&problem)
    ));
    assert_eq!(fixture.store.run(&run_id).unwrap().status, RunStatus::Running);
}

#[test]
fn checkpoint_of_version_2_keeps_its_layout_and_names() {
    let fixture = Fixture::new();
    let run_id = stopped_after(&fixture, TrainRequest { timesteps: TIMESTEPS, ..request() }, 512);
    let bytes = fixture.store.read_artifact(&run_id, "models/1H/checkpoint_512.resume").unwrap();
    let mut parts = bytes.splitn(3, |byte| *byte == b'\n');
    let head = String::from_utf8(parts.next().unwrap().to_vec()).unwrap();
    assert!(head.starts_with("herdbook-resume 2 "), "{head}");
    let state: serde_json::Value = serde_json::from_slice(parts.next().unwrap()).unwrap();
    assert!(parts.next().unwrap().starts_with(b"PK"), "the model's zip follows");
    let keys = |value: &serde_json::Value| -> Vec<String> {
        value.as_object().unwrap().keys().cloned().collect()
    };
    // Another name here needs another version: checkpoints of earlier releases could not be read any more.
    assert_eq!(keys(&state), ["coach", "journal", "request", "snapshot"]);
    assert_eq!(
        keys(&state["journal"]),
        [
            "best_mean_reward",
            "best_std_reward",
            "evaluated",
            "latest_mean_reward",
            "learning",
            "pending",
            "previous",
            "seconds"
        ]
    );
    assert_eq!(state["coach"], "plain");
    assert!(state["request"]["data"].get("bytes").is_none(), "the bars are not kept");
}

#[test]
fn checkpoint_of_version_1_is_resumed_and_registers_the_last_policy() {
    let fixture = Fixture::new();
    let last = TrainRequest {
        timesteps: TIMESTEPS,
        register: herdbook_training::RegisteredPolicy::Last,
        ..request()
    };
    let run_id = stopped_after(&fixture, last.clone(), 512);
    for name in files(&fixture, &run_id).iter().filter(|name| name.ends_with(".resume")) {
        let artifact = format!("models/1H/{name}");
        let bytes = fixture.store.read_artifact(&run_id, &artifact).unwrap();
        let mut parts = bytes.splitn(3, |byte| *byte == b'\n').skip(1);
        let mut state: serde_json::Value = serde_json::from_slice(parts.next().unwrap()).unwrap();
        assert!(state["request"].as_object_mut().unwrap().remove("register").is_some());
        state["journal"].as_object_mut().unwrap().remove("best_std_reward").unwrap();
        let mut rest = state.to_string().into_bytes();
        rest.push(b'\n');
        rest.extend(parts.next().unwrap());
        let head = format!("herdbook-resume 1 {}\n", hex_sha256(&rest));
        let old = [head.into_bytes(), rest].concat();
        fixture.store.store_artifact(&run_id, &artifact, &old).unwrap();
    }
    let resumed = resumed(&fixture, &run_id).unwrap();
    let whole = fixture.train(last).unwrap();
    assert!(model_file(&fixture, &run_id) == model_file(&fixture, &whole.run.run_id));
    assert_eq!(resumed.run.metrics, whole.run.metrics);
}

#[test]
fn parent_chosen_as_latest_stays_the_parent_after_a_resume() {
    let fixture = Fixture::new();
    let parent = fixture.train(request()).unwrap().run.run_id;
    let child =
        TrainRequest { timesteps: TIMESTEPS, ..child(ParentSelector::Latest, Enhancement::Replay) };
    let run_id = stopped_after(&fixture, child, 512);
    // By now another model is the latest.
    fixture.train(TrainRequest { seed: 8, ..request() }).unwrap();
    let report = resumed(&fixture, &run_id).unwrap();
    assert_eq!(report.run.parent.unwrap().run_id, Some(parent));
}
