//! The update of PPO (arXiv:1707.06347, algorithm 1), minibatch by minibatch.
//!
//! The two networks share nothing but the rows of the minibatch and the length that both gradients together are cut
//! to. So the update has two sides, which one thread works on in turn, or two at once: they meet once a minibatch and
//! tell each other how long their gradients are. What comes out is the same, bit for bit.

use std::ops::ControlFlow;
use std::slice;
use std::thread;

use crate::adam::{AdamConstants, clip_scale};
use crate::both::Both;
use crate::loss::{Losses, Objective};
use crate::meeting::{Guest, Meeting, Word};
use crate::side::{Batch, Side, SideBuffers, Task};
use crate::{Adam, Policy, PpoConfig, Rng};

/// The approximate divergence may exceed `target_kl` by this factor (stable-baselines3's `PPO.train`).
const TARGET_KL_SLACK: f64 = 1.5;

/// Buffers of the update, made once.
#[derive(Debug)]
pub(crate) struct Updater {
    buffers: Both<SideBuffers>,
    /// One for each thread.
    batches: [Batch; 2],
}

/// What all epochs of one rollout came to.
#[derive(Debug, Default)]
pub(crate) struct UpdateStats {
    /// Means over all minibatches; `approx_kl` over those of the last epoch.
    pub(crate) losses: Losses,
    /// Of the last minibatch.
    pub(crate) loss: f64,
    /// Epochs begun.
    pub(crate) n_epochs: u32,
}

impl Updater {
    pub(crate) fn new(policy: &Policy, config: &PpoConfig) -> Self {
        let batches = std::array::from_fn(|_| Batch::new(policy, config));
        Self { buffers: SideBuffers::of(policy), batches }
    }

    /// Fits the policy to one rollout; more than two threads have nothing to do.
    pub(crate) fn update(
        &mut self,
        policy: &mut Policy,
        adam: &mut Adam,
        task: &Task<'_>,
        rng: &mut Rng,
        n_threads: usize,
    ) -> UpdateStats {
        let course = Course { task, constants: adam.constants, step: adam.step };
        let mut sides = Side::of(policy, adam, &mut self.buffers);
        let tally = match n_threads {
            1 => course.run(&mut sides, &mut self.batches[0], rng, |own| own),
            _ => course.run_paired(sides, &mut self.batches, rng),
        };
        adam.step += u64::from(tally.n_steps);
        tally.finish(&task.objective)
    }
}

/// The epochs over one rollout, as every thread goes through them.
#[derive(Clone, Copy)]
struct Course<'a> {
    task: &'a Task<'a>,
    constants: AdamConstants,
    /// Adam's steps before it.
    step: u64,
}

