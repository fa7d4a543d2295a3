//! Flags that name a registered model: its timeframe, and its name after the timeframe.

use clap::Args as ClapArgs;
use herdbook_domain::{InvalidName, ModelName, Timeframe};

/// Value of `--model` where the flag is absent.
pub(crate) const DEFAULT_MODEL: &str = "trading_model";

/// The registered model of a command that needs one.
#[derive(Debug, Clone, ClapArgs)]
pub(crate) struct Family {
    /// Length of one bar: 1M, 5M, 15M, 30M (minutes), 1H, 4H (hours) or D (day)
    #[arg(long, short, value_name = "TIMEFRAME")]
    pub(crate) timeframe: Timeframe,
    /// Registered model; its full name is `{timeframe}_{NAME}`
    #[arg(long, value_name = "NAME", default_value = DEFAULT_MODEL)]
    pub(crate) model: String,
}

/// The registered model of `train`. A resumed training already has one, so `--resume` needs no timeframe.
#[derive(Debug, Clone, ClapArgs)]
pub(crate) struct TrainFamily {
    /// Length of one bar: 1M, 5M, 15M, 30M (minutes), 1H, 4H (hours) or D (day)
    #[arg(long, short, value_name = "TIMEFRAME", required_unless_present = "resume")]
    pub(crate) timeframe: Option<Timeframe>,
    /// Registered model; its full name is `{timeframe}_{NAME}`
    #[arg(long, value_name = "NAME", default_value = DEFAULT_MODEL)]
    pub(crate) model: String,
}

/// The registered model of a command that can also find its version by a run id.
#[derive(Debug, Clone, ClapArgs)]
pub(crate) struct OptionalFamily {
    /// Length of one bar; not needed together with a run id
    #[arg(long, short, value_name = "TIMEFRAME")]
    pub(crate) timeframe: Option<Timeframe>,
    /// Registered model; its full name is `{timeframe}_{NAME}` [default: `trading_model`]
    #[arg(long, value_name = "NAME", requires = "timeframe")]
    pub(crate) model: Option<String>,
}

impl Family {
    /// Full name of a registered model that need not exist. For one that should exist, ask `lookup::name_of`.
    pub(crate) fn name(&self) -> Result<ModelName, InvalidName> {
        ModelName::of_timeframe(self.timeframe, &self.model)
    }
}
