//! Walk-forward folds, against purgedcv and scikit-learn, and on real bars.

use herdbook_domain::Timeframe;
use herdbook_market::{folds, split, walk_forward};
use serde_json::{Value, json};

use crate::data::{golden, sample_at};

#[test]
fn folds_agree_with_other_sources() {
    let golden = golden();
    let cases = golden["cases"].as_array().unwrap();
    let cases: Vec<&Value> = cases.iter().filter(|case| case["group"] == "splits").collect();
    assert_eq!(cases.len(), 2);
    for case in cases {
        let number = |value: &Value| value.as_u64().unwrap() as usize;
        let (input, params) = (&case["input"], &case["params"]);
        let (n_rows, horizon) = (number(&input["n_rows"]), number(&input["label_horizon"]));
        let (n_folds, test_rows) = (number(&params["folds"]), number(&params["test_rows"]));
        let found: Vec<Value> = walk_forward(n_rows, n_folds, test_rows, horizon)
            .unwrap()
            .into_iter()
            .map(|fold| json!([fold.train.start, fold.train.end, fold.test.start, fold.test.end]))
            .collect();
        assert_eq!(Value::Array(found), case["expected"]["walk_forward_expanding"]);
    }
}

#[test]
fn test_blocks_of_real_bars_follow_one_another_and_are_never_trained_on() {
    let bars = sample_at(Timeframe::Hour1);
    let splits: Vec<_> = folds(&bars, 5)
        .unwrap()
        .into_iter()
        .map(|boundaries| split(&bars, boundaries).unwrap())
        .collect();
    assert_eq!(splits.len(), 5);
    assert_eq!(splits[4].test.bars.end, bars.len());
    for pair in splits.windows(2) {
        assert_eq!(pair[0].test.bars.end, pair[1].test.bars.start);
        assert_eq!(pair[0].test.bars.len(), pair[1].test.bars.len());
    }
    for split in &splits {
        assert!(split.train.end_ms < split.validation.start_ms);
        assert!(split.validation.end_ms < split.test.start_ms);
    }
}

#[test]
fn more_folds_than_the_bars_hold_are_refused() {
    let bars = sample_at(Timeframe::Day1);
    assert_eq!(walk_forward(10, 5, 3, 1), None);
    let refused = folds(&bars, bars.len()).unwrap_err().to_string();
    assert!(refused.contains("are too few for"), "{refused}");
}
