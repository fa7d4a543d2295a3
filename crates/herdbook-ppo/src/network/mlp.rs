//! A multilayer perceptron: the layout of its weights in one flat buffer, and the forward and
//! backward pass of a batch of observations.

use pulp::Arch;

use crate::config::{Activation, NetArch, check};
use crate::error::PpoError;
use crate::math::buffer::Buffer;
use crate::math::elementwise;
use crate::math::padded;
use crate::math::product::{Product, View};
use crate::network::actor_critic::ActorCritic;
use crate::network::limits::MAX_PARAMETERS;

/// The architecture of both networks.
pub(crate) type Networks = ActorCritic<Mlp>;

/// The architecture of one perceptron: hidden layers with an activation after each, then a linear
/// output layer. The numbers themselves are in [`Weights`].
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Mlp {
    pub(crate) layers: Vec<Layer>,
    activation: Activation,
    /// Number of floats of all weights and biases, padding included.
    pub(crate) len: usize,
    transposed_len: usize,
}

/// One linear layer. In the flat buffer its weights are `inputs` rows of [`Layer::width`] floats,
/// followed by one row for the bias.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Layer {
    pub(crate) inputs: usize,
    pub(crate) outputs: usize,
    start: usize,
    /// Start of the transposed weights in their own buffer. `None` for the first layer: the gradient
    /// with respect to the observation is not needed.
    transposed: Option<usize>,
}

/// Weights and biases of one network, and the transposed weights that the backward pass reads.
#[derive(Debug, Clone)]
pub(crate) struct Weights {
    /// All layers, in the layout that [`Layer`] describes.
    pub(crate) flat: Buffer,
    transposed: Buffer,
}

/// The inputs of a forward or backward pass.
#[derive(Clone, Copy)]
pub(crate) struct Pass<'a> {
    pub(crate) arch: Arch,
    pub(crate) weights: &'a Weights,
    /// `[rows, obs_len]`, not padded.
    pub(crate) obs: &'a [f32],
    pub(crate) rows: usize,
}

/// The outputs of every layer of one perceptron, for a fixed maximum number of rows.
#[derive(Debug, Clone)]
pub(crate) struct LayerOutputs {
    layers: Vec<Buffer>,
    /// Padded width of a row of the last layer.
    last_width: usize,
}

impl Networks {
    pub(crate) fn new(
        obs_len: usize,
        n_actions: usize,
        arch: &NetArch,
        activation: Activation,
    ) -> Self {
        let mlp = |hidden: &[usize], outputs| Mlp::new(obs_len, hidden, outputs, activation);
        Self { actor: mlp(&arch.pi, n_actions), critic: mlp(&arch.vf, 1) }
    }

    /// Fails if the networks have more than [`MAX_PARAMETERS`] weights.
    pub(crate) fn check_size(&self) -> Result<(), PpoError> {
        let len = self.actor.len + self.critic.len;
        let is_valid = len <= MAX_PARAMETERS;
        check("net_arch", len, is_valid, "at most 16777216 weights, padding included")
    }
}

impl Layer {
    /// Floats per row of the weights and of the outputs, padding included.
    pub(crate) fn width(&self) -> usize {
        padded(self.outputs)
    }

    pub(crate) fn weights(&self) -> std::ops::Range<usize> {
        self.start..self.start + self.inputs * self.width()
    }

    pub(crate) fn bias(&self) -> std::ops::Range<usize> {
        let start = self.weights().end;
        start..start + self.width()
    }
}

impl Weights {
    pub(crate) fn zeroed(mlp: &Mlp) -> Self {
        Self { flat: Buffer::zeroed(mlp.len), transposed: Buffer::zeroed(mlp.transposed_len) }
    }

    /// Recomputes the transposed weights. Must be called after every change of `flat`.
    pub(crate) fn transpose(&mut self, mlp: &Mlp) {
        for layer in &mlp.layers {
            let Some(start) = layer.transposed else {
                continue;
            };
            let (height, width) = (padded(layer.inputs), layer.width());
            let weights = &self.flat[layer.weights()];
            let columns = self.transposed[start..].chunks_exact_mut(height).take(layer.outputs);
            for (output, column) in columns.enumerate() {
                for (to, from) in column.iter_mut().zip(weights[output..].iter().step_by(width)) {
                    *to = *from;
                }
            }
        }
    }
}

impl LayerOutputs {
    pub(crate) fn new(mlp: &Mlp, rows: usize) -> Self {
        let buffer = |layer: &Layer| Buffer::zeroed(rows * layer.width());
        Self {
            layers: mlp.layers.iter().map(buffer).collect(),
            last_width: mlp.layers.last().map_or(0, Layer::width),
        }
    }

