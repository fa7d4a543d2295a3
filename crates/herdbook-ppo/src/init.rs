//! First weights: orthogonal matrices (Saxe et al., arXiv:1312.6120), zero biases, as
//! stable-baselines3's `ActorCriticPolicy` with `ortho_init`.

use crate::Rng;
use crate::both::Both;
use crate::network::{Layer, Mlp, Network, Weights};

/// After tanh and relu alike.
const HIDDEN_GAIN: f64 = std::f64::consts::SQRT_2;
/// Small, so that every action is about equally likely at first.
const ACTION_GAIN: f64 = 0.01;
const VALUE_GAIN: f64 = 1.0;

/// Weights for a new model, drawn layer by layer: policy, then value.
pub(crate) fn orthogonal(network: &Network, rng: &mut Rng) -> Both<Weights> {
    let pi = drawn(&network.pi, ACTION_GAIN, rng);
    Both { pi, vf: drawn(&network.vf, VALUE_GAIN, rng) }
}

fn drawn(mlp: &Mlp, head_gain: f64, rng: &mut Rng) -> Weights {
    let mut weights = Weights::zeroed(mlp);
    let head = mlp.layers.len() - 1;
    for (layer_idx, layer) in mlp.layers.iter().enumerate() {
        let gain = if layer_idx == head { head_gain } else { HIDDEN_GAIN };
        fill_layer(layer, gain, rng, &mut weights.flat[layer.weights()]);
    }
    weights.transpose(mlp);
    weights
}

/// Writes `gain` times a matrix whose rows, or columns where those are fewer, are orthonormal.
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

/// `n` orthonormal vectors of length `len`, uniformly distributed: Gram-Schmidt on normal numbers,
/// each projection done twice against loss of precision.
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

    /// The layer as columns of doubles, one per output.
    fn columns(layer: &Layer, weights: &Weights) -> Vec<Vec<f64>> {
        let flat = &weights.flat[layer.weights()];
        let column =
            |output| (0..layer.inputs).map(move |i| f64::from(flat[i * layer.width() + output]));
        (0..layer.outputs).map(|output| column(output).collect()).collect()
    }

    #[test]
    fn layers_are_orthogonal_with_their_gains_and_biases_zero() {
        let network = Network::new(35, 3, &NetArch::default(), Activation::Tanh);
        let weights = orthogonal(&network, &mut Rng::new(1));
        let gains = [HIDDEN_GAIN, HIDDEN_GAIN, ACTION_GAIN];
        for (layer, gain) in network.pi.layers.iter().zip(gains) {
            let columns = columns(layer, &weights.pi);
            assert!(weights.pi.flat[layer.bias()].iter().all(|x| *x == 0.0));
            if layer.inputs < layer.outputs {
                continue; // the rows are orthonormal there, not the columns
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
        let network = Network::new(35, 3, &NetArch::default(), Activation::Tanh);
        let weights = orthogonal(&network, &mut Rng::new(2));
        let columns = columns(&network.vf.layers[0], &weights.vf);
        let obs: Vec<f64> = (0..35).map(|i| f64::from(i) - 10.0).collect();
        let image: f64 = columns.iter().map(|column| dot(column, &obs).powi(2)).sum();
        assert!((image / dot(&obs, &obs) - 2.0).abs() < 1e-5);
    }
}
