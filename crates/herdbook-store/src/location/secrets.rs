//! URIs and messages without the passwords and tokens in them.

use percent_encoding::percent_decode_str;

/// Stands in place of a secret.
const HIDDEN: &str = "***";
/// The name of a parameter is that of a secret if it contains one of these.
const PARTS_OF_NAMES: [&str; 12] = [
    "password",
    "passwd",
    "passphrase",
    "pwd",
    "token",
    "secret",
    "apikey",
    "api_key",
    "api-key",
    "access_key",
    "credential",
    "signature",
];
/// The name of a parameter is that of a secret if it is one of these.
const NAMES: [&str; 5] = ["pass", "auth", "sig", "key", "pw"];
/// Parameters of database URIs that are no secrets. A secret ends before one of them. Before any other `&` it may go on: people
/// forget to escape that character.
const NO_SECRETS: [&str; 19] = [
    "application_name",
    "charset",
    "connect_timeout",
    "dbname",
    "gssencmode",
    "host",
    "hostaddr",
    "keepalives",
    "keepalives_idle",
    "options",
    "port",
    "sslcert",
    "sslkey",
    "sslmode",
    "sslnegotiation",
    "sslrootcert",
    "target_session_attrs",
    "tcp_user_timeout",
    "user",
];
/// Beginnings of MLflow's URIs of models, in which `@` precedes an alias and not a host.
const OF_MODELS: [&str; 2] = ["models:/", "runs:/"];

/// A URI, or another text that was given for one, without its passwords and tokens. When in doubt it hides too much.
///
/// ```
/// use herdbook_store::uri_without_secrets;
///
/// assert_eq!(uri_without_secrets("mysql://ada:pw@host/db"), "mysql://ada:***@host/db");
/// assert_eq!(uri_without_secrets("https://host/?a=1&token=abc"), "https://host/?a=1&token=***");
/// assert_eq!(uri_without_secrets("sqlite:///mlflow.db"), "sqlite:///mlflow.db");
/// ```
pub fn uri_without_secrets(uri: &str) -> String {
    let shown = hidden(uri);
    if shown != uri || !uri.contains('%') {
        return shown;
    }
    let decoded = percent_decode_str(uri).decode_utf8_lossy();
    let shown = hidden(&decoded);
    if shown == decoded { uri.to_owned() } else { shown }
}

/// A message without the passwords and tokens of the URIs in it.
///
/// ```
/// use herdbook_store::text_without_secrets;
///
/// let text = "cannot reach `postgresql://ada:pw@host/db`: timed out";
/// assert_eq!(text_without_secrets(text), "cannot reach `postgresql://ada:***@host/db`: timed out");
/// ```
pub fn text_without_secrets(text: &str) -> String {
    let mut shown = String::new();
    let mut rest = text;
    while let Some(at) = rest.find("://") {
        let before = &rest[..at];
        let begin = before
            .rfind(|c| !is_of_scheme(c))
            .map_or(0, |last| last + before[last..].chars().next().map_or(0, char::len_utf8));
        // A URI in quotes ends with them, even if its password has spaces.
        let quote = rest[..begin].chars().next_back().filter(|c| "`'\"".contains(*c));
        let end = quote
            .and_then(|quote| rest[at..].find(quote))
            .or_else(|| rest[at..].find(ends_uri))
            .map_or(rest.len(), |len| at + len);
        shown.push_str(&rest[..begin]);
        shown.push_str(&uri_without_secrets(&rest[begin..end]));
        rest = &rest[end..];
    }
    shown.push_str(rest);
    without_values(&shown, |c| c == '&' || ends_uri(c))
}

fn is_of_scheme(c: char) -> bool {
    c.is_ascii_alphanumeric() || "+.-".contains(c)
}

fn ends_uri(c: char) -> bool {
    c.is_whitespace() || "`'\"<>".contains(c)
}

fn hidden(uri: &str) -> String {
    if OF_MODELS.iter().any(|start| uri.starts_with(start)) {
        return uri.to_owned();
    }
    let (scheme, rest) = match uri.split_once("://") {
        Some((scheme, rest)) => (format!("{scheme}://"), rest),
        None => (String::new(), uri),
    };
    let is_file = ["sqlite://", "file://"].contains(&scheme.as_str()) && rest.starts_with('/');
    let is_http = ["http://", "https://"].contains(&scheme.to_ascii_lowercase().as_str());
    let rest = match rest.rsplit_once('@') {
        // A user of a server may be a token.
        Some((_, host)) if is_http => format!("{HIDDEN}@{host}"),
        Some((user, host)) if !is_file => match user.split_once(':') {
            Some((name, _)) => format!("{name}:{HIDDEN}@{host}"),
            None => rest.to_owned(),
        },
        _ => rest.to_owned(),
    };
    without_values(&format!("{scheme}{rest}"), |c| c == '&')
}

