//! The simulated account: one instrument, one target position per bar.
//!
//! A target decided after bar t's close is filled at bar t+1's open, and equity is marked at that
//! bar's close. The whole equity is invested at a fill; while the target stays the same the units
//! are held, without rebalancing. Nothing is known of a bar before it is given.

mod costs;
mod ledger;
mod position;

use serde::{Deserialize, Serialize};

use crate::Bar;

pub use costs::CostModel;
pub use ledger::{Ledger, Trade};
pub use position::Position;

/// One account in one instrument.
///
/// Steps write no history; [`Ledger`] does where it is wanted.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Account {
    costs: CostModel,
    position: Position,
    /// Signed number of units held.
    units: f64,
    /// Equity right after the last fill, its costs paid.
    base: f64,
    /// Price of the last fill.
    entry_price: f64,
    /// Equity right before the position was entered, costs of leaving the one before paid.
    entry_equity: f64,
    equity: f64,
    bars_held: u32,
    exposed_bars: u64,
    traded: f64,
    is_ruined: bool,
}

impl Account {
    /// An account that holds nothing yet.
    pub fn new(initial_equity: f64, costs: CostModel) -> Self {
        Self {
            costs,
            position: Position::Flat,
            units: 0.0,
            base: initial_equity,
            entry_price: 0.0,
            entry_equity: initial_equity,
            equity: initial_equity,
            bars_held: 0,
            exposed_bars: 0,
            traded: 0.0,
            is_ruined: false,
        }
    }

    /// Fills `target` at the next bar's open and returns the equity at its close.
    ///
    /// Equity of zero or below is a total loss: the account is ruined, worth 0, and trades no more.
    pub fn step(&mut self, target: Position, next: &Bar) -> f64 {
        self.fill(target, next.open);
        self.hold(next.close);
        self.equity
    }

    /// Equity at the last close, in account currency.
    pub fn equity(&self) -> f64 {
        self.equity
    }

    /// The position held.
    pub fn position(&self) -> Position {
        self.position
    }

    /// What each side of a trade costs it.
    pub fn costs(&self) -> CostModel {
        self.costs
    }

    /// Return since the position was entered, costs of entering it paid; 0 when flat.
    pub fn unrealised_return(&self) -> f64 {
        match self.position {
            Position::Flat => 0.0,
            Position::Short | Position::Long => self.equity / self.entry_equity - 1.0,
        }
    }

    /// Bars the position has been held over; 0 when flat.
    pub fn bars_held(&self) -> u32 {
        self.bars_held
    }

    /// Bars over which any position was held.
    pub fn exposed_bars(&self) -> u64 {
        self.exposed_bars
    }

    /// Sum over all fills of the traded notional as a share of the equity before the fill; a round
    /// trip is 2.
    pub fn traded(&self) -> f64 {
        self.traded
    }

    /// Whether all equity was lost.
    pub fn is_ruined(&self) -> bool {
        self.is_ruined
    }

    /// Leaves the position held and enters `target`, each at its costs, if they differ.
    fn fill(&mut self, target: Position, price: f64) {
        if target == self.position || self.is_ruined {
            return;
        }
        self.mark(price);
        if self.is_ruined {
            return;
        }
        let before = self.equity;
        let left = self.units.abs() * price;
        self.entry_equity = before - self.costs.of(left);
        let entered = self.costs.affordable(self.entry_equity.max(0.0)) * target.sign().abs();
        self.base = self.entry_equity - self.costs.of(entered);
        self.units = target.sign() * entered / price;
        self.traded += (left + entered) / before;
        self.position = target;
        self.entry_price = price;
        self.bars_held = 0;
        self.mark(price);
    }

    /// Holds the position until a bar's close.
    fn hold(&mut self, close: f64) {
        if self.position != Position::Flat {
            self.exposed_bars += 1;
            self.bars_held += 1;
            self.mark(close);
        }
    }

