//! `cargo xtask bench sb3`: compares speed and learning of herdbook's trainer and the real stable-baselines3, on the same
//! dynamics and in one run.
//!
//! It prints figures and enforces none of them, because they depend on the machine. It fails if the dynamics of the two
//! environments differ.

#![expect(clippy::print_stdout, reason = "figures are for the terminal")]

#[path = "../../../crates/herdbook-ppo/tests/it/cart_pole.rs"]
mod cart_pole;
mod curves;
mod other_side;
mod statistics;
mod tasks;

use std::path::PathBuf;
use std::time::Instant;

use anyhow::{Context, ensure};
use herdbook_ppo::{PpoConfig, Trainer};

use crate::curves::{Curve, Task};
use crate::other_side::OtherSide;
use crate::tasks::Tasks;

/// Seeds per library.
const N_SEEDS: u64 = 16;
/// Thirty rollouts, after which the curves are flat.
const TIMESTEPS: u64 = 61_440;
/// Timesteps of one measurement of herdbook's speed.
const SPEED_TIMESTEPS: u64 = 8 * 16_384;
/// Allowed relative difference of observations and rewards: the rounding of 32-bit floats.
const TOLERANCE: f64 = 1e-5;

fn main() -> anyhow::Result<()> {
    let python = std::env::var_os("HERDBOOK_SB3_PYTHON")
        .map(PathBuf::from)
        .context("start it as `cargo xtask bench sb3`, which installs stable-baselines3")?;
    let kept = std::env::var_os("HERDBOOK_SB3_CURVES").map(PathBuf::from);
    let folder = tempfile::tempdir()?;
    let tasks = Tasks::prepare()?;
    tasks.write(folder.path())?;
    let other = OtherSide::new(python, folder.path(), kept);
    let (n_steps, worst) = other.check()?;
    println!("dynamics: {n_steps} steps taken on both sides, at most {worst:.1e} apart");
    ensure!(worst < TOLERANCE, "the two sides are not in the same environment");
    speed(&tasks, &other)?;
    for task in [Task::CartPole, Task::Trading] {
        learning(task, &tasks, &other)?;
    }
    Ok(())
}

fn speed(tasks: &Tasks, other: &OtherSide) -> anyhow::Result<()> {
    println!("\ntimesteps/s, trading environment, batch 64, 10 epochs, one thread a side");
    for (n_envs, goal) in [(1, 30), (8, 25)] {
        let before = our_speed(tasks, n_envs)?;
        let theirs = other.speed(n_envs)?;
        // Measure again afterwards, because the load of the machine can change.
        let ours = f64::midpoint(before, our_speed(tasks, n_envs)?);
        let ratio = ours / theirs;
        println!(
            "{n_envs} environment(s): {ours:>9.0} here, {theirs:>7.0} in stable-baselines3: {ratio:.1} times (at least {goal})"
        );
    }
    Ok(())
}

fn our_speed(tasks: &Tasks, n_envs: usize) -> anyhow::Result<f64> {
    let config = PpoConfig { n_envs, ..PpoConfig::default() };
    let envs = (0..n_envs).map(|_| tasks.trading()).collect();
    let mut trainer = Trainer::new(config, envs, 0)?;
    trainer.iterate();
    let (before, begun) = (trainer.trained_timesteps(), Instant::now());
    while trainer.trained_timesteps() - before < SPEED_TIMESTEPS {
        trainer.iterate();
    }
    Ok((trainer.trained_timesteps() - before) as f64 / begun.elapsed().as_secs_f64())
}

fn learning(task: Task, tasks: &Tasks, other: &OtherSide) -> anyhow::Result<()> {
    let floor = tasks.floor(task);
    println!("\n{}: {N_SEEDS} seeds a side, {TIMESTEPS} timesteps, the defaults", task.name());
    let ours: Vec<Curve> = (0..N_SEEDS)
        .map(|seed| curves::ours(task, tasks, seed, TIMESTEPS))
        .collect::<anyhow::Result<_>>()?;
    let theirs: Vec<Curve> = (0..N_SEEDS)
        .map(|seed| other.curve(task, seed, TIMESTEPS))
        .collect::<anyhow::Result<_>>()?;
    let areas = |curves: &[Curve]| -> Vec<f64> {
        curves.iter().map(|curve| curve.area() - floor).collect()
    };
    let (ours_areas, theirs_areas) = (areas(&ours), areas(&theirs));
    let (here, there) = (statistics::mean(&ours_areas), statistics::mean(&theirs_areas));
    let (low, high) = statistics::interval_of_difference(&ours_areas, &theirs_areas);
    let half_width = (high - low) / 2.0 / there.abs() * 100.0;
    println!(
        "area under the learning curve, above {floor:.2}: {here:.3} here, {there:.3} in stable-baselines3"
    );
    println!(
        "difference {:.3}, 95 % interval {low:.3} to {high:.3} ({} 0); half-width {half_width:.1} % of stable-baselines3's area (at most 10)",
        here - there,
        if low <= 0.0 && high >= 0.0 { "contains" } else { "DOES NOT CONTAIN" }
    );
    for (name, curves) in [("here", &ours), ("stable-baselines3", &theirs)] {
        println!("  {name:<18} {}", curves::describe(curves, task));
    }
    Ok(())
}
