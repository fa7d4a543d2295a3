//! Raw flags. Parsing checks spelling and types; it reads no file, no environment variable and no store.

mod examples;
mod family;
mod import;
mod list;
mod number;
mod reference;
mod relocate;
mod running;
mod showing;

use std::path::PathBuf;

use clap::{Args as ClapArgs, Parser, Subcommand};
use herdbook_domain::{
    Actor, Enhancement, ExpectedChampion, MetricName, ModelType, ParentSelector, RunPrefix, Stage,
    Symbol, Timeframe, Timestamp, VersionNumber, VersionType,
};

pub(crate) use crate::args::family::{DEFAULT_MODEL, Family, OptionalFamily, TrainFamily};
pub(crate) use crate::args::import::{ImportArgs, RegisterArgs};
pub(crate) use crate::args::list::{ListArgs, SortKey};
pub(crate) use crate::args::reference::Reference;
pub(crate) use crate::args::relocate::RelocateArgs;
pub(crate) use crate::args::running::{
    BacktestArgs, EvaluateArgs, PredictArgs, ReadingArgs, RunningArgs,
};
pub(crate) use crate::args::showing::{CompareArgs, HistoryArgs, LineageArgs, ShowArgs};

/// A register of stock-trading models. Trains, enhances, promotes and finds models, and records where each one
/// came from. The records are MLflow's own: tags, registry and database schema.
#[derive(Debug, Parser)]
#[command(name = "herdbook", version, max_term_width = 100, arg_required_else_help = true)]
pub(crate) struct Args {
    #[command(flatten)]
    pub(crate) global: Global,
    #[command(subcommand)]
    pub(crate) command: Command,
}

/// Flags of every command.
#[derive(Debug, ClapArgs)]
#[command(next_help_heading = "Global options")]
pub(crate) struct Global {
    /// Store of the records, such as `sqlite:///mlflow.db`
    ///
    /// [default: the environment variable `MLFLOW_TRACKING_URI`, else `store` in herdbook.toml, else mlflow.db in the
    /// current folder with artifacts in mlruns]
    #[arg(long, global = true, value_name = "URI")]
    pub(crate) tracking_uri: Option<String>,
    /// Print the data as JSON
    #[arg(long, global = true)]
    pub(crate) json: bool,
    /// Print every column of a table, also beyond the width of the terminal
    #[arg(long, global = true)]
    pub(crate) wide: bool,
    /// Print only data and errors
    #[arg(long, short, global = true)]
    pub(crate) quiet: bool,
    /// Name recorded in the history [default: the environment variable `HERDBOOK_ACTOR`, else the system's user name]
    #[arg(long, global = true, value_name = "NAME")]
    pub(crate) actor: Option<Actor>,
    /// How long to wait for a store that another process has locked
    #[arg(long, global = true, value_name = "SECONDS", default_value_t = 10, value_parser = number::whole::<u16>(0..=65_535))]
    pub(crate) lock_timeout: u16,
    /// File of settings that a flag of the command names.
    #[arg(skip)]
    pub(crate) config_file: Option<PathBuf>,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Train a base model, or enhance an existing model
    #[command(after_help = examples::TRAIN)]
    Train(Box<TrainArgs>),
    /// Run a registered model over bars and compare it with buy and hold
    #[command(after_help = examples::BACKTEST)]
    Backtest(BacktestArgs),
    /// Run a registered model over bars it has never seen, and record the result in the history
    #[command(after_help = examples::EVALUATE)]
    Evaluate(EvaluateArgs),
    /// Show the position that a registered model takes after the newest closed bar
    #[command(after_help = examples::PREDICT)]
    Predict(PredictArgs),
    /// Import another MLflow store (database, `mlruns` folder or server) and audit its tags
    #[command(after_help = examples::IMPORT)]
    Import(ImportArgs),
    /// Register the model of a run that another program trained and did not register
    #[command(after_help = examples::REGISTER)]
    Register(RegisterArgs),
    /// Register a model.zip that was trained elsewhere with stable-baselines3
    #[command(after_help = examples::IMPORT_MODEL)]
    ImportModel(ImportModelArgs),
    /// Move a model version to another stage
    #[command(after_help = examples::PROMOTE)]
    Promote(PromoteArgs),
    /// Bring back the previous champion
    #[command(after_help = examples::ROLLBACK)]
    Rollback(RollbackArgs),
    /// Show the champion, now or at an earlier time
    #[command(after_help = examples::CHAMPION)]
    Champion(ChampionArgs),
    /// List model versions, newest first
    #[command(after_help = examples::LIST)]
    List(ListArgs),
    /// Find the newest or the best model
    #[command(after_help = examples::FIND)]
    Find(FindArgs),
    /// Show everything about one model version
    #[command(after_help = examples::SHOW)]
    Show(ShowArgs),
    /// Show parents and children as a tree
    #[command(after_help = examples::LINEAGE)]
    Lineage(LineageArgs),
    /// Show who changed what, when and why
    #[command(after_help = examples::HISTORY)]
    History(HistoryArgs),
    /// Compare two model versions
    #[command(after_help = examples::COMPARE)]
    Compare(CompareArgs),
    /// Show every registered model with its stages, and the running trainings
    #[command(after_help = examples::STATUS)]
    Status,
    /// Check history and database, and compare MLflow's rows and the served files with the history
    #[command(after_help = examples::VERIFY)]
    Verify(VerifyArgs),
    /// Check the records against every rule; with `--repair`, repair what is safe to repair
    #[command(after_help = examples::DOCTOR)]
    Doctor(DoctorArgs),
    /// Update the artifact locations of a store that was moved or copied, after checking its files
    #[command(after_help = examples::RELOCATE)]
    Relocate(RelocateArgs),
    /// Write a commented herdbook.toml, the file of settings, into the current folder
    #[command(after_help = examples::INIT)]
    Init,
    /// Print a completion script for a shell
    #[command(after_help = examples::COMPLETIONS)]
    Completions {
        /// Shell to print the script for
        shell: clap_complete::Shell,
    },
}

