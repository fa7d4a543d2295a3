//! The spaces of observations and actions: Gymnasium's `Box`, `Discrete` and `MultiDiscrete`.

use super::numpy;
use super::pickle::{PickleWriter, Value};
use crate::error::PpoError;
use crate::model::Bounds;
use crate::network::limits::MAX_SPACE;

const BOX: (&str, &str) = ("gymnasium.spaces.box", "Box");
const DISCRETE: (&str, &str) = ("gymnasium.spaces.discrete", "Discrete");
const MULTI_DISCRETE: (&str, &str) = ("gymnasium.spaces.multi_discrete", "MultiDiscrete");
/// Not supported. It is recognized so that the error can name it.
const MULTI_BINARY: (&str, &str) = ("gymnasium.spaces.multi_binary", "MultiBinary");

/// The Python objects allowed in a pickled space. A seeded space contains a random generator, which is
/// ignored.
pub(super) const GLOBALS: [(&str, &str); 20] = [
    BOX,
    DISCRETE,
    MULTI_DISCRETE,
    MULTI_BINARY,
    ("numpy", "dtype"),
    ("numpy", "array"),
    ("numpy", "ndarray"),
    ("numpy._core.numeric", "_frombuffer"),
    ("numpy.core.numeric", "_frombuffer"),
    ("numpy._core.multiarray", "scalar"),
    ("numpy.core.multiarray", "scalar"),
    ("numpy._core.multiarray", "_reconstruct"),
    ("numpy.core.multiarray", "_reconstruct"),
    ("numpy.random._pickle", "__generator_ctor"),
    ("numpy.random._pickle", "__bit_generator_ctor"),
    ("numpy.random._pcg64", "PCG64"),
    ("numpy.random.bit_generator", "__pyx_unpickle_SeedSequence"),
    ("numpy.random.bit_generator", "SeedSequence"),
    ("numpy.random._generator", "Generator"),
    ("builtins", "bytearray"),
];

/// `str(type(space))`, which stable-baselines3 stores beside the pickle.
pub(super) const BOX_TYPE: &str = "<class 'gymnasium.spaces.box.Box'>";
const DISCRETE_TYPE: &str = "<class 'gymnasium.spaces.discrete.Discrete'>";
const MULTI_DISCRETE_TYPE: &str = "<class 'gymnasium.spaces.multi_discrete.MultiDiscrete'>";

/// Writes the observation space as a call of its constructor, which works with every version of numpy
/// and Gymnasium.
pub(super) fn write_observation(w: &mut PickleWriter, obs_len: usize, bounds: Option<&Bounds>) {
    w.call(BOX.0, BOX.1, |w| {
        match bounds {
            Some(bounds) => {
                write_bound(w, &bounds.low);
                write_bound(w, &bounds.high);
            }
            None => [f64::NEG_INFINITY, f64::INFINITY].into_iter().for_each(|bound| w.float(bound)),
        }
        w.tuple(|w| w.int(obs_len as u32));
        w.string("float32");
    });
}

pub(super) fn action_type(dims: &[usize]) -> &'static str {
    if dims.len() == 1 { DISCRETE_TYPE } else { MULTI_DISCRETE_TYPE }
}

pub(super) fn write_action(w: &mut PickleWriter, dims: &[usize]) {
    match dims {
        [n_actions] => w.call(DISCRETE.0, DISCRETE.1, |w| w.int(*n_actions as u32)),
        dims => w.call(MULTI_DISCRETE.0, MULTI_DISCRETE.1, |w| {
            w.list(|w| dims.iter().for_each(|n| w.int(*n as u32)));
        }),
    }
}

