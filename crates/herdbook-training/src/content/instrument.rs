//! The instrument of bars: as the user or the file names it, or as known bars show it.

use herdbook_domain::{RunId, Symbol};
use herdbook_market::{Closes, SameTime, compare_at_same_time, recognise};
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
    if let Some(named) = &tape.named_in_file
        && is_assumed
        && !is_same_name(named, source.symbol.as_str())
    {
        let (file, named, symbol) = (source.name.clone(), named.clone(), source.symbol.clone());
        return Err(TrainingError::OtherInstrument { file, named, symbol });
    }
    let agrees = compare_with_known(store, source, tape)?;
    let is_named = tape.named_in_file.is_some() || names(&source.name, source.symbol.as_str());
    Ok(if is_assumed && !is_named && !agrees { Identity::Assumed } else { Identity::Known })
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
            "at the same times the returns differ by {:.0} % of their size",
            100.0 * difference
        )),
        (None, _) => Verdict::Silent,
    }
}

/// Whether two names are those of one instrument, as vendors write it: `EUR/USD`, `eurusd`, `EURUSD=X`.
fn is_same_name(one: &str, other: &str) -> bool {
    plain(one) == plain(other)
}

/// Whether the name of a file contains the name of an instrument, such as `eurusd_1h_2017.csv` that of EURUSD.
fn names(file: &str, symbol: &str) -> bool {
    let symbol = plain(symbol);
    let is_end = |c: char| !c.is_ascii_alphanumeric();
    let words: Vec<String> = file.split(is_end).map(plain).filter(|it| !it.is_empty()).collect();
    // `EUR_USD.csv` has the name in two words.
    let pairs = words.windows(2).map(<[String]>::concat);
    words.iter().cloned().chain(pairs).any(|word| word == symbol)
}

fn plain(name: &str) -> String {
    let name = name.strip_suffix("=X").unwrap_or(name);
    name.chars().filter(char::is_ascii_alphanumeric).map(|c| c.to_ascii_uppercase()).collect()
}

/// Notes on the instrument for the user.
pub(crate) fn note(identity: Identity, source: &DataSource, symbol: &Symbol) -> Option<String> {
    (identity == Identity::Assumed).then(|| {
        format!(
            "nothing tells the instrument of `{}`: {symbol} is assumed, that of the model; name it with `--symbol`",
            source.name
        )
    })
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
