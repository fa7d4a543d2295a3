//! Hyperparameters: reading them from a TOML file, and writing them as params of a run.

use std::ops::Range;

use herdbook_ppo::{Activation, NetArch, PpoConfig, PpoError};
use toml::Spanned;
use toml::de::{DeTable, DeValue};

use crate::error::TrainingError;
use crate::request::schedules::Schedules;
use crate::request::toml_file::{Reader, number, unknown_key};

/// Hyperparameters of a training; keys that a file leaves out have their default.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Hyperparameters {
    /// Hyperparameters of the PPO trainer.
    pub config: PpoConfig,
    /// Final values of scheduled hyperparameters.
    pub schedules: Schedules,
}

/// Keys of the file, spelled as in stable-baselines3.
const KEYS: [&str; 16] = [
    "n_envs",
    "n_steps",
    "batch_size",
    "n_epochs",
    "learning_rate",
    "gamma",
    "gae_lambda",
    "clip_range",
    "clip_range_vf",
    "ent_coef",
    "vf_coef",
    "max_grad_norm",
    "normalize_advantage",
    "target_kl",
    "net_arch",
    "activation",
];
impl Hyperparameters {
    /// Parses the contents of a TOML file and checks all values. Errors call the file `name`.
    ///
    /// # Errors
    /// [`TrainingError::ConfigFile`] with the line of the problem.
    pub fn from_toml(text: &str, name: &str) -> Result<Self, TrainingError> {
        let reader = Reader { text, name };
        let table = reader.table()?;
        let mut read = Self::default();
        for (key, value) in table.get_ref() {
            read.set(key.get_ref(), value).map_err(|problem| reader.error(key.span(), &problem))?;
        }
        read.config.validate().map_err(|error| out_of_range(&reader, table.get_ref(), &error))?;
        read.check_ends().map_err(|(key, problem)| {
            reader.error(span_of(table.get_ref(), key).unwrap_or_default(), &problem)
        })?;
        Ok(read)
    }

    fn set(&mut self, key: &str, value: &Spanned<DeValue<'_>>) -> Result<(), String> {
        let config = &mut self.config;
        match key {
            "n_envs" => config.n_envs = count(value, key)?,
            "n_steps" => config.n_steps = count(value, key)?,
            "batch_size" => config.batch_size = count(value, key)?,
            "n_epochs" => config.n_epochs = count(value, key)?,
            "learning_rate" => {
                (config.learning_rate, self.schedules.learning_rate) = schedule(value, key)?;
            }
            "gamma" => config.gamma = number(value, key)?,
            "gae_lambda" => config.gae_lambda = number(value, key)?,
            "clip_range" => (config.clip_range, self.schedules.clip_range) = schedule(value, key)?,
            "clip_range_vf" => config.clip_range_vf = Some(number(value, key)?),
            "ent_coef" => config.ent_coef = number(value, key)?,
            "vf_coef" => config.vf_coef = number(value, key)?,
            "max_grad_norm" => config.max_grad_norm = number(value, key)?,
            "normalize_advantage" => {
                config.normalize_advantage = value
                    .get_ref()
                    .as_bool()
                    .ok_or_else(|| format!("`{key}` must be `true` or `false`"))?;
            }
            "target_kl" => config.target_kl = Some(number(value, key)?),
            "net_arch" => config.net_arch = net_arch(value)?,
            "activation" => config.activation = activation(value)?,
            unknown => return Err(unknown_key("hyperparameter", unknown, &KEYS)),
        }
        Ok(())
    }

    fn check_ends(&self) -> Result<(), (&'static str, String)> {
        let ends = [
            ("learning_rate", self.schedules.learning_rate, 0.0),
            ("clip_range", self.schedules.clip_range, f64::MIN_POSITIVE),
        ];
        for (key, end, least) in ends {
            if let Some(end) = end.filter(|end| !(end.is_finite() && *end >= least)) {
                let least = if least > 0.0 { "above 0" } else { "of 0 or above" };
                let problem = format!("`{key}` ends at `{end}`, but must end at a number {least}");
                return Err((key, problem));
            }
        }
        Ok(())
    }
}

/// The hyperparameters as params of a run, in the order of the keys of the file.
pub(crate) fn hyperparameter_params(config: &PpoConfig) -> Vec<(&'static str, String)> {
    let optional = |value: Option<f64>| value.map_or("none".to_owned(), |value| value.to_string());
    let activation = match config.activation {
        Activation::Tanh => "tanh",
        Activation::Relu => "relu",
    };
    vec![
        ("n_envs", config.n_envs.to_string()),
        ("n_steps", config.n_steps.to_string()),
        ("batch_size", config.batch_size.to_string()),
        ("n_epochs", config.n_epochs.to_string()),
        ("learning_rate", config.learning_rate.to_string()),
        ("gamma", config.gamma.to_string()),
        ("gae_lambda", config.gae_lambda.to_string()),
        ("clip_range", config.clip_range.to_string()),
        ("clip_range_vf", optional(config.clip_range_vf)),
        ("ent_coef", config.ent_coef.to_string()),
        ("vf_coef", config.vf_coef.to_string()),
        ("max_grad_norm", config.max_grad_norm.to_string()),
        ("normalize_advantage", config.normalize_advantage.to_string()),
        ("target_kl", optional(config.target_kl)),
        ("net_arch", format!("pi={:?} vf={:?}", config.net_arch.pi, config.net_arch.vf)),
        ("activation", activation.to_owned()),
    ]
}

