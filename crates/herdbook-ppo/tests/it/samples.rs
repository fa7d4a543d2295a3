//! Model files that stable-baselines3 2.9.2 wrote, compared with the outputs it computed with them.

use herdbook_ppo::{Activation, Model, NetArch, PpoConfig, Trainer};
use serde_json::Value;

use crate::cart_pole::CartPole;
use crate::learning::envs;

pub(crate) const TANH: &[u8] = include_bytes!("../data/discrete_tanh.zip");
const TANH_EXPECTED: &str = include_str!("../data/discrete_tanh.json");
pub(crate) const RELU: &[u8] = include_bytes!("../data/discrete_relu_bounds.zip");
const RELU_EXPECTED: &str = include_str!("../data/discrete_relu_bounds.json");
const MULTI_DISCRETE: [(&[u8], &str); 2] = [
    (
        include_bytes!("../data/multi_discrete_tanh.zip"),
        include_str!("../data/multi_discrete_tanh.json"),
    ),
    (
        include_bytes!("../data/multi_discrete_relu.zip"),
        include_str!("../data/multi_discrete_relu.json"),
    ),
];
const INCOMPLETE: &[u8] = include_bytes!("../data/normalized_scheduled.zip");
const BOX: &[u8] = include_bytes!("../data/box_untrained.zip");

fn assert_close(what: &str, got: f64, want: &Value, tolerance: f64) {
    let want = want.as_f64().unwrap();
    assert!((got - want).abs() <= tolerance, "{what}: {got} instead of {want}");
}

/// Reads a number; numbers that are not finite are stored as strings.
fn float(value: &Value) -> f32 {
    value.as_f64().map_or_else(|| value.as_str().unwrap().parse().unwrap(), |x| x as f32)
}

fn floats(value: &Value) -> Vec<f32> {
    value.as_array().unwrap().iter().map(float).collect()
}

fn check(bytes: &[u8], expected: &str) -> Model {
    let model = Model::from_zip(bytes, "sample.zip").unwrap();
    let expected: Value = serde_json::from_str(expected).unwrap();
    assert_eq!(model.num_timesteps, expected["num_timesteps"]);
    assert_eq!(model.n_updates, expected["n_updates"]);
    check_tensors(&model, &expected["parameters"]);
    check_outputs(&model, &expected["cases"]);
    let hyperparameters = serde_json::to_value(&model.config).unwrap();
    for (name, want) in expected["hyperparameters"].as_object().unwrap() {
        if name != "seed" {
            let got = &hyperparameters[name];
            assert!(
                got == want || got.as_f64() == want.as_f64(),
                "{name}: {got} instead of {want}"
            );
        }
    }
    model
}

fn check_tensors(model: &Model, expected: &Value) {
    let tensors = model.policy.tensors();
    assert_eq!(tensors.len(), expected.as_array().unwrap().len());
    for (tensor, want) in tensors.iter().zip(expected.as_array().unwrap()) {
        assert_eq!(tensor.name, want["name"]);
        assert_eq!(serde_json::json!(tensor.shape), want["shape"]);
        let sum: f64 = tensor.values.iter().map(|x| f64::from(*x)).sum();
        assert_close(&tensor.name, sum, &want["sum"], 1e-6 * sum.abs().max(1.0));
        assert_eq!(tensor.values[0], float(&want["first"]));
        assert_eq!(*tensor.values.last().unwrap(), float(&want["last"]));
        assert_eq!(model.adam.step_count() as f64, want["adam"]["step"].as_f64().unwrap());
    }
    for (moment, key) in [(model.exp_avg(), "exp_avg_sum"), (model.exp_avg_sq(), "exp_avg_sq_sum")]
    {
        for (tensor, want) in moment.iter().zip(expected.as_array().unwrap()) {
            let sum: f64 = tensor.values.iter().map(|x| f64::from(*x)).sum();
            assert_close(&tensor.name, sum, &want["adam"][key], 1e-9 + 1e-6 * sum.abs());
        }
    }
}

fn check_outputs(model: &Model, cases: &Value) {
    let mut scratch = model.policy.scratch();
    for case in cases.as_array().unwrap() {
        let obs = floats(&case["obs"]);
        let action = model.policy.act_deterministic(&obs, &mut scratch);
        assert_eq!(action, case["action"]);
        let got = model.policy.evaluate(&obs, action, &mut scratch);
        assert_close("log_prob", got.log_prob.into(), &case["log_prob"], 1e-5);
        assert_close("value", got.value.into(), &case["value"], 1e-5);
        assert_close("entropy", got.entropy.into(), &case["entropy"], 1e-5);
        let wanted = case["log_probs_of_all_actions"].as_array().unwrap();
        for (action, want) in wanted.iter().enumerate() {
            let got = model.policy.evaluate(&obs, action, &mut scratch).log_prob;
            assert_close("log_prob", got.into(), want, 1e-5);
        }
    }
}

#[test]
fn tanh_model_gives_the_outputs_of_stable_baselines3() {
    let model = check(TANH, TANH_EXPECTED);
    assert_eq!(model.policy.net_arch(), &NetArch::default());
    assert_eq!(model.bounds, None);
    assert!(model.notes.is_empty() && model.extra.is_empty());
}

