//! Failures as users see them: a code, a message, a hint and an exit status. The modules match every error of a library.

mod store;
mod training;

use std::ffi::OsString;
use std::io;
use std::path::Path;

use herdbook_domain::Judgement;
use herdbook_store::text_without_secrets;
use serde_json::json;

use crate::shell;

/// Beginning of the message of a failure to write to stdout.
pub(crate) const CANNOT_WRITE: &str = "cannot write the output: ";

/// Kind of a failure, for scripts to act on. Part of the JSON interface.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(missing_docs, reason = "each is explained by its name")]
pub enum Code {
    NotFound,
    ForbiddenTransition,
    Conflict,
    Contaminated,
    GateFailed,
    TooOld,
    Cancelled,
    InvalidInput,
    StoreBusy,
    StoreSchema,
    StoreFailed,
}

impl Code {
    /// Spelling in JSON.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::NotFound => "not_found",
            Self::ForbiddenTransition => "forbidden_transition",
            Self::Conflict => "conflict",
            Self::Contaminated => "contaminated",
            Self::GateFailed => "gate_failed",
            Self::TooOld => "too_old",
            Self::Cancelled => "cancelled",
            Self::InvalidInput => "invalid_input",
            Self::StoreBusy => "store_busy",
            Self::StoreSchema => "store_schema",
            Self::StoreFailed => "store_failed",
        }
    }

    /// 1: refused or not found. 2: wrong usage, unusable input, or a failure of the system.
    const fn exit_status(self) -> u8 {
        match self {
            Self::NotFound
            | Self::ForbiddenTransition
            | Self::Conflict
            | Self::Contaminated
            | Self::GateFailed
            | Self::TooOld
            | Self::Cancelled => 1,
            Self::InvalidInput | Self::StoreBusy | Self::StoreSchema | Self::StoreFailed => 2,
        }
    }
}

/// Why a command failed.
#[derive(Debug)]
pub struct Failure {
    code: Code,
    message: String,
    hint: Option<String>,
    /// Flags that resolve an error about a file of bars, as a shell reads them; each is an alternative.
    flags_to_try: Vec<String>,
    /// The verdicts on all conditions, if a promotion was refused because of one.
    pub(crate) conditions: Option<Judgement>,
    is_closed_pipe: bool,
    is_about_broken_record: bool,
    /// Whether the command printed its data before it failed. With `--json` no error is printed then: stdout holds one
    /// JSON value.
    is_after_data: bool,
}

impl Failure {
    pub(crate) fn new(code: Code, message: impl Into<String>) -> Self {
        Self {
            code,
            message: text_without_secrets(&message.into()),
            hint: None,
            flags_to_try: Vec::new(),
            conditions: None,
            is_closed_pipe: false,
            is_about_broken_record: false,
            is_after_data: false,
        }
    }

    /// A failure with [`Code::InvalidInput`].
    pub fn usage(message: &str) -> Self {
        Self::new(Code::InvalidInput, message)
    }

    /// A failure that the printed data already reports.
    pub(crate) fn after_data(code: Code, message: impl Into<String>) -> Self {
        Self { is_after_data: true, ..Self::new(code, message) }
    }

    #[must_use]
    pub(crate) fn with_hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(text_without_secrets(&hint.into()));
        self
    }

    /// The same failure, with the place in a file that it is about.
    #[must_use]
    pub(crate) fn in_file(self, path: &Path, line: usize) -> Self {
        let message = format!("`{}`, line {line}: {}", path.display(), self.message);
        Self { message, ..self }
    }

    /// Adds a hint if there is none yet.
    #[must_use]
    pub(crate) fn or_hint(self, hint: impl FnOnce(Code) -> Option<String>) -> Self {
        let hint = self.hint.clone().or_else(|| hint(self.code));
        Self { hint, ..self }
    }

    /// Names the flags to try in the hint: each added to the command that failed, or alone if there is no command line.
    #[must_use]
    pub(crate) fn with_flags_to_try(self, command: Option<&[OsString]>) -> Self {
        let Some((first, others)) = self.flags_to_try.split_first() else { return self };
        let first = command.map_or_else(|| first.clone(), |args| shell::with_flag(args, first));
        let others = others.iter().map(|flag| format!("`{flag}` instead"));
        let all: Vec<String> = std::iter::once(format!("try `{first}`")).chain(others).collect();
        let hint = all.join(", or ");
        self.with_hint(hint)
    }

    /// What went wrong.
    pub fn message(&self) -> &str {
        &self.message
    }

    /// What to do about it, if known.
    pub fn hint(&self) -> Option<&str> {
        self.hint.as_deref()
    }

    pub(crate) fn is_after_data(&self) -> bool {
        self.is_after_data
    }

    /// Whether a row of the database has a value that its column does not allow.
    pub(crate) fn is_about_broken_record(&self) -> bool {
        self.is_about_broken_record
    }

    pub(crate) fn is_closed_pipe(&self) -> bool {
        self.is_closed_pipe
    }

    /// Kind of the failure.
    pub fn code(&self) -> Code {
        self.code
    }

    pub(crate) fn exit_status(&self) -> u8 {
        self.code.exit_status()
    }

    pub(crate) fn to_json(&self) -> serde_json::Value {
        let mut error =
            json!({"code": self.code.as_str(), "message": self.message, "hint": self.hint});
        if let Some(conditions) = &self.conditions {
            error["conditions"] = json!(conditions);
        }
        json!({"error": error})
    }
}

impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Self {
        Self {
            is_closed_pipe: error.kind() == io::ErrorKind::BrokenPipe,
            ..Self::new(Code::StoreFailed, format!("{CANNOT_WRITE}{error}"))
        }
    }
}

impl From<anyhow::Error> for Failure {
    fn from(error: anyhow::Error) -> Self {
        Self::new(Code::InvalidInput, format!("{error:#}"))
    }
}

impl From<herdbook_domain::InvalidName> for Failure {
    fn from(error: herdbook_domain::InvalidName) -> Self {
        Self::usage(&error.to_string())
    }
}
