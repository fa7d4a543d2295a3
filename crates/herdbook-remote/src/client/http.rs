//! HTTP to an MLflow server: one agent, retries with back-off, and errors with MLflow's messages.

use std::fs::File;
use std::io::Seek;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use herdbook_store::{Notices, StoreError, waiting};
use serde::de::DeserializeOwned;
use serde_json::Value;
use ureq::http::Response;
use ureq::{Agent, Body};

use super::credentials::Access;
use super::failure::Failed;

const OK: u16 = 200;
pub(super) const PARTIAL_CONTENT: u16 = 206;
/// Maximum length of a JSON answer, in bytes: a page of runs may have hundreds of megabytes.
const ANSWER_LIMIT: u64 = 1 << 30;
/// Time limit for the retries of a server that has never answered this process: a wrong address should be reported soon.
const FIRST_CONTACT: Duration = Duration::from_secs(2);
/// Time limit for connecting.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
/// The wait before the first retry; each further one is twice as long.
pub(super) const FIRST_WAIT: Duration = Duration::from_millis(100);
const LONGEST_WAIT: Duration = Duration::from_secs(10);
/// Number of idle connections that are kept with TLS, because connecting is expensive. Without TLS none is: a stock server
/// (uvicorn with several workers) leaves Nagle's algorithm on and sends header and body of an answer in two writes. On a
/// kept connection the body waits 40 ms until the client's kernel acknowledges the header; on a new connection it
/// acknowledges at once. Median of one small call on one machine: 65 ms kept, 7 ms new. How the request is sent makes no
/// difference. `TCP_QUICKACK` before each read would save 1 ms more, but needs a transport of our own.
const KEPT_WITH_TLS: usize = 3;
/// Maximum number of retries after an internal error (500).
const BREAKDOWNS: u32 = 3;
/// The HTTP methods of MLflow's API.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Method {
    /// Reads.
    Get,
    /// Creates or changes.
    Post,
    /// Stores a file.
    Put,
    /// Deletes.
    Delete,
}

/// Whether a failed call is retried. Only calls that may be repeated use `Patiently`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Trying {
    /// One attempt: the caller decides about retries.
    Once,
    /// Until the server answers, at most as long as MLflow's own client would retry.
    Patiently,
}

/// A client of one MLflow server. Several threads may share it.
#[derive(Debug, Clone)]
pub struct Client {
    agent: Agent,
    /// The tracking URI without user and password, and without a slash at its end.
    base: String,
    authorization: Option<String>,
    pub(super) patience: Duration,
    /// Time limit for the first answer.
    first_answer: Duration,
    notices: Notices,
    /// Whether the server has answered this process.
    has_answered: Arc<AtomicBool>,
    /// Whether the server did not answer a GraphQL query.
    pub(super) lacks_graphql: Arc<AtomicBool>,
}

/// One call.
pub(super) struct Call<'a> {
    pub(super) method: Method,
    pub(super) url: String,
    /// The value of the header `Range`.
    pub(super) range: Option<String>,
    pub(super) content_type: &'a str,
    pub(super) body: Payload<'a>,
}

/// The body of a call.
#[derive(Clone, Copy)]
pub(super) enum Payload<'a> {
    Bytes(&'a [u8]),
    /// A file, sent from its beginning.
    File(&'a File),
}

impl Call<'_> {
    /// A call that reads.
    pub(super) fn get(url: String) -> Self {
        Self { method: Method::Get, url, range: None, content_type: "", body: Payload::Bytes(&[]) }
    }
}

impl Client {
    /// A client; nothing is sent yet.
    pub fn new(access: Access) -> Self {
        let n_kept = if access.base.starts_with("https:") { KEPT_WITH_TLS } else { 0 };
        let config = Agent::config_builder()
            .http_status_as_error(false)
            .max_redirects(0)
            .max_redirects_will_error(false)
            .max_idle_connections(n_kept)
            .timeout_connect(Some(CONNECT_TIMEOUT))
            .timeout_per_read(Some(access.timeout))
            .timeout_per_write(Some(access.timeout))
            .user_agent(concat!("herdbook/", env!("CARGO_PKG_VERSION")))
            .tls_config(access.tls)
            .build();
        Self {
            agent: config.new_agent(),
            base: access.base,
            authorization: access.authorization,
            patience: access.patience,
            first_answer: access.first_answer,
            notices: access.notices,
            has_answered: Arc::default(),
            lacks_graphql: Arc::default(),
        }
    }

