//! `postgresql://` URIs, as understood by `SQLAlchemy` and libpq.

use std::fmt;
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::time::Duration;

use percent_encoding::percent_decode_str;
use postgres::Config;
use postgres::config::SslMode;

use super::secrets::uri_without_secrets;
use crate::artifacts::regular::read_regular;
use crate::error::StoreError;

/// The schemes of libpq, and those of `SQLAlchemy`, which also name a Python driver.
const SCHEMES: [&str; 4] = ["postgresql", "postgres", "postgresql+psycopg2", "postgresql+psycopg"];

/// Largest file of passwords that is read, in bytes.
const LARGEST_PASSWORD_FILE: u64 = 1 << 20;

/// How long connecting to one address may take, unless `connect_timeout` says otherwise. The system's own limit is about
/// two minutes.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// A database of a PostgreSQL server, with the parameters of the connection.
#[derive(Clone)]
pub(crate) struct PostgresUri {
    /// The URI without a password.
    shown: String,
    pub(crate) config: Config,
    pub(crate) tls: TlsMode,
    pub(crate) certificates: Certificates,
}

impl PartialEq for PostgresUri {
    fn eq(&self, other: &Self) -> bool {
        (&self.shown, self.config.get_password()) == (&other.shown, other.config.get_password())
    }
}

impl Eq for PostgresUri {}

/// How a connection is encrypted and the server verified (libpq's `sslmode`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum TlsMode {
    /// Not encrypted.
    Disable,
    /// Encrypted if the server supports it; the server is not verified. `allow` is treated like this too.
    Prefer,
    /// Encrypted; the server is not verified.
    Require,
    /// Encrypted; one of the root certificates must have signed the server's certificate.
    VerifyCa,
    /// As [`TlsMode::VerifyCa`], and the certificate must name the host.
    VerifyFull,
}

/// Certificate files.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Certificates {
    /// Root certificates that sign servers' certificates (`sslrootcert`).
    pub(crate) roots: Option<PathBuf>,
    /// The client's certificate (`sslcert`) and its key (`sslkey`).
    pub(crate) client: Option<(PathBuf, PathBuf)>,
}

impl PostgresUri {
    /// Parses a URI; `None` if it is not one of PostgreSQL.
    ///
    /// # Errors
    /// [`StoreError::UnsupportedUri`] for a malformed URI of PostgreSQL.
    pub(crate) fn parse(uri: &str) -> Result<Option<Self>, StoreError> {
        let Some((scheme, rest)) = uri.split_once("://") else { return Ok(None) };
        if !SCHEMES.contains(&scheme) {
            return Ok(None);
        }
        let shown = uri_without_secrets(&format!("postgresql://{rest}"));
        let refused = |rule: String| StoreError::UnsupportedUri { uri: shown.clone(), rule };
        let (address, query) = rest.split_once('?').unwrap_or((rest, ""));
        let mut tls = environment("PGSSLMODE");
        let mut roots = environment("PGSSLROOTCERT");
        let (mut certificate, mut key) = (environment("PGSSLCERT"), environment("PGSSLKEY"));
        let mut kept = Vec::new();
        for pair in query.split('&').filter(|pair| !pair.is_empty()) {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            let value = || Some(percent_decode_str(value).decode_utf8_lossy().into_owned());
            match name {
                "sslmode" => tls = value(),
                "sslrootcert" => roots = value(),
                "sslcert" => certificate = value(),
                "sslkey" => key = value(),
                _ => kept.push(pair),
            }
        }
        let tls = TlsMode::parse(tls.as_deref()).map_err(refused)?;
        let config = Config::from_str(&format!("postgresql://{address}?{}", kept.join("&")))
            .map_err(|error| {
                // The message may repeat a part of a password that was taken for the name of a parameter.
                let has_secret = uri_without_secrets(query) != query;
                refused(if has_secret {
                    "a parameter is unknown or has an unusable value: write `&` in a password as `%26`"
                        .to_owned()
                } else {
                    with_cause(&error)
                })
            })?;
        let config = completed(config, tls);
        if config.get_dbname().is_none() {
            return Err(refused("it names no database: add `/NAME` to it".to_owned()));
        }
        let client = match (certificate, key) {
            (Some(certificate), Some(key)) => Some((certificate.into(), key.into())),
            (None, None) => None,
            _ => return Err(refused("give both `sslcert` and `sslkey`, or neither".to_owned())),
        };
        let roots = roots.map(PathBuf::from).or_else(default_roots);
        let certificates = Certificates { roots, client };
        Ok(Some(Self { shown, config, tls, certificates }))
    }
}

impl fmt::Display for PostgresUri {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.shown)
    }
}

impl fmt::Debug for PostgresUri {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.shown)
    }
}

impl TlsMode {
    fn parse(text: Option<&str>) -> Result<Self, String> {
        match text {
            Some("disable") => Ok(Self::Disable),
            None | Some("allow" | "prefer") => Ok(Self::Prefer),
            Some("require") => Ok(Self::Require),
            Some("verify-ca") => Ok(Self::VerifyCa),
            Some("verify-full") => Ok(Self::VerifyFull),
            Some(other) => Err(format!(
                "`sslmode={other}` is not valid: give disable, allow, prefer, require, verify-ca or verify-full"
            )),
        }
    }
}

