//! Broken and malicious files are refused with an error: nothing panics, hangs or exhausts memory.

use std::io::{Cursor, Read, Write};

use herdbook_ppo::{Model, Policy, PpoConfig, Trainer};
use proptest::prelude::*;
use zip::write::SimpleFileOptions;
use zip::{ZipArchive, ZipWriter};

use crate::cart_pole::CartPole;
use crate::learning::envs;
use crate::samples::RELU;

const MEMBERS: [&str; 3] = ["data", "policy.pth", "policy.optimizer.pth"];

fn message(bytes: &[u8]) -> String {
    Model::from_zip(bytes, "x.zip").err().unwrap().to_string()
}

fn unpack(bytes: &[u8]) -> Vec<(String, Vec<u8>)> {
    let mut archive = ZipArchive::new(Cursor::new(bytes)).unwrap();
    let names: Vec<String> = archive.file_names().map(|name| name.unwrap().into()).collect();
    let mut content = |name: &String| {
        let mut bytes = vec![];
        archive.by_name(name).unwrap().read_to_end(&mut bytes).unwrap();
        bytes
    };
    names.iter().map(|name| (name.clone(), content(name))).collect()
}

fn pack(members: &[(String, Vec<u8>)]) -> Vec<u8> {
    let mut writer = ZipWriter::new(Cursor::new(vec![]));
    for (name, content) in members {
        let stored =
            SimpleFileOptions::default().compression_method(zip::CompressionMethod::Stored);
        writer.start_file(name, stored).unwrap();
        writer.write_all(content).unwrap();
    }
    writer.finish().unwrap().into_inner()
}

/// The sample with one member changed, and with valid checksums.
fn changed(member: &str, change: impl FnOnce(&mut Vec<u8>)) -> Vec<u8> {
    let mut members = unpack(RELU);
    change(&mut members.iter_mut().find(|(name, _)| name == member).unwrap().1);
    pack(&members)
}

/// Like [`changed`], for a member of a torch file inside the sample.
fn changed_inside(torch: &str, member: &str, change: impl FnOnce(&mut Vec<u8>)) -> Vec<u8> {
    changed(torch, |bytes| {
        let mut members = unpack(bytes);
        let wanted = format!("archive/{member}");
        change(&mut members.iter_mut().find(|(name, _)| *name == wanted).unwrap().1);
        *bytes = pack(&members);
    })
}

fn replace(bytes: &mut Vec<u8>, from: &str, to: &str) {
    let at = bytes.windows(from.len()).position(|window| window == from.as_bytes()).unwrap();
    bytes.splice(at..at + from.len(), to.bytes());
}

#[test]
fn bytes_that_are_not_a_zip_are_refused() {
    for bytes in [&b""[..], b"PK", b"not a zip at all", &[0; 1_000]] {
        assert!(message(bytes).starts_with("`x.zip` is not a readable model file: "));
    }
}

#[test]
fn every_truncation_of_a_sample_is_refused() {
    for len in (0..RELU.len()).step_by(997) {
        message(&RELU[..len]);
    }
}

#[test]
fn missing_member_is_named() {
    for missing in MEMBERS {
        let mut members = unpack(RELU);
        members.retain(|(name, _)| name != missing);
        let want = format!("`x.zip` is not a readable model file: it has no member `{missing}`");
        assert_eq!(message(&pack(&members)), want);
    }
}

#[test]
fn invalid_hyperparameter_and_wrong_number_of_tensors_are_named() {
    let bytes = changed("data", |data| {
        replace(data, "\"n_envs\": 2", "\"n_envs\": 0");
    });
    let problem =
        "`data` is invalid: `n_envs` is `0`, but must be a whole number from 1 to 16777216";
    assert_eq!(message(&bytes), format!("`x.zip`: {problem}"));

    let trainer = Trainer::new(PpoConfig::default(), envs::<CartPole>(1), 1).unwrap();
    let mut members = unpack(RELU);
    members[2].1 = unpack(&trainer.model().to_zip().unwrap()).swap_remove(2).1;
    assert_eq!(members[2].0, "policy.pth");
    let want = "`x.zip`: `policy.pth` does not fit `data`: the number of tensors is 12, but the \
                network has 10: train a new model, or make them equal";
    assert_eq!(message(&pack(&members)), want);
}

#[test]
fn learning_rate_that_is_neither_a_number_nor_a_schedule_is_refused() {
    for (value, problem) in [
        ("\"fast\"", "`learning_rate` is not a finite number"),
        ("NaN", "`learning_rate` is not a finite number"),
        ("[0.1]", "`learning_rate` is not a finite number"),
        ("{}", "`learning_rate` is not a finite number"),
        ("true", "`learning_rate` is not a finite number"),
        ("null", "`learning_rate` is missing"),
        // A pickled text, and a pickled list.
        (
            "{\":serialized:\": \"gAWMBGZhc3Qu\"}",
            "`learning_rate` is neither a number nor a schedule",
        ),
        ("{\":serialized:\": \"gAVdLg==\"}", "`learning_rate` is neither a number nor a schedule"),
    ] {
        let bytes = changed("data", |data| {
            let text = String::from_utf8(std::mem::take(data)).unwrap();
            let start = text.find("\"learning_rate\":").unwrap();
            let end = start + text[start..].find(',').unwrap();
            *data = format!("{}\"learning_rate\": {value}{}", &text[..start], &text[end..]).into();
        });
        let message = message(&bytes);
        assert!(message.contains(problem), "{value}: {message}");
    }
}

