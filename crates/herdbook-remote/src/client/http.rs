//! HTTP to an MLflow server: one agent, retries with back-off, errors in MLflow's words.

use std::fs::File;
use std::io::{ErrorKind, Read, Seek};
use std::ops::Range;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use herdbook_store::{Content, StoreError, uri_without_secrets, waiting};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::Value;
use ureq::http::Response;
use ureq::{Agent, Body};

use super::credentials::Access;

const OK: u16 = 200;
const PARTIAL_CONTENT: u16 = 206;
/// The longest JSON answer that is read, in bytes: a page of runs may have hundreds of megabytes.
const ANSWER_LIMIT: u64 = 1 << 30;
/// How long an address is retried at which nobody has answered this process: a wrong address should be reported soon.
const FIRST_CONTACT: Duration = Duration::from_secs(2);
/// How long the first answer of a server may take.
const FIRST_ANSWER: Duration = Duration::from_secs(15);
/// How long looking up the name of a host, and how long connecting to it may take.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// The wait before the first retry; each following one is twice as long.
const FIRST_WAIT: Duration = Duration::from_millis(100);
const LONGEST_WAIT: Duration = Duration::from_secs(10);
/// How many idle connections are kept with TLS, where connecting is expensive. Without TLS none is: a stock server
/// (uvicorn with several workers) leaves Nagle's algorithm on and sends head and body of an answer in two writes. On a
/// kept connection the body waits 40 ms until the client's kernel acknowledges the head; on a new connection it
/// acknowledges at once. Median of one small call on one machine: 65 ms kept, 7 ms new. How the request is sent makes no
/// difference. `TCP_QUICKACK` before each read would save 1 ms more, but needs a transport of our own.
const KEPT_WITH_TLS: usize = 3;
/// How often a call is retried that the server answers with an internal error (500).
const BREAKDOWNS: u32 = 3;
/// Parts of MLflow's message (3.17, status 400, with the error of its database) where two callers set or removed the same
/// row at once: MLflow looks for the row and then inserts or updates it. A retry sees the new state. In turn: `SQLite` and
/// `MySQL`, PostgreSQL, a row that was removed before its update.
const LOST_RACES: [&str; 3] = ["IntegrityError", "UniqueViolation", "0 were matched"];
/// Part of `SQLAlchemy`'s message (2.0, status 400 from MLflow) where no connection to the database became free in time.
const TOO_MANY: &str = "QueuePool limit of size";

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
    /// One try: the caller decides about retries.
    Once,
    /// Until the server answers, at most as long as MLflow's own client would retry.
    Patiently,
}

/// A connection to one MLflow server; cheap calls may come from several threads.
#[derive(Debug)]
pub struct Client {
    agent: Agent,
    /// The tracking URI without user and password, and without a slash at its end.
    base: String,
    authorization: Option<String>,
    timeout: Duration,
    patience: Duration,
    /// Whether the server has answered this process.
    has_answered: AtomicBool,
}

/// One call under way.
struct Call<'a> {
    method: Method,
    url: String,
    /// The value of the header `Range`.
    range: Option<String>,
    content_type: &'a str,
    body: Payload<'a>,
}

