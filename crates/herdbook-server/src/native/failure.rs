//! Why a request is not answered: the codes of the command line, the status of each, and what to do.

use axum::body::Body;
use axum::http::{HeaderValue, Response, StatusCode, header};
use herdbook_domain::{InvalidName, Refusal};
use herdbook_store::StoreError;
use serde::Serialize;
use utoipa::ToSchema;

use crate::native::shape::judgement::Judgement;
use crate::native::shape::promotion::Promotion;

/// The kind of a failure, as on the command line.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Code {
    /// 404: there is no such model, version, run, file or page.
    NotFound,
    /// 409: the table of transitions has no such change.
    ForbiddenTransition,
    /// 409: the records are not as the caller expected.
    Conflict,
    /// 422: the test window holds bars that the model or an ancestor has seen.
    Contaminated,
    /// 422: enforced conditions are not met.
    GateFailed,
    /// 400, 405, 413 or 415: the request itself is wrong.
    InvalidInput,
    /// 503: try again.
    StoreBusy,
    /// 500: the database is not one that this program understands.
    StoreSchema,
    /// 500: the store failed.
    StoreFailed,
}

impl Code {
    fn status(self) -> StatusCode {
        match self {
            Self::NotFound => StatusCode::NOT_FOUND,
            Self::ForbiddenTransition | Self::Conflict => StatusCode::CONFLICT,
            Self::Contaminated | Self::GateFailed => StatusCode::UNPROCESSABLE_ENTITY,
            Self::InvalidInput => StatusCode::BAD_REQUEST,
            Self::StoreBusy => StatusCode::SERVICE_UNAVAILABLE,
            Self::StoreSchema | Self::StoreFailed => StatusCode::INTERNAL_SERVER_ERROR,
        }
    }
}

/// Why a request is not answered.
#[derive(Debug)]
pub(crate) struct Failure {
    status: StatusCode,
    error: Box<Problem>,
    /// The reason that the server's log has and the client has not.
    detail: Option<String>,
}

/// The body of every answer that is not a success.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct ErrorBody {
    error: Problem,
}

/// What went wrong.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub(crate) struct Problem {
    /// The kind of the failure, for programs.
    code: Code,
    /// What went wrong, for people.
    message: String,
    /// What to do about it.
    hint: Option<String>,
    /// The verdicts on all conditions, if a promotion was refused because of one.
    #[serde(skip_serializing_if = "Option::is_none")]
    conditions: Option<Judgement>,
    /// The present plan, if an act was refused because facts changed since the plan that the caller saw.
    #[serde(skip_serializing_if = "Option::is_none")]
    plan: Option<Box<Promotion>>,
}

impl Failure {
    pub(crate) fn new(code: Code, message: impl Into<String>) -> Self {
        let message = message.into();
        let error = Problem { code, message, hint: None, conditions: None, plan: None };
        Self { status: code.status(), error: Box::new(error), detail: None }
    }

    /// The request is wrong.
    pub(crate) fn invalid(message: impl Into<String>) -> Self {
        Self::new(Code::InvalidInput, message)
    }

    pub(crate) fn not_found(message: impl Into<String>) -> Self {
        Self::new(Code::NotFound, message)
    }

    pub(crate) fn with_status(mut self, status: StatusCode) -> Self {
        self.status = status;
        self
    }

    pub(crate) fn with_hint(mut self, hint: impl Into<String>) -> Self {
        self.error.hint = Some(hint.into());
        self
    }

    pub(crate) fn with_plan(mut self, plan: Option<Promotion>) -> Self {
        self.error.plan = plan.map(Box::new);
        let hint = match self.error.plan {
            Some(_) => "look at `plan`, and send its `plan_hash` to agree to it",
            None => "`dry_run` shows why there is no plan any more",
        };
        self.with_hint(hint)
    }

    /// The reason that the client is not told.
    pub(crate) fn detail(&self) -> Option<&str> {
        self.detail.as_deref()
    }

    /// The verdicts on all conditions, if one of them is not met.
    pub(crate) fn conditions(&self) -> Option<&Judgement> {
        self.error.conditions.as_ref()
    }

