//! Types of models and versions, ways of enhancement, and states of runs.

use super::closed_set::closed_set;

closed_set! {
    /// How a model was trained.
    ModelType, "model type" {
        /// Trained from random weights, without a parent.
        Base = "base",
        /// Training of a parent continued.
        Continued = "continued",
        /// Continued from a parent; episodes start preferably where the parent did worst.
        Replay = "replay",
        /// Continued from a parent through stages of growing difficulty.
        Curriculum = "curriculum",
        /// Continued from a parent with settings that follow a changing market.
        Adaptive = "adaptive",
    }
}

closed_set! {
    /// A way to continue the training of a parent.
    Enhancement, "enhancement type" {
        /// Weights, optimizer state and step count are taken over.
        Continued = "continued",
        /// Episodes start preferably where the parent did worst.
        Replay = "replay",
        /// Costs, episode length and volatility grow in stages.
        Curriculum = "curriculum",
        /// Learning rate and entropy bonus are adapted during training, and recent bars weigh more.
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
    /// Whether a model version has registered children.
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
        /// The training is under way, or its process died without ending the run.
        Running = "RUNNING",
        /// The run waits to be started; herdbook never writes this.
        Scheduled = "SCHEDULED",
        /// The training ended and the model is stored.
        Finished = "FINISHED",
        /// The training ended with an error.
        Failed = "FAILED",
        /// The user ended the training.
        Killed = "KILLED",
    }
}
