//! Names of runs that were given none.

/// How a run may be.
const ADJECTIVES: [&str; 32] = [
    "able", "brisk", "calm", "clever", "eager", "fair", "fast", "fine", "gentle", "glad", "grand",
    "honest", "keen", "kind", "lively", "loyal", "mild", "neat", "noble", "patient", "plain",
    "proud", "quick", "quiet", "rare", "sharp", "sober", "steady", "sturdy", "swift", "warm",
    "wise",
];
/// What a run may be called after.
const NOUNS: [&str; 32] = [
    "badger", "bison", "boar", "buck", "bull", "calf", "colt", "crane", "deer", "dove", "eagle",
    "elk", "ewe", "falcon", "foal", "goat", "goose", "hare", "heron", "horse", "lamb", "lynx",
    "mare", "moose", "otter", "owl", "ox", "pony", "ram", "raven", "stag", "swan",
];

/// A name such as `steady-heron-417`.
pub(crate) fn random_name() -> String {
    let (high, low) = uuid::Uuid::new_v4().as_u64_pair();
    let adjective = ADJECTIVES[(high % 32) as usize];
    let noun = NOUNS[(low % 32) as usize];
    // Other bits than those that chose the words.
    format!("{adjective}-{noun}-{}", (low >> 8) % 1000)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_have_three_parts_and_at_most_twenty_characters() {
        for _ in 0..100 {
            let name = random_name();
            assert!(name.split('-').count() == 3 && name.len() <= 20, "{name}");
        }
    }
}
