//! `policy.pth` and `policy.optimizer.pth`: the weights, and what Adam remembers of each.

use super::pickle::{PickleWriter, Value};
use super::place::Place;
use super::torch::{Storages, TorchReader, parse_torch};
use crate::adam::AdamConstants;
use crate::both::Both;
use crate::policy::{self, NamedTensor};
use crate::{Adam, Model, Policy, PpoError};

pub(super) const POLICY: &str = "policy.pth";
pub(super) const OPTIMIZER: &str = "policy.optimizer.pth";

/// Tensors of the deepest networks there may be; more would only cost time to look at.
const MAX_TENSORS: usize = 256;

/// Switches of `torch.optim.Adam` that would change its arithmetic; ours has them off.
const SWITCHES: [&str; 3] = ["amsgrad", "maximize", "decoupled_weight_decay"];

/// Adam as the file has it.
pub(super) struct StoredAdam {
    pub(super) adam: Adam,
    /// The step size used last.
    pub(super) learning_rate: f64,
}

pub(super) fn write_policy(model: &Model) -> Result<Vec<u8>, PpoError> {
    let (mut storages, mut pickle) = (Storages::default(), PickleWriter::new());
    let tensors = model.policy.tensors();
    pickle.call("collections", "OrderedDict", |_| {});
    pickle.fill(|w| {
        for tensor in &tensors {
            w.text(&tensor.name);
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
        w.text("state");
        w.dict(|w| {
            let moments = if model.adam.step == 0 { &[] } else { &exp_avg[..] };
            for (idx, (first, second)) in (0..).zip(moments.iter().zip(&exp_avg_sq)) {
                w.int(idx);
                w.dict(|w| {
                    w.text("step");
                    storages.tensor(w, &[], &[model.adam.step as f32]);
                    w.text("exp_avg");
                    storages.tensor(w, &first.shape, &first.values);
                    w.text("exp_avg_sq");
                    storages.tensor(w, &second.shape, &second.values);
                });
            }
        });
        w.text("param_groups");
        w.list(|w| w.dict(|w| write_group(w, model, n_tensors)));
    });
    storages.finish(pickle)
}

/// The settings of `torch.optim.Adam`, in its order.
fn write_group(w: &mut PickleWriter, model: &Model, n_tensors: u32) {
    let (beta1, beta2) = model.adam.constants.betas;
    w.text("lr");
    w.float(model.config.learning_rate);
    w.text("betas");
    w.tuple(|w| [beta1, beta2].into_iter().for_each(|beta| w.float(beta)));
    w.text("eps");
    w.float(model.adam.constants.eps);
    w.text("weight_decay");
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
        w.text(name);
        match value {
            Some(flag) => w.boolean(flag),
            None => w.none(),
        }
    }
    w.text("params");
    w.list(|w| (0..n_tensors).for_each(|idx| w.int(idx)));
}

/// Reads the tensors of `policy.pth`, in the order of the file.
pub(super) fn read_policy(bytes: &[u8], place: Place<'_>) -> Result<Vec<NamedTensor>, PpoError> {
    let mut file = TorchReader::open(bytes, place)?;
    let pickle = file.pickle()?;
    let pickle = parse_torch(&pickle, place)?;
    let entries = pickle.root().entries()?;
    check_count(entries.len(), place)?;
    entries.into_iter().map(|(name, value)| file.tensor(name.text()?, value)).collect()
}