    pub(crate) fn message(&self) -> &str {
        &self.error.message
    }

    pub(crate) fn response(&self) -> Response<Body> {
        let body = serde_json::to_vec(&ErrorBody { error: Problem::clone(&self.error) });
        let mut response = Response::new(Body::from(body.expect("an error is plain data")));
        *response.status_mut() = self.status;
        let json = HeaderValue::from_static("application/json");
        response.headers_mut().insert(header::CONTENT_TYPE, json);
        response
    }
}

impl From<InvalidName> for Failure {
    fn from(error: InvalidName) -> Self {
        Self::invalid(error.to_string())
    }
}

impl From<StoreError> for Failure {
    fn from(error: StoreError) -> Self {
        let code = store_code(&error);
        let message = match (&error, code) {
            // The texts of these name files, addresses or statements of the server, which are none of the client's business.
            (_, Code::StoreFailed | Code::StoreSchema) => {
                "the store of this server failed; the server's log has the reason".to_owned()
            }
            (_, Code::StoreBusy) => "the store is busy with other acts".to_owned(),
            (StoreError::Refused(Refusal::ForceWithoutReason { key }), _) => {
                format!("a forced change of {key} needs a reason")
            }
            (StoreError::Moved { .. } | StoreError::Copied { .. } | StoreError::Restored { .. }, _) => {
                "the store of this server is not where its records say, so nothing may be changed".to_owned()
            }
            (StoreError::HistoryChanged { .. }, _) => {
                "the history of this server's store is not the one seen before, so nothing may be changed".to_owned()
            }
            _ => without_folders(&error.to_string()),
        };
        let mut failure = Self::new(code, message);
        failure.error.hint = hint(&error, code).map(str::to_owned);
        let is_hidden = matches!(code, Code::StoreFailed | Code::StoreSchema | Code::StoreBusy);
        failure.detail = is_hidden.then(|| error.to_string());
        if let StoreError::Refused(Refusal::GateFailed { judgement, .. }) = &error {
            failure.error.conditions = Some(judgement.into());
        }
        failure
    }
}

/// Leaves of each absolute path in backticks only the last part: where the files of the server are is none of the client's
/// business.
fn without_folders(text: &str) -> String {
    let part = |(idx, part): (usize, &str)| {
        let is_path = idx % 2 == 1 && (part.starts_with('/') || part.starts_with("file:"));
        if is_path { part.rsplit('/').next().unwrap_or_default() } else { part }.to_owned()
    };
    text.split('`').enumerate().map(part).collect::<Vec<_>>().join("`")
}

fn hint(error: &StoreError, code: Code) -> Option<&'static str> {
    match error {
        StoreError::ActIdUsed { .. } => Some("send a new UUID as `act_id`"),
        StoreError::NoSuchModel { .. } | StoreError::NoSuchVersion { .. } => {
            Some("`GET /api/herdbook/v1/models` lists every model")
        }
        StoreError::Refused(
            Refusal::Contaminated { .. } | Refusal::GateFailed { .. } | Refusal::OtherSymbol { .. },
        ) => {
            Some("`force` with a `reason` does it anyway; the history records what was overridden")
        }
        StoreError::Refused(Refusal::ForceWithoutReason { .. }) => Some("send `reason`"),
        StoreError::Refused(Refusal::StageDisagrees { .. }) => {
            Some("`herdbook doctor --repair` on the server restores the recorded stage")
        }
        StoreError::Moved { .. } | StoreError::Copied { .. } | StoreError::Restored { .. } => {
            Some("`herdbook relocate` on the server")
        }
        StoreError::HistoryChanged { .. } => Some("`herdbook verify` on the server says more"),
        _ if code == Code::StoreBusy => Some("try again"),
        _ => None,
    }
}

