//! A file of bars that another program appends to, replaces by renaming, or writes anew.

use std::fs::{File, Metadata};
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

use herdbook_domain::Timestamp;

use crate::input::DATA_LIMIT;

/// A file that is looked at repeatedly.
pub(crate) struct WatchedFile {
    path: PathBuf,
}

/// What tells one state of a file from the next. Another file of the same name has another inode.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct FileState {
    inode: (u64, u64),
    size: u64,
    /// The time of the last write.
    pub(crate) written: Timestamp,
}

impl WatchedFile {
    pub(crate) fn new(path: &Path) -> Self {
        Self { path: path.to_owned() }
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// The present state, without reading the file.
    pub(crate) fn state(&self) -> io::Result<FileState> {
        FileState::of(&std::fs::metadata(&self.path)?)
    }

    /// The contents and their state; `None` if the file was written during the reading. A line of text without its end is
    /// left out: the rest of it may not be written yet, and half a number is another number.
    pub(crate) fn read(&self) -> io::Result<Option<(Vec<u8>, FileState)>> {
        // A pipe would make `open` wait for a writer.
        self.state()?;
        let mut file = File::open(&self.path)?;
        let state = FileState::of(&file.metadata()?)?;
        let mut bytes = Vec::with_capacity(usize::try_from(state.size).unwrap_or_default());
        (&mut file).take(DATA_LIMIT + 1).read_to_end(&mut bytes)?;
        if bytes.len() as u64 > DATA_LIMIT {
            return Err(io::Error::other(format!("it holds more than {} MiB", DATA_LIMIT >> 20)));
        }
        let is_same =
            FileState::of(&file.metadata()?)? == state && bytes.len() as u64 == state.size;
        bytes.truncate(complete_lines(&bytes));
        Ok(is_same.then_some((bytes, state)))
    }
}

impl FileState {
    fn of(metadata: &Metadata) -> io::Result<Self> {
        if !metadata.is_file() {
            return Err(io::Error::other("it is not a regular file"));
        }
        let since_epoch = metadata.modified().unwrap_or(SystemTime::UNIX_EPOCH);
        let since_epoch = since_epoch.duration_since(UNIX_EPOCH).unwrap_or_default();
        let written = i64::try_from(since_epoch.as_millis()).unwrap_or(i64::MAX);
        Ok(Self {
            inode: inode(metadata),
            size: metadata.len(),
            written: Timestamp::from_millis(written),
        })
    }
}

#[cfg(unix)]
fn inode(metadata: &Metadata) -> (u64, u64) {
    use std::os::unix::fs::MetadataExt as _;
    (metadata.dev(), metadata.ino())
}

#[cfg(not(unix))]
fn inode(_: &Metadata) -> (u64, u64) {
    (0, 0)
}

/// Length of the contents up to the last line break, if they are lines of text. JSON documents and binary files are
/// complete or cannot be read, so they are taken whole.
fn complete_lines(bytes: &[u8]) -> usize {
    const UTF_16: [&[u8]; 2] = [&[0xff, 0xfe], &[0xfe, 0xff]];
    const PACKED: [&[u8]; 4] = [&[0x1f, 0x8b], &[0x28, 0xb5, 0x2f, 0xfd], b"PK", b"PAR1"];
    let is_utf_16 = UTF_16.iter().any(|mark| bytes.starts_with(mark));
    let first = bytes.iter().find(|byte| !byte.is_ascii_whitespace());
    let is_document = first.is_some_and(|byte| b"[{".contains(byte));
    if is_document || PACKED.iter().any(|mark| bytes.starts_with(mark)) {
        return bytes.len();
    }
    let Some(at) = bytes.iter().rposition(|byte| *byte == b'\n') else {
        return 0;
    };
    let end = at + 1;
    // In UTF-16 a character has two bytes; in the little-endian form the line break ends with the one after it.
    if is_utf_16 { (end + end % 2).min(bytes.len() & !1) } else { end }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn line_without_its_end_is_not_read() {
        let lines = |text: &str| complete_lines(text.as_bytes());
        assert_eq!((lines("a,1\nb,2\n"), lines("a,1\nb,2"), lines("a,1")), (8, 4, 0));
        assert_eq!(lines("[{\"a\": 1}]"), 10);
        let utf_16 = |big: bool, text: &str| -> Vec<u8> {
            let bytes = |unit: u16| if big { unit.to_be_bytes() } else { unit.to_le_bytes() };
            "\u{feff}".encode_utf16().chain(text.encode_utf16()).flat_map(bytes).collect()
        };
        for big in [false, true] {
            assert_eq!(complete_lines(&utf_16(big, "a\nb")), 6);
            assert_eq!(complete_lines(&utf_16(big, "a\nb\n")), 10);
        }
        assert_eq!(complete_lines(b"PAR1\n\x01\x02"), 7);
    }

    #[test]
    fn state_tells_appending_truncating_and_replacing() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("bars.csv");
        let file = WatchedFile::new(&path);
        assert!(file.state().is_err());
        std::fs::write(&path, "a\nb").unwrap();
        let first = file.state().unwrap();
        assert_eq!(file.state().unwrap(), first);
        assert_eq!(file.read().unwrap().unwrap(), (b"a\n".to_vec(), first));
        std::fs::write(&path, "a\nbc\n").unwrap();
        let second = file.state().unwrap();
        assert_ne!(second, first);
        let other = folder.path().join("other.csv");
        std::fs::write(&other, "a\nbc\n").unwrap();
        std::fs::rename(other, &path).unwrap();
        assert_ne!(file.state().unwrap().inode, second.inode);
        assert_eq!(
            WatchedFile::new(folder.path()).state().unwrap_err().to_string(),
            "it is not a regular file"
        );
    }
}
