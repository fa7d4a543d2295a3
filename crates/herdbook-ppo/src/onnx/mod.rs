//! Export of a policy as an ONNX model, which runs wherever onnxruntime does.

mod message;

use crate::config::Activation;
use crate::network::policy::Policy;
use crate::network::tensors::NamedTensor;
use crate::onnx::message::Message;

/// Version of the container format; the first one with opset 13.
const IR_VERSION: u64 = 7;
const OPSET: u64 = 13;
/// `TensorProto.DataType`.
const FLOAT: u64 = 1;
const INT64: u64 = 7;
/// `AttributeProto.AttributeType.INT`.
const INT: u64 = 2;

impl Policy {
    /// The bytes of the policy as an ONNX model of opset 13, or `None` if an action is several choices
    /// at once. Equal policies give equal bytes.
    ///
    /// The input is `obs` (float32, `[batch, obs_len]`). The outputs are `action` (int64, `[batch]`,
    /// the most likely action), `probabilities` (float32, `[batch, n_actions]`) and `value` (float32,
    /// `[batch, 1]`).
    pub fn to_onnx(&self) -> Option<Vec<u8>> {
        let n_actions = self.n_actions()?;
        let mut graph = Graph { tensors: self.tensors(), message: Message::new() };
        let activation = match self.activation() {
            Activation::Tanh => "Tanh",
            Activation::Relu => "Relu",
        };
        let arch = self.net_arch();
        let hidden = |network: &str, n: usize| -> Vec<String> {
            (0..n).map(|layer| format!("mlp_extractor.{network}.{}", 2 * layer)).collect()
        };
        graph.network(&hidden("policy_net", arch.pi.len()), "action_net", activation, "logits");
        graph.network(&hidden("value_net", arch.vf.len()), "value_net", activation, "value");
        graph.node("ArgMax", &["logits"], "action", &[("axis", 1), ("keepdims", 0)]);
        graph.node("Softmax", &["logits"], "probabilities", &[("axis", 1)]);

        let mut message = graph.message;
        message.text(2, "herdbook_policy");
        for tensor in &graph.tensors {
            message.message(5, &initializer(tensor));
        }
        message.message(11, &value_info("obs", FLOAT, &[self.obs_len()]));
        message.message(12, &value_info("action", INT64, &[]));
        message.message(12, &value_info("probabilities", FLOAT, &[n_actions]));
        message.message(12, &value_info("value", FLOAT, &[1]));

        let mut opset = Message::new();
        opset.text(1, "");
        opset.number(2, OPSET);
        let mut model = Message::new();
        model.number(1, IR_VERSION);
        model.text(2, "herdbook");
        model.message(7, &message);
        model.message(8, &opset);
        Some(model.into_bytes())
    }
}

/// A `GraphProto` under construction.
struct Graph {
    tensors: Vec<NamedTensor>,
    message: Message,
}

impl Graph {
    /// Adds the layers of one network, from `obs` to `output`. The last one has no activation.
    fn network(&mut self, hidden: &[String], last: &str, activation: &str, output: &str) {
        let mut input = "obs".to_owned();
        for layer in hidden {
            let (sum, active) = (format!("{layer}.sum"), format!("{layer}.out"));
            self.linear(layer, &input, &sum);
            self.node(activation, &[&sum], &active, &[]);
            input = active;
        }
        self.linear(last, &input, output);
    }

    fn linear(&mut self, layer: &str, input: &str, output: &str) {
        let (weight, bias) = (format!("{layer}.weight"), format!("{layer}.bias"));
        self.node("Gemm", &[input, &weight, &bias], output, &[("transB", 1)]);
    }

    /// Adds a `NodeProto`.
    fn node(&mut self, kind: &str, inputs: &[&str], output: &str, attributes: &[(&str, u64)]) {
        let mut node = Message::new();
        for input in inputs {
            node.text(1, input);
        }
        node.text(2, output);
        node.text(3, output);
        node.text(4, kind);
        for (name, value) in attributes {
            let mut attribute = Message::new();
            attribute.text(1, name);
            attribute.number(3, *value);
            attribute.number(20, INT);
            node.message(5, &attribute);
        }
        self.message.message(1, &node);
    }
}

/// A `TensorProto`.
fn initializer(tensor: &NamedTensor) -> Message {
    let mut message = Message::new();
    for length in &tensor.shape {
        message.number(1, *length as u64);
    }
    message.number(2, FLOAT);
    message.text(8, &tensor.name);
    let raw: Vec<u8> = tensor.values.iter().flat_map(|value| value.to_le_bytes()).collect();
    message.bytes(9, &raw);
    message
}

/// A `ValueInfoProto` of a tensor whose first dimension is the batch.
fn value_info(name: &str, element: u64, lengths: &[usize]) -> Message {
    let mut shape = Message::new();
    let mut batch = Message::new();
    batch.text(2, "batch");
    shape.message(1, &batch);
    for length in lengths {
        let mut dimension = Message::new();
        dimension.number(1, *length as u64);
        shape.message(1, &dimension);
    }
    let (mut tensor, mut kind, mut info) = (Message::new(), Message::new(), Message::new());
    tensor.number(1, element);
    tensor.message(2, &shape);
    kind.message(1, &tensor);
    info.text(1, name);
    info.message(2, &kind);
    info
}
