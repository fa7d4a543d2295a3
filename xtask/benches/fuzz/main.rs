//! `cargo xtask bench fuzz --seconds N`: reads broken and hostile model files.
//!
//! Built with overflow checks and debug assertions. Each input is a real zip of stable-baselines3 with a change: in its
//! raw bytes, in a member, in a pickle in base64 inside `data`, or in a member of a torch file inside the zip. All
//! checksums are repaired, so that the change reaches the inner readers. Panics, slow inputs and growing memory are
//! failures. Failing inputs are kept as files; the same seed repeats a run.

#![expect(clippy::print_stdout, reason = "what was found is for the terminal")]

mod change;
mod layers;

use std::panic;
use std::time::{Duration, Instant};

use anyhow::{Context, ensure};
use herdbook_ppo::{Model, Rng};

use crate::layers::Layered;

/// Real files of every kind.
const SEEDS: [&[u8]; 6] = [
    include_bytes!("../../../crates/herdbook-ppo/tests/data/discrete_relu_bounds.zip"),
    include_bytes!("../../../crates/herdbook-ppo/tests/data/multi_discrete_relu.zip"),
    include_bytes!("../../../crates/herdbook-ppo/tests/data/normalized_scheduled.zip"),
    include_bytes!("../../../crates/herdbook-ppo/tests/data/box_untrained.zip"),
    include_bytes!("../../../crates/herdbook-ppo/tests/data/multi_discrete_tanh.zip"),
    include_bytes!("../../../crates/herdbook-ppo/src/fixtures/sb3_relu.zip"),
];
/// A file of this size is read in a millisecond; a busy machine can take a hundred.
const SLOW: Duration = Duration::from_secs(2);

/// The results so far.
#[derive(Default)]
struct Tally {
    executions: u64,
    accepted: u64,
    findings: Vec<String>,
    slowest: Duration,
}

fn main() -> anyhow::Result<()> {
    let arguments: Vec<String> = std::env::args().collect();
    let number = |name: &str, default: u64| -> anyhow::Result<u64> {
        let Some(place) = arguments.iter().position(|argument| argument == name) else {
            return Ok(default);
        };
        let text = arguments.get(place + 1).context("a number is missing")?;
        text.parse().with_context(|| format!("`{text}` is no number"))
    };
    let (seconds, seed) = (number("--seconds", 60)?, number("--seed", 0)?);
    let seeds: Vec<Layered> =
        SEEDS.into_iter().map(Layered::open).collect::<anyhow::Result<_>>()?;
    // Panics are reported below, as failures.
    panic::set_hook(Box::new(|_| {}));
    let (mut rng, mut tally, begun) = (Rng::new(seed), Tally::default(), Instant::now());
    while begun.elapsed() < Duration::from_secs(seconds) {
        let input = seeds[rng.below(seeds.len())].changed(&seeds, &mut rng)?;
        tally.execute(&input)?;
    }
    let _ = panic::take_hook();
    println!(
        "{} inputs in {} s (seed {seed}): {} read as models, {} refused, slowest {:.1} ms, most memory {}",
        tally.executions,
        seconds,
        tally.accepted,
        tally.executions - tally.accepted - tally.findings.len() as u64,
        tally.slowest.as_secs_f64() * 1e3,
        most_memory().unwrap_or_else(|| "unknown".to_owned()),
    );
    ensure!(tally.findings.is_empty(), "found:\n{}", tally.findings.join("\n"));
    Ok(())
}

impl Tally {
    fn execute(&mut self, input: &[u8]) -> anyhow::Result<()> {
        let begun = Instant::now();
        let outcome = panic::catch_unwind(|| read_and_use(input));
        let took = begun.elapsed();
        self.executions += 1;
        self.slowest = self.slowest.max(took);
        let problem = match outcome {
            Ok(accepted) => {
                self.accepted += u64::from(accepted);
                (took > SLOW).then(|| format!("took {took:?}"))
            }
            Err(payload) => {
                let text = payload.downcast_ref::<String>().map(String::as_str);
                let text = text.or_else(|| payload.downcast_ref::<&str>().copied());
                Some(format!("panicked: {}", text.unwrap_or("without a text")))
            }
        };
        if let Some(problem) = problem {
            let path = std::env::temp_dir().join(format!("herdbook-fuzz-{}.zip", self.executions));
            std::fs::write(&path, input)?;
            self.findings.push(format!("{}: {problem}", path.display()));
        }
        Ok(())
    }
}

/// Reads a file. If this gives a model, it must predict, and survive being written and read again.
fn read_and_use(input: &[u8]) -> bool {
    let Ok(model) = Model::from_zip(input, "fuzz.zip") else { return false };
    let policy = &model.policy;
    let mut scratch = policy.scratch();
    let choices = policy.choose(&vec![0.5; policy.obs_len()], &mut scratch);
    assert_eq!(choices.len(), policy.action_dims().len());
    let bytes = model.to_zip().expect("what was read can be written");
    let again = Model::from_zip(&bytes, "again.zip").expect("what was written can be read");
    assert!(again.policy.tensors() == policy.tensors(), "weights came back changed");
    true
}

/// The largest memory size of the process so far.
fn most_memory() -> Option<String> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    Some(line.trim().to_owned())
}
