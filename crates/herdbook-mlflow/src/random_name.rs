//! Names for runs and logged models that were given none: `calm-heron-417`.

use uuid::Uuid;

const ADJECTIVES: [&str; 32] = [
    "able", "bold", "brave", "bright", "calm", "clean", "clear", "eager", "early", "fair", "fast",
    "fond", "free", "gentle", "glad", "grand", "keen", "kind", "lively", "loyal", "merry", "neat",
    "noble", "proud", "quick", "quiet", "sharp", "steady", "swift", "warm", "wise", "witty",
];
const NOUNS: [&str; 32] = [
    "bear", "bee", "calf", "colt", "crane", "crow", "deer", "dove", "duck", "eagle", "falcon",
    "finch", "foal", "fox", "goat", "goose", "hare", "hawk", "heron", "horse", "jay", "lamb",
    "lark", "lynx", "mare", "otter", "owl", "pony", "raven", "robin", "swan", "wren",
];

/// A random name: an adjective, a noun and a number below 1000.
pub(crate) fn random_name() -> String {
    let (high, low) = Uuid::new_v4().as_u64_pair();
    // The lowest bits of both halves are random in a UUID of version 4.
    let pick = |bits: u64| usize::try_from(bits % 32).unwrap_or_default();
    format!("{}-{}-{}", ADJECTIVES[pick(low)], NOUNS[pick(low >> 8)], (high >> 16) % 1000)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn name_has_three_parts_and_differs_from_the_next() {
        let names: Vec<String> = (0..20).map(|_| random_name()).collect();
        for name in &names {
            let parts: Vec<&str> = name.split('-').collect();
            assert_eq!(parts.len(), 3, "{name}");
            assert!(parts[2].parse::<u32>().is_ok_and(|number| number < 1000), "{name}");
        }
        assert!(names.iter().any(|name| *name != names[0]));
    }
}
