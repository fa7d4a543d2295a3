//! How well bars are recognised by their moves: how often those of another market are taken for the same ones, how many of the
//! same ones are missed, and how long it takes.

use std::path::Path;
use std::time::Instant;

use anyhow::Context;
use herdbook_domain::Timeframe;
use herdbook_market::{Bar, Closes, Recogniser, Sample, read_bars, recognise};
use herdbook_ppo::Rng;

const HOUR_MS: i64 = 3_600_000;
/// Bars of a simulated market.
const N_BARS: usize = 2_000;
/// Correlations of the returns of two simulated markets.
const CORRELATIONS: [f64; 7] = [0.0, 0.8, 0.9, 0.95, 0.98, 0.99, 0.995];
/// Files of a large register, and the bars of each.
const N_FILES: u64 = 1_000;
const BARS_PER_FILE: usize = 10_000;

pub(crate) fn rates(n_pairs: u64) -> anyhow::Result<()> {
    relatives(n_pairs);
    halves()?;
    disguises()?;
    time_of_many();
    Ok(())
}

/// Pairs of the files of bars in a folder: the share of the bars of each that is taken for bars of the other.
pub(crate) fn files(folder: &Path) -> anyhow::Result<()> {
    println!(
        "\nfiles in {}: bars of the first that are taken for bars of the second, in %",
        folder.display()
    );
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder)? {
        let path = entry?.path();
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let raw = read_bars(&std::fs::read(&path)?, &name).with_context(|| name.clone())?;
        found.push((name, Closes::of(raw.as_slice(), raw.bar_length_ms())));
    }
    found.sort_by(|a, b| a.0.cmp(&b.0));
    for (idx, (name, closes)) in found.iter().enumerate() {
        for (other, reference) in &found[idx + 1..] {
            let began = Instant::now();
            let share = share(closes, reference);
            let ms = began.elapsed().as_millis();
            println!(
                "{name:28} ({:6} bars) in {other:28} ({:6} bars) {share:6.1}   {ms} ms",
                closes.len(),
                reference.len()
            );
        }
    }
    Ok(())
}

/// Simulated markets whose returns are correlated: none of their bars are the same.
fn relatives(n_pairs: u64) {
    println!(
        "\n{n_pairs} pairs of simulated markets, {N_BARS} bars at the same times: bars taken for the same, in %"
    );
    println!("correlation   normal returns   clusters and large moves");
    for correlation in CORRELATIONS {
        let mean = |is_wild: bool| {
            let pairs = (0..n_pairs).map(|seed| {
                let (one, other) = pair(seed, N_BARS, correlation, is_wild);
                share(&one, &other)
            });
            pairs.sum::<f64>() / n_pairs as f64
        };
        println!("{correlation:11.3}   {:14.1}   {:24.1}", mean(false), mean(true));
    }
}

/// The halves of each carried file: two parts of one market that have no bar in common.
fn halves() -> anyhow::Result<()> {
    println!(
        "\nthe first half of each carried file in its second half: bars taken for the same, in %"
    );
    for (timeframe, bars, bar_ms) in carried()? {
        let middle = bars.len() / 2;
        let of = |bars: &[Bar]| Closes::of(bars, bar_ms);
        let share = share(&of(&bars[..middle]), &of(&bars[middle..]));
        println!("{timeframe:4} {:7} bars {share:6.1}", bars.len());
    }
    Ok(())
}

/// The last quarter of each carried file, disguised, in the whole file: all of its bars are the same.
fn disguises() -> anyhow::Result<()> {
    println!("\nthe last quarter of each carried file, disguised: bars recognised, in %");
    let names = ["times", "scale", "0.2 bp", "1 bp", "5 % gone", "digits", "all"];
    println!("     {}", names.map(|name| format!("{name:>9}")).join(""));
    for (timeframe, bars, bar_ms) in carried()? {
        let whole = Closes::of(&bars, bar_ms);
        let part = &bars[bars.len() * 3 / 4..];
        let mut shares = Vec::new();
        for disguise in names {
            let mut rng = Rng::new(5);
            let is = |name: &str| disguise == name || disguise == "all";
            let mut disguised = Vec::new();
            for bar in part {
                let mut bar = *bar;
                if is("5 % gone") && rng.uniform() < 0.05 {
                    continue;
                }
                if is("times") {
                    bar.open_time_ms += 37 * 24 * HOUR_MS;
                }
                if is("scale") {
                    bar.close *= 0.37;
                }
                if is("0.2 bp") {
                    bar.close *= 1.0 + 0.2e-4 * rng.normal();
                }
                if disguise == "1 bp" {
                    bar.close *= 1.0 + 1e-4 * rng.normal();
                }
                if is("digits") {
                    let unit = 10_f64.powf((bar.close.log10()).floor() - 4.0);
                    bar.close = (bar.close / unit).round() * unit;
                }
                disguised.push(bar);
            }
            shares.push(share(&Closes::of(&disguised, bar_ms), &whole));
        }
        let shares: Vec<String> = shares.iter().map(|share| format!("{share:9.1}")).collect();
        println!("{timeframe:4} {}", shares.join(""));
    }
    Ok(())
}

