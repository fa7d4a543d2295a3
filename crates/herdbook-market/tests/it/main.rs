//! The crate from outside: its figures against others', its data from file to features.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on panics")]
#![expect(clippy::float_cmp, reason = "where values are compared exactly they must be exact")]

mod account;
mod any_file;
mod archives;
mod causality;
mod comparison;
mod data;
mod dialects;
mod folds;
mod from_file_to_bars;
mod golden;
mod golden_bootstrap;
mod golden_edges;
mod golden_sharpe;
mod json;
mod layouts;
mod metric_properties;
mod parquet;
mod resampling;
mod same_bars;
mod sample_data;
mod windows;
mod zones;
