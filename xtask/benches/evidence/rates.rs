//! How often a model is called better: rightly and wrongly, at one look and at many.

use std::ops::Range;
use std::sync::atomic::{AtomicU64, Ordering};

use herdbook_domain::{EVIDENCE_PROBABILITY, Looks};
use herdbook_market::metrics::{LeaveOut, SharpeComparison};
use herdbook_ppo::Rng;

use crate::samples::{CORRELATIONS, Process, pair};

/// Length of the samples without a difference, in days.
const N_EQUAL: usize = 654;
/// Two years of days.
const N_POWER: usize = 504;
/// A look after every so many days, from the first on.
const LOOKS: (usize, usize) = (60, 20);

/// Counts of one setting.
#[derive(Default)]
struct Counts {
    /// Evidence: above both benchmarks, and not carried by one bar.
    evidence: AtomicU64,
    /// Above each benchmark on its own.
    above_flat: AtomicU64,
    above_holding: AtomicU64,
}

/// Models that are exactly as good as holding, with a Sharpe ratio of 1.0: evidence is false.
pub(crate) fn false_evidence(n_samples: u64) {
    println!(
        "\nequal true Sharpe ratios of 1.0 over {N_EQUAL} days, {n_samples} samples each: called better, in %"
    );
    println!("{:30} correlation   evidence   above holding   above flat", "returns");
    for process in Process::ALL {
        for correlation in CORRELATIONS {
            let counts = count(n_samples, N_EQUAL, correlation, (1.0, 1.0), process);
            row(process, correlation, &counts, n_samples);
        }
    }
}

/// Models that are better than holding by a known difference.
pub(crate) fn power(n_samples: u64) {
    for lead in [1.0, 2.0] {
        println!(
            "\nholding has a true Sharpe ratio of 0.5, the model {}; two years of days, {n_samples} samples each: called better, in %",
            0.5 + lead
        );
        println!("{:30} correlation   evidence   above holding   above flat", "returns");
        for process in [Process::Independent, Process::Both] {
            for correlation in CORRELATIONS {
                let sharpes = (0.5 + lead, 0.5);
                let counts = count(n_samples, N_POWER, correlation, sharpes, process);
                row(process, correlation, &counts, n_samples);
            }
        }
    }
}

/// A model as good as holding that is looked at again and again while its record grows, until it is called better.
pub(crate) fn many_looks(n_samples: u64) {
    let (first, step) = LOOKS;
    let looks: Vec<usize> = (first..=N_POWER).step_by(step).collect();
    let (naive, counted) = (AtomicU64::new(0), AtomicU64::new(0));
    each_sample(n_samples, |rng| {
        let (model, holding) = pair(rng, N_POWER, 0.0, (1.0, 1.0), Process::Independent);
        let (mut is_naive, mut is_counted) = (false, false);
        for (idx, n_now) in looks.iter().enumerate() {
            let Some(found) = SharpeComparison::of(&model[..*n_now], &holding[..*n_now]) else {
                continue;
            };
            let so_far = Looks { n_grown: idx + 1, n_first: first, n_now: *n_now, n_apart: 0 };
            let tries = so_far.as_tries().ceil().max(1.0);
            is_naive |= found.probability() > EVIDENCE_PROBABILITY;
            is_counted |= found.probability_among(tries).is_some_and(|p| p > EVIDENCE_PROBABILITY);
        }
        naive.fetch_add(u64::from(is_naive), Ordering::Relaxed);
        counted.fetch_add(u64::from(is_counted), Ordering::Relaxed);
    });
    println!(
        "\n{} looks at a record that grows from {first} to {N_POWER} days, a model as good as holding, {n_samples} samples: ever called better, in %",
        looks.len()
    );
    println!(
        "looks not counted {:.1}   looks counted as tries {:.1}",
        percent(&naive, n_samples),
        percent(&counted, n_samples)
    );
}

fn count(
    n_samples: u64,
    n_days: usize,
    correlation: f64,
    sharpes: (f64, f64),
    process: Process,
) -> Counts {
    let counts = Counts::default();
    let bars: Vec<Range<usize>> = (0..n_days).map(|idx| idx..idx + 1).collect();
    each_sample(n_samples, |rng| {
        let (model, holding) = pair(rng, n_days, correlation, sharpes, process);
        let Some(found) = SharpeComparison::of(&model, &holding) else { return };
        let above_holding = found.holding.as_ref().is_some_and(|held| held.low > 0.0);
        let is_above = found.probability() > EVIDENCE_PROBABILITY;
        // The rule of `EvidenceFigures::carried_by` at this limit.
        let bound = 1.0 - 2.0 * (1.0 - EVIDENCE_PROBABILITY);
        let is_evidence = is_above
            && LeaveOut::of(&model, &holding, &bars)
                .is_some_and(|rest| rest.probability.is_some_and(|p| p > bound));
        counts.evidence.fetch_add(u64::from(is_evidence), Ordering::Relaxed);
        counts.above_flat.fetch_add(u64::from(found.flat.low > 0.0), Ordering::Relaxed);
        counts.above_holding.fetch_add(u64::from(above_holding), Ordering::Relaxed);
    });
    counts
}

/// Runs a function once per sample, each with its own generator, on all processors.
fn each_sample(n_samples: u64, work: impl Fn(&mut Rng) + Sync) {
    let n_threads = std::thread::available_parallelism().map_or(1, usize::from);
    let next = AtomicU64::new(0);
    std::thread::scope(|scope| {
        for _ in 0..n_threads {
            scope.spawn(|| {
                loop {
                    let sample = next.fetch_add(1, Ordering::Relaxed);
                    if sample >= n_samples {
                        break;
                    }
                    work(&mut Rng::new(sample));
                }
            });
        }
    });
}

fn row(process: Process, correlation: f64, counts: &Counts, n_samples: u64) {
    println!(
        "{:30} {correlation:11.1}   {:8.1}   {:13.1}   {:10.1}",
        process.name(),
        percent(&counts.evidence, n_samples),
        percent(&counts.above_holding, n_samples),
        percent(&counts.above_flat, n_samples),
    );
}

fn percent(count: &AtomicU64, n_samples: u64) -> f64 {
    100.0 * count.load(Ordering::Relaxed) as f64 / n_samples as f64
}