/// Hides the value of each `name=value` whose name is that of a secret, up to a character that `ends`.
fn without_values(text: &str, ends: impl Fn(char) -> bool) -> String {
    let mut shown = String::new();
    let mut rest = text;
    while let Some(at) = rest.find('=') {
        let (name, value) = (&rest[..at], &rest[at + 1..]);
        shown.push_str(&rest[..=at]);
        rest = value;
        let name = name.trim_end();
        let begin = name
            .rfind(|c: char| !is_of_name(c))
            .map_or(0, |last| last + name[last..].chars().next().map_or(0, char::len_utf8));
        if !is_secret(&name[begin..]) {
            continue;
        }
        let value = value.trim_start_matches(' ');
        let quote = value.chars().next().filter(|c| "'\"".contains(*c));
        let len = match quote {
            Some(quote) => value[1..].find(quote).map_or(value.len(), |len| len + 2),
            None => length_of_secret(value, &ends),
        };
        if len > 0 {
            shown.push_str(HIDDEN);
        }
        rest = &value[len..];
    }
    shown + rest
}

/// The length of a value that begins the text.
fn length_of_secret(text: &str, ends: impl Fn(char) -> bool) -> usize {
    let mut len = 0;
    while let Some(at) = text[len..].find(&ends) {
        len += at;
        let is_separator = text[len..].starts_with('&');
        let follows = text[len..].trim_start_matches('&');
        let name = follows.split(|c| c == '=' || c == '&' || ends(c)).next().unwrap_or_default();
        let is_parameter = follows[name.len()..].starts_with('=')
            && (is_secret(name) || NO_SECRETS.contains(&name.to_ascii_lowercase().as_str()));
        if !is_separator || is_parameter || follows.is_empty() {
            return len;
        }
        len += 1;
    }
    text.len()
}

fn is_of_name(c: char) -> bool {
    c.is_ascii_alphanumeric() || "_-.%".contains(c)
}

fn is_secret(name: &str) -> bool {
    let name = percent_decode_str(name).decode_utf8_lossy().to_ascii_lowercase();
    NAMES.contains(&name.as_str()) || PARTS_OF_NAMES.iter().any(|part| name.contains(part))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_are_hidden_wherever_a_uri_has_them() {
        for uri in [
            "postgresql://u:s3cret@host/db",
            "postgresql://u:s3cret@x@host/db",
            "postgresql://u:se/s3cret?a@host/db",
            "mysql+pymysql://u:s3cret@host:3306/db?charset=utf8",
            "mysql://:s3cret@host",
            "POSTGRESQL://u:s3cret@host/db",
            "postgresql:u:s3cret@host/db",
            "postgresql:/u:s3cret@host/db",
            "u:s3cret@host/db",
            "https://s3cret@host/",
            "https://u:s3cret@host/",
            "HTTPS://u:s3cret@host/",
            "https://u:a/s3cret@host/",
            "ftp://host/?password=s3cret&a=b",
            "ftp://host/?a=b&PassWord=s3cret#c",
            "ftp://host/?pass%77ord=s3cret",
            "ftp://host/?password=a;s3cret",
            "https://host/?access_token=s3cret",
            "https://host/?api_key=s3cret",
            "host=h password=s3cret user=u",
            "host=h password = 'a s3cret'",
            "postgresql%3A%2F%2Fu%3As3cret%40host%2Fdb",
            "sqlite+pysqlcipher://:s3cret@/db",
            "postgresql://ada@host/db?password=a&s3cret",
            "postgresql://ada@host/db?password=a&s3cret&sslmode=require",
            "postgresql://ada@host/db?password=a&b=s3cret",
            "postgresql://ada@host/db?password=&s3cret",
            "postgresql://ada@host/db?sslpassword=a&&s3cret",
            "postgresql://ada@host/db?password=a#s3cret",
        ] {
            let shown = uri_without_secrets(uri);
            assert!(!shown.contains("s3cret") && shown.contains(HIDDEN), "{uri}: {shown}");
            let text = text_without_secrets(&format!("refused `{uri}`: why"));
            let is_uri = uri.contains("://") && !uri.contains(' ');
            assert!(!is_uri || !text.contains("s3cret"), "{text}");
            assert!(!is_uri || text.ends_with(": why"), "{text}");
        }
    }

    #[test]
    fn secret_ends_before_a_parameter_that_is_none() {
        let shown = uri_without_secrets("postgresql://h/d?password=a&b&sslmode=require&user=ada");
        assert_eq!(shown, "postgresql://h/d?password=***&sslmode=require&user=ada");
        let text = "refused `postgresql://u:my s3cret@h/d?password=x y&z`: why";
        assert_eq!(
            text_without_secrets(text),
            "refused `postgresql://u:***@h/d?password=***`: why"
        );
    }

    #[test]
    fn other_texts_stay_as_they_are() {
        for text in [
            "sqlite:////a/b:c@d.db",
            "postgresql://ada@host:5432/db?sslmode=require&sslkey=k.pem",
            "models:/1H_trading_model@champion",
            "http://127.0.0.1:5000",
            "C:\\a.db",
            "`é://x` = `a=b`",
            "",
            "100 % = all",
        ] {
            assert_eq!(uri_without_secrets(text), text);
            assert_eq!(text_without_secrets(text), text);
        }
        let text = "`models:/1H@champion` of ada: see a@b.example";
        assert_eq!(text_without_secrets(text), text);
    }
}
