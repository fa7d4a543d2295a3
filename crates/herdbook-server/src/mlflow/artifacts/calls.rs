//! The calls about artifacts whose requests and answers are JSON.

use std::fs;
use std::io::ErrorKind;

use herdbook_mlflow::{Code, artifacts, logged_models};

use crate::app::App;
use crate::mlflow::artifacts::list;
use crate::mlflow::artifacts::path::safe;
use crate::mlflow::artifacts::place::Place;
use crate::mlflow::endpoint::{Call, Endpoint, Verb};
use crate::mlflow::wire::answer::Answer;
use crate::mlflow::wire::check::Check::{IntLike, Required, Text};
use crate::mlflow::wire::failure::Failure;
use crate::mlflow::wire::message::{Field, int64, message, text};

static PART: &[Field] = &[int64("part_number"), text("etag"), text("url")];
/// The longest life of a presigned address, in seconds.
const MAX_EXPIRATION: i64 = 604_800;
/// The life of a presigned address if the request does not say, in seconds.
const DEFAULT_EXPIRATION: i64 = 900;

/// Below `/api/2.0/mlflow`.
pub(crate) static ENDPOINTS: &[Endpoint] = &[
    Endpoint {
        method: Verb::Get,
        path: "artifacts/list",
        fields: &[text("run_id"), text("run_uuid"), text("path"), text("page_token")],
        schema: &[("run_id", &[Text, Required]), ("path", &[Text]), ("page_token", &[Text])],
        act: list_of_run,
    },
    Endpoint {
        method: Verb::Get,
        path: "logged-models/{model_id}/artifacts/directories",
        fields: &[text("model_id"), text("artifact_directory_path"), text("page_token")],
        schema: &[("artifact_directory_path", &[Text])],
        act: list_of_model,
    },
    Endpoint {
        method: Verb::Post,
        path: "artifacts/presigned-upload-url",
        fields: &[text("run_id"), text("path"), int64("expiration"), text("model_id")],
        schema: &[
            ("run_id", &[Text]),
            ("model_id", &[Text]),
            ("path", &[Required, Text]),
            ("expiration", &[IntLike]),
        ],
        act: presigned_upload,
    },
    Endpoint {
        method: Verb::Post,
        path: "artifacts/presigned-download-url",
        fields: &[text("run_id"), text("path"), int64("expiration")],
        schema: &[
            ("run_id", &[Required, Text]),
            ("path", &[Required, Text]),
            ("expiration", &[IntLike]),
        ],
        act: presigned_download,
    },
];

/// Below `/api/2.0/mlflow-artifacts`.
pub(crate) static PROXY_ENDPOINTS: &[Endpoint] = &[
    Endpoint {
        method: Verb::Get,
        path: "artifacts",
        fields: &[text("path")],
        schema: &[],
        act: list_of_proxy,
    },
    Endpoint {
        method: Verb::Delete,
        path: "artifacts/{*path}",
        fields: &[],
        schema: &[],
        act: delete,
    },
    Endpoint {
        method: Verb::Post,
        path: "mpu/create/{*path}",
        fields: &[text("path"), int64("num_parts")],
        schema: &[("path", &[Required, Text]), ("num_parts", &[IntLike])],
        act: no_multipart_upload,
    },
    Endpoint {
        method: Verb::Post,
        path: "mpu/complete/{*path}",
        fields: &[text("path"), text("upload_id"), message("parts", PART).repeated()],
        schema: &[("path", &[Required, Text]), ("upload_id", &[Text]), ("parts", &[Required])],
        act: no_multipart_upload,
    },
    Endpoint {
        method: Verb::Post,
        path: "mpu/abort/{*path}",
        fields: &[text("path"), text("upload_id")],
        schema: &[("path", &[Required, Text]), ("upload_id", &[Text])],
        act: no_multipart_upload,
    },
    Endpoint {
        method: Verb::Get,
        path: "presigned/{*path}",
        fields: &[],
        schema: &[],
        act: no_multipart_download,
    },
];

