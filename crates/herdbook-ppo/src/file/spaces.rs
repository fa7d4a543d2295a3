//! The spaces of observations and actions: Gymnasium's `Box`, `Discrete` and `MultiDiscrete`.

use super::numpy;
use super::pickle::{PickleWriter, Value};
use crate::error::PpoError;
use crate::model::Bounds;
use crate::network::limits::MAX_SPACE;

const BOX: (&str, &str) = ("gymnasium.spaces.box", "Box");
const DISCRETE: (&str, &str) = ("gymnasium.spaces.discrete", "Discrete");
const MULTI_DISCRETE: (&str, &str) = ("gymnasium.spaces.multi_discrete", "MultiDiscrete");
/// The packages that define spaces. stable-baselines3 1.x used gym, the predecessor of Gymnasium.
const PACKAGES: [&str; 2] = ["gymnasium.spaces.", "gym.spaces."];

/// The Python objects allowed in a pickled space. A seeded space contains a random generator, which is
/// ignored.
pub(super) const GLOBALS: [(&str, &str); 26] = [
    BOX,
    DISCRETE,
    MULTI_DISCRETE,
    ("gym.spaces.box", "Box"),
    ("gym.spaces.discrete", "Discrete"),
    ("gym.spaces.multi_discrete", "MultiDiscrete"),
    ("gym.utils.seeding", "RandomNumberGenerator"),
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
    ("numpy.random._pickle", "__randomstate_ctor"),
    ("numpy.random._pickle", "__bit_generator_ctor"),
    ("numpy.random._pcg64", "PCG64"),
    ("numpy.random._mt19937", "MT19937"),
    ("numpy.random.bit_generator", "__pyx_unpickle_SeedSequence"),
    ("numpy.random.bit_generator", "SeedSequence"),
    ("numpy.random._generator", "Generator"),
    ("numpy.random.mtrand", "RandomState"),
    ("builtins", "bytearray"),
];

/// The name of a space's class, such as `Box`; `None` for anything else.
fn class<'a>(value: Value<'_, 'a>) -> Option<&'a str> {
    let (module, name) = value.called()?;
    PACKAGES.iter().any(|package| module.starts_with(package)).then_some(name)
}

/// The arguments of a space's constructor, if the space is of the given class.
fn arguments<'p, 'a>(
    value: Value<'p, 'a>,
    (module, name): (&str, &str),
) -> Option<Vec<Value<'p, 'a>>> {
    let of_gym = module.replacen("gymnasium", "gym", 1);
    value.calls(module, name).or_else(|| value.calls(&of_gym, name))
}

/// The error for a space of a class that is not supported; `None` if the value is no space.
pub(super) fn foreign(value: Value<'_, '_>) -> Option<PpoError> {
    let class = class(value)?;
    (!["Box", "Discrete", "MultiDiscrete"].contains(&class))
        .then(|| value.location().unsupported(format!("a space of the class `{class}` is")))
}

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

/// Attribute of an observation space of herdbook's environments in Python: the section `herdbook` of a model file, as JSON.
const DESCRIPTION: &str = "herdbook";

/// Reads the description that herdbook's environments attach to their observation space; `None` without one.
pub(super) fn read_description(value: Value<'_, '_>) -> Result<Option<String>, PpoError> {
    let Ok(state) = value.state() else { return Ok(None) };
    let found = state.find(DESCRIPTION)?;
    found.map(|text| text.string().map(str::to_owned)).transpose()
}

