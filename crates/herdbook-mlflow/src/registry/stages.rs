//! MLflow's stages: deprecated, and still offered by its API and pages.

use herdbook_domain::Timestamp;
use herdbook_store::engine::db::Conn;
use herdbook_store::params;

use crate::error::MlflowError;
use crate::registry::record::{self, ModelVersion};
use crate::registry::registered_models::touch_model;

/// A stage of MLflow.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MlflowStage {
    /// No stage.
    None,
    /// `Staging`
    Staging,
    /// `Production`
    Production,
    /// `Archived`
    Archived,
}

impl MlflowStage {
    /// All of them, in MLflow's order.
    pub const ALL: [Self; 4] = [Self::None, Self::Staging, Self::Production, Self::Archived];

    /// The name on the wire.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::None => "None",
            Self::Staging => "Staging",
            Self::Production => "Production",
            Self::Archived => "Archived",
        }
    }

    /// Reads a stage in any case.
    ///
    /// # Errors
    /// [`MlflowError::Refused`] for another word.
    pub fn parse(text: &str) -> Result<Self, MlflowError> {
        let key = text.to_lowercase();
        let found = Self::ALL.into_iter().find(|stage| stage.as_str().to_lowercase() == key);
        found.ok_or_else(|| {
            MlflowError::invalid(format!(
                "Invalid Model Version stage: {text}. Value must be one of {}.",
                Self::ALL.map(Self::as_str).join(", ")
            ))
        })
    }

    /// Checks whether the other versions of the stage may be archived by a transition. `text` is the stage as the caller wrote
    /// it.
    ///
    /// # Errors
    /// [`MlflowError::Refused`] for `None` and `Archived`.
    pub fn check_archiving(self, text: &str) -> Result<(), MlflowError> {
        if matches!(self, Self::Staging | Self::Production) {
            return Ok(());
        }
        Err(MlflowError::invalid(format!(
            "Model version transition cannot archive existing model versions because '{text}' is not an Active stage. \
             Valid stages are ['Staging', 'Production']"
        )))
    }
}

/// Whether other versions of a model are in a stage.
///
/// # Errors
/// Those of the database.
pub fn others_in_stage(
    conn: &Conn,
    (name, number): (&str, i64),
    stage: MlflowStage,
) -> Result<bool, MlflowError> {
    let found = conn.query_first(
        "SELECT 1 FROM model_versions
         WHERE workspace = 'default' AND name = ?1 AND version <> ?2 AND current_stage = ?3 LIMIT 1",
        params![name, number, stage.as_str()],
        |_| Ok(()),
    )?;
    Ok(found.is_some())
}

/// Moves a version to a stage. With `archives_others` the other versions of the stage are archived.
///
/// # Errors
/// [`MlflowError::Refused`] if there is no such version; those of the database.
pub fn transition_stage(
    conn: &Conn,
    (name, number): (&str, i64),
    stage: MlflowStage,
    archives_others: bool,
    at: Timestamp,
) -> Result<ModelVersion, MlflowError> {
    record::require_version(conn, name, number)?;
    if archives_others {
        conn.execute(
            "UPDATE model_versions SET current_stage = 'Archived', last_updated_time = ?1
             WHERE workspace = 'default' AND name = ?2 AND version <> ?3 AND current_stage = ?4",
            params![at.millis(), name, number, stage.as_str()],
        )?;
    }
    conn.execute(
        "UPDATE model_versions SET current_stage = ?1, last_updated_time = ?2
         WHERE workspace = 'default' AND name = ?3 AND version = ?4",
        params![stage.as_str(), at.millis(), name, number],
    )?;
    touch_model(conn, name, at)?;
    record::version(conn, name, number)
}