#[derive(Debug, ClapArgs)]
#[command(override_usage = "herdbook train [OPTIONS] --timeframe <TIMEFRAME>\n       \
                            herdbook train --resume <RUN_ID> [--data <FILE>]")]
pub(crate) struct TrainArgs {
    #[command(flatten)]
    pub(crate) family: TrainFamily,
    /// File of bars (CSV, Parquet or JSON, also gzipped or zipped) of the timeframe or finer [default: a sample
    /// built into this program]
    #[arg(long, value_name = "FILE", group = "bars")]
    pub(crate) data: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) reading: ReadingArgs,
    /// Instrument of the bars [default: the file's name without its extension]
    #[arg(long, value_name = "NAME")]
    pub(crate) symbol: Option<Symbol>,
    /// Timesteps to train, rounded up to whole rollouts
    #[arg(long, value_name = "N", default_value_t = 100_000, value_parser = number::whole::<u64>(0..=u64::MAX))]
    pub(crate) timesteps: u64,
    /// Environments stepped in parallel [default: 1]
    #[arg(long, value_name = "N", value_parser = number::whole::<usize>(0..=u64::MAX))]
    pub(crate) n_envs: Option<usize>,
    /// Threads to train on. They change the speed, never the resulting model. The update uses at most 2 threads;
    /// the environments are divided among all
    #[arg(long, value_name = "N", default_value = "1", value_parser = number::whole::<u16>(1..=256))]
    pub(crate) threads: u16,
    /// TOML file of hyperparameters; flags override it
    #[arg(long, value_name = "FILE")]
    pub(crate) config: Option<PathBuf>,
    /// Seed of the random generator: the same seed and bars give the same model
    #[arg(long, value_name = "N", default_value_t = 0, value_parser = number::whole::<u64>(0..=u64::MAX))]
    pub(crate) seed: u64,
    /// Parent to enhance: `latest`, `best`, `champion`, a run id or a version number
    #[arg(long, value_name = "PARENT")]
    pub(crate) enhance: Option<ParentSelector>,
    /// Model type that `--enhance latest` and `--enhance best` search
    #[arg(long, value_name = "TYPE", default_value = "base", requires = "enhance")]
    pub(crate) enhance_model_type: ModelType,
    /// Metric by which `--enhance best` chooses
    #[arg(
        long,
        value_name = "METRIC",
        default_value = "evaluation/best_mean_reward",
        requires = "enhance"
    )]
    pub(crate) enhance_metric: MetricName,
    /// Type of enhancement: continued, replay, curriculum or adaptive
    #[arg(long, value_name = "TYPE", default_value = "continued", requires = "enhance")]
    pub(crate) enhance_type: Enhancement,
    /// Experiment of the run; its full name is `{NAME}_{timeframe}`
    #[arg(long, value_name = "NAME", default_value = "stock_trading_rl")]
    pub(crate) experiment: String,
    /// Costs in basis points of the traded notional, per side
    #[arg(long, value_name = "X", default_value_t = 1.0, allow_negative_numbers = true, value_parser = number::decimal)]
    pub(crate) cost_bps: f64,
    /// Start of the validation window (UTC) [default: after 64% of the bars]
    #[arg(long, value_name = "TIME", value_parser = Timestamp::parse)]
    pub(crate) validation_from: Option<Timestamp>,
    /// Start of the test window (UTC) [default: after 80% of the bars]
    #[arg(long, value_name = "TIME", value_parser = Timestamp::parse)]
    pub(crate) test_from: Option<Timestamp>,
    /// Train even if an ancestor has seen bars of the test window, and mark the model as contaminated
    #[arg(long)]
    pub(crate) allow_contaminated: bool,
    /// Train with N consecutive seeds, starting at `--seed`, and register the model that is best on the validation
    /// window
    #[arg(long, value_name = "N", value_parser = number::whole::<u16>(2..=1_000), conflicts_with = "walk_forward")]
    pub(crate) seeds: Option<u16>,
    /// Train on N consecutive folds, each tested on the bars that follow it, and register the model of the last
    /// fold
    #[arg(long, value_name = "N", value_parser = number::whole::<u16>(2..=1_000), conflicts_with_all = [
        "validation_from", "test_from",
    ])]
    pub(crate) walk_forward: Option<u16>,
    /// Policy to register: the best on the validation window, or the last of the training
    #[arg(long, value_name = "WHICH", default_value = "best")]
    pub(crate) register: RegisterArg,
    /// Resume a training that crashed or was cancelled, from its last checkpoint and with its own settings
    #[arg(long, value_name = "RUN_ID", value_parser = RunPrefix::parse, conflicts_with_all = [
        "timeframe", "model", "symbol", "timesteps", "n_envs", "seed", "enhance", "experiment",
        "cost_bps", "validation_from", "test_from", "allow_contaminated", "seeds", "walk_forward",
        "register", "config", "columns", "volume_column", "bar_timezone", "member", "time_format",
        "bars_stamped", "decimal", "skip_bad_rows", "allow_jump",
    ])]
    pub(crate) resume: Option<RunPrefix>,
}

