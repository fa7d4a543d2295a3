//! HTTP to an MLflow server: one agent, retries with back-off, errors as MLflow words them.

use std::fs::File;
use std::io::{ErrorKind, Read, Seek};
use std::ops::Range;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use herdbook_store::{Content, StoreError};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::Value;
use ureq::http::Response;
use ureq::{Agent, Body};

use super::credentials::Access;

const OK: u16 = 200;
const PARTIAL_CONTENT: u16 = 206;
/// The longest JSON answer that is read: a page of runs is a few MB.
const ANSWER_LIMIT: u64 = 1 << 30;
/// How long an address is tried where nobody ever was: a wrong one should be told at once.
const FIRST_CONTACT: Duration = Duration::from_secs(2);
/// How long a connection may take to be made.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
/// The first wait before a call is made again; each following one is twice as long.
const FIRST_WAIT: Duration = Duration::from_millis(100);
const LONGEST_WAIT: Duration = Duration::from_secs(10);
/// How many connections are kept where TLS makes them dear. Without it none are: a stock server (uvicorn with several
/// workers) leaves Nagle's algorithm on and sends head and body apart, so on a kept connection each answer waits 40 ms
/// for an acknowledgement that the kernel delays; on a new one acknowledgements come at once.
const KEPT_WITH_TLS: usize = 3;
/// How often a call is made again that a server answers with its own breakdown (500): it seldom helps.
const BREAKDOWNS: u32 = 3;
/// In MLflow's words (3.17, status 400, the text of its database): two callers set or removed the same row at once.
/// Its "set" looks whether the row is there and then inserts or updates it; made again, the call sees what became of it.
/// In turn: `SQLite` and `MySQL`, PostgreSQL, a row that vanished under an update.
const LOST_RACES: [&str; 3] = ["IntegrityError", "UniqueViolation", "0 were matched"];
/// In `SQLAlchemy`'s words (2.0, status 400 from MLflow): none of the connections to the database came free in time.
const TOO_MANY: &str = "QueuePool limit of size";

/// The methods MLflow uses.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Method {
    Get,
    Post,
    Put,
    Delete,
}

/// Whether a call that got no good answer is made again. Only calls that may be repeated are given `Patiently`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Trying {
    /// One try: the caller knows better when to try again.
    Once,
    /// Until the server is back, or MLflow's own client would give up.
    Patiently,
}

/// A server that is spoken to.
#[derive(Debug)]
pub struct Client {
    agent: Agent,
    /// The tracking URI without user and password, and without a slash at its end.
    base: String,
    authorization: Option<String>,
    patience: Duration,
    /// Whether it ever answered.
    met: AtomicBool,
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

/// What a call sends along.
#[derive(Clone, Copy)]
enum Payload<'a> {
    Bytes(&'a [u8]),
    /// From its beginning.
    File(&'a File),
}

impl<'a> Call<'a> {
    /// A call that only asks.
    fn get(url: String) -> Self {
        Self { method: Method::Get, url, range: None, content_type: "", body: Payload::Bytes(&[]) }
    }
}

impl Client {
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
            met: AtomicBool::new(false),
        }
    }

    /// The tracking URI, without what is secret in it.
    pub fn uri(&self) -> &str {
        &self.base
    }

    /// Asks for something. Repeated as long as it makes sense: asking changes nothing.
    pub fn get<T: DeserializeOwned>(
        &self,
        endpoint: &str,
        query: &[(&str, &str)],
    ) -> Result<T, StoreError> {
        self.get_trying(endpoint, query, Trying::Patiently)
    }

    /// As [`Client::get`], where the caller may know better when to ask again.
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

