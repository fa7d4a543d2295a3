//! The model file: the zip that stable-baselines3 2.9 reads and writes for PPO.
//!
//! Nothing of the machine or the moment is written, so equal models give equal bytes. Nothing that
//! is read is executed, and nothing is believed: every size is bounded, every name is on a list,
//! every number is checked.

mod archive;
mod attributes;
mod data;
mod json;
mod numpy;
mod pickle;
mod place;
mod spaces;
mod torch;
mod weights;

use archive::Archive;
use attributes::Attributes;
use pickle::{Dialect, Globals, PickleWriter, parse};
use place::Place;
use serde_json::Value;
use torch::Storages;

use crate::policy::NamedTensor;
use crate::{Model, Policy, PpoConfig, PpoError};

/// The release whose format is written.
const VERSION: &str = "2.9.2";
/// Stable-baselines3 describes the machine here; a model is the same whatever machine made it.
const SYSTEM_INFO: &str = "- Written by herdbook\n";

pub(crate) fn write(model: &Model) -> Result<Vec<u8>, PpoError> {
    let mut nothing = PickleWriter::new();
    nothing.dict(|_| {});
    let members = [
        ("data", data::write(model)?),
        ("pytorch_variables.pth", Storages::default().finish(nothing)?),
        (weights::POLICY, weights::write_policy(model)?),
        (weights::OPTIMIZER, weights::write_optimizer(model)?),
        ("_stable_baselines3_version", VERSION.into()),
        ("system_info.txt", SYSTEM_INFO.into()),
    ];
    archive::write(&members.map(|(name, content)| (name.to_owned(), content)))
}

pub(crate) fn read(bytes: &[u8], file: &str) -> Result<Model, PpoError> {
    let mut archive = Archive::open(bytes, file)?;
    let attributes = Attributes::parse(&archive.read("data")?, file)?;
    attributes.check_policy_class()?;
    if attributes.flag("use_sde", false)? {
        return Err(attributes.place("use_sde").unsupported("state-dependent exploration is"));
    }
    // The action first: it is what tells a user most plainly that a model is of another kind.
    let action_dims = read_space(&attributes, "action_space", spaces::read_action)?;
    let (obs_len, bounds) = read_space(&attributes, "observation_space", spaces::read_observation)?;
    let (config, mut notes) = read_config(&attributes)?;
    let place = Place { file, member: weights::POLICY };
    let tensors = weights::read_policy(&archive.read(weights::POLICY)?, place)?;
    let policy = build_policy(obs_len, &action_dims, &config, &tensors, place)?;
    let place = place.at(weights::OPTIMIZER);
    let stored = weights::read_optimizer(&archive.read(weights::OPTIMIZER)?, &policy, place)?;
    let mut model = Model::new(policy, stored.adam, config);
    if let Ok(rate) = attributes.number("learning_rate") {
        model.config.learning_rate = rate.unwrap_or(model.config.learning_rate);
    } else {
        let rate = stored.learning_rate;
        model.config.learning_rate = rate;
        notes.push(format!("the schedule of `learning_rate` was not read: it stays at {rate}"));
    }
    check_config(&model.config, place)?;
    model.num_timesteps = attributes.count("num_timesteps", 0)?;
    model.n_updates = attributes.count("_n_updates", 0)?;
    model.bounds = bounds;
    notes.extend(missing(&attributes, &model));
    model.notes = notes;
    if let Some(extra) = attributes.plain("herdbook").and_then(Value::as_object) {
        model.extra.clone_from(extra);
    }
    Ok(model)
}

fn read_space<T>(
    attributes: &Attributes<'_>,
    key: &str,
    read: impl FnOnce(pickle::Value<'_, '_>) -> Result<T, PpoError>,
) -> Result<T, PpoError> {
    let (bytes, globals) = (attributes.pickle_bytes(key)?, Globals::Only(&spaces::GLOBALS));
    read(parse(&bytes, Dialect::Data, globals, attributes.place(key))?.root())
}

fn check_config(config: &PpoConfig, place: Place<'_>) -> Result<(), PpoError> {
    config.validate().map_err(|error| place.at("data").error(format!("is not sound: {error}")))
}

/// What going on with the model would need and the file does not have.
fn missing(attributes: &Attributes<'_>, model: &Model) -> Vec<String> {
    let mut notes = Vec::new();
    if model.num_timesteps > 0 && model.adam.step_count() == 0 {
        notes.push(
            "its optimizer has no moments, though it was trained: Adam begins anew".to_owned(),
        );
    }
    // stable-baselines3 keeps it only where observations were changed on their way to the model.
    if attributes.plain("_last_original_obs").is_some() {
        notes.push(
            "it was trained on observations normalised by `VecNormalize`, whose statistics are not in the zip \
             (`VecNormalize.save` writes them beside it): unnormalised ones mean something else to it"
                .to_owned(),
        );
    }
    notes
}

/// All hyperparameters but the learning rate, and what of them could not be read.
fn read_config(attributes: &Attributes<'_>) -> Result<(PpoConfig, Vec<String>), PpoError> {
    let default = PpoConfig::default();
    let mut notes = Vec::new();
    let clip_range = attributes.number("clip_range").unwrap_or_else(|_| {
        let range = default.clip_range;
        notes
            .push(format!("the schedule of `clip_range` was not read: it is {range}, the default"));
        None
    });
    let clip_range_vf = attributes.number("clip_range_vf").unwrap_or_else(|_| {
        notes.push(
            "the schedule of `clip_range_vf` was not read: values are not clipped".to_owned(),
        );
        None
    });
    let number = |key, default| attributes.number(key).map(|number| number.unwrap_or(default));
    let count =
        |key, default: usize| attributes.count(key, default as u64).map(|count| count as usize);
    let (net_arch, activation) = attributes.policy_kwargs()?;
    let config = PpoConfig {
        n_envs: count("n_envs", default.n_envs)?,
        n_steps: count("n_steps", default.n_steps)?,
        batch_size: count("batch_size", default.batch_size)?,
        n_epochs: count("n_epochs", default.n_epochs)?,
        learning_rate: default.learning_rate,
        gamma: number("gamma", default.gamma)?,
        gae_lambda: number("gae_lambda", default.gae_lambda)?,
        clip_range: clip_range.unwrap_or(default.clip_range),
        clip_range_vf,
        ent_coef: number("ent_coef", default.ent_coef)?,
        vf_coef: number("vf_coef", default.vf_coef)?,
        max_grad_norm: number("max_grad_norm", default.max_grad_norm)?,
        normalize_advantage: attributes.flag("normalize_advantage", default.normalize_advantage)?,
        // An infinite target never ends an epoch, which is what none means.
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
    place: Place<'_>,
) -> Result<Policy, PpoError> {
    check_config(config, place)?;
    let (net_arch, activation) = (config.net_arch.clone(), config.activation);
    Policy::from_tensors(obs_len, action_dims, net_arch, activation, tensors)
        .map_err(|error| place.error(format!("does not fit `data`: {error}")))
}
