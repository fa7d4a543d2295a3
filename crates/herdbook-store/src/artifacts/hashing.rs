//! SHA-256 of a stream.

use std::fmt::Write;
use std::io::{self, Read};

use sha2::{Digest, Sha256};

/// Bytes read at a time.
const BUFFER: usize = 1 << 16;

/// A reader that hashes the bytes read through it.
pub(crate) struct Hashing<'r> {
    inner: &'r mut (dyn Read + Send),
    hasher: Sha256,
}

impl<'r> Hashing<'r> {
    pub(crate) fn new(inner: &'r mut (dyn Read + Send)) -> Self {
        Self { inner, hasher: Sha256::new() }
    }

    /// Lower-case hex SHA-256 of all bytes read.
    pub(crate) fn finish(self) -> String {
        hex(&self.hasher.finalize())
    }
}

impl Read for Hashing<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let n_read = self.inner.read(buffer)?;
        self.hasher.update(&buffer[..n_read]);
        Ok(n_read)
    }
}

/// Lower-case hex SHA-256 of the rest of a stream.
///
/// # Errors
/// Those of reading it.
pub fn sha256(content: &mut (dyn Read + Send)) -> io::Result<String> {
    let mut hashing = Hashing::new(content);
    let mut buffer = vec![0; BUFFER];
    while hashing.read(&mut buffer)? > 0 {}
    Ok(hashing.finish())
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::with_capacity(2 * bytes.len()), |mut text, byte| {
        // Writing to a String cannot fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
}

#[cfg(test)]
mod tests {
    use herdbook_domain::hex_sha256;

    use super::*;

    #[test]
    fn stream_has_the_hash_of_its_bytes() {
        let bytes: Vec<u8> = (0..3 * BUFFER + 7).map(|at| at as u8).collect();
        assert_eq!(sha256(&mut bytes.as_slice()).unwrap(), hex_sha256(&bytes));
        assert_eq!(sha256(&mut &b""[..]).unwrap(), hex_sha256(b""));
    }
}
