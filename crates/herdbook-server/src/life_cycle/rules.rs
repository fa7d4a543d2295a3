//! Which requests go to the rulebook, and under which conditions.

use herdbook_domain::tags::key;
use herdbook_domain::{Conditions, ModelName, Refusal, Stage, VersionKey, VersionNumber};
use herdbook_mlflow::MlflowError;
use herdbook_store::engine::db::Conn;
use herdbook_store::tables::{event, tag, version};
use herdbook_store::{Level, Notices, Session, StoreError};

use super::pattern::NamePattern;

/// What happens to a request that the rulebook refuses.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Mode {
    /// It is refused.
    #[default]
    Enforce,
    /// It is carried out as by MLflow, and the refusal is reported.
    Observe,
    /// It is carried out as by MLflow.
    Off,
}

/// Which requests of MLflow's clients go to the rulebook.
#[derive(Debug, Clone, Default)]
pub struct LifeCycle {
    /// What happens to a request that is refused.
    pub mode: Mode,
    /// Patterns of the names of models that are under the life cycle from their first version on.
    pub patterns: Vec<NamePattern>,
    /// The conditions on promotion. Those of clients do not count.
    pub conditions: Conditions,
    /// Receives what `Observe` would have refused.
    pub notices: Notices,
}

/// The records, and which requests go to the rulebook.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Records<'a> {
    session: &'a Session,
    life_cycle: &'a LifeCycle,
}

impl<'a> Records<'a> {
    pub(crate) fn new(session: &'a Session, life_cycle: &'a LifeCycle) -> Self {
        Self { session, life_cycle }
    }

    pub(crate) fn session(self) -> &'a Session {
        self.session
    }

    pub(crate) fn life_cycle(self) -> &'a LifeCycle {
        self.life_cycle
    }
}

impl LifeCycle {
    pub(crate) fn is_enforced(&self) -> bool {
        self.mode == Mode::Enforce
    }

    pub(crate) fn is_observed(&self) -> bool {
        self.mode == Mode::Observe
    }

    /// Whether a registered model is under the life cycle.
    pub(crate) fn covers(&self, conn: &Conn, name: &str) -> Result<bool, StoreError> {
        if self.mode == Mode::Off {
            return Ok(false);
        }
        let fits = self.patterns.iter().any(|pattern| pattern.fits(name));
        Ok(fits || version::is_under_life_cycle(conn, name)?)
    }

    /// The version, if it is under the life cycle itself: it has a stage or a history.
    pub(crate) fn managed(
        &self,
        conn: &Conn,
        (name, number): (&str, i64),
    ) -> Result<Option<VersionKey>, StoreError> {
        let Some(key) = key_of(name, number).filter(|_| self.mode != Mode::Off) else {
            return Ok(None);
        };
        Ok(has_stage(conn, &key)?.then_some(key))
    }

    /// Refuses a request, or reports the refusal.
    pub(crate) fn refuse(&self, refusal: Refusal) -> Result<(), StoreError> {
        match self.mode {
            Mode::Enforce => Err(StoreError::Refused(refusal)),
            Mode::Observe => {
                self.report(&refusal.to_string());
                Ok(())
            }
            Mode::Off => Ok(()),
        }
    }

    /// As [`LifeCycle::refuse`], with the error.
    pub(crate) fn object(&self, error: MlflowError) -> Result<(), MlflowError> {
        match self.mode {
            Mode::Enforce => Err(error),
            Mode::Observe => {
                self.report(&error.to_string());
                Ok(())
            }
            Mode::Off => Ok(()),
        }
    }

    /// Reports what would have been refused.
    pub(crate) fn report(&self, refusal: &str) {
        self.note(&format!("`--life-cycle enforce` would refuse a request: {refusal}"));
    }

    /// Reports a difference from `Enforce`.
    pub(crate) fn note(&self, text: &str) {
        self.notices.say(Level::Warning, text);
    }
}

/// The key of a version, if the rulebook can name it.
pub(crate) fn key_of(name: &str, number: i64) -> Option<VersionKey> {
    let name = ModelName::parse(name).ok()?;
    Some(VersionKey { name, version: VersionNumber::new(number)? })
}

/// Whether a version has a stage by its tag, or a history.
pub(crate) fn has_stage(conn: &Conn, key: &VersionKey) -> Result<bool, StoreError> {
    let tags = tag::of_version(conn, key)?;
    let stage = tags.get(key::PROMOTION_STAGE).and_then(|text| text.parse::<Stage>().ok());
    Ok(stage.is_some() || event::history_end(conn, key)?.is_some())
}
