//! The model file: the zip that `PPO.save` and `PPO.load` of stable-baselines3 2.9 write and read.
//!
//! Neither time nor properties of the machine are written, so equal models give equal bytes. Files are
//! not trusted: nothing in them is executed, every size is bounded, every name is on a list, and every
//! number is checked.

mod algorithm;
mod archive;
mod attributes;
mod data;
pub(crate) mod facts;
mod json;
mod location;
mod numpy;
mod pickle;
mod spaces;
mod torch;
mod weights;

use archive::Archive;
use attributes::{Attributes, Setting};
use location::Location;
use pickle::{Dialect, Globals, PickleWriter, parse};
use serde_json::Value;
use torch::Storages;

use facts::{ModelFacts, PPO};

use crate::config::PpoConfig;
use crate::error::PpoError;
use crate::model::Model;
use crate::network::policy::Policy;
use crate::network::tensors::NamedTensor;

/// The release of stable-baselines3 whose format is written.
const VERSION: &str = "2.9.2";
/// Replaces stable-baselines3's description of the machine, which would make the bytes depend on it.
const SYSTEM_INFO: &str = "- Written by herdbook\n";

impl Model {
    /// Returns the bytes of a zip that stable-baselines3's `PPO.load` reads. Equal models give equal
    /// bytes.
    ///
    /// # Errors
    /// [`PpoError::NotFinite`] if a weight or a moment of Adam is infinite or NaN;
    /// [`PpoError::Archive`] if the archive cannot be written.
    pub fn to_zip(&self) -> Result<Vec<u8>, PpoError> {
        write(self)
    }

    /// Reads the bytes of a zip written by herdbook or stable-baselines3. The content is not trusted:
    /// nothing in it is executed. `source` is the name of the file in errors.
    ///
    /// # Errors
    /// [`PpoError::Archive`] if the bytes are not a zip archive with the members of a model,
    /// [`PpoError::Member`] if a member is invalid, [`PpoError::Unsupported`] if the model is of a kind
    /// that this crate does not support.
    pub fn from_zip(bytes: &[u8], source: &str) -> Result<Self, PpoError> {
        read(bytes, source)
    }
}

fn write(model: &Model) -> Result<Vec<u8>, PpoError> {
    let mut no_variables = PickleWriter::new();
    no_variables.dict(|_| {});
    let members = [
        ("data", data::write(model)?),
        ("pytorch_variables.pth", Storages::default().finish(no_variables)?),
        (weights::POLICY, weights::write_policy(model)?),
        (weights::OPTIMIZER, weights::write_optimizer(model)?),
        ("_stable_baselines3_version", VERSION.into()),
        ("system_info.txt", SYSTEM_INFO.into()),
    ];
    archive::write(&members.map(|(name, content)| (name.to_owned(), content)))
}

fn read(bytes: &[u8], file: &str) -> Result<Model, PpoError> {
    let mut archive = Archive::open(bytes, file)?;
    let attributes = Attributes::parse(&archive.read("data")?, file)?;
    let facts = ModelFacts::of(&attributes)?;
    if facts.algorithm != Some(PPO) {
        return Err(PpoError::OtherAlgorithm { file: file.to_owned(), what: facts.kind() });
    }
    attributes.check_policy_class()?;
    if attributes.flag("use_sde", false)? {
        return Err(attributes.location("use_sde").unsupported("state-dependent exploration is"));
    }
    // The action space first: its error is the clearest one for a model of another kind.
    let action_dims = read_space(&attributes, "action_space", spaces::read_action)?;
    let (obs_len, bounds) = read_space(&attributes, SPACE, spaces::read_observation)?;
    let (config, mut notes) = read_config(&attributes)?;
    let location = Location { file, member: weights::POLICY };
    let tensors = weights::read_policy(&archive.read(weights::POLICY)?, location)?;
    let policy = build_policy(obs_len, &action_dims, &config, &tensors, location)?;
    let location = location.with_member(weights::OPTIMIZER);
    let stored = weights::read_optimizer(&archive.read(weights::OPTIMIZER)?, &policy, location)?;
    let mut model = Model::new(policy, stored.adam, config);
    model.config.learning_rate = match attributes.setting("learning_rate")? {
        Setting::Number(rate) => rate,
        Setting::Absent => return Err(attributes.location("learning_rate").error("is missing")),
        Setting::Schedule => {
            let rate = stored.learning_rate;
            notes.push(format!(
                "the schedule of `learning_rate` could not be read: using {rate}, its last value"
            ));
            rate
        }
    };
    check_config(&model.config, location)?;
    model.num_timesteps = attributes.count("num_timesteps", 0)?;
    model.n_updates = attributes.count("_n_updates", 0)?;
    model.bounds = bounds;
    notes.extend(missing_state(&attributes, &model));
    model.notes = notes;
    if let Some(extra) = attributes.plain("herdbook").and_then(Value::as_object) {
        model.extra.clone_from(extra);
    } else if attributes.plain(NORMALIZED).is_none()
        && let Some(text) = read_space(&attributes, SPACE, spaces::read_description)?
    {
        // A wrapper that changes the observations may keep the space of the environment inside.
        let described = json::parse_object(&text);
        model.extra = described.map_err(|problem| attributes.location(SPACE).error(problem))?;
    }
    Ok(model)
}

