//! The policy: the distribution over actions, and the value, of an observation.

use pulp::Arch;

use crate::config::{Activation, NetArch};
use crate::error::PpoError;
use crate::math::buffer::Buffer;
use crate::math::{categorical, padded};
use crate::network::actor_critic::ActorCritic;
use crate::network::init;
use crate::network::mlp::{LayerOutputs, Networks, Pass, Weights};
use crate::network::tensors::{NamedTensor, export, import};
use crate::rng::Rng;

/// An actor-critic with two separate perceptrons over the observation: the actor gives the logits of
/// the actions, the critic the value.
///
/// An action is one choice (`Discrete` in Gymnasium), or several independent ones at once
/// (`MultiDiscrete`). Observations are slices of [`Policy::obs_len`] numbers; all methods panic on a
/// shorter one.
///
/// ```
/// use herdbook_ppo::{Env, EpisodeEnd, PpoConfig, Rng, Step, Trainer};
/// # struct Coin;
/// # impl Env for Coin {
/// #     fn obs_len(&self) -> usize { 2 }
/// #     fn n_actions(&self) -> usize { 3 }
/// #     fn reset(&mut self, _rng: &mut Rng, obs: &mut [f32]) { obs.fill(0.0); }
/// #     fn step(&mut self, _action: usize, _obs: &mut [f32]) -> Step {
/// #         Step { reward: 0.0, end: EpisodeEnd::Terminated }
/// #     }
/// # }
/// # let trainer = Trainer::new(PpoConfig::default(), vec![Coin], 1)?;
/// let policy = trainer.policy();
/// let mut scratch = policy.scratch();
/// let obs = [0.5, -1.0];
/// let sum: f32 = policy.probabilities(&obs, &mut scratch).iter().sum();
/// assert!((sum - 1.0).abs() < 1e-6);
/// let action = policy.act_deterministic(&obs, &mut scratch);
/// let evaluation = policy.evaluate(&obs, action, &mut scratch);
/// assert!(evaluation.log_prob >= (1.0_f32 / 3.0).ln());
/// # Ok::<(), herdbook_ppo::PpoError>(())
/// ```
#[derive(Debug, Clone)]
pub struct Policy {
    obs_len: usize,
    /// Number of options of each choice.
    action_dims: Vec<usize>,
    n_logits: usize,
    net_arch: NetArch,
    activation: Activation,
    pub(crate) networks: Networks,
    pub(crate) weights: ActorCritic<Weights>,
    pub(crate) arch: Arch,
}

/// An action as the policy sees it: the result of [`Policy::evaluate`].
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Evaluation {
    /// Natural logarithm of the action's probability.
    pub log_prob: f32,
    /// The critic's estimate of the return, the discounted sum of rewards from the observation on.
    pub value: f32,
    /// Entropy of the distribution over actions, in nats.
    pub entropy: f32,
}

/// Buffers for the intermediate results of a policy, so that acting does not allocate. Make one with
/// [`Policy::scratch`] and reuse it for every observation.
#[derive(Debug, Clone)]
pub struct Scratch {
    pub(crate) actor: LayerOutputs,
    pub(crate) critic: LayerOutputs,
    pub(crate) probabilities: Buffer,
}

impl Scratch {
    /// Buffers for up to `rows` observations at once.
    pub(crate) fn new(networks: &Networks, n_logits: usize, rows: usize) -> Self {
        Self {
            actor: LayerOutputs::new(&networks.actor, rows),
            critic: LayerOutputs::new(&networks.critic, rows),
            probabilities: Buffer::zeroed(rows * padded(n_logits)),
        }
    }
}

