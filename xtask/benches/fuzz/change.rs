//! Small changes of the kinds that often break readers.

use herdbook_ppo::Rng;

/// Lengths and numbers at the limits of their types.
const EDGES: [u64; 10] =
    [0, 1, 0x7f, 0xff, 0x7fff_ffff, 0xffff_ffff, 0x8000_0000, u64::MAX, 1 << 63, (1 << 40) + 1];
/// Pickle opcodes that build, call, fetch, repeat and stop, and bytes with a meaning in JSON and zip.
const TOKENS: [&[u8]; 16] = [
    b"(",
    b"t",
    b"R",
    b"b",
    b".",
    b"\x81",
    b"\x93",
    b"\x94",
    b"h\x00",
    b"j\xff\xff\xff\xff",
    b"Q",
    b"}",
    b"]",
    b"PK\x03\x04",
    b"1e999",
    b"[[[[[[[[",
];

/// Makes one to four changes; some copy a piece of `donor`.
pub(crate) fn change(bytes: &mut Vec<u8>, donor: &[u8], rng: &mut Rng) {
    for _ in 0..=rng.below(4) {
        change_once(bytes, donor, rng);
    }
}

fn change_once(bytes: &mut Vec<u8>, donor: &[u8], rng: &mut Rng) {
    let place = rng.below(bytes.len() + 1);
    let len = 1 + rng.below(64);
    let end = (place + len).min(bytes.len());
    match rng.below(9) {
        0 | 1 if place < bytes.len() => bytes[place] ^= 1 << rng.below(8),
        2 if place < bytes.len() => bytes[place] = rng.next_u64() as u8,
        3 => drop(bytes.drain(place..end)),
        4 => {
            let piece = bytes[place..end].to_vec();
            let at = rng.below(bytes.len() + 1);
            bytes.splice(at..at, piece);
        }
        5 => bytes.truncate(place),
        6 => {
            let edge = EDGES[rng.below(EDGES.len())].to_le_bytes();
            let width = [1, 2, 4, 8][rng.below(4)].min(bytes.len() - place);
            bytes[place..place + width].copy_from_slice(&edge[..width]);
        }
        7 => {
            let token = TOKENS[rng.below(TOKENS.len())];
            bytes.splice(place..place, token.iter().copied());
        }
        _ => {
            let from = rng.below(donor.len() + 1);
            let to = (from + len).min(donor.len());
            bytes.splice(place..end, donor[from..to].iter().copied());
        }
    }
}
