//! Promotion stages and the permitted changes between them.
//!
//! [`Stage::targets`] is the only table of permitted changes, and only this file makes a [`Transition`], so every
//! `Transition` is a permitted change.

use super::closed_set::closed_set;

closed_set! {
    /// The stage of a model version on its way to production.
    ///
    /// ```
    /// use herdbook_domain::Stage;
    ///
    /// let transition = Stage::Beta.change_to(Stage::Champion).expect("a permitted change");
    /// assert_eq!(transition.to_string(), "beta -> champion");
    /// assert!(transition.is_rise());
    /// assert_eq!(Stage::Development.change_to(Stage::Champion), None);
    /// assert_eq!("archived".parse(), Ok(Stage::Archived));
    /// ```
    Stage, "stage" {
        /// Freshly trained.
        Development = "development",
        /// On trial.
        Beta = "beta",
        /// In production: at most one version of each registered model.
        Champion = "champion",
        /// Retired.
        Archived = "archived",
    }
}

impl Stage {
    /// The stages that a version in this stage may enter.
    #[expect(clippy::match_same_arms, reason = "one row for each stage")]
    pub const fn targets(self) -> &'static [Self] {
        match self {
            Self::Development => &[Self::Beta, Self::Archived],
            Self::Beta => &[Self::Development, Self::Champion, Self::Archived],
            Self::Champion => &[Self::Beta, Self::Archived],
            Self::Archived => &[Self::Development, Self::Beta],
        }
    }

    /// The change from this stage to `to`; `None` where it is not permitted.
    pub fn change_to(self, to: Self) -> Option<Transition> {
        self.targets().contains(&to).then_some(Transition { from: self, to })
    }

    /// The value of MLflow's own, deprecated stage (`model_versions.current_stage`) for a version in this stage.
    pub const fn mlflow_stage(self) -> &'static str {
        match self {
            Self::Development | Self::Beta => "Staging",
            Self::Champion => "Production",
            Self::Archived => "Archived",
        }
    }
}

/// A permitted change of stage, made by [`Stage::change_to`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Transition {
    from: Stage,
    to: Stage,
}

impl Transition {
    /// The change of a champion that another version displaces.
    pub(crate) const DISPLACEMENT: Self = Self { from: Stage::Champion, to: Stage::Archived };

    /// The stage that the version leaves.
    pub const fn from(self) -> Stage {
        self.from
    }

    /// The stage that the version enters.
    pub const fn to(self) -> Stage {
        self.to
    }

    /// Whether the version rises: to champion, or from development or archived to beta.
    pub fn is_rise(self) -> bool {
        matches!(self.to, Stage::Beta | Stage::Champion) && self.from != Stage::Champion
    }

    /// Whether the version is demoted: it leaves champion, or goes from beta back to development.
    pub fn is_demotion(self) -> bool {
        self.from == Stage::Champion || (self.from == Stage::Beta && self.to == Stage::Development)
    }
}

impl std::fmt::Display for Transition {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} -> {}", self.from, self.to)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn archived_version_cannot_become_champion() {
        assert_eq!(Stage::Archived.change_to(Stage::Champion), None);
    }

    #[test]
    fn development_version_cannot_become_champion() {
        assert_eq!(Stage::Development.change_to(Stage::Champion), None);
    }

    #[test]
    fn no_stage_changes_to_itself() {
        for stage in Stage::ALL {
            assert_eq!(stage.change_to(*stage), None);
        }
    }

    #[test]
    fn displacement_is_a_permitted_change() {
        assert_eq!(Stage::Champion.change_to(Stage::Archived), Some(Transition::DISPLACEMENT));
    }
}
