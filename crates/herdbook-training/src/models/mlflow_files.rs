//! Files beside a model's zip with which MLflow can load it: `model.onnx` and the files of an MLflow model of the ONNX
//! flavor (MLflow 3.17.2). They are derived from the zip.

use herdbook_domain::{RunId, Timeframe};
use herdbook_ppo::Policy;

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
        ("MLmodel", ml_model(timeframe, run_id).into_bytes()),
    ]
    .map(|(name, bytes)| (artifact_beside_model(timeframe, name), bytes))
    .into()
}

fn ml_model(timeframe: Timeframe, run_id: &RunId) -> String {
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
         run_id: {run_id}\n"
    )
}
