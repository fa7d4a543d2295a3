//! Artifacts as streams: a file much larger than any buffer goes in and out.

use std::io::{self, Read};

use herdbook_domain::RunId;
use herdbook_store::artifacts::hashing::sha256;

use crate::herd::Herd;

const MEBIBYTE: u64 = 1 << 20;
const N_BYTES: u64 = 64 * MEBIBYTE;
/// Limit of memory use: far more than any buffer needs, far less than the file.
const LARGEST_BUFFER: usize = 1 << 20;

/// Bytes that are made while they are read.
struct Generated {
    at: u64,
    n_bytes: u64,
    largest_buffer: usize,
}

impl Generated {
    fn new(n_bytes: u64) -> Self {
        Self { at: 0, n_bytes, largest_buffer: 0 }
    }
}

impl Read for Generated {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.largest_buffer = self.largest_buffer.max(buffer.len());
        let n_read = (buffer.len() as u64).min(self.n_bytes - self.at) as usize;
        for byte in &mut buffer[..n_read] {
            *byte = byte_at(self.at);
            self.at += 1;
        }
        Ok(n_read)
    }
}

/// The byte at a position. It differs from one mebibyte to the next.
fn byte_at(at: u64) -> u8 {
    (at ^ (at >> 20)) as u8
}

/// The peak memory of this process in bytes, if the system reports it.
fn peak_memory() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    Some(line.trim().strip_suffix(" kB")?.trim().parse::<u64>().ok()? * 1024)
}

fn stored(herd: &Herd, artifact: &str, n_bytes: u64) -> (RunId, String) {
    let (run_id, _) = herd.start(None);
    let mut content = Generated::new(n_bytes);
    let sha256 = herd.store.store_artifact_from(&run_id, artifact, &mut content).unwrap();
    assert_eq!(content.at, n_bytes);
    assert!(content.largest_buffer <= LARGEST_BUFFER, "{}", content.largest_buffer);
    (run_id, sha256)
}

#[test]
fn large_artifact_goes_in_and_out_without_a_buffer_of_its_size() {
    let herd = Herd::new();
    let before = peak_memory();
    let (run_id, stored) = stored(&herd, "models/big.bin", N_BYTES);
    let mut content = herd.store.open_artifact(&run_id, "models/big.bin", None).unwrap();
    assert_eq!(sha256(&mut *content).unwrap(), stored);
    assert_eq!(sha256(&mut Generated::new(N_BYTES)).unwrap(), stored);
    // With nextest this test has a process of its own. Otherwise the memory of other tests would count too.
    if let (Some(before), Some(after)) = (before, peak_memory())
        && std::env::var_os("NEXTEST").is_some()
    {
        let grown = after - before;
        assert!(grown < N_BYTES / 4, "the process has grown by {grown} bytes");
    }
}

#[test]
fn range_of_a_large_artifact_is_read_alone() {
    let herd = Herd::new();
    let (run_id, _) = stored(&herd, "big.bin", 3 * MEBIBYTE);
    let range = 2 * MEBIBYTE - 2..2 * MEBIBYTE + 2;
    let mut content = herd.store.open_artifact(&run_id, "big.bin", Some(range.clone())).unwrap();
    let mut bytes = Vec::new();
    content.read_to_end(&mut bytes).unwrap();
    assert_eq!(bytes, range.map(byte_at).collect::<Vec<u8>>());
}

#[test]
fn listing_names_length_and_kind() {
    let herd = Herd::new();
    let (run_id, _) = stored(&herd, "models/big.bin", MEBIBYTE + 1);
    let entries = herd.store.list_artifacts(&run_id, "models").unwrap();
    assert_eq!(entries.len(), 1);
    assert_eq!((entries[0].name.as_str(), entries[0].n_bytes), ("big.bin", Some(MEBIBYTE + 1)));
    assert_eq!(herd.store.artifact_names(&run_id, "").unwrap(), [] as [String; 0]);
    let missing = herd.store.open_artifact(&run_id, "models/none", None).err().unwrap();
    assert!(missing.to_string().starts_with("cannot read `"), "{missing}");
}