    /// Values the account at a price.
    fn mark(&mut self, price: f64) {
        self.equity = self.base + self.units * (price - self.entry_price);
        if self.equity <= 0.0 {
            *self = Self {
                position: Position::Flat,
                units: 0.0,
                base: 0.0,
                equity: 0.0,
                bars_held: 0,
                is_ruined: true,
                ..*self
            };
        }
    }
}

#[cfg(test)]
#[expect(clippy::float_cmp, reason = "these values are exact")]
mod tests {
    use super::*;

    fn bar(open: f64, close: f64) -> Bar {
        let (high, low) = (open.max(close), open.min(close));
        Bar { open_time_ms: 0, open, high, low, close, volume: 0.0 }
    }

    fn account(bps: f64) -> Account {
        Account::new(1_000.0, CostModel::from_bps(bps).unwrap())
    }

    fn close_to(left: f64, right: f64) -> bool {
        (left - right).abs() <= 1e-9 * right.abs().max(1.0)
    }

    #[test]
    fn target_is_filled_at_the_next_open_and_marked_at_its_close() {
        let mut account = account(0.0);
        assert!(close_to(account.step(Position::Long, &bar(50.0, 55.0)), 1_100.0));
        assert!(close_to(account.step(Position::Long, &bar(60.0, 45.0)), 900.0));
        assert!(close_to(account.unrealised_return(), -0.1));
        assert_eq!(account.bars_held(), 2);
    }

    #[test]
    fn units_are_held_while_the_target_stays() {
        let mut account = account(0.0);
        account.step(Position::Short, &bar(100.0, 90.0));
        assert!(close_to(account.equity(), 1_100.0));
        // Ten units short at 100, whatever they are worth now.
        assert!(close_to(account.step(Position::Short, &bar(90.0, 120.0)), 800.0));
    }

    #[test]
    fn each_side_costs_its_notional() {
        let mut account = account(10.0);
        // 1,000 pay for 999.00 of the instrument and 1.00 of costs.
        let entered = 1_000.0 / 1.001;
        assert!(close_to(account.step(Position::Long, &bar(100.0, 110.0)), entered * 1.1));
        // What it has become leaves at 110, for a thousandth of itself.
        assert!(close_to(account.step(Position::Flat, &bar(110.0, 90.0)), entered * 1.1 * 0.999));
        assert!(close_to(account.traded(), 1.0 / 1.001 + 1.0));
        assert_eq!(account.exposed_bars(), 1);
    }

    #[test]
    fn flip_is_charged_for_leaving_and_entering() {
        let mut account = account(10.0);
        account.step(Position::Long, &bar(100.0, 100.0));
        let entered = 1_000.0 / 1.001;
        assert!(close_to(account.equity(), entered));
        let after_leaving = entered * 0.999;
        account.step(Position::Short, &bar(100.0, 100.0));
        assert!(close_to(account.equity(), after_leaving / 1.001));
        assert!(close_to(account.unrealised_return(), 1.0 / 1.001 - 1.0));
        assert_eq!((account.position(), account.bars_held()), (Position::Short, 1));
    }

    #[test]
    fn flat_account_does_not_change() {
        let mut account = account(10.0);
        assert_eq!(account.step(Position::Flat, &bar(1.0, 2.0)).to_bits(), 1_000_f64.to_bits());
        assert_eq!((account.unrealised_return(), account.exposed_bars()), (0.0, 0));
    }

    #[test]
    fn lost_equity_ruins_the_account_for_good() {
        let mut account = account(1.0);
        account.step(Position::Short, &bar(100.0, 100.0));
        assert_eq!(account.step(Position::Short, &bar(150.0, 210.0)), 0.0);
        assert!(account.is_ruined());
        assert_eq!(account.step(Position::Long, &bar(100.0, 200.0)), 0.0);
        assert_eq!((account.position(), account.exposed_bars()), (Position::Flat, 2));
    }

    #[test]
    fn account_lost_by_the_open_cannot_enter_again() {
        let mut account = account(1.0);
        account.step(Position::Short, &bar(100.0, 100.0));
        assert_eq!(account.step(Position::Long, &bar(250.0, 400.0)), 0.0);
        assert!(account.is_ruined());
        assert_eq!(account.exposed_bars(), 1);
    }
}
