//! The verdict on a result, in one sentence.

use herdbook_domain::{Honesty, percent};

use crate::results::details::measured::Details;
use crate::results::details::words::{and, signed_percent};

/// Total returns that differ by less than this count as equal.
const SAME_RETURN: f64 = 1e-6;

impl Details {
    /// One sentence on whether the model earned money, and what did better.
    pub fn verdict(&self, honesty: Honesty, cost_bps: f64) -> String {
        let model = self.own().and_then(|own| own.model.total_return);
        match model {
            _ if honesty == Honesty::Contaminated => {
                "no verdict: bars of this window were seen in training".to_owned()
            }
            _ if cost_bps <= 0.0 => "no verdict: no costs were charged".to_owned(),
            None => "no verdict: the result is undefined".to_owned(),
            Some(model) if model <= 0.0 => self.loss(model),
            Some(_) if honesty == Honesty::Unknown => {
                "no verdict: it is not recorded whether an ancestor saw this window".to_owned()
            }
            Some(model) => self.gain(model),
        }
    }

    fn loss(&self, model: f64) -> String {
        let better = self.better_than(model);
        let beside = |text: &str| {
            if better.is_empty() { String::new() } else { format!("{text}{}", and(&better)) }
        };
        if model < 0.0 {
            let lost = percent(-model, 2);
            let others = beside(", and so did ");
            return format!("after costs the model lost {lost}: doing nothing did better{others}");
        }
        format!(
            "after costs the model earned nothing, as doing nothing does{}",
            beside("; better: ")
        )
    }

    fn gain(&self, model: f64) -> String {
        let earned = format!("after costs the model earned {}", signed_percent(Some(model)));
        let better = self.better_than(model);
        if !better.is_empty() {
            return format!("{earned}, less than {}", and(&better));
        }
        let held = self.own().and_then(|own| own.buy_and_hold.total_return);
        if held.is_some_and(|held| (held - model).abs() < SAME_RETURN) {
            return format!("{earned}, the same as buy and hold");
        }
        let mut beaten = vec!["buy and hold".to_owned()];
        beaten.extend(self.rules.iter().map(|rule| rule.kind.name().to_owned()));
        beaten.extend(self.random.iter().map(|_| RANDOM.to_owned()));
        format!("{earned}, more than {}; one window is no proof", and(&beaten))
    }

    /// The rules with a higher total return than the model, the highest first.
    fn better_than(&self, model: f64) -> Vec<String> {
        let held = self.own().and_then(|own| own.buy_and_hold.total_return);
        let mut all = vec![("buy and hold".to_owned(), held)];
        all.extend(
            self.rules.iter().map(|rule| (rule.kind.name().to_owned(), rule.result.total_return)),
        );
        all.extend(self.random.iter().map(|random| (RANDOM.to_owned(), Some(random.median))));
        let mut better: Vec<(String, f64)> = all
            .into_iter()
            .filter_map(|(name, total)| Some((name, total?)))
            .filter(|(_, total)| *total > model + SAME_RETURN)
            .collect();
        better.sort_by(|a, b| b.1.total_cmp(&a.1));
        better
            .into_iter()
            .map(|(name, total)| format!("{name} ({})", signed_percent(Some(total))))
            .collect()
    }
}

const RANDOM: &str = "random actions of the same turnover";

#[cfg(test)]
mod tests {
    use herdbook_domain::{Timestamp, Window};

    use super::*;
    use crate::results::details::figures::Figures;
    use crate::results::details::rivals::choice::{RuleKind, RuleResult};
    use crate::results::details::rivals::random::RandomActions;
    use crate::results::details::windows::{WindowKind, WindowResult};

    fn of(total_return: f64) -> Figures {
        Figures { total_return: Some(total_return), ..Figures::default() }
    }

    /// Details with total returns of the model, holding, the moving average, the regression and random actions.
    fn details(model: f64, [held, average, regression, random]: [f64; 4]) -> Details {
        let at = Timestamp::from_millis(0);
        let rule = |kind, total| RuleResult {
            kind,
            choice: String::new(),
            validation: of(0.0),
            result: of(total),
        };
        Details {
            windows: vec![WindowResult {
                kind: WindowKind::Test,
                window: Window { start: at, end: at },
                cost_bps: 1.0,
                model: of(model),
                buy_and_hold: of(held),
            }],
            gap: None,
            rules: vec![
                rule(RuleKind::MovingAverage, average),
                rule(RuleKind::LogisticRegression, regression),
            ],
            random: Some(RandomActions {
                n_draws: 200,
                median: random,
                low: random,
                high: random,
                median_sharpe_ratio: None,
                share_below_model: 0.5,
            }),
            at_costs: Vec::new(),
            one_bar_later: of(model),
            mean_holding_bars: None,
            breakdowns: Vec::new(),
        }
    }

    #[test]
    fn verdict_names_all_that_did_better_and_the_best_of_it_first() {
        let verdict = |model, others| details(model, others).verdict(Honesty::Clean, 1.0);
        assert_eq!(
            verdict(0.10, [0.32, 0.05, 0.64, 0.0]),
            "after costs the model earned +10.00%, less than logistic regression (+64.00%) and buy and hold (+32.00%)"
        );
        assert_eq!(
            verdict(-0.10, [0.32, -0.05, -0.2, -0.3]),
            "after costs the model lost 10.00%: doing nothing did better, and so did buy and hold (+32.00%) and \
             moving average (-5.00%)"
        );
        assert_eq!(
            verdict(-0.10, [-0.2; 4]),
            "after costs the model lost 10.00%: doing nothing did better"
        );
        assert_eq!(
            verdict(0.0, [0.1, -0.2, -0.2, -0.2]),
            "after costs the model earned nothing, as doing nothing does; better: buy and hold (+10.00%)"
        );
        assert_eq!(
            verdict(0.1, [0.1; 4]),
            "after costs the model earned +10.00%, the same as buy and hold"
        );
        assert_eq!(
            verdict(0.1, [0.0; 4]),
            "after costs the model earned +10.00%, more than buy and hold, moving average, logistic regression and random \
             actions of the same turnover; one window is no proof"
        );
    }

    #[test]
    fn verdict_needs_costs_and_unseen_bars() {
        let good = details(0.1, [0.0; 4]);
        assert_eq!(
            good.verdict(Honesty::Contaminated, 1.0),
            "no verdict: bars of this window were seen in training"
        );
        assert_eq!(good.verdict(Honesty::Clean, 0.0), "no verdict: no costs were charged");
        assert!(good.verdict(Honesty::Unknown, 1.0).starts_with("no verdict: it is not recorded"));
        assert!(details(-0.1, [0.0; 4]).verdict(Honesty::Unknown, 1.0).contains("lost 10.00%"));
    }
}
