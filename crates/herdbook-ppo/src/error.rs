//! What can go wrong: a configuration that cannot train, environments that do not fit, and model
//! files that cannot be read. Learning itself cannot fail.

/// An error of this crate. `file` is the name the caller gave to the bytes it handed over.
#[expect(missing_docs, reason = "the fields are the words of the messages beside them")]
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PpoError {
    /// A hyperparameter lies outside the range in which it means something.
    #[error("`{field}` is `{value}`, but must be {expected}")]
    Config { field: &'static str, value: String, expected: &'static str },

    /// The number of environments is not the configured one.
    #[error("{found} environments were given, but `n_envs` is {expected}: make the two equal")]
    EnvironmentCount { expected: usize, found: usize },

    /// An environment, the configuration and the model do not describe the same network.
    #[error(
        "{what} is {found}, but {expected_by} has {expected}: train a new model, or make them equal"
    )]
    Mismatch { what: &'static str, found: String, expected_by: &'static str, expected: String },

    /// Bytes that are not the zip of a model, or one made to be harmful.
    #[error("`{file}` is not a readable model file: {problem}")]
    Archive { file: String, problem: String },

    /// One member of the zip, or one key of its `data`, is not what it has to be.
    #[error("`{file}`: `{member}` {problem}")]
    Member { file: String, member: String, problem: String },

    /// A sound model of a kind that herdbook does not train.
    #[error(
        "`{file}`: {what} not supported; herdbook models have flat `Box` observations, \
             `Discrete` or `MultiDiscrete` actions and separate tanh or relu networks"
    )]
    Unsupported { file: String, what: String },

    /// What was kept of a training does not belong to it.
    #[error("the training cannot be taken up again: {problem}")]
    Snapshot { problem: String },

    /// Training went astray: a weight became infinite or NaN.
    #[error(
        "`{tensor}` holds a value that is not finite: lower `learning_rate`, or look for \
             infinite rewards and observations"
    )]
    NotFinite { tensor: String },
}