fn store_code(error: &StoreError) -> Code {
    match error {
        StoreError::Refused(refusal) => refusal_code(refusal),
        StoreError::NoSuchModel { .. }
        | StoreError::NoSuchVersion { .. }
        | StoreError::DeletedVersion { .. }
        | StoreError::NoSuchRun { .. }
        | StoreError::NoSuchRunPrefix { .. } => Code::NotFound,
        StoreError::RunNotRunning { .. }
        | StoreError::RunNotFinished { .. }
        | StoreError::AlreadyRegistered { .. }
        | StoreError::CannotRegister { .. }
        | StoreError::EvaluatedMeanwhile { .. }
        | StoreError::TestedMeanwhile { .. }
        | StoreError::NotResumable { .. }
        | StoreError::TwoChampions { .. }
        | StoreError::Moved { .. }
        | StoreError::Copied { .. }
        | StoreError::Restored { .. }
        | StoreError::HistoryChanged { .. }
        | StoreError::PlanChanged { .. }
        | StoreError::ActIdUsed { .. }
        | StoreError::CannotRelocate { .. } => Code::Conflict,
        StoreError::DeletedExperiment { .. }
        | StoreError::ForeignArtifacts { .. }
        | StoreError::UnknownModelInConditions { .. }
        | StoreError::CannotLog { .. }
        | StoreError::CannotStart { .. }
        | StoreError::AmbiguousRun { .. }
        | StoreError::Unstorable { .. }
        | StoreError::VersionOrRun { .. } => Code::InvalidInput,
        StoreError::NotADatabase { .. } | StoreError::Schema { .. } => Code::StoreSchema,
        StoreError::Busy { .. }
        | StoreError::StoreBusy { .. }
        | StoreError::NoFreeConnection { .. }
        | StoreError::FileNotHashed { .. }
        | StoreError::OutcomeUnknown { .. }
        | StoreError::Unreachable { .. } => Code::StoreBusy,
        StoreError::UnsupportedUri { .. }
        | StoreError::BadAccess { .. }
        | StoreError::NotUtf8 { .. }
        | StoreError::FileStore { .. }
        | StoreError::Source { .. }
        | StoreError::SameStore { .. }
        | StoreError::NoStore { .. }
        | StoreError::CannotOpen { .. }
        | StoreError::Replaced { .. }
        | StoreError::ReadOnly { .. }
        | StoreError::DiskFull { .. }
        | StoreError::InputOutput { .. }
        | StoreError::Artifact { .. }
        | StoreError::BrokenRecord { .. }
        | StoreError::Damaged { .. }
        | StoreError::Database { .. }
        | StoreError::NotMlflow { .. }
        | StoreError::ServerRefused { .. }
        | StoreError::Unfinished { .. }
        | StoreError::Server { .. }
        | StoreError::RolledBack
        | StoreError::Sqlite(_)
        | StoreError::Postgres(_) => Code::StoreFailed,
    }
}

fn refusal_code(refusal: &Refusal) -> Code {
    match refusal {
        Refusal::ForbiddenTransition { .. } => Code::ForbiddenTransition,
        Refusal::ChampionChanged { .. }
        | Refusal::StageDisagrees { .. }
        | Refusal::Unusable { .. }
        | Refusal::OtherSymbol { .. }
        | Refusal::NotManaged { .. }
        | Refusal::GuardedTag { .. }
        | Refusal::GuardedTagRemoval { .. }
        | Refusal::NotDeletable { .. }
        | Refusal::NotEntered { .. }
        | Refusal::StageOnRun { .. }
        | Refusal::AliasWithoutChampion { .. }
        | Refusal::ModelNotDeletable { .. }
        | Refusal::NotRenamable { .. } => Code::Conflict,
        Refusal::Contaminated { .. } => Code::Contaminated,
        Refusal::GateFailed { .. } => Code::GateFailed,
        Refusal::NoFormerChampion { .. } => Code::NotFound,
        Refusal::ForceWithoutReason { .. } => Code::InvalidInput,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn folders_of_the_server_are_left_out() {
        let text = "`m` version 2: `/srv/a b/model.zip` is not `file:///srv/x`; see `docs/api.md`";
        assert_eq!(
            without_folders(text),
            "`m` version 2: `model.zip` is not `x`; see `docs/api.md`"
        );
    }
}
