//! A simulated disk: its content after a step, and what is left of it after a power loss.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use super::recording::Op;

/// Sectors are written whole or not at all.
const SECTOR: usize = 512;

/// How much is left of steps that were not synced.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Left {
    /// Nothing, as after a power loss.
    Nothing,
    /// Everything, as after the kill of the process.
    Everything,
    /// Random sectors and names, chosen with this seed.
    Some(u64),
}

/// The files of a folder, as written and as synced.
#[derive(Debug, Clone, Default)]
pub(crate) struct Power {
    files: Vec<File>,
    /// Names as a process sees them, and as synced; `None` is a folder.
    seen: BTreeMap<PathBuf, Option<usize>>,
    kept: BTreeMap<PathBuf, Option<usize>>,
}

#[derive(Debug, Clone, Default)]
struct File {
    kept: Vec<u8>,
    pending: Vec<Change>,
}

#[derive(Debug, Clone)]
enum Change {
    Write(usize, Vec<u8>),
    Truncate(usize),
}

impl Change {
    fn apply(&self, bytes: &mut Vec<u8>) {
        match self {
            Self::Write(offset, written) => {
                bytes.resize(bytes.len().max(offset + written.len()), 0);
                bytes[*offset..offset + written.len()].copy_from_slice(written);
            }
            Self::Truncate(len) => bytes.resize(*len, 0),
        }
    }

    /// Splits a change into parts that a disk writes independently.
    fn parts(&self) -> Vec<Self> {
        let Self::Write(offset, written) = self else { return vec![self.clone()] };
        let mut parts = Vec::new();
        let mut from = 0;
        while from < written.len() {
            let to = written.len().min(from + SECTOR - (offset + from) % SECTOR);
            parts.push(Self::Write(offset + from, written[from..to].to_vec()));
            from = to;
        }
        parts
    }
}

impl Power {
    /// Applies one step.
    pub(crate) fn step(&mut self, path: &Path, op: &Op) {
        match op {
            Op::Create => {
                self.files.push(File::default());
                self.seen.insert(path.to_owned(), Some(self.files.len() - 1));
            }
            Op::CreateFolder => {
                self.seen.insert(path.to_owned(), None);
            }
            Op::Write { offset, bytes } => {
                self.file(path).pending.push(Change::Write(*offset, bytes.clone()));
            }
            Op::Truncate(len) => self.file(path).pending.push(Change::Truncate(*len)),
            Op::Sync => {
                let file = self.file(path);
                for change in std::mem::take(&mut file.pending) {
                    change.apply(&mut file.kept);
                }
            }
            Op::RenameTo(to) => {
                let entry = self.seen.remove(path).expect("what is renamed is there");
                self.seen.insert(to.clone(), entry);
            }
            Op::Remove => {
                self.seen.remove(path);
            }
            Op::SyncFolder => {
                let is_in = |entry: &PathBuf| entry.parent() == Some(path);
                self.kept.retain(|entry, _| !is_in(entry));
                let seen = self.seen.iter().filter(|(entry, _)| is_in(entry));
                self.kept.extend(seen.map(|(entry, node)| (entry.clone(), *node)));
            }
            Op::Acknowledged => {}
        }
    }

    fn file(&mut self, path: &Path) -> &mut File {
        let file = self.seen[path].expect("a folder is not written to");
        &mut self.files[file]
    }

    /// Writes the files that are left into an empty folder.
    pub(crate) fn go(&self, left: Left, folder: &Path) {
        let mut chance = Chance(match left {
            Left::Some(seed) => seed,
            _ => 0,
        });
        let mut keeps = || match left {
            Left::Nothing => false,
            Left::Everything => true,
            Left::Some(_) => chance.coin(),
        };
        let names: BTreeSet<&PathBuf> = self.seen.keys().chain(self.kept.keys()).collect();
        // The names are sorted, so a folder comes before its files.
        for name in names {
            let (seen, kept) = (self.seen.get(name), self.kept.get(name));
            let node = if seen == kept || !keeps() { kept } else { seen };
            let path = folder.join(name);
            let is_reached = path.parent().is_some_and(Path::is_dir);
            match node {
                Some(None) if is_reached => std::fs::create_dir(&path).unwrap(),
                Some(Some(file)) if is_reached => {
                    let file = &self.files[*file];
                    let mut bytes = file.kept.clone();
                    for part in file.pending.iter().flat_map(Change::parts) {
                        if keeps() {
                            part.apply(&mut bytes);
                        }
                    }
                    std::fs::write(&path, bytes).unwrap();
                }
                _ => {}
            }
        }
    }
}

/// `SplitMix64` (Steele, Lea, Flood 2014).
pub(crate) struct Chance(pub(crate) u64);

impl Chance {
    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    fn coin(&mut self) -> bool {
        self.next() & 1 == 1
    }
}
