//! The file format of `torch.save`: a zip of a pickle and the raw elements of each tensor.

use super::archive::{self, Archive};
use super::location::Location;
use super::pickle::{Dialect, Globals, Pickle, PickleWriter, Value, parse};
use crate::error::PpoError;
use crate::network::limits::MAX_PARAMETERS;
use crate::network::tensors::NamedTensor;

/// The Python objects allowed in a torch file.
const GLOBALS: [(&str, &str); 3] = [
    ("collections", "OrderedDict"),
    ("torch._utils", "_rebuild_tensor_v2"),
    ("torch", "FloatStorage"),
];

/// The folder inside the zip. `torch.load` requires one; its name is arbitrary.
const FOLDER: &str = "archive";

/// A torch file opened for reading.
pub(super) struct TorchReader<'a> {
    archive: Archive<'a>,
    folder: String,
    location: Location<'a>,
    big_endian: bool,
}

impl<'a> TorchReader<'a> {
    /// Opens the bytes of the member at `location`.
    pub(super) fn open(bytes: &'a [u8], location: Location<'a>) -> Result<Self, PpoError> {
        let within = |error| match error {
            PpoError::Archive { problem, .. } => {
                location.error(format!("is not a torch file: {problem}"))
            }
            other => other,
        };
        let mut archive = Archive::open(bytes, location.file).map_err(within)?;
        let folder =
            archive.names().find_map(|name| name.strip_suffix("/data.pkl")).map(str::to_owned);
        let folder = folder.ok_or_else(|| location.error("has no `data.pkl`"))?;
        let byte_order = format!("{folder}/byteorder");
        let marked = archive.names().any(|name| name == byte_order);
        let big_endian = marked && archive.read(&byte_order).map_err(within)? == b"big";
        Ok(Self { archive, folder, location, big_endian })
    }

    /// Reads the bytes of the pickle, for [`parse_torch`].
    pub(super) fn pickle(&mut self) -> Result<Vec<u8>, PpoError> {
        self.read("data.pkl")
    }

    /// Reads the tensor that an object of the pickle describes.
    pub(super) fn tensor(
        &mut self,
        name: &str,
        value: Value<'_, '_>,
    ) -> Result<NamedTensor, PpoError> {
        let arguments = value.calls("torch._utils", "_rebuild_tensor_v2").unwrap_or_default();
        let [storage, offset, shape, stride, ..] = arguments[..] else {
            return Err(value.unexpected("a tensor"));
        };
        let numbers = self.storage(storage)?;
        let (shape, stride) = (shape.indices()?, stride.indices()?);
        let values = strided(&numbers, offset.index()?, &shape, &stride).ok_or_else(|| {
            value.location().error(format!("has a tensor `{name}` that exceeds its storage"))
        })?;
        Ok(NamedTensor { name: name.to_owned(), shape, values })
    }

    fn storage(&mut self, value: Value<'_, '_>) -> Result<Vec<f32>, PpoError> {
        let description = value.persistent()?.items()?;
        let [_, kind, key, ..] = description[..] else {
            return Err(value.unexpected("a storage"));
        };
        if !kind.is_global("torch", "FloatStorage") {
            return Err(kind.unexpected("a storage of 32-bit floats"));
        }
        let bytes = self.read(&format!("data/{}", key.string()?))?;
        let (quads, rest) = bytes.as_chunks::<4>();
        if !rest.is_empty() {
            return Err(self
                .location
                .error("has a storage whose length is not a multiple of 4 bytes"));
        }
        let number = if self.big_endian { f32::from_be_bytes } else { f32::from_le_bytes };
        Ok(quads.iter().map(|quad| number(*quad)).collect())
    }

    fn read(&mut self, name: &str) -> Result<Vec<u8>, PpoError> {
        self.archive.read(&format!("{}/{name}", self.folder))
    }
}

/// Parses the pickle of a torch file.
pub(super) fn parse_torch<'a>(
    bytes: &'a [u8],
    location: Location<'a>,
) -> Result<Pickle<'a>, PpoError> {
    parse(bytes, Dialect::Torch, Globals::Only(&GLOBALS), location)
}

