//! The only source of randomness: xoshiro256++ (Blackman and Vigna, arXiv:1805.01407), seeded with
//! `SplitMix64`. Implemented here because a model's bytes depend on it, so that no update of a library
//! can change them.

use serde::{Deserialize, Serialize};

/// A seeded random number generator. It can be serialized, and continues with the same numbers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rng {
    state: [u64; 4],
}

impl Rng {
    /// Creates a generator from a seed.
    pub fn new(seed: u64) -> Self {
        let mut mixer = seed;
        Self { state: std::array::from_fn(|_| split_mix(&mut mixer)) }
    }

    /// Splits off a generator whose numbers do not overlap with those of `self`: the new one continues
    /// from the current state, and `self` jumps 2^128 numbers ahead.
    #[must_use]
    pub fn split(&mut self) -> Self {
        let child = self.clone();
        self.jump();
        child
    }

    /// Returns 64 random bits.
    pub fn next_u64(&mut self) -> u64 {
        let [a, b, c, d] = &mut self.state;
        let result = a.wrapping_add(*d).rotate_left(23).wrapping_add(*a);
        let shifted = *b << 17;
        *c ^= *a;
        *d ^= *b;
        *b ^= *c;
        *a ^= *d;
        *c ^= shifted;
        *d = d.rotate_left(45);
        result
    }

    /// Returns a uniform random number in `[0, 1)`, a multiple of 2^-53.
    pub fn uniform(&mut self) -> f64 {
        const STEP: f64 = 1.0 / (1_u64 << 53) as f64;
        (self.next_u64() >> 11) as f64 * STEP
    }

    /// Returns a uniform random number in `[0, 1)`, a multiple of 2^-24.
    pub fn uniform_f32(&mut self) -> f32 {
        const STEP: f32 = 1.0 / (1_u32 << 24) as f32;
        (self.next_u64() >> 40) as f32 * STEP
    }

    /// Returns an index below `n`, each equally likely (Lemire, arXiv:1805.10941), or 0 if `n` is 0.
    pub fn below(&mut self, n: usize) -> usize {
        let n = n as u64;
        loop {
            let product = u128::from(self.next_u64()) * u128::from(n);
            let (high, low) = ((product >> 64) as u64, product as u64);
            if low >= n || low >= n.wrapping_neg() % n.max(1) {
                return high as usize;
            }
        }
    }

    /// Returns a standard normal number (Marsaglia's polar method).
    pub fn normal(&mut self) -> f64 {
        loop {
            let (x, y) = (2.0 * self.uniform() - 1.0, 2.0 * self.uniform() - 1.0);
            let square = x * x + y * y;
            if square > 0.0 && square < 1.0 {
                return x * (-2.0 * libm::log(square) / square).sqrt();
            }
        }
    }

    /// Shuffles the items, each order equally likely (Fisher-Yates).
    pub fn shuffle<T>(&mut self, items: &mut [T]) {
        for last in (1..items.len()).rev() {
            items.swap(last, self.below(last + 1));
        }
    }

    /// Advances by 2^128 numbers.
    fn jump(&mut self) {
        const JUMP: [u64; 4] = [
            0x180e_c6d3_3cfd_0aba,
            0xd5a6_1266_f0c9_392c,
            0xa958_2618_e03f_c9aa,
            0x39ab_dc45_29b1_661c,
        ];
        let mut jumped = [0; 4];
        for bit in JUMP.iter().flat_map(|word| (0..64).map(move |i| word >> i & 1)) {
            if bit == 1 {
                jumped.iter_mut().zip(self.state).for_each(|(word, state)| *word ^= state);
            }
            self.next_u64();
        }
        self.state = jumped;
    }
}

fn split_mix(state: &mut u64) -> u64 {
    *state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let mut mixed = *state;
    mixed = (mixed ^ mixed >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    mixed = (mixed ^ mixed >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
    mixed ^ mixed >> 31
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The first outputs of the authors' reference implementation for the state 1, 2, 3, 4.
    const REFERENCE: [u64; 5] = [
        41_943_041,
        58_720_359,
        3_588_806_011_781_223,
        3_591_011_842_654_386,
        9_228_616_714_210_784_205,
    ];

    #[test]
    fn output_is_that_of_the_reference_implementation() {
        let mut rng = Rng { state: [1, 2, 3, 4] };
        assert_eq!(std::array::from_fn(|_| rng.next_u64()), REFERENCE);
    }

    #[test]
    fn seed_zero_is_mixed_as_split_mix_does() {
        let mut state = 0;
        assert_eq!(split_mix(&mut state), 0xe220_a839_7b1d_cdaf);
        assert_eq!(split_mix(&mut state), 0x6e78_9e6a_a1b9_65f4);
    }

    #[test]
    fn split_generators_differ_from_their_parent_and_each_other() {
        let mut rng = Rng::new(1);
        let (mut a, mut b) = (rng.split(), rng.split());
        let (first, second, third) = (a.next_u64(), b.next_u64(), rng.next_u64());
        assert!(first != second && second != third && first != third);
    }

    #[test]
    fn restored_generator_continues_with_the_same_numbers() {
        let mut rng = Rng::new(5);
        rng.next_u64();
        let text = serde_json::to_string(&rng).unwrap();
        let mut restored: Rng = serde_json::from_str(&text).unwrap();
        assert_eq!(restored.next_u64(), rng.next_u64());
    }

    #[test]
    fn below_stays_below_and_reaches_every_index_about_equally() {
        let mut rng = Rng::new(2);
        let mut counts = [0_i32; 7];
        for _ in 0..70_000 {
            counts[rng.below(7)] += 1;
        }
        assert!(counts.iter().all(|count| (count - 10_000).abs() < 400), "{counts:?}");
        assert_eq!(rng.below(0), 0);
        assert_eq!(rng.below(1), 0);
    }

    #[test]
    fn normal_numbers_have_the_moments_of_the_standard_normal() {
        let mut rng = Rng::new(3);
        let numbers: Vec<f64> = (0..100_000).map(|_| rng.normal()).collect();
        let moment = |power| numbers.iter().map(|x| x.powi(power)).sum::<f64>() / 100_000.0;
        assert!(moment(1).abs() < 0.02, "mean {}", moment(1));
        assert!((moment(2) - 1.0).abs() < 0.03, "variance {}", moment(2));
        assert!((moment(4) - 3.0).abs() < 0.2, "fourth moment {}", moment(4));
    }

    #[test]
    fn shuffle_keeps_every_item() {
        let mut items: Vec<usize> = (0..100).collect();
        Rng::new(4).shuffle(&mut items);
        assert_ne!(items, (0..100).collect::<Vec<_>>());
        items.sort_unstable();
        assert_eq!(items, (0..100).collect::<Vec<_>>());
    }
}
