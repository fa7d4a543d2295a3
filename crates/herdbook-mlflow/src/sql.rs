//! Statements whose conditions and arguments depend on a request.

use herdbook_domain::filter::{Comparison, Operand};
use herdbook_store::StoreError;
use herdbook_store::engine::db::value::{ToValue, Value};
use herdbook_store::engine::db::{Conn, Dialect, Row};

/// Whether deleted records are shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum ViewType {
    /// Those that are not deleted.
    #[default]
    ActiveOnly,
    /// The deleted ones.
    DeletedOnly,
    /// Both.
    All,
}

impl ViewType {
    /// The condition on a column with the life-cycle stage.
    pub(crate) fn condition(self, column: &str) -> String {
        let stages = match self {
            Self::ActiveOnly => "('active')",
            Self::DeletedOnly => "('deleted')",
            Self::All => "('active', 'deleted')",
        };
        format!("{column} IN {stages}")
    }
}

/// An argument of a statement.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Arg {
    Integer(i64),
    Real(f64),
    Text(String),
}

impl ToValue for Arg {
    fn to_value(&self) -> Value<'_> {
        match self {
            Self::Integer(value) => Value::Integer(*value),
            Self::Real(value) => Value::Real(*value),
            Self::Text(value) => Value::Text(value),
        }
    }
}

/// The arguments of a statement, in the order of their numbers.
#[derive(Debug, Clone, Default)]
pub(crate) struct Arguments(Vec<Arg>);

impl Arguments {
    /// Adds an argument and returns its placeholder, `?1` for the first.
    pub(crate) fn bind(&mut self, arg: Arg) -> String {
        self.0.push(arg);
        format!("?{}", self.0.len())
    }

    pub(crate) fn text(&mut self, text: impl Into<String>) -> String {
        self.bind(Arg::Text(text.into()))
    }

    pub(crate) fn integer(&mut self, number: i64) -> String {
        self.bind(Arg::Integer(number))
    }

    /// The arguments as the store takes them.
    pub(crate) fn values(&self) -> Vec<&dyn ToValue> {
        self.0.iter().map(|arg| arg as &dyn ToValue).collect()
    }
}

/// Ids for a condition `column IN marks`.
pub(crate) struct Among<'a> {
    /// The placeholders, in parentheses.
    pub(crate) marks: String,
    ids: Vec<&'a dyn ToValue>,
}

impl<'a> Among<'a> {
    /// Most ids of one statement.
    pub(crate) const MOST: usize = 500;

    /// Up to [`Among::MOST`] ids, at least one. The last one is repeated up to one of few numbers, so that the database
    /// prepares few statements.
    pub(crate) fn of<T: ToValue>(ids: &'a [T]) -> Self {
        let wanted = [1, 10, 100, Self::MOST].into_iter().find(|n| *n >= ids.len());
        let n_repeated = wanted.unwrap_or_default().saturating_sub(ids.len());
        let last = ids.last().into_iter().cycle().take(n_repeated);
        let ids: Vec<&dyn ToValue> = ids.iter().chain(last).map(|id| id as &dyn ToValue).collect();
        let marks: Vec<String> = (1..=ids.len()).map(|number| format!("?{number}")).collect();
        Self { marks: format!("({})", marks.join(", ")), ids }
    }

    /// Runs a query whose only arguments are the ids.
    pub(crate) fn query(
        &self,
        conn: &Conn,
        sql: &str,
        read: impl FnMut(&Row<'_>) -> Result<(), StoreError>,
    ) -> Result<(), StoreError> {
        conn.query(sql, self.ids.as_slice(), read).map(drop)
    }
}

/// A text in a column; empty for NULL.
pub(crate) fn text(row: &Row<'_>, column: usize) -> Result<String, StoreError> {
    Ok(row.readable(column)?.unwrap_or_default())
}

/// A condition on a column of text. As in MLflow, NULL meets none.
pub(crate) fn text_condition(
    dialect: Dialect,
    column: &str,
    (comparison, operand): (Comparison, &Operand),
    args: &mut Arguments,
) -> String {
    let text = match operand {
        Operand::List(texts) => {
            let marks: Vec<String> = texts.iter().map(|text| args.text(text)).collect();
            let not = if comparison == Comparison::NotIn { "NOT " } else { "" };
            return format!("{column} {not}IN ({})", marks.join(", "));
        }
        Operand::Text(text) => text.clone(),
        Operand::Integer(number) => number.to_string(),
        Operand::Number(number) => number.to_string(),
        Operand::Nothing => String::new(),
    };
    match (comparison, dialect) {
        (Comparison::Like, Dialect::Sqlite) => {
            format!("{column} GLOB {}", args.text(glob(&text)))
        }
        (Comparison::Ilike, Dialect::Sqlite) => {
            format!("lower({column}) GLOB {}", args.text(glob(&text.to_ascii_lowercase())))
        }
        (Comparison::Like | Comparison::Ilike, Dialect::Postgres) => {
            format!("{column} {} {}", comparison.as_str(), args.text(text))
        }
        _ => format!("{column} {} {}", comparison.as_str(), args.text(text)),
    }
}

/// A condition on a column of numbers.
pub(crate) fn number_condition(
    column: &str,
    (comparison, operand): (Comparison, &Operand),
    args: &mut Arguments,
) -> String {
    let mark = match operand {
        Operand::Integer(number) => args.integer(*number),
        Operand::Number(number) => args.bind(Arg::Real(*number)),
        Operand::Text(text) => args.text(text),
        Operand::List(_) | Operand::Nothing => args.integer(0),
    };
    format!("{column} {} {mark}", comparison.as_str())
}

/// The GLOB pattern of a LIKE pattern: SQLite's LIKE does not tell upper from lower case.
fn glob(like: &str) -> String {
    let mut pattern = String::new();
    for c in like.chars() {
        match c {
            '%' => pattern.push('*'),
            '_' => pattern.push('?'),
            '*' | '?' | '[' => pattern.extend(['[', c, ']']),
            _ => pattern.push(c),
        }
    }
    pattern
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn like_pattern_keeps_its_meaning_as_glob() {
        let conn = rusqlite::Connection::open_in_memory().unwrap();
        for (pattern, text, expected) in [
            ("a%", "abc", true),
            ("A%", "abc", false),
            ("_b_", "abc", true),
            ("_b", "abc", false),
            ("*", "abc", false),
            ("*", "*", true),
            ("a?c", "abc", false),
            ("[ab]", "a", false),
            ("[ab]", "[ab]", true),
            ("%]%", "x]y", true),
        ] {
            let sql = "SELECT ?1 GLOB ?2";
            let found: bool =
                conn.query_row(sql, [text, &glob(pattern)], |row| row.get(0)).unwrap();
            assert_eq!(found, expected, "{pattern} {text}");
        }
    }
}
