//! Reading the member `data`: attributes of the algorithm, as plain JSON or pickled.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Map, Value as Json};

use super::data::{ACTIVATION_MODULE, POLICY_CLASS, SERIALIZED};
use super::location::Location;
use super::pickle::{Dialect, Globals, Pickle, Value, parse};
use super::{json, numpy};
use crate::config::{Activation, NetArch};
use crate::error::PpoError;

/// Largest size of `data`, thousands of times what the hyperparameters need.
const MAX_BYTES: usize = 16 << 20;

/// The function of cloudpickle that creates a class which is stored by value: type, name, base classes …
const CLOUDPICKLE: &str = "cloudpickle.cloudpickle";
const CLASS: &str = "_make_skeleton_class";
const SCHEDULES: &str = "stable_baselines3.common.utils";
const NUMBER_GLOBALS: [(&str, &str); 5] = [
    (SCHEDULES, "FloatSchedule"),
    (SCHEDULES, "ConstantSchedule"),
    ("numpy", "dtype"),
    ("numpy._core.multiarray", "scalar"),
    ("numpy.core.multiarray", "scalar"),
];
/// The nested function as which stable-baselines3 up to 2.6 stored a constant. From 2.0 on, another function wrapped it.
const OLD_CONSTANT: &str = "constant_fn.<locals>.func";

/// Settings of a policy that affect its initial weights only.
const INITIAL_WEIGHTS_ONLY: [&str; 2] = ["ortho_init", "log_std_init"];

/// The attributes of the stored algorithm.
pub(super) struct Attributes<'a> {
    map: Map<String, Json>,
    file: &'a str,
}

impl<'a> Attributes<'a> {
    pub(super) fn parse(bytes: &[u8], file: &'a str) -> Result<Self, PpoError> {
        let location = Location { file, member: "data" };
        if bytes.len() > MAX_BYTES {
            return Err(location.error(format!("has more than {MAX_BYTES} bytes")));
        }
        let text = std::str::from_utf8(bytes).map_err(|_| location.error("is not UTF-8"))?;
        let map = json::parse_object(text).map_err(|problem| location.error(problem))?;
        Ok(Self { map, file })
    }

    pub(super) fn location<'k>(&'k self, key: &'k str) -> Location<'k> {
        Location { file: self.file, member: key }
    }

    /// The JSON value of an attribute; null counts as absent.
    pub(super) fn plain(&self, key: &str) -> Option<&Json> {
        self.map.get(key).filter(|value| !value.is_null())
    }

    /// Whether there is an attribute, also one that is null.
    pub(super) fn has(&self, key: &str) -> bool {
        self.map.contains_key(key)
    }

    /// Keys and values that are plain JSON.
    pub(super) fn all(&self) -> impl Iterator<Item = (&str, &Json)> {
        self.map.iter().map(|(key, value)| (key.as_str(), value))
    }

    /// A number that every model of the algorithm has.
    pub(super) fn required(&self, key: &str) -> Result<f64, PpoError> {
        self.number(key)?.ok_or_else(|| self.location(key).error("is missing"))
    }

    /// A non-negative integer, or `default` if the key is absent.
    pub(super) fn count(&self, key: &str, default: u64) -> Result<u64, PpoError> {
        match self.number(key)? {
            None => Ok(default),
            Some(count) if count >= 0.0 && count.fract() == 0.0 && count < 9e15 => Ok(count as u64),
            Some(other) => {
                Err(self.location(key).error(format!("is {other}, not a non-negative integer")))
            }
        }
    }

    /// A non-negative integer that every model of the algorithm has.
    pub(super) fn required_count(&self, key: &str) -> Result<u64, PpoError> {
        self.required(key)?;
        self.count(key, 0)
    }

    /// A boolean, or `default` if the key is absent.
    pub(super) fn flag(&self, key: &str, default: bool) -> Result<bool, PpoError> {
        match self.plain(key) {
            None => Ok(default),
            Some(Json::Bool(flag)) => Ok(*flag),
            Some(_) => Err(self.location(key).error("is neither true nor false")),
        }
    }

