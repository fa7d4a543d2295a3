//! The honesty rule against counting bars one by one.

use herdbook_domain::{
    Honesty, LineageWindows, Symbol, Timeframe, Timestamp, Window, Windows, judge_honesty,
};
use proptest::prelude::*;

const TIMEFRAME: Timeframe = Timeframe::Minute15;

/// A window in bars, half-open.
type Bars = (i64, i64);

fn window((start, end): Bars) -> Window {
    let at = |bar: i64| Timestamp::from_millis(bar * TIMEFRAME.millis());
    Window { start: at(start), end: at(end) }
}

#[derive(Debug, Clone)]
struct Model {
    symbol: &'static str,
    train: Bars,
    validation: Bars,
    test: Bars,
}

impl Model {
    fn windows(&self) -> Windows {
        Windows {
            symbol: Symbol::parse(self.symbol).unwrap(),
            timeframe: TIMEFRAME,
            train: window(self.train),
            validation: window(self.validation),
            test: window(self.test),
        }
    }

    /// Whether the model learned from a bar, where the bar after each window counts too: its open is the fill of the
    /// last decision.
    fn learned_from(&self, bar: i64) -> bool {
        [self.train, self.validation].iter().any(|(start, end)| (*start..=*end).contains(&bar))
    }
}

fn bars() -> impl Strategy<Value = Bars> {
    (0..60_i64, 1..20_i64).prop_map(|(start, length)| (start, start + length))
}

fn model() -> impl Strategy<Value = Model> {
    (prop::sample::select(vec!["EURUSD", "EURUSD", "IBM"]), bars(), bars(), bars())
        .prop_map(|(symbol, train, validation, test)| Model { symbol, train, validation, test })
}

fn ancestors() -> impl Strategy<Value = Vec<Option<Model>>> {
    prop::collection::vec(prop::option::weighted(0.8, model()), 0..4)
}

proptest! {
    #[test]
    fn prop_test_window_is_honest_where_no_bar_of_it_was_learned_from(
        own in model(), ancestors in ancestors(),
    ) {
        let known = || [&own].into_iter().chain(ancestors.iter().flatten());
        let is_touched = (own.test.0..own.test.1).any(|bar| {
            known().any(|model| model.symbol == own.symbol && model.learned_from(bar))
        });
        let expected = match (is_touched, ancestors.iter().all(Option::is_some)) {
            (true, _) => Honesty::Contaminated,
            (false, true) => Honesty::Clean,
            (false, false) => Honesty::Unknown,
        };
        let recorded: Vec<_> = ancestors.iter().map(|it| it.as_ref().map(Model::windows)).collect();
        prop_assert_eq!(judge_honesty(&own.windows(), &recorded), expected);
    }

    #[test]
    fn prop_bars_from_the_first_new_moment_on_are_clean_for_every_symbol(
        models in prop::collection::vec(model(), 1..5), length in 1..20_i64,
    ) {
        let lineage: LineageWindows = models.iter().map(|model| Some(model.windows())).collect();
        let new_from = lineage.new_from().unwrap();
        let later = Window {
            start: new_from,
            end: Timestamp::from_millis(new_from.millis() + length * TIMEFRAME.millis()),
        };
        for symbol in ["EURUSD", "IBM"] {
            let symbol = Symbol::parse(symbol).unwrap();
            prop_assert_eq!(lineage.judge(&symbol, later), Honesty::Clean);
        }
        let last_end = models.iter().flat_map(|it| [it.train.1, it.validation.1, it.test.1]).max();
        prop_assert_eq!(new_from, window((0, last_end.unwrap() + 1)).end);
    }

    #[test]
    fn prop_one_more_ancestor_never_makes_a_test_window_more_honest(
        own in model(), ancestors in ancestors(), another in prop::option::weighted(0.8, model()),
    ) {
        let severity = |honesty| match honesty {
            Honesty::Clean => 0,
            Honesty::Unknown => 1,
            Honesty::Contaminated => 2,
        };
        let recorded = |models: &[Option<Model>]| -> Vec<Option<Windows>> {
            models.iter().map(|it| it.as_ref().map(Model::windows)).collect()
        };
        let before = judge_honesty(&own.windows(), &recorded(&ancestors));
        let longer = [ancestors, vec![another]].concat();
        let after = judge_honesty(&own.windows(), &recorded(&longer));
        prop_assert!(severity(after) >= severity(before), "{} {}", before, after);
    }

    #[test]
    fn prop_windows_read_back_from_the_params_they_were_written_to(model in model()) {
        let windows = model.windows();
        let params = windows.to_params().into_iter().map(|(key, value)| (key.to_owned(), value));
        prop_assert_eq!(Windows::from_params(TIMEFRAME, &params.collect()), Some(windows));
    }
}
