//! Runs the real stable-baselines3 in separate processes.

use std::fs::{self, File};
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, ensure};
use serde_json::Value;

use crate::curves::{Curve, Task};

const SCRIPT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/benches/sb3/stable_baselines3_side.py");

pub(crate) struct OtherSide {
    python: PathBuf,
    folder: PathBuf,
    /// A file that keeps curves, one per line, because they take most of an hour.
    kept: Option<PathBuf>,
}

impl OtherSide {
    pub(crate) fn new(python: PathBuf, folder: &Path, kept: Option<PathBuf>) -> Self {
        Self { python, folder: folder.to_owned(), kept }
    }

    /// Repeats the recorded steps there. Returns their number and the largest difference.
    pub(crate) fn check(&self) -> anyhow::Result<(u64, f64)> {
        let answer = self.ask("check", &[])?;
        let n_steps = answer["steps"].as_u64().context("no number of steps")?;
        Ok((n_steps, answer["worst"].as_f64().context("no difference")?))
    }

    /// Timesteps per second.
    pub(crate) fn speed(&self, n_envs: usize) -> anyhow::Result<f64> {
        let answer = self.ask("speed", &[&n_envs.to_string()])?;
        answer["timesteps_per_second"].as_f64().context("no speed")
    }

    /// The learning curve of one seed, from the file or newly measured.
    pub(crate) fn curve(&self, task: Task, seed: u64, timesteps: u64) -> anyhow::Result<Curve> {
        let kept = self.kept.as_ref().filter(|path| path.exists()).map(fs::read_to_string);
        for line in kept.transpose()?.unwrap_or_default().lines() {
            let answer: Value = serde_json::from_str(line)?;
            let curve = parse(&answer)?;
            let is_long = curve.rollouts.last().is_some_and(|(last, _)| *last == timesteps);
            if answer["task"] == task.name() && answer["seed"] == seed && is_long {
                return Ok(curve);
            }
        }
        let arguments = [task.name(), &seed.to_string(), &timesteps.to_string()];
        let answer = self.ask("curve", &arguments)?;
        if let Some(path) = &self.kept {
            writeln!(File::options().append(true).create(true).open(path)?, "{answer}")?;
        }
        parse(&answer)
    }

    fn ask(&self, verb: &str, arguments: &[&str]) -> anyhow::Result<Value> {
        let output = Command::new(&self.python)
            .args([SCRIPT, verb])
            .arg(&self.folder)
            .args(arguments)
            // More threads do not help with small networks.
            .env("OMP_NUM_THREADS", "1")
            .env("PYTHONDONTWRITEBYTECODE", "1")
            .stderr(Stdio::inherit())
            .output()?;
        ensure!(
            output.status.success(),
            "`{verb}` of stable-baselines3 ended with {}",
            output.status
        );
        Ok(serde_json::from_slice(&output.stdout)?)
    }
}

fn parse(answer: &Value) -> anyhow::Result<Curve> {
    let points = |key: &str| -> anyhow::Result<Vec<(u64, Option<f64>)>> {
        let points = answer[key].as_array().context("no curve")?;
        let point = |point: &Value| Some((point[0].as_u64()?, point[1].as_f64()));
        points.iter().map(point).collect::<Option<_>>().context("a broken curve")
    };
    let evaluations = points("evaluations")?;
    Ok(Curve {
        rollouts: points("rollouts")?,
        evaluations: evaluations.into_iter().filter_map(|(at, mean)| Some((at, mean?))).collect(),
    })
}
