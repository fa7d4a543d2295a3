//! Models of other algorithms and kinds are told from those of PPO, whatever their networks look like.

use herdbook_ppo::{Model, ModelFacts, PpoError};

macro_rules! zips {
    ($($name:literal),* $(,)?) => {
        [$(($name, &include_bytes!(concat!("../data/algorithms/", $name, ".zip"))[..])),*]
    };
}

fn facts(bytes: &[u8]) -> ModelFacts {
    ModelFacts::read(bytes, "x.zip").unwrap()
}

fn refused(bytes: &[u8]) -> String {
    let error = Model::from_zip(bytes, "x.zip").unwrap_err();
    let is_known = matches!(error, PpoError::OtherAlgorithm { .. } | PpoError::Unsupported { .. });
    assert!(is_known, "{error}");
    error.to_string()
}

#[test]
fn each_algorithm_is_named_and_not_read_as_ppo() {
    let names = [
        "A2C",
        "A2C",
        "DQN",
        "QR-DQN",
        "SAC",
        "TD3",
        "DDPG",
        "RecurrentPPO",
        "MaskablePPO",
        "TRPO",
        "TQC",
        "CrossQ",
        "ARS",
    ];
    let zips = zips![
        "a2c_rms",
        "a2c_custom",
        "dqn",
        "qrdqn",
        "sac",
        "td3",
        "ddpg",
        "recurrent_ppo",
        "maskable_ppo",
        "trpo",
        "tqc",
        "crossq",
        "ars",
    ];
    for ((file, bytes), name) in zips.into_iter().zip(names) {
        let facts = facts(bytes);
        assert_eq!(facts.algorithm, Some(name), "{file}");
        assert_eq!(facts.version.as_deref(), Some("2.9.2"), "{file}");
        assert!(facts.num_timesteps >= 64, "{file}");
        assert_eq!(
            refused(bytes),
            format!("`x.zip` is a model of {name}: herdbook runs and enhances only models of PPO")
        );
    }
}

#[test]
fn a2c_with_the_networks_and_optimizer_of_ppo_is_not_ppo() {
    let bytes = include_bytes!("../data/a2c_adam.zip");
    let facts = facts(bytes);
    assert_eq!((facts.algorithm, facts.num_timesteps), (Some("A2C"), 130));
    // Its own settings, and none of those that only PPO has.
    assert_eq!(facts.settings["learning_rate"], "0.0007");
    assert_eq!(facts.settings["n_steps"], "5");
    for key in ["n_epochs", "clip_range", "batch_size"] {
        assert!(!facts.settings.contains_key(key), "{key}");
    }
    assert!(refused(bytes).contains("a model of A2C"));
}

#[test]
fn kinds_of_ppo_that_are_not_supported_are_named() {
    let wanted = [
        "the policy class `__main__.MyPolicy` is not supported",
        "a policy with `features_extractor_class` is not supported",
        "the activation `torch.nn.modules.activation.ELU` is not supported",
        "a policy with `optimizer_class` is not supported",
        "continuous actions (`Box`) are not supported",
        "a space of the class `MultiBinary` is not supported",
        "`Discrete` with a `start` is not supported",
        "the policy class `stable_baselines3.common.policies.MultiInputActorCriticPolicy` is not",
    ];
    let zips = zips![
        "ppo_custom_policy",
        "ppo_custom_extractor",
        "ppo_elu",
        "ppo_sgd",
        "ppo_box",
        "ppo_binary",
        "ppo_start",
        "ppo_dict",
    ];
    for ((file, bytes), wanted) in zips.into_iter().zip(wanted) {
        assert_eq!(facts(bytes).algorithm, Some("PPO"), "{file}");
        let message = refused(bytes);
        assert!(message.contains(wanted), "{file}: {message}");
    }
}

#[test]
fn model_of_release_1_8_with_spaces_of_gym_is_read_with_its_constants() {
    let bytes = include_bytes!("../data/gym_1_8.zip");
    let model = Model::from_zip(bytes, "x.zip").unwrap();
    assert_eq!((model.policy.obs_len(), model.policy.n_actions()), (35, Some(3)));
    assert_eq!((model.num_timesteps, model.config.n_epochs), (64, 1));
    assert_eq!((model.config.clip_range, model.config.learning_rate), (0.2, 3e-4));
    assert_eq!(model.notes, [""; 0]);
    assert_eq!(facts(bytes).version.as_deref(), Some("1.8.0"));
}
