//! Files packed with gzip or zstd, and zip archives, recognised by their first bytes.

use std::borrow::Cow;
use std::io::{Cursor, Read};

use flate2::read::MultiGzDecoder;
use zip::ZipArchive;

use super::options::ReadOptions;
use crate::error::MarketError;

const GZIP: [u8; 2] = [0x1f, 0x8b];
const ZSTD: [u8; 4] = [0x28, 0xb5, 0x2f, 0xfd];
/// First bytes of packed files that are not read, their names and the program that unpacks them.
const OTHERS: [(&[u8], &str, &str); 3] = [
    (b"BZh", "bzip2", "bunzip2"),
    (b"\xfd7zXZ\0", "xz", "unxz"),
    (b"7z\xbc\xaf\x27\x1c", "7-Zip", "7z x"),
];
const ZIP: [&[u8]; 2] = [b"PK\x03\x04", b"PK\x05\x06"];
/// Largest unpacked size in bytes, five times ten years of minute bars. Larger files could exhaust memory.
const MAX_UNPACKED: u64 = 2 << 30;
/// At most this many file names are listed in a message.
const MAX_NAMED: usize = 12;

/// The content of a file, unpacked.
pub(super) struct Unpacked<'a> {
    pub(super) bytes: Cow<'a, [u8]>,
    /// Remark for the user on the member that was chosen.
    pub(super) remark: Option<String>,
}

/// Unpacks a gzipped or zstd file or a zip archive; other files are returned as they are.
pub(super) fn unpacked<'a>(
    bytes: &'a [u8],
    file: &str,
    options: &ReadOptions,
) -> Result<Unpacked<'a>, MarketError> {
    let asked = options.member.as_deref();
    if ZIP.iter().any(|start| bytes.starts_with(start)) {
        return of_archive(bytes, file, asked);
    }
    if asked.is_some() {
        return Err(MarketError::NoArchive { file: file.to_owned() });
    }
    if let Some((_, format, program)) = OTHERS.iter().find(|(start, ..)| bytes.starts_with(start)) {
        return Err(MarketError::ForeignPacking { file: file.to_owned(), format, program });
    }
    let unpacked = if bytes.starts_with(&GZIP) {
        limited(MultiGzDecoder::new(bytes), file)?.into()
    } else if bytes.starts_with(&ZSTD) {
        let decoder = zstd::Decoder::with_buffer(bytes).map_err(|error| broken(file, &error))?;
        limited(decoder, file)?.into()
    } else {
        bytes.into()
    };
    Ok(Unpacked { bytes: unpacked, remark: None })
}

/// Unpacks one member of a zip archive: the requested one, else the only `.csv` file, else the only file.
fn of_archive<'a>(
    bytes: &[u8],
    file: &str,
    asked: Option<&str>,
) -> Result<Unpacked<'a>, MarketError> {
    let mut archive = ZipArchive::new(Cursor::new(bytes)).map_err(|error| broken(file, &error))?;
    let names: Vec<String> =
        archive.file_names().filter_map(Result::ok).map(Cow::into_owned).collect();
    let names: Vec<String> = names.into_iter().filter(|name| is_data(name)).collect();
    let name = chosen(&names, file, asked)?;
    let member = archive.by_name(name).map_err(|error| broken(file, &error))?;
    if member.size() > MAX_UNPACKED {
        return Err(too_much(file));
    }
    let left_out = match names.len() {
        1 => String::new(),
        2 => "; 1 other file is left out".to_owned(),
        n => format!("; {} other files are left out", n - 1),
    };
    Ok(Unpacked {
        bytes: limited(member, file)?.into(),
        remark: Some(format!("read `{name}` of the archive{left_out}")),
    })
}

fn chosen<'a>(
    names: &'a [String],
    file: &str,
    asked: Option<&str>,
) -> Result<&'a str, MarketError> {
    let is_csv = |name: &&String| name.to_ascii_lowercase().ends_with(".csv");
    let last_part = |name: &str| name.rsplit('/').next() == asked;
    let candidates: Vec<&String> = match asked {
        Some(asked) if names.iter().any(|name| name == asked) => {
            names.iter().filter(|name| *name == asked).collect()
        }
        Some(_) => names.iter().filter(|name| last_part(name)).collect(),
        None if names.iter().any(|name| is_csv(&name)) => names.iter().filter(is_csv).collect(),
        None => names.iter().collect(),
    };
    match (candidates[..].len(), asked) {
        (1, _) => Ok(candidates[0]),
        (0, None) => Err(MarketError::EmptyArchive { file: file.to_owned() }),
        (0, Some(asked)) => Err(MarketError::NoSuchMember {
            file: file.to_owned(),
            asked: asked.to_owned(),
            members: listed(names),
        }),
        _ => Err(MarketError::SeveralMembers {
            file: file.to_owned(),
            members: listed(names),
            names: candidates.into_iter().cloned().collect(),
        }),
    }
}

/// Whether a member is a file, other than those that macOS adds to archives.
fn is_data(name: &str) -> bool {
    !name.ends_with('/') && !name.starts_with("__MACOSX/") && !name.ends_with(".DS_Store")
}

fn listed(names: &[String]) -> String {
    let shown = names.iter().take(MAX_NAMED).map(|name| format!("`{}`", name.escape_debug()));
    let more = match names.len() {
        0 => Some("none".to_owned()),
        n if n > MAX_NAMED => Some(format!("and {} more", n - MAX_NAMED)),
        _ => None,
    };
    shown.chain(more).collect::<Vec<_>>().join(", ")
}

/// Reads everything, up to [`MAX_UNPACKED`] bytes.
fn limited(reader: impl Read, file: &str) -> Result<Vec<u8>, MarketError> {
    let mut unpacked = Vec::new();
    reader
        .take(MAX_UNPACKED + 1)
        .read_to_end(&mut unpacked)
        .map_err(|error| broken(file, &error))?;
    if unpacked.len() as u64 > MAX_UNPACKED {
        return Err(too_much(file));
    }
    Ok(unpacked)
}

fn too_much(file: &str) -> MarketError {
    broken(file, &"it contains more than 2 GiB")
}

fn broken(file: &str, problem: &impl ToString) -> MarketError {
    MarketError::Packed { file: file.to_owned(), problem: problem.to_string() }
}