impl Policy {
    /// A policy with random initial weights.
    pub(crate) fn new(
        obs_len: usize,
        n_actions: usize,
        net_arch: NetArch,
        activation: Activation,
        rng: &mut Rng,
    ) -> Result<Self, PpoError> {
        let networks = Networks::new(obs_len, n_actions, &net_arch, activation);
        networks.check_size()?;
        let weights = init::orthogonal(&networks, rng);
        Ok(Self {
            obs_len,
            action_dims: vec![n_actions],
            n_logits: n_actions,
            net_arch,
            activation,
            networks,
            weights,
            arch: Arch::new(),
        })
    }

    /// The policy with the given weights. `tensors` has the names, shapes and order of
    /// [`Policy::tensors`]; `action_dims` is the number of options of each choice.
    ///
    /// # Errors
    /// [`PpoError::Config`] if the networks have more than 2^24 weights, [`PpoError::Mismatch`] if a
    /// tensor does not fit them, [`PpoError::NotFinite`] if a weight is infinite or NaN.
    pub fn from_tensors(
        obs_len: usize,
        action_dims: &[usize],
        net_arch: NetArch,
        activation: Activation,
        tensors: &[NamedTensor],
    ) -> Result<Self, PpoError> {
        let n_logits = action_dims.iter().sum();
        let networks = Networks::new(obs_len, n_logits, &net_arch, activation);
        networks.check_size()?;
        let mut weights = networks.as_ref().map(Weights::zeroed);
        import(&networks, tensors, weights.as_mut().map(|weights| &mut weights.flat[..]))?;
        weights.actor.transpose(&networks.actor);
        weights.critic.transpose(&networks.critic);
        Ok(Self {
            obs_len,
            action_dims: action_dims.to_vec(),
            n_logits,
            net_arch,
            activation,
            networks,
            weights,
            arch: Arch::new(),
        })
    }

    /// Length of an observation.
    pub fn obs_len(&self) -> usize {
        self.obs_len
    }

    /// Number of actions if an action is one choice (`Discrete`), `None` if it is several at once
    /// (`MultiDiscrete`).
    pub fn n_actions(&self) -> Option<usize> {
        match self.action_dims[..] {
            [n] => Some(n),
            _ => None,
        }
    }

    /// Number of options of each choice of an action: one number for `Discrete`, several for
    /// `MultiDiscrete`.
    pub fn action_dims(&self) -> &[usize] {
        &self.action_dims
    }

    /// Number of outputs of the actor: one per option of each choice.
    pub(crate) fn n_logits(&self) -> usize {
        self.n_logits
    }

    /// Widths of the hidden layers of both networks.
    pub fn net_arch(&self) -> &NetArch {
        &self.net_arch
    }

    /// The nonlinearity after each hidden layer.
    pub fn activation(&self) -> Activation {
        self.activation
    }

    /// Buffers for the methods below, for one observation at a time.
    pub fn scratch(&self) -> Scratch {
        Scratch::new(&self.networks, self.n_logits, 1)
    }

    /// The most likely option of each choice; the first one if several are equally likely.
    pub fn choose(&self, obs: &[f32], scratch: &mut Scratch) -> Vec<usize> {
        let mut rest = self.logits(obs, scratch);
        let mut choices = Vec::with_capacity(self.action_dims.len());
        for &n in &self.action_dims {
            let (options, others) = rest.split_at(n);
            choices.push(categorical::argmax(options));
            rest = others;
        }
        choices
    }

    /// Like [`Policy::evaluate`], for an action of several choices. They are independent, so their
    /// log-probabilities and entropies add up.
    ///
    /// # Panics
    /// If `choices` does not have one option for each choice, or an option is out of range.
    pub fn evaluate_choices(
        &self,
        obs: &[f32],
        choices: &[usize],
        scratch: &mut Scratch,
    ) -> Evaluation {
        assert_eq!(
            choices.len(),
            self.action_dims.len(),
            "an action has one option for each choice"
        );
        let mut result =
            Evaluation { log_prob: 0.0, value: self.value(obs, scratch), entropy: 0.0 };
        let mut rest = self.logits(obs, scratch);
        for (&n, &choice) in self.action_dims.iter().zip(choices) {
            let (options, others) = rest.split_at(n);
            let (log_probs, probabilities) = categorical::of_logits(self.arch, options);
            result.log_prob += log_probs[choice];
            result.entropy += categorical::entropy(&log_probs, &probabilities);
            rest = others;
        }
        result
    }