fn out_of_range(reader: &Reader<'_>, table: &DeTable<'_>, error: &PpoError) -> TrainingError {
    let field = match error {
        PpoError::Config { field, .. } => field.split('.').next().unwrap_or(field),
        _ => "",
    };
    reader.error(span_of(table, field).unwrap_or_default(), &error.to_string())
}

fn span_of(table: &DeTable<'_>, key: &str) -> Option<Range<usize>> {
    table.keys().find(|found| found.get_ref() == key).map(Spanned::span)
}

fn count(value: &Spanned<DeValue<'_>>, key: &str) -> Result<usize, String> {
    let whole = match value.get_ref() {
        DeValue::Integer(integer) => usize::from_str_radix(integer.as_str(), integer.radix()).ok(),
        _ => None,
    };
    whole.ok_or_else(|| format!("`{key}` must be a whole number, 1 or above"))
}

/// Reads a number, or `{ initial = …, final = … }`; returns the initial and the final value.
fn schedule(value: &Spanned<DeValue<'_>>, key: &str) -> Result<(f64, Option<f64>), String> {
    let Some(table) = value.get_ref().as_table() else {
        return Ok((number(value, key)?, None));
    };
    let wanted = || format!("`{key}` must be a number or `{{ initial = …, final = … }}`");
    if table.keys().any(|key| !["initial", "final"].contains(&key.get_ref().as_ref())) {
        return Err(wanted());
    }
    let part = |name| number(table.get(name).ok_or_else(wanted)?, key);
    Ok((part("initial")?, Some(part("final")?)))
}

/// Reads `[64, 64]` for both networks, or `{ pi = […], vf = […] }`.
fn net_arch(value: &Spanned<DeValue<'_>>) -> Result<NetArch, String> {
    const WANTED: &str =
        "`net_arch` must be widths such as `[64, 64]`, or `{ pi = […], vf = […] }`";
    let widths = |value: &Spanned<DeValue<'_>>| -> Result<Vec<usize>, String> {
        let array = value.get_ref().as_array().ok_or(WANTED)?;
        array.iter().map(|width| count(width, "net_arch")).collect()
    };
    let Some(table) = value.get_ref().as_table() else {
        let both = widths(value)?;
        return Ok(NetArch { pi: both.clone(), vf: both });
    };
    if table.keys().any(|key| !["pi", "vf"].contains(&key.get_ref().as_ref())) {
        return Err(WANTED.to_owned());
    }
    let part = |name| widths(table.get(name).ok_or(WANTED)?);
    Ok(NetArch { pi: part("pi")?, vf: part("vf")? })
}

fn activation(value: &Spanned<DeValue<'_>>) -> Result<Activation, String> {
    match value.get_ref().as_str() {
        Some("tanh") => Ok(Activation::Tanh),
        Some("relu") => Ok(Activation::Relu),
        _ => Err("`activation` must be \"tanh\" or \"relu\"".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<Hyperparameters, String> {
        Hyperparameters::from_toml(text, "ppo.toml").map_err(|error| error.to_string())
    }

    #[test]
    fn example_of_the_documentation_is_read() {
        let docs = include_str!("../../../../docs/hyperparameters.md");
        let begin = docs.find("```toml\n").unwrap() + "```toml\n".len();
        let example = &docs[begin..begin + docs[begin..].find("```").unwrap()];
        let read = read(example).unwrap();
        assert_eq!(read.config.net_arch, NetArch { pi: vec![128, 64], vf: vec![64] });
        assert_eq!(read.config.activation, Activation::Relu);
        assert_eq!(read.schedules.learning_rate, Some(0.0));
        let named = KEYS.iter().filter(|key| example.contains(&format!("{key} =")));
        assert_eq!(named.count(), KEYS.len(), "the example shows every key");
    }

    #[test]
    fn empty_file_gives_the_defaults() {
        assert_eq!(read("# nothing\n"), Ok(Hyperparameters::default()));
    }

    #[test]
    fn unknown_key_suggests_the_nearest_with_its_line() {
        assert_eq!(
            read("gamma = 0.9\nlearning_rte = 1e-3\n").unwrap_err(),
            "`ppo.toml`, line 2: unknown hyperparameter `learning_rte`: did you mean `learning_rate`?"
        );
        assert!(read("zzz = 1").unwrap_err().contains("expected one of n_envs, n_steps"));
    }

    #[test]
    fn value_out_of_range_is_named_with_its_line() {
        assert_eq!(
            read("n_steps = 128\n\ngamma = 1.5\n").unwrap_err(),
            "`ppo.toml`, line 3: `gamma` is `1.5`, but must be a number from 0 to 1"
        );
        assert!(
            read("net_arch = [64, 0]").unwrap_err().contains("line 1: `net_arch.pi` is `[64, 0]`")
        );
        assert!(
            read("clip_range = { initial = 0.2, final = 0.0 }").unwrap_err().contains("ends at")
        );
    }

    #[test]
    fn wrong_types_and_broken_files_are_named_with_their_line() {
        assert!(read("gamma = \"high\"").unwrap_err().contains("line 1: `gamma` is string"));
        assert!(read("n_envs = 1.5").unwrap_err().contains("whole number"));
        assert!(read("n_envs = -1").unwrap_err().contains("whole number"));
        assert!(read("activation = \"gelu\"").unwrap_err().contains("\"tanh\" or \"relu\""));
        assert!(read("gamma = 0.9\ngamma = 0.8\n").unwrap_err().starts_with("`ppo.toml`, line 2"));
        assert!(read("gamma 0.9").unwrap_err().starts_with("`ppo.toml`, line 1"));
        assert!(read("learning_rate = { from = 1 }").unwrap_err().contains("initial = …"));
    }
}
