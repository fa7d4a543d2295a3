//! Files that are opened only if they are regular files. A pipe would make the reader wait, and a device may have no end.

use std::fs::{self, File};
use std::io::{self, ErrorKind, Read};
use std::path::Path;

/// Largest file that is read into memory as a whole, in bytes.
pub(crate) const LARGEST_IN_MEMORY: u64 = 1 << 30;

/// Opens a regular file for reading, through links. Never waits, also if a pipe takes the place of the file at the same
/// moment.
///
/// # Errors
/// Those of the file system; that it is a folder, pipe, socket or device.
pub fn open_regular(path: &Path) -> io::Result<File> {
    // The mere opening of some devices has effects, so the kind is asked for before.
    require_regular(&fs::metadata(path)?)?;
    let file = open_without_waiting(path)?;
    require_regular(&file.metadata()?)?;
    Ok(file)
}

/// Reads a regular file of at most `limit` bytes.
///
/// # Errors
/// As [`open_regular`]; that the file is larger; those of reading it.
pub fn read_regular(path: &Path, limit: u64) -> io::Result<Vec<u8>> {
    read_up_to(&mut open_regular(path)?, limit)
}

/// Reads a stream of at most `limit` bytes to its end.
///
/// # Errors
/// Those of reading it; that it is longer.
pub(crate) fn read_up_to(content: &mut dyn Read, limit: u64) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    content.take(limit + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > limit {
        return Err(io::Error::other(format!("it holds more than {limit} bytes")));
    }
    Ok(bytes)
}

fn require_regular(metadata: &fs::Metadata) -> io::Result<()> {
    if metadata.is_file() {
        Ok(())
    } else if metadata.is_dir() {
        Err(ErrorKind::IsADirectory.into())
    } else {
        Err(io::Error::other(format!("it is {}, not a file", kind(metadata.file_type()))))
    }
}

#[cfg(unix)]
fn kind(kind: fs::FileType) -> &'static str {
    use std::os::unix::fs::FileTypeExt;
    if kind.is_fifo() {
        "a pipe"
    } else if kind.is_socket() {
        "a socket"
    } else {
        "a device"
    }
}

#[cfg(not(unix))]
fn kind(_kind: fs::FileType) -> &'static str {
    "a device"
}

#[cfg(unix)]
fn open_without_waiting(path: &Path) -> io::Result<File> {
    use rustix::fs::{Mode, OFlags};
    let flags = OFlags::RDONLY | OFlags::NONBLOCK | OFlags::CLOEXEC;
    let opened = rustix::io::retry_on_intr(|| rustix::fs::open(path, flags, Mode::empty()));
    Ok(File::from(opened?))
}

#[cfg(not(unix))]
fn open_without_waiting(path: &Path) -> io::Result<File> {
    File::open(path)
}

#[cfg(all(test, unix))]
mod tests {
    use std::os::unix::fs::symlink;
    use std::os::unix::net::UnixListener;

    use rustix::fs::{CWD, Mode};

    use super::*;

    #[test]
    fn only_files_and_links_to_files_are_opened() {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name);
        fs::write(path("file"), "content").unwrap();
        symlink(path("file"), path("link")).unwrap();
        for name in ["file", "link"] {
            assert_eq!(read_regular(&path(name), 100).unwrap(), b"content");
        }
        rustix::fs::mkfifoat(CWD, path("pipe"), Mode::RUSR | Mode::WUSR).unwrap();
        symlink(path("pipe"), path("link to a pipe")).unwrap();
        symlink("/dev/zero", path("device")).unwrap();
        let _listener = UnixListener::bind(path("socket")).unwrap();
        for (name, problem) in [
            ("pipe", "it is a pipe, not a file"),
            ("link to a pipe", "it is a pipe, not a file"),
            ("device", "it is a device, not a file"),
            ("socket", "it is a socket, not a file"),
            ("", "is a directory"),
        ] {
            assert_eq!(open_regular(&path(name)).unwrap_err().to_string(), problem, "{name}");
        }
        assert_eq!(open_regular(&path("nothing")).unwrap_err().kind(), ErrorKind::NotFound);
    }

    #[test]
    fn pipe_that_takes_the_place_of_a_file_does_not_make_the_reader_wait() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("pipe");
        rustix::fs::mkfifoat(CWD, &path, Mode::RUSR | Mode::WUSR).unwrap();
        let opened = open_without_waiting(&path).unwrap();
        assert!(require_regular(&opened.metadata().unwrap()).is_err());
    }

    #[test]
    fn limit_is_the_largest_length_that_is_read() {
        assert_eq!(read_up_to(&mut &b"12345"[..], 5).unwrap(), b"12345");
        let error = read_up_to(&mut &b"123456"[..], 5).unwrap_err();
        assert_eq!(error.to_string(), "it holds more than 5 bytes");
        assert!(read_up_to(&mut io::repeat(0), 1 << 20).is_err());
    }
}
