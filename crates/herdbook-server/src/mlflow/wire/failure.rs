//! Refusals as MLflow's clients see them: status, code and text.

use axum::body::Body;
use axum::http::{HeaderValue, Response, StatusCode, header};
use herdbook_mlflow::{Code, MlflowError};
use herdbook_store::{StoreError, text_without_secrets};
use serde::Serialize;

use crate::telemetry::requests::Detail;

/// Why a request is not answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Failure {
    pub(crate) code: Code,
    pub(crate) message: String,
    /// The reason, for the log alone.
    detail: Option<String>,
}

impl Failure {
    pub(crate) fn new(code: Code, message: impl Into<String>) -> Self {
        Self { code, message: message.into(), detail: None }
    }

    pub(crate) fn invalid(message: impl Into<String>) -> Self {
        Self::new(Code::InvalidParameterValue, message)
    }

    /// The answer, with MLflow's body.
    pub(crate) fn response(&self) -> Response<Body> {
        let (sql_state, class) = classification(self.code).unzip();
        let body = ErrorBody {
            error_code: self.code.as_str(),
            message: &self.message,
            sqlstate: sql_state,
            error_class: class,
        };
        let body = serde_json::to_vec(&body).expect("texts become JSON");
        let mut response = Response::new(Body::from(body));
        *response.status_mut() = status(self.code);
        let json = HeaderValue::from_static("application/json");
        response.headers_mut().insert(header::CONTENT_TYPE, json);
        if let Some(detail) = &self.detail {
            response.extensions_mut().insert(Detail(detail.clone()));
        }
        response
    }
}

#[derive(Serialize)]
struct ErrorBody<'a> {
    error_code: &'a str,
    message: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    sqlstate: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    error_class: Option<&'static str>,
}

fn status(code: Code) -> StatusCode {
    match code {
        Code::InvalidParameterValue | Code::BadRequest | Code::ResourceAlreadyExists => {
            StatusCode::BAD_REQUEST
        }
        Code::Unauthenticated => StatusCode::UNAUTHORIZED,
        Code::PermissionDenied => StatusCode::FORBIDDEN,
        Code::ResourceDoesNotExist | Code::EndpointNotFound => StatusCode::NOT_FOUND,
        Code::ResourceConflict => StatusCode::CONFLICT,
        Code::RequestLimitExceeded => StatusCode::TOO_MANY_REQUESTS,
        Code::InternalError | Code::InvalidState | Code::FeatureDisabled => {
            StatusCode::INTERNAL_SERVER_ERROR
        }
        Code::NotImplemented => StatusCode::NOT_IMPLEMENTED,
        Code::TemporarilyUnavailable => StatusCode::SERVICE_UNAVAILABLE,
    }
}

/// `sqlstate` and `error_class` of MLflow 3.17, for the codes that have them.
fn classification(code: Code) -> Option<(&'static str, &'static str)> {
    match code {
        Code::InvalidParameterValue | Code::BadRequest => {
            Some(("KAM00", "INVALID_PARAMETER_VALUE"))
        }
        Code::ResourceAlreadyExists => Some(("KAM00", "RESOURCE_ALREADY_EXISTS")),
        Code::PermissionDenied => Some(("KAM00", "PERMISSION_DENIED")),
        Code::ResourceDoesNotExist | Code::EndpointNotFound => {
            Some(("KAM00", "RESOURCE_NOT_FOUND"))
        }
        Code::FeatureDisabled => Some(("KAM00", "FEATURE_DISABLED")),
        Code::InternalError | Code::InvalidState | Code::TemporarilyUnavailable => {
            Some(("XXM00", "CLIENT_INTERNAL_ERROR"))
        }
        Code::Unauthenticated
        | Code::ResourceConflict
        | Code::RequestLimitExceeded
        | Code::NotImplemented => None,
    }
}

impl From<MlflowError> for Failure {
    fn from(error: MlflowError) -> Self {
        match error {
            MlflowError::Refused { code, message } => Self::new(code, message),
            MlflowError::Store(error) => error.into(),
        }
    }
}

impl From<StoreError> for Failure {
    fn from(error: StoreError) -> Self {
        let code = store_code(&error);
        let message = match code {
            // The text of these may name files or statements of the server, which are none of the client's business.
            Code::InternalError => {
                "the store of this server failed; the server's log has the reason under the id of this request"
                    .to_owned()
            }
            Code::BadRequest => "the database refused a value or a condition of this request".to_owned(),
            _ => error.to_string(),
        };
        let detail = matches!(code, Code::InternalError | Code::BadRequest)
            .then(|| text_without_secrets(&error.to_string()));
        Self { code, message, detail }
    }
}

fn store_code(error: &StoreError) -> Code {
    match error {
        StoreError::NoSuchModel { .. }
        | StoreError::NoSuchVersion { .. }
        | StoreError::DeletedVersion { .. }
        | StoreError::NoSuchRun { .. }
        | StoreError::NoSuchRunPrefix { .. } => Code::ResourceDoesNotExist,
        StoreError::Refused(_)
        | StoreError::RunNotRunning { .. }
        | StoreError::RunNotFinished { .. }
        | StoreError::AlreadyRegistered { .. }
        | StoreError::CannotRegister { .. }
        | StoreError::EvaluatedMeanwhile { .. }
        | StoreError::TestedMeanwhile { .. }
        | StoreError::NotResumable { .. }
        | StoreError::TwoChampions { .. }
        | StoreError::HistoryChanged { .. }
        | StoreError::PlanChanged { .. }
        | StoreError::ActIdUsed { .. }
        | StoreError::CannotRelocate { .. } => Code::ResourceConflict,
        StoreError::DeletedExperiment { .. }
        | StoreError::ForeignArtifacts { .. }
        | StoreError::UnknownModelInConditions { .. }
        | StoreError::CannotLog { .. }
        | StoreError::CannotStart { .. }
        | StoreError::AmbiguousRun { .. }
        | StoreError::VersionOrRun { .. } => Code::InvalidParameterValue,
        StoreError::Busy { .. }
        | StoreError::StoreBusy { .. }
        | StoreError::NoFreeConnection { .. }
        | StoreError::FileNotHashed { .. }
        | StoreError::OutcomeUnknown { .. }
        | StoreError::Unreachable { .. } => Code::TemporarilyUnavailable,
        StoreError::Database { .. } | StoreError::Unstorable { .. } => Code::BadRequest,
        StoreError::UnsupportedUri { .. }
        | StoreError::BadAccess { .. }
        | StoreError::NotUtf8 { .. }
        | StoreError::FileStore { .. }
        | StoreError::Source { .. }
        | StoreError::SameStore { .. }
        | StoreError::NoStore { .. }
        | StoreError::NotADatabase { .. }
        | StoreError::Schema { .. }
        | StoreError::Moved { .. }
        | StoreError::Copied { .. }
        | StoreError::Restored { .. }
        | StoreError::CannotOpen { .. }
        | StoreError::Replaced { .. }
        | StoreError::ReadOnly { .. }
        | StoreError::DiskFull { .. }
        | StoreError::InputOutput { .. }
        | StoreError::Artifact { .. }
        | StoreError::BrokenRecord { .. }
        | StoreError::Damaged { .. }
        | StoreError::NotMlflow { .. }
        | StoreError::ServerRefused { .. }
        | StoreError::Unfinished { .. }
        | StoreError::Server { .. }
        | StoreError::RolledBack
        | StoreError::Sqlite(_)
        | StoreError::Postgres(_) => Code::InternalError,
    }
}