/// Which policy of a training is registered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum RegisterArg {
    Best,
    Last,
}

#[derive(Debug, ClapArgs)]
pub(crate) struct ImportModelArgs {
    /// Zip written by `save` of a model of stable-baselines3 or sb3-contrib. herdbook runs and enhances only PPO models
    #[arg(value_name = "FILE")]
    pub(crate) file: PathBuf,
    #[command(flatten)]
    pub(crate) family: Family,
    /// Instrument that the model was trained on, if known
    #[arg(long, value_name = "NAME")]
    pub(crate) symbol: Option<Symbol>,
    /// Experiment of the run; its full name is `{NAME}_{timeframe}`
    #[arg(long, value_name = "NAME", default_value = "stock_trading_rl")]
    pub(crate) experiment: String,
}

#[derive(Debug, ClapArgs)]
pub(crate) struct PromoteArgs {
    #[command(flatten)]
    pub(crate) family: Family,
    /// Version to move
    #[arg(long, value_name = "N", required_unless_present = "list_models")]
    pub(crate) model_version: Option<VersionNumber>,
    /// Stage to move it to: development, beta, champion or archived
    #[arg(long, value_name = "STAGE", required_unless_present = "list_models")]
    pub(crate) target_stage: Option<Stage>,
    /// Reason, recorded in the history (at most 2,000 characters)
    #[arg(long, value_name = "TEXT")]
    pub(crate) reason: Option<String>,
    /// Show what would change, without changing anything
    #[arg(long)]
    pub(crate) dry_run: bool,
    /// Refuse unless version N (or `none`) is the present champion
    #[arg(long, value_name = "N")]
    pub(crate) expect_champion: Option<ExpectedChampion>,
    /// Promote even if the model is contaminated, fails a condition or displaces a champion of another symbol; requires
    /// `--reason`
    #[arg(long)]
    pub(crate) force: bool,
    /// File of settings, with the conditions on promotion [default: the environment variable `HERDBOOK_CONFIG`, else
    /// herdbook.toml in the current folder or the nearest folder above it]
    #[arg(long, value_name = "FILE")]
    pub(crate) config_file: Option<PathBuf>,
    /// List the versions of the registered model instead
    #[arg(long, conflicts_with_all = ["model_version", "target_stage"])]
    pub(crate) list_models: bool,
    /// With `--list-models`: list only versions in this stage
    #[arg(long, value_name = "STAGE", requires = "list_models")]
    pub(crate) stage: Option<Stage>,
}