    /// Opens a file, or a range of its bytes, as a stream. A stream that breaks off is an error of its reader.
    ///
    /// # Errors
    /// As for every call: [`StoreError::Unreachable`], [`StoreError::ServerRefused`], [`StoreError::NotMlflow`].
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
            // A server may send all for a part; stock MLflow does.
            Some(range) if !is_part => {
                let skipped =
                    std::io::copy(&mut (&mut content).take(range.start), &mut std::io::sink());
                skipped.map_err(|error| self.unreachable(error.to_string()))?;
                Ok(Box::new(content.take(range.end - range.start)))
            }
            _ => Ok(Box::new(content)),
        }
    }

    /// Stores a small file. The same bytes again are the same file.
    ///
    /// # Errors
    /// As for every call.
    pub fn upload(&self, url: &str, bytes: &[u8]) -> Result<(), StoreError> {
        self.put(url, Payload::Bytes(bytes))
    }

    /// Stores the content of a local file, from its beginning.
    ///
    /// # Errors
    /// As for every call.
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

    /// Makes something that is not to be made twice: after a lost answer it is looked for first. As long as a call is
    /// made again.
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
            // Waits until the server is back, or fails.
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
            store: self.base.clone(),
            problem: format!("its answer to `{endpoint}` cannot be read ({error})"),
        })
    }

    /// Makes a call until it has a good answer, or it is of no use to make it again. `read` takes what is needed from the
    /// answer; where it fails, the connection broke.
    fn until_answered<T>(
        &self,
        call: &Call<'_>,
        trying: Trying,
        read: impl Fn(Response<Body>) -> Result<T, ureq::Error>,
    ) -> Result<T, StoreError> {
        let began = Instant::now();
        let (mut wait, mut breakdowns) = (FIRST_WAIT, 0);
        loop {
            let mut is_somebody = true;
            let answered = self
                .once(call)
                .and_then(|answer| read(answer).map_err(|error| Failed::ForNow(error.to_string())));
            let (error, may_help) = match answered {
                Ok(answer) => return Ok(answer),
                Err(Failed::Nobody(problem)) => {
                    is_somebody = false;
                    (self.unreachable(problem), true)
                }
                Err(Failed::ForNow(problem)) => (self.unreachable(problem), true),
                Err(Failed::Breakdown(error)) => {
                    breakdowns += 1;
                    (error, breakdowns <= BREAKDOWNS)
                }
                Err(Failed::Answered(error)) => (error, false),
            };
            let is_known = is_somebody || self.met.load(Ordering::Relaxed);
            let patience = if is_known { self.patience } else { self.patience.min(FIRST_CONTACT) };
            if trying == Trying::Once || !may_help || began.elapsed() + wait > patience {
                return Err(error);
            }
            std::thread::sleep(wait);
            wait = (wait * 2).min(LONGEST_WAIT);
        }
    }

    fn once(&self, call: &Call<'_>) -> Result<Response<Body>, Failed> {
        let answer = self.answer_to(call).map_err(|error| match error {
            ureq::Error::Rustls(_) | ureq::Error::Tls(_) | ureq::Error::Pem(_) => {
                Failed::Answered(self.unreachable(format!(
                    "{error}: name the certificate that signed the server's with \
                     MLFLOW_TRACKING_SERVER_CERT_PATH"
                )))
            }
            ureq::Error::Io(inner) if inner.kind() == ErrorKind::ConnectionRefused => {
                Failed::Nobody("nobody listens there".to_owned())
            }
            ureq::Error::HostNotFound => Failed::Nobody("there is no such host".to_owned()),
            error if is_about_connecting(&error) => Failed::Nobody(error.to_string()),
            ureq::Error::BadUri(_) | ureq::Error::Http(_) => {
                Failed::Answered(self.unreachable(error.to_string()))
            }
            // rustls hands its errors through the socket's.
            ureq::Error::Io(inner) if inner.to_string().contains("certificate") => {
                Failed::Answered(self.unreachable(format!(
                    "{inner}: name the certificate that signed the server's with \
                     MLFLOW_TRACKING_SERVER_CERT_PATH"
                )))
            }
            error => Failed::ForNow(error.to_string()),
        })?;
        let status = answer.status().as_u16();
        if [OK, PARTIAL_CONTENT].contains(&status) {
            self.met.store(true, Ordering::Relaxed);
            return Ok(answer);
        }
        let bytes = whole(answer).map_err(|error| Failed::ForNow(error.to_string()))?;
        match status {
            408 | 429 | 502..=504 => {
                Err(Failed::ForNow(format!("it answers with status {status}")))
            }
            500 => Err(Failed::Breakdown(self.answered(call, status, &bytes))),
            _ => {
                let error = self.answered(call, status, &bytes);
                let says = |words: &str| {
                    matches!(&error, StoreError::ServerRefused { status: 400, message, .. }
                        if message.contains(words))
                };
                Err(if says(TOO_MANY) {
                    Failed::ForNow("its connections to its database are all in use".to_owned())
                } else if LOST_RACES.into_iter().any(says) {
                    Failed::Breakdown(error)
                } else {
                    Failed::Answered(error)
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

    fn unreachable(&self, problem: String) -> StoreError {
        StoreError::Unreachable { store: self.base.clone(), problem }
    }

    fn answered(&self, call: &Call<'_>, status: u16, bytes: &[u8]) -> StoreError {
        let wire: WireError = serde_json::from_slice(bytes).unwrap_or_default();
        let endpoint = call.url.strip_prefix(&self.base).unwrap_or(&call.url);
        let endpoint = endpoint.split('?').next().unwrap_or_default().to_owned();
        StoreError::ServerRefused {
            store: self.base.clone(),
            endpoint,
            status,
            code: wire.error_code,
            message: wire.message,
        }
    }
}

/// Reads an answer to its end.
fn whole(mut answer: Response<Body>) -> Result<Vec<u8>, ureq::Error> {
    answer.body_mut().with_config().limit(ANSWER_LIMIT).read_to_vec()
}

/// Why a call got no good answer.
enum Failed {
    /// Nobody is there.
    Nobody(String),
    /// The connection broke, or the server asks to come again.
    ForNow(String),
    /// The server broke down over it, or over somebody else's call.
    Breakdown(StoreError),
    /// For good.
    Answered(StoreError),
}

/// Whether no connection came to be: the call did not reach anyone.
fn is_about_connecting(error: &ureq::Error) -> bool {
    match error {
        ureq::Error::ConnectionFailed | ureq::Error::Timeout(ureq::Timeout::Connect) => true,
        ureq::Error::Io(error) => {
            matches!(error.kind(), ErrorKind::HostUnreachable | ErrorKind::NetworkUnreachable)
        }
        _ => false,
    }
}

/// An error as MLflow sends it; other programs on the way (proxies) send something else.
#[derive(Default, Deserialize)]
struct WireError {
    #[serde(default)]
    error_code: String,
    #[serde(default)]
    message: String,
}

/// Parameters as the end of an address; one may be given several times.
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
