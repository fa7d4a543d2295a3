//! What stands beside a model's zip, so that stock MLflow loads it: `model.onnx` and the files of an MLflow model of
//! the ONNX flavor (MLflow 3.17.2). The zip is the model; these follow from it.

use herdbook_domain::{RunId, Timeframe};
use herdbook_ppo::Policy;

use crate::models::artifact_paths::artifact_beside_model;

/// Earlier ones do not know every provider option of the flavor; later ones read it as it is.
const REQUIREMENTS: &str = "mlflow>=3.10\nnumpy\nonnx>=1.8\nonnxruntime>=1.9\n";
const PYTHON_ENV: &str =
    "python: \"3.11\"\nbuild_dependencies:\n- pip\ndependencies:\n- -r requirements.txt\n";

/// The files by artifact path; none for a policy that has no ONNX form. Like the zip, they hold no time and no host.
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
        // Last: it is what makes the folder an MLflow model.
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
