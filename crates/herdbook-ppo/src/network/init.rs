//! Initial weights: orthogonal matrices (Saxe et al., arXiv:1312.6120) and zero biases, with the
//! gains of stable-baselines3 (`ActorCriticPolicy` in `common/policies.py`, `ortho_init=True`).

use crate::network::actor_critic::ActorCritic;
use crate::network::mlp::{Layer, Mlp, Networks, Weights};
use crate::rng::Rng;

/// Gain of every hidden layer, whether tanh or relu follows.
const HIDDEN_GAIN: f64 = std::f64::consts::SQRT_2;
/// Gain of the actor's last layer: small, so that all actions start out about equally likely.
const ACTION_GAIN: f64 = 0.01;
/// Gain of the critic's last layer.
const VALUE_GAIN: f64 = 1.0;

/// Draws the weights of a new model layer by layer, first those of the actor.
pub(crate) fn orthogonal(networks: &Networks, rng: &mut Rng) -> ActorCritic<Weights> {
    let actor = initial_weights(&networks.actor, ACTION_GAIN, rng);
    let critic = initial_weights(&networks.critic, VALUE_GAIN, rng);
    ActorCritic { actor, critic }
}

fn initial_weights(mlp: &Mlp, head_gain: f64, rng: &mut Rng) -> Weights {
    let mut weights = Weights::zeroed(mlp);
    let head = mlp.layers.len() - 1;
    for (layer_idx, layer) in mlp.layers.iter().enumerate() {
        let gain = if layer_idx == head { head_gain } else { HIDDEN_GAIN };
        fill_layer(layer, gain, rng, &mut weights.flat[layer.weights()]);
    }
    weights.transpose(mlp);
    weights
}

/// Fills a layer with `gain` times a matrix whose shorter dimension is orthonormal: its rows if it
/// has fewer inputs than outputs, its columns otherwise.
fn fill_layer(layer: &Layer, gain: f64, rng: &mut Rng, weights: &mut [f32]) {
    let (inputs, outputs, width) = (layer.inputs, layer.outputs, layer.width());
    let vectors = orthonormal(inputs.min(outputs), inputs.max(outputs), rng);
    for (short, vector) in vectors.iter().enumerate() {
        for (long, component) in vector.iter().enumerate() {
            let (input, output) = if inputs <= outputs { (short, long) } else { (long, short) };
            weights[input * width + output] = (gain * component) as f32;
        }
    }
}

/// Returns `n` orthonormal vectors of length `len`, uniformly distributed: Gram-Schmidt on normal
/// numbers. Each projection is done twice, since one pass loses precision.
fn orthonormal(n: usize, len: usize, rng: &mut Rng) -> Vec<Vec<f64>> {
    let mut vectors: Vec<Vec<f64>> = Vec::with_capacity(n);
    while vectors.len() < n {
        let mut vector: Vec<f64> = (0..len).map(|_| rng.normal()).collect();
        for other in vectors.iter().chain(&vectors) {
            let overlap = dot(&vector, other);
            vector.iter_mut().zip(other).for_each(|(x, y)| *x -= overlap * y);
        }
        let length = dot(&vector, &vector).sqrt();
        for component in &mut vector {
            *component /= length;
        }
        vectors.push(vector);
    }
    vectors
}

fn dot(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(x, y)| x * y).sum()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{Activation, NetArch};

    /// The columns of the weight matrix, one per output.
    fn columns(layer: &Layer, weights: &Weights) -> Vec<Vec<f64>> {
        let flat = &weights.flat[layer.weights()];
        let column =
            |output| (0..layer.inputs).map(move |i| f64::from(flat[i * layer.width() + output]));
        (0..layer.outputs).map(|output| column(output).collect()).collect()
    }

    #[test]
    fn layers_are_orthogonal_with_their_gains_and_biases_zero() {
        let networks = Networks::new(35, 3, &NetArch::default(), Activation::Tanh);
        let weights = orthogonal(&networks, &mut Rng::new(1));
        let gains = [HIDDEN_GAIN, HIDDEN_GAIN, ACTION_GAIN];
        for (layer, gain) in networks.actor.layers.iter().zip(gains) {
            let columns = columns(layer, &weights.actor);
            assert!(weights.actor.flat[layer.bias()].iter().all(|x| *x == 0.0));
            if layer.inputs < layer.outputs {
                continue; // Here the rows are orthonormal, not the columns.
            }
            for (i, a) in columns.iter().enumerate() {
                for (j, b) in columns.iter().enumerate() {
                    let want = if i == j { gain * gain } else { 0.0 };
                    assert!((dot(a, b) - want).abs() < 1e-6, "{i} · {j}");
                }
            }
        }
    }

    #[test]
    fn wide_layer_keeps_the_length_of_every_observation() {
        let networks = Networks::new(35, 3, &NetArch::default(), Activation::Tanh);
        let weights = orthogonal(&networks, &mut Rng::new(2));
        let columns = columns(&networks.critic.layers[0], &weights.critic);
        let obs: Vec<f64> = (0..35).map(|i| f64::from(i) - 10.0).collect();
        let image: f64 = columns.iter().map(|column| dot(column, &obs).powi(2)).sum();
        assert!((image / dot(&obs, &obs) - 2.0).abs() < 1e-5);
    }
}
