//! Reads files that the user names, up to a size limit: a device such as `/dev/zero` has no end.

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

/// Largest file of bars, model or exported history, in bytes.
pub(crate) const DATA_LIMIT: u64 = 1 << 30;
/// Largest file of settings, in bytes.
const SETTINGS_LIMIT: u64 = 1 << 20;

/// Reads a file of bars or a model. Pipes and devices are read up to the same limit of 1 GiB as files.
///
/// # Errors
/// If the file cannot be read or exceeds the limit.
pub fn read_data(path: &Path) -> io::Result<Vec<u8>> {
    read(path, DATA_LIMIT)
}

/// Reads a text of at most 1 GiB.
pub(crate) fn read_data_text(path: &Path) -> io::Result<String> {
    text(read_data(path)?)
}

/// Reads a file of settings, a text of at most 1 MiB.
pub(crate) fn read_settings(path: &Path) -> io::Result<String> {
    text(read(path, SETTINGS_LIMIT)?)
}

fn text(bytes: Vec<u8>) -> io::Result<String> {
    String::from_utf8(bytes).map_err(|_| io::Error::other("it is not text in UTF-8"))
}

fn read(path: &Path, limit: u64) -> io::Result<Vec<u8>> {
    let too_large = || io::Error::other(format!("it holds more than {} MiB", limit >> 20));
    let file = File::open(path)?;
    let size = file.metadata()?.len();
    if size > limit {
        return Err(too_large());
    }
    let mut bytes = Vec::with_capacity(usize::try_from(size).unwrap_or_default());
    file.take(limit + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > limit {
        return Err(too_large());
    }
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn device_without_an_end_is_read_up_to_the_limit() {
        let error = read(Path::new("/dev/zero"), 1 << 20).unwrap_err();
        assert_eq!(error.to_string(), "it holds more than 1 MiB");
        assert_eq!(read(Path::new("/dev/null"), 1 << 20).unwrap(), b"");
    }

    #[test]
    fn file_of_exactly_the_limit_is_read() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a");
        std::fs::write(&path, [0; 64]).unwrap();
        assert_eq!(read(&path, 64).unwrap().len(), 64);
        assert!(read(&path, 63).is_err());
    }
}
