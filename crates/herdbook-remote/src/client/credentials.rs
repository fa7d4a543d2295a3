//! Access to a server: MLflow's environment variables and its file of credentials.

use std::path::{Path, PathBuf};
use std::time::Duration;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use herdbook_store::waiting::FIRST_ANSWER;
use herdbook_store::{Notices, ServerUri, StoreError, read_regular};
use ureq::tls::{Certificate, ClientCert, PemItem, PrivateKey, RootCerts, TlsConfig, parse_pem};

/// MLflow's default of `MLFLOW_HTTP_REQUEST_TIMEOUT`.
const TIMEOUT_S: f64 = 120.0;
/// MLflow's default of `MLFLOW_HTTP_REQUEST_MAX_RETRIES`.
const MAX_RETRIES: f64 = 7.0;
/// MLflow's default of `MLFLOW_HTTP_REQUEST_BACKOFF_FACTOR`.
const BACKOFF_FACTOR: f64 = 2.0;
/// An upper limit for time-outs and retries.
const LONGEST_PATIENCE_S: f64 = 3600.0;

/// Largest file of credentials or certificates that is read, in bytes.
const LARGEST_FILE: u64 = 16 << 20;

/// Address, credentials and limits of a client.
pub struct Access {
    /// The tracking URI without user and password, and without a slash at its end.
    pub base: String,
    /// The value of the header `Authorization`.
    pub authorization: Option<String>,
    /// Trusted certificates, and the client's own.
    pub tls: TlsConfig,
    /// Time limit for one read or write.
    pub timeout: Duration,
    /// Time limit for the retries of a call.
    pub patience: Duration,
    /// Time limit for the first answer of the server to this process.
    pub first_answer: Duration,
    /// Receives the message that the server is waited for.
    pub notices: Notices,
}

impl Access {
    /// Reads the environment. User and password in the URI take precedence.
    ///
    /// # Errors
    /// [`StoreError::BadAccess`] for a variable that cannot be used.
    pub fn from_environment(uri: &ServerUri) -> Result<Self, StoreError> {
        let number = |name: &'static str, default: f64| match variable(name) {
            None => Ok(default),
            Some(text) => match text.parse::<f64>() {
                Ok(value) if value.is_finite() && value >= 0.0 => Ok(value),
                _ => Err(bad(name, format!("`{text}` is not a number of 0 or above"))),
            },
        };
        for name in ["MLFLOW_TRACKING_AUTH", "MLFLOW_TRACKING_AWS_SIGV4"] {
            if variable(name).is_some_and(|text| !text.eq_ignore_ascii_case("false")) {
                let problem = "herdbook supports a user and a password, or a token: for another method, \
                               put a proxy that signs the calls in front of the server";
                return Err(bad(name, problem.to_owned()));
            }
        }
        let timeout = number("MLFLOW_HTTP_REQUEST_TIMEOUT", TIMEOUT_S)?;
        let retries = number("MLFLOW_HTTP_REQUEST_MAX_RETRIES", MAX_RETRIES)?;
        let factor = number("MLFLOW_HTTP_REQUEST_BACKOFF_FACTOR", BACKOFF_FACTOR)?;
        let patience = (factor * (retries.min(30.0).exp2() - 1.0)).min(LONGEST_PATIENCE_S);
        Ok(Self {
            base: uri.base.clone(),
            authorization: (uri.user.as_ref())
                .map(|(user, password)| basic(user, &password.0))
                .or_else(authorization),
            tls: tls()?,
            timeout: Duration::from_secs_f64(timeout.clamp(1.0, LONGEST_PATIENCE_S)),
            patience: Duration::from_secs_f64(patience),
            first_answer: FIRST_ANSWER,
            notices: Notices::default(),
        })
    }
}

/// User and password take precedence over the token, as in MLflow's client.
fn authorization() -> Option<String> {
    let (user_in_file, password_in_file) = credentials_file();
    let user = variable("MLFLOW_TRACKING_USERNAME").or(user_in_file);
    let password = variable("MLFLOW_TRACKING_PASSWORD").or(password_in_file);
    match (user, password) {
        (Some(user), Some(password)) => Some(basic(&user, &password)),
        _ => variable("MLFLOW_TRACKING_TOKEN").map(|token| format!("Bearer {token}")),
    }
}