/// Reads Adam's state for the parameters of `policy`, which come in the same order but unnamed.
pub(super) fn read_optimizer(
    bytes: &[u8],
    policy: &Policy,
    place: Place<'_>,
) -> Result<StoredAdam, PpoError> {
    let mut file = TorchReader::open(bytes, place)?;
    let pickle = file.pickle()?;
    let pickle = parse_torch(&pickle, place)?;
    let names: Vec<String> = policy.tensors().into_iter().map(|tensor| tensor.name).collect();
    let (mut adam, learning_rate) =
        read_group(pickle.root().get("param_groups")?, policy, names.len())?;
    let state = pickle.root().get("state")?;
    let entries = state.entries()?;
    if entries.is_empty() {
        return Ok(StoredAdam { adam, learning_rate });
    }
    check_count(entries.len(), place)?;
    let (mut exp_avg, mut exp_avg_sq) = (vec![], vec![]);
    for (idx, name) in names.iter().enumerate() {
        let is_idx = |key: Value<'_, '_>| key.int().is_ok_and(|key| key == idx as i64);
        let entry = entries.iter().rfind(|(key, _)| is_idx(*key));
        let (_, entry) = entry.ok_or_else(|| place.error(format!("has no state for `{name}`")))?;
        let step = read_step(&mut file, entry.get("step")?)?;
        if idx > 0 && step != adam.step {
            return Err(place.error("counts different steps for different parameters"));
        }
        adam.step = step;
        exp_avg.push(file.tensor(name, entry.get("exp_avg")?)?);
        exp_avg_sq.push(file.tensor(name, entry.get("exp_avg_sq")?)?);
    }
    if exp_avg_sq.iter().flat_map(|tensor| &tensor.values).any(|square| *square < 0.0) {
        return Err(place.error("has a negative mean of squares"));
    }
    let import = |tensors: &[NamedTensor], flat: Both<&mut [f32]>| {
        policy::import(&policy.network, tensors, flat)
            .map_err(|error| place.error(format!("does not fit: {error}")))
    };
    import(&exp_avg, adam.moments.as_mut().map(|moments| &mut moments.exp_avg[..]))?;
    import(&exp_avg_sq, adam.moments.as_mut().map(|moments| &mut moments.exp_avg_sq[..]))?;
    Ok(StoredAdam { adam, learning_rate })
}

/// Reads the one parameter group: fresh moments with its constants, and its step size.
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
    for name in SWITCHES {
        if let Some(switch) = group.find(name)?
            && switch.boolean()?
        {
            return Err(group.place().unsupported(format!("an optimizer with `{name}` is")));
        }
    }
    if group.get("weight_decay")?.float()? != 0.0 {
        return Err(group.place().unsupported("an optimizer with `weight_decay` is"));
    }
    let betas = group.get("betas")?;
    let &[beta1, beta2] = &betas.items()?[..] else {
        return Err(betas.unexpected("a pair of numbers"));
    };
    let mut adam = Adam::new(&policy.network);
    let (betas, eps) = ((beta1.float()?, beta2.float()?), group.get("eps")?.float()?);
    adam.constants = AdamConstants { betas, eps };
    let fraction = |beta: f64| (0.0..1.0).contains(&beta);
    let sound = fraction(betas.0) && fraction(betas.1) && (1e-30..1e30).contains(&eps);
    if !sound {
        return Err(group.place().error("has `betas` or `eps` out of range"));
    }
    Ok((adam, group.get("lr")?.float()?))
}

/// A scalar tensor, or in files of older torch a plain number.
fn read_step(file: &mut TorchReader<'_>, value: Value<'_, '_>) -> Result<u64, PpoError> {
    if let Ok(step) = value.int() {
        return u64::try_from(step).map_err(|_| value.unexpected("a count of steps"));
    }
    match file.tensor("step", value)?.values[..] {
        [step] if step >= 1.0 && step.fract() == 0.0 && step < 1e15 => Ok(step as u64),
        _ => Err(value.unexpected("a count of steps")),
    }
}

fn check_count(n_tensors: usize, place: Place<'_>) -> Result<(), PpoError> {
    if n_tensors > MAX_TENSORS {
        return Err(place.error(format!("has {n_tensors} tensors, more than {MAX_TENSORS}")));
    }
    Ok(())
}

fn check_finite(tensors: &[NamedTensor]) -> Result<(), PpoError> {
    match tensors.iter().find(|tensor| tensor.values.iter().any(|value| !value.is_finite())) {
        Some(tensor) => Err(PpoError::NotFinite { tensor: tensor.name.clone() }),
        None => Ok(()),
    }
}
