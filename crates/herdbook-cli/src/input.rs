//! Reads files that the user names, up to a size limit: a device such as `/dev/zero` has no end. A pipe into which nobody
//! writes is given up.

use std::fs::{self, File, OpenOptions};
use std::io::{self, ErrorKind, Read};
use std::os::unix::fs::{FileTypeExt, OpenOptionsExt};
use std::path::Path;
use std::time::{Duration, Instant};

use rustix::fs::OFlags;

/// Largest file of bars, model or exported history, in bytes.
pub(crate) const DATA_LIMIT: u64 = 1 << 30;
/// Largest file of settings, in bytes.
const SETTINGS_LIMIT: u64 = 1 << 20;

/// How long a pipe may have no writer before its first byte.
const LONGEST_WAIT: Duration = Duration::from_secs(10);
/// Time between two looks at an empty pipe.
const PAUSE: Duration = Duration::from_millis(5);

/// Reads a file of bars or a model. Pipes and devices are read up to the same limit of 1 GiB as files.
///
/// # Errors
/// If the file cannot be read or exceeds the limit; if it is a pipe that no program writes to.
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
    let metadata = fs::metadata(path)?;
    if metadata.len() > limit {
        return Err(too_large());
    }
    let mut bytes = Vec::with_capacity(usize::try_from(metadata.len()).unwrap_or_default());
    if metadata.file_type().is_fifo() {
        Pipe::open(path, LONGEST_WAIT)?.take(limit + 1).read_to_end(&mut bytes)?;
    } else {
        File::open(path)?.take(limit + 1).read_to_end(&mut bytes)?;
    }
    if bytes.len() as u64 > limit {
        return Err(too_large());
    }
    Ok(bytes)
}

/// The content of a pipe, until its last writer has closed it.
struct Pipe {
    file: File,
    /// When to give up, as long as no byte has come.
    deadline: Option<Instant>,
    wait: Duration,
}

impl Pipe {
    /// Opens a pipe without waiting for a writer. A pipe without a name, as the shell makes for `<(…)`, has had its writer.
    fn open(path: &Path, wait: Duration) -> io::Result<Self> {
        let flags = OFlags::NONBLOCK.bits().cast_signed();
        let file = OpenOptions::new().read(true).custom_flags(flags).open(path)?;
        let has_name = path.canonicalize().is_ok();
        Ok(Self { file, deadline: has_name.then(|| Instant::now() + wait), wait })
    }
}

impl Read for Pipe {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        loop {
            match self.file.read(buffer) {
                Ok(0) if self.deadline.is_some_and(|deadline| Instant::now() < deadline) => {}
                Ok(0) if self.deadline.is_some() => {
                    let waited = self.wait.as_secs();
                    let problem = format!("it is a pipe that no program wrote to for {waited} s");
                    return Err(io::Error::new(ErrorKind::TimedOut, problem));
                }
                // A writer has the pipe open.
                Err(error) if error.kind() == ErrorKind::WouldBlock => {}
                outcome => {
                    self.deadline = None;
                    return outcome;
                }
            }
            std::thread::sleep(PAUSE);
        }
    }
}

#[cfg(test)]
mod tests {
    use rustix::fs::{CWD, Mode};

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

    fn pipe() -> (tempfile::TempDir, std::path::PathBuf) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("pipe");
        rustix::fs::mkfifoat(CWD, &path, Mode::RUSR | Mode::WUSR).unwrap();
        (folder, path)
    }

    #[test]
    fn pipe_without_a_writer_is_given_up() {
        let (_folder, path) = pipe();
        let error = Pipe::open(&path, Duration::ZERO).unwrap().read(&mut [0]).unwrap_err();
        assert_eq!(error.to_string(), "it is a pipe that no program wrote to for 0 s");
    }

    #[test]
    fn pipe_is_read_until_its_writer_closes_it() {
        let (_folder, path) = pipe();
        let content = vec![7_u8; 300_000];
        let read_back = std::thread::scope(|scope| {
            scope.spawn(|| fs::write(&path, &content).unwrap());
            read(&path, 1 << 20).unwrap()
        });
        assert!(read_back == content);
    }
}
