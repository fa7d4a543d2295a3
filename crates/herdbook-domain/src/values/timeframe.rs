//! Timeframes: the lengths of a bar and their spelling.

use super::closed_set::closed_set;

closed_set! {
    /// Length of one bar, shortest first.
    ///
    /// ```
    /// use herdbook_domain::Timeframe;
    ///
    /// let timeframe: Timeframe = "4H".parse()?;
    /// assert_eq!(timeframe.seconds(), 14_400);
    /// assert_eq!("1M".parse(), Ok(Timeframe::Minute1));
    /// # Ok::<(), herdbook_domain::UnknownWord>(())
    /// ```
    Timeframe, "timeframe", meant {
        /// One minute, never a month.
        Minute1 = "1M",
        /// Five minutes.
        Minute5 = "5M",
        /// Fifteen minutes.
        Minute15 = "15M",
        /// Thirty minutes.
        Minute30 = "30M",
        /// One hour.
        Hour1 = "1H",
        /// Four hours.
        Hour4 = "4H",
        /// One day or trading session.
        Day1 = "D",
    }
}

/// The spelling of the timeframe that other programs write in this way: `1D`, `60m`, `H4`, `15min`, `daily`, `PT1H`, `240`
/// (minutes, or else seconds). `None` for a length that is none of ours.
fn meant(text: &str) -> Option<&'static str> {
    let text: String = text.chars().filter(|c| !matches!(c, ' ' | '_' | '-')).collect();
    let text = text.to_ascii_lowercase();
    // ISO 8601: `PT1H`, `P1D`.
    let text = match text.strip_prefix('p') {
        Some(rest) => rest.strip_prefix('t').unwrap_or(rest),
        None => &text,
    };
    let is_digit = |c: char| c.is_ascii_digit();
    let digits = text.trim_matches(|c: char| !is_digit(c));
    let unit = text.trim_matches(is_digit);
    if !digits.chars().all(is_digit) || unit.contains(is_digit) {
        return None;
    }
    let n: u64 = if digits.is_empty() { 1 } else { digits.parse().ok()? };
    let with_unit_of = |seconds: u64| {
        let is_it =
            |timeframe: &&Timeframe| n.checked_mul(seconds) == Some(u64::from(timeframe.seconds()));
        Timeframe::ALL.iter().find(is_it).map(|timeframe| timeframe.as_str())
    };
    match unit {
        "" if digits.is_empty() => None,
        // Charts count minutes, programs count seconds.
        "" => with_unit_of(60).or_else(|| with_unit_of(1)),
        "s" | "sec" | "secs" | "second" | "seconds" => with_unit_of(1),
        "m" | "min" | "mins" | "minute" | "minutes" | "t" => with_unit_of(60),
        "h" | "hr" | "hrs" | "hour" | "hours" | "hourly" => with_unit_of(3_600),
        "d" | "day" | "days" | "daily" => with_unit_of(86_400),
        _ => None,
    }
}

impl Timeframe {
    /// Length of one bar in seconds.
    pub const fn seconds(self) -> u32 {
        match self {
            Self::Minute1 => 60,
            Self::Minute5 => 300,
            Self::Minute15 => 900,
            Self::Minute30 => 1_800,
            Self::Hour1 => 3_600,
            Self::Hour4 => 14_400,
            Self::Day1 => 86_400,
        }
    }

    /// Length of one bar in milliseconds.
    pub const fn millis(self) -> i64 {
        self.seconds() as i64 * 1_000
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_spelling_parses_back() {
        for timeframe in Timeframe::ALL {
            assert_eq!(timeframe.as_str().parse(), Ok(*timeframe));
        }
    }

    #[test]
    fn timeframes_are_ordered_by_length() {
        assert!(Timeframe::ALL.is_sorted_by_key(|timeframe| timeframe.seconds()));
    }

    #[test]
    fn spellings_of_other_programs_lead_to_ours() {
        for (meant, texts) in [
            ("1M", "1m M1 1min Min min PT1M m M 1minute 1T"),
            ("5M", "5m M5 5min 300 PT5M 5T 300s"),
            ("15M", "15m M15 15min 15minutes min15 900 900s"),
            ("30M", "30m M30 30 30T"),
            (
                "1H",
                "60M 60m 1h H1 h H 60 1hour hourly hour1 1Hour PT1H 3600 3600s 60min 1_hour 1-hour 60T",
            ),
            ("4H", "4h H4 240 240m 4hour 4hours PT4H 14400"),
            ("D", "1D D1 1d d daily Daily day 1day 1440 P1D 24h 24H 86400 1440min PT24H"),
        ] {
            for text in texts.split(' ') {
                let error = text.parse::<Timeframe>().unwrap_err();
                assert_eq!(error.meant, Some(meant), "{text}");
            }
        }
        for text in
            ["", " ", "2H", "1W", "W1", "MN1", "1mo", "0", "D2", "1H1", "tick", "p", "1\u{661}H"]
        {
            assert_eq!(text.parse::<Timeframe>().unwrap_err().meant, None, "{text}");
        }
        assert_eq!("99999999999999999999m".parse::<Timeframe>().unwrap_err().meant, None);
        assert_eq!(
            "1D".parse::<Timeframe>().unwrap_err().to_string(),
            "unknown timeframe `1D`: did you mean `D`? valid are 1M, 5M, 15M, 30M, 1H, 4H, D"
        );
    }

    #[test]
    fn unknown_timeframe_lists_the_valid_ones() {
        let error = "2H".parse::<Timeframe>().unwrap_err();
        assert_eq!(
            error.to_string(),
            "unknown timeframe `2H`: valid are 1M, 5M, 15M, 30M, 1H, 4H, D"
        );
    }
}
