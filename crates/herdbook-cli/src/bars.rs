//! Files of bars, as named on the command line.

use std::path::Path;

use anyhow::Context as _;
use herdbook_domain::Symbol;
use herdbook_training::DataSource;

use crate::failure::Failure;

/// Reads a file; where no instrument is given, its name without its ending is one.
pub(crate) fn read(path: &Path, symbol: Option<Symbol>) -> Result<DataSource, Failure> {
    let bytes = std::fs::read(path)
        .with_context(|| format!("cannot read `{}` (flag `--data`)", path.display()))?;
    let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let symbol = match symbol {
        Some(symbol) => symbol,
        None => Symbol::parse(&path.file_stem().unwrap_or_default().to_string_lossy())
            .map_err(|error| Failure::from(error).with_hint("name it with `--symbol`"))?,
    };
    Ok(DataSource { name, symbol, bytes })
}
