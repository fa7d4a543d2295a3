//! What each search allows.

use crate::filter::condition::Comparison::{
    self, AtLeast, AtMost, Equal, Greater, Ilike, In, IsNotNull, IsNull, Less, Like, NotEqual,
    NotIn,
};

/// What is searched.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Searched {
    /// `runs/search`
    Runs,
    /// `experiments/search`
    Experiments,
    /// `registered-models/search`
    RegisteredModels,
    /// `model-versions/search`
    ModelVersions,
    /// `logged-models/search`
    LoggedModels,
}

/// A kind of field.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Entity {
    Metric,
    Param,
    Tag,
    Dataset,
    Attribute,
}

/// An attribute: its name in a filter, its name in the answer, and its type.
pub(super) type Attribute = (&'static str, &'static str, Type);

/// The type of an attribute.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Type {
    Text,
    /// A text that can be compared with a list.
    Listed,
    Number,
    /// A number that may be written as a quoted text too.
    QuotedNumber,
}

const NUMERIC: &[Comparison] = &[Greater, AtLeast, NotEqual, Equal, Less, AtMost];
const TEXT: &[Comparison] = &[NotEqual, Equal, Like, Ilike];
const NULLABLE: &[Comparison] = &[NotEqual, Equal, Like, Ilike, IsNull, IsNotNull];
const LISTED: &[Comparison] = &[NotEqual, Equal, Like, Ilike, In, NotIn];

impl Type {
    pub(super) fn comparisons(self) -> &'static [Comparison] {
        match self {
            Self::Text => TEXT,
            Self::Listed => LISTED,
            Self::Number | Self::QuotedNumber => NUMERIC,
        }
    }
}

impl Entity {
    /// Its name in refusals.
    pub(super) fn word(self) -> &'static str {
        match self {
            Self::Metric => "metric",
            Self::Param => "parameter",
            Self::Tag => "tag",
            Self::Attribute => "attribute",
            Self::Dataset => "dataset",
        }
    }
}

impl Searched {
    /// The words before the first dot of a name, with what they mean.
    pub(super) fn entities(self) -> &'static [(&'static str, Entity)] {
        match self {
            Self::Runs => &[
                ("metric", Entity::Metric),
                ("metrics", Entity::Metric),
                ("parameter", Entity::Param),
                ("parameters", Entity::Param),
                ("param", Entity::Param),
                ("params", Entity::Param),
                ("tag", Entity::Tag),
                ("tags", Entity::Tag),
                ("attribute", Entity::Attribute),
                ("attributes", Entity::Attribute),
                ("attr", Entity::Attribute),
                ("run", Entity::Attribute),
                ("dataset", Entity::Dataset),
                ("datasets", Entity::Dataset),
            ],
            Self::Experiments | Self::RegisteredModels | Self::ModelVersions => {
                &[("attribute", Entity::Attribute), ("tag", Entity::Tag), ("tags", Entity::Tag)]
            }
            Self::LoggedModels => &[
                ("attributes", Entity::Attribute),
                ("metrics", Entity::Metric),
                ("params", Entity::Param),
                ("tags", Entity::Tag),
            ],
        }
    }

    /// The attributes that a filter may name.
    pub(super) fn attributes(self) -> &'static [Attribute] {
        match self {
            Self::Runs => &[
                ("run_id", "run_id", Type::Listed),
                ("run_name", "run_name", Type::Text),
                ("run name", "run_name", Type::Text),
                ("Run name", "run_name", Type::Text),
                ("Run Name", "run_name", Type::Text),
                ("status", "status", Type::Text),
                ("user_id", "user_id", Type::Text),
                ("artifact_uri", "artifact_uri", Type::Text),
                ("start_time", "start_time", Type::Number),
                ("end_time", "end_time", Type::Number),
                ("created", "start_time", Type::Number),
                ("Created", "start_time", Type::Number),
            ],
            Self::Experiments => &[
                ("name", "name", Type::Text),
                ("experiment_id", "experiment_id", Type::Listed),
                ("creation_time", "creation_time", Type::Number),
                ("last_update_time", "last_update_time", Type::Number),
            ],
            Self::RegisteredModels => &[("name", "name", Type::Listed)],
            Self::ModelVersions => &[
                ("name", "name", Type::Listed),
                ("run_id", "run_id", Type::Listed),
                ("source_path", "source", Type::Text),
                ("version_number", "version", Type::QuotedNumber),
            ],
            Self::LoggedModels => &[
                ("name", "name", Type::Listed),
                ("model_id", "model_id", Type::Listed),
                ("experiment_id", "experiment_id", Type::Listed),
                ("model_type", "model_type", Type::Listed),
                ("status", "status", Type::Listed),
                ("source_run_id", "source_run_id", Type::Listed),
                ("artifact_location", "artifact_location", Type::Listed),
                ("lifecycle_stage", "lifecycle_stage", Type::Listed),
                ("status_message", "status_message", Type::Listed),
                ("creation_timestamp", "creation_timestamp_ms", Type::Number),
                ("creation_timestamp_ms", "creation_timestamp_ms", Type::Number),
                ("creation_time", "creation_timestamp_ms", Type::Number),
                ("last_updated_timestamp", "last_updated_timestamp_ms", Type::Number),
                ("last_updated_timestamp_ms", "last_updated_timestamp_ms", Type::Number),
            ],
        }
    }

    /// The attributes that results may be ordered by, with their names in the answer.
    pub(super) fn order_attributes(self) -> &'static [(&'static str, &'static str)] {
        match self {
            Self::Runs => &[
                ("run_id", "run_id"),
                ("run_name", "run_name"),
                ("status", "status"),
                ("user_id", "user_id"),
                ("artifact_uri", "artifact_uri"),
                ("start_time", "start_time"),
                ("end_time", "end_time"),
                ("created", "start_time"),
                ("Created", "start_time"),
            ],
            Self::Experiments => &[
                ("name", "name"),
                ("experiment_id", "experiment_id"),
                ("creation_time", "creation_time"),
                ("last_update_time", "last_update_time"),
            ],
            Self::RegisteredModels => &[
                ("name", "name"),
                ("timestamp", "last_updated_timestamp"),
                ("last_updated_timestamp", "last_updated_timestamp"),
            ],
            Self::ModelVersions => &[
                ("name", "name"),
                ("version_number", "version"),
                ("creation_timestamp", "creation_timestamp"),
                ("last_updated_timestamp", "last_updated_timestamp"),
            ],
            Self::LoggedModels => &[
                ("name", "name"),
                ("model_id", "model_id"),
                ("model_type", "model_type"),
                ("status", "status"),
                ("source_run_id", "source_run_id"),
                ("creation_timestamp", "creation_timestamp_ms"),
                ("creation_time", "creation_timestamp_ms"),
                ("last_updated_timestamp", "last_updated_timestamp_ms"),
            ],
        }
    }

    /// The comparisons of tags and parameters.
    pub(super) fn key_comparisons(self) -> &'static [Comparison] {
        match self {
            Self::Runs | Self::Experiments => NULLABLE,
            Self::RegisteredModels | Self::ModelVersions => TEXT,
            Self::LoggedModels => LISTED,
        }
    }

    /// The comparisons of a kind of field that is no attribute.
    pub(super) fn comparisons(self, entity: Entity) -> &'static [Comparison] {
        match entity {
            Entity::Metric => NUMERIC,
            Entity::Dataset => LISTED,
            Entity::Param | Entity::Tag | Entity::Attribute => self.key_comparisons(),
        }
    }
}
