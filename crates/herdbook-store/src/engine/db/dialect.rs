//! Where the SQL of the two engines differs.

/// An engine's SQL.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Dialect {
    Sqlite,
    Postgres,
}

impl Dialect {
    /// A text read as a whole number, 0 where it is none.
    pub fn integer(self, text: &str) -> String {
        match self {
            Self::Sqlite => format!("CAST({text} AS INTEGER)"),
            // A cast of anything else is an error there; 18 digits fit into 64 bits.
            Self::Postgres => {
                format!("(CASE WHEN {text} ~ '^[0-9]{{1,18}}$' THEN {text}::bigint ELSE 0 END)")
            }
        }
    }

    /// The part of a run tag's value that the index `herdbook_run_tags` holds, in the order of bytes. PostgreSQL cannot
    /// index a value of 8,000 characters, and would sort by the language of the database.
    pub fn indexed(self, value: &str) -> String {
        match self {
            Self::Sqlite => value.to_owned(),
            Self::Postgres => format!("(left({value}, 200) COLLATE \"C\")"),
        }
    }

    /// Holds the rows that a SELECT of facts found until the act ends. SQLite has one writer anyway.
    pub const fn for_update(self) -> &'static str {
        match self {
            Self::Sqlite => "",
            // Without KEY: rows that refer to these may still be written by others.
            Self::Postgres => " FOR NO KEY UPDATE",
        }
    }

    /// The condition that a run tag has a value, of which the index `herdbook_run_tags` can make use.
    pub fn tag_is(self, value: &str, parameter: &str) -> String {
        match self {
            Self::Sqlite => format!("{value} = {parameter}"),
            Self::Postgres => {
                let indexed = self.indexed(value);
                format!("({indexed} = left({parameter}, 200) AND {value} = {parameter})")
            }
        }
    }

    /// The text in a field of a JSON object; NULL if the object has no such field.
    pub fn json_text(self, object: &str, field: &str) -> String {
        match self {
            Self::Sqlite => format!("json_extract({object}, '$.{field}')"),
            Self::Postgres => format!("({object}::json ->> '{field}')"),
        }
    }

    /// The names of a table's columns.
    pub const fn columns_of_table(self) -> &'static str {
        match self {
            Self::Sqlite => "SELECT name FROM pragma_table_info(?1)",
            Self::Postgres => {
                "SELECT column_name::text FROM information_schema.columns
                 WHERE table_schema = current_schema() AND table_name = ?1"
            }
        }
    }

    /// A number for a new experiment.
    pub const fn next_experiment_id(self) -> &'static str {
        match self {
            Self::Sqlite => "SELECT coalesce(max(experiment_id), 0) + 1 FROM experiments",
            // MLflow takes its numbers there.
            Self::Postgres => {
                "SELECT nextval(pg_get_serial_sequence('experiments', 'experiment_id'))"
            }
        }
    }
}
