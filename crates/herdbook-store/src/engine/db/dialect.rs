//! The differences between the SQL of the two engines.

/// The SQL of an engine.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Dialect {
    /// That of SQLite.
    Sqlite,
    /// That of PostgreSQL.
    Postgres,
}

impl Dialect {
    /// An expression that reads a text as an integer, 0 if it is not one.
    pub fn integer(self, text: &str) -> String {
        match self {
            Self::Sqlite => format!("CAST({text} AS INTEGER)"),
            // A cast of any other text is an error. 18 digits fit into 64 bits.
            Self::Postgres => {
                format!("(CASE WHEN {text} ~ '^[0-9]{{1,18}}$' THEN {text}::bigint ELSE 0 END)")
            }
        }
    }

    /// The part of a run tag's value that the index `herdbook_run_tags` holds, compared bytewise. PostgreSQL cannot index a
    /// value of 8,000 characters, and would sort by the database's locale.
    pub fn indexed(self, value: &str) -> String {
        match self {
            Self::Sqlite => value.to_owned(),
            Self::Postgres => format!("(left({value}, 200) COLLATE \"C\")"),
        }
    }

    /// Ends a SELECT whose rows are locked until the act ends. SQLite has one writer and needs no locks.
    pub const fn for_update(self) -> &'static str {
        match self {
            Self::Sqlite => "",
            // `NO KEY`: others may still insert rows that refer to these.
            Self::Postgres => " FOR NO KEY UPDATE",
        }
    }

    /// A condition that a run tag has a value, in a form that can use the index `herdbook_run_tags`.
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

    /// A query for the names of a table's columns.
    pub const fn columns_of_table(self) -> &'static str {
        match self {
            Self::Sqlite => "SELECT name FROM pragma_table_info(?1)",
            Self::Postgres => {
                "SELECT column_name::text FROM information_schema.columns
                 WHERE table_schema = current_schema() AND table_name = ?1"
            }
        }
    }

    /// A query for the id of a new experiment.
    pub const fn next_experiment_id(self) -> &'static str {
        match self {
            Self::Sqlite => "SELECT coalesce(max(experiment_id), 0) + 1 FROM experiments",
            // The sequence that MLflow uses.
            Self::Postgres => {
                "SELECT nextval(pg_get_serial_sequence('experiments', 'experiment_id'))"
            }
        }
    }
}
