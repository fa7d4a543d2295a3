//! The exchange between the threads of actor and critic: once per minibatch, each sends a message and
//! waits for that of the other.
//!
//! A minibatch takes tens of microseconds, less than waking a parked thread may take. A thread that
//! waits therefore spins, and parks only when the other takes long.

use std::array;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::{self, Thread};

/// Iterations of the spin loop before the thread parks: about 50 µs, several times what waking a
/// thread takes.
const MAX_SPINS: u32 = 2_000;

/// Rounds are counted in the 31 bits of a packed message that the content leaves free.
const ROUND_MASK: u32 = u32::MAX >> 1;

/// The message from one network's thread to the other about its gradient of a minibatch.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct GradientMessage {
    /// The squared L2 norm of the gradient.
    pub(crate) square_sum: f32,
    /// The policy has moved further than `target_kl` allows.
    pub(crate) kl_exceeded: bool,
}

/// The memory that the two threads share.
#[derive(Debug, Default)]
pub(crate) struct GradientExchange {
    mailboxes: [Mailbox; 2],
}

/// The messages of one thread, on cache lines of their own to prevent false sharing.
#[derive(Debug)]
#[repr(align(128))]
struct Mailbox {
    /// The latest message of the even and of the odd rounds, each with its round. Two are enough: a
    /// thread is never more than one round ahead of the other.
    messages: [AtomicU64; 2],
    has_panicked: AtomicBool,
}

/// One thread's end of the exchange.
#[derive(Debug)]
pub(crate) struct Endpoint<'a> {
    own: &'a Mailbox,
    others: &'a Mailbox,
    other: Thread,
    round: u32,
}

impl Default for Mailbox {
    fn default() -> Self {
        // The round of this value is reached only after two billion minibatches.
        let empty = u64::MAX;
        Self {
            messages: array::from_fn(|_| AtomicU64::new(empty)),
            has_panicked: AtomicBool::new(false),
        }
    }
}

impl GradientExchange {
    /// The end with the index `idx`, 0 or 1, for the current thread; `other` holds the other end.
    pub(crate) fn endpoint(&self, idx: usize, other: Thread) -> Endpoint<'_> {
        Endpoint { own: &self.mailboxes[idx], others: &self.mailboxes[1 - idx], other, round: 0 }
    }
}

impl Endpoint<'_> {
    /// Sends a message to the other thread and waits for its message of the same round.
    ///
    /// # Panics
    /// If the other thread has panicked.
    pub(crate) fn exchange(&mut self, message: GradientMessage) -> GradientMessage {
        let round = self.round & ROUND_MASK;
        self.round = self.round.wrapping_add(1);
        let parity = (round % 2) as usize;
        self.own.messages[parity].store(pack(round, message), Ordering::Release);
        self.other.unpark();
        let mut spins = 0;
        loop {
            let packed = self.others.messages[parity].load(Ordering::Acquire);
            if packed >> 33 == u64::from(round) {
                return unpack(packed);
            }
            let has_panicked = self.others.has_panicked.load(Ordering::Acquire);
            assert!(!has_panicked, "the other thread has panicked");
            if spins < MAX_SPINS {
                spins += 1;
                std::hint::spin_loop();
            } else {
                thread::park();
            }
        }
    }
}

impl Drop for Endpoint<'_> {
    fn drop(&mut self) {
        if thread::panicking() {
            self.own.has_panicked.store(true, Ordering::Release);
            self.other.unpark();
        }
    }
}

/// From the high bits: 31 for the round, 1 for `kl_exceeded`, 32 for `square_sum`.
fn pack(round: u32, message: GradientMessage) -> u64 {
    let GradientMessage { square_sum, kl_exceeded } = message;
    u64::from(round) << 33 | u64::from(kl_exceeded) << 32 | u64::from(square_sum.to_bits())
}

fn unpack(packed: u64) -> GradientMessage {
    GradientMessage {
        square_sum: f32::from_bits(packed as u32),
        kl_exceeded: packed >> 32 & 1 == 1,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Runs an exchange between two threads; `second` makes the messages of the second one. Returns
    /// the messages that the first and the second thread received.
    fn exchanged(
        rounds: u32,
        second: impl Fn(u32) -> GradientMessage + Sync,
    ) -> (Vec<GradientMessage>, Vec<GradientMessage>) {
        let exchange = GradientExchange::default();
        let first_thread = thread::current();
        thread::scope(|scope| {
            let (exchange, second) = (&exchange, &second);
            let second_worker = scope.spawn(move || {
                let mut endpoint = exchange.endpoint(1, first_thread);
                (0..rounds).map(|round| endpoint.exchange(second(round))).collect::<Vec<_>>()
            });
            let mut endpoint = exchange.endpoint(0, second_worker.thread().clone());
            let received = (0..rounds).map(|round| endpoint.exchange(first(round))).collect();
            (received, second_worker.join().expect("it does not panic"))
        })
    }

    fn first(round: u32) -> GradientMessage {
        GradientMessage { square_sum: round as f32, kl_exceeded: round.is_multiple_of(3) }
    }

    #[test]
    fn each_thread_gets_the_message_of_the_same_round() {
        let second = |round: u32| GradientMessage {
            square_sum: -(round as f32),
            kl_exceeded: round.is_multiple_of(5),
        };
        // At times the second thread takes so long that the first one parks.
        let slow_second = |round: u32| {
            if round.is_multiple_of(64) {
                (0..100_000).for_each(|_| std::hint::spin_loop());
            }
            second(round)
        };
        let (by_first, by_second) = exchanged(2_000, slow_second);
        for (round, (a, b)) in (0_u32..).zip(by_first.into_iter().zip(by_second)) {
            assert_eq!((a, b), (second(round), first(round)));
        }
    }

    #[test]
    fn numbers_are_transferred_bit_for_bit() {
        for square_sum in [0.0, -0.0, f32::MIN_POSITIVE / 2.0, f32::INFINITY, f32::NAN] {
            let (by_first, _) = exchanged(1, |_| GradientMessage { square_sum, kl_exceeded: true });
            assert_eq!(by_first[0].square_sum.to_bits(), square_sum.to_bits());
        }
    }

    #[test]
    #[should_panic(expected = "the other thread has panicked")]
    fn thread_does_not_wait_for_one_that_has_panicked() {
        exchanged(2, |round| if round == 1 { panic!("on purpose") } else { first(round) });
    }
}