/// The body of a call.
#[derive(Clone, Copy)]
enum Payload<'a> {
    Bytes(&'a [u8]),
    /// A file, from its beginning.
    File(&'a File),
}

impl<'a> Call<'a> {
    /// A call that reads.
    fn get(url: String) -> Self {
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
            .timeout_resolve(Some(CONNECT_TIMEOUT))
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
            timeout: access.timeout,
            patience: access.patience,
            has_answered: AtomicBool::new(false),
        }
    }

    /// The tracking URI, without user and password.
    pub fn uri(&self) -> &str {
        &self.base
    }

    /// Reads something, with retries.
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

    /// Opens a file, or a range of its bytes, as a stream. Where the connection breaks later, reading fails.
    ///
    /// # Errors
    /// As [`Client::get`].
    pub fn open(&self, url: &str, range: Option<Range<u64>>) -> Result<Content, StoreError> {
        let mut call = Call::get(self.absolute(url));
        if let Some(range) = &range {
            if range.is_empty() {
                return Ok(Box::new(std::io::empty()));
            }
            call.range = Some(format!("bytes={}-{}", range.start, range.end - 1));
        }
        let answer = self.until_answered(&call, Trying::Patiently, Ok)?;
        let is_part = answer.status().as_u16() == PARTIAL_CONTENT;
        let mut content = answer.into_body().into_with_config().limit(u64::MAX).reader();
        match range {
            // A server may ignore the range; stock MLflow does.
            Some(range) if !is_part => {
                let skipped =
                    std::io::copy(&mut (&mut content).take(range.start), &mut std::io::sink());
                skipped.map_err(|error| self.unreachable(error.to_string()))?;
                Ok(Box::new(content.take(range.end - range.start)))
            }
            _ => Ok(Box::new(content)),
        }
    }

    /// Stores a small file; it may be repeated.
    ///
    /// # Errors
    /// As [`Client::get`].
    pub fn upload(&self, url: &str, bytes: &[u8]) -> Result<(), StoreError> {
        self.put(url, Payload::Bytes(bytes))
    }

    /// Stores the content of a local file, from its beginning.
    ///
    /// # Errors
    /// As [`Client::get`].
    pub fn upload_file(&self, url: &str, file: &File) -> Result<(), StoreError> {
        self.put(url, Payload::File(file))
    }

    fn put(&self, url: &str, body: Payload<'_>) -> Result<(), StoreError> {
        let call = Call {
            method: Method::Put,
            url: self.absolute(url),
            range: None,
            content_type: "application/octet-stream",
            body,
        };
        self.until_answered(&call, Trying::Patiently, whole).map(drop)
    }

    /// Creates something that must not be created twice: where the answer is lost, it is searched for before the next
    /// try. Retries as long as any call.
    ///
    /// # Errors
    /// Those of `make` and `find`.
    pub fn until_known<T>(
        &self,
        make: impl Fn() -> Result<T, StoreError>,
        find: impl Fn() -> Result<Option<T>, StoreError>,
    ) -> Result<T, StoreError> {
        let began = Instant::now();
        let (mut wait, mut is_announced) = (FIRST_WAIT, false);
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
            if began.elapsed() > waiting::SILENT && !is_announced {
                is_announced = true;
                self.announce(&error, self.patience);
            }
            std::thread::sleep(wait);
            wait = (wait * 2).min(LONGEST_WAIT);
        }
    }

    fn absolute(&self, url: &str) -> String {
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
            store: self.shown(),
            problem: format!("its answer to `{endpoint}` cannot be read ({error})"),
        })
    }

    /// Retries a call until it succeeds or a retry is of no use. `read` reads the answer; where it fails, the connection
    /// broke.
    fn until_answered<T>(
        &self,
        call: &Call<'_>,
        trying: Trying,
        read: impl Fn(Response<Body>) -> Result<T, ureq::Error>,
    ) -> Result<T, StoreError> {
        let began = Instant::now();
        let (mut wait, mut breakdowns, mut is_announced) = (FIRST_WAIT, 0, false);
        loop {
            let _watch = (!self.has_answered.load(Ordering::Relaxed)).then(|| {
                waiting::Watch::begin(format!("waiting for `{}` to answer", self.shown()))
            });
            let answered = self.once(call).and_then(|answer| {
                read(answer).map_err(|error| Failed::Temporarily(error.to_string()))
            });
            let (error, may_help) = match answered {
                Ok(answer) => return Ok(answer),
                Err(Failed::Temporarily(problem)) => (self.unreachable(problem), true),
                Err(Failed::Breakdown(error)) => {
                    breakdowns += 1;
                    (error, breakdowns <= BREAKDOWNS)
                }
                Err(Failed::Finally(error)) => (error, false),
            };
            let patience = self.patience_now();
            if trying == Trying::Once || !may_help || began.elapsed() + wait > patience {
                return Err(error);
            }
            if began.elapsed() > waiting::SILENT && !is_announced {
                is_announced = true;
                self.announce(&error, patience);
            }
            std::thread::sleep(wait);
            wait = (wait * 2).min(LONGEST_WAIT);
        }
    }

    fn once(&self, call: &Call<'_>) -> Result<Response<Body>, Failed> {
        let answer = self.answer_to(call).map_err(|error| match error {
            ureq::Error::Rustls(_) | ureq::Error::Tls(_) | ureq::Error::Pem(_) => {
                Failed::Finally(self.unreachable(format!(
                    "{error}: name the certificate that signed the server's with \
                     MLFLOW_TRACKING_SERVER_CERT_PATH"
                )))
            }
            ureq::Error::Io(inner) if inner.kind() == ErrorKind::ConnectionRefused => {
                Failed::Temporarily("nobody listens there".to_owned())
            }
            ureq::Error::HostNotFound => Failed::Temporarily("there is no such host".to_owned()),
            ureq::Error::BadUri(_) | ureq::Error::Http(_) => {
                Failed::Finally(self.unreachable(error.to_string()))
            }
            // rustls reports some of its errors as errors of the socket.
            ureq::Error::Io(inner) if inner.to_string().contains("certificate") => {
                Failed::Finally(self.unreachable(format!(
                    "{inner}: name the certificate that signed the server's with \
                     MLFLOW_TRACKING_SERVER_CERT_PATH"
                )))
            }
            error => Failed::Temporarily(error.to_string()),
        })?;
        self.has_answered.store(true, Ordering::Relaxed);
        let status = answer.status().as_u16();
        if [OK, PARTIAL_CONTENT].contains(&status) {
            return Ok(answer);
        }
        let bytes = whole(answer).map_err(|error| Failed::Temporarily(error.to_string()))?;
        match status {
            408 | 429 | 502..=504 => {
                Err(Failed::Temporarily(format!("it answers with status {status}")))
            }
            500 => Err(Failed::Breakdown(self.answered(call, status, &bytes))),
            _ => {
                let error = self.answered(call, status, &bytes);
                let says = |words: &str| {
                    matches!(&error, StoreError::ServerRefused { status: 400, message, .. }
                        if message.contains(words))
                };
                Err(if says(TOO_MANY) {
                    Failed::Temporarily("its connections to its database are all in use".to_owned())
                } else if LOST_RACES.into_iter().any(says) {
                    Failed::Breakdown(error)
                } else {
                    Failed::Finally(error)
                })
            }
        }
    }

    fn answer_to(&self, call: &Call<'_>) -> Result<Response<Body>, ureq::Error> {
        let (url, kind) = (call.url.as_str(), call.content_type);
        let (name, value) = ("Authorization", self.authorization.as_deref());
        macro_rules! with_headers {
            ($request:expr) => {{
                let mut request = $request;
                if !self.has_answered.load(Ordering::Relaxed) {
                    let limit = FIRST_ANSWER.min(self.timeout);
                    request = request.config().timeout_recv_response(Some(limit)).build();
                }
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

    /// How long a call is retried: only shortly before the first answer.
    fn patience_now(&self) -> Duration {
        if self.has_answered.load(Ordering::Relaxed) {
            self.patience
        } else {
            self.patience.min(FIRST_CONTACT)
        }
    }

    fn announce(&self, error: &StoreError, patience: Duration) {
        waiting::announce(&format!("{error}; trying again for up to {} s", patience.as_secs()));
    }

    /// The tracking URI as it may be shown.
    fn shown(&self) -> String {
        uri_without_secrets(&self.base)
    }

    fn unreachable(&self, problem: String) -> StoreError {
        StoreError::Unreachable { store: self.shown(), problem }
    }

    fn answered(&self, call: &Call<'_>, status: u16, bytes: &[u8]) -> StoreError {
        let wire: WireError = serde_json::from_slice(bytes).unwrap_or_default();
        let endpoint = call.url.strip_prefix(&self.base).unwrap_or(&call.url);
        let endpoint = endpoint.split('?').next().unwrap_or_default().to_owned();
        StoreError::ServerRefused {
            store: self.shown(),
            endpoint,
            status,
            code: wire.error_code,
            message: wire.message,
        }
    }
}

/// The body of an answer.
fn whole(mut answer: Response<Body>) -> Result<Vec<u8>, ureq::Error> {
    answer.body_mut().with_config().limit(ANSWER_LIMIT).read_to_vec()
}

/// Why a call failed.
enum Failed {
    /// There is no connection, it broke, or the server asks to retry.
    Temporarily(String),
    /// An internal error of the server, or a conflict with another caller: retried a few times.
    Breakdown(StoreError),
    /// A retry is of no use.
    Finally(StoreError),
}

/// An error as MLflow sends it; proxies in between send something else.
#[derive(Default, Deserialize)]
struct WireError {
    #[serde(default)]
    error_code: String,
    #[serde(default)]
    message: String,
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
