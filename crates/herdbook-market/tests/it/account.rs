//! The account against plain bookkeeping in cash and units.

use herdbook_market::{Bar, CostModel, Ledger, Position};
use proptest::prelude::*;

use crate::data;

/// Cash and units, as a broker's statement has them.
struct Statement {
    cash: f64,
    units: f64,
    position: Position,
    cost_rate: f64,
}

impl Statement {
    fn trade(&mut self, units: f64, price: f64) {
        self.cash -= units * price + (units * price).abs() * self.cost_rate;
        self.units += units;
    }

    fn step(&mut self, target: Position, bar: &Bar) -> f64 {
        if target != self.position {
            self.trade(-self.units, bar.open);
            // All cash pays for the units and their costs.
            let affordable = self.cash / (1.0 + self.cost_rate);
            self.trade(target.sign() * affordable / bar.open, bar.open);
            self.position = target;
        }
        self.cash + self.units * bar.close
    }
}

fn targets(n_bars: usize) -> impl Strategy<Value = Vec<Position>> {
    prop::collection::vec((0..3_usize).prop_map(|action| Position::ALL[action]), n_bars)
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn prop_equity_is_that_of_plain_bookkeeping(
        bars in data::walk(80),
        targets in targets(80),
        bps in 0.0..50.0_f64,
    ) {
        let mut ledger = Ledger::new(10_000.0, CostModel::from_bps(bps).unwrap(), 0);
        let mut statement = Statement {
            cash: 10_000.0,
            units: 0.0,
            position: Position::Flat,
            cost_rate: bps * 1e-4,
        };
        for (target, bar) in targets.iter().zip(&bars) {
            let (found, expected) = (ledger.step(*target, bar), statement.step(*target, bar));
            prop_assert!((found - expected).abs() <= 1e-9 * expected, "{} {}", found, expected);
        }
    }

    #[test]
    fn prop_closed_trades_add_up_to_the_equity(bars in data::walk(80), targets in targets(79)) {
        let mut ledger = Ledger::new(10_000.0, CostModel::from_bps(5.0).unwrap(), 0);
        for (target, bar) in targets.iter().chain([&Position::Flat]).zip(&bars) {
            ledger.step(*target, bar);
        }
        let results: f64 = ledger.trades().iter().map(|trade| trade.result).sum();
        prop_assert!((10_000.0 + results - ledger.account().equity()).abs() < 1e-6);
        let held: usize =
            ledger.trades().iter().map(|trade| trade.exit_bar_idx - trade.entry_bar_idx).sum();
        prop_assert_eq!(held as u64, ledger.account().exposed_bars());
        prop_assert_eq!(ledger.equity().len(), 81);
    }

    #[test]
    fn prop_equity_does_not_know_the_bars_to_come(
        bars in data::walk(40),
        other in data::walk(40),
        targets in targets(40),
        k in 0..40_usize,
    ) {
        let run = |bars: &[Bar]| {
            let mut ledger = Ledger::new(1.0, CostModel::FREE, 0);
            for (target, bar) in targets.iter().zip(bars) {
                ledger.step(*target, bar);
            }
            ledger.equity().to_vec()
        };
        let changed: Vec<Bar> = bars[..k].iter().chain(&other[k..]).copied().collect();
        prop_assert_eq!(&run(&bars)[..=k], &run(&changed)[..=k]);
    }

    #[test]
    fn prop_higher_costs_never_leave_more_equity(
        bars in data::walk(60),
        targets in targets(60),
        bps in 0.0..50.0_f64,
        more in 0.0..50.0_f64,
    ) {
        let run = |bps: f64| {
            let mut ledger = Ledger::new(10_000.0, CostModel::from_bps(bps).unwrap(), 0);
            for (target, bar) in targets.iter().zip(&bars) {
                ledger.step(*target, bar);
            }
            ledger.equity().to_vec()
        };
        for (cheap, dear) in run(bps).iter().zip(run(bps + more)) {
            prop_assert!(dear <= cheap * (1.0 + 1e-12), "{} {}", cheap, dear);
        }
    }

    #[test]
    fn prop_trading_at_one_price_loses_the_costs_of_each_side_and_nothing_else(
        targets in targets(40), bps in 0.0..50.0_f64,
    ) {
        let rate = bps * 1e-4;
        let still =
            Bar { open_time_ms: 0, open: 7.0, high: 7.0, low: 7.0, close: 7.0, volume: 0.0 };
        let mut ledger = Ledger::new(1_000.0, CostModel::from_bps(bps).unwrap(), 0);
        let (mut expected, mut held, mut n_sides) = (1_000.0, Position::Flat, 0);
        for target in targets {
            ledger.step(target, &still);
            if target != held {
                if held != Position::Flat {
                    expected *= 1.0 - rate;
                    n_sides += 1;
                }
                if target != Position::Flat {
                    expected /= 1.0 + rate;
                    n_sides += 1;
                }
                held = target;
            }
            let found = ledger.account().equity();
            prop_assert!((found - expected).abs() < 1e-9 * expected, "{} {}", found, expected);
        }
        let traded = ledger.account().traded();
        prop_assert!(traded <= f64::from(n_sides) && traded >= f64::from(n_sides) / (1.0 + rate).powi(2));
    }

    #[test]
    fn prop_ruined_account_stays_at_zero_and_out_of_the_market(
        bars in data::walk(30), targets in targets(30), factor in 2.0..9.0_f64,
    ) {
        let mut ledger = Ledger::new(1_000.0, CostModel::FREE, 0);
        let Bar { close, .. } = bars[0];
        let flat = |price: f64| Bar { open: price, high: price, low: price, close: price, ..bars[0] };
        ledger.step(Position::Short, &flat(close));
        ledger.step(Position::Short, &flat(close * factor));
        prop_assert!(ledger.account().is_ruined());
        for (target, bar) in targets.iter().zip(&bars) {
            prop_assert_eq!(ledger.step(*target, bar), 0.0);
        }
        let account = ledger.account();
        prop_assert_eq!((account.position(), account.bars_held()), (Position::Flat, 0));
        let [trade] = ledger.trades() else { panic!("{:?}", ledger.trades()) };
        prop_assert_eq!(trade.result, -1_000.0);
    }
}
