//! Pickled objects of numpy 1 and 2: element types, scalars and one-dimensional arrays.

use super::pickle::Value;
use crate::error::PpoError;

/// The package of the functions in a pickle: of numpy 2, of numpy 1.
const CORES: [&str; 2] = ["numpy._core", "numpy.core"];

/// An element type.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Float32,
    Float64,
    Int32,
    Int64,
    Other,
}

/// Reads the element type of a `numpy.dtype(…)`.
pub(super) fn dtype(value: Value<'_, '_>) -> Result<Kind, PpoError> {
    let arguments = value.calls("numpy", "dtype").unwrap_or_default();
    let [code, ..] = arguments[..] else {
        return Err(value.unexpected("an element type"));
    };
    // The second item of the state is the byte order.
    if let Some(order) = value.state()?.items()?.get(1)
        && order.string()? == ">"
    {
        return Err(value.unexpected("a little-endian element type"));
    }
    Ok(match code.string()? {
        "f4" => Kind::Float32,
        "f8" => Kind::Float64,
        "i4" => Kind::Int32,
        "i8" => Kind::Int64,
        _ => Kind::Other,
    })
}

/// Reads a scalar, float or integer.
pub(super) fn number(value: Value<'_, '_>) -> Result<f64, PpoError> {
    let (kind, bytes) = scalar(value)?;
    match (kind, bytes) {
        (Kind::Float32, &[a, b, c, d]) => Ok(f32::from_le_bytes([a, b, c, d]).into()),
        (Kind::Float64, bytes) if bytes.len() == 8 => {
            Ok(f64::from_le_bytes(std::array::from_fn(|i| bytes[i])))
        }
        _ => integer(value).map(|number| number as f64),
    }
}

/// Reads an integer scalar.
pub(super) fn integer(value: Value<'_, '_>) -> Result<i64, PpoError> {
    let (kind, bytes) = scalar(value)?;
    match (kind, bytes) {
        (Kind::Int32, &[a, b, c, d]) => Ok(i32::from_le_bytes([a, b, c, d]).into()),
        (Kind::Int64, bytes) if bytes.len() == 8 => {
            Ok(i64::from_le_bytes(std::array::from_fn(|i| bytes[i])))
        }
        _ => Err(value.unexpected("an integer")),
    }
}

/// Reads a one-dimensional array of 32-bit floats.
pub(super) fn float_array(value: Value<'_, '_>) -> Result<Vec<f32>, PpoError> {
    let (kind, bytes) = array(value)?;
    let (quads, rest) = bytes.as_chunks::<4>();
    if kind != Kind::Float32 || !rest.is_empty() {
        return Err(value.unexpected("an array of 32-bit floats"));
    }
    Ok(quads.iter().map(|quad| f32::from_le_bytes(*quad)).collect())
}

/// Reads a one-dimensional array of integers.
pub(super) fn integer_array(value: Value<'_, '_>) -> Result<Vec<i64>, PpoError> {
    let (kind, bytes) = array(value)?;
    let (quads, eights) = (bytes.as_chunks::<4>(), bytes.as_chunks::<8>());
    match kind {
        Kind::Int32 if quads.1.is_empty() => {
            Ok(quads.0.iter().map(|quad| i32::from_le_bytes(*quad).into()).collect())
        }
        Kind::Int64 if eights.1.is_empty() => {
            Ok(eights.0.iter().map(|eight| i64::from_le_bytes(*eight)).collect())
        }
        _ => Err(value.unexpected("an array of integers")),
    }
}

/// Returns element type and bytes of an array.
fn array<'a>(value: Value<'_, 'a>) -> Result<(Kind, &'a [u8]), PpoError> {
    if let Some(arguments) = core_call(value, "numeric._frombuffer") {
        let [bytes, kind, ..] = arguments[..] else {
            return Err(value.unexpected("an array"));
        };
        return Ok((dtype(kind)?, buffer(bytes)?));
    }
    if core_call(value, "multiarray._reconstruct").is_some() {
        // The state is version, shape, element type, whether it is column-major, bytes.
        let state = value.state()?.items()?;
        let [_, _, kind, _, bytes] = state[..] else {
            return Err(value.unexpected("an array"));
        };
        return Ok((dtype(kind)?, bytes.bytes()?));
    }
    Err(value.unexpected("an array"))
}

/// Returns element type and bytes of a scalar.
fn scalar<'a>(value: Value<'_, 'a>) -> Result<(Kind, &'a [u8]), PpoError> {
    match core_call(value, "multiarray.scalar").as_deref() {
        Some(&[kind, bytes]) => Ok((dtype(kind)?, bytes.bytes()?)),
        _ => Err(value.unexpected("a number")),
    }
}

