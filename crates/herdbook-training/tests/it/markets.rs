//! Markets made of real returns, with or without a signal.

use herdbook_domain::Timeframe;
use herdbook_market::{Bar, Sample, read_bars};
use herdbook_ppo::Rng;

/// Bars per block. Shuffling keeps patterns within a block and destroys longer ones.
const BLOCK_BARS: usize = 24;
/// The planted signal: share of a bar's move that the next bar reverts.
const REVERSION: f64 = 0.6;

/// Hourly EURUSD returns without their mean, in shuffled blocks: no drift, no signal beyond a day.
pub(crate) fn shuffled(seed: u64) -> Vec<u8> {
    let mut rng = Rng::new(seed ^ 0x5eed);
    let mut shapes = shapes();
    let mut blocks: Vec<Vec<Shape>> = shapes.chunks(BLOCK_BARS).map(<[Shape]>::to_vec).collect();
    rng.shuffle(&mut blocks);
    shapes.clear();
    shapes.extend(blocks.into_iter().flatten());
    csv(&shapes)
}

/// The same returns, shuffled bar by bar, with a planted signal that is easy to learn.
pub(crate) fn planted(seed: u64) -> Vec<u8> {
    let mut rng = Rng::new(seed ^ 0x5eed);
    let mut shapes = shapes();
    rng.shuffle(&mut shapes);
    for idx in 1..shapes.len() {
        shapes[idx].body -= REVERSION * shapes[idx - 1].body;
    }
    csv(&shapes)
}

/// A bar as log distances: close from open, high and low from the body.
#[derive(Clone, Copy)]
struct Shape {
    body: f64,
    above: f64,
    below: f64,
}

fn shapes() -> Vec<Shape> {
    let sample = Sample::for_timeframe(Timeframe::Hour1);
    let raw = read_bars(&sample.csv().expect("the carried sample is sound"), sample.file_name)
        .expect("the carried sample is sound");
    let bars: Vec<Bar> = raw.as_slice().to_vec();
    let bodies: Vec<f64> =
        bars.windows(2).map(|pair| (pair[1].close / pair[0].close).ln()).collect();
    let mean = bodies.iter().sum::<f64>() / bodies.len() as f64;
    let shape = |(bar, body): (&Bar, &f64)| Shape {
        body: body - mean,
        above: (bar.high / bar.open.max(bar.close)).ln(),
        below: (bar.open.min(bar.close) / bar.low).ln(),
    };
    bars[1..].iter().zip(&bodies).map(shape).collect()
}

fn csv(shapes: &[Shape]) -> Vec<u8> {
    let mut csv = String::from("timestamp,open,high,low,close\n");
    let mut price: f64 = 1.0;
    for (idx, shape) in shapes.iter().enumerate() {
        let (open, close) = (price, price * shape.body.exp());
        let high = open.max(close) * shape.above.max(0.0).exp();
        let low = open.min(close) * (-shape.below.max(0.0)).exp();
        csv += &format!("{},{open},{high},{low},{close}\n", 1_500_000_000 + idx * 3_600);
        price = close;
    }
    csv.into_bytes()
}
