//! Raw flags. Parsing checks spelling and types and touches nothing.

mod import;
mod running;

use std::path::PathBuf;

use clap::{Args as ClapArgs, Parser, Subcommand};
use herdbook_domain::{
    Actor, Enhancement, ExpectedChampion, MetricName, ModelType, ParentSelector, RunId, Stage,
    Symbol, Timeframe, Timestamp, VersionNumber, VersionType,
};

pub(crate) use crate::args::import::ImportArgs;
pub(crate) use crate::args::running::{
    BacktestArgs, EvaluateArgs, PredictArgs, ReadingArgs, RunningArgs,
};
use crate::reference::Reference;

/// The register of stock-trading models: trains, enhances, promotes and finds them, and knows where each came
/// from. Records are kept the way MLflow keeps them.
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
pub(crate) struct Global {
    /// The store, such as `sqlite:///mlflow.db`
    ///
    /// [default: the environment variable `MLFLOW_TRACKING_URI`, else mlflow.db in this folder with
    /// artifacts in mlruns]
    #[arg(long, global = true, value_name = "URI")]
    pub(crate) tracking_uri: Option<String>,
    /// Print data as JSON
    #[arg(long, global = true)]
    pub(crate) json: bool,
    /// Print data and errors only
    #[arg(long, short, global = true)]
    pub(crate) quiet: bool,
    /// Who acts [default: the environment variable `HERDBOOK_ACTOR`, else the user of this system]
    #[arg(long, global = true, value_name = "NAME")]
    pub(crate) actor: Option<Actor>,
    /// How long to wait for a store that another process has locked
    #[arg(long, global = true, value_name = "SECONDS", default_value_t = 10)]
    pub(crate) lock_timeout: u16,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Train a model, or enhance an existing one
    Train(Box<TrainArgs>),
    /// Run a registered model over bars, beside buying and holding
    Backtest(BacktestArgs),
    /// Run a registered model over bars newer than all it knew, and record the result as evidence
    Evaluate(EvaluateArgs),
    /// Show what a registered model would do after the newest closed bar
    Predict(PredictArgs),
    /// Take in another MLflow store, an `mlruns` folder or a server, and audit its tags
    Import(ImportArgs),
    /// Register a model.zip of stable-baselines3 that was trained elsewhere
    ImportModel(ImportModelArgs),
    /// Change the stage of a model version
    Promote(PromoteArgs),
    /// Bring the last good champion back
    Rollback(RollbackArgs),
    /// Show the champion, now or at an earlier moment
    Champion(ChampionArgs),
    /// List model versions, newest first
    List(ListArgs),
    /// Find the newest or the best model
    Find(FindArgs),
    /// Show everything about one model version
    Show(ReferenceArgs),
    /// Show who descends from whom, as a tree
    Lineage(LineageArgs),
    /// Show what happened: when, who, what, why
    History(HistoryArgs),
    /// Compare two model versions
    Compare(CompareArgs),
    /// Show the board: timeframes and stages
    Status,
    /// Check the history's chain of hashes and every registered model file
    Verify(VerifyArgs),
    /// Check every rule on the records, name each breach, and mend what is safe
    Doctor(DoctorArgs),
    /// Print a completion script for a shell
    Completions {
        /// The shell
        shell: clap_complete::Shell,
    },
}

/// The registered model a command speaks of.
#[derive(Debug, Clone, ClapArgs)]
pub(crate) struct Family {
    /// Length of one bar: 1M, 5M, 15M, 30M (minutes), 1H, 4H (hours) or D (day)
    #[arg(long, short, value_name = "TIMEFRAME")]
    pub(crate) timeframe: Timeframe,
    /// Family of registered models: the model is named `{timeframe}_{NAME}`
    #[arg(long, value_name = "NAME", default_value = DEFAULT_FAMILY)]
    pub(crate) model: String,
}

/// Family of registered models where none is named.
pub(crate) const DEFAULT_FAMILY: &str = "trading_model";