#[test]
fn weights_that_are_not_finite_are_refused() {
    for (torch, what) in
        [("policy.pth", "does not fit `data`"), ("policy.optimizer.pth", "does not fit")]
    {
        let bytes = changed_inside(torch, "data/1", |numbers| {
            numbers[..4].copy_from_slice(&f32::NAN.to_le_bytes());
        });
        let message = message(&bytes);
        assert!(message.contains(what) && message.contains("not finite"), "{message}");
    }
}

#[test]
fn optimizer_with_other_arithmetic_is_refused_by_name() {
    // In each pickle, an option's name is followed by its value: False (0x89) or 0 (`K\0`).
    for (option, from, to) in [
        ("amsgrad", &[0x89][..], &[0x88][..]),
        ("maximize", &[0x89], &[0x88]),
        ("weight_decay", b"K\0", b"K\x01"),
    ] {
        let bytes = changed_inside("policy.optimizer.pth", "data.pkl", |pickle| {
            let find = |bytes: &[u8], wanted: &[u8]| {
                bytes.windows(wanted.len()).position(|window| window == wanted).unwrap()
            };
            let name = find(pickle, option.as_bytes());
            let value = name + find(&pickle[name..], from);
            pickle.splice(value..value + from.len(), to.iter().copied());
        });
        let message = message(&bytes);
        let want = format!("`x.zip`: an optimizer with `{option}` is not supported; ");
        assert!(message.starts_with(&want), "{message}");
    }
}

#[test]
fn state_dependent_exploration_is_refused_by_name() {
    let bytes = changed("data", |data| replace(data, "\"use_sde\": false", "\"use_sde\": true"));
    let want = "`x.zip`: state-dependent exploration is not supported; ";
    assert!(message(&bytes).starts_with(want), "{}", message(&bytes));
}

#[test]
fn storage_shorter_than_its_tensor_is_refused() {
    let bytes = changed_inside("policy.pth", "data/0", |numbers| numbers.truncate(400));
    assert!(message(&bytes).contains("exceeds its storage"), "{}", message(&bytes));
}

#[test]
fn python_function_in_a_torch_file_is_refused_by_name() {
    let bytes = changed_inside("policy.pth", "data.pkl", |pickle| {
        replace(pickle, "collections\nOrderedDict", "posix\nsystem");
    });
    let want =
        "`x.zip`: `policy.pth` refers to the Python object `posix.system`, which is not allowed";
    assert_eq!(message(&bytes), want);
}

#[test]
fn big_endian_numbers_are_read() {
    let swap = |numbers: &mut Vec<u8>| numbers.chunks_exact_mut(4).for_each(<[u8]>::reverse);
    let bytes = changed("policy.pth", |bytes| {
        let mut members = unpack(bytes);
        for (name, content) in &mut members {
            match name.as_str() {
                "archive/byteorder" => *content = b"big".to_vec(),
                name if name.starts_with("archive/data/") => swap(content),
                _ => {}
            }
        }
        *bytes = pack(&members);
    });
    let read = |bytes: &[u8]| Model::from_zip(bytes, "x.zip").unwrap().policy.tensors();
    assert_eq!(read(&bytes), read(RELU));
}

#[test]
fn policy_from_a_tensor_that_is_not_finite_is_refused() {
    let model = Trainer::new(PpoConfig::default(), envs::<CartPole>(1), 1).unwrap().model();
    let mut tensors = model.policy.tensors();
    tensors[0].values[3] = f32::NAN;
    let (net_arch, activation) = (model.policy.net_arch().clone(), model.policy.activation());
    let error = Policy::from_tensors(4, &[2], net_arch, activation, &tensors).err().unwrap();
    assert_eq!(
        error.to_string(),
        "`mlp_extractor.policy_net.0.weight` contains a value that is not finite: lower \
         `learning_rate`, or check for infinite rewards and observations"
    );
}

/// Positions of bytes, and the bits of each to flip.
fn flips() -> impl Strategy<Value = Vec<(prop::sample::Index, u8)>> {
    prop::collection::vec((any::<prop::sample::Index>(), 1_u8..), 1..8)
}

fn flip(bytes: &mut [u8], flips: &[(prop::sample::Index, u8)]) {
    for (index, mask) in flips {
        bytes[index.index(bytes.len())] ^= mask;
    }
}

// Reading may succeed, since some bytes hold only dates or hints.
proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    #[test]
    fn prop_changed_bytes_never_panic(flips in flips(), cut in any::<prop::sample::Index>()) {
        let mut bytes = RELU.to_vec();
        flip(&mut bytes, &flips);
        let _ = Model::from_zip(&bytes, "x.zip");
        let _ = Model::from_zip(&bytes[..cut.index(bytes.len())], "x.zip");
    }

    #[test]
    fn prop_changed_members_never_panic(
        member in prop::sample::select(&MEMBERS[..]),
        flips in flips(),
    ) {
        let _ = Model::from_zip(&changed(member, |bytes| flip(bytes, &flips)), "x.zip");
    }

    #[test]
    fn prop_changed_pickles_never_panic(torch in prop::sample::select(&MEMBERS[1..]), flips in flips()) {
        let bytes = changed_inside(torch, "data.pkl", |bytes| flip(bytes, &flips));
        let _ = Model::from_zip(&bytes, "x.zip");
    }
}
