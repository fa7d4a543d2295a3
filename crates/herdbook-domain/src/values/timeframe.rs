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
    Timeframe, "timeframe" {
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
    fn unknown_timeframe_lists_the_valid_ones() {
        let error = "2H".parse::<Timeframe>().unwrap_err();
        assert_eq!(
            error.to_string(),
            "unknown timeframe `2H`: valid are 1M, 5M, 15M, 30M, 1H, 4H, D"
        );
    }
}
