//! The output of `train`.

use herdbook_domain::{Departure, HEADLINE_METRICS, Honesty};
use herdbook_training::{ImprovementReport, Outcome, RunReport, TrainReport};
use serde_json::{Value, json};

use super::sweep;
use crate::details;
use crate::format::{self, count};
use crate::results;
use crate::table::{Align, Columns};

/// The registered model as JSON, with all members if it comes from a sweep.
pub(super) fn to_json(outcome: &Outcome) -> Value {
    let mut value = of_registered(outcome.registered());
    if let Outcome::Sweep(sweep) = outcome {
        value["sweep"] = sweep::to_json(sweep);
    }
    value
}

pub(super) fn summary(outcome: &Outcome, next: &str) -> String {
    let registered = summary_of_registered(outcome.registered());
    match outcome {
        Outcome::Run(_) => format!("{registered}\nnext: {next}"),
        Outcome::Sweep(sweep) => {
            format!("{}\n{registered}\nnext: {next}", sweep::summary(sweep))
        }
    }
}

fn of_registered(report: &TrainReport) -> Value {
    let TrainReport { run, registered, deflation } = report;
    let improvement: serde_json::Map<String, Value> = run
        .improvement
        .iter()
        .flat_map(|improvement| &improvement.metrics)
        .map(|(name, improvement)| (name.clone(), json!(improvement)))
        .collect();
    json!({
        "run_id": run.run_id,
        "model_name": registered.key.name,
        "version": registered.key.version,
        "model_path": run.model_path(),
        "model_type": run.model_type,
        "parent": run.parent.as_ref().map(|parent| json!({
            "name": parent.key.name,
            "version": parent.key.version,
            "run_id": parent.run_id,
        })),
        "fallback": run.departure == Departure::BaseModel,
        "previous_timesteps": run.previous_timesteps,
        "current_run_timesteps": run.trained_timesteps,
        "total_timesteps": run.previous_timesteps + run.trained_timesteps,
        "metrics": run.metrics,
        "improvement": improvement,
        "improvement_basis": run.improvement.as_ref().map(|improvement| improvement.basis),
        "evidence": results::evidence_to_json(&run.evidence),
        "deflation": deflation,
        "details": run.details,
        "honesty": run.honesty,
        "windows": run.windows,
        "cost_bps": run.cost_bps,
        "seed": run.seed,
        "steps_per_second": run.steps_per_second,
    })
}

fn summary_of_registered(report: &TrainReport) -> String {
    let TrainReport { run, registered, deflation } = report;
    let key = &registered.key;
    let mut text = format!(
        "{} version {} ({}) is registered in development\nrun {} · seed {} · {} timesteps · {} steps/s\n",
        key.name,
        key.version,
        run.model_type,
        run.run_id,
        run.seed,
        count(run.trained_timesteps),
        count(run.steps_per_second as u64),
    );
    if let Some(parent) = &run.parent {
        text += &format!(
            "parent {}{} version {} · {} + {} = {} timesteps\n",
            if run.departure == Departure::BaseModel { "(fallback) " } else { "" },
            parent.key.name,
            parent.key.version,
            count(run.previous_timesteps),
            count(run.trained_timesteps),
            count(run.previous_timesteps + run.trained_timesteps),
        );
    }
    text += &registered_policy(run);
    text += &format!(
        "\n{}\n\n{}",
        window_line(run),
        details::text(&run.details, (run.honesty, run.cost_bps), &run.evidence)
    );
    text += &results::deflation(deflation.as_ref(), herdbook_store::now());
    if let Some(improvement) = &run.improvement {
        text += &format!("\n{}", improvements(improvement));
    }
    text
}

/// The validation rewards of the registered policy and of the last one. Empty if the last one is registered on request.
fn registered_policy(run: &RunReport) -> String {
    let reward = |name: &str| run.metrics.get(name).copied();
    let last = reward("evaluation/last_mean_reward");
    last.map_or(String::new(), |last| {
        format!(
            "registered policy: the best on the validation window, mean reward {}; at the end of the training it was {last:.3}\n",
            format::number(reward("evaluation/mean_reward"), 3),
        )
    })
}

fn window_line(report: &RunReport) -> String {
    let test = &report.windows.test;
    let mark = match report.honesty {
        Honesty::Clean => "unseen in training (clean)",
        Honesty::Contaminated => "CONTAMINATED: seen in training; these results are not valid",
        Honesty::Unknown => "unknown whether an ancestor has seen them",
    };
    format!(
        "test window {} to {}, {} bars of {} {}, costs {} bp per side; {mark}",
        format::moment(test.start),
        format::moment(test.end),
        count(report.performance.n_returns as u64 + 1),
        report.windows.symbol,
        report.timeframe,
        report.cost_bps,
    )
}

fn improvements(report: &ImprovementReport) -> String {
    let mut table = Columns::new(&[
        ("metric", Align::Left),
        ("parent", Align::Right),
        ("child", Align::Right),
        ("improvement", Align::Right),
        ("", Align::Left),
    ]);
    let shown = HEADLINE_METRICS.iter().filter_map(|name| report.metrics.get_key_value(*name));
    for (name, improvement) in shown {
        table.row([
            name.clone(),
            format::metric(name, improvement.parent),
            format::metric(name, improvement.child),
            improvement.change_text(name),
            improvement.verdict().to_owned(),
        ]);
    }
    let basis = report.basis.describe();
    if report.metrics.is_empty() {
        return format!("improvement over the parent: nothing to compare ({basis})\n");
    }
    format!("improvement over the parent ({basis})\n{table}")
}
