//! The same query on the same file by MLflow's own store.

use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Instant;

use anyhow::ensure;

use crate::figure;

/// The best base model of 1H by a metric, as a user of MLflow would query it.
const SEARCH: &str = r#"
import sys, time
from mlflow.store.tracking.sqlalchemy_store import SqlAlchemyStore
from mlflow.entities import ViewType
store = SqlAlchemyStore("sqlite:///mlflow.db", "mlruns")
experiments = [e.experiment_id for e in store.search_experiments()]
begun = time.perf_counter()
found = store.search_runs(
    experiments,
    "tags.timeframe = '1H' and tags.model_type = 'base'",
    ViewType.ACTIVE_ONLY,
    max_results=1,
    order_by=["metrics.`evaluation/best_mean_reward` DESC"],
)
took = time.perf_counter() - begun
(run,) = found
print(f"{took * 1e3:.0f} {run.info.run_id} {run.data.metrics['evaluation/best_mean_reward']:.6f}")
"#;

pub(crate) fn measure(folder: &Path, python: &Path) -> anyhow::Result<()> {
    println!("-- MLflow 3.17.2 on the same file");
    let output = Command::new(python)
        .args(["-c", SEARCH])
        .current_dir(folder)
        .env_remove("MLFLOW_TRACKING_URI")
        .stdin(Stdio::null())
        .stderr(Stdio::inherit())
        .output()?;
    ensure!(output.status.success(), "MLflow's search failed");
    let told = String::from_utf8_lossy(&output.stdout).into_owned();
    let (time, found) = told.trim().split_once(' ').unwrap_or((&told, ""));
    println!("   best base model of 1H: {}", found.replace(' ', " with "));
    figure::print(
        "best by a metric, two tags",
        &format!("{time} ms"),
        "31 s when this was planned",
    );

    let begun = Instant::now();
    let status = Command::new(python)
        .args(["-m", "mlflow", "runs", "list", "--experiment-id", "1"])
        .current_dir(folder)
        .env("MLFLOW_TRACKING_URI", "sqlite:///mlflow.db")
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .status()?;
    ensure!(status.success(), "`mlflow runs list` failed");
    let time = figure::time(begun.elapsed());
    figure::print("mlflow runs list, as a whole process", &time, "2.7 s when this was planned");
    Ok(())
}