/// The registered model a training joins; one that is taken up again knows it.
#[derive(Debug, Clone, ClapArgs)]
pub(crate) struct TrainFamily {
    /// Length of one bar: 1M, 5M, 15M, 30M (minutes), 1H, 4H (hours) or D (day)
    #[arg(long, short, value_name = "TIMEFRAME", required_unless_present = "resume")]
    pub(crate) timeframe: Option<Timeframe>,
    /// Family of registered models: the model is named `{timeframe}_{NAME}`
    #[arg(long, value_name = "NAME", default_value = DEFAULT_FAMILY)]
    pub(crate) model: String,
}

#[derive(Debug, ClapArgs)]
#[command(override_usage = "herdbook train [OPTIONS] --timeframe <TIMEFRAME>\n       \
                            herdbook train --resume <RUN_ID> [--data <FILE>]")]
pub(crate) struct TrainArgs {
    #[command(flatten)]
    pub(crate) family: TrainFamily,
    /// Bars as CSV, Parquet or JSON (also gzipped or zipped), of the timeframe or finer [default: a sample carried in
    /// this program]
    #[arg(long, value_name = "FILE")]
    pub(crate) data: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) reading: ReadingArgs,
    /// The instrument [default: the file's name without its ending]
    #[arg(long, value_name = "NAME")]
    pub(crate) symbol: Option<Symbol>,
    /// Timesteps to train; rounded up to whole rollouts
    #[arg(long, value_name = "N", default_value_t = 100_000)]
    pub(crate) timesteps: u64,
    /// Environments stepped side by side [default: 1]
    #[arg(long, value_name = "N")]
    pub(crate) n_envs: Option<usize>,
    /// Threads to train on: they change how long it takes, not a byte of the model. The update has work for 2,
    /// environments are shared out among all
    #[arg(long, value_name = "N", default_value = "1", value_parser = clap::value_parser!(u16).range(1..=256))]
    pub(crate) threads: u16,
    /// Hyperparameters from a TOML file; flags win over it
    #[arg(long, value_name = "FILE")]
    pub(crate) config: Option<PathBuf>,
    /// Seed of everything random: the same seed and bars give the same model
    #[arg(long, value_name = "N", default_value_t = 0)]
    pub(crate) seed: u64,
    /// Train on from `latest`, `best`, `champion`, a run id or a version number
    #[arg(long, value_name = "PARENT")]
    pub(crate) enhance: Option<ParentSelector>,
    /// Type of model that `--enhance latest` and `best` look for
    #[arg(long, value_name = "TYPE", default_value = "base", requires = "enhance")]
    pub(crate) enhance_model_type: ModelType,
    /// Metric of `--enhance best`
    #[arg(
        long,
        value_name = "METRIC",
        default_value = "evaluation/best_mean_reward",
        requires = "enhance"
    )]
    pub(crate) enhance_metric: MetricName,
    /// Way of enhancing: continued, replay, curriculum or adaptive
    #[arg(long, value_name = "TYPE", default_value = "continued", requires = "enhance")]
    pub(crate) enhance_type: Enhancement,
    /// The run's experiment is named `{NAME}_{timeframe}`
    #[arg(long, value_name = "NAME", default_value = "stock_trading_rl")]
    pub(crate) experiment: String,
    /// Costs in basis points of traded notional per side
    #[arg(long, value_name = "X", default_value_t = 1.0, allow_negative_numbers = true)]
    pub(crate) cost_bps: f64,
    /// First moment of the validation window (UTC) [default: after 64 % of the bars]
    #[arg(long, value_name = "TIME", value_parser = Timestamp::parse)]
    pub(crate) validation_from: Option<Timestamp>,
    /// First moment of the test window (UTC) [default: after 80 % of the bars]
    #[arg(long, value_name = "TIME", value_parser = Timestamp::parse)]
    pub(crate) test_from: Option<Timestamp>,
    /// Train even where the test window holds bars that an ancestor has seen, and mark the model
    #[arg(long)]
    pub(crate) allow_contaminated: bool,
    /// Train with this many seeds, from `--seed` on, and register the best one on the validation window
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(2..=1_000), conflicts_with = "walk_forward")]
    pub(crate) seeds: Option<u16>,
    /// Train on this many consecutive folds, each tested on the bars that follow, and register the last one
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(2..=1_000), conflicts_with_all = [
        "validation_from", "test_from",
    ])]
    pub(crate) walk_forward: Option<u16>,
    /// Go on with a training that crashed or was cancelled, from its last checkpoint, as it was asked for
    #[arg(long, value_name = "RUN_ID", value_parser = RunId::parse, conflicts_with_all = [
        "timeframe", "model", "symbol", "timesteps", "n_envs", "seed", "enhance", "experiment",
        "cost_bps", "validation_from", "test_from", "allow_contaminated", "seeds", "walk_forward",
        "config", "columns", "volume_column", "bar_timezone", "member",
    ])]
    pub(crate) resume: Option<RunId>,
}