fn list_of_run(app: &App, call: &Call) -> Result<Answer, Failure> {
    let path = call.message.text_if_given("path").map(safe).transpose()?;
    let run_id = call.run_id();
    let location = artifacts::run_location(app.session(), Some(run_id))?;
    list::below(app, run_id, location, path.as_deref())
}

fn list_of_model(app: &App, call: &Call) -> Result<Answer, Failure> {
    let path = call.message.text_if_given("artifact_directory_path").map(safe).transpose()?;
    let model_id = call.path("model_id");
    let model = logged_models::get(app.session(), model_id, false)?;
    list::below(app, model_id, model.artifact_location, path.as_deref())
}

fn list_of_proxy(app: &App, call: &Call) -> Result<Answer, Failure> {
    list::of_proxy(app, call.message.text_if_given("path"))
}

fn delete(app: &App, call: &Call) -> Result<Answer, Failure> {
    let place = Place::proxied(app, safe(call.path("path"))?)?.below_root()?;
    let target = place.on_disk()?;
    let deleted = match fs::symlink_metadata(&target) {
        Ok(found) if found.is_dir() => fs::remove_dir_all(&target),
        Ok(_) => fs::remove_file(&target),
        // There is nothing to delete.
        Err(_) => return Ok(Answer::empty()),
    };
    match deleted {
        Err(error) if error.kind() != ErrorKind::NotFound => {
            let text = "the server cannot delete this artifact";
            Err(Failure::new(Code::InternalError, text))
        }
        _ => Ok(Answer::empty()),
    }
}

fn no_multipart_upload(_app: &App, call: &Call) -> Result<Answer, Failure> {
    safe(call.path("path"))?;
    // MLflow's client recognises this text, and sends the file as a whole.
    let text = "Multipart upload is not supported for the current artifact repository";
    Err(Failure::new(Code::NotImplemented, text))
}

fn no_multipart_download(_app: &App, call: &Call) -> Result<Answer, Failure> {
    safe(call.path("path"))?;
    let text = "Multipart download is not supported for the current artifact repository";
    Err(Failure::new(Code::NotImplemented, text))
}

fn presigned_upload(app: &App, call: &Call) -> Result<Answer, Failure> {
    let (run_id, model_id) = (call.message.text("run_id"), call.message.text("model_id"));
    if run_id.is_empty() == model_id.is_empty() {
        return Err(Failure::invalid("Exactly one of run_id and model_id must be provided."));
    }
    safe(call.message.text("path"))?;
    let location = if run_id.is_empty() {
        logged_models::get(app.session(), model_id, false)?.artifact_location
    } else {
        artifacts::run_location(app.session(), Some(run_id))?
    };
    match scheme(&location) {
        Some(scheme) => Err(Failure::invalid(format!(
            "Presigned upload is not supported for proxied artifact storage (artifact URI scheme: {scheme}). \
             This endpoint requires a direct cloud storage artifact URI."
        ))),
        None => Err(Failure::new(
            Code::NotImplemented,
            "Presigned upload is not supported for the current artifact repository",
        )),
    }
}

fn presigned_download(app: &App, call: &Call) -> Result<Answer, Failure> {
    safe(call.message.text("path"))?;
    let expiration = call.message.int_if_given("expiration").unwrap_or(DEFAULT_EXPIRATION);
    if !(1..=MAX_EXPIRATION).contains(&expiration) {
        return Err(Failure::invalid(format!(
            "expiration must be between 1 and {MAX_EXPIRATION} seconds (got {expiration})."
        )));
    }
    let location = artifacts::run_location(app.session(), Some(call.message.text("run_id")))?;
    match scheme(&location) {
        Some(scheme) => Err(Failure::invalid(format!(
            "Presigned download is not supported for runs with proxied artifact storage (artifact URI scheme: {scheme}). \
             This endpoint requires a run with a direct cloud storage artifact URI."
        ))),
        None => Err(Failure::new(
            Code::NotImplemented,
            "Presigned download is not supported for the current artifact repository",
        )),
    }
}

/// The scheme of a location that the proxy serves.
fn scheme(location: &str) -> Option<&str> {
    let (scheme, _) = location.split_once(':')?;
    ["http", "https", "mlflow-artifacts"].contains(&scheme).then_some(scheme)
}
