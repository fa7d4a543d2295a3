//! Float64 arrays of one or two dimensions in the NumPy file format 1.0.

const MAGIC: &[u8] = b"\x93NUMPY\x01\x00";
/// The data start at a multiple of this many bytes.
const ALIGNMENT: usize = 64;

/// Contents of the file for an array.
pub(crate) fn write(values: &[f64]) -> Vec<u8> {
    with_shape(&format!("({},)", values.len()), values.iter())
}

/// Contents of the file for an array with these rows.
pub(crate) fn write_rows<const N: usize>(rows: &[[f64; N]]) -> Vec<u8> {
    with_shape(&format!("({}, {N})", rows.len()), rows.iter().flatten())
}

fn with_shape<'a>(shape: &str, values: impl Iterator<Item = &'a f64>) -> Vec<u8> {
    let mut header = format!("{{'descr': '<f8', 'fortran_order': False, 'shape': {shape}, }}");
    let length = MAGIC.len() + 2 + header.len() + 1;
    header += &" ".repeat(length.next_multiple_of(ALIGNMENT) - length);
    header.push('\n');
    let mut bytes = MAGIC.to_vec();
    let length = u16::try_from(header.len()).expect("a header has fewer than 200 bytes");
    bytes.extend(length.to_le_bytes());
    bytes.extend(header.as_bytes());
    bytes.extend(values.flat_map(|value| value.to_le_bytes()));
    bytes
}

/// Values of a file made by [`write()`] or [`write_rows`], row by row; `None` for any other file.
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

/// The rows of a file made by [`write_rows`]; `None` for any other file.
pub(crate) fn read_rows<const N: usize>(bytes: &[u8]) -> Option<Vec<[f64; N]>> {
    let values = read(bytes)?;
    let (rows, rest) = values.as_chunks::<N>();
    rest.is_empty().then(|| rows.to_vec())
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
        let rows = [[1.0, 2.0], [3.0, 4.0]];
        assert_eq!(read_rows(&write_rows(&rows)), Some(rows.to_vec()));
        assert_eq!(read_rows::<2>(&write(&values)), None);
    }
}
