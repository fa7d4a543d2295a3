//! The update of PPO (arXiv:1707.06347, algorithm 1; `PPO.train` in `ppo/ppo.py` of
//! stable-baselines3): several epochs of minibatch gradient steps over one rollout.
//!
//! Actor and critic share no weights. They depend on each other in two places only: the gradient is
//! clipped by the norm of both gradients together, and `target_kl` stops both. One thread can
//! therefore update both networks in turn, or two threads one network each, which exchange those two
//! facts once per minibatch. The result is the same, bit for bit.

use std::ops::ControlFlow;
use std::slice;
use std::thread;

use crate::adam::{Adam, AdamConstants, clip_scale};
use crate::config::PpoConfig;
use crate::network::actor_critic::ActorCritic;
use crate::network::policy::Policy;
use crate::rng::Rng;
use crate::rollout::buffer::RolloutBuffer;
use crate::update::exchange::{Endpoint, GradientExchange, GradientMessage};
use crate::update::learner::{Learner, Workspace, learners};
use crate::update::loss::{Losses, Objective};
use crate::update::minibatch::Minibatch;
use crate::update::statistics::{StatisticsAccumulator, UpdateStatistics};

/// Epochs stop once `approx_kl` exceeds `target_kl` by this factor (`PPO.train` of
/// stable-baselines3).
const TARGET_KL_FACTOR: f64 = 1.5;

/// The buffers of the update, allocated once per training.
#[derive(Debug)]
pub(crate) struct Updater {
    workspaces: ActorCritic<Workspace>,
    /// One element per thread.
    minibatches: [Minibatch; 2],
}

/// The inputs of an update, which it does not change.
#[derive(Clone, Copy)]
struct Update<'a> {
    rollout: &'a RolloutBuffer,
    config: &'a PpoConfig,
    adam: AdamConstants,
    /// Adam's steps before this update.
    adam_step: u64,
}

impl Updater {
    pub(crate) fn new(policy: &Policy, config: &PpoConfig) -> Self {
        let minibatches = std::array::from_fn(|_| Minibatch::new(policy, config));
        Self { workspaces: Workspace::for_policy(policy), minibatches }
    }

    /// Fits actor and critic to one rollout. Uses at most two threads, one per network.
    pub(crate) fn update(
        &mut self,
        policy: &mut Policy,
        adam: &mut Adam,
        rollout: &RolloutBuffer,
        config: &PpoConfig,
        rng: &mut Rng,
        n_threads: usize,
    ) -> UpdateStatistics {
        let objective = Objective::new(config);
        let update = Update { rollout, config, adam: adam.constants, adam_step: adam.step };
        let mut learners = learners(policy, adam, objective, &mut self.workspaces);
        let statistics = match n_threads {
            1 => update.epochs(&mut learners, &mut self.minibatches[0], rng, None),
            _ => update.epochs_on_two_threads(learners, &mut self.minibatches, rng),
        };
        adam.step += u64::from(statistics.n_steps);
        statistics.finish(&objective)
    }
}

