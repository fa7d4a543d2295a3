//! Reading from an MLflow server: GET and POST with JSON answers, tried again where the server is busy.

use std::io::Read;
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::Value;
use ureq::Agent;
use ureq::http::header::AUTHORIZATION;

use crate::StoreError;

/// How often a call is tried.
const TRIES: u32 = 5;
/// How long is waited for the first bytes of an answer.
const PATIENCE: Duration = Duration::from_secs(60);
/// An answer that is longer is none of MLflow's.
const MAX_ANSWER_BYTES: u64 = 1 << 30;
const QUERY: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.').remove(b'~');

/// How a server knows who asks.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Credentials {
    /// It does not.
    #[default]
    None,
    /// By name and password.
    Basic {
        /// The name.
        user: String,
        /// The password.
        password: String,
    },
    /// By a token.
    Token(String),
}

impl Credentials {
    fn header(&self) -> Option<String> {
        match self {
            Self::None => None,
            Self::Basic { user, password } => {
                Some(format!("Basic {}", STANDARD.encode(format!("{user}:{password}"))))
            }
            Self::Token(token) => Some(format!("Bearer {token}")),
        }
    }
}

/// A server.
pub(super) struct Client {
    agent: Agent,
    address: String,
    authorization: Option<String>,
}

/// Why a call has no answer.
#[derive(Debug)]
pub(super) enum CallError {
    /// The server has nothing there, or does not know the call.
    NotFound,
    /// Anything else, in words.
    Failed(String),
}

impl Client {
    pub(super) fn new(address: &str, credentials: &Credentials) -> Self {
        let config = Agent::config_builder()
            .http_status_as_error(false)
            .timeout_connect(Some(Duration::from_secs(10)))
            .timeout_recv_response(Some(PATIENCE))
            .build();
        Self {
            agent: config.new_agent(),
            address: address.to_owned(),
            authorization: credentials.header(),
        }
    }

    pub(super) fn address(&self) -> &str {
        &self.address
    }

    /// `GET`; a parameter may be given several times.
    pub(super) fn get(&self, path: &str, query: &[(&str, &str)]) -> Result<Value, CallError> {
        let url = self.url(path, query);
        json(&call(|| {
            let mut request = self.agent.get(&url);
            if let Some(authorization) = &self.authorization {
                request = request.header(AUTHORIZATION, authorization);
            }
            request.call()
        })?)
    }

    /// `POST` of a call that only reads.
    pub(super) fn post(&self, path: &str, body: &Value) -> Result<Value, CallError> {
        let url = self.url(path, &[]);
        let text = body.to_string();
        json(&call(|| {
            let mut request = self.agent.post(&url).content_type("application/json");
            if let Some(authorization) = &self.authorization {
                request = request.header(AUTHORIZATION, authorization);
            }
            request.send(&text)
        })?)
    }

    /// The bytes of a file.
    pub(super) fn bytes(&self, path: &str, query: &[(&str, &str)]) -> Result<Vec<u8>, CallError> {
        let url = self.url(path, query);
        call(|| {
            let mut request = self.agent.get(&url);
            if let Some(authorization) = &self.authorization {
                request = request.header(AUTHORIZATION, authorization);
            }
            request.call()
        })
    }

    fn url(&self, path: &str, query: &[(&str, &str)]) -> String {
        let mut url = format!("{}{path}", self.address);
        for (idx, (key, value)) in query.iter().enumerate() {
            let sign = if idx == 0 { '?' } else { '&' };
            url += &format!("{sign}{key}={}", utf8_percent_encode(value, QUERY));
        }
        url
    }

    pub(super) fn error(&self, error: &CallError, what: &str) -> StoreError {
        let problem = match error {
            CallError::NotFound => format!("{what}: the server does not have it"),
            CallError::Failed(problem) => format!("{what}: {problem}"),
        };
        StoreError::Source { source_uri: self.address.clone(), problem }
    }
}

/// Sends a call, again where the server is busy or not there.
fn call(
    send: impl Fn() -> Result<ureq::http::Response<ureq::Body>, ureq::Error>,
) -> Result<Vec<u8>, CallError> {
    let mut pause = Duration::from_millis(200);
    let mut last = String::new();
    for attempt in 0..TRIES {
        if attempt > 0 {
            std::thread::sleep(pause);
            pause *= 2;
        }
        match send().map_err(|error| error.to_string()).and_then(read) {
            Ok((200, body)) => return Ok(body),
            Ok((404, _)) => return Err(CallError::NotFound),
            Ok((status, body)) => {
                last = answer(status, &body);
                // Busy or on the way up or down: everything else would fail again.
                if !matches!(status, 429 | 502 | 503 | 504) {
                    break;
                }
            }
            Err(problem) => last = problem,
        }
    }
    Err(CallError::Failed(last))
}

fn read(response: ureq::http::Response<ureq::Body>) -> Result<(u16, Vec<u8>), String> {
    let status = response.status().as_u16();
    let mut body = Vec::new();
    let mut reader = response.into_body().into_with_config().limit(MAX_ANSWER_BYTES).reader();
    reader.read_to_end(&mut body).map_err(|error| error.to_string())?;
    Ok((status, body))
}

fn json(body: &[u8]) -> Result<Value, CallError> {
    serde_json::from_slice(body).map_err(|_| {
        CallError::Failed(format!("the answer is no JSON: it begins with `{}`", shown(body)))
    })
}

/// An answer that is an error, in MLflow's words where it has some.
fn answer(status: u16, body: &[u8]) -> String {
    let told = serde_json::from_slice::<Value>(body).ok();
    let message = told.as_ref().and_then(|told| told.get("message")?.as_str());
    let hint = match status {
        401 | 403 => {
            " (set `MLFLOW_TRACKING_USERNAME` and `MLFLOW_TRACKING_PASSWORD`, or `MLFLOW_TRACKING_TOKEN`)"
        }
        _ => "",
    };
    format!("HTTP {status}: {}{hint}", message.map_or_else(|| shown(body), str::to_owned))
}

fn shown(body: &[u8]) -> String {
    String::from_utf8_lossy(&body[..body.len().min(120)])
        .chars()
        .filter(|c| !c.is_control())
        .collect()
}