#[derive(Debug, ClapArgs)]
pub(crate) struct ImportModelArgs {
    /// The zip that `PPO.save` wrote
    #[arg(value_name = "FILE")]
    pub(crate) file: PathBuf,
    #[command(flatten)]
    pub(crate) family: Family,
    /// The instrument it was trained on, where that is known
    #[arg(long, value_name = "NAME")]
    pub(crate) symbol: Option<Symbol>,
    /// The run's experiment is named `{NAME}_{timeframe}`
    #[arg(long, value_name = "NAME", default_value = "stock_trading_rl")]
    pub(crate) experiment: String,
}

#[derive(Debug, ClapArgs)]
pub(crate) struct PromoteArgs {
    #[command(flatten)]
    pub(crate) family: Family,
    /// The version to change
    #[arg(long, value_name = "N", required_unless_present = "list_models")]
    pub(crate) model_version: Option<VersionNumber>,
    /// The stage it goes to: development, beta, champion or archived
    #[arg(long, value_name = "STAGE", required_unless_present = "list_models")]
    pub(crate) target_stage: Option<Stage>,
    /// Why, in at most 2,000 characters
    #[arg(long, value_name = "TEXT")]
    pub(crate) reason: Option<String>,
    /// Say what would change, and change nothing
    #[arg(long)]
    pub(crate) dry_run: bool,
    /// Refuse unless this version (or `none`) is champion now
    #[arg(long, value_name = "N")]
    pub(crate) expect_champion: Option<ExpectedChampion>,
    /// Let a model rise that is contaminated, or does not meet the conditions; needs a reason
    #[arg(long)]
    pub(crate) force: bool,
    /// Conditions on promotion [default: the environment variable `HERDBOOK_CONFIG`, else herdbook.toml in
    /// this folder or the nearest one above it]
    #[arg(long, value_name = "FILE")]
    pub(crate) config_file: Option<PathBuf>,
    /// List the model's versions instead
    #[arg(long, conflicts_with_all = ["model_version", "target_stage"])]
    pub(crate) list_models: bool,
    /// With `--list-models`: only those in this stage
    #[arg(long, value_name = "STAGE", requires = "list_models")]
    pub(crate) stage: Option<Stage>,
}

#[derive(Debug, ClapArgs)]
pub(crate) struct RollbackArgs {
    #[command(flatten)]
    pub(crate) family: Family,
    /// Why, in at most 2,000 characters
    #[arg(long, value_name = "TEXT")]
    pub(crate) reason: String,
    /// Say what would change, and change nothing
    #[arg(long)]
    pub(crate) dry_run: bool,
}

#[derive(Debug, ClapArgs)]
pub(crate) struct ChampionArgs {
    #[command(flatten)]
    pub(crate) family: Family,
    /// The moment (UTC), such as 2025-06-10T14:17Z [default: now]
    #[arg(long, value_name = "TIME", value_parser = Timestamp::parse)]
    pub(crate) at: Option<Timestamp>,
}

#[derive(Debug, ClapArgs)]
pub(crate) struct VerifyArgs {
    /// Check an exported history instead of a store
    #[arg(long, value_name = "FILE", requires = "head")]
    pub(crate) log: Option<PathBuf>,
    /// The hash that the history must end with, as `history --export` printed it
    #[arg(long, value_name = "HASH")]
    pub(crate) head: Option<String>,
}

#[derive(Debug, ClapArgs)]
pub(crate) struct DoctorArgs {
    /// Mend what can be mended safely, each repair with its own event in the history
    #[arg(long)]
    pub(crate) repair: bool,
}

