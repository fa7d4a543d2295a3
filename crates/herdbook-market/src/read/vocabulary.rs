//! The meaning of a column's name.
//!
//! A name is split into words (`timeOpen`, `<TICKVOL>`, `1. open`, `Volume (BTC)`), and the words decide. A name with an
//! unknown word has no meaning: `adj close`, `prev close` and `close change` are not the close.

use super::words::{
    CLOCK_WORDS, CLOSING, DATE_WORDS, INSTRUMENTS, LOCAL, MOMENT_WORDS, Meaning, NOT_VOLUME,
    OPENING, PRICE_QUALIFIERS, SUBSTITUTES, TIME_QUALIFIERS, VALUES, VOLUME_QUALIFIERS, Words,
};

/// How exactly a name has its meaning. Of several columns with one meaning, those with the best rank count.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Rank {
    /// The plain word: `volume`.
    Plain,
    /// The word with a unit or a kind of price: `volume BTC`, `open price`.
    Qualified,
    /// Another word that stands for it where no better one exists: `last` for the close.
    Substitute,
}

/// The meaning of a column by its name.
pub(super) fn meaning(name: &str) -> Option<(Meaning, Rank)> {
    let words = words(name);
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    of_time(&words).or_else(|| of_value(&words))
}

/// Whether a column names the instrument of a row.
pub(super) fn is_instrument(name: &str) -> bool {
    INSTRUMENTS.contains(&words(name).join(" ").as_str())
}

/// Whether the times of a column are local ones by its name.
pub(super) fn is_local_time(name: &str) -> bool {
    words(name).iter().any(|word| LOCAL.contains(&word.as_str()))
}

/// Whether a column is the adjusted close of Yahoo and others.
pub(super) fn is_adjusted_close(name: &str) -> bool {
    matches!(
        words(name).join(" ").as_str(),
        "adj close" | "adjclose" | "adjusted close" | "close adjusted"
    )
}

fn of_time(words: &[&str]) -> Option<(Meaning, Rank)> {
    let has = |set: Words| words.iter().any(|word| set.contains(word));
    let is_time = |word: &&&str| {
        [DATE_WORDS, CLOCK_WORDS, MOMENT_WORDS].iter().any(|set| set.contains(*word))
    };
    let (times, others): (Vec<&&str>, Vec<&&str>) = words.iter().partition(is_time);
    if times.is_empty() || !others.iter().all(|word| TIME_QUALIFIERS.contains(*word)) {
        return None;
    }
    let meaning = match (has(DATE_WORDS), has(CLOCK_WORDS)) {
        _ if has(OPENING) => Meaning::OpenTime,
        _ if has(CLOSING) => Meaning::CloseTime,
        (true, false) if times.len() == 1 => Meaning::Date,
        (false, true) if times.len() == 1 && others.is_empty() => Meaning::Clock,
        _ => Meaning::Time,
    };
    Some((meaning, Rank::Plain))
}

fn of_value(words: &[&str]) -> Option<(Meaning, Rank)> {
    let of = |table: &[(Meaning, Words)], word: &str| {
        table.iter().find(|(_, words)| words.contains(&word)).map(|(meaning, _)| *meaning)
    };
    if let [only] = words {
        let plain = of(&VALUES, only).map(|meaning| (meaning, Rank::Plain));
        return plain.or_else(|| of(&SUBSTITUTES, only).map(|meaning| (meaning, Rank::Substitute)));
    }
    let found: Vec<(usize, Meaning)> = words
        .iter()
        .enumerate()
        .filter_map(|(idx, word)| Some((idx, of(&VALUES, word)?)))
        .collect();
    match found[..] {
        [] if words == ["last", "price"] || words == ["px", "last"] => {
            Some((Meaning::Close, Rank::Substitute))
        }
        [(idx, Meaning::Volume)] => of_volume(words, idx),
        [(idx, meaning)] => {
            let mut others = words.iter().enumerate().filter(|(other, _)| *other != idx);
            // A single letter is a price only alone: `c` of `vitamin c` is not.
            let is_word = words[idx].chars().count() > 1;
            (is_word && others.all(|(_, word)| PRICE_QUALIFIERS.contains(word)))
                .then_some((meaning, Rank::Qualified))
        }
        _ => None,
    }
}