/// Returns the content of a `bytes` or `bytearray`.
fn buffer<'a>(value: Value<'_, 'a>) -> Result<&'a [u8], PpoError> {
    match value.calls("builtins", "bytearray").as_deref() {
        Some(&[bytes]) => bytes.bytes(),
        _ => value.bytes(),
    }
}

/// Returns the arguments of a call of `numpy._core.<path>` or `numpy.core.<path>`.
fn core_call<'p, 'a>(value: Value<'p, 'a>, path: &str) -> Option<Vec<Value<'p, 'a>>> {
    let (module, name) = path.split_once('.')?;
    CORES.into_iter().find_map(|core| value.calls(&format!("{core}.{module}"), name))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::file::location::Location;
    use crate::file::pickle::{Dialect, Globals, parse};

    const LOCATION: Location<'static> = Location { file: "x.zip", member: "m" };

    /// The opcodes of `numpy.dtype(code)` with its state, as numpy pickles it.
    fn dtype_opcodes(code: &str, order: char) -> Vec<u8> {
        let mut opcodes = b"cnumpy\ndtype\n(X\x02\0\0\0".to_vec();
        opcodes.extend(code.as_bytes());
        opcodes.extend(b"\x89\x88tR(K\x03X\x01\0\0\0");
        opcodes.push(order as u8);
        opcodes.extend(b"NNNJ\xff\xff\xff\xffJ\xff\xff\xff\xffK\0tb");
        opcodes
    }

    fn bytes_opcodes(bytes: &[u8]) -> Vec<u8> {
        [b"C", &[bytes.len() as u8][..], bytes].concat()
    }

    fn scalar_pickle(package: &str, dtype: &[u8], bytes: &[u8]) -> Vec<u8> {
        let global = format!("c{package}.multiarray\nscalar\n(");
        [b"\x80\x04", global.as_bytes(), dtype, &bytes_opcodes(bytes), b"tR."].concat()
    }

    fn read<T>(
        pickle: &[u8],
        read: impl FnOnce(Value<'_, '_>) -> Result<T, PpoError>,
    ) -> Result<T, String> {
        let pickle = parse(pickle, Dialect::Data, Globals::Any, LOCATION).unwrap();
        read(pickle.root()).map_err(|error| error.to_string())
    }

    #[test]
    fn scalars_of_both_numpy_versions_are_read() {
        for package in CORES {
            let pickle =
                |code, bytes: &[u8]| scalar_pickle(package, &dtype_opcodes(code, '<'), bytes);
            assert_eq!(read(&pickle("f4", &1.5_f32.to_le_bytes()), number), Ok(1.5));
            assert_eq!(read(&pickle("f8", &0.1_f64.to_le_bytes()), number), Ok(0.1));
            assert_eq!(read(&pickle("i4", &(-7_i32).to_le_bytes()), number), Ok(-7.0));
            assert_eq!(read(&pickle("i8", &(1_i64 << 40).to_le_bytes()), integer), Ok(1 << 40));
        }
    }

    #[test]
    fn scalars_of_other_types_are_refused() {
        let pickle =
            |code, order, bytes: &[u8]| scalar_pickle(CORES[0], &dtype_opcodes(code, order), bytes);
        for (pickle, expected) in [
            (pickle("f8", '>', &[0; 8]), "a little-endian element type"),
            (pickle("f8", '<', &[0; 4]), "an integer"),
            (pickle("f8", '<', &[0; 8]), "an integer"),
            (pickle("u2", '<', &[0; 2]), "an integer"),
        ] {
            let message = format!("`x.zip`: `m` has an unexpected value, expected {expected}");
            assert_eq!(read(&pickle, integer), Err(message));
        }
    }

    #[test]
    fn arrays_of_both_numpy_versions_are_read() {
        let values = [1.5_f32, f32::INFINITY];
        let bytes: Vec<u8> = values.iter().flat_map(|value| value.to_le_bytes()).collect();
        let (dtype, bytes) = (dtype_opcodes("f4", '<'), bytes_opcodes(&bytes));
        let from_buffer = [
            b"\x80\x04cnumpy._core.numeric\n_frombuffer\n(",
            &bytes[..],
            &dtype,
            b"K\x02\x85X\x01\0\0\0CtR.",
        ];
        let reconstructed = [
            b"\x80\x04cnumpy.core.multiarray\n_reconstruct\n(cnumpy\nndarray\nK\0\x85C\x01btR",
            &b"(K\x01K\x02\x85"[..],
            &dtype,
            b"\x89",
            &bytes,
            b"tb.",
        ];
        assert_eq!(read(&from_buffer.concat(), float_array), Ok(values.to_vec()));
        assert_eq!(read(&reconstructed.concat(), float_array), Ok(values.to_vec()));
        let message = "`x.zip`: `m` has an unexpected value, expected an array of integers";
        assert_eq!(read(&from_buffer.concat(), integer_array), Err(message.to_owned()));
    }
}
