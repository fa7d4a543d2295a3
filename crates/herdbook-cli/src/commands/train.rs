//! `train`: trains a base model or a child of an existing model, or resumes an interrupted training.

mod report;
mod request;
mod sweep;

use std::num::NonZeroUsize;

use herdbook_domain::RunPrefix;
use herdbook_store::{Missing, Session};
use herdbook_training::{
    MarketData, Outcome, PreparedSweep, PreparedTraining, Resumption, TrainReport, TrainRequest,
    TrainingError, resume, train, train_sweep,
};

use crate::args::{Family, Global, TrainArgs};
use crate::bars;
use crate::context::open_store;
use crate::failure::{Code, Failure};
use crate::format::count;
use crate::output::Output;
use crate::shell::model_flag;

pub(crate) fn run(args: TrainArgs, global: &Global, output: &mut Output) -> Result<(), Failure> {
    match (&args.resume, args.family.timeframe) {
        (Some(prefix), _) => resume_run(prefix, &args, global, output),
        (None, Some(timeframe)) => {
            let family = Family { timeframe, model: args.family.model.clone() };
            start(args, &family, global, output)
        }
        (None, None) => Err(Failure::usage("the timeframe is missing: give `--timeframe`")),
    }
}

fn start(
    args: TrainArgs,
    family: &Family,
    global: &Global,
    output: &mut Output,
) -> Result<(), Failure> {
    let is_sample = args.data.is_none();
    let is_base = args.enhance.is_none();
    let sweep = request::sweep(&args);
    let n_threads = threads(&args);
    let base_command = output.command(&request::base_command(&args, family));
    let request = request::from_args(args, family, output)?;
    note_rounding(&request, output);
    note_idle_threads(n_threads, request.config.n_envs, output);
    let prepared = match sweep {
        Some((kind, n)) => {
            Prepared::Sweep(PreparedSweep::new(request, kind, n)?.with_threads(n_threads))
        }
        None => Prepared::Run(Box::new(request.prepare()?.with_threads(n_threads))),
    };
    // The columns of the built-in samples are known.
    if !is_sample {
        note_remarks(prepared.market(), output);
    }
    // A child needs an existing store, which holds its parent.
    let missing = if is_base { Missing::Create } else { Missing::Refuse };
    let trains_a_base = || format!("`{base_command}` trains a base model");
    let store = open_store(global, missing, output).map_err(|failure| match failure.code() {
        Code::NotFound => failure.with_hint(trains_a_base()),
        _ => failure,
    })?;

    let cancelled = output.cancelled()?;
    let mut observer = output.observer();
    let outcome = match &prepared {
        Prepared::Run(one) => train(&store, one, &mut *observer, &cancelled).map(Outcome::Run),
        Prepared::Sweep(several) => {
            train_sweep(&store, several, &mut *observer, &cancelled).map(Outcome::Sweep)
        }
    };
    drop(observer);
    let outcome = outcome.map_err(|error| match error {
        TrainingError::NoParent { .. } if is_sample => Failure::from(error).with_hint(format!(
            "{}; without `--data` the built-in sample is used, so give the bars of the model to enhance with `--data`",
            trains_a_base()
        )),
        TrainingError::NoParent { .. } => Failure::from(error).with_hint(trains_a_base()),
        _ => failure_of(error, output),
    })?;
    print(&outcome, &store, output)
}

/// One training, or the several of a sweep.
enum Prepared {
    Run(Box<PreparedTraining>),
    Sweep(PreparedSweep),
}

impl Prepared {
    fn market(&self) -> &MarketData {
        match self {
            Self::Run(run) => run.market(),
            Self::Sweep(sweep) => sweep.market(),
        }
    }
}

fn note_rounding(request: &TrainRequest, output: &mut Output) {
    let rollout_len = request.config.rollout_len() as u64;
    if request.timesteps * 2 < rollout_len {
        output.note(&format!(
            "note: training {} timesteps, one rollout, instead of {}",
            count(rollout_len),
            count(request.timesteps)
        ));
    }
}

/// Notes that some of the threads will be idle.
fn note_idle_threads(n_threads: NonZeroUsize, n_envs: usize, output: &mut Output) {
    let n_busy = n_envs.max(2);
    if n_threads.get() > n_busy {
        output.note(&format!(
            "note: only {n_busy} of {n_threads} threads are used: the update uses at most 2, the environments at most {n_envs}"
        ));
    }
}

fn threads(args: &TrainArgs) -> NonZeroUsize {
    NonZeroUsize::new(args.threads.into()).unwrap_or(NonZeroUsize::MIN)
}

/// Resumes a training or a sweep.
fn resume_run(
    prefix: &RunPrefix,
    args: &TrainArgs,
    global: &Global,
    output: &mut Output,
) -> Result<(), Failure> {
    let store = open_store(global, Missing::Refuse, output)?;
    let run_id = store.run_id_of(prefix)?;
    let resumption = Resumption::find(&store, &run_id, &mut *output.observer())?;
    let request = resumption.request();
    let bytes = bars::read_again(&request.data, args.data.as_deref(), request.timeframe, output)?;
    let what = match &request.membership {
        Some(member) => format!("a sweep of {} trainings", member.n_members),
        None => format!("the training after {} timesteps", count(resumption.trained_timesteps())),
    };
    let prepared = resumption.prepare(bytes)?.with_threads(threads(args));
    output.note(&format!("note: resuming {what}"));

    let cancelled = output.cancelled()?;
    let outcome = resume(&store, prepared, &mut *output.observer(), &cancelled);
    print(&outcome.map_err(|error| failure_of(error, output))?, &store, output)
}

fn print(outcome: &Outcome, store: &Session, output: &mut Output) -> Result<(), Failure> {
    let next = output.command(&next_command(outcome.registered()));
    output.data_of_act(store, || report::to_json(outcome), || report::summary(outcome, &next))
}

fn next_command(report: &TrainReport) -> String {
    let (timeframe, key) = (report.run.timeframe, &report.registered.key);
    let model = key.name.as_str().strip_prefix(&format!("{timeframe}_"));
    let family = Family { timeframe, model: model.unwrap_or_default().to_owned() };
    format!(
        "herdbook promote --timeframe {timeframe}{} --model-version {} --target-stage beta --reason \"…\"",
        model_flag(&family),
        key.version
    )
}

fn failure_of(error: TrainingError, output: &Output) -> Failure {
    let resumable = match &error {
        TrainingError::Cancelled { run_id, timesteps: 1.. } => Some(run_id.clone()),
        _ => None,
    };
    let failure = Failure::from(error);
    match resumable {
        Some(run_id) => {
            let command = output.command(&format!("herdbook train --resume {run_id}"));
            failure.with_hint(format!("`{command}` resumes it from its last checkpoint"))
        }
        None => failure,
    }
}

fn note_remarks(market: &MarketData, output: &mut Output) {
    for remark in &market.tape.remarks {
        output.note(&format!("bars: {remark}"));
    }
}
