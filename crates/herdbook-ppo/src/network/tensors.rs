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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{Activation, NetArch};
    use crate::math::buffer::Buffer;

    fn networks() -> Networks {
        let net_arch = NetArch { pi: vec![5], vf: vec![5, 4] };
        Networks::new(5, 3, &net_arch, Activation::Tanh)
    }

    fn numbered_tensors(networks: &Networks) -> Vec<NamedTensor> {
        let mut tensors =
            export(networks, networks.as_ref().map(|mlp| Buffer::zeroed(mlp.len)).as_slices());
        let mut next = 0.0;
        for value in tensors.iter_mut().flat_map(|tensor| &mut tensor.values) {
            next += 1.0;
            *value = next;
        }
        tensors
    }

    fn import_error(change: impl FnOnce(&mut Vec<NamedTensor>)) -> String {
        let networks = networks();
        let mut tensors = numbered_tensors(&networks);
        change(&mut tensors);
        let mut flat = networks.as_ref().map(|mlp| Buffer::zeroed(mlp.len));
        import(&networks, &tensors, flat.as_mut().map(|flat| &mut flat[..]))
            .unwrap_err()
            .to_string()
    }

    impl ActorCritic<Buffer> {
        fn as_slices(&self) -> ActorCritic<&[f32]> {
            self.as_ref().map(|flat| &flat[..])
        }
    }

    #[test]
    fn imported_tensors_are_exported_unchanged() {
        let networks = networks();
        let tensors = numbered_tensors(&networks);
        let mut flat = networks.as_ref().map(|mlp| Buffer::zeroed(mlp.len));
        import(&networks, &tensors, flat.as_mut().map(|flat| &mut flat[..])).unwrap();
        assert_eq!(export(&networks, flat.as_slices()), tensors);
    }

    #[test]
    fn tensors_have_the_order_and_names_of_the_state_dict() {
        let tensors = numbered_tensors(&networks());
        let names: Vec<&str> = tensors.iter().map(|tensor| tensor.name.as_str()).collect();
        let expected = [
            "mlp_extractor.policy_net.0.weight",
            "mlp_extractor.policy_net.0.bias",
            "mlp_extractor.value_net.0.weight",
            "mlp_extractor.value_net.0.bias",
            "mlp_extractor.value_net.2.weight",
            "mlp_extractor.value_net.2.bias",
            "action_net.weight",
            "action_net.bias",
            "value_net.weight",
            "value_net.bias",
        ];
        assert_eq!(names, expected);
    }

    #[test]
    fn tensors_of_equal_shape_in_another_order_are_refused() {
        // Both first layers are 5 × 5, so only the names tell actor from critic.
        let message = import_error(|tensors| tensors.swap(0, 2));
        assert!(message.starts_with("a tensor is `mlp_extractor.value_net.0.weight`"), "{message}");
    }

    #[test]
    fn transposed_weight_is_refused() {
        let message = import_error(|tensors| tensors[4].shape.reverse());
        assert!(message.contains("[5, 4] with 20 values"), "{message}");
    }
}