    /// A number: plain JSON, a pickled numpy scalar, or a pickled constant schedule.
    pub(super) fn number(&self, key: &str) -> Result<Option<f64>, PpoError> {
        match self.setting(key)? {
            Setting::Absent => Ok(None),
            Setting::Number(number) => Ok(Some(number)),
            Setting::Schedule => Err(self.location(key).error(
                "is a Python function, which is never executed: \
                 save the model with a constant in its place",
            )),
        }
    }

    /// A number, or a schedule that is a function of the progress of the training.
    pub(super) fn setting(&self, key: &str) -> Result<Setting, PpoError> {
        let Some(plain) = self.plain(key) else {
            return Ok(Setting::Absent);
        };
        if plain.get(SERIALIZED).is_none() {
            let number =
                plain.as_f64().ok_or_else(|| self.location(key).error("is not a finite number"));
            return number.map(Setting::Number);
        }
        let bytes = self.pickle_bytes(key)?;
        let data = parse(&bytes, Dialect::Data, Globals::Only(&NUMBER_GLOBALS), self.location(key));
        if let Ok(pickle) = &data
            && let Ok(number) = constant(pickle.root())
        {
            return number_of(number, self.location(key)).map(Setting::Number);
        }
        let program = parse(&bytes, Dialect::Data, Globals::Any, self.location(key))
            .map_err(|error| data.err().unwrap_or(error))?;
        match old_constant(&program) {
            Some(number) => number_of(number, self.location(key)).map(Setting::Number),
            None if program.root().is_object() => Ok(Setting::Schedule),
            None => Err(self.location(key).error("is neither a number nor a schedule")),
        }
    }

    /// The bytes of a pickled attribute, for [`parse`].
    pub(super) fn pickle_bytes(&self, key: &str) -> Result<Vec<u8>, PpoError> {
        let location = self.location(key);
        let value = self.plain(key).ok_or_else(|| location.error("is missing"))?;
        let text = value.get(SERIALIZED).and_then(Json::as_str);
        let text = text.ok_or_else(|| location.error("is not a pickled object"))?;
        STANDARD.decode(text).map_err(|error| location.error(format!("is not base64: {error}")))
    }

    /// The class of the policy, as far as it can be told.
    ///
    /// # Errors
    /// [`PpoError::Member`] if there is none, so that the file is no model of stable-baselines3.
    pub(super) fn policy_class(&self) -> Result<PolicyClass, PpoError> {
        let bytes = self.pickle_bytes("policy_class")?;
        let location = self.location("policy_class");
        let readable = self.plain("policy_class").and_then(|class| class.get("__module__"));
        let mut class = PolicyClass {
            module: readable.and_then(Json::as_str).unwrap_or_default().to_owned(),
            name: String::new(),
            mentioned: Vec::new(),
        };
        if let Ok(pickle) = parse(&bytes, Dialect::Data, Globals::Any, location) {
            if let Some((module, name)) = pickle.root().global() {
                (class.module, class.name) = (module.to_owned(), name.to_owned());
            } else if let Some([_, name, ..]) = pickle.root().calls(CLOUDPICKLE, CLASS).as_deref() {
                name.string().unwrap_or_default().clone_into(&mut class.name);
            }
            class.mentioned = pickle.strings().map(str::to_owned).collect();
        }
        Ok(class)
    }

    /// Checks that the policy is an `ActorCriticPolicy`.
    pub(super) fn check_policy_class(&self) -> Result<(), PpoError> {
        let class = self.policy_class()?;
        if (class.module.as_str(), class.name.as_str()) == POLICY_CLASS {
            return Ok(());
        }
        Err(self.location("policy_class").unsupported(format!("the policy class `{class}` is")))
    }