#[derive(Debug, ClapArgs)]
pub(crate) struct RollbackArgs {
    #[command(flatten)]
    pub(crate) family: Family,
    /// Reason, recorded in the history (at most 2,000 characters)
    #[arg(long, value_name = "TEXT")]
    pub(crate) reason: String,
    /// Bring back the last former champion even if the present champion is of another symbol
    #[arg(long)]
    pub(crate) force: bool,
    /// Show what would change, without changing anything
    #[arg(long)]
    pub(crate) dry_run: bool,
}

#[derive(Debug, ClapArgs)]
pub(crate) struct ChampionArgs {
    #[command(flatten)]
    pub(crate) family: Family,
    /// Show the champion at this time (UTC), such as 2025-06-10T14:17Z [default: now]
    #[arg(long, value_name = "TIME", value_parser = Timestamp::parse)]
    pub(crate) at: Option<Timestamp>,
}

#[derive(Debug, ClapArgs)]
pub(crate) struct VerifyArgs {
    /// Check an exported history instead of a store; requires `--head`
    #[arg(long, value_name = "FILE", requires = "head")]
    pub(crate) log: Option<PathBuf>,
    /// Hash that the history must end with, as printed by `history --export` and `verify`
    #[arg(long, value_name = "HASH")]
    pub(crate) head: Option<String>,
    /// Accept a history that is not the one last seen on this machine, for example after restoring a backup
    #[arg(long, requires = "reason", conflicts_with = "log")]
    pub(crate) accept_history: bool,
    /// Reason for `--accept-history`, recorded in the history (at most 2,000 characters)
    #[arg(long, value_name = "TEXT", requires = "accept_history")]
    pub(crate) reason: Option<String>,
}

#[derive(Debug, ClapArgs)]
pub(crate) struct DoctorArgs {
    /// Repair what is safe to repair; each repair adds an event to the history
    #[arg(long)]
    pub(crate) repair: bool,
}

#[derive(Debug, ClapArgs)]
pub(crate) struct FindArgs {
    /// `latest` finds the newest model, `best` the best one by a metric
    pub(crate) which: Which,
    /// Length of one bar
    #[arg(long, short, value_name = "TIMEFRAME")]
    pub(crate) timeframe: Timeframe,
    /// Model type: base, continued, replay, curriculum or adaptive [default: any with `latest`, base with `best`]
    #[arg(long, value_name = "TYPE")]
    pub(crate) model_type: Option<ModelType>,
    /// With `latest`: version type, latest (no registered child) or old (has one)
    #[arg(long, value_name = "TYPE", default_value = "latest")]
    pub(crate) version_type: VersionType,
    /// With `best`: metric to compare
    #[arg(long, value_name = "METRIC", default_value = "evaluation/best_mean_reward")]
    pub(crate) metric: MetricName,
    /// Skip models with fewer timesteps than this; those of their ancestors count
    #[arg(long, value_name = "N", default_value_t = 0, value_parser = number::whole::<u64>(0..=u64::MAX))]
    pub(crate) min_timesteps: u64,
    /// Search only models of this instrument
    #[arg(long, value_name = "NAME")]
    pub(crate) symbol: Option<Symbol>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Which {
    Latest,
    Best,
}
