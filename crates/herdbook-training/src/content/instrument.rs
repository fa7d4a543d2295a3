//! The instrument of bars: as the user or the file names it, or as known bars show it.

use herdbook_domain::{RunId, Symbol, percent};
use herdbook_market::{Closes, SameTime, Sample, compare_at_same_time, recognise};
use herdbook_store::Store;

use crate::content::stored_closes::StoredCloses;
use crate::environment::market_data::{DataSource, Naming, Tape};
use crate::error::TrainingError;

/// At most this many different files of an instrument are compared with its bars, newest first.
const MAX_COMPARED: usize = 64;
/// Bars that are recognised at another time are too few to tell below this share.
const MOST: f64 = 0.5;

/// How sure it is that bars are of their instrument.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Identity {
    /// The user or the file named it, or the bars agree with known ones.
    Known,
    /// Nothing tells the instrument; that of the model is assumed.
    Assumed,
}

/// Checks that bars are of the instrument of their source.
///
/// # Errors
/// [`TrainingError::OtherInstrument`] if the file names another one, [`TrainingError::ContradictingBars`] if the register
/// knows other bars of the instrument at the same times, [`TrainingError::Store`] if it cannot be read.
pub(crate) fn identify(
    store: &Store,
    source: &DataSource,
    tape: &Tape,
) -> Result<Identity, TrainingError> {
    let is_assumed = source.naming == Naming::OfModel;
    check_column(source, tape)?;
    let agrees = compare_with_known(store, source, tape)?;
    let is_named = tape.named_in_file.is_some() || names(&source.name, source.symbol.as_str());
    Ok(if is_assumed && !is_named && !agrees { Identity::Assumed } else { Identity::Known })
}

/// Checks that the file does not name another instrument than the user or the model.
fn check_column(source: &DataSource, tape: &Tape) -> Result<(), TrainingError> {
    let Some(named) = &tape.named_in_file else { return Ok(()) };
    let (file, named, symbol) = (source.name.clone(), named.clone(), source.symbol.clone());
    match source.naming {
        Naming::OfModel if !is_same_name(&named, symbol.as_str()) => {
            Err(TrainingError::OtherInstrument { file, named, symbol })
        }
        Naming::Given if !is_alike(&named, symbol.as_str()) => {
            Err(TrainingError::NamedOtherwise { file, named, symbol })
        }
        Naming::OfModel | Naming::Given | Naming::OfFile => Ok(()),
    }
}

/// Whether the bars agree with bars that the register knows of the instrument. `false` if it knows none at these times.
fn compare_with_known(
    store: &Store,
    source: &DataSource,
    tape: &Tape,
) -> Result<bool, TrainingError> {
    let mut known = store.known_closes(&source.symbol)?;
    if known.iter().any(|it| it.sha256 == tape.closes.sha256()) {
        return Ok(true);
    }
    known.reverse();
    let mut compared: Vec<&str> = Vec::new();
    let mut stored = StoredCloses::new(store);
    let mut contradiction = None;
    for it in &known {
        if compared.contains(&it.sha256.as_str()) || compared.len() == MAX_COMPARED {
            continue;
        }
        let Some(closes) = stored.of(it)? else { continue };
        compared.push(&it.sha256);
        match verdict(tape.closes.closes(), &closes) {
            Verdict::Agree => return Ok(true),
            Verdict::Contradict(why) => {
                contradiction.get_or_insert((it.run_id.clone(), why));
            }
            Verdict::Silent => {}
        }
    }
    match contradiction {
        Some((run_id, why)) => Err(contradicting(source, run_id, why)),
        None => Ok(false),
    }
}

fn contradicting(source: &DataSource, run_id: RunId, why: String) -> TrainingError {
    let (file, symbol) = (source.name.clone(), source.symbol.clone());
    TrainingError::ContradictingBars { file, symbol, run_id, why }
}

enum Verdict {
    Agree,
    Contradict(String),
    Silent,
}

fn verdict(bars: &Closes, known: &Closes) -> Verdict {
    let judged = compare_at_same_time(bars, known);
    if matches!(judged, SameTime::Agree) {
        return Verdict::Agree;
    }
    if matches!(judged, SameTime::Unknown) {
        return Verdict::Silent;
    }
    // Bars at the same times that do not agree: of another instrument, or with wrong times.
    let (start, end) = (known.times_ms()[0], known.end_ms());
    let common = bars.between(start, end);
    let shifted = recognise(&common, known).into_iter().find(|it| {
        it.shift_ms.is_some_and(|shift| shift.abs() >= it.bar_ms.min(3_600_000))
            && it.pairs.len() as f64 >= MOST * common.len() as f64
    });
    match (shifted.and_then(|it| it.shift_ms), judged) {
        (Some(shift_ms), _) => Verdict::Contradict(format!(
            "the same moves have times {:.1} h {} there: if times are local, name their zone with `--bar-timezone`",
            shift_ms.abs() as f64 / 3_600_000.0,
            if shift_ms > 0 { "later" } else { "earlier" }
        )),
        (None, SameTime::Contradict { difference }) => Verdict::Contradict(format!(
            "at the same times the returns differ by {} of their size",
            percent(difference, 0)
        )),
        (None, _) => Verdict::Silent,
    }
}

