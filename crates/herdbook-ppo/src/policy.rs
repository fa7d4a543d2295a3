//! The policy: for an observation, how likely each action is to be taken, and what is to be
//! expected from there.

use std::fmt::Display;

use pulp::Arch;

use crate::both::{Both, Net};
use crate::config::{Activation, NetArch};
use crate::init;
use crate::math::buffer::Buffer;
use crate::math::{categorical, padded};
use crate::network::{Layer, Network, Outputs, Pass, Weights};
use crate::{PpoError, Rng};

/// An actor-critic: two separate perceptrons over the observation, one giving the logits of the
/// actions, the other the value.
#[derive(Debug, Clone)]
pub struct Policy {
    obs_len: usize,
    /// Numbers of choices; an action is one choice of each.
    action_dims: Vec<usize>,
    n_logits: usize,
    net_arch: NetArch,
    activation: Activation,
    pub(crate) network: Network,
    pub(crate) weights: Both<Weights>,
    pub(crate) arch: Arch,
}

/// One tensor of the policy or of its optimizer, under stable-baselines3's name and shape.
#[derive(Debug, Clone, PartialEq)]
pub struct NamedTensor {
    /// As in the `state_dict` of the policy.
    pub name: String,
    /// `[outputs, inputs]` of a weight, `[outputs]` of a bias.
    pub shape: Vec<usize>,
    /// Row by row.
    pub values: Vec<f32>,
}

/// What [`Policy::evaluate`] finds.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Evaluation {
    /// Natural logarithm of the action's probability.
    pub log_prob: f32,
    /// Expected discounted reward from the observation on.
    pub value: f32,
    /// Of the distribution over actions, in nats.
    pub entropy: f32,
}

/// Room for the intermediate results of one observation; make it once, use it for each.
#[derive(Debug, Clone)]
pub struct Scratch {
    pub(crate) pi: Outputs,
    pub(crate) vf: Outputs,
    pub(crate) probabilities: Buffer,
}

impl Scratch {
    pub(crate) fn new(network: &Network, n_actions: usize, rows: usize) -> Self {
        Self {
            pi: Outputs::new(&network.pi, rows),
            vf: Outputs::new(&network.vf, rows),
            probabilities: Buffer::zeroed(rows * padded(n_actions)),
        }
    }
}

impl Policy {
    /// A policy with fresh weights.
    pub(crate) fn new(
        obs_len: usize,
        n_actions: usize,
        net_arch: NetArch,
        activation: Activation,
        rng: &mut Rng,
    ) -> Result<Self, PpoError> {
        let network = Network::new(obs_len, n_actions, &net_arch, activation);
        network.check_size()?;
        let weights = init::orthogonal(&network, rng);
        Ok(Self {
            obs_len,
            action_dims: vec![n_actions],
            n_logits: n_actions,
            net_arch,
            activation,
            network,
            weights,
            arch: Arch::new(),
        })
    }

    /// The policy with these tensors, which must be those that [`Policy::tensors`] gives, in the
    /// same order. An action is one choice from each of `action_dims`.
    pub fn from_tensors(
        obs_len: usize,
        action_dims: &[usize],
        net_arch: NetArch,
        activation: Activation,
        tensors: &[NamedTensor],
    ) -> Result<Self, PpoError> {
        let n_logits = action_dims.iter().sum();
        let network = Network::new(obs_len, n_logits, &net_arch, activation);
        network.check_size()?;
        let mut weights = network.as_ref().map(Weights::zeroed);
        import(&network, tensors, weights.as_mut().map(|weights| &mut weights.flat[..]))?;
        weights.pi.transpose(&network.pi);
        weights.vf.transpose(&network.vf);
        Ok(Self {
            obs_len,
            action_dims: action_dims.to_vec(),
            n_logits,
            net_arch,
            activation,
            network,
            weights,
            arch: Arch::new(),
        })
    }

    /// Length of an observation.
    pub fn obs_len(&self) -> usize {
        self.obs_len
    }

    /// Number of actions, where an action is one choice: `Discrete` in Gymnasium. `None` where it is several at once.
    pub fn n_actions(&self) -> Option<usize> {
        match self.action_dims[..] {
            [n] => Some(n),
            _ => None,
        }
    }

