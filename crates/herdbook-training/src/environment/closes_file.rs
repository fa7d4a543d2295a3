//! The file of closes that a run or an evaluation keeps, by which its bars are recognised later.

use std::sync::OnceLock;

use herdbook_domain::hex_sha256;
use herdbook_market::Closes;

/// Closes, with their file once it is needed.
#[derive(Debug)]
pub struct ClosesFile {
    closes: Closes,
    file: OnceLock<(Vec<u8>, String)>,
}

impl ClosesFile {
    pub(crate) fn new(closes: Closes) -> Self {
        Self { closes, file: OnceLock::new() }
    }

    /// The closes.
    pub fn closes(&self) -> &Closes {
        &self.closes
    }

    /// The content of the file.
    pub fn bytes(&self) -> &[u8] {
        &self.file().0
    }

    /// Lower-case hex SHA-256 of the file. Equal closes have equal files.
    pub fn sha256(&self) -> &str {
        &self.file().1
    }

    fn file(&self) -> &(Vec<u8>, String) {
        self.file.get_or_init(|| {
            let bytes = self.closes.to_bytes();
            let sha256 = hex_sha256(&bytes);
            (bytes, sha256)
        })
    }
}
