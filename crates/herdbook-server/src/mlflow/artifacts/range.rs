//! The header `Range`.

/// Most ranges of a request. One with more gets the whole file.
const MAX_RANGES: usize = 100;

/// What a request wants of a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Wanted {
    All,
    /// Parts in order that do not touch, each from its first byte to the one after its last.
    Parts(Vec<(u64, u64)>),
    /// No byte of the file is in the range.
    Unsatisfiable,
    /// The header cannot be read, for this reason.
    Malformed(&'static str),
}

/// Reads the header as MLflow's proxy does.
pub(super) fn wanted(header: &str, n_bytes: u64) -> Wanted {
    let Some((unit, list)) = header.split_once('=') else {
        return Wanted::Malformed("Malformed range header.");
    };
    if !unit.trim().eq_ignore_ascii_case("bytes") {
        return Wanted::Malformed("Only support bytes range");
    }
    if list.split(',').count() > MAX_RANGES {
        return Wanted::All;
    }
    let length = i128::from(n_bytes);
    let mut ranges: Vec<(i128, i128)> =
        list.split(',').filter_map(|part| range(part, length)).collect();
    if ranges.is_empty() {
        return Wanted::Malformed("Range header: range must be requested");
    }
    if ranges.iter().any(|(start, _)| !(0..length).contains(start)) {
        return Wanted::Unsatisfiable;
    }
    if ranges.iter().any(|(start, end)| start >= end) {
        return Wanted::Malformed("Range header: start must be less than end");
    }
    ranges.sort_unstable();
    let mut merged: Vec<(u64, u64)> = Vec::new();
    for (start, end) in ranges {
        let bytes = (u64::try_from(start), u64::try_from(end));
        let (Ok(start), Ok(end)) = bytes else { return Wanted::Unsatisfiable };
        match merged.last_mut() {
            Some((_, last)) if start <= *last => *last = end.max(*last),
            _ => merged.push((start, end)),
        }
    }
    Wanted::Parts(merged)
}

/// One range of the list, not checked against the length; `None` if it has no numbers.
fn range(part: &str, length: i128) -> Option<(i128, i128)> {
    let (start, end) = part.trim().split_once('-')?;
    let (start, end) = (start.trim(), end.trim());
    // A number with more digits than any file's length.
    let number = |text: &str| match text.parse::<i128>() {
        Err(error) if *error.kind() == std::num::IntErrorKind::PosOverflow => Some(i128::MAX),
        parsed => parsed.ok(),
    };
    match (start.is_empty(), end.is_empty()) {
        (true, true) => None,
        (true, false) => Some(((length - number(end)?).max(0), length)),
        (false, true) => Some((number(start)?, length)),
        (false, false) => {
            let (start, end) = (number(start)?, number(end)?);
            Some((start, if end < length { end + 1 } else { length }))
        }
    }
}

/// As [`wanted`], for the calls that in MLflow take one range only.
pub(super) fn single(header: &str, n_bytes: u64) -> Wanted {
    let is_longer = header
        .split_once('=')
        .and_then(|(_, range)| range.trim().strip_prefix('-')?.parse::<u64>().ok())
        .is_some_and(|suffix| suffix > n_bytes);
    match wanted(header, n_bytes) {
        Wanted::Parts(parts) if parts.len() == 1 && !header.contains(',') && !is_longer => {
            Wanted::Parts(parts)
        }
        _ => Wanted::Unsatisfiable,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_are_read_cut_and_merged() {
        for (header, expected) in [
            ("bytes=0-3", Wanted::Parts(vec![(0, 4)])),
            ("bytes=5-", Wanted::Parts(vec![(5, 10)])),
            ("bytes=-3", Wanted::Parts(vec![(7, 10)])),
            ("bytes=-100", Wanted::Parts(vec![(0, 10)])),
            ("BYTES= 9-20", Wanted::Parts(vec![(9, 10)])),
            ("bytes=0-99999999999999999999999999999999999999999", Wanted::Parts(vec![(0, 10)])),
            ("bytes=4-5,0-1,1-2", Wanted::Parts(vec![(0, 3), (4, 6)])),
            ("bytes=10-", Wanted::Unsatisfiable),
            ("bytes=-0", Wanted::Unsatisfiable),
            ("bytes=0-1,20-30", Wanted::Unsatisfiable),
            ("bytes=3-1", Wanted::Malformed("Range header: start must be less than end")),
            ("bytes=1--2", Wanted::Malformed("Range header: start must be less than end")),
            ("bytes=a-b", Wanted::Malformed("Range header: range must be requested")),
            ("lines=0-3", Wanted::Malformed("Only support bytes range")),
            ("bytes", Wanted::Malformed("Malformed range header.")),
        ] {
            assert_eq!(wanted(header, 10), expected, "{header}");
        }
        assert_eq!(wanted(&format!("bytes={}", "0-0,".repeat(200)), 10), Wanted::All);
        assert_eq!(single("bytes=0-1,3-4", 10), Wanted::Unsatisfiable);
        assert_eq!(single("bytes=-100", 10), Wanted::Unsatisfiable);
        assert_eq!(single("bytes=2-3", 10), Wanted::Parts(vec![(2, 4)]));
    }
}
