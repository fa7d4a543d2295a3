//! Whether bars were seen by a model and its ancestors, by name and time and by their content.

use std::sync::Arc;

use herdbook_domain::{Honesty, LineageWindows, Symbol, Window, Windows};
use herdbook_market::{Closes, Likeness, recognise};
use herdbook_store::{RunRecord, Store, StoreError};

use crate::content::spans::Spans;
use crate::content::stored_closes::StoredCloses;

/// A model and its ancestors with what they recorded of their bars.
pub(crate) struct Lineage {
    members: Vec<Member>,
}

struct Member {
    /// `None` if not recorded.
    windows: Option<Windows>,
    closes: MemberCloses,
}

/// The closes by which the bars of a member are recognised.
enum MemberCloses {
    Kept(Arc<Closes>),
    /// Their file is missing or altered: the record has its hash.
    Lost,
    /// An older build trained it, which kept none.
    NeverKept,
}

impl Member {
    fn of(run: &RunRecord, stored: &mut StoredCloses<'_>) -> Result<Self, StoreError> {
        let closes = match stored.of_run(run)? {
            Some(closes) => MemberCloses::Kept(closes),
            None if StoredCloses::are_recorded(run) => MemberCloses::Lost,
            None => MemberCloses::NeverKept,
        };
        Ok(Self { windows: run.windows(), closes })
    }

    fn unknown() -> Self {
        Self { windows: None, closes: MemberCloses::NeverKept }
    }
}

/// Which bars of a file a lineage has seen.
#[derive(Debug)]
pub(crate) struct SeenBars {
    symbol: Symbol,
    windows: LineageWindows,
    /// Bars that are those of a training window.
    trained: Spans,
    /// Bars that are those of a training or validation window.
    learned: Spans,
    /// Bars that are those of a training, validation or test window.
    known: Spans,
    /// Bars of another name or time that are recognised: a clause on the first of them.
    pub(crate) recognised: Option<String>,
    /// Whether there are windows of another instrument whose bars cannot be compared.
    is_incomparable: bool,
    /// Whether bars of the same instrument were compared by time only.
    pub(crate) is_by_time_only: bool,
    /// Whether the bars of a member cannot be compared because the file of its closes is missing or altered.
    has_lost_closes: bool,
}

impl Lineage {
    /// The run of a model and the runs of its ancestors.
    pub(crate) fn of(store: &Store, run: &RunRecord) -> Result<Self, StoreError> {
        let mut stored = StoredCloses::new(store);
        let mut members = vec![Member::of(run, &mut stored)?];
        for ancestor in store.ancestors(&run.run_id)? {
            members.push(match ancestor {
                Some(run) => Member::of(&run, &mut stored)?,
                None => Member::unknown(),
            });
        }
        Ok(Self { members })
    }

    /// A training without a parent.
    pub(crate) fn empty() -> Self {
        Self { members: Vec::new() }
    }

    /// A parent of which the store has no record.
    pub(crate) fn unknown() -> Self {
        Self { members: vec![Member::unknown()] }
    }

    /// The windows of all members; `None` for a member without recorded windows.
    pub(crate) fn windows(&self) -> Vec<Option<Windows>> {
        self.members.iter().map(|member| member.windows.clone()).collect()
    }

    /// Compares bars with those of all members.
    pub(crate) fn compare(&self, symbol: &Symbol, closes: &Closes) -> SeenBars {
        let mut compared: Vec<(&Arc<Closes>, Vec<Likeness>)> = Vec::new();
        let (mut trained, mut learned, mut known) = (Vec::new(), Vec::new(), Vec::new());
        let mut recognised = None;
        let (mut is_incomparable, mut is_by_time_only, mut has_lost_closes) = (false, false, false);
        for member in &self.members {
            let Some(windows) = &member.windows else { continue };
            let reference = match &member.closes {
                MemberCloses::Kept(reference) => reference,
                MemberCloses::Lost => {
                    has_lost_closes = true;
                    continue;
                }
                MemberCloses::NeverKept => {
                    is_incomparable |= windows.symbol != *symbol;
                    is_by_time_only |= windows.symbol == *symbol;
                    continue;
                }
            };
            let at = compared.iter().position(|(other, _)| Arc::ptr_eq(other, reference));
            let at = at.unwrap_or_else(|| {
                compared.push((reference, recognise(closes, reference)));
                compared.len() - 1
            });
            let [train, validation] = windows.learned_from();
            let test = windows.test.extended(windows.timeframe.millis());
            for likeness in &compared[at].1 {
                let before = known.len();
                trained.extend(spans_in(likeness, &[train]));
                learned.extend(spans_in(likeness, &[train, validation]));
                known.extend(spans_in(likeness, &[train, validation, test]));
                let is_obvious = likeness.shift_ms == Some(0)
                    && !likeness.is_inverse
                    && windows.symbol == *symbol;
                if known.len() > before && !is_obvious && recognised.is_none() {
                    recognised = Some(described(likeness, &windows.symbol));
                }
            }
        }
        SeenBars {
            symbol: symbol.clone(),
            windows: self.windows().into_iter().collect(),
            trained: trained.into_iter().collect(),
            learned: learned.into_iter().collect(),
            known: known.into_iter().collect(),
            recognised,
            is_incomparable: is_incomparable || has_lost_closes,
            is_by_time_only,
            has_lost_closes,
        }
    }
}