/// One file against a large register.
fn time_of_many() {
    let (query, _) = pair(N_FILES, BARS_PER_FILE, 0.0, true);
    let files: Vec<Closes> =
        (0..N_FILES).map(|seed| pair(seed, BARS_PER_FILE, 0.0, true).0).collect();
    for (what, n_bars) in [("all", BARS_PER_FILE), ("a quarter of the", BARS_PER_FILE / 4)] {
        let times = query.times_ms();
        let query = query.between(times[times.len() - n_bars], query.end_ms());
        let began = Instant::now();
        let mut recogniser = Recogniser::new(query);
        let n_found = files.iter().filter(|file| !recogniser.find_in(file).is_empty()).count();
        println!(
            "\n{what} {n_bars} bars compared with {N_FILES} other files of {BARS_PER_FILE} bars at the same times, on one processor: {:.1} s, {n_found} taken for the same",
            began.elapsed().as_secs_f64()
        );
    }
}

/// The share of the bars of a query that are recognised, in percent.
fn share(query: &Closes, reference: &Closes) -> f64 {
    let found = recognise(query, reference);
    let n_coarse = |closes: &Closes, bar_ms: i64| {
        let mut starts: Vec<i64> = closes.times_ms().iter().map(|at| at / bar_ms).collect();
        starts.dedup();
        starts.len()
    };
    let n_found: usize = found.iter().map(|it| it.pairs.len()).sum();
    let bar_ms = found.first().map_or(query.bar_ms(), |it| it.bar_ms);
    100.0 * n_found as f64 / n_coarse(query, bar_ms).max(1) as f64
}

/// Two markets at the same times, with normal returns or with clusters of volatility and large single moves.
fn pair(seed: u64, n: usize, correlation: f64, is_wild: bool) -> (Closes, Closes) {
    let mut rng = Rng::new(seed ^ 0xfeed);
    let rest = (1.0 - correlation * correlation).sqrt();
    let (mut prices, mut variance, mut last) = ([1.0_f64; 2], 1.0, 0.0);
    let mut bars = [Vec::with_capacity(n), Vec::with_capacity(n)];
    for idx in 0..n {
        let (common, own) = (rng.normal(), rng.normal());
        if is_wild {
            variance = 0.05 + 0.1 * last * last + 0.85 * variance;
        }
        let jump = if is_wild && rng.uniform() < 0.01 { 5.0 } else { 1.0 };
        let scale = jump * f64::sqrt(variance);
        last = common * f64::sqrt(variance);
        let moves = [common, correlation * common + rest * own];
        for (side, moved) in moves.into_iter().enumerate() {
            let open = prices[side];
            prices[side] *= (0.001 * scale * moved).exp();
            let close = prices[side];
            let (high, low) = (open.max(close), open.min(close));
            let open_time_ms = 1_500_000_000_000 + idx as i64 * HOUR_MS;
            bars[side].push(Bar { open_time_ms, open, high, low, close, volume: 0.0 });
        }
    }
    let [one, other] = bars.map(|bars| Closes::of(&bars, HOUR_MS));
    (one, other)
}

fn carried() -> anyhow::Result<Vec<(Timeframe, Vec<Bar>, i64)>> {
    let mut files = Vec::new();
    for timeframe in [Timeframe::Minute1, Timeframe::Hour1, Timeframe::Day1] {
        let sample = Sample::for_timeframe(timeframe);
        let raw = read_bars(&sample.csv()?, sample.file_name)?;
        files.push((timeframe, raw.as_slice().to_vec(), raw.bar_length_ms()));
    }
    Ok(files)
}