    /// Number of options of each choice that makes up an action: `MultiDiscrete` in Gymnasium, where there are several.
    pub fn action_dims(&self) -> &[usize] {
        &self.action_dims
    }

    /// Numbers that the policy network gives, one for each option.
    pub(crate) fn n_logits(&self) -> usize {
        self.n_logits
    }

    /// Widths of the hidden layers.
    pub fn net_arch(&self) -> &NetArch {
        &self.net_arch
    }

    /// The nonlinearity after each hidden layer.
    pub fn activation(&self) -> Activation {
        self.activation
    }

    /// Room for the methods below.
    pub fn scratch(&self) -> Scratch {
        Scratch::new(&self.network, self.n_logits, 1)
    }

    /// The most likely option of each choice, the first of equals.
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

    /// Log-probability of an action of one choice or several, value and entropy. Choices are independent of each other.
    ///
    /// # Panics
    /// When there is no such action.
    pub fn evaluate_choices(
        &self,
        obs: &[f32],
        choices: &[usize],
        scratch: &mut Scratch,
    ) -> Evaluation {
        assert_eq!(choices.len(), self.action_dims.len(), "an action is one choice of each");
        let mut found = Evaluation { log_prob: 0.0, value: self.value(obs, scratch), entropy: 0.0 };
        let mut rest = self.logits(obs, scratch);
        for (&n, &choice) in self.action_dims.iter().zip(choices) {
            let (options, others) = rest.split_at(n);
            let (log_probs, probabilities) = categorical::of_logits(self.arch, options);
            found.log_prob += log_probs[choice];
            found.entropy += categorical::entropy(&log_probs, &probabilities);
            rest = others;
        }
        found
    }

    /// The unnormalised log-probability of each action.
    pub fn logits<'a>(&self, obs: &[f32], scratch: &'a mut Scratch) -> &'a [f32] {
        self.forward_pi(obs, 1, scratch);
        &scratch.pi.last(1)[..self.n_logits]
    }

    /// The probability of each action, where an action is one choice.
    pub fn probabilities<'a>(&self, obs: &[f32], scratch: &'a mut Scratch) -> &'a [f32] {
        self.distributions(obs, 1, scratch);
        &scratch.probabilities[..self.n_logits]
    }

    /// The most likely action, where an action is one choice; the first of equals.
    pub fn act_deterministic(&self, obs: &[f32], scratch: &mut Scratch) -> usize {
        categorical::argmax(self.logits(obs, scratch))
    }

    /// An action drawn with its probability, where an action is one choice.
    pub fn act(&self, obs: &[f32], rng: &mut Rng, scratch: &mut Scratch) -> usize {
        categorical::pick(self.probabilities(obs, scratch), rng.uniform_f32())
    }

    /// The expected discounted reward from the observation on.
    pub fn value(&self, obs: &[f32], scratch: &mut Scratch) -> f32 {
        self.forward_vf(obs, 1, scratch);
        scratch.vf.last(1)[0]
    }

    /// Log-probability of an action, value and entropy, where an action is one choice.
    ///
    /// # Panics
    /// When there is no such action.
    pub fn evaluate(&self, obs: &[f32], action: usize, scratch: &mut Scratch) -> Evaluation {
        let value = self.value(obs, scratch);
        self.distributions(obs, 1, scratch);
        let log_probs = &scratch.pi.last(1)[..self.n_logits];
        let entropy = categorical::entropy(log_probs, &scratch.probabilities[..self.n_logits]);
        Evaluation { log_prob: log_probs[action], value, entropy }
    }

    /// All weights and biases: hidden layers of the policy, of the value, then the two heads.
    pub fn tensors(&self) -> Vec<NamedTensor> {
        export(&self.network, self.weights.as_ref().map(|weights| &weights.flat[..]))
    }

    /// Computes logits of `rows` observations.
    pub(crate) fn forward_pi(&self, obs: &[f32], rows: usize, scratch: &mut Scratch) {
        let pass = Pass { arch: self.arch, weights: &self.weights.pi, obs, rows };
        self.network.pi.forward(pass, &mut scratch.pi);
    }

    /// Computes values of `rows` observations.
    pub(crate) fn forward_vf(&self, obs: &[f32], rows: usize, scratch: &mut Scratch) {
        let pass = Pass { arch: self.arch, weights: &self.weights.vf, obs, rows };
        self.network.vf.forward(pass, &mut scratch.vf);
    }

    /// Computes log-probabilities, in place of the logits, and probabilities of `rows` observations.
    pub(crate) fn distributions(&self, obs: &[f32], rows: usize, scratch: &mut Scratch) {
        self.forward_pi(obs, rows, scratch);
        let log_probs = scratch.pi.last(rows);
        let probabilities = &mut scratch.probabilities[..log_probs.len()];
        categorical::log_softmax(self.arch, self.n_logits, log_probs, probabilities);
    }
}

