//! Promotion stages and the changes between them: one table, and a permitted change is a value.

use crate::closed_set::closed_set;

closed_set! {
    /// Where a model version stands on its way to production.
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
    /// The stages a version in this one may go to.
    #[expect(clippy::match_same_arms, reason = "one row a stage")]
    pub const fn targets(self) -> &'static [Self] {
        match self {
            Self::Development => &[Self::Beta, Self::Archived],
            Self::Beta => &[Self::Development, Self::Champion, Self::Archived],
            Self::Champion => &[Self::Beta, Self::Archived],
            Self::Archived => &[Self::Development, Self::Beta],
        }
    }

    /// The permitted change from this stage to `to`, if there is one.
    pub fn change_to(self, to: Self) -> Option<Transition> {
        self.targets().contains(&to).then_some(Transition { from: self, to })
    }

    /// MLflow's own, deprecated, stage of a version in this one (`model_versions.current_stage`).
    pub const fn mlflow_stage(self) -> &'static str {
        match self {
            Self::Development | Self::Beta => "Staging",
            Self::Champion => "Production",
            Self::Archived => "Archived",
        }
    }
}

/// A permitted change of stage. Nothing outside this file makes one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Transition {
    from: Stage,
    to: Stage,
}

impl Transition {
    /// A champion makes room for another one.
    pub(crate) const DISPLACEMENT: Self = Self { from: Stage::Champion, to: Stage::Archived };

    /// The stage left.
    pub const fn from(self) -> Stage {
        self.from
    }

    /// The stage entered.
    pub const fn to(self) -> Stage {
        self.to
    }

    /// Whether the version gains standing: it goes to champion, or from development or the archive to beta.
    pub fn is_rise(self) -> bool {
        matches!(self.to, Stage::Beta | Stage::Champion) && self.from != Stage::Champion
    }

    /// Whether the version loses standing: it leaves champion, or goes from beta back to development.
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