/// Reads the length of an observation, and its limits if it has any.
pub(super) fn read_observation(value: Value<'_, '_>) -> Result<(usize, Option<Bounds>), PpoError> {
    let arguments = arguments(value, BOX);
    let arguments = arguments
        .ok_or_else(|| value.location().unsupported("observations other than a `Box` are"))?;
    let (low, high, shape, dtype) = match arguments[..] {
        [low, high, shape, dtype] => (low, high, shape, dtype),
        [] => {
            let state = value.state()?;
            // Older releases of gym named the attribute `shape`.
            let shape = match state.find("_shape")? {
                Some(shape) => shape,
                None => state.get("shape")?,
            };
            (state.get("low")?, state.get("high")?, shape, state.get("dtype")?)
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
    if arguments(value, BOX).is_some() {
        return Err(value.location().unsupported("continuous actions (`Box`) are"));
    }
    if let Some(arguments) = arguments(value, MULTI_DISCRETE) {
        return read_nvec(value, &arguments);
    }
    let given = arguments(value, DISCRETE).ok_or_else(|| value.unexpected("a space"))?;
    if let [n, ..] = given[..] {
        return check_dims(value, &[n.int()?]);
    }
    let state = value.state()?;
    let integer = |value: Value<'_, '_>| value.int().or_else(|_| numpy::integer(value));
    // Actions start at 0 here, so another start would be lost.
    if let Some(start) = state.find("start")?
        && integer(start)? != 0
    {
        return Err(value.location().unsupported("`Discrete` with a `start` is"));
    }
    check_dims(value, &[integer(state.get("n")?)?])
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::file::location::Location;
    use crate::file::pickle::{Dialect, Globals, parse};

    const LOCATION: Location<'static> = Location { file: "x.zip", member: "space" };

    fn with_space<T>(
        write: impl FnOnce(&mut PickleWriter),
        read: impl FnOnce(Value<'_, '_>) -> Result<T, PpoError>,
    ) -> Result<T, String> {
        let mut writer = PickleWriter::new();
        write(&mut writer);
        let bytes = writer.finish();
        let pickle = parse(&bytes, Dialect::Data, Globals::Only(&GLOBALS), LOCATION).unwrap();
        read(pickle.root()).map_err(|error| error.to_string())
    }

    fn write_box(w: &mut PickleWriter, low: f64, shape: &[u32], dtype: &str) {
        w.call(BOX.0, BOX.1, |w| {
            w.float(low);
            w.float(1.0);
            w.tuple(|w| shape.iter().for_each(|n| w.int(*n)));
            w.string(dtype);
        });
    }

    fn refused_box(low: f64, shape: &[u32], dtype: &str) -> String {
        with_space(|w| write_box(w, low, shape, dtype), read_observation).unwrap_err()
    }

    #[test]
    fn limits_are_read_back_and_infinite_ones_are_no_limits() {
        let bounds = Bounds { low: vec![-1.5, f32::NEG_INFINITY], high: vec![0.1, 3.0] };
        let read = with_space(|w| write_observation(w, 2, Some(&bounds)), read_observation);
        assert_eq!(read, Ok((2, Some(bounds))));
        let read = with_space(|w| write_observation(w, 2, None), read_observation);
        assert_eq!(read, Ok((2, None)));
        let read = with_space(|w| write_box(w, 0.0, &[2], "float32"), read_observation);
        assert_eq!(read, Ok((2, Some(Bounds { low: vec![0.0; 2], high: vec![1.0; 2] }))));
    }

    #[test]
    fn observations_of_other_kinds_are_refused_by_name() {
        let unsupported = |what| format!("`x.zip`: observations {what} are not supported; ");
        let starts =
            |message: String, start: &str| assert!(message.starts_with(start), "{message}");
        starts(refused_box(0.0, &[2, 3], "float32"), &unsupported("of shape [2, 3]"));
        starts(refused_box(0.0, &[], "float32"), &unsupported("of shape []"));
        starts(refused_box(0.0, &[0], "float32"), &unsupported("of shape [0]"));
        starts(refused_box(f64::NAN, &[2], "float32"), "`x.zip`: `space` has a limit that is not");
        let discrete = with_space(|w| write_action(w, &[3]), read_observation).unwrap_err();
        starts(discrete, &unsupported("other than a `Box`"));
        let bounds = Bounds { low: vec![0.0; 3], high: vec![1.0; 3] };
        let wrong_len =
            with_space(|w| write_observation(w, 2, Some(&bounds)), read_observation).unwrap_err();
        starts(wrong_len, "`x.zip`: `space` has an unexpected value, expected a limit for each");
    }

    #[test]
    fn actions_are_read_back_within_the_limits() {
        for dims in [&[1][..], &[MAX_SPACE], &[3, 2]] {
            let read = with_space(|w| write_action(w, dims), read_action);
            assert_eq!(read, Ok(dims.to_vec()));
        }
        for dims in [&[0][..], &[MAX_SPACE + 1], &[2, 0], &[MAX_SPACE, 1]] {
            let message = with_space(|w| write_action(w, dims), read_action).unwrap_err();
            assert!(message.contains(&format!("{dims:?} actions are not supported")), "{message}");
        }
    }

    #[test]
    fn description_of_the_environment_is_an_attribute_of_the_space() {
        let bytes = b"\x80\x02cgymnasium.spaces.box\nBox\n)R}X\x08\0\0\0herdbookX\x02\0\0\0{}sb.";
        let pickle = parse(bytes, Dialect::Data, Globals::Only(&GLOBALS), LOCATION).unwrap();
        assert_eq!(read_description(pickle.root()).unwrap().as_deref(), Some("{}"));
        let plain = |w: &mut PickleWriter| write_box(w, 0.0, &[2], "float32");
        assert_eq!(with_space(plain, read_description), Ok(None));
    }

    #[test]
    fn space_of_another_class_is_named() {
        let mut writer = PickleWriter::new();
        writer.call("gym.spaces.multi_binary", "MultiBinary", |w| w.int(3));
        let bytes = writer.finish();
        let pickle = parse(&bytes, Dialect::Data, Globals::Any, LOCATION).unwrap();
        let message = foreign(pickle.root()).unwrap().to_string();
        assert!(
            message.contains("a space of the class `MultiBinary` is not supported"),
            "{message}"
        );
    }

    #[test]
    fn spaces_of_gym_are_read_like_those_of_gymnasium() {
        let discrete =
            |w: &mut PickleWriter| w.call("gym.spaces.discrete", "Discrete", |w| w.int(3));
        assert_eq!(with_space(discrete, read_action), Ok(vec![3]));
        let cube = |w: &mut PickleWriter| {
            w.call("gym.spaces.box", "Box", |w| {
                w.float(-1.0);
                w.float(1.0);
                w.tuple(|w| w.int(2));
                w.string("float32");
            });
        };
        let bounds = Bounds { low: vec![-1.0; 2], high: vec![1.0; 2] };
        assert_eq!(with_space(cube, read_observation), Ok((2, Some(bounds))));
    }
}