/// Adds to a configuration the values that libpq takes from the environment, its defaults and the password file.
fn completed(mut config: Config, tls: TlsMode) -> Config {
    config.application_name("herdbook");
    config.ssl_mode(match tls {
        TlsMode::Disable => SslMode::Disable,
        TlsMode::Prefer => SslMode::Prefer,
        TlsMode::Require | TlsMode::VerifyCa | TlsMode::VerifyFull => SslMode::Require,
    });
    if config.get_hosts().is_empty() && config.get_hostaddrs().is_empty() {
        config.host(&environment("PGHOST").unwrap_or_else(|| "/var/run/postgresql".to_owned()));
    }
    if config.get_ports().is_empty()
        && let Some(port) = environment("PGPORT").and_then(|port| port.parse().ok())
    {
        config.port(port);
    }
    if config.get_user().is_none()
        && let Some(user) = environment("PGUSER").or_else(|| environment("USER"))
    {
        config.user(&user);
    }
    if config.get_connect_timeout().is_none() {
        config.connect_timeout(CONNECT_TIMEOUT);
    }
    if config.get_password().is_none()
        && let Some(password) = environment("PGPASSWORD").or_else(|| password_on_file(&config))
    {
        config.password(password);
    }
    config
}

/// The password in libpq's password file, whose lines are `host:port:database:user:password` with `*` for any value.
fn password_on_file(config: &Config) -> Option<String> {
    use postgres::config::Host;
    let path = environment("PGPASSFILE")
        .map(PathBuf::from)
        .or_else(|| Some(Path::new(&environment("HOME")?).join(".pgpass")))?;
    let host = match config.get_hosts().first()? {
        Host::Tcp(host) => host.clone(),
        #[cfg(unix)]
        Host::Unix(_) => "localhost".to_owned(),
    };
    let port = config.get_ports().first().copied().unwrap_or(5432).to_string();
    let asked = [&host, &port, config.get_dbname()?, config.get_user()?].map(str::to_owned);
    let bytes = read_regular(&path, LARGEST_PASSWORD_FILE).ok()?;
    String::from_utf8(bytes).ok()?.lines().find_map(|line| {
        let mut fields = line.splitn(5, ':');
        let fits = asked
            .iter()
            .all(|part| fields.next().is_some_and(|field| field == "*" || field == part));
        fits.then(|| fields.next().map(str::to_owned)).flatten()
    })
}

fn default_roots() -> Option<PathBuf> {
    let path = Path::new(&environment("HOME")?).join(".postgresql/root.crt");
    path.is_file().then_some(path)
}

fn with_cause(error: &dyn std::error::Error) -> String {
    match error.source() {
        Some(cause) => format!("{error}: {cause}"),
        None => error.to_string(),
    }
}

/// A variable that is set and not empty.
fn environment(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|value| !value.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(uri: &str) -> PostgresUri {
        PostgresUri::parse(uri).unwrap().unwrap()
    }

    #[test]
    fn password_is_never_shown() {
        for uri in [
            "postgresql://me:s%40cret@host:5433/herd",
            "postgresql+psycopg2://host/herd?user=me&password=s%40cret",
        ] {
            let uri = parsed(uri);
            assert!(!format!("{uri} {uri:?}").contains("s%40cret"), "{uri}");
            assert_eq!(uri.config.get_password(), Some("s@cret".as_bytes()));
        }
        assert_eq!(parsed("postgresql://me:x@host/db").to_string(), "postgresql://me:***@host/db");
    }

    #[test]
    fn names_of_libpq_and_sqlalchemy_are_the_same_database() {
        for scheme in SCHEMES {
            let uri = parsed(&format!("{scheme}://me@host:5433/herd?sslmode=disable"));
            assert_eq!(uri.config.get_dbname(), Some("herd"));
            assert_eq!(uri.config.get_ports(), [5433]);
        }
        assert!(PostgresUri::parse("mysql://host/db").unwrap().is_none());
    }

    #[test]
    fn what_cannot_be_read_is_refused_without_the_password() {
        for (uri, rule) in [
            ("postgresql://me:pw@host", "names no database"),
            ("postgresql://me:pw@host/db?sslmode=maybe", "verify-full"),
            ("postgresql://me:pw@host/db?colour=red", "colour"),
            ("postgresql://me@host/db?password=a:pw&:pw", "%26"),
            ("postgresql://me:pw@host:port/db", "port"),
            ("postgresql://me:pw@host/db?sslcert=a.crt", "or neither"),
        ] {
            let error = PostgresUri::parse(uri).unwrap_err().to_string();
            assert!(error.contains(rule) && !error.contains(":pw"), "{error}");
        }
    }

    #[test]
    fn tls_and_its_files_are_read() {
        let uri = parsed(
            "postgresql://me@host/db?sslmode=verify-full&sslrootcert=%2Fa%20b%2Froot.crt&sslcert=c&sslkey=k",
        );
        assert_eq!(uri.tls, TlsMode::VerifyFull);
        assert_eq!(uri.certificates.roots, Some(PathBuf::from("/a b/root.crt")));
        assert_eq!(uri.certificates.client, Some(("c".into(), "k".into())));
    }
}
