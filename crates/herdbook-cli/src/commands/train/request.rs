//! Builds the request of a training from the flags of `train`.

use std::num::NonZeroUsize;
use std::path::Path;

use anyhow::Context as _;
use herdbook_domain::{ExperimentName, Symbol, Timeframe, Timestamp};
use herdbook_store::now;
use herdbook_training::{
    Boundaries, ContaminatedTest, DataSource, EnhanceRequest, Hyperparameters, PpoConfig,
    RegisteredPolicy, SweepKind, TrainRequest,
};

use crate::args::{Family, RegisterArg, TrainArgs};
use crate::bars;
use crate::failure::Failure;
use crate::input::read_settings;
use crate::output::Output;
use crate::shell::{model_flag, quoted};

/// The command that trains a base model, suggested if no parent was found.
pub(super) fn base_command(args: &TrainArgs, family: &Family) -> String {
    let mut command = format!("herdbook train --timeframe {}", family.timeframe);
    command += &model_flag(family);
    if let Some(data) = &args.data {
        command += &format!(" --data {}", quoted(&data.display().to_string()));
    }
    if let Some(symbol) = &args.symbol {
        command += &format!(" --symbol {}", quoted(symbol.as_str()));
    }
    command
}

pub(super) fn from_args(
    args: TrainArgs,
    family: &Family,
    output: &mut Output,
) -> Result<TrainRequest, Failure> {
    let timeframe = family.timeframe;
    let data = match &args.data {
        Some(path) => bars::read(path, args.symbol, args.reading, now(), output)?,
        None => sample(timeframe, args.symbol, output)?,
    };
    let Hyperparameters { config, schedules } = match &args.config {
        Some(path) => hyperparameters(path)?,
        None => Hyperparameters::default(),
    };
    let config = PpoConfig { n_envs: args.n_envs.unwrap_or(config.n_envs), ..config };
    let enhance = args.enhance.map(|selector| EnhanceRequest {
        selector,
        model_type: args.enhance_model_type,
        metric: args.enhance_metric,
        enhancement: args.enhance_type,
    });
    Ok(TrainRequest {
        timeframe,
        data,
        boundaries: Boundaries {
            validation_from_ms: args.validation_from.map(Timestamp::millis),
            test_from_ms: args.test_from.map(Timestamp::millis),
            test_until_ms: None,
        },
        timesteps: args.timesteps,
        seed: args.seed,
        cost_bps: args.cost_bps,
        config,
        schedules,
        model: family.name()?,
        experiment: ExperimentName::of_timeframe(&args.experiment, timeframe)?,
        enhance,
        contaminated: if args.allow_contaminated {
            ContaminatedTest::Marked
        } else {
            ContaminatedTest::Refused
        },
        membership: None,
        register: match args.register {
            RegisterArg::Best => RegisteredPolicy::Best,
            RegisterArg::Last => RegisteredPolicy::Last,
        },
    })
}

fn hyperparameters(path: &Path) -> Result<Hyperparameters, Failure> {
    let text = read_settings(path)
        .with_context(|| format!("cannot read `{}` (flag `--config`)", path.display()))?;
    Ok(Hyperparameters::from_toml(&text, &path.display().to_string())?)
}

/// The kind and number of trainings of `--seeds` or `--walk-forward`.
pub(super) fn sweep(args: &TrainArgs) -> Option<(SweepKind, NonZeroUsize)> {
    let (kind, n) = match (args.seeds, args.walk_forward) {
        (Some(n), _) => (SweepKind::Seeds, n),
        (None, Some(n)) => (SweepKind::WalkForward, n),
        (None, None) => return None,
    };
    NonZeroUsize::new(usize::from(n)).map(|n| (kind, n))
}

fn sample(
    timeframe: Timeframe,
    symbol: Option<Symbol>,
    output: &mut Output,
) -> Result<DataSource, Failure> {
    let (source, sample) = DataSource::sample(timeframe)?;
    if let Some(symbol) = symbol.filter(|symbol| *symbol != source.symbol) {
        return Err(Failure::usage(&format!(
            "the sample for {timeframe} is {}, not {symbol}: give the bars of {symbol} with `--data`",
            source.symbol
        )));
    }
    output.note(&format!(
        "bars: sample {} ({}; {})",
        sample.file_name, sample.source, sample.licence
    ));
    Ok(source)
}