/// Reads the length of an observation, and its limits if it has any.
pub(super) fn read_observation(value: Value<'_, '_>) -> Result<(usize, Option<Bounds>), PpoError> {
    let arguments = value.calls(BOX.0, BOX.1);
    let arguments = arguments
        .ok_or_else(|| value.location().unsupported("observations other than a `Box` are"))?;
    let (low, high, shape, dtype) = match arguments[..] {
        [low, high, shape, dtype] => (low, high, shape, dtype),
        [] => {
            let state = value.state()?;
            (state.get("low")?, state.get("high")?, state.get("_shape")?, state.get("dtype")?)
        }
        _ => return Err(value.unexpected("a `Box` of four arguments")),
    };
    let [obs_len @ 1..=MAX_SPACE] = shape.indices()?[..] else {
        let shape = shape.indices()?;
        return Err(value.location().unsupported(format!("observations of shape {shape:?} are")));
    };
    if dtype.string().ok() != Some("float32") && numpy::dtype(dtype)? != numpy::Kind::Float32 {
        return Err(value.location().unsupported("observations other than 32-bit floats are"));
    }
    let bounds = Bounds { low: read_bound(low, obs_len)?, high: read_bound(high, obs_len)? };
    if bounds.low.iter().chain(&bounds.high).any(|bound| bound.is_nan()) {
        return Err(value.location().error("has a limit that is not a number"));
    }
    let is_unbounded = bounds.low.iter().all(|low| *low == f32::NEG_INFINITY)
        && bounds.high.iter().all(|high| *high == f32::INFINITY);
    Ok((obs_len, (!is_unbounded).then_some(bounds)))
}

/// Reads the number of options of each choice of an action.
pub(super) fn read_action(value: Value<'_, '_>) -> Result<Vec<usize>, PpoError> {
    if value.calls(BOX.0, BOX.1).is_some() {
        return Err(value.location().unsupported("continuous actions (`Box`) are"));
    }
    if value.calls(MULTI_BINARY.0, MULTI_BINARY.1).is_some() {
        return Err(value.location().unsupported("`MultiBinary` actions are"));
    }
    if let Some(arguments) = value.calls(MULTI_DISCRETE.0, MULTI_DISCRETE.1) {
        return read_nvec(value, &arguments);
    }
    let arguments = value.calls(DISCRETE.0, DISCRETE.1);
    let arguments = arguments.ok_or_else(|| value.unexpected("a space"))?;
    let n = if let [n, ..] = arguments[..] {
        n.int()?
    } else {
        let n = value.state()?.get("n")?;
        n.int().or_else(|_| numpy::integer(n))?
    };
    check_dims(value, &[n])
}

/// Reads `nvec` of a `MultiDiscrete`.
fn read_nvec(value: Value<'_, '_>, arguments: &[Value<'_, '_>]) -> Result<Vec<usize>, PpoError> {
    if let [list] = arguments {
        let dims = list.items()?.into_iter().map(Value::int).collect::<Result<Vec<_>, _>>()?;
        return check_dims(value, &dims);
    }
    let state = value.state()?;
    // Options start at 0 here, so another start would be lost.
    if let Some(start) = state.find("start")?
        && numpy::integer_array(start)?.iter().any(|start| *start != 0)
    {
        return Err(value.location().unsupported("`MultiDiscrete` with a `start` is"));
    }
    check_dims(value, &numpy::integer_array(state.get("nvec")?)?)
}

fn check_dims(value: Value<'_, '_>, dims: &[i64]) -> Result<Vec<usize>, PpoError> {
    let valid = |n: &i64| usize::try_from(*n).ok().filter(|n| (1..=MAX_SPACE).contains(n));
    let dims_if_valid: Option<Vec<usize>> = dims.iter().map(valid).collect();
    match dims_if_valid.filter(|dims| (1..=MAX_SPACE).contains(&dims.iter().sum())) {
        Some(dims) => Ok(dims),
        None => Err(value.location().unsupported(format!("{dims:?} actions are"))),
    }
}

fn write_bound(w: &mut PickleWriter, bound: &[f32]) {
    w.call("numpy", "array", |w| {
        w.list(|w| bound.iter().for_each(|x| w.float(f64::from(*x))));
        w.string("float32");
    });
}

/// Reads limits: one number for all components, or an array.
fn read_bound(value: Value<'_, '_>, len: usize) -> Result<Vec<f32>, PpoError> {
    if let Ok(bound) = value.float() {
        return Ok(vec![bound as f32; len]);
    }
    let numbers = match value.calls("numpy", "array").as_deref() {
        Some([list, ..]) => list
            .items()?
            .into_iter()
            .map(|item| Ok(item.float()? as f32))
            .collect::<Result<_, PpoError>>()?,
        _ => numpy::float_array(value)?,
    };
    if numbers.len() != len {
        return Err(value.unexpected("a limit for each component"));
    }
    Ok(numbers)
}
