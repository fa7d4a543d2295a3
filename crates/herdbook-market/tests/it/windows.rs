//! Windows of any split: in order, apart, and long enough.

use herdbook_domain::Timeframe;
use herdbook_market::{
    Bar, Bars, Boundaries, MIN_BARS, N_EVALUATION_EPISODES, WARM_UP_BARS, folds, split,
};
use proptest::prelude::*;

const HOUR_MS: i64 = 3_600_000;

/// Hourly bars with gaps, and some an hour's part early, as after a change of clocks.
fn bars() -> impl Strategy<Value = Bars> {
    let step = prop_oneof![
        20 => Just(HOUR_MS),
        1 => (2..60_i64).prop_map(|hours| hours * HOUR_MS),
        1 => Just(HOUR_MS / 2),
    ];
    prop::collection::vec(step, 300..900).prop_map(|steps| {
        let mut at_ms = 0;
        let bar = |step| {
            at_ms += step;
            Bar { open_time_ms: at_ms, open: 1.0, high: 1.0, low: 1.0, close: 1.0, volume: 0.0 }
        };
        Bars::new(Timeframe::Hour1, steps.into_iter().map(bar).collect()).unwrap()
    })
}

fn boundary() -> impl Strategy<Value = Option<i64>> {
    prop::option::of((0..1_500_i64).prop_map(|hours| hours * HOUR_MS))
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn prop_windows_are_in_order_apart_and_long_enough(
        bars in bars(), validation in boundary(), test in boundary(), until in boundary(),
    ) {
        let boundaries = Boundaries {
            validation_from_ms: validation,
            test_from_ms: test,
            test_until_ms: until,
        };
        let Ok(split) = split(&bars, boundaries) else { return Ok(()) };
        let windows = [&split.train, &split.validation, &split.test];
        for window in windows {
            let inside = &bars.as_slice()[window.bars.clone()];
            prop_assert!(inside.len() >= 51);
            prop_assert_eq!(window.start_ms, inside[0].open_time_ms);
            prop_assert_eq!(window.end_ms, inside[inside.len() - 1].open_time_ms + HOUR_MS);
        }
        prop_assert!(split.train.bars.start == 0 && split.train.bars.len() >= 51 + WARM_UP_BARS);
        for pair in windows.windows(2) {
            prop_assert!(pair[0].bars.end < pair[1].bars.start, "a bar lies between two windows");
            prop_assert!(pair[0].end_ms + HOUR_MS <= pair[1].start_ms, "and the time of one");
        }
        let first_from = |at_ms: i64| bars.as_slice().iter().position(|bar| bar.open_time_ms >= at_ms);
        for (boundary, window) in [(validation, &split.validation), (test, &split.test)] {
            if let Some(at_ms) = boundary {
                prop_assert_eq!(first_from(at_ms), Some(window.bars.start));
            }
        }
        let end = until.and_then(first_from).unwrap_or(bars.len());
        prop_assert_eq!(split.test.bars.end, end);
    }

    #[test]
    fn prop_evaluation_episodes_cover_their_window_but_for_four_timesteps(bars in bars()) {
        prop_assume!(bars.len() >= MIN_BARS);
        let Ok(split) = split(&bars, Boundaries::default()) else { return Ok(()) };
        for window in [split.validation, split.test] {
            let episodes = window.evaluation_episodes();
            prop_assert_eq!(episodes[0].start, window.bars.start);
            let length = episodes[0].len();
            prop_assert!(episodes.iter().all(|episode| episode.len() == length && length >= 11));
            for pair in episodes.windows(2) {
                prop_assert_eq!(pair[0].end - 1, pair[1].start, "one begins where the other ends");
            }
            let left_over = window.bars.end - episodes[N_EVALUATION_EPISODES - 1].end;
            prop_assert!(left_over < N_EVALUATION_EPISODES, "{}", left_over);
        }
    }

    #[test]
    fn prop_test_blocks_of_folds_are_equal_consecutive_and_end_with_the_bars(
        bars in bars(), n_folds in 1..6_usize,
    ) {
        let folds = folds(&bars, n_folds).unwrap();
        prop_assert_eq!(folds.len(), n_folds);
        let idx = |at_ms: i64| bars.as_slice().iter().position(|bar| bar.open_time_ms == at_ms).unwrap();
        let blocks: Vec<(usize, usize)> = folds
            .iter()
            .map(|fold| {
                (idx(fold.test_from_ms.unwrap()), fold.test_until_ms.map_or(bars.len(), idx))
            })
            .collect();
        let length = bars.len() / (n_folds + 1);
        prop_assert!(blocks.iter().all(|(start, end)| end - start == length), "{:?}", blocks);
        prop_assert!(blocks.windows(2).all(|pair| pair[0].1 == pair[1].0), "{:?}", blocks);
        prop_assert_eq!(blocks[n_folds - 1].1, bars.len());
        for (fold, (start, _)) in folds.iter().zip(&blocks) {
            let validation = idx(fold.validation_from_ms.unwrap());
            prop_assert_eq!(validation, start * 4 / 5);
        }
    }
}