#[test]
fn relu_model_with_bounds_gives_the_outputs_of_stable_baselines3() {
    let model = check(RELU, RELU_EXPECTED);
    assert_eq!(model.policy.activation(), Activation::Relu);
    let expected: Value = serde_json::from_str(RELU_EXPECTED).unwrap();
    let space = &expected["observation_space"]["box"];
    let bounds = model.bounds.unwrap();
    assert_eq!((bounds.low, bounds.high), (floats(&space["low"]), floats(&space["high"])));
}

#[test]
fn continuous_actions_are_refused_by_name() {
    let message = Model::from_zip(BOX, "box.zip").err().unwrap().to_string();
    assert_eq!(
        message,
        "`box.zip`: continuous actions (`Box`) are not supported; herdbook models have flat `Box` \
         observations, `Discrete` or `MultiDiscrete` actions and separate tanh or relu networks"
    );
}

#[test]
fn foreign_model_is_unchanged_after_writing_and_reading() {
    for sample in [TANH, RELU] {
        let model = Model::from_zip(sample, "sample.zip").unwrap();
        let again = Model::from_zip(&model.to_zip().unwrap(), "again.zip").unwrap();
        assert_eq!(again.policy.tensors(), model.policy.tensors());
        assert_eq!(again.adam, model.adam);
        assert_eq!((again.config, again.bounds), (model.config, model.bounds));
    }
}

#[test]
fn foreign_model_does_not_train_in_an_environment_of_another_shape() {
    let model = Model::from_zip(TANH, "sample.zip").unwrap();
    let config = model.config.clone();
    let message = Trainer::resume(model, config, envs::<CartPole>(1), 1).err().unwrap().to_string();
    assert_eq!(
        message,
        "the observation length is 4, but the model has 35: train a new model, or make them equal"
    );
}

#[test]
fn multi_discrete_models_give_the_outputs_of_stable_baselines3() {
    for (bytes, expected) in MULTI_DISCRETE {
        let model = Model::from_zip(bytes, "sample.zip").unwrap();
        let expected: Value = serde_json::from_str(expected).unwrap();
        let policy = &model.policy;
        assert_eq!(serde_json::json!(policy.action_dims()), expected["dims"]);
        assert_eq!(policy.n_actions(), None);
        assert_eq!(model.num_timesteps, expected["num_timesteps"]);
        let mut scratch = policy.scratch();
        for case in expected["cases"].as_array().unwrap() {
            let obs = floats(&case["obs"]);
            let choices = policy.choose(&obs, &mut scratch);
            assert_eq!(serde_json::json!(choices), case["action"]);
            let got = policy.evaluate_choices(&obs, &choices, &mut scratch);
            assert_close("log_prob", got.log_prob.into(), &case["log_prob"], 1e-5);
            assert_close("value", got.value.into(), &case["value"], 1e-5);
            assert_close("entropy", got.entropy.into(), &case["entropy"], 1e-5);
        }
        let again = Model::from_zip(&model.to_zip().unwrap(), "again.zip").unwrap();
        assert_eq!(again.policy.action_dims(), policy.action_dims());
        assert_eq!(again.policy.tensors(), policy.tensors());
    }
}

#[test]
fn discrete_model_gives_the_same_through_both_interfaces() {
    let policy = Model::from_zip(TANH, "sample.zip").unwrap().policy;
    let (mut scratch, obs) = (policy.scratch(), [0.3; 35]);
    let action = policy.act_deterministic(&obs, &mut scratch);
    assert_eq!(policy.choose(&obs, &mut scratch), [action]);
    let evaluation = policy.evaluate_choices(&obs, &[action], &mut scratch);
    assert_eq!(evaluation, policy.evaluate(&obs, action, &mut scratch));
}

#[test]
fn multi_discrete_model_does_not_train_in_a_discrete_environment() {
    let model = Model::from_zip(MULTI_DISCRETE[1].0, "sample.zip").unwrap();
    let config = PpoConfig { net_arch: model.policy.net_arch().clone(), ..PpoConfig::default() };
    let message = Trainer::resume(model, config, envs::<CartPole>(1), 1).err().unwrap().to_string();
    assert_eq!(
        message,
        "the number of actions is 2, but the model has 2 × 5 × 3 × 4: train a new model, or make them equal"
    );
}

#[test]
fn notes_name_what_the_file_lacks() {
    let model = Model::from_zip(INCOMPLETE, "sample.zip").unwrap();
    let rate = model.config.learning_rate;
    assert_eq!(model.config.clip_range, 0.2);
    let [clip_range, learning_rate, normalized] = &model.notes[..] else {
        panic!("{:?}", model.notes);
    };
    assert_eq!(
        clip_range,
        "the schedule of `clip_range` could not be read: using 0.2, the default"
    );
    assert_eq!(
        *learning_rate,
        format!("the schedule of `learning_rate` could not be read: using {rate}, its last value")
    );
    assert!(normalized.contains("`VecNormalize`, whose statistics are not in the zip"));
}
