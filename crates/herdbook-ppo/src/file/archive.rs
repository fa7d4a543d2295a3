//! Zip archives. Reading is bounded in members and unpacked size; writing is deterministic.

use std::io::{Cursor, Read, Write};

use zip::write::SimpleFileOptions;
use zip::{CompressionMethod, DateTime, ZipArchive, ZipWriter};

use crate::error::PpoError;

// Not called here, but needed by `zip` to decompress deflated members.
use flate2 as _;

/// Largest number of members of an archive. The deepest network has fewer than 300 tensors.
const MAX_MEMBERS: usize = 1_024;
/// Largest unpacked size of all members together, in bytes. The largest model needs less.
const MAX_BYTES: u64 = 256 << 20;

/// An archive opened for reading.
pub(super) struct Archive<'a> {
    file: &'a str,
    zip: ZipArchive<Cursor<&'a [u8]>>,
    names: Vec<String>,
    /// Bytes that may still be unpacked.
    budget: u64,
}

impl<'a> Archive<'a> {
    /// Opens an archive. `file` is its name in errors.
    pub(super) fn open(bytes: &'a [u8], file: &'a str) -> Result<Self, PpoError> {
        let zip = ZipArchive::new(Cursor::new(bytes)).map_err(|error| failure(file, error))?;
        if zip.len() > MAX_MEMBERS {
            let problem = format!("it has {} members, more than {MAX_MEMBERS}", zip.len());
            return Err(failure(file, problem));
        }
        let names = zip.file_names().map(|name| name.map(Into::into)).collect::<Result<_, _>>();
        let names = names.map_err(|error| failure(file, error))?;
        Ok(Self { file, zip, names, budget: MAX_BYTES })
    }

    /// The names of all members.
    pub(super) fn names(&self) -> impl Iterator<Item = &str> {
        self.names.iter().map(String::as_str)
    }

    /// Reads one member, and checks its length and checksum.
    pub(super) fn read(&mut self, name: &str) -> Result<Vec<u8>, PpoError> {
        let file = self.file;
        let member = match self.zip.by_name(name) {
            Ok(member) => member,
            Err(zip::result::ZipError::FileNotFound) => {
                return Err(failure(file, format!("it has no member `{name}`")));
            }
            Err(error) => return Err(failure(file, format!("`{name}`: {error}"))),
        };
        let size = member.size();
        if size > self.budget {
            return Err(failure(file, format!("it unpacks to more than {MAX_BYTES} bytes")));
        }
        self.budget -= size;
        let mut content = Vec::new();
        // One byte more than declared, to detect a member that is longer.
        member
            .take(size + 1)
            .read_to_end(&mut content)
            .map_err(|error| failure(file, format!("`{name}`: {error}")))?;
        if content.len() as u64 != size {
            let problem = format!("`{name}` has {} bytes instead of {size}", content.len());
            return Err(failure(file, problem));
        }
        Ok(content)
    }
}

/// Writes an archive with the given members: uncompressed, in this order, dated 1980-01-01.
pub(super) fn write(members: &[(String, Vec<u8>)]) -> Result<Vec<u8>, PpoError> {
    let write_all = || -> zip::result::ZipResult<Vec<u8>> {
        let options = SimpleFileOptions::default()
            .compression_method(CompressionMethod::Stored)
            .last_modified_time(DateTime::DEFAULT)
            .unix_permissions(0o644);
        let mut writer = ZipWriter::new(Cursor::new(Vec::new()));
        for (name, content) in members {
            writer.start_file(name, options)?;
            writer.write_all(content)?;
        }
        Ok(writer.finish()?.into_inner())
    };
    write_all().map_err(|error| failure("the new model file", error))
}

fn failure(file: &str, problem: impl std::fmt::Display) -> PpoError {
    PpoError::Archive { file: file.to_owned(), problem: problem.to_string() }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn member(name: &str, content: &[u8]) -> (String, Vec<u8>) {
        (name.to_owned(), content.to_vec())
    }

    fn deflated(content: &[u8]) -> Vec<u8> {
        let mut writer = ZipWriter::new(Cursor::new(Vec::new()));
        let options = SimpleFileOptions::default().compression_method(CompressionMethod::Deflated);
        writer.start_file("a", options).unwrap();
        writer.write_all(content).unwrap();
        writer.finish().unwrap().into_inner()
    }

    #[test]
    fn written_members_are_read_back() {
        let bytes = write(&[member("a", b"one"), member("b/c", b"")]).unwrap();
        let mut archive = Archive::open(&bytes, "x.zip").unwrap();
        assert_eq!(archive.names().collect::<Vec<_>>(), ["a", "b/c"]);
        assert_eq!(archive.read("a").unwrap(), b"one");
        assert_eq!(archive.read("b/c").unwrap(), b"");
    }

    #[test]
    fn deflated_member_is_read() {
        let content = b"again and again and again and again".repeat(10);
        let bytes = deflated(&content);
        assert_eq!(Archive::open(&bytes, "x.zip").unwrap().read("a").unwrap(), content);
    }

    #[test]
    fn member_that_unpacks_to_too_much_is_refused() {
        let bytes = deflated(&vec![0; 1 << 20]);
        let mut archive = Archive::open(&bytes, "x.zip").unwrap();
        archive.budget = 1 << 19;
        let message = archive.read("a").unwrap_err().to_string();
        assert!(message.contains("unpacks to more than"), "{message}");
    }

    #[test]
    fn too_many_members_are_refused() {
        let members: Vec<_> = (0..=MAX_MEMBERS).map(|i| member(&i.to_string(), b"")).collect();
        let message = Archive::open(&write(&members).unwrap(), "x.zip").err().unwrap().to_string();
        assert_eq!(
            message,
            "`x.zip` is not a readable model file: it has 1025 members, more than 1024"
        );
    }

    #[test]
    fn changed_byte_is_detected_by_the_checksum() {
        let mut bytes = write(&[member("a", b"one")]).unwrap();
        let at = bytes.windows(3).position(|window| window == b"one").unwrap();
        bytes[at] = b'x';
        let message = Archive::open(&bytes, "x.zip").unwrap().read("a").unwrap_err().to_string();
        assert!(message.contains("checksum"), "{message}");
    }

    #[test]
    fn missing_member_is_named() {
        let bytes = write(&[member("a", b"one")]).unwrap();
        let message = Archive::open(&bytes, "x.zip").unwrap().read("b").unwrap_err().to_string();
        assert_eq!(message, "`x.zip` is not a readable model file: it has no member `b`");
    }
}