impl Course<'_> {
    /// Each side on a thread of its own. Both draw the same order of rows.
    fn run_paired(self, sides: [Side<'_>; 2], batches: &mut [Batch; 2], rng: &mut Rng) -> Tally {
        let ([mut pi, mut vf], [batch_of_pi, batch_of_vf]) = (sides, batches);
        let (meeting, host, mut rng_of_vf) = (Meeting::default(), thread::current(), rng.clone());
        thread::scope(|scope| {
            let meeting = &meeting;
            let of_vf = scope.spawn(move || {
                let mut guest = meeting.guest(1, host);
                let side = slice::from_mut(&mut vf);
                self.run(side, batch_of_vf, &mut rng_of_vf, |own| own.join(&mut guest))
            });
            let mut guest = meeting.guest(0, of_vf.thread().clone());
            let side = slice::from_mut(&mut pi);
            let of_pi = self.run(side, batch_of_pi, rng, |own| own.join(&mut guest));
            of_pi.beside(&of_vf.join().expect("a thread that panics ends the one it meets"))
        })
    }

    /// Works on some of the sides; `meet` adds what the others have to say.
    fn run(
        self,
        sides: &mut [Side<'_>],
        batch: &mut Batch,
        rng: &mut Rng,
        mut meet: impl FnMut(Finding) -> Finding,
    ) -> Tally {
        let mut tally = Tally::default();
        // Anew for each rollout: between two iterations, the generator is all the randomness there is.
        let mut order: Vec<u32> = (0..self.task.rollout.len() as u32).collect();
        for _ in 0..self.task.config.n_epochs {
            rng.shuffle(&mut order);
            if self.epoch(sides, batch, &order, &mut meet, &mut tally).is_break() {
                break;
            }
        }
        tally
    }

    /// One pass over the rows of a rollout in the order given; breaks off where the policy has moved too far.
    fn epoch(
        self,
        sides: &mut [Side<'_>],
        batch: &mut Batch,
        order: &[u32],
        meet: &mut impl FnMut(Finding) -> Finding,
        tally: &mut Tally,
    ) -> ControlFlow<()> {
        let Task { arch, config, .. } = *self.task;
        tally.start_epoch();
        for minibatch in order.chunks(config.batch_size) {
            let losses = self.differentiate(sides, batch, minibatch);
            tally.add(&losses);
            let is_too_far = |target| losses.approx_kl > TARGET_KL_SLACK * target;
            let all = meet(Finding {
                square_sum: sides.iter().map(|side| f64::from(side.square_sum(arch))).sum(),
                is_too_far: config.target_kl.is_some_and(is_too_far),
            });
            if all.is_too_far {
                return ControlFlow::Break(());
            }
            tally.n_steps += 1;
            let scale = clip_scale(all.square_sum, config.max_grad_norm);
            let step = self.step + u64::from(tally.n_steps);
            let step = self.constants.step(step, config.learning_rate);
            for side in &mut *sides {
                side.step(arch, scale, step);
            }
        }
        ControlFlow::Continue(())
    }

    /// Computes the losses of a minibatch; each side keeps their gradient.
    fn differentiate(self, sides: &mut [Side<'_>], batch: &mut Batch, minibatch: &[u32]) -> Losses {
        let mut losses = Losses::default();
        batch.for_each_shard(self.task, minibatch, |shard| {
            for side in &mut *sides {
                losses += side.differentiate(self.task, shard);
            }
        });
        losses
    }
}

/// What a thread finds in a minibatch that concerns both sides.
#[derive(Debug, Clone, Copy)]
struct Finding {
    /// Of the gradient's components.
    square_sum: f64,
    /// The policy has moved further than `target_kl` allows.
    is_too_far: bool,
}

impl Finding {
    /// Joins the finding of one side with the other's.
    fn join(self, guest: &mut Guest<'_>) -> Self {
        // The sum of one side has 32 bits, so nothing is lost.
        let word = Word { number: self.square_sum as f32, flag: self.is_too_far };
        let other = guest.exchange(word);
        Self {
            square_sum: self.square_sum + f64::from(other.number),
            is_too_far: self.is_too_far || other.flag,
        }
    }
}

/// Running sums of the losses.
#[derive(Debug, Default)]
struct Tally {
    sum: Losses,
    /// Of the last minibatch.
    last: Losses,
    epoch_kl: f64,
    epoch_minibatches: u32,
    n_minibatches: u32,
    n_epochs: u32,
    /// Minibatches that were followed by a step.
    n_steps: u32,
}

impl Tally {
    fn start_epoch(&mut self) {
        (self.epoch_kl, self.epoch_minibatches) = (0.0, 0);
        self.n_epochs += 1;
    }

    fn add(&mut self, losses: &Losses) {
        self.sum += *losses;
        self.last = *losses;
        self.epoch_kl += losses.approx_kl;
        self.epoch_minibatches += 1;
        self.n_minibatches += 1;
    }

    /// This side's losses with those of the other side, which went through the same minibatches.
    fn beside(mut self, other: &Self) -> Self {
        self.sum += other.sum;
        self.last += other.last;
        self.epoch_kl += other.epoch_kl;
        self
    }

    fn finish(self, objective: &Objective) -> UpdateStats {
        let mean = |sum: f64| sum / f64::from(self.n_minibatches);
        let losses = Losses {
            policy: mean(self.sum.policy),
            value: mean(self.sum.value),
            entropy: mean(self.sum.entropy),
            approx_kl: self.epoch_kl / f64::from(self.epoch_minibatches),
            clip_fraction: mean(self.sum.clip_fraction),
        };
        UpdateStats { losses, loss: objective.total(&self.last), n_epochs: self.n_epochs }
    }
}

#[cfg(test)]
impl Updater {
    /// The losses of some rows and their gradient.
    pub(crate) fn differentiate(
        &mut self,
        policy: &Policy,
        task: &Task<'_>,
        rows: &[u32],
    ) -> (Losses, Both<Vec<f32>>) {
        let (mut policy, mut adam) = (policy.clone(), Adam::new(&policy.network));
        let course = Course { task, constants: adam.constants, step: 0 };
        let mut sides = Side::of(&mut policy, &mut adam, &mut self.buffers);
        let losses = course.differentiate(&mut sides, &mut self.batches[0], rows);
        let [pi, vf] = sides.map(|side| side.gradient().to_vec());
        (losses, Both { pi, vf })
    }

    /// One epoch in the order given.
    pub(crate) fn one_epoch(
        &mut self,
        policy: &mut Policy,
        adam: &mut Adam,
        task: &Task<'_>,
        order: &[u32],
    ) -> UpdateStats {
        let course = Course { task, constants: adam.constants, step: adam.step };
        let (mut tally, mut sides) = (Tally::default(), Side::of(policy, adam, &mut self.buffers));
        let _ = course.epoch(&mut sides, &mut self.batches[0], order, &mut |own| own, &mut tally);
        tally.finish(&task.objective)
    }
}
