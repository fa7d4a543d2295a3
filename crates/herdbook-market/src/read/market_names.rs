//! Names of columns that contain the instrument or the kind of price beside the usual words: `BTCUSDT_open`,
//! `Open AAPL`, `('Open', 'AAPL')`.

use super::vocabulary::{Rank, meaning};
use super::words::Meaning;

const PRICES: [(Meaning, &str); 4] = [
    (Meaning::Open, "open"),
    (Meaning::High, "high"),
    (Meaning::Low, "low"),
    (Meaning::Close, "close"),
];

/// What stands before and behind `open` in a name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Affixes<'a> {
    prefix: &'a str,
    suffix: &'a str,
}

/// Whether the names include all four prices.
pub(super) fn have_prices(names: &[String]) -> bool {
    let has = |wanted: Meaning| {
        names.iter().any(|name| meaning(name).is_some_and(|(found, _)| found == wanted))
    };
    PRICES.iter().all(|(price, _)| has(*price))
}

/// The markets whose four prices are among the names, each by the affixes of its names. None if plain prices exist.
pub(super) fn markets(names: &[String]) -> Vec<Affixes<'_>> {
    let plain = |name: &String| {
        meaning(name).is_some_and(|(found, rank)| found == Meaning::Open && rank == Rank::Plain)
    };
    if names.iter().any(plain) {
        return Vec::new();
    }
    names
        .iter()
        .filter_map(|name| affixes_of_open(name))
        .filter(|affixes| affixes.have_all_of(names))
        .collect()
}

/// The names without the affixes of a market.
pub(super) fn without(affixes: Affixes<'_>, names: &[String]) -> Vec<String> {
    let bare = |name: &String| affixes.stripped(name).unwrap_or(name).to_owned();
    names.iter().map(bare).collect()
}

impl Affixes<'_> {
    /// The columns of the market's prices, as `open=BTCUSDT_open` and so on.
    pub(super) fn columns(self) -> String {
        let column =
            |(_, price): &(Meaning, &str)| format!("{price}={}{price}{}", self.prefix, self.suffix);
        PRICES.iter().map(column).collect::<Vec<_>>().join(",")
    }

    fn have_all_of(self, names: &[String]) -> bool {
        let has = |price: &str| {
            let is_price = |name: &String| {
                self.stripped(name).is_some_and(|bare| bare.eq_ignore_ascii_case(price))
            };
            names.iter().any(is_price)
        };
        PRICES.iter().all(|(_, price)| has(price))
    }

    fn stripped(self, name: &str) -> Option<&str> {
        name.strip_prefix(self.prefix)?.strip_suffix(self.suffix).filter(|bare| !bare.is_empty())
    }
}

/// The affixes of `open` in a name, if signs separate them from it.
fn affixes_of_open(name: &str) -> Option<Affixes<'_>> {
    let lower = name.to_ascii_lowercase();
    let is_sign = |found: Option<char>| found.is_none_or(|found| !found.is_alphanumeric());
    let affixes = lower.match_indices("open").map(|(start, word)| Affixes {
        prefix: &name[..start],
        suffix: &name[start + word.len()..],
    });
    affixes
        .filter(|it| !(it.prefix.is_empty() && it.suffix.is_empty()))
        .find(|it| is_sign(it.prefix.chars().next_back()) && is_sign(it.suffix.chars().next()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(line: &str) -> Vec<String> {
        line.split(',').map(str::to_owned).collect()
    }

    #[test]
    fn instrument_stands_before_or_behind_the_prices() {
        for line in [
            "Date,AAPL Open,AAPL High,AAPL Low,AAPL Close,AAPL Volume",
            "Date,Open_AAPL,High_AAPL,Low_AAPL,Close_AAPL,Volume_AAPL",
            "time,BTCUSDT_open,BTCUSDT_high,BTCUSDT_low,BTCUSDT_close,BTCUSDT_volume",
        ] {
            let names = names(line);
            let markets = markets(&names);
            assert_eq!(markets.len(), 1, "{line}");
            let bare = without(markets[0], &names).join(",").to_lowercase();
            assert!(bare.ends_with(",open,high,low,close,volume"), "{bare}");
        }
    }

    #[test]
    fn two_markets_are_two_and_plain_prices_come_first() {
        let two =
            names("t,bid_open,bid_high,bid_low,bid_close,ask_open,ask_high,ask_low,ask_close");
        let found = markets(&two);
        assert_eq!(found.len(), 2);
        assert_eq!(found[1].columns(), "open=ask_open,high=ask_high,low=ask_low,close=ask_close");
        assert!(
            markets(&names("Date,Open,High,Low,Close,Adj. Open,Adj. High,Adj. Low,Adj. Close"))
                .is_empty()
        );
        assert!(markets(&names("date,is_open,x")).is_empty());
    }
}