/// Whether two names are those of one instrument, as vendors write it: `EUR/USD`, `eurusd`, `EURUSD=X`.
fn is_same_name(one: &str, other: &str) -> bool {
    plain(one) == plain(other)
}

/// Whether one of two names contains the other, such as `AAPL.US` and `BINANCE:BTCUSDT`, as vendors add a market.
fn is_alike(one: &str, other: &str) -> bool {
    is_same_name(one, other) || names(one, other) || names(other, one)
}

/// Whether the name of a file contains the name of an instrument, such as `eurusd_1h_2017.csv` that of EURUSD.
fn names(file: &str, symbol: &str) -> bool {
    let symbol = plain(symbol);
    let is_end = |c: char| !c.is_alphanumeric();
    let words: Vec<String> = file.split(is_end).map(plain).filter(|it| !it.is_empty()).collect();
    // `EUR_USD.csv` has the name in two words.
    let pairs = words.windows(2).map(<[String]>::concat);
    words.iter().cloned().chain(pairs).any(|word| word == symbol)
}

fn plain(name: &str) -> String {
    let name = name.strip_suffix("=X").unwrap_or(name);
    name.chars().filter(|c| c.is_alphanumeric()).flat_map(char::to_uppercase).collect()
}

/// Notes on the instrument for the user.
///
/// # Errors
/// [`TrainingError::Store`] if the store cannot be read.
pub(crate) fn notes(
    store: &Store,
    identity: Identity,
    source: &DataSource,
    tape: &Tape,
) -> Result<Vec<String>, TrainingError> {
    let (file, symbol) = (&source.name, &source.symbol);
    let mut notes = Vec::new();
    if identity == Identity::Assumed {
        notes.push(format!(
            "nothing tells the instrument of `{file}`: {symbol} is assumed, that of the model; name it with `--symbol`"
        ));
    }
    if let Some(named) = &tape.named_in_file
        && source.naming == Naming::OfFile
        && !is_alike(named, symbol.as_str())
    {
        notes.push(format!(
            "the bars in `{file}` are of `{named}` by their own column, but are recorded as {symbol}, after the file's name: \
             name their instrument with `--symbol`"
        ));
    }
    if let Some(other) = named_after_another(store, source)? {
        notes.push(format!(
            "`{file}` is named after {other}, which the register knows, but its bars are recorded as {symbol}"
        ));
    }
    Ok(notes)
}

/// The instrument after which a file is named, if the register knows its bars or a sample is of it, and it is another one
/// than that of the source.
fn named_after_another(
    store: &Store,
    source: &DataSource,
) -> Result<Option<Symbol>, TrainingError> {
    let symbol = source.symbol.as_str();
    if names(&source.name, symbol) {
        return Ok(None);
    }
    let words = source.name.split(|c: char| !c.is_alphanumeric());
    let words = words.filter(|word| word.contains(char::is_alphabetic));
    for word in words.filter_map(|word| Symbol::parse(word).ok()) {
        let is_other = !names(symbol, word.as_str());
        let is_sample = || Sample::ALL.iter().any(|it| is_same_name(it.symbol, word.as_str()));
        if is_other && (is_sample() || !store.known_closes(&word)?.is_empty()) {
            return Ok(Some(word));
        }
    }
    Ok(None)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_vendors_are_the_same() {
        for other in ["eurusd", "EUR/USD", "EURUSD=X", "EUR-USD", "Eur_Usd"] {
            assert!(is_same_name("EURUSD", other), "{other}");
        }
        assert!(!is_same_name("EURUSD", "EURUSD_B") && !is_same_name("SPY", "IBM"));
        assert!(!is_same_name("贵州茅台", "五粮液") && is_same_name("Ärzte", "ÄRZTE"));
    }

    #[test]
    fn market_of_a_vendor_is_no_contradiction() {
        for (named, symbol) in [
            ("AAPL.US", "AAPL"),
            ("AAPL", "AAPL.US"),
            ("BINANCE:BTCUSDT", "btcusdt"),
            ("spy", "SPY"),
        ] {
            assert!(is_alike(named, symbol), "{named} {symbol}");
        }
        for (named, symbol) in
            [("IBM", "SPY"), ("SPYX", "SPY"), ("Apple", "AAPL"), ("茅台", "五粮液")]
        {
            assert!(!is_alike(named, symbol), "{named} {symbol}");
        }
    }

    #[test]
    fn file_is_named_after_an_instrument() {
        for file in ["eurusd_1h_2017.csv", "EURUSD.csv.gz", "my-EUR_USD.parquet", "FX EURUSD.csv"] {
            assert!(names(file, "EURUSD"), "{file}");
        }
        for file in ["data.csv", "eurusdx.csv", "gbpusd_1h.csv", "bars in memory", ""] {
            assert!(!names(file, "EURUSD"), "{file}");
        }
    }
}
