//! The calls of an import to an MLflow server, made by the client of `herdbook-remote`.

use herdbook_remote::client::{Access, Client as Connection, Method, Trying, query_string};
use herdbook_store::{Content, Notices, ServerUri, StoreError, uri_without_secrets};
use serde_json::Value;

/// A client of an MLflow server.
pub(super) struct Client(Connection);

/// Why a call failed.
#[derive(Debug)]
pub(super) enum CallError {
    /// The server does not have the record, or does not know the call.
    NotFound,
    /// The server does not answer.
    Unreachable(String),
    /// Any other failure, as text.
    Failed(String),
}

impl Client {
    /// A client of the server at an address. Credentials are read from MLflow's environment variables.
    pub(super) fn new(address: &str, notices: &Notices) -> Result<Self, StoreError> {
        let uri = ServerUri::parse(address).ok_or_else(|| StoreError::Source {
            source_uri: uri_without_secrets(address),
            problem: "it is not the address of a server".to_owned(),
        })?;
        let access = Access { notices: notices.clone(), ..Access::from_environment(&uri)? };
        Ok(Self(Connection::new(access)))
    }

    /// The address without user and password.
    pub(super) fn address(&self) -> &str {
        self.0.uri()
    }

    /// A `GET` call. A parameter may be given several times.
    pub(super) fn get(&self, path: &str, query: &[(&str, &str)]) -> Result<Value, CallError> {
        Ok(self.0.get(path, query)?)
    }

    /// A `POST` call that only reads.
    pub(super) fn post(&self, path: &str, body: &Value) -> Result<Value, CallError> {
        Ok(self.0.send(Method::Post, path, body, Trying::Patiently)?)
    }

    /// The content of a file.
    pub(super) fn content(&self, path: &str, query: &[(&str, &str)]) -> Result<Content, CallError> {
        Ok(self.0.open(&format!("{path}{}", query_string(query)), None)?)
    }

    pub(super) fn error(&self, error: &CallError, what: &str) -> StoreError {
        let problem = match error {
            CallError::NotFound => format!("{what}: not found on the server"),
            CallError::Unreachable(problem) => format!("the server cannot be reached: {problem}"),
            CallError::Failed(problem) => format!("{what}: {problem}"),
        };
        StoreError::Source { source_uri: self.address().to_owned(), problem }
    }
}

impl From<StoreError> for CallError {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::ServerRefused { status: 404, .. } => Self::NotFound,
            StoreError::ServerRefused { status, code, message, .. } => {
                let words = if message.is_empty() { code } else { message };
                let hint = match status {
                    401 | 403 => {
                        " (set `MLFLOW_TRACKING_USERNAME` and `MLFLOW_TRACKING_PASSWORD`, or `MLFLOW_TRACKING_TOKEN`)"
                    }
                    _ => "",
                };
                Self::Failed(format!("HTTP {status}: {words}{hint}"))
            }
            StoreError::Unreachable { problem, .. } => Self::Unreachable(problem),
            StoreError::NotMlflow { problem, .. } => Self::Failed(problem),
            other => Self::Failed(other.to_string()),
        }
    }
}