/// The numbers of two flat buffers as stable-baselines3 orders and names them.
pub(crate) fn export(network: &Network, flat: Both<&[f32]>) -> Vec<NamedTensor> {
    let mut tensors = Vec::new();
    for (name, net, layer) in named_layers(network) {
        let flat = flat.of(net);
        let (weights, width) = (&flat[layer.weights()], layer.width());
        let column = |output: usize| weights[output..].iter().step_by(width).copied();
        let values = (0..layer.outputs).flat_map(column).collect();
        let shape = vec![layer.outputs, layer.inputs];
        tensors.push(NamedTensor { name: format!("{name}.weight"), shape, values });
        let values = flat[layer.bias()][..layer.outputs].to_vec();
        let shape = vec![layer.outputs];
        tensors.push(NamedTensor { name: format!("{name}.bias"), shape, values });
    }
    tensors
}

/// The inverse of [`export`]; every tensor is checked against the network.
pub(crate) fn import(
    network: &Network,
    tensors: &[NamedTensor],
    mut flat: Both<&mut [f32]>,
) -> Result<(), PpoError> {
    let layers = named_layers(network);
    let n_expected = 2 * layers.len();
    if tensors.len() != n_expected {
        return Err(mismatch("the number of tensors", tensors.len(), n_expected));
    }
    for ((name, net, layer), pair) in layers.iter().zip(tensors.chunks_exact(2)) {
        let flat = flat.of_mut(*net);
        check_tensor(&pair[0], format!("{name}.weight"), &[layer.outputs, layer.inputs])?;
        check_tensor(&pair[1], format!("{name}.bias"), &[layer.outputs])?;
        let (weights, width) = (&mut flat[layer.weights()], layer.width());
        for (output, row) in pair[0].values.chunks_exact(layer.inputs).enumerate() {
            for (input, value) in row.iter().enumerate() {
                weights[input * width + output] = *value;
            }
        }
        flat[layer.bias()][..layer.outputs].copy_from_slice(&pair[1].values);
    }
    Ok(())
}

/// All layers in the order of the file: hidden ones of the policy, of the value, then the two heads.
fn named_layers(network: &Network) -> Vec<(String, Net, &Layer)> {
    let (mut named, mut heads) = (Vec::new(), Vec::new());
    for (net, hidden_name, head_name) in
        [(Net::Pi, "policy_net", "action_net"), (Net::Vf, "value_net", "value_net")]
    {
        let Some((head, hidden)) = network.of(net).layers.split_last() else {
            continue;
        };
        for (layer_idx, layer) in hidden.iter().enumerate() {
            // Odd places are the activations.
            named.push((format!("mlp_extractor.{hidden_name}.{}", 2 * layer_idx), net, layer));
        }
        heads.push((head_name.to_owned(), net, head));
    }
    named.extend(heads);
    named
}

fn check_tensor(tensor: &NamedTensor, name: String, shape: &[usize]) -> Result<(), PpoError> {
    if tensor.name != name {
        return Err(mismatch("a tensor", format!("`{}`", tensor.name), format!("`{name}`")));
    }
    if tensor.shape != shape || tensor.values.len() != shape.iter().product::<usize>() {
        let found = format!("{:?} with {} values", tensor.shape, tensor.values.len());
        return Err(mismatch("the shape of a tensor", found, format!("`{name}` {shape:?}")));
    }
    if tensor.values.iter().any(|value| !value.is_finite()) {
        return Err(PpoError::NotFinite { tensor: name });
    }
    Ok(())
}

fn mismatch(what: &'static str, found: impl Display, expected: impl Display) -> PpoError {
    PpoError::Mismatch {
        what,
        found: found.to_string(),
        expected_by: "the network",
        expected: expected.to_string(),
    }
}