impl Update<'_> {
    /// All epochs over the rollout, each in a new random order of its rows. `learners` are both
    /// networks, or one of them with an endpoint to the thread that trains the other.
    fn epochs(
        self,
        learners: &mut [Learner<'_>],
        minibatch: &mut Minibatch,
        rng: &mut Rng,
        mut peer: Option<Endpoint<'_>>,
    ) -> StatisticsAccumulator {
        let mut statistics = StatisticsAccumulator::default();
        // Starts from the same order in every update: a checkpoint then needs to store only `rng`.
        let mut rows: Vec<u32> = (0..self.rollout.len() as u32).collect();
        for _ in 0..self.config.n_epochs {
            rng.shuffle(&mut rows);
            let flow = self.epoch(learners, minibatch, &rows, peer.as_mut(), &mut statistics);
            if flow.is_break() {
                break;
            }
        }
        statistics
    }

    /// One epoch: for each minibatch the loss and its gradient, the KL stop, gradient clipping and a
    /// step of Adam. Breaks at the KL stop.
    fn epoch(
        self,
        learners: &mut [Learner<'_>],
        minibatch: &mut Minibatch,
        rows: &[u32],
        mut peer: Option<&mut Endpoint<'_>>,
        statistics: &mut StatisticsAccumulator,
    ) -> ControlFlow<()> {
        let config = self.config;
        statistics.start_epoch();
        for rows in rows.chunks(config.batch_size) {
            let losses = self.backward(learners, minibatch, rows);
            statistics.add(&losses);

            let mut kl_exceeded =
                config.target_kl.is_some_and(|target| losses.approx_kl > TARGET_KL_FACTOR * target);
            let mut square_sum: f64 =
                learners.iter().map(|learner| f64::from(learner.gradient_square_sum())).sum();
            if let Some(peer) = &mut peer {
                // A single learner's sum is an `f32`, so this cast is exact.
                let own = GradientMessage { square_sum: square_sum as f32, kl_exceeded };
                let other = peer.exchange(own);
                square_sum += f64::from(other.square_sum);
                kl_exceeded |= other.kl_exceeded;
            }
            if kl_exceeded {
                return ControlFlow::Break(());
            }

            let scale = clip_scale(square_sum, config.max_grad_norm);
            statistics.n_steps += 1;
            let step = self.adam_step + u64::from(statistics.n_steps);
            let adam_step = self.adam.step(step, config.learning_rate);
            for learner in &mut *learners {
                learner.adam_step(scale, adam_step);
            }
        }
        ControlFlow::Continue(())
    }

    /// Forward pass, loss and backward pass of one minibatch. Each learner keeps its gradient.
    fn backward(
        self,
        learners: &mut [Learner<'_>],
        minibatch: &mut Minibatch,
        rows: &[u32],
    ) -> Losses {
        let mut losses = Losses::default();
        minibatch.for_each_shard(self.rollout, rows, self.config, |shard| {
            for learner in &mut *learners {
                losses += learner.accumulate_gradient(shard);
            }
        });
        losses
    }

    /// All epochs with the critic on a second thread. Both threads shuffle with the same random
    /// numbers, so they see the same minibatches.
    fn epochs_on_two_threads(
        self,
        learners: [Learner<'_>; 2],
        minibatches: &mut [Minibatch; 2],
        rng: &mut Rng,
    ) -> StatisticsAccumulator {
        let [mut actor, mut critic] = learners;
        let [actor_minibatch, critic_minibatch] = minibatches;
        let (exchange, mut critic_rng) = (GradientExchange::default(), rng.clone());
        let actor_thread = thread::current();
        thread::scope(|scope| {
            let exchange = &exchange;
            let critic_worker = scope.spawn(move || {
                let peer = Some(exchange.endpoint(1, actor_thread));
                let learner = slice::from_mut(&mut critic);
                self.epochs(learner, critic_minibatch, &mut critic_rng, peer)
            });
            let peer = Some(exchange.endpoint(0, critic_worker.thread().clone()));
            let mut statistics =
                self.epochs(slice::from_mut(&mut actor), actor_minibatch, rng, peer);
            let critic_statistics =
                critic_worker.join().expect("a panic of the critic's thread has ended this one");
            statistics.merge(&critic_statistics);
            statistics
        })
    }
}

#[cfg(test)]
impl Updater {
    /// The losses of some rows and the gradients of both networks.
    pub(crate) fn gradients(
        &mut self,
        policy: &Policy,
        rollout: &RolloutBuffer,
        config: &PpoConfig,
        rows: &[u32],
    ) -> (Losses, ActorCritic<Vec<f32>>) {
        let (mut policy, mut adam) = (policy.clone(), Adam::new(&policy.networks));
        let update = Update { rollout, config, adam: adam.constants, adam_step: 0 };
        let objective = Objective::new(config);
        let mut learners = learners(&mut policy, &mut adam, objective, &mut self.workspaces);
        let losses = update.backward(&mut learners, &mut self.minibatches[0], rows);
        let [actor, critic] = learners.map(|learner| learner.gradient().to_vec());
        (losses, ActorCritic { actor, critic })
    }

    /// One epoch with the rows in the given order.
    pub(crate) fn one_epoch(
        &mut self,
        policy: &mut Policy,
        adam: &mut Adam,
        rollout: &RolloutBuffer,
        config: &PpoConfig,
        rows: &[u32],
    ) -> UpdateStatistics {
        let update = Update { rollout, config, adam: adam.constants, adam_step: adam.step };
        let objective = Objective::new(config);
        let mut learners = learners(policy, adam, objective, &mut self.workspaces);
        let mut statistics = StatisticsAccumulator::default();
        let minibatch = &mut self.minibatches[0];
        let _ = update.epoch(&mut learners, minibatch, rows, None, &mut statistics);
        statistics.finish(&objective)
    }
}
