//! Why a request is refused, with MLflow's codes.

use herdbook_domain::filter::FilterError;
use herdbook_store::StoreError;

/// An error code of MLflow's REST API.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Code {
    /// A parameter is missing or has a value that is not allowed.
    InvalidParameterValue,
    /// The request cannot be carried out as it is.
    BadRequest,
    /// There is a record with this name already.
    ResourceAlreadyExists,
    /// There is no such record.
    ResourceDoesNotExist,
    /// The caller may not do this.
    PermissionDenied,
    /// The record is in a state that forbids the request.
    InvalidState,
    /// The request contradicts the rules or the present records.
    ResourceConflict,
    /// The caller gave no valid credentials.
    Unauthenticated,
    /// The path is unknown.
    EndpointNotFound,
    /// Too many requests.
    RequestLimitExceeded,
    /// The server does not offer this.
    NotImplemented,
    /// A part of MLflow that this server does not have.
    FeatureDisabled,
    /// The store cannot answer now; another attempt may succeed.
    TemporarilyUnavailable,
    /// The server failed.
    InternalError,
}

impl Code {
    /// The name on the wire.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::InvalidParameterValue => "INVALID_PARAMETER_VALUE",
            Self::BadRequest => "BAD_REQUEST",
            Self::ResourceAlreadyExists => "RESOURCE_ALREADY_EXISTS",
            Self::ResourceDoesNotExist => "RESOURCE_DOES_NOT_EXIST",
            Self::PermissionDenied => "PERMISSION_DENIED",
            Self::InvalidState => "INVALID_STATE",
            Self::ResourceConflict => "RESOURCE_CONFLICT",
            Self::Unauthenticated => "UNAUTHENTICATED",
            Self::EndpointNotFound => "ENDPOINT_NOT_FOUND",
            Self::RequestLimitExceeded => "REQUEST_LIMIT_EXCEEDED",
            Self::NotImplemented => "NOT_IMPLEMENTED",
            Self::FeatureDisabled => "FEATURE_DISABLED",
            Self::TemporarilyUnavailable => "TEMPORARILY_UNAVAILABLE",
            Self::InternalError => "INTERNAL_ERROR",
        }
    }
}

/// An error of this crate.
#[derive(Debug, thiserror::Error)]
pub enum MlflowError {
    /// The request is refused. Nothing was changed.
    #[error("{message}")]
    Refused {
        /// The code.
        code: Code,
        /// The text, in MLflow's words where its users know them.
        message: String,
    },
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl MlflowError {
    /// A refusal with a code.
    pub fn new(code: Code, message: impl Into<String>) -> Self {
        Self::Refused { code, message: message.into() }
    }

    /// A parameter with a value that is not allowed.
    pub fn invalid(message: impl Into<String>) -> Self {
        Self::Refused { code: Code::InvalidParameterValue, message: message.into() }
    }

    /// A record that does not exist.
    pub fn missing(message: impl Into<String>) -> Self {
        Self::Refused { code: Code::ResourceDoesNotExist, message: message.into() }
    }
}

impl From<FilterError> for MlflowError {
    fn from(error: FilterError) -> Self {
        Self::invalid(error.to_string())
    }
}