/// Returns the elements of a tensor in row-major order, or `None` if it exceeds its storage or
/// [`MAX_PARAMETERS`].
fn strided(storage: &[f32], offset: usize, shape: &[usize], stride: &[usize]) -> Option<Vec<f32>> {
    let len = shape.iter().try_fold(1_usize, |len, n| len.checked_mul(*n))?;
    if shape.len() != stride.len() || len > MAX_PARAMETERS {
        return None;
    }
    let mut values = Vec::with_capacity(len);
    for index in 0..len {
        let (mut rest, mut position) = (index, offset);
        for (n, step) in shape.iter().zip(stride).rev() {
            position = position.checked_add((rest % n).checked_mul(*step)?)?;
            rest /= n;
        }
        values.push(*storage.get(position)?);
    }
    Some(values)
}

/// The storages of a torch file under construction: the elements of each tensor.
#[derive(Debug, Default)]
pub(super) struct Storages {
    contents: Vec<Vec<u8>>,
}

impl Storages {
    /// Writes a tensor to the pickle, and its elements to a new storage.
    pub(super) fn tensor(&mut self, pickle: &mut PickleWriter, shape: &[usize], values: &[f32]) {
        let key = self.contents.len().to_string();
        self.contents.push(values.iter().flat_map(|value| value.to_le_bytes()).collect());
        pickle.call("torch._utils", "_rebuild_tensor_v2", |w| {
            w.persistent(|w| {
                w.string("storage");
                w.global("torch", "FloatStorage");
                w.string(&key);
                w.string("cpu");
                w.int(values.len() as u32);
            });
            w.int(0);
            w.tuple(|w| shape.iter().for_each(|n| w.int(*n as u32)));
            w.tuple(|w| strides(shape).for_each(|step| w.int(step as u32)));
            w.boolean(false);
            // No hooks for the backward pass.
            w.call("collections", "OrderedDict", |_| {});
        });
    }

    /// Returns the torch file with this pickle and all storages.
    pub(super) fn finish(self, pickle: PickleWriter) -> Result<Vec<u8>, PpoError> {
        let member = |name: String, content| (format!("{FOLDER}/{name}"), content);
        let mut members = vec![
            member("data.pkl".to_owned(), pickle.finish()),
            member("byteorder".to_owned(), b"little".to_vec()),
        ];
        let contents = self.contents.into_iter().enumerate();
        members.extend(contents.map(|(key, content)| member(format!("data/{key}"), content)));
        members.push(member("version".to_owned(), b"3\n".to_vec()));
        archive::write(&members)
    }
}

/// The row-major strides of a shape, in elements.
fn strides(shape: &[usize]) -> impl Iterator<Item = usize> {
    (1..=shape.len()).map(|dimension| shape[dimension..].iter().product())
}

#[cfg(test)]
mod tests {
    use super::*;

    const LOCATION: Location<'static> = Location { file: "x.zip", member: "policy.pth" };

    fn round_trip(shape: &[usize], values: &[f32]) -> NamedTensor {
        let (mut storages, mut pickle) = (Storages::default(), PickleWriter::new());
        storages.tensor(&mut pickle, shape, values);
        let bytes = storages.finish(pickle).unwrap();
        let mut reader = TorchReader::open(&bytes, LOCATION).unwrap();
        let pickle = reader.pickle().unwrap();
        let pickle = parse_torch(&pickle, LOCATION).unwrap();
        reader.tensor("t", pickle.root()).unwrap()
    }

    #[test]
    fn tensors_of_every_rank_are_read_back() {
        for shape in [&[][..], &[6], &[2, 3], &[1, 2, 3]] {
            let values: Vec<f32> = (0..shape.iter().product()).map(|i: usize| i as f32).collect();
            let want = NamedTensor { name: "t".to_owned(), shape: shape.to_vec(), values };
            assert_eq!(round_trip(shape, &want.values), want);
        }
    }

    #[test]
    fn transposed_and_shifted_tensors_are_read_in_row_major_order() {
        let storage = [0.0, 1.0, 2.0, 3.0, 4.0, 5.0, 6.0];
        let transposed = strided(&storage, 1, &[3, 2], &[1, 3]);
        assert_eq!(transposed.unwrap(), [1.0, 4.0, 2.0, 5.0, 3.0, 6.0]);
        assert_eq!(strided(&storage, 2, &[3, 2], &[1, 3]), None);
        assert_eq!(strided(&storage, 0, &[1 << 40, 1 << 40], &[0, 0]), None);
        assert_eq!(strided(&storage, usize::MAX, &[2], &[1]), None);
        assert_eq!(strided(&storage, 0, &[0, 2], &[1, 1]), Some(vec![]));
    }
}
