//! The words that files use for the columns of bars.

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

pub(super) type Words = &'static [&'static str];

/// Words for each price and the volume: English first, then the languages in which exports with translated headers are
/// common (German, French, Spanish, Portuguese, Italian, Polish, Chinese).
pub(super) const VALUES: [(Meaning, Words); 5] = [
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
pub(super) const SUBSTITUTES: [(Meaning, Words); 2] = [
    (
        Meaning::Close,
        &["last", "price", "settle", "settlement", "letzter", "dernier", "último", "ultimo"],
    ),
    (Meaning::Volume, &["qty", "quantity", "volumefrom"]),
];

/// Words that may stand beside a price without changing its meaning.
pub(super) const PRICE_QUALIFIERS: Words = &[
    "price", "prices", "px", "kurs", "value", "last", "trade", "mid", "usd", "eur", "gbp", "jpy",
    "chf", "usdt", "in",
];
/// Words that may stand before the word for the volume.
pub(super) const VOLUME_QUALIFIERS: Words = &["tick", "real", "total", "trade", "traded", "base"];
/// Words that change the meaning of a volume when they follow it: the name of an average, for example.
pub(super) const NOT_VOLUME: Words =
    &["ma", "sma", "ema", "avg", "average", "weighted", "change", "ratio", "price", "profile"];

pub(super) const DATE_WORDS: Words =
    &["date", "datum", "fecha", "data", "日期", "交易日期", "yyyymmdd", "dtyyyymmdd"];
pub(super) const CLOCK_WORDS: Words = &["time", "hora", "uhrzeit", "时间", "hhmm", "hhmmss"];
pub(super) const MOMENT_WORDS: Words = &[
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
pub(super) const TIME_QUALIFIERS: Words = &[
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
pub(super) const OPENING: Words =
    &["open", "opening", "start", "begin", "begins", "from", "opentime", "startdate", "timestart"];
pub(super) const CLOSING: Words = &["close", "closing", "end", "ends", "to", "closetime"];
/// Words of times that are local ones of the exporting program.
pub(super) const LOCAL: Words = &["local", "exchange"];

/// Names of columns with the instrument, which must be equal in every row.
pub(super) const INSTRUMENTS: Words = &[
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
