//! The weights as a list of named tensors, in the order, names and shapes of the `state_dict` of
//! stable-baselines3's `ActorCriticPolicy`.

use std::fmt::Display;

use crate::error::PpoError;
use crate::network::actor_critic::{ActorCritic, Net};
use crate::network::mlp::{Layer, Networks};

/// One tensor of the policy or of its optimizer, under stable-baselines3's name and shape.
#[derive(Debug, Clone, PartialEq)]
pub struct NamedTensor {
    /// Key in the policy's `state_dict`, such as `mlp_extractor.policy_net.0.weight`.
    pub name: String,
    /// `[outputs, inputs]` for a weight, `[outputs]` for a bias.
    pub shape: Vec<usize>,
    /// The elements in row-major order.
    pub values: Vec<f32>,
}

/// Copies two flat buffers, each in the layout of its network's weights, into named tensors.
pub(crate) fn export(networks: &Networks, flat: ActorCritic<&[f32]>) -> Vec<NamedTensor> {
    let mut tensors = Vec::new();
    for (name, net, layer) in named_layers(networks) {
        let flat = flat.get(net);
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

/// The inverse of [`export`]. Fails if a tensor's name, shape or number of values is not the one that
/// the networks require, or if a value is not finite.
pub(crate) fn import(
    networks: &Networks,
    tensors: &[NamedTensor],
    mut flat: ActorCritic<&mut [f32]>,
) -> Result<(), PpoError> {
    let layers = named_layers(networks);
    let n_expected = 2 * layers.len();
    if tensors.len() != n_expected {
        return Err(mismatch("the number of tensors", tensors.len(), n_expected));
    }
    for ((name, net, layer), pair) in layers.iter().zip(tensors.chunks_exact(2)) {
        let flat = flat.get_mut(*net);
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

/// All layers in the order of the `state_dict`: hidden layers of the actor, hidden layers of the
/// critic, then the two output layers.
fn named_layers(networks: &Networks) -> Vec<(String, Net, &Layer)> {
    let (mut named, mut heads) = (Vec::new(), Vec::new());
    for (net, hidden_name, head_name) in
        [(Net::Actor, "policy_net", "action_net"), (Net::Critic, "value_net", "value_net")]
    {
        let Some((head, hidden)) = networks.get(net).layers.split_last() else {
            continue;
        };
        for (layer_idx, layer) in hidden.iter().enumerate() {
            // In torch's `Sequential`, the odd indices are the activations.
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