/// The volume with what kind it is before it, or its unit behind it.
fn of_volume(words: &[&str], idx: usize) -> Option<(Meaning, Rank)> {
    let (before, after) = (&words[..idx], &words[idx + 1..]);
    if !before.iter().all(|word| VOLUME_QUALIFIERS.contains(word))
        || after.iter().any(|word| NOT_VOLUME.contains(word))
    {
        return None;
    }
    let rank = if after.is_empty() { Rank::Plain } else { Rank::Qualified };
    (words[idx].chars().count() > 1).then_some((Meaning::Volume, rank))
}

/// The words of a name in lower case, without a leading number and without signs.
fn words(name: &str) -> Vec<String> {
    let mut words = vec![String::new()];
    let mut previous = ' ';
    for found in name.chars() {
        let begins_word = found.is_uppercase() && previous.is_lowercase();
        if !found.is_alphanumeric() || begins_word {
            words.push(String::new());
        }
        if found.is_alphanumeric() {
            let word = words.last_mut().expect("there is always one word");
            word.extend(found.to_lowercase());
        }
        previous = found;
    }
    words.retain(|word| !word.is_empty());
    // Alpha Vantage numbers its columns: `1. open`.
    if words.len() > 1 && words[0].bytes().all(|byte| byte.is_ascii_digit()) {
        words.remove(0);
    }
    words
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(name: &str) -> Option<Meaning> {
        meaning(name).map(|(meaning, _)| meaning)
    }

    #[test]
    fn names_are_known_in_any_spelling() {
        for (meaning, names) in [
            (
                Meaning::OpenTime,
                vec![
                    "Open time",
                    "open_time",
                    "openTime",
                    "timeOpen",
                    "bar_start_time",
                    "OPENTIME",
                ],
            ),
            (Meaning::CloseTime, vec!["close_time", "timeClose", "End Date"]),
            (
                Meaning::Time,
                vec![
                    "timestamp",
                    "ts_event",
                    "Gmt time",
                    "Local time",
                    "date time",
                    "unix",
                    "t",
                    "DateTime",
                ],
            ),
            (Meaning::Date, vec!["Date", "<DATE>", "trade_date", "Datum", "<DTYYYYMMDD>"]),
            (Meaning::Clock, vec!["TIME", "<TIME>", "Uhrzeit"]),
            (
                Meaning::Open,
                vec!["Open", "o", "1. open", "<OPEN>", "Open Price", "OpenPrice", "Open*", "开盘"],
            ),
            (Meaning::High, vec!["HIGH", "high_price", "Máximo", "2. high"]),
            (Meaning::Low, vec!["l", "Low", "Tief"]),
            (
                Meaning::Close,
                vec![
                    "Close/Last",
                    "Close*",
                    "Schlusskurs",
                    "Last",
                    "Price",
                    "LastPrice",
                    "PX_LAST",
                    "4. close (USD)",
                ],
            ),
            (
                Meaning::Volume,
                vec![
                    "Vol.",
                    "v",
                    "<TICKVOL>",
                    "Tick volume",
                    "Volume BTC",
                    "Volume (BTC)",
                    "TickVolume",
                ],
            ),
        ] {
            for name in names {
                assert_eq!(of(name), Some(meaning), "{name}");
            }
        }
    }

    #[test]
    fn names_with_an_unknown_word_have_no_meaning() {
        for name in [
            "",
            "Adj Close",
            "Prev Close",
            "close change",
            "is_open",
            "Open Interest",
            "OPENINT",
            "timeHigh",
            "timeLow",
            "quote_volume",
            "taker_buy_volume",
            "Volume MA",
            "vwap",
            "spread",
            "count",
            "High 52w",
            "ignore",
            "rtype",
        ] {
            assert_eq!(of(name), None, "{name}");
        }
    }

    #[test]
    fn plain_words_come_before_qualified_ones_and_substitutes() {
        let rank = |name: &str| meaning(name).unwrap().1;
        assert!(rank("volume") < rank("volume usd"));
        assert!(rank("Close") < rank("Close/Last"));
        assert!(rank("Close/Last") < rank("Price"));
    }
}
