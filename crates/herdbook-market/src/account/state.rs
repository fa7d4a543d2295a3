//! The state of an account and how it changes from bar to bar.
//!
//! A target decided after the close of bar t is filled at the open of bar t+1, and the equity is valued at the close of
//! that bar. A fill invests the whole equity. While the target stays the same, the number of units stays the same: there
//! is no rebalancing.

use serde::{Deserialize, Serialize};

use super::costs::CostModel;
use super::position::Position;
use crate::bars::Bar;

/// An account in one instrument. It keeps no history; [`Ledger`](crate::Ledger) does.
///
/// ```
/// use herdbook_market::{Account, Bar, CostModel, Position};
///
/// let mut account = Account::new(1_000.0, CostModel::FREE);
/// let bar = Bar { open_time_ms: 0, open: 50.0, high: 55.0, low: 50.0, close: 55.0, volume: 0.0 };
/// // 20 units bought at 50 are worth 55 each at the close.
/// assert_eq!(account.step(Position::Long, &bar), 1_100.0);
/// assert_eq!((account.position(), account.bars_held()), (Position::Long, 1));
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Account {
    costs: CostModel,
    position: Position,
    /// Number of units held, negative for a short position.
    units: f64,
    /// Equity right after the last fill, after its costs.
    base: f64,
    /// Price of the last fill.
    entry_price: f64,
    /// Equity right before the position was entered, after the costs of leaving the one before.
    entry_equity: f64,
    equity: f64,
    bars_held: u32,
    exposed_bars: u64,
    traded: f64,
    is_ruined: bool,
}

impl Account {
    /// An account without a position. `initial_equity` is in account currency.
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

    /// Fills `target` at the open of the next bar, and returns the equity at its close.
    ///
    /// When the equity falls to zero or below at a fill or a close, the account is ruined: its equity is 0 from then on,
    /// and it does not trade any more.
    pub fn step(&mut self, target: Position, next: &Bar) -> f64 {
        self.fill(target, next.open);
        self.hold(next.close);
        self.equity
    }

    /// Equity at the last close, in account currency.
    pub fn equity(&self) -> f64 {
        self.equity
    }

    /// The present position.
    pub fn position(&self) -> Position {
        self.position
    }

    /// The trading costs.
    pub fn costs(&self) -> CostModel {
        self.costs
    }

    /// Return since the position was entered, as a fraction, after the costs of the entry; 0 when flat.
    pub fn unrealised_return(&self) -> f64 {
        match self.position {
            Position::Flat => 0.0,
            Position::Short | Position::Long => self.equity / self.entry_equity - 1.0,
        }
    }

    /// Number of bars that the position has been held for; 0 when flat.
    pub fn bars_held(&self) -> u32 {
        self.bars_held
    }

    /// Total number of bars with a position.
    pub fn exposed_bars(&self) -> u64 {
        self.exposed_bars
    }

    /// Sum over all fills of the traded notional as a fraction of the equity before the fill; a round trip counts about 2.
    pub fn traded(&self) -> f64 {
        self.traded
    }

    /// Whether all equity was lost.
    pub fn is_ruined(&self) -> bool {
        self.is_ruined
    }

    /// Price of the last fill.
    pub(super) fn entry_price(&self) -> f64 {
        self.entry_price
    }

    /// Equity right before the position was entered, after the costs of leaving the one before.
    pub(super) fn entry_equity(&self) -> f64 {
        self.entry_equity
    }

    /// Leaves the present position and enters `target`, with costs for each, if they differ.
    pub(super) fn fill(&mut self, target: Position, price: f64) {
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

    /// Holds the position until the close of a bar.
    pub(super) fn hold(&mut self, close: f64) {
        if self.position != Position::Flat {
            self.exposed_bars += 1;
            self.bars_held += 1;
            self.mark(close);
        }
    }

    /// Values the account at a price, and ruins it where nothing is left.
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
        // 1,000 buy 999.00 of the instrument and pay 1.00 of costs.
        let entered = 1_000.0 / 1.001;
        assert!(close_to(account.step(Position::Long, &bar(100.0, 110.0)), entered * 1.1));
        // The units are sold at 110, at costs of 0.1 %.
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