    /// The tracking URI, without user and password.
    pub fn uri(&self) -> &str {
        &self.base
    }

    /// Sends a `GET` request, with retries.
    ///
    /// # Errors
    /// [`StoreError::Unreachable`], [`StoreError::ServerRefused`], [`StoreError::NotMlflow`]: those of every call.
    pub fn get<T: DeserializeOwned>(
        &self,
        endpoint: &str,
        query: &[(&str, &str)],
    ) -> Result<T, StoreError> {
        self.get_trying(endpoint, query, Trying::Patiently)
    }

    /// As [`Client::get`], with or without retries.
    ///
    /// # Errors
    /// As [`Client::get`].
    pub fn get_trying<T: DeserializeOwned>(
        &self,
        endpoint: &str,
        query: &[(&str, &str)],
        trying: Trying,
    ) -> Result<T, StoreError> {
        let url = format!("{}{}{}", self.base, endpoint, query_string(query));
        self.json(endpoint, &Call::get(url), trying)
    }

    /// Sends JSON.
    ///
    /// # Errors
    /// As [`Client::get`].
    pub fn send<T: DeserializeOwned>(
        &self,
        method: Method,
        endpoint: &str,
        body: &Value,
        trying: Trying,
    ) -> Result<T, StoreError> {
        let bytes = body.to_string();
        let call = Call {
            method,
            url: format!("{}{endpoint}", self.base),
            range: None,
            content_type: "application/json",
            body: Payload::Bytes(bytes.as_bytes()),
        };
        self.json(endpoint, &call, trying)
    }

    /// Creates a record that must not be created twice: if the answer is lost, searches for the record before the next
    /// attempt. Has the same time limit as other calls.
    ///
    /// # Errors
    /// Those of `make` and `find`.
    pub fn until_known<T>(
        &self,
        make: impl Fn() -> Result<T, StoreError>,
        find: impl Fn() -> Result<Option<T>, StoreError>,
    ) -> Result<T, StoreError> {
        let began = Instant::now();
        let mut wait = FIRST_WAIT;
        loop {
            let error = match make() {
                Err(error @ StoreError::Unreachable { .. }) => error,
                outcome => return outcome,
            };
            // Retries until the server answers, or fails.
            if let Some(found) = find()? {
                return Ok(found);
            }
            if began.elapsed() + wait > self.patience {
                return Err(error);
            }
            std::thread::sleep(wait);
            wait = (wait * 2).min(LONGEST_WAIT);
        }
    }

    pub(super) fn absolute(&self, url: &str) -> String {
        if url.starts_with('/') { format!("{}{url}", self.base) } else { url.to_owned() }
    }

    fn json<T: DeserializeOwned>(
        &self,
        endpoint: &str,
        call: &Call<'_>,
        trying: Trying,
    ) -> Result<T, StoreError> {
        let bytes = self.until_answered(call, trying, whole)?;
        let text = if bytes.is_empty() { b"{}".as_slice() } else { &bytes };
        serde_json::from_slice(text).map_err(|error| StoreError::NotMlflow {
            store: self.base.clone(),
            problem: format!("the answer to `{endpoint}` cannot be parsed ({error})"),
        })
    }

    /// Retries a call until it succeeds or a retry is of no use. `read` reads the answer; if it fails, the connection
    /// broke.
    pub(super) fn until_answered<T>(
        &self,
        call: &Call<'_>,
        trying: Trying,
        read: impl Fn(Response<Body>) -> Result<T, ureq::Error>,
    ) -> Result<T, StoreError> {
        let began = Instant::now();
        let (mut wait, mut breakdowns) = (FIRST_WAIT, 0);
        let has_answered = || self.has_answered.load(Ordering::Relaxed);
        let _waiting = (!has_answered()).then(|| waiting::announce(&self.notices, &self.base));
        loop {
            let mut is_listening = true;
            let limit =
                (!has_answered()).then(|| self.first_answer.saturating_sub(began.elapsed()));
            let answered = self.once(call, limit).and_then(|answer| {
                read(answer).map_err(|error| Failed::without_answer(error, &self.base))
            });
            let (error, may_help) = match answered {
                Ok(answer) => {
                    self.has_answered.store(true, Ordering::Relaxed);
                    return Ok(answer);
                }
                Err(Failed::NotConnected(problem)) => {
                    is_listening = false;
                    (self.unreachable(problem), true)
                }
                Err(Failed::Temporarily(problem)) => (self.unreachable(problem), true),
                Err(Failed::Breakdown(error)) => {
                    breakdowns += 1;
                    (error, breakdowns <= BREAKDOWNS)
                }
                Err(Failed::Finally(error)) => (error, false),
            };
            let patience = match (has_answered(), is_listening) {
                (true, _) => self.patience,
                (false, true) => self.patience.min(self.first_answer),
                (false, false) => self.patience.min(FIRST_CONTACT),
            };
            if trying == Trying::Once || !may_help || began.elapsed() + wait > patience {
                return Err(error);
            }
            std::thread::sleep(wait);
            wait = (wait * 2).min(LONGEST_WAIT);
        }
    }

