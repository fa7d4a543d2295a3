//! The algorithm of a model, recognised by what its zip holds: stable-baselines3 does not write its name.

use serde_json::Value as Json;

use super::attributes::{Attributes, PolicyClass};

/// An algorithm, and how its zip is told from those of the others.
struct Mark {
    algorithm: &'static str,
    /// The module of its policy classes; empty where its attributes suffice.
    module: &'static str,
    /// Attributes that its `data` has.
    keys: &'static [&'static str],
}

/// The policies of PPO, A2C and TRPO.
const ACTOR_CRITIC: &str = "stable_baselines3.common.policies";
const PPO: &[&str] = &["n_steps", "n_epochs", "clip_range"];

/// The algorithms of stable-baselines3 and sb3-contrib. The first that fits is the one: those that extend another one come
/// before it.
const MARKS: [Mark; 12] = [
    Mark { algorithm: "RecurrentPPO", module: "sb3_contrib.common.recurrent", keys: PPO },
    Mark { algorithm: "MaskablePPO", module: "sb3_contrib.common.maskable", keys: PPO },
    Mark { algorithm: "PPO", module: ACTOR_CRITIC, keys: PPO },
    Mark { algorithm: "TRPO", module: ACTOR_CRITIC, keys: &["cg_max_steps", "n_critic_updates"] },
    Mark { algorithm: "A2C", module: ACTOR_CRITIC, keys: &["n_steps", "gae_lambda", "vf_coef"] },
    Mark { algorithm: "QR-DQN", module: "sb3_contrib.qrdqn", keys: &["exploration_fraction"] },
    Mark { algorithm: "DQN", module: "", keys: &["exploration_fraction"] },
    Mark { algorithm: "TQC", module: "", keys: &["top_quantiles_to_drop_per_net"] },
    Mark { algorithm: "CrossQ", module: "sb3_contrib.crossq", keys: &["target_entropy"] },
    Mark { algorithm: "SAC", module: "", keys: &["target_entropy"] },
    Mark { algorithm: "TD3", module: "", keys: &["policy_delay", "target_policy_noise"] },
    Mark { algorithm: "ARS", module: "sb3_contrib.ars", keys: &["n_delta"] },
];

/// The name of the algorithm; `None` for one that is not of stable-baselines3 or sb3-contrib.
pub(super) fn algorithm(attributes: &Attributes<'_>, policy: &PolicyClass) -> Option<&'static str> {
    let fits = |mark: &&Mark| {
        policy.mentions(mark.module) && mark.keys.iter().all(|key| attributes.has(key))
    };
    let found = MARKS.iter().find(fits)?.algorithm;
    let is_ddpg = found == "TD3"
        && attributes.plain("policy_delay").and_then(Json::as_u64) == Some(1)
        && attributes.plain("target_noise_clip").and_then(Json::as_f64) == Some(0.0);
    Some(if is_ddpg { "DDPG" } else { found })
}