impl SeenBars {
    /// Whether bars in a window are among those that the lineage was trained or validated on.
    pub(crate) fn overlaps_learned(&self, window: Window) -> bool {
        self.windows.overlaps(&self.symbol, window) || self.learned.overlaps(window)
    }

    /// Whether bars in a window are recognised as those that the lineage was trained on.
    pub(crate) fn overlaps_trained(&self, window: Window) -> bool {
        self.trained.overlaps(window)
    }

    /// Whether bars in a window are recognised as those that the lineage was trained, validated or tested on.
    pub(crate) fn overlaps_known(&self, window: Window) -> bool {
        self.known.overlaps(window)
    }

    /// Whether all windows of the lineage are recorded, and the bars could be compared with all of them.
    pub(crate) fn is_complete(&self) -> bool {
        self.windows.is_complete() && !self.is_incomparable
    }

    /// Judges a result, given whether some of its bars overlap those that were learned from.
    pub(crate) fn judge(&self, is_overlapping: bool) -> Honesty {
        match self.windows.judge_overlap(is_overlapping) {
            Honesty::Clean if !self.is_complete() => Honesty::Unknown,
            honesty => honesty,
        }
    }

    /// A note if bars were compared by their times only, or could not be compared.
    pub(crate) fn note(&self) -> Option<&'static str> {
        if self.has_lost_closes {
            return Some(
                "the file `data/closes.bin` of the model or an ancestor is missing or altered, so nothing shows whether it \
                 has seen these bars: restore it from a backup (`herdbook verify` names it)",
            );
        }
        self.is_by_time_only.then_some(
            "an older herdbook trained the model or an ancestor and kept no closes: whether it has seen these bars is \
             judged by the name of the instrument and the times only",
        )
    }
}

/// The bars of a query whose counterparts lie in one of the windows.
fn spans_in<'a>(
    likeness: &'a Likeness,
    windows: &'a [Window],
) -> impl Iterator<Item = (i64, i64)> + 'a {
    let bar_ms = likeness.bar_ms;
    likeness.pairs.iter().filter_map(move |(own, other)| {
        let is_in = |window: &Window| {
            window.start.millis() < other + bar_ms && *other < window.end.millis()
        };
        windows.iter().any(is_in).then_some((*own, own + bar_ms))
    })
}

/// How recognised bars differ from those of the instrument `symbol`.
pub(crate) fn described(likeness: &Likeness, symbol: &Symbol) -> String {
    let inverse = if likeness.is_inverse { " with inverted prices" } else { "" };
    match likeness.shift_ms {
        Some(0) => format!("bars of {symbol}{inverse}"),
        Some(shift_ms) => {
            let later = if shift_ms < 0 { "later" } else { "earlier" };
            format!("bars of {symbol}{inverse}, given times {} {later}", length(shift_ms.abs()))
        }
        None => format!("bars of {symbol}{inverse}, given other times"),
    }
}

/// A length of time in the largest unit of which it is a whole number.
fn length(ms: i64) -> String {
    const UNITS: [(i64, &str); 4] =
        [(86_400_000, "d"), (3_600_000, "h"), (60_000, "min"), (1_000, "s")];
    let unit = UNITS.into_iter().find(|(unit_ms, _)| ms % unit_ms == 0);
    unit.map_or_else(|| format!("{ms} ms"), |(unit_ms, name)| format!("{} {name}", ms / unit_ms))
}
