//! Where two threads meet once a minibatch: each leaves a few numbers and takes those of the other.
//!
//! A minibatch takes tens of microseconds, so a meeting may cost a fraction of one: a thread that comes first waits
//! by looking, and lies down only when the other is kept away for long.

use std::array;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::{self, Thread};

/// How often a waiting thread looks before it lies down: some 50 µs, several times what waking up takes.
const LOOKS: u32 = 2_000;

/// What one thread tells the other.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Word {
    pub(crate) number: f32,
    pub(crate) flag: bool,
}

/// The meeting place of two threads.
#[derive(Debug, Default)]
pub(crate) struct Meeting {
    seats: [Seat; 2],
}

/// One thread's words. A cache line of its own, for two threads that write into one line wait for each other.
#[derive(Debug)]
#[repr(align(128))]
struct Seat {
    /// The latest word of the even and of the odd rounds, with its round: nobody can be two rounds ahead.
    words: [AtomicU64; 2],
    has_left: AtomicBool,
}

/// One thread at the meeting place.
#[derive(Debug)]
pub(crate) struct Guest<'a> {
    mine: &'a Seat,
    others: &'a Seat,
    other: Thread,
    round: u32,
}

impl Default for Seat {
    fn default() -> Self {
        // No round has this number for the first two billion meetings.
        let nothing = u64::MAX;
        Self {
            words: array::from_fn(|_| AtomicU64::new(nothing)),
            has_left: AtomicBool::new(false),
        }
    }
}

impl Meeting {
    /// The thread that takes one of the two seats, and meets `other` there.
    pub(crate) fn guest(&self, seat_idx: usize, other: Thread) -> Guest<'_> {
        Guest { mine: &self.seats[seat_idx], others: &self.seats[1 - seat_idx], other, round: 0 }
    }
}

impl Guest<'_> {
    /// Gives a word to the other thread, and waits for its word of the same round.
    ///
    /// # Panics
    /// When the other thread has panicked.
    pub(crate) fn exchange(&mut self, word: Word) -> Word {
        let round = self.round & ROUND;
        self.round = self.round.wrapping_add(1);
        let parity = (round % 2) as usize;
        self.mine.words[parity].store(pack(round, word), Ordering::Release);
        self.other.unpark();
        let mut looks = 0;
        loop {
            let found = self.others.words[parity].load(Ordering::Acquire);
            if found >> 33 == u64::from(round) {
                return Word { number: f32::from_bits(found as u32), flag: found >> 32 & 1 == 1 };
            }
            assert!(!self.others.has_left.load(Ordering::Acquire), "the other thread has panicked");
            if looks < LOOKS {
                looks += 1;
                std::hint::spin_loop();
            } else {
                thread::park();
            }
        }
    }
}

impl Drop for Guest<'_> {
    fn drop(&mut self) {
        if thread::panicking() {
            self.mine.has_left.store(true, Ordering::Release);
            self.other.unpark();
        }
    }
}

/// Rounds are counted in the 31 bits that a word leaves free.
const ROUND: u32 = u32::MAX >> 1;

fn pack(round: u32, word: Word) -> u64 {
    u64::from(round) << 33 | u64::from(word.flag) << 32 | u64::from(word.number.to_bits())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Both threads' words of many rounds, the second one slowed down at times so that the first lies down.
    fn met(rounds: u32, second: impl Fn(u32) -> Word + Sync) -> (Vec<Word>, Vec<Word>) {
        let meeting = Meeting::default();
        let host = thread::current();
        thread::scope(|scope| {
            let (meeting, second) = (&meeting, &second);
            let other = scope.spawn(move || {
                let mut guest = meeting.guest(1, host);
                (0..rounds).map(|round| guest.exchange(second(round))).collect::<Vec<_>>()
            });
            let mut guest = meeting.guest(0, other.thread().clone());
            let first = |round: u32| Word { number: round as f32, flag: round.is_multiple_of(3) };
            let taken = (0..rounds).map(|round| guest.exchange(first(round))).collect();
            (taken, other.join().expect("it does not panic"))
        })
    }

    #[test]
    fn each_gets_the_other_ones_word_of_the_same_round() {
        let second = |round: u32| {
            if round.is_multiple_of(64) {
                (0..100_000).for_each(|_| std::hint::spin_loop());
            }
            Word { number: -(round as f32), flag: round.is_multiple_of(5) }
        };
        let (of_second, of_first) = met(2_000, second);
        for (round, (a, b)) in (0_u32..).zip(of_first.into_iter().zip(of_second)) {
            assert_eq!(a, Word { number: round as f32, flag: round.is_multiple_of(3) });
            assert_eq!(b, Word { number: -(round as f32), flag: round.is_multiple_of(5) });
        }
    }

    #[test]
    fn numbers_come_over_bit_for_bit() {
        for number in [0.0, -0.0, f32::MIN_POSITIVE / 2.0, f32::INFINITY, f32::NAN] {
            let (of_second, _) = met(1, |_| Word { number, flag: true });
            assert_eq!(of_second[0].number.to_bits(), number.to_bits());
        }
    }

    #[test]
    #[should_panic(expected = "the other thread has panicked")]
    fn nobody_waits_for_a_thread_that_has_panicked() {
        met(
            2,
            |round| {
                if round == 1 { panic!("on purpose") } else { Word { number: 0.0, flag: false } }
            },
        );
    }
}