    /// Hidden layers and activation, with the defaults of stable-baselines3.
    pub(super) fn policy_kwargs(&self) -> Result<(NetArch, Activation), PpoError> {
        let location = self.location("policy_kwargs");
        let kwargs = match self.plain("policy_kwargs") {
            None => Json::Object(Map::new()),
            Some(pickled) if pickled.get(SERIALIZED).is_some() => {
                let classes =
                    [Activation::Tanh, Activation::Relu].map(|a| (ACTIVATION_MODULE, a.class()));
                let bytes = self.pickle_bytes("policy_kwargs")?;
                match parse(&bytes, Dialect::Data, Globals::Only(&classes), location) {
                    Ok(pickle) => pickle.root().to_json()?,
                    Err(error) => return Err(self.foreign_policy(&bytes).unwrap_or(error)),
                }
            }
            Some(plain) => plain.clone(),
        };
        let kwargs = kwargs.as_object().ok_or_else(|| location.error("is not an object"))?;
        let (mut net_arch, mut activation) = (NetArch::default(), Activation::Tanh);
        for (key, value) in kwargs {
            let invalid = || location.error(format!("has an unsupported value of `{key}`"));
            match key.as_str() {
                "net_arch" => net_arch = read_net_arch(value).ok_or_else(invalid)?,
                "activation_fn" => activation = read_activation(value).ok_or_else(invalid)?,
                other if INITIAL_WEIGHTS_ONLY.contains(&other) => {}
                other => return Err(location.unsupported(format!("a policy with `{other}` is"))),
            }
        }
        Ok((net_arch, activation))
    }

    /// The error that names the first argument of a policy that is not supported; `None` if the pickle cannot be read.
    fn foreign_policy(&self, bytes: &[u8]) -> Option<PpoError> {
        let location = self.location("policy_kwargs");
        let pickle = parse(bytes, Dialect::Data, Globals::Any, location).ok()?;
        for (key, value) in pickle.root().entries().ok()? {
            match (key.string().ok()?, value.global()) {
                ("activation_fn", Some((module, name))) => {
                    let class = format!("{module}.{name}");
                    if read_activation(&class.clone().into()).is_none() {
                        return Some(location.unsupported(format!("the activation `{class}` is")));
                    }
                }
                ("net_arch", _) => {}
                (key, _) if INITIAL_WEIGHTS_ONLY.contains(&key) => {}
                (key, _) => return Some(location.unsupported(format!("a policy with `{key}` is"))),
            }
        }
        None
    }
}

/// A hyperparameter that may be a schedule.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Setting {
    /// There is none, or it is null.
    Absent,
    /// A number, or a schedule that always has this value.
    Number(f64),
    /// A function of the progress of the training, which is not executed.
    Schedule,
}

/// The class of a policy.
pub(super) struct PolicyClass {
    module: String,
    /// Empty if it cannot be told.
    name: String,
    /// All texts in its pickle. Those of a class that is stored by value name its base classes.
    mentioned: Vec<String>,
}

impl PolicyClass {
    /// Whether the class or one of its base classes comes from a module.
    pub(super) fn mentions(&self, module: &str) -> bool {
        self.module.starts_with(module)
            || self.mentioned.iter().any(|text| text.starts_with(module))
    }
}

impl std::fmt::Display for PolicyClass {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let name = if self.name.is_empty() { "unknown" } else { &self.name };
        if self.module.is_empty() { f.write_str(name) } else { write!(f, "{}.{name}", self.module) }
    }
}

fn number_of(number: f64, location: Location<'_>) -> Result<f64, PpoError> {
    number.is_finite().then_some(number).ok_or_else(|| location.error("is not a finite number"))
}

/// The value of a numpy scalar or of a constant schedule.
fn constant(value: Value<'_, '_>) -> Result<f64, PpoError> {
    if value.calls(SCHEDULES, "FloatSchedule").is_some() {
        return constant(value.state()?.get("value_schedule")?);
    }
    if value.calls(SCHEDULES, "ConstantSchedule").is_some() {
        return value.state()?.get("val")?.float();
    }
    numpy::number(value)
}

/// The constant in a pickled function of an old release. The pickle is recognized by the names of the
/// functions and holds exactly one float; it is not executed.
fn old_constant(program: &Pickle<'_>) -> Option<f64> {
    let mut floats = program.floats();
    let only = floats.next().filter(|_| floats.next().is_none())?;
    program.strings().any(|text| text == OLD_CONSTANT).then_some(only)
}

