//! The page `docs/observations.md` describes the observation as it is.

use herdbook_domain::{Symbol, Timeframe};
use herdbook_market::CostModel;
use herdbook_ppo::{Env, EpisodeEnd, Rng};
use herdbook_training::{
    Boundaries, DataSource, Feature, MarketData, OBS_LEN, TradingEnv, observation_elements,
};
use std::sync::Arc;

const PAGE: &str = include_str!("../../../../docs/observations.md");

/// A row of the page's table.
struct Row {
    number: usize,
    name: String,
    low: f32,
    high: f32,
    /// The values that 1 % and 99 % of the bars are below, of the first and the second file.
    quantiles: [[f32; 2]; 2],
    formula: String,
    source: String,
}

fn rows() -> Vec<Row> {
    let cells = |line: &str| -> Vec<String> {
        line.trim_matches('|').split(" | ").map(|cell| cell.trim().to_owned()).collect()
    };
    let pair = |cell: &str| -> [f32; 2] {
        let (low, high) = cell.split_once(" to ").unwrap();
        [low, high].map(|value| value.parse().unwrap())
    };
    PAGE.lines()
        .filter(|line| line.starts_with("| ") && line.as_bytes()[2].is_ascii_digit())
        .map(|line| {
            let cells = cells(line);
            let [low, high] = pair(&cells[3]);
            Row {
                number: cells[0].parse().unwrap(),
                name: cells[1].trim_matches('`').to_owned(),
                formula: cells[2].clone(),
                low,
                high,
                quantiles: [pair(&cells[4]), pair(&cells[5])],
                source: cells[6].clone(),
            }
        })
        .collect()
}

/// Observations of an account that changes its position at random, over all bars of a sample.
fn observations(timeframe: Timeframe) -> Vec<Vec<f32>> {
    let (source, _) = DataSource::sample(timeframe).unwrap();
    let source = DataSource { symbol: Symbol::parse("SAMPLE").unwrap(), ..source };
    let market = MarketData::prepare(&source, timeframe, Boundaries::default()).unwrap();
    let costs = CostModel::from_bps(1.0).unwrap();
    let mut env = TradingEnv::new(Arc::new(market), costs, usize::MAX >> 1);
    let mut rng = Rng::new(7);
    let mut obs = vec![0.0; OBS_LEN];
    env.reset(&mut rng, &mut obs);
    let mut all = vec![obs.clone()];
    let mut action = 1;
    loop {
        if rng.below(20) == 0 {
            action = rng.below(3);
        }
        let step = env.step(action, &mut obs);
        all.push(obs.clone());
        if step.end != EpisodeEnd::Running {
            return all;
        }
    }
}

fn quantiles(observations: &[Vec<f32>], element: usize) -> [f32; 2] {
    let mut values: Vec<f32> = observations.iter().map(|obs| obs[element]).collect();
    values.sort_by(f32::total_cmp);
    let at = |share: f64| values[(share * (values.len() - 1) as f64).round() as usize];
    [at(0.01), at(0.99)]
}

#[test]
fn page_has_the_names_the_order_and_the_ranges_of_the_code() {
    let rows = rows();
    let elements: Vec<&Feature> = observation_elements().collect();
    assert_eq!((rows.len(), elements.len()), (OBS_LEN, OBS_LEN));
    for (idx, (row, element)) in rows.iter().zip(elements).enumerate() {
        assert_eq!((row.number, row.name.as_str()), (idx, element.name));
        let range = [row.low, row.high].map(f32::to_bits);
        assert_eq!(range, [element.low, element.high].map(f32::to_bits), "{}", row.name);
        assert!(!row.formula.is_empty() && !row.source.is_empty(), "{}", row.name);
    }
    assert!(PAGE.contains(&format!("{OBS_LEN} numbers")));
}

#[test]
fn values_on_real_bars_are_those_of_the_page() {
    let mut wrong = Vec::new();
    for (file, timeframe) in [Timeframe::Hour1, Timeframe::Day1].into_iter().enumerate() {
        let observations = observations(timeframe);
        for row in rows() {
            let mut values = observations.iter().map(|obs| obs[row.number]);
            assert!(values.all(|value| (row.low..=row.high).contains(&value)), "{}", row.name);
            let found = quantiles(&observations, row.number);
            let stated = row.quantiles[file];
            if found.iter().zip(stated).any(|(found, stated)| (found - stated).abs() > 0.006) {
                wrong.push(format!("{timeframe} {} {:.2} to {:.2}", row.name, found[0], found[1]));
            }
        }
    }
    assert!(wrong.is_empty(), "the page should say:\n{}", wrong.join("\n"));
}
