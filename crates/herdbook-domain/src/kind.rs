//! Kinds of models, versions and runs.

use crate::closed_set::closed_set;

closed_set! {
    /// How a run's model came to be.
    ModelType, "model type" {
        /// Trained from nothing.
        Base = "base",
        /// Trained on from a parent.
        Continued = "continued",
        /// Trained on from a parent, preferring episodes where the parent did worst.
        Replay = "replay",
        /// Trained on from a parent through stages of growing difficulty.
        Curriculum = "curriculum",
        /// Trained on from a parent so that it follows a changing market.
        Adaptive = "adaptive",
    }
}

closed_set! {
    /// A way to train on from a parent.
    Enhancement, "enhancement type" {
        /// Weights, optimizer state and step count carried on.
        Continued = "continued",
        /// Episodes restart preferably where the parent did worst.
        Replay = "replay",
        /// Costs, episode length and volatility grow by stages.
        Curriculum = "curriculum",
        /// Learning rate and entropy are steered, recent bars weigh more.
        Adaptive = "adaptive",
    }
}

impl Enhancement {
    /// The type of a model enhanced this way.
    pub const fn model_type(self) -> ModelType {
        match self {
            Self::Continued => ModelType::Continued,
            Self::Replay => ModelType::Replay,
            Self::Curriculum => ModelType::Curriculum,
            Self::Adaptive => ModelType::Adaptive,
        }
    }
}

closed_set! {
    /// Whether a registered model has been trained on from.
    VersionType, "version type" {
        /// No registered child.
        Latest = "latest",
        /// At least one registered child.
        Old = "old",
    }
}

closed_set! {
    /// State of a run, as MLflow spells it.
    RunStatus, "run status" {
        /// Training goes on, or its process died without saying so.
        Running = "RUNNING",
        /// Waits to be run; never written here.
        Scheduled = "SCHEDULED",
        /// Trained and stored.
        Finished = "FINISHED",
        /// Ended by an error.
        Failed = "FAILED",
        /// Ended by the user.
        Killed = "KILLED",
    }
}
