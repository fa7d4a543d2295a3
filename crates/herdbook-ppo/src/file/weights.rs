//! The members `policy.pth` and `policy.optimizer.pth`: the weights, and the state of Adam.

use super::location::Location;
use super::pickle::{PickleWriter, Value};
use super::torch::{Storages, TorchReader, parse_torch};
use crate::adam::{Adam, AdamConstants};
use crate::error::PpoError;
use crate::model::Model;
use crate::network::actor_critic::ActorCritic;
use crate::network::policy::Policy;
use crate::network::tensors::{self, NamedTensor};

pub(super) const POLICY: &str = "policy.pth";
pub(super) const OPTIMIZER: &str = "policy.optimizer.pth";

/// Largest accepted number of tensors. The deepest networks have fewer.
const MAX_TENSORS: usize = 256;

/// Options of `torch.optim.Adam` that change its arithmetic and are not supported.
const UNSUPPORTED_OPTIONS: [&str; 3] = ["amsgrad", "maximize", "decoupled_weight_decay"];

/// The state of Adam in the file.
pub(super) struct StoredAdam {
    pub(super) adam: Adam,
    /// The learning rate of the last step.
    pub(super) learning_rate: f64,
}

pub(super) fn write_policy(model: &Model) -> Result<Vec<u8>, PpoError> {
    let (mut storages, mut pickle) = (Storages::default(), PickleWriter::new());
    let tensors = model.policy.tensors();
    pickle.call("collections", "OrderedDict", |_| {});
    pickle.fill(|w| {
        for tensor in &tensors {
            w.string(&tensor.name);
            storages.tensor(w, &tensor.shape, &tensor.values);
        }
    });
    check_finite(&tensors)?;
    storages.finish(pickle)
}

pub(super) fn write_optimizer(model: &Model) -> Result<Vec<u8>, PpoError> {
    let (mut storages, mut pickle) = (Storages::default(), PickleWriter::new());
    let (exp_avg, exp_avg_sq) = (model.exp_avg(), model.exp_avg_sq());
    check_finite(&exp_avg)?;
    check_finite(&exp_avg_sq)?;
    let n_tensors = exp_avg.len() as u32;
    pickle.dict(|w| {
        w.string("state");
        w.dict(|w| {
            let moments = if model.adam.step == 0 { &[] } else { &exp_avg[..] };
            for (idx, (first, second)) in (0..).zip(moments.iter().zip(&exp_avg_sq)) {
                w.int(idx);
                w.dict(|w| {
                    w.string("step");
                    storages.tensor(w, &[], &[model.adam.step as f32]);
                    w.string("exp_avg");
                    storages.tensor(w, &first.shape, &first.values);
                    w.string("exp_avg_sq");
                    storages.tensor(w, &second.shape, &second.values);
                });
            }
        });
        w.string("param_groups");
        w.list(|w| w.dict(|w| write_group(w, model, n_tensors)));
    });
    storages.finish(pickle)
}

/// Writes the parameter group of `torch.optim.Adam`, in its order.
fn write_group(w: &mut PickleWriter, model: &Model, n_tensors: u32) {
    let (beta1, beta2) = model.adam.constants.betas;
    w.string("lr");
    w.float(model.config.learning_rate);
    w.string("betas");
    w.tuple(|w| [beta1, beta2].into_iter().for_each(|beta| w.float(beta)));
    w.string("eps");
    w.float(model.adam.constants.eps);
    w.string("weight_decay");
    w.int(0);
    for (name, value) in [
        ("amsgrad", Some(false)),
        ("maximize", Some(false)),
        ("foreach", None),
        ("capturable", Some(false)),
        ("differentiable", Some(false)),
        ("fused", None),
        ("decoupled_weight_decay", Some(false)),
    ] {
        w.string(name);
        match value {
            Some(flag) => w.boolean(flag),
            None => w.none(),
        }
    }
    w.string("params");
    w.list(|w| (0..n_tensors).for_each(|idx| w.int(idx)));
}

/// Reads the tensors of `policy.pth`, in the order of the file.
pub(super) fn read_policy(
    bytes: &[u8],
    location: Location<'_>,
) -> Result<Vec<NamedTensor>, PpoError> {
    let mut file = TorchReader::open(bytes, location)?;
    let pickle = file.pickle()?;
    let pickle = parse_torch(&pickle, location)?;
    let entries = pickle.root().entries()?;
    check_count(entries.len(), location)?;
    entries.into_iter().map(|(name, value)| file.tensor(name.string()?, value)).collect()
}