    /// The first `rows` rows of the last layer's outputs. After the forward pass the caller replaces
    /// them by the gradient of the loss with respect to them, which the backward pass reads.
    pub(crate) fn last_layer(&mut self, rows: usize) -> &mut [f32] {
        let width = self.last_width;
        self.layers.last_mut().map_or(&mut [], |buffer| &mut buffer[..rows * width])
    }
}

impl Mlp {
    fn new(inputs: usize, hidden: &[usize], head: usize, activation: Activation) -> Self {
        let (mut len, mut transposed_len, mut inputs) = (0, 0, inputs);
        let mut layers = Vec::new();
        for (layer_idx, &outputs) in hidden.iter().chain([&head]).enumerate() {
            let transposed = (layer_idx > 0).then_some(transposed_len);
            transposed_len += transposed.map_or(0, |_| outputs * padded(inputs));
            let layer = Layer { inputs, outputs, start: len, transposed };
            len = layer.bias().end;
            layers.push(layer);
            inputs = outputs;
        }
        Self { layers, activation, len, transposed_len }
    }

    /// Computes the outputs of all layers.
    pub(crate) fn forward(&self, pass: Pass<'_>, outputs: &mut LayerOutputs) {
        let Pass { arch, weights, obs, rows } = pass;
        let (mut left, mut stride) = (obs, self.layers[0].inputs);
        let last = self.layers.len() - 1;
        for ((layer_idx, layer), out) in self.layers.iter().enumerate().zip(&mut outputs.layers) {
            let width = layer.width();
            let out = &mut out[..rows * width];
            let product = Product {
                left: View::Rows(left, stride),
                right: &weights.flat[layer.weights()],
                bias: Some(&weights.flat[layer.bias()]),
                out: &mut *out,
                rows,
                depth: layer.inputs,
                width,
            };
            product.compute(arch);
            if layer_idx < last {
                self.activate(arch, out);
            }
            (left, stride) = (out, width);
        }
    }

    /// Computes the gradient of the loss with respect to the weights by backpropagation. The last
    /// layer of `outputs` holds the gradient with respect to the network's output; the layers below
    /// are overwritten. `scratch` holds one row of [`Mlp::max_width`] floats for each row.
    pub(crate) fn backward(
        &self,
        pass: Pass<'_>,
        outputs: &mut LayerOutputs,
        scratch: &mut [f32],
        gradient: &mut [f32],
    ) {
        let Pass { arch, weights, obs, rows } = pass;
        for (layer_idx, layer) in self.layers.iter().enumerate().rev() {
            let width = layer.width();
            let (before, after) = outputs.layers.split_at_mut(layer_idx);
            let delta = &after[0][..rows * width];
            let (left, stride) = match before.last() {
                Some(outputs) => (&outputs[..], padded(layer.inputs)),
                None => (obs, layer.inputs),
            };
            let weight_gradient = Product {
                left: View::Columns(left, stride),
                right: delta,
                bias: None,
                out: &mut gradient[layer.weights()],
                rows: layer.inputs,
                depth: rows,
                width,
            };
            weight_gradient.compute(arch);
            let bias_gradient = Product {
                left: View::Ones,
                right: delta,
                bias: None,
                out: &mut gradient[layer.bias()],
                rows: 1,
                depth: rows,
                width,
            };
            bias_gradient.compute(arch);
            let (Some(start), Some(below)) = (layer.transposed, before.last_mut()) else {
                continue;
            };
            let height = padded(layer.inputs);
            let input_gradient = Product {
                left: View::Rows(delta, width),
                right: &weights.transposed[start..start + layer.outputs * height],
                bias: None,
                out: &mut scratch[..rows * height],
                rows,
                depth: layer.outputs,
                width: height,
            };
            input_gradient.compute(arch);
            self.activation_gradient(arch, &mut below[..rows * height], &scratch[..rows * height]);
        }
    }

    /// Padded width of the widest layer, in floats.
    pub(crate) fn max_width(&self) -> usize {
        self.layers.iter().map(Layer::width).max().unwrap_or(0)
    }

    fn activate(&self, arch: Arch, values: &mut [f32]) {
        match self.activation {
            Activation::Tanh => elementwise::tanh(arch, values),
            Activation::Relu => elementwise::relu(arch, values),
        }
    }

    fn activation_gradient(&self, arch: Arch, outputs: &mut [f32], gradient: &[f32]) {
        match self.activation {
            Activation::Tanh => elementwise::tanh_gradient(arch, outputs, gradient),
            Activation::Relu => elementwise::relu_gradient(arch, outputs, gradient),
        }
    }
}
