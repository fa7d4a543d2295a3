//! Changes one layer of a model file and repairs the checksums and lengths around it.

use std::io::{Cursor, Read as _, Write as _};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use herdbook_ppo::Rng;
use serde_json::Value;
use zip::write::SimpleFileOptions;
use zip::{CompressionMethod, ZipArchive, ZipWriter};

use crate::change::change;

type Members = Vec<(String, Vec<u8>)>;

/// A real file and its members.
pub(crate) struct Layered {
    raw: Vec<u8>,
    members: Members,
}

impl Layered {
    pub(crate) fn open(raw: &[u8]) -> anyhow::Result<Self> {
        Ok(Self { raw: raw.to_vec(), members: unpack(raw)? })
    }

    /// The file with one change.
    pub(crate) fn changed(&self, all: &[Self], rng: &mut Rng) -> anyhow::Result<Vec<u8>> {
        let donor = &all[rng.below(all.len())];
        if rng.below(8) == 0 {
            let mut raw = self.raw.clone();
            change(&mut raw, &donor.raw, rng);
            return Ok(raw);
        }
        let mut members = self.members.clone();
        let is_read = |name: &str| name == "data" || name.starts_with("policy.");
        let read: Vec<usize> = (0..members.len()).filter(|&idx| is_read(&members[idx].0)).collect();
        let chosen = read[rng.below(read.len())];
        let (name, content) = &mut members[chosen];
        let of_donor = &donor.members[rng.below(donor.members.len())].1;
        match name.as_str() {
            "data" if rng.below(4) != 0 => change_pickle(content, donor, rng)?,
            "policy.pth" | "policy.optimizer.pth" if rng.below(8) != 0 => {
                change_inside(content, of_donor, rng)?;
            }
            _ => change(content, of_donor, rng),
        }
        pack(&members, rng)
    }
}

/// Changes a pickle or a plain value inside `data`.
fn change_pickle(data: &mut Vec<u8>, donor: &Layered, rng: &mut Rng) -> anyhow::Result<()> {
    let Ok(mut values) = serde_json::from_slice::<Value>(data) else { return Ok(()) };
    let Some(map) = values.as_object_mut() else { return Ok(()) };
    let Some(value) = map.values_mut().nth(rng.below(60)) else { return Ok(()) };
    match value.get(":serialized:").and_then(Value::as_str) {
        Some(text) => {
            let Ok(mut pickle) = STANDARD.decode(text) else { return Ok(()) };
            change(&mut pickle, &donor.members[0].1, rng);
            value[":serialized:"] = STANDARD.encode(pickle).into();
        }
        None => {
            *value = match rng.below(6) {
                0 => (rng.next_u64() as i64).into(),
                1 => rng.normal().into(),
                2 => (1_u64 << rng.below(64)).into(),
                3 => Value::Null,
                4 => serde_json::json!({"pi": [rng.below(9_000)], "vf": [[]]}),
                _ => "x".into(),
            };
        }
    }
    *data = serde_json::to_vec(&values)?;
    Ok(())
}

/// Changes one member of a torch file.
fn change_inside(torch: &mut Vec<u8>, donor: &[u8], rng: &mut Rng) -> anyhow::Result<()> {
    let Ok(mut members) = unpack(torch) else { return Ok(()) };
    // Prefer the pickle, which comes first: the numbers after it have no structure.
    let chosen = if rng.below(8) != 0 { 0 } else { rng.below(members.len()) };
    change(&mut members[chosen].1, donor, rng);
    *torch = pack(&members, rng)?;
    Ok(())
}

fn unpack(bytes: &[u8]) -> anyhow::Result<Members> {
    let mut archive = ZipArchive::new(Cursor::new(bytes))?;
    let mut members = Vec::new();
    for index in 0..archive.len() {
        let mut member = archive.by_index(index)?;
        let mut content = Vec::new();
        member.read_to_end(&mut content)?;
        members.push((member.name()?.to_string(), content));
    }
    Ok(members)
}

fn pack(members: &Members, rng: &mut Rng) -> anyhow::Result<Vec<u8>> {
    let mut writer = ZipWriter::new(Cursor::new(Vec::new()));
    for (name, content) in members {
        let method = match rng.below(16) {
            0 => CompressionMethod::Deflated,
            _ => CompressionMethod::Stored,
        };
        writer.start_file(name, SimpleFileOptions::default().compression_method(method))?;
        writer.write_all(content)?;
    }
    Ok(writer.finish()?.into_inner())
}
