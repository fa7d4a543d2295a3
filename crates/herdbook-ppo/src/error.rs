//! The error type: invalid configurations, environments that do not fit, and model files that cannot
//! be read or written. Training itself does not fail.

/// An error of this crate.
///
/// In its fields, `file` is the name that the caller gave to the bytes of a model file.
#[expect(missing_docs, reason = "the messages beside the fields explain them")]
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PpoError {
    /// A hyperparameter, or a property of the environment, is out of range.
    #[error("`{field}` is `{value}`, but must be {expected}")]
    Config { field: &'static str, value: String, expected: &'static str },

    /// The number of environments is not the configured `n_envs`.
    #[error("{found} environments were given, but `n_envs` is {expected}: make the two equal")]
    EnvironmentCount { expected: usize, found: usize },

    /// Environments, configuration, model or tensors do not describe the same network.
    #[error(
        "{what} is {found}, but {expected_by} has {expected}: train a new model, or make them equal"
    )]
    Mismatch { what: &'static str, found: String, expected_by: &'static str, expected: String },

    /// The bytes are not a zip archive with the members of a model, or exceed the limits of one.
    #[error("`{file}` is not a readable model file: {problem}")]
    Archive { file: String, problem: String },

    /// A member of the zip, or a key of its member `data`, is invalid. `problem` continues a sentence
    /// that starts with the member's name.
    #[error("`{file}`: `{member}` {problem}")]
    Member { file: String, member: String, problem: String },

    /// A valid model of a kind that this crate does not support. `what` ends in `is` or `are`.
    #[error(
        "`{file}`: {what} not supported; herdbook models have flat `Box` observations, \
             `Discrete` or `MultiDiscrete` actions and separate tanh or relu networks"
    )]
    Unsupported { file: String, what: String },

    /// A valid model of another algorithm.
    #[error("`{file}` is {what}: herdbook runs and enhances only models of PPO")]
    OtherAlgorithm { file: String, what: String },

    /// A snapshot does not fit the model or the environments.
    #[error("the training cannot be resumed: {problem}")]
    Snapshot { problem: String },

    /// A tensor has an infinite or NaN value, usually because the training diverged.
    #[error(
        "`{tensor}` contains a value that is not finite: lower `learning_rate`, or check for \
             infinite rewards and observations"
    )]
    NotFinite { tensor: String },
}
