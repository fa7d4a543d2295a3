//! The words that files use for the columns of bars, and the meaning of a column's name.
//!
//! A name is split into words (`timeOpen`, `<TICKVOL>`, `1. open`, `Volume (BTC)`), and the words decide. A name with an
//! unknown word has no meaning: `adj close`, `prev close` and `close change` are not the close.

/// The meaning of a column.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Meaning {
    /// When the bar opens, as the name says: `open time`.
    OpenTime,
    /// When the bar ends, as the name says: `close time`.
    CloseTime,
    Time,
    Date,
    Clock,
    Open,
    High,
    Low,
    Close,
    Volume,
}

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

type Words = &'static [&'static str];

/// Words for each price and the volume: English first, then the languages in which exports with translated headers are
/// common (German, French, Spanish, Portuguese, Italian, Polish, Chinese).
const VALUES: [(Meaning, Words); 5] = [
    (
        Meaning::Open,
        &[
            "open",
            "o",
            "opening",
            "eröffnung",
            "eröffnungskurs",
            "erster",
            "ouverture",
            "ouv",
            "apertura",
            "abertura",
            "otwarcie",
            "开盘",
            "开盘价",
        ],
    ),
    (
        Meaning::High,
        &[
            "high",
            "h",
            "hoch",
            "hochkurs",
            "tageshoch",
            "haut",
            "máximo",
            "maximo",
            "máxima",
            "maxima",
            "massimo",
            "max",
            "najwyzszy",
            "najwyższy",
            "最高",
            "最高价",
        ],
    ),
    (
        Meaning::Low,
        &[
            "low",
            "l",
            "tief",
            "tiefkurs",
            "tagestief",
            "bas",
            "mínimo",
            "minimo",
            "mínima",
            "minima",
            "min",
            "najnizszy",
            "najniższy",
            "最低",
            "最低价",
        ],
    ),
    (
        Meaning::Close,
        &[
            "close",
            "c",
            "closing",
            "schluss",
            "schlusskurs",
            "schlußkurs",
            "clôture",
            "cloture",
            "clot",
            "cierre",
            "fechamento",
            "chiusura",
            "zamkniecie",
            "zamknięcie",
            "收盘",
            "收盘价",
        ],
    ),
    (
        Meaning::Volume,
        &[
            "volume",
            "vol",
            "v",
            "tickvol",
            "tickvolume",
            "tickqty",
            "volumen",
            "stuecke",
            "stücke",
            "wolumen",
            "成交量",
        ],
    ),
];

/// Words that stand for the close or the volume where the header has none of the words above.
const SUBSTITUTES: [(Meaning, Words); 2] = [
    (
        Meaning::Close,
        &["last", "price", "settle", "settlement", "letzter", "dernier", "último", "ultimo"],
    ),
    (Meaning::Volume, &["qty", "quantity", "volumefrom"]),
];

/// Words that may stand beside a price without changing its meaning.
const PRICE_QUALIFIERS: Words = &[
    "price", "prices", "px", "kurs", "value", "last", "trade", "mid", "usd", "eur", "gbp", "jpy",
    "chf", "usdt", "in",
];
/// Words that may stand before the word for the volume.
const VOLUME_QUALIFIERS: Words = &["tick", "real", "total", "trade", "traded", "base"];
/// Words that change the meaning of a volume when they follow it: the name of an average, for example.
const NOT_VOLUME: Words =
    &["ma", "sma", "ema", "avg", "average", "weighted", "change", "ratio", "price", "profile"];

const DATE_WORDS: Words =
    &["date", "datum", "fecha", "data", "日期", "交易日期", "yyyymmdd", "dtyyyymmdd"];
const CLOCK_WORDS: Words = &["time", "hora", "uhrzeit", "时间", "hhmm", "hhmmss"];
const MOMENT_WORDS: Words = &[
    "timestamp",
    "datetime",
    "unix",
    "epoch",
    "mts",
    "ts",
    "t",
    "dt",
    "timestampms",
    "unixtime",
    "unixtimestamp",
    "zeit",
    "zeitstempel",
    "opentime",
    "closetime",
    "startdate",
    "timestart",
];
/// Words that may stand beside a word for a time.
const TIME_QUALIFIERS: Words = &[
    "gmt",
    "utc",
    "local",
    "trade",
    "trading",
    "bar",
    "candle",
    "kline",
    "open",
    "opening",
    "start",
    "begin",
    "from",
    "close",
    "closing",
    "end",
    "to",
    "event",
    "of",
    "ms",
    "s",
    "us",
    "ns",
    "seconds",
    "milliseconds",
    "exchange",
    "period",
    "iso",
    "the",
    "begins",
    "ends",
    "quote",
];
const OPENING: Words =
    &["open", "opening", "start", "begin", "begins", "from", "opentime", "startdate", "timestart"];
const CLOSING: Words = &["close", "closing", "end", "ends", "to", "closetime"];
/// Words of times that are local ones of the exporting program.
const LOCAL: Words = &["local", "exchange"];

/// Names of columns with the instrument, which must be equal in every row.
const INSTRUMENTS: Words = &[
    "symbol",
    "ticker",
    "instrument",
    "pair",
    "asset",
    "tic",
    "act symbol",
    "name",
    "code",
    "stock",
];

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
