//! Failed calls: whether a retry may help, and the error for the caller.

use std::io::ErrorKind;

use herdbook_store::StoreError;
use serde::Deserialize;

/// Parts of MLflow's message (3.17, status 400, with the error of its database) if two callers set or removed the same
/// row at once: MLflow looks for the row and then inserts or updates it. A retry sees the new state. In turn: `SQLite` and
/// `MySQL`, PostgreSQL, a row that was removed before its update.
const LOST_RACES: [&str; 3] = ["IntegrityError", "UniqueViolation", "0 were matched"];
/// Part of `SQLAlchemy`'s message (2.0, status 400 from MLflow) if no connection to the database became free in time.
const TOO_MANY: &str = "QueuePool limit of size";

/// Part of the message of the standard library if a host has no address.
const LOOKUP_FAILED: &str = "failed to lookup address information";

/// Why a call failed.
pub(super) enum Failed {
    /// No connection: the call did not reach the server. It is retried.
    NotConnected(String),
    /// The connection broke, or the server asks for a retry. The call is retried.
    Temporarily(String),
    /// An internal error of the server, or a conflict with another caller: retried a few times.
    Breakdown(StoreError),
    /// A retry is of no use.
    Finally(StoreError),
}

impl Failed {
    /// A call to the server at `base` that got no answer.
    pub(super) fn without_answer(error: ureq::Error, base: &str) -> Self {
        let unreachable = |problem| StoreError::Unreachable { store: base.to_owned(), problem };
        let untrusted = |problem: String| {
            Self::Finally(unreachable(format!(
                "{problem}: set MLFLOW_TRACKING_SERVER_CERT_PATH to the certificate that signed \
                 the server's"
            )))
        };
        match error {
            ureq::Error::Rustls(_) | ureq::Error::Tls(_) | ureq::Error::Pem(_) => {
                untrusted(error.to_string())
            }
            ureq::Error::Io(inner) if inner.kind() == ErrorKind::ConnectionRefused => {
                Self::NotConnected("connection refused".to_owned())
            }
            ureq::Error::HostNotFound => Self::NotConnected("host not found".to_owned()),
            // The standard library has no kind of error for this.
            ureq::Error::Io(inner) if inner.to_string().contains(LOOKUP_FAILED) => {
                Self::NotConnected("host not found".to_owned())
            }
            ureq::Error::Timeout(ureq::Timeout::Global) => Self::Temporarily(
                "it gave no answer in time: check that it is an MLflow server".to_owned(),
            ),
            error if is_about_connecting(&error) => Self::NotConnected(error.to_string()),
            ureq::Error::BadUri(_) | ureq::Error::Http(_) => {
                Self::Finally(unreachable(error.to_string()))
            }
            // rustls reports some of its errors as errors of the socket.
            ureq::Error::Io(inner) if inner.to_string().contains("certificate") => {
                untrusted(inner.to_string())
            }
            error => Self::Temporarily(error.to_string()),
        }
    }

    /// A call of an endpoint that the server at `base` answered with an error's status.
    pub(super) fn with_status(status: u16, body: &[u8], endpoint: &str, base: &str) -> Self {
        let WireError { error_code, message } = serde_json::from_slice(body).unwrap_or_default();
        let says = |words: &str| status == 400 && message.contains(words);
        let is_overloaded = says(TOO_MANY);
        let is_lost_race = LOST_RACES.into_iter().any(says);
        let error = StoreError::ServerRefused {
            store: base.to_owned(),
            endpoint: endpoint.to_owned(),
            status,
            code: error_code,
            message,
        };
        match status {
            408 | 429 | 502..=504 => {
                Self::Temporarily(format!("the server answered with status {status}"))
            }
            500 => Self::Breakdown(error),
            _ if is_overloaded => {
                Self::Temporarily("all of the server's database connections are in use".to_owned())
            }
            _ if is_lost_race => Self::Breakdown(error),
            _ => Self::Finally(error),
        }
    }
}

/// Whether connecting failed.
fn is_about_connecting(error: &ureq::Error) -> bool {
    match error {
        ureq::Error::ConnectionFailed | ureq::Error::Timeout(ureq::Timeout::Connect) => true,
        ureq::Error::Io(error) => {
            matches!(error.kind(), ErrorKind::HostUnreachable | ErrorKind::NetworkUnreachable)
        }
        _ => false,
    }
}

/// An error as MLflow sends it. A proxy may send something else: then the fields are empty.
#[derive(Default, Deserialize)]
struct WireError {
    #[serde(default)]
    error_code: String,
    #[serde(default)]
    message: String,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn status_and_message_decide_about_retries() {
        let failed = |status, message: &str| {
            let body = format!(r#"{{"error_code":"BAD_REQUEST","message":"{message}"}}"#);
            Failed::with_status(status, body.as_bytes(), "/runs/set-tag", "http://h")
        };
        let race = "(sqlite3.IntegrityError) UNIQUE constraint failed";
        assert!(matches!(failed(503, ""), Failed::Temporarily(_)));
        assert!(matches!(failed(400, "QueuePool limit of size 5 reached"), Failed::Temporarily(_)));
        assert!(matches!(failed(500, ""), Failed::Breakdown(_)));
        assert!(matches!(failed(400, race), Failed::Breakdown(_)));
        assert!(matches!(failed(403, race), Failed::Finally(_)));
        assert!(matches!(failed(404, "no such run"), Failed::Finally(_)));
    }
}
