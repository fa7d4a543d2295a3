//! `cargo xtask bench fuzz --seconds N`: broken and hostile model files, made from real ones, for as long as wanted.
//!
//! Built with overflow checks and assertions. Each input is a real zip of stable-baselines3 with something changed: its
//! raw bytes, a member, a pickle in base64 inside `data`, or a member of a torch file inside the zip, with every
//! checksum made right again, so that changes reach the readers behind it. What must never happen: a panic, an
//! input that takes long, memory that grows. What is found is kept as a file; the seed makes a run repeatable.

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
/// Reading a file of this size takes a millisecond; a machine that is busy may take a hundred.
const SLOW: Duration = Duration::from_secs(2);

/// What became of the inputs.
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
    // A panic is a finding, printed below.
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

/// Reads a file; a model that comes out has to work and to come back from its own file.
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

/// The largest size the process has had.
fn most_memory() -> Option<String> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    Some(line.trim().to_owned())
}
