//! Writing the member `data`: the attributes of the algorithm as JSON, with pickles for Python
//! objects.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::Serialize;
use serde_json::{Map, Value, json};

use super::pickle::PickleWriter;
use super::spaces;
use crate::config::Activation;
use crate::error::PpoError;
use crate::model::Model;

/// Key of a pickled object's type, which is only for readers.
const TYPE: &str = ":type:";
/// Key of a pickled object's pickle, in base64.
pub(super) const SERIALIZED: &str = ":serialized:";

/// The policy class; `MlpPolicy` is an alias for it.
pub(super) const POLICY_CLASS: (&str, &str) =
    ("stable_baselines3.common.policies", "ActorCriticPolicy");
pub(super) const ACTIVATION_MODULE: &str = "torch.nn.modules.activation";

impl Activation {
    /// The name of the activation's class in torch.
    pub(super) const fn class(self) -> &'static str {
        match self {
            Self::Tanh => "Tanh",
            Self::Relu => "ReLU",
        }
    }
}

/// The attributes in the order of stable-baselines3, then our own.
#[derive(Serialize)]
struct Data<'a> {
    policy_class: Value,
    verbose: u32,
    policy_kwargs: Value,
    num_timesteps: u64,
    _total_timesteps: u64,
    _num_timesteps_at_start: u64,
    /// Always `None`: stable-baselines3 would seed its generators with a number here on every load.
    seed: Option<u64>,
    action_noise: (),
    start_time: f64,
    learning_rate: f64,
    tensorboard_log: (),
    _last_obs: (),
    _last_episode_starts: (),
    _last_original_obs: (),
    _episode_num: u32,
    use_sde: bool,
    sde_sample_freq: i32,
    _current_progress_remaining: f64,
    _stats_window_size: u32,
    ep_info_buffer: (),
    ep_success_buffer: (),
    _n_updates: u64,
    observation_space: Value,
    action_space: Value,
    n_envs: usize,
    n_steps: usize,
    gamma: f64,
    gae_lambda: f64,
    ent_coef: f64,
    vf_coef: f64,
    max_grad_norm: f64,
    rollout_buffer_class: (),
    rollout_buffer_kwargs: Map<String, Value>,
    batch_size: usize,
    n_epochs: usize,
    clip_range: f64,
    clip_range_vf: Option<f64>,
    normalize_advantage: bool,
    target_kl: Option<f64>,
    herdbook: &'a Map<String, Value>,
}

pub(super) fn write(model: &Model) -> Result<Vec<u8>, PpoError> {
    let (config, policy) = (&model.config, &model.policy);
    let data = Data {
        policy_class: serialized("<class 'abc.ABCMeta'>", |w| {
            w.global(POLICY_CLASS.0, POLICY_CLASS.1);
        }),
        verbose: 0,
        policy_kwargs: policy_kwargs(model),
        num_timesteps: model.num_timesteps,
        _total_timesteps: model.num_timesteps,
        _num_timesteps_at_start: 0,
        seed: None,
        action_noise: (),
        start_time: 0.0,
        learning_rate: config.learning_rate,
        tensorboard_log: (),
        _last_obs: (),
        _last_episode_starts: (),
        _last_original_obs: (),
        _episode_num: 0,
        use_sde: false,
        sde_sample_freq: -1,
        _current_progress_remaining: 1.0,
        _stats_window_size: 100,
        ep_info_buffer: (),
        ep_success_buffer: (),
        _n_updates: model.n_updates,
        observation_space: serialized(spaces::BOX_TYPE, |w| {
            spaces::write_observation(w, policy.obs_len(), model.bounds.as_ref());
        }),
        action_space: serialized(spaces::action_type(policy.action_dims()), |w| {
            spaces::write_action(w, policy.action_dims());
        }),
        n_envs: config.n_envs,
        n_steps: config.n_steps,
        gamma: config.gamma,
        gae_lambda: config.gae_lambda,
        ent_coef: config.ent_coef,
        vf_coef: config.vf_coef,
        max_grad_norm: config.max_grad_norm,
        rollout_buffer_class: (),
        rollout_buffer_kwargs: Map::new(),
        batch_size: config.batch_size,
        n_epochs: config.n_epochs,
        clip_range: config.clip_range,
        clip_range_vf: config.clip_range_vf,
        normalize_advantage: config.normalize_advantage,
        target_kl: config.target_kl,
        herdbook: &model.extra,
    };
    serde_json::to_vec_pretty(&data).map_err(|error| PpoError::Archive {
        file: "the new model file".to_owned(),
        problem: format!("`data`: {error}"),
    })
}

/// The arguments of the policy. Tanh is stable-baselines3's default and left out, so that plain JSON
/// suffices. Relu is a Python class, which needs a pickle.
fn policy_kwargs(model: &Model) -> Value {
    let (net_arch, activation) = (model.policy.net_arch(), model.policy.activation());
    if activation == Activation::Tanh {
        return json!({ "net_arch": { "pi": net_arch.pi, "vf": net_arch.vf } });
    }
    serialized("<class 'dict'>", |w| {
        w.dict(|w| {
            w.string("net_arch");
            w.dict(|w| {
                for (net, widths) in [("pi", &net_arch.pi), ("vf", &net_arch.vf)] {
                    w.string(net);
                    w.list(|w| widths.iter().for_each(|width| w.int(*width as u32)));
                }
            });
            w.string("activation_fn");
            w.global(ACTIVATION_MODULE, activation.class());
        });
    })
}

fn serialized(type_name: &str, write: impl FnOnce(&mut PickleWriter)) -> Value {
    let mut pickle = PickleWriter::new();
    write(&mut pickle);
    json!({ TYPE: type_name, SERIALIZED: STANDARD.encode(pickle.finish()) })
}
