//! Reading from an MLflow server: the calls of an import, through the client of the store on a server.

use herdbook_remote::client::{Access, Client as Connection, Method, Trying, query_string};
use herdbook_store::{Content, ServerUri, StoreError, uri_without_secrets};
use serde_json::Value;

/// A server.
pub(super) struct Client(Connection);

/// Why a call has no answer.
#[derive(Debug)]
pub(super) enum CallError {
    /// The server has nothing there, or does not know the call.
    NotFound,
    /// Anything else, in words.
    Failed(String),
}

impl Client {
    /// The client of an address; who asks is read as for a store on a server.
    pub(super) fn new(address: &str) -> Result<Self, StoreError> {
        let uri = ServerUri::parse(address).ok_or_else(|| StoreError::Source {
            source_uri: uri_without_secrets(address),
            problem: "it is no address of a server".to_owned(),
        })?;
        Ok(Self(Connection::new(Access::from_environment(&uri)?)))
    }

    /// Without user and password.
    pub(super) fn address(&self) -> &str {
        self.0.uri()
    }

    /// `GET`; a parameter may be given several times.
    pub(super) fn get(&self, path: &str, query: &[(&str, &str)]) -> Result<Value, CallError> {
        Ok(self.0.get(path, query)?)
    }

    /// `POST` of a call that only reads.
    pub(super) fn post(&self, path: &str, body: &Value) -> Result<Value, CallError> {
        Ok(self.0.send(Method::Post, path, body, Trying::Patiently)?)
    }

    /// The content of a file.
    pub(super) fn content(&self, path: &str, query: &[(&str, &str)]) -> Result<Content, CallError> {
        Ok(self.0.open(&format!("{path}{}", query_string(query)), None)?)
    }

    pub(super) fn error(&self, error: &CallError, what: &str) -> StoreError {
        let problem = match error {
            CallError::NotFound => format!("{what}: the server does not have it"),
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
            StoreError::Unreachable { problem, .. } | StoreError::NotMlflow { problem, .. } => {
                Self::Failed(problem)
            }
            other => Self::Failed(other.to_string()),
        }
    }
}