    /// The unnormalized log-probability of each option, all choices one after the other.
    pub fn logits<'a>(&self, obs: &[f32], scratch: &'a mut Scratch) -> &'a [f32] {
        self.forward_actor(obs, 1, scratch);
        &scratch.actor.last_layer(1)[..self.n_logits]
    }

    /// The probability of each action. For policies with one choice only.
    pub fn probabilities<'a>(&self, obs: &[f32], scratch: &'a mut Scratch) -> &'a [f32] {
        self.distributions(obs, 1, scratch);
        &scratch.probabilities[..self.n_logits]
    }

    /// The most likely action; the first one if several are equally likely. For policies with one
    /// choice only; see [`Policy::choose`] for several.
    pub fn act_deterministic(&self, obs: &[f32], scratch: &mut Scratch) -> usize {
        categorical::argmax(self.logits(obs, scratch))
    }

    /// An action drawn at random according to [`Policy::probabilities`]. For policies with one choice
    /// only.
    pub fn act(&self, obs: &[f32], rng: &mut Rng, scratch: &mut Scratch) -> usize {
        categorical::draw(self.probabilities(obs, scratch), rng.uniform_f32())
    }

    /// The critic's estimate of the return from the observation on.
    pub fn value(&self, obs: &[f32], scratch: &mut Scratch) -> f32 {
        self.forward_critic(obs, 1, scratch);
        scratch.critic.last_layer(1)[0]
    }

    /// The log-probability of `action`, and the value and entropy of the observation. For policies
    /// with one choice only; see [`Policy::evaluate_choices`] for several.
    ///
    /// # Panics
    /// If `action` is out of range.
    pub fn evaluate(&self, obs: &[f32], action: usize, scratch: &mut Scratch) -> Evaluation {
        let value = self.value(obs, scratch);
        self.distributions(obs, 1, scratch);
        let log_probs = &scratch.actor.last_layer(1)[..self.n_logits];
        let entropy = categorical::entropy(log_probs, &scratch.probabilities[..self.n_logits]);
        Evaluation { log_prob: log_probs[action], value, entropy }
    }

    /// All weights and biases: hidden layers of the actor, hidden layers of the critic, then the two
    /// output layers, as in the `state_dict` of stable-baselines3.
    pub fn tensors(&self) -> Vec<NamedTensor> {
        export(&self.networks, self.weights.as_ref().map(|weights| &weights.flat[..]))
    }

    /// Computes the logits of `rows` observations into `scratch.actor`.
    pub(crate) fn forward_actor(&self, obs: &[f32], rows: usize, scratch: &mut Scratch) {
        let pass = Pass { arch: self.arch, weights: &self.weights.actor, obs, rows };
        self.networks.actor.forward(pass, &mut scratch.actor);
    }

    /// Computes the values of `rows` observations into `scratch.critic`.
    pub(crate) fn forward_critic(&self, obs: &[f32], rows: usize, scratch: &mut Scratch) {
        let pass = Pass { arch: self.arch, weights: &self.weights.critic, obs, rows };
        self.networks.critic.forward(pass, &mut scratch.critic);
    }

    /// Computes the log-probabilities of `rows` observations into the last layer of `scratch.actor`,
    /// and the probabilities into `scratch.probabilities`. For policies with one choice only.
    pub(crate) fn distributions(&self, obs: &[f32], rows: usize, scratch: &mut Scratch) {
        self.forward_actor(obs, rows, scratch);
        let log_probs = scratch.actor.last_layer(rows);
        let probabilities = &mut scratch.probabilities[..log_probs.len()];
        categorical::log_softmax(self.arch, self.n_logits, log_probs, probabilities);
    }
}