    /// Calls once, with a time limit from connecting to the end of the answer if there is one.
    fn once(&self, call: &Call<'_>, limit: Option<Duration>) -> Result<Response<Body>, Failed> {
        let answer = self
            .answer_to(call, limit)
            .map_err(|error| Failed::without_answer(error, &self.base))?;
        let status = answer.status().as_u16();
        if [OK, PARTIAL_CONTENT].contains(&status) {
            return Ok(answer);
        }
        let body = whole(answer).map_err(|error| Failed::Temporarily(error.to_string()))?;
        let endpoint = call.url.strip_prefix(&self.base).unwrap_or(&call.url);
        let endpoint = endpoint.split('?').next().unwrap_or_default();
        Err(Failed::with_status(status, &body, endpoint, &self.base))
    }

    fn answer_to(
        &self,
        call: &Call<'_>,
        limit: Option<Duration>,
    ) -> Result<Response<Body>, ureq::Error> {
        let (url, kind) = (call.url.as_str(), call.content_type);
        let (name, value) = ("Authorization", self.authorization.as_deref());
        macro_rules! with_headers {
            ($request:expr) => {{
                let mut request = $request.config().timeout_global(limit).build();
                if let Some(value) = value {
                    request = request.header(name, value);
                }
                if let Some(range) = &call.range {
                    request = request.header("Range", range);
                }
                request
            }};
        }
        macro_rules! send {
            ($request:expr) => {{
                let request = with_headers!($request).content_type(kind);
                match call.body {
                    Payload::Bytes(bytes) => request.send(bytes),
                    Payload::File(mut file) => {
                        file.rewind()?;
                        request.send(file)
                    }
                }
            }};
        }
        match call.method {
            Method::Get => with_headers!(self.agent.get(url)).call(),
            Method::Post => send!(self.agent.post(url)),
            Method::Put => send!(self.agent.put(url)),
            Method::Delete => send!(self.agent.delete(url).force_send_body()),
        }
    }

    pub(super) fn unreachable(&self, problem: String) -> StoreError {
        StoreError::Unreachable { store: self.base.clone(), problem }
    }
}

/// The body of an answer.
pub(super) fn whole(mut answer: Response<Body>) -> Result<Vec<u8>, ureq::Error> {
    answer.body_mut().with_config().limit(ANSWER_LIMIT).read_to_vec()
}

/// The query part of a URL; a key may occur several times.
pub fn query_string(query: &[(&str, &str)]) -> String {
    let mut text = String::new();
    for (key, value) in query {
        text.push(if text.is_empty() { '?' } else { '&' });
        let value =
            percent_encoding::utf8_percent_encode(value, percent_encoding::NON_ALPHANUMERIC);
        text.push_str(&format!("{key}={value}"));
    }
    text
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;

    use super::*;

    #[test]
    fn host_that_accepts_and_stays_silent_is_given_up() {
        let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
        let client = Client::new(Access {
            base: format!("http://{}", listener.local_addr().unwrap()),
            authorization: None,
            tls: ureq::tls::TlsConfig::default(),
            timeout: Duration::from_secs(120),
            patience: Duration::from_secs(240),
            first_answer: Duration::from_millis(300),
            notices: Notices::default(),
        });
        let error = client.get::<Value>("/any", &[]).unwrap_err();
        assert!(
            matches!(&error, StoreError::Unreachable { problem, .. } if problem.contains("no answer")),
            "{error}"
        );
    }
}
