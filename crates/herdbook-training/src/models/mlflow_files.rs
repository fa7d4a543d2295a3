//! Files beside a model's zip with which MLflow can load it: `model.onnx` and the files of an MLflow model of the ONNX
//! flavor (MLflow 3.17.2). They are derived from the zip.

use herdbook_domain::{RunId, Timeframe};
use herdbook_ppo::Policy;
use serde_json::{Value, json};

use crate::models::artifact_paths::artifact_beside_model;

/// MLflow before 3.10 does not know all options of the ONNX flavor.
const REQUIREMENTS: &str = "mlflow>=3.10\nnumpy\nonnx>=1.8\nonnxruntime>=1.9\n";
const PYTHON_ENV: &str =
    "python: \"3.11\"\nbuild_dependencies:\n- pip\ndependencies:\n- -r requirements.txt\n";

/// The files with their artifact paths, in the order in which to store them; empty for a policy that has no ONNX form.
/// Like the zip, they contain no time and no host name.
pub(crate) fn of_model(
    policy: &Policy,
    timeframe: Timeframe,
    run_id: &RunId,
) -> Vec<(String, Vec<u8>)> {
    let Some(onnx) = policy.to_onnx() else { return Vec::new() };
    [
        ("model.onnx", onnx),
        ("requirements.txt", REQUIREMENTS.into()),
        ("python_env.yaml", PYTHON_ENV.into()),
        // Last, because with this file the folder is an MLflow model.
        ("MLmodel", ml_model(policy, timeframe, run_id).into_bytes()),
    ]
    .map(|(name, bytes)| (artifact_beside_model(timeframe, name), bytes))
    .into()
}

fn ml_model(policy: &Policy, timeframe: Timeframe, run_id: &RunId) -> String {
    let (inputs, outputs) = signature(policy);
    format!(
        "artifact_path: models/{timeframe}\n\
         flavors:\n  \
           onnx:\n    \
             code: null\n    \
             data: model.onnx\n    \
             onnx_version: 1.8.0\n    \
             providers:\n    - CPUExecutionProvider\n  \
           python_function:\n    \
             data: model.onnx\n    \
             env:\n      \
               virtualenv: python_env.yaml\n    \
             loader_module: mlflow.onnx\n    \
             python_version: 3.11.0\n\
         model_uuid: {run_id}\n\
         run_id: {run_id}\n\
         signature:\n  \
           inputs: '{inputs}'\n  \
           outputs: '{outputs}'\n  \
           params: null\n"
    )
}

/// MLflow's schema of inputs and outputs. The input has no name, so that an array is accepted; `-1` is any number of rows.
fn signature(policy: &Policy) -> (Value, Value) {
    let tensor = |dtype: &str, shape: &[i64]| json!({"type": "tensor", "tensor-spec": {"dtype": dtype, "shape": shape}});
    let named = |name: &str, dtype: &str, shape: &[i64]| {
        let mut column = tensor(dtype, shape);
        column["name"] = name.into();
        column
    };
    let n_actions = policy.n_actions().map_or(-1, |n| n as i64);
    let inputs = json!([tensor("float32", &[-1, policy.obs_len() as i64])]);
    let outputs = json!([
        named("action", "int64", &[-1]),
        named("probabilities", "float32", &[-1, n_actions]),
        named("value", "float32", &[-1, 1]),
    ]);
    (inputs, outputs)
}