/// Reads `{"pi": […], "vf": […]}`, or one list for both networks. Before stable-baselines3 1.8, the
/// object could be the element of a list.
fn read_net_arch(value: &Json) -> Option<NetArch> {
    let widths = |value: Option<&Json>| -> Option<Vec<usize>> {
        let Some(list) = value else {
            return Some(vec![]);
        };
        list.as_array()?.iter().map(|width| width.as_u64().map(|width| width as usize)).collect()
    };
    match value {
        Json::Array(list) => match &list[..] {
            [networks @ Json::Object(_)] => read_net_arch(networks),
            _ => widths(Some(value)).map(|both| NetArch { pi: both.clone(), vf: both }),
        },
        Json::Object(networks) if networks.keys().all(|key| key == "pi" || key == "vf") => {
            Some(NetArch { pi: widths(networks.get("pi"))?, vf: widths(networks.get("vf"))? })
        }
        _ => None,
    }
}

fn read_activation(value: &Json) -> Option<Activation> {
    let class = value.as_str()?.strip_prefix(ACTIVATION_MODULE)?.strip_prefix('.')?;
    [Activation::Tanh, Activation::Relu].into_iter().find(|activation| activation.class() == class)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn attributes(text: &str) -> Attributes<'_> {
        Attributes::parse(text.as_bytes(), "x.zip").unwrap()
    }

    #[test]
    fn net_arch_is_read_in_every_form() {
        let both = |pi: &[usize], vf: &[usize]| NetArch { pi: pi.to_vec(), vf: vf.to_vec() };
        assert_eq!(read_net_arch(&json!({"pi": [1], "vf": [2, 3]})), Some(both(&[1], &[2, 3])));
        assert_eq!(read_net_arch(&json!({"pi": [1]})), Some(both(&[1], &[])));
        assert_eq!(read_net_arch(&json!([4, 5])), Some(both(&[4, 5], &[4, 5])));
        assert_eq!(read_net_arch(&json!([])), Some(both(&[], &[])));
        assert_eq!(read_net_arch(&json!([{"pi": [1], "vf": [2]}])), Some(both(&[1], &[2])));
        for other in [json!([7, {"pi": [1]}]), json!({"shared": [1]}), json!([-1]), json!("64")] {
            assert_eq!(read_net_arch(&other), None, "{other}");
        }
    }

    #[test]
    fn constant_of_an_old_release_is_read_without_executing_its_function() {
        // The strings and the number in the layout of cloudpickle, with calls around them.
        let mut program = b"\x80\x05\x8c\x08builtins\x8c\x04eval\x93\x94".to_vec();
        for text in [OLD_CONSTANT, "get_schedule_fn.<locals>.<lambda>"] {
            program.extend([0x8c, text.len() as u8]);
            program.extend(text.as_bytes());
        }
        program.push(b'G');
        program.extend(0.2_f64.to_be_bytes());
        program.extend(b"\x87R0N.");
        let text =
            format!(r#"{{"clip_range": {{":serialized:": "{}"}}}}"#, STANDARD.encode(&program));
        assert_eq!(attributes(&text).number("clip_range").unwrap(), Some(0.2));
    }

    #[test]
    fn schedule_that_is_not_constant_is_refused() {
        let text = format!(
            r#"{{"clip_range": {{":serialized:": "{}"}}}}"#,
            STANDARD.encode(b"cmine\nlinear\n.")
        );
        let message = attributes(&text).number("clip_range").unwrap_err().to_string();
        assert_eq!(
            message,
            "`x.zip`: `clip_range` is a Python function, which is never executed: save the model with a \
             constant in its place"
        );
    }

    #[test]
    fn unknown_setting_of_the_policy_is_refused_by_name() {
        let text = r#"{"policy_kwargs": {"net_arch": [8], "share_features_extractor": false}}"#;
        let message = attributes(text).policy_kwargs().unwrap_err().to_string();
        assert!(
            message.contains("a policy with `share_features_extractor` is not supported"),
            "{message}"
        );
    }

    #[test]
    fn numbers_that_are_not_finite_are_refused() {
        assert!(attributes(r#"{"gamma": NaN}"#).number("gamma").is_err());
        assert!(attributes(r#"{"n_steps": 1.5}"#).count("n_steps", 1).is_err());
        assert_eq!(attributes(r#"{"n_steps": null}"#).count("n_steps", 1).unwrap(), 1);
    }
}