/// An attribute that stable-baselines3 stores only if a wrapper changed the observations.
const NORMALIZED: &str = "_last_original_obs";
/// The attribute with the observation space.
const SPACE: &str = "observation_space";

fn read_space<T>(
    attributes: &Attributes<'_>,
    key: &str,
    read: impl FnOnce(pickle::Value<'_, '_>) -> Result<T, PpoError>,
) -> Result<T, PpoError> {
    let (bytes, location) = (attributes.pickle_bytes(key)?, attributes.location(key));
    match parse(&bytes, Dialect::Data, Globals::Only(&spaces::GLOBALS), location) {
        Ok(pickle) => read(pickle.root()),
        Err(error) => {
            let any = parse(&bytes, Dialect::Data, Globals::Any, location);
            Err(any.ok().and_then(|any| spaces::foreign(any.root())).unwrap_or(error))
        }
    }
}

fn check_config(config: &PpoConfig, location: Location<'_>) -> Result<(), PpoError> {
    config
        .validate()
        .map_err(|error| location.with_member("data").error(format!("is invalid: {error}")))
}

/// Notes on what is needed to continue the training, or to use the model, and is not in the file.
fn missing_state(attributes: &Attributes<'_>, model: &Model) -> Vec<String> {
    let mut notes = Vec::new();
    if model.num_timesteps > 0 && model.adam.step_count() == 0 {
        notes.push("the file has no moments of the optimizer: Adam starts from zero".to_owned());
    }
    if attributes.plain(NORMALIZED).is_some() {
        notes.push(
            "the model was trained on observations normalized by `VecNormalize`, whose statistics are not in \
             the zip (`VecNormalize.save` writes them): it needs observations normalized in the same way"
                .to_owned(),
        );
    }
    notes
}

/// Reads all hyperparameters except the learning rate. Also returns notes on those that could not be
/// read.
fn read_config(attributes: &Attributes<'_>) -> Result<(PpoConfig, Vec<String>), PpoError> {
    let default = PpoConfig::default();
    let mut notes = Vec::new();
    let mut clip = |key, instead: &str| {
        Ok(match attributes.setting(key)? {
            Setting::Absent => None,
            Setting::Number(range) => Some(range),
            Setting::Schedule => {
                notes.push(format!("the schedule of `{key}` could not be read: {instead}"));
                None
            }
        })
    };
    let instead = format!("using {}, the default", default.clip_range);
    let clip_range = clip("clip_range", &instead)?;
    let clip_range_vf = clip("clip_range_vf", "values are not clipped")?;
    let number = |key| attributes.required(key);
    let count = |key| attributes.required_count(key).map(|count| count as usize);
    let (net_arch, activation) = attributes.policy_kwargs()?;
    let config = PpoConfig {
        n_envs: attributes.count("n_envs", default.n_envs as u64)? as usize,
        n_steps: count("n_steps")?,
        batch_size: count("batch_size")?,
        n_epochs: count("n_epochs")?,
        learning_rate: default.learning_rate,
        gamma: number("gamma")?,
        gae_lambda: number("gae_lambda")?,
        clip_range: clip_range.unwrap_or(default.clip_range),
        clip_range_vf,
        ent_coef: number("ent_coef")?,
        vf_coef: number("vf_coef")?,
        max_grad_norm: number("max_grad_norm")?,
        normalize_advantage: attributes.flag("normalize_advantage", default.normalize_advantage)?,
        // An infinite target never stops an epoch, like none.
        target_kl: match attributes.plain("target_kl") {
            Some(limit) if limit == "Infinity" => None,
            _ => attributes.number("target_kl")?,
        },
        net_arch,
        activation,
    };
    Ok((config, notes))
}

fn build_policy(
    obs_len: usize,
    action_dims: &[usize],
    config: &PpoConfig,
    tensors: &[NamedTensor],
    location: Location<'_>,
) -> Result<Policy, PpoError> {
    check_config(config, location)?;
    let (net_arch, activation) = (config.net_arch.clone(), config.activation);
    Policy::from_tensors(obs_len, action_dims, net_arch, activation, tensors)
        .map_err(|error| location.error(format!("does not fit `data`: {error}")))
}