/// Reads the state of Adam. Its tensors have no names, but the order of the parameters of `policy`.
pub(super) fn read_optimizer(
    bytes: &[u8],
    policy: &Policy,
    location: Location<'_>,
) -> Result<StoredAdam, PpoError> {
    let mut file = TorchReader::open(bytes, location)?;
    let pickle = file.pickle()?;
    let pickle = parse_torch(&pickle, location)?;
    let names: Vec<String> = policy.tensors().into_iter().map(|tensor| tensor.name).collect();
    let (mut adam, learning_rate) =
        read_group(pickle.root().get("param_groups")?, policy, names.len())?;
    let state = pickle.root().get("state")?;
    let entries = state.entries()?;
    if entries.is_empty() {
        return Ok(StoredAdam { adam, learning_rate });
    }
    check_count(entries.len(), location)?;
    let (mut exp_avg, mut exp_avg_sq) = (vec![], vec![]);
    for (idx, name) in names.iter().enumerate() {
        let is_idx = |key: Value<'_, '_>| key.int().is_ok_and(|key| key == idx as i64);
        let entry = entries.iter().rfind(|(key, _)| is_idx(*key));
        let (_, entry) =
            entry.ok_or_else(|| location.error(format!("has no state for `{name}`")))?;
        let step = read_step(&mut file, entry.get("step")?)?;
        if idx > 0 && step != adam.step {
            return Err(location.error("has different step counts for different parameters"));
        }
        adam.step = step;
        exp_avg.push(file.tensor(name, entry.get("exp_avg")?)?);
        exp_avg_sq.push(file.tensor(name, entry.get("exp_avg_sq")?)?);
    }
    if exp_avg_sq.iter().flat_map(|tensor| &tensor.values).any(|square| *square < 0.0) {
        return Err(location.error("has a negative mean squared gradient"));
    }
    let import = |tensors: &[NamedTensor], flat: ActorCritic<&mut [f32]>| {
        tensors::import(&policy.networks, tensors, flat)
            .map_err(|error| location.error(format!("does not fit: {error}")))
    };
    import(&exp_avg, adam.moments.as_mut().map(|moments| &mut moments.exp_avg[..]))?;
    import(&exp_avg_sq, adam.moments.as_mut().map(|moments| &mut moments.exp_avg_sq[..]))?;
    Ok(StoredAdam { adam, learning_rate })
}

/// Reads the only parameter group. Returns an optimizer with its hyperparameters and without moments,
/// and its learning rate.
fn read_group(
    groups: Value<'_, '_>,
    policy: &Policy,
    n_tensors: usize,
) -> Result<(Adam, f64), PpoError> {
    let [group] = groups.items()?[..] else {
        return Err(groups.unexpected("one group of parameters"));
    };
    let params = group.get("params")?;
    if !params.indices()?.into_iter().eq(0..n_tensors) {
        return Err(params.unexpected("the parameters of the policy, in order"));
    }
    if group.find("betas")?.is_none() {
        return Err(group.location().unsupported("an optimizer other than Adam is"));
    }
    for name in UNSUPPORTED_OPTIONS {
        if let Some(option) = group.find(name)?
            && option.boolean()?
        {
            return Err(group.location().unsupported(format!("an optimizer with `{name}` is")));
        }
    }
    if group.get("weight_decay")?.float()? != 0.0 {
        return Err(group.location().unsupported("an optimizer with `weight_decay` is"));
    }
    let betas = group.get("betas")?;
    let &[beta1, beta2] = &betas.items()?[..] else {
        return Err(betas.unexpected("a pair of numbers"));
    };
    let mut adam = Adam::new(&policy.networks);
    let (betas, eps) = ((beta1.float()?, beta2.float()?), group.get("eps")?.float()?);
    adam.constants = AdamConstants { betas, eps };
    let fraction = |beta: f64| (0.0..1.0).contains(&beta);
    let is_valid = fraction(betas.0) && fraction(betas.1) && (1e-30..1e30).contains(&eps);
    if !is_valid {
        return Err(group.location().error("has `betas` or `eps` out of range"));
    }
    Ok((adam, group.get("lr")?.float()?))
}

/// Reads a step count: a scalar tensor, or a plain number in files of older torch.
fn read_step(file: &mut TorchReader<'_>, value: Value<'_, '_>) -> Result<u64, PpoError> {
    if let Ok(step) = value.int() {
        return u64::try_from(step).map_err(|_| value.unexpected("a count of steps"));
    }
    match file.tensor("step", value)?.values[..] {
        [step] if step >= 1.0 && step.fract() == 0.0 && step < 1e15 => Ok(step as u64),
        _ => Err(value.unexpected("a count of steps")),
    }
}

fn check_count(n_tensors: usize, location: Location<'_>) -> Result<(), PpoError> {
    if n_tensors > MAX_TENSORS {
        return Err(location.error(format!("has {n_tensors} tensors, more than {MAX_TENSORS}")));
    }
    Ok(())
}

fn check_finite(tensors: &[NamedTensor]) -> Result<(), PpoError> {
    match tensors.iter().find(|tensor| tensor.values.iter().any(|value| !value.is_finite())) {
        Some(tensor) => Err(PpoError::NotFinite { tensor: tensor.name.clone() }),
        None => Ok(()),
    }
}
