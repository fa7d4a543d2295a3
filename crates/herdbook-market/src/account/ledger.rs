//! The ledger: an account with the history of its equity, positions and trades.

use super::costs::CostModel;
use super::position::Position;
use super::state::Account;
use crate::bars::Bar;

/// A closed trade, from entering a position to leaving it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Trade {
    /// Index of the bar at whose open the position was entered.
    pub entry_bar_idx: usize,
    /// Index of the bar at whose open the position was left; after a ruin, of the bar in which the account was ruined.
    pub exit_bar_idx: usize,
    /// [`Position::Short`] or [`Position::Long`].
    pub side: Position,
    /// Price at entry.
    pub entry_price: f64,
    /// Price at exit.
    pub exit_price: f64,
    /// Result in account currency, after the costs of both sides.
    pub result: f64,
    /// Equity in account currency right before the entry.
    pub equity_at_entry: f64,
}

/// An account that records its history.
#[derive(Debug, Clone)]
pub struct Ledger {
    account: Account,
    /// Index of the bar at which the position was entered.
    entry_bar_idx: usize,
    next_bar_idx: usize,
    equity: Vec<f64>,
    positions: Vec<Position>,
    targets: Vec<Position>,
    trades: Vec<Trade>,
}

impl Ledger {
    /// A new account. The first target is decided after the close of bar `first_bar_idx`, and filled at the open of the
    /// bar after it.
    pub fn new(initial_equity: f64, costs: CostModel, first_bar_idx: usize) -> Self {
        Self {
            account: Account::new(initial_equity, costs),
            entry_bar_idx: 0,
            next_bar_idx: first_bar_idx + 1,
            equity: vec![initial_equity],
            positions: vec![Position::Flat],
            targets: Vec::new(),
            trades: Vec::new(),
        }
    }

    /// Steps the account as [`Account::step`] does, records what happened, and returns the equity.
    pub fn step(&mut self, target: Position, next: &Bar) -> f64 {
        let before = self.account;
        self.account.fill(target, next.open);
        self.record(&before, next.open);
        let filled = self.account;
        self.account.hold(next.close);
        self.record(&filled, next.close);
        self.next_bar_idx += 1;
        self.targets.push(target);
        self.equity.push(self.account.equity());
        self.positions.push(self.account.position());
        self.account.equity()
    }

    /// The account in its present state.
    pub fn account(&self) -> &Account {
        &self.account
    }

    /// Equity in account currency: before the first step, and after each step.
    pub fn equity(&self) -> &[f64] {
        &self.equity
    }

    /// Positions: before the first step, and after each step. Flat from a ruin on.
    pub fn positions(&self) -> &[Position] {
        &self.positions
    }

    /// The target of each step.
    pub fn targets(&self) -> &[Position] {
        &self.targets
    }

    /// Closed trades, oldest first. A position that is still held is not among them.
    pub fn trades(&self) -> &[Trade] {
        &self.trades
    }

    /// Records the trade that ended between the state `before` and now, and the entry of the next one.
    fn record(&mut self, before: &Account, price: f64) {
        let now = &self.account;
        if now.position() == before.position() {
            return;
        }
        if before.position() != Position::Flat {
            let equity_at_exit = if now.is_ruined() { 0.0 } else { now.entry_equity() };
            self.trades.push(Trade {
                entry_bar_idx: self.entry_bar_idx,
                exit_bar_idx: self.next_bar_idx,
                side: before.position(),
                entry_price: before.entry_price(),
                exit_price: price,
                result: equity_at_exit - before.entry_equity(),
                equity_at_entry: before.entry_equity(),
            });
        }
        self.entry_bar_idx = self.next_bar_idx;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bar(open: f64, close: f64) -> Bar {
        let (high, low) = (open.max(close), open.min(close));
        Bar { open_time_ms: 0, open, high, low, close, volume: 0.0 }
    }

    fn ledger(bps: f64) -> Ledger {
        Ledger::new(1_000.0, CostModel::from_bps(bps).unwrap(), 6)
    }

    #[test]
    fn closed_trades_add_up_to_the_change_of_a_flat_account() {
        let mut ledger = ledger(10.0);
        let targets = [Position::Long, Position::Short, Position::Short, Position::Flat];
        let bars = [bar(100.0, 104.0), bar(105.0, 103.0), bar(103.0, 90.0), bar(91.0, 95.0)];
        for (target, bar) in targets.into_iter().zip(&bars) {
            ledger.step(target, bar);
        }
        let [long, short] = ledger.trades() else { panic!("{:?}", ledger.trades()) };
        assert_eq!((long.side, long.entry_bar_idx, long.exit_bar_idx), (Position::Long, 7, 8));
        assert_eq!((short.side, short.entry_bar_idx, short.exit_bar_idx), (Position::Short, 8, 10));
        assert_eq!((short.entry_price, short.exit_price), (105.0, 91.0));
        // The equity pays for the units and 0.1 % costs at entry; at exit 0.1 % of the new value is paid.
        let after_long = 1_000.0 / 1.001 * 1.05 * 0.999;
        assert!((long.result - (after_long - 1_000.0)).abs() < 1e-9);
        assert!((short.equity_at_entry - after_long).abs() < 1e-9);
        let change = ledger.account().equity() - 1_000.0;
        assert!((long.result + short.result - change).abs() < 1e-9);
        assert_eq!(ledger.equity().len(), 5);
        assert_eq!(ledger.positions()[1..], targets);
    }

    #[test]
    fn position_still_held_is_no_trade() {
        let mut ledger = ledger(1.0);
        ledger.step(Position::Long, &bar(100.0, 104.0));
        assert!(ledger.trades().is_empty());
    }

    #[test]
    fn ruin_closes_the_trade_with_all_its_equity_lost() {
        let mut ledger = ledger(0.0);
        ledger.step(Position::Long, &bar(100.0, 110.0));
        ledger.step(Position::Short, &bar(110.0, 300.0));
        ledger.step(Position::Long, &bar(300.0, 400.0));
        let [_, lost] = ledger.trades() else { panic!("{:?}", ledger.trades()) };
        assert_eq!((lost.entry_bar_idx, lost.exit_bar_idx, lost.exit_price), (8, 8, 300.0));
        assert!((lost.result + 1_100.0).abs() < 1e-9);
        assert_eq!(ledger.equity()[2..], [0.0, 0.0]);
        assert_eq!(ledger.targets(), [Position::Long, Position::Short, Position::Long]);
    }
}
