//! One-dimensional float64 arrays in the NumPy file format 1.0.

const MAGIC: &[u8] = b"\x93NUMPY\x01\x00";
/// The data start at a multiple of this many bytes.
const ALIGNMENT: usize = 64;

/// Contents of the file for an array.
pub(crate) fn write(values: &[f64]) -> Vec<u8> {
    let mut header =
        format!("{{'descr': '<f8', 'fortran_order': False, 'shape': ({},), }}", values.len());
    let length = MAGIC.len() + 2 + header.len() + 1;
    header += &" ".repeat(length.next_multiple_of(ALIGNMENT) - length);
    header.push('\n');
    let mut bytes = MAGIC.to_vec();
    let length = u16::try_from(header.len()).expect("a header has fewer than 200 bytes");
    bytes.extend(length.to_le_bytes());
    bytes.extend(header.as_bytes());
    bytes.extend(values.iter().flat_map(|value| value.to_le_bytes()));
    bytes
}

/// Values of a file made by [`write()`]; `None` for any other file.
pub(crate) fn read(bytes: &[u8]) -> Option<Vec<f64>> {
    let rest = bytes.strip_prefix(MAGIC)?;
    let (length, rest) = rest.split_first_chunk::<2>()?;
    let (header, data) = rest.split_at_checked(usize::from(u16::from_le_bytes(*length)))?;
    if !std::str::from_utf8(header).ok()?.starts_with("{'descr': '<f8', 'fortran_order': False") {
        return None;
    }
    let (values, rest) = data.as_chunks::<8>();
    rest.is_empty().then(|| values.iter().map(|value| f64::from_le_bytes(*value)).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_come_back_and_the_data_is_aligned() {
        let values = [1.5, -0.0, f64::MAX];
        let bytes = write(&values);
        assert_eq!((bytes.len() - 24) % ALIGNMENT, 0);
        assert_eq!(read(&bytes), Some(values.to_vec()));
        assert_eq!(read(&bytes[..bytes.len() - 1]), None);
        assert_eq!(read(b"PK"), None);
    }
}
