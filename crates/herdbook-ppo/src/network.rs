//! The two multilayer perceptrons, policy and value: where the weights of each lie in a flat buffer,
//! and how a batch of rows goes through it, forwards and backwards. They share nothing.

use pulp::Arch;

use crate::both::Both;
use crate::config::{Activation, NetArch, check};
use crate::math::buffer::Buffer;
use crate::math::elementwise;
use crate::math::padded;
use crate::math::product::{Product, View};
use crate::{Model, PpoError};

/// The shape of both networks.
pub(crate) type Network = Both<Mlp>;

/// One perceptron: hidden layers with an activation after each, and a linear output layer.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Mlp {
    pub(crate) layers: Vec<Layer>,
    activation: Activation,
    /// Floats of all weights and biases, padding included.
    pub(crate) len: usize,
    transposed_len: usize,
}

/// One linear layer. Its weights are `inputs` rows of [`Layer::width`] floats, one more row after
/// them is the bias.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Layer {
    pub(crate) inputs: usize,
    pub(crate) outputs: usize,
    start: usize,
    /// Where the transposed weights lie in their own buffer; the first layer needs none, since
    /// nobody asks for the gradient of the observation.
    transposed: Option<usize>,
}

/// The weights of one network, and the transposed copies that the backward pass reads.
#[derive(Debug, Clone)]
pub(crate) struct Weights {
    pub(crate) flat: Buffer,
    transposed: Buffer,
}

/// One batch of observations on its way through a network.
#[derive(Clone, Copy)]
pub(crate) struct Pass<'a> {
    pub(crate) arch: Arch,
    pub(crate) weights: &'a Weights,
    pub(crate) obs: &'a [f32],
    pub(crate) rows: usize,
}

/// Room for one pass of up to `rows` rows: the outputs of every layer of one perceptron.
#[derive(Debug, Clone)]
pub(crate) struct Outputs {
    layers: Vec<Buffer>,
    /// Of a row of the last layer.
    width: usize,
}

impl Network {
    pub(crate) fn new(
        obs_len: usize,
        n_actions: usize,
        arch: &NetArch,
        activation: Activation,
    ) -> Self {
        let mlp = |hidden: &[usize], outputs| Mlp::new(obs_len, hidden, outputs, activation);
        Self { pi: mlp(&arch.pi, n_actions), vf: mlp(&arch.vf, 1) }
    }

    /// Refuses networks that are a mistake, or made to exhaust memory.
    pub(crate) fn check_size(&self) -> Result<(), PpoError> {
        let len = self.pi.len + self.vf.len;
        let sound = len <= Model::MAX_PARAMETERS;
        check("net_arch", len, sound, "of at most 16777216 weights, padding included")
    }
}

impl Layer {
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

    /// Brings the transposed copies up to date; needed after every change of `flat`.
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

impl Outputs {
    pub(crate) fn new(mlp: &Mlp, rows: usize) -> Self {
        let buffer = |layer: &Layer| Buffer::zeroed(rows * layer.width());
        Self {
            layers: mlp.layers.iter().map(buffer).collect(),
            width: mlp.layers.last().map_or(0, Layer::width),
        }
    }

    /// The first rows of the last layer's outputs. Between a forward and a backward pass they are
    /// to be replaced by the gradient of the loss with respect to them.
    pub(crate) fn last(&mut self, rows: usize) -> &mut [f32] {
        let width = self.width;
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

    /// Sends the observations through all layers.
    pub(crate) fn forward(&self, pass: Pass<'_>, outputs: &mut Outputs) {
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

    /// Writes the gradient of the weights, given that of the last outputs. Uses up `outputs`.
    pub(crate) fn backward(
        &self,
        pass: Pass<'_>,
        outputs: &mut Outputs,
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

    /// The widest row of all layers.
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
