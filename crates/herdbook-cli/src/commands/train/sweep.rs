//! The output of `train --seeds` and `train --walk-forward` about all their runs.

use herdbook_domain::Honesty;
use herdbook_training::{CHOSEN_BY, RunReport, SweepKind, SweepReport};
use serde_json::{Value, json};

use crate::format;
use crate::table::{Align, Columns};

/// The metrics shown for each run and as mean and standard deviation.
const SHOWN: [(&str, &str); 5] = [
    (CHOSEN_BY, "validation reward"),
    ("final/mean_reward", "test reward"),
    ("portfolio/total_return", "total return"),
    ("portfolio/sharpe_ratio", "Sharpe ratio"),
    ("portfolio/max_drawdown", "max drawdown"),
];

pub(super) fn to_json(sweep: &SweepReport) -> Value {
    let members: Vec<Value> = sweep.members.iter().map(member).collect();
    let spread: serde_json::Map<String, Value> = SHOWN
        .iter()
        .filter_map(|(name, _)| Some(((*name).to_owned(), json!(sweep.summary(name)?))))
        .collect();
    json!({"kind": sweep.kind, "chosen": sweep.chosen, "members": members, "spread": spread})
}

fn member(run: &RunReport) -> Value {
    json!({
        "run_id": run.run_id,
        "seed": run.seed,
        "windows": run.windows,
        "honesty": run.honesty,
        "metrics": run.metrics,
        "baseline_total_return": run.baselines.buy_and_hold.total_return,
    })
}

pub(super) fn summary(sweep: &SweepReport) -> String {
    let first = match sweep.kind {
        SweepKind::Seeds => ("seed", Align::Right),
        SweepKind::WalkForward => ("test window", Align::Left),
    };
    let mut columns = vec![first];
    columns.extend(SHOWN.map(|(_, title)| (title, Align::Right)));
    columns.extend([("buy and hold", Align::Right), ("", Align::Left)]);
    let mut table = Columns::new(&columns);
    for (idx, run) in sweep.members.iter().enumerate() {
        table.row(row(sweep, idx, run));
    }
    for (title, value) in [("mean", true), ("std", false)] {
        let mut cells = vec![title.to_owned()];
        cells.extend(SHOWN.map(|(name, _)| {
            let spread = sweep.summary(name);
            let value = spread.and_then(|s| if value { Some(s.mean) } else { s.std });
            value.map_or("–".to_owned(), |value| format::metric(name, value))
        }));
        cells.extend([String::new(), String::new()]);
        table.row(cells);
    }
    format!("{}\n{table}{}\n", heading(sweep), remark(sweep))
}

fn row(sweep: &SweepReport, idx: usize, run: &RunReport) -> Vec<String> {
    let test = &run.windows.test;
    let mut cells = vec![match sweep.kind {
        SweepKind::Seeds => run.seed.to_string(),
        SweepKind::WalkForward => {
            format!("{} to {}", format::moment(test.start), format::moment(test.end))
        }
    }];
    cells.extend(SHOWN.map(|(name, _)| {
        let value = run.metrics.get(name);
        value.map_or("–".to_owned(), |value| format::metric(name, *value))
    }));
    let held = run.baselines.buy_and_hold.total_return;
    cells.push(held.map_or("–".to_owned(), |r| format::metric("portfolio/total_return", r)));
    let marks = [
        (run.honesty == Honesty::Contaminated, "CONTAMINATED"),
        (idx == sweep.chosen, "registered"),
    ];
    let marks: Vec<&str> = marks.iter().filter(|(is, _)| *is).map(|(_, mark)| *mark).collect();
    cells.push(marks.join(", "));
    cells
}

fn heading(sweep: &SweepReport) -> String {
    let n = sweep.members.len();
    match sweep.kind {
        SweepKind::Seeds => format!("{n} seeds, all tested on the same bars, after costs"),
        SweepKind::WalkForward => {
            format!("{n} folds, each tested on the bars that follow it, after costs")
        }
    }
}

fn remark(sweep: &SweepReport) -> String {
    let n = sweep.members.len();
    let left_out = match sweep.n_contaminated() {
        0 => String::new(),
        k => format!(
            "\n{k} of {n} CONTAMINATED: an ancestor was trained on their test bars; mean and std leave them out"
        ),
    };
    let chosen = match sweep.kind {
        SweepKind::Seeds => format!(
            "registered: the best of {n} on the validation window; being the best of {n} trials is partly luck"
        ),
        SweepKind::WalkForward => {
            format!(
                "registered: the model of the last fold; the mean of all {n} folds shows what to expect of the method"
            )
        }
    };
    chosen + &left_out
}
