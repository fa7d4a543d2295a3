//! Gzipped files, known by their first bytes.

use std::borrow::Cow;
use std::io::Read;

use flate2::read::MultiGzDecoder;

use crate::MarketError;

const GZIP: [u8; 2] = [0x1f, 0x8b];
/// Ten years of minute bars are a tenth of this; a file that unpacks to more is made to exhaust memory.
const MAX_UNPACKED: u64 = 4 << 30;

/// The file itself, or what was packed in it.
pub(super) fn unpacked<'a>(bytes: &'a [u8], file: &str) -> Result<Cow<'a, [u8]>, MarketError> {
    if !bytes.starts_with(&GZIP) {
        return Ok(bytes.into());
    }
    let refused = |problem: String| MarketError::Packed { file: file.to_owned(), problem };
    let mut unpacked = Vec::new();
    MultiGzDecoder::new(bytes)
        .take(MAX_UNPACKED + 1)
        .read_to_end(&mut unpacked)
        .map_err(|error| refused(error.to_string()))?;
    if unpacked.len() as u64 > MAX_UNPACKED {
        return Err(refused("it holds more than 4 GiB".to_owned()));
    }
    Ok(unpacked.into())
}
