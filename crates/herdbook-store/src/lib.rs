//! The records of runs, metrics, models and events in the database schema of MLflow 3.17.2, with artifacts as files.
//!
//! A [`Store`] is opened once and shared by threads; a [`Session`] acts on it as one actor. Its methods are whole acts
//! (`start_run`, `finish_and_register`, `promote` …), each one transaction. The rulebook decides: an act reads the facts,
//! asks `herdbook-domain` for a plan, and carries it out.
//!
//! [`engine`] has the interface for other backends, [`tables`] the rows for crates that write whole records.

mod acts;
pub mod artifacts;
mod clock;
mod dataset_input;
pub mod engine;
mod error;
mod guarded_artifacts;
mod heads;
mod history_change;
mod location;
mod notices;
mod search;
mod session;
mod store;
pub mod tables;
pub mod waiting;

pub use acts::doctor::Examination;
pub use acts::files::FileState;
pub use acts::foreign_run::{ForeignFinish, RunEntries};
pub use acts::promotion::Promotion;
pub use acts::registration::{Finish, Registered};
pub use acts::relocation::request::{Move, RelocateRequest, Relocation};
pub use acts::run::{RunStart, UnfinishedEnd};
pub use acts::served::CHECKPOINT_ENDING;
pub use acts::usability::UnusableVersion;
pub use artifacts::disk::Disk;
pub use artifacts::regular::{open_regular, read_regular};
pub use artifacts::streams::{ArtifactEntry, ArtifactStore, Content, FileStamp};
pub use clock::{new_id, now};
pub use dataset_input::DatasetInput;
pub use engine::backend::{Effect, EngineCheck};
pub use engine::opening::{Missing, OpenOptions, Opened};
pub use engine::place::state::{Identity, PlaceState};
pub use engine::postgres::PostgresSource;
pub use error::StoreError;
pub use heads::folder::standard_state_folder;
pub use history_change::{ChangeKind, HeadOnRecord, HistoryChange};
pub use location::Location;
pub use location::secrets::{text_without_secrets, uri_without_secrets};
pub use location::server::ServerUri;
pub use notices::{Level, Notices};
pub use search::best::Best;
pub use search::best::candidates::{Candidates, Contaminated};
pub use search::board::ModelSummary;
pub use search::disagreement::{Disagreement, disagreements};
pub use search::known_closes::{KnownCloses, TrainingCloses};
pub use search::listing::Listing;
pub use search::run_prefix::VersionOrRun;
pub use search::versions::{UnsealedValues, VersionQuery};
pub use session::{Act, Session};
pub use store::Store;
pub use tables::evaluation::RecordedEvaluation;
pub use tables::event::{EventQuery, RegisteredFile};
pub use tables::lease::{LEASE_EXPIRY_MS, LEASE_REFRESH_MS, Lease, Liveness};
pub use tables::metric::{LatestMetric, LatestMetrics, Metric, MetricSelection};
pub use tables::run::RunRecord;
pub use tables::seal::SealedSummary;
pub use tables::tag::TagSelection;
pub use tables::trial::{RecordedTrial, TrialQuery};
pub use tables::unsealed::Measured;
pub use tables::version::{UnreadableVersion, VersionRecord};
