//! The params that describe the bars and the environment of a run.

use std::collections::BTreeMap;

use herdbook_domain::window_params;

use crate::environment::env_spec::EnvSpec;
use crate::environment::market_data::MarketData;
use crate::environment::observation::OBS_LEN;

/// Params `data.*` and `env.*` of a run.
pub(crate) fn market_params(market: &MarketData, env: &EnvSpec) -> BTreeMap<String, String> {
    let windows = market.windows();
    let mut params: BTreeMap<String, String> =
        windows.to_params().into_iter().map(|(key, value)| (key.to_owned(), value)).collect();
    let mut add = |key: &str, value: String| {
        params.insert(key.to_owned(), value);
    };
    add(window_params::BARS_SHA256, market.tape.bars.sha256());
    add(window_params::CLOSES_SHA256, market.tape.closes.sha256().to_owned());
    if !market.allowed_jumps.is_empty() {
        add(window_params::ALLOWED_JUMPS, market.allowed_jumps.join(", "));
    }
    add("data.source", market.tape.source_name.clone());
    add("data.source_sha256", market.tape.source_sha256.clone());
    if market.tape.n_bad_rows > 0 {
        add("data.n_bad_rows", market.tape.n_bad_rows.to_string());
    }
    add("data.n_bars", market.tape.bars.len().to_string());
    if let Some(bars_per_year) = market.tape.bars_per_year {
        add("data.bars_per_year", bars_per_year.to_string());
    }
    add(window_params::COST_BPS, env.cost_bps.to_string());
    add("env.episode_bars", env.episode_bars.to_string());
    add("env.features_version", env.features_version.to_string());
    add("env.obs_len", OBS_LEN.to_string());
    params
}