#[derive(Debug, ClapArgs)]
pub(crate) struct ListArgs {
    /// Only this timeframe
    #[arg(long, short, value_name = "TIMEFRAME")]
    pub(crate) timeframe: Option<Timeframe>,
    /// Only this stage: development, beta, champion or archived
    #[arg(long, value_name = "STAGE")]
    pub(crate) stage: Option<Stage>,
}

#[derive(Debug, ClapArgs)]
pub(crate) struct FindArgs {
    /// The newest, or the best by a metric
    pub(crate) which: Which,
    /// Length of one bar
    #[arg(long, short, value_name = "TIMEFRAME")]
    pub(crate) timeframe: Timeframe,
    /// Type of model: base, continued, replay, curriculum or adaptive
    #[arg(long, value_name = "TYPE", default_value = "base")]
    pub(crate) model_type: ModelType,
    /// With `latest`: latest (no registered child) or old
    #[arg(long, value_name = "TYPE", default_value = "latest")]
    pub(crate) version_type: VersionType,
    /// With `best`: the metric
    #[arg(long, value_name = "METRIC", default_value = "evaluation/best_mean_reward")]
    pub(crate) metric: MetricName,
    /// The fewest training steps behind the model
    #[arg(long, value_name = "N", default_value_t = 0)]
    pub(crate) min_timesteps: u64,
    /// Only models of this instrument
    #[arg(long, value_name = "NAME")]
    pub(crate) symbol: Option<Symbol>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Which {
    Latest,
    Best,
}

/// One model version, named in one of several ways.
#[derive(Debug, ClapArgs)]
pub(crate) struct ReferenceArgs {
    /// A version number, `champion`, `latest` or a run id [default: latest]
    #[arg(value_name = "MODEL", conflicts_with = "model_version")]
    pub(crate) reference: Option<Reference>,
    /// The version number
    #[arg(long, value_name = "N")]
    pub(crate) model_version: Option<VersionNumber>,
    #[command(flatten)]
    pub(crate) family: OptionalFamily,
}

/// A registered model, where it can also be found without its timeframe: by a run id.
#[derive(Debug, Clone, ClapArgs)]
pub(crate) struct OptionalFamily {
    /// Length of one bar; not needed beside a run id
    #[arg(long, short, value_name = "TIMEFRAME")]
    pub(crate) timeframe: Option<Timeframe>,
    /// Family of registered models [default: `trading_model`]
    #[arg(long, value_name = "NAME", requires = "timeframe")]
    pub(crate) model: Option<String>,
}

#[derive(Debug, ClapArgs)]
pub(crate) struct LineageArgs {
    /// Only the tree of this model: a version number, `champion`, `latest` or a run id
    #[arg(value_name = "MODEL", conflicts_with = "model_version")]
    pub(crate) reference: Option<Reference>,
    /// Only the tree of this version
    #[arg(long, value_name = "N")]
    pub(crate) model_version: Option<VersionNumber>,
    #[command(flatten)]
    pub(crate) family: OptionalFamily,
}

#[derive(Debug, ClapArgs)]
pub(crate) struct HistoryArgs {
    #[command(flatten)]
    pub(crate) family: OptionalFamily,
    /// Only this version
    #[arg(long, value_name = "N", requires = "timeframe")]
    pub(crate) model_version: Option<VersionNumber>,
    /// Only this run
    #[arg(long, value_name = "RUN_ID", value_parser = RunId::parse, conflicts_with = "timeframe")]
    pub(crate) run: Option<RunId>,
    /// Write the whole history to a file, one JSON object a line, and print the hash it ends with
    #[arg(long, value_name = "FILE", conflicts_with_all = ["timeframe", "model_version", "run"])]
    pub(crate) export: Option<PathBuf>,
}

#[derive(Debug, ClapArgs)]
pub(crate) struct CompareArgs {
    /// A version number, `champion`, `latest` or a run id
    #[arg(value_name = "A")]
    pub(crate) first: Reference,
    /// The same
    #[arg(value_name = "B")]
    pub(crate) second: Reference,
    #[command(flatten)]
    pub(crate) family: OptionalFamily,
}