fn basic(user: &str, password: &str) -> String {
    format!("Basic {}", BASE64_STANDARD.encode(format!("{user}:{password}")))
}

/// `~/.mlflow/credentials`: `mlflow_tracking_username` and `mlflow_tracking_password` in the section `[mlflow]`.
fn credentials_file() -> (Option<String>, Option<String>) {
    let path = variable("HOME").map(|home| PathBuf::from(home).join(".mlflow/credentials"));
    let bytes = path.and_then(|path| read_regular(&path, LARGEST_FILE).ok());
    let text = bytes.and_then(|bytes| String::from_utf8(bytes).ok()).unwrap_or_default();
    parse_credentials(&text)
}

fn parse_credentials(text: &str) -> (Option<String>, Option<String>) {
    let (mut user, mut password) = (None, None);
    let mut is_ours = false;
    for line in text.lines().map(str::trim) {
        if line.starts_with('[') {
            is_ours = line == "[mlflow]";
        } else if let Some((key, value)) = line.split_once(['=', ':']).filter(|_| is_ours) {
            let value = Some(value.trim().to_owned());
            match key.trim().to_ascii_lowercase().as_str() {
                "mlflow_tracking_username" => user = value,
                "mlflow_tracking_password" => password = value,
                _ => {}
            }
        }
    }
    (user, password)
}

fn tls() -> Result<TlsConfig, StoreError> {
    let mut tls = TlsConfig::builder();
    let is_insecure = variable("MLFLOW_TRACKING_INSECURE_TLS")
        .is_some_and(|text| matches!(text.to_ascii_lowercase().as_str(), "true" | "1"));
    let server = variable("MLFLOW_TRACKING_SERVER_CERT_PATH");
    if is_insecure && server.is_some() {
        return Err(bad(
            "MLFLOW_TRACKING_INSECURE_TLS",
            "it cannot be set together with MLFLOW_TRACKING_SERVER_CERT_PATH".to_owned(),
        ));
    }
    tls = tls.disable_verification(is_insecure);
    if let Some(path) = server {
        let name = "MLFLOW_TRACKING_SERVER_CERT_PATH";
        let certificates = certificates(name, &read(name, &path)?, &path)?;
        tls = tls.root_certs(RootCerts::new_with_certs(&certificates));
    }
    if let Some(path) = variable("MLFLOW_TRACKING_CLIENT_CERT_PATH") {
        let name = "MLFLOW_TRACKING_CLIENT_CERT_PATH";
        let pem = read(name, &path)?;
        let chain = certificates(name, &pem, &path)?;
        let key = PrivateKey::from_pem(&pem)
            .map_err(|error| bad(name, format!("`{path}` contains no private key ({error})")))?;
        tls = tls.client_cert(Some(ClientCert::new_with_certs(&chain, key)));
    }
    Ok(tls.build())
}

fn read(name: &'static str, path: &str) -> Result<Vec<u8>, StoreError> {
    read_regular(Path::new(path), LARGEST_FILE)
        .map_err(|error| bad(name, format!("cannot read `{path}`: {error}")))
}

fn certificates(
    name: &'static str,
    pem: &[u8],
    path: &str,
) -> Result<Vec<Certificate<'static>>, StoreError> {
    let items = parse_pem(pem).filter_map(Result::ok);
    let certificates: Vec<_> = items
        .filter_map(|item| match item {
            PemItem::Certificate(certificate) => Some(certificate),
            _ => None,
        })
        .collect();
    if certificates.is_empty() {
        return Err(bad(name, format!("`{path}` contains no PEM certificate")));
    }
    Ok(certificates)
}

fn bad(variable: &'static str, problem: String) -> StoreError {
    StoreError::BadAccess { variable, problem }
}

/// The value of a variable that is set and not empty.
fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|value| !value.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn credentials_are_those_of_the_section_mlflow() {
        let text = "[other]\nmlflow_tracking_username = no\n[mlflow]\n\
                    mlflow_tracking_username = ada\nMLFLOW_TRACKING_PASSWORD=s=cret\n";
        let (user, password) = parse_credentials(text);
        assert_eq!((user.as_deref(), password.as_deref()), (Some("ada"), Some("s=cret")));
    }
}
