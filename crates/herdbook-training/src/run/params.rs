//! The params that a training records in its run.

use std::collections::BTreeMap;

use herdbook_ppo::PpoConfig;

use crate::environment::env_spec::EnvSpec;
use crate::environment::market_data::MarketData;
use crate::environment::params::market_params;
use crate::request::hyperparameters::hyperparameter_params;
use crate::request::train_request::{RegisteredPolicy, TrainRequest};

/// All params of a run: bars, environment, hyperparameters, seed.
pub(crate) fn params(
    request: &TrainRequest,
    market: &MarketData,
    config: &PpoConfig,
    env: &EnvSpec,
) -> BTreeMap<String, String> {
    let mut params = market_params(market, env);
    let mut add = |key: &str, value: String| {
        params.insert(key.to_owned(), value);
    };
    add("timesteps", request.timesteps.to_string());
    add("seed", request.seed.to_string());
    add("algorithm", "PPO".to_owned());
    for (key, value) in hyperparameter_params(config) {
        add(key, value);
    }
    // Not for `Last`: runs of an older herdbook have no such param, and are resumed with the params they have.
    if request.register == RegisteredPolicy::Best {
        add(RegisteredPolicy::PARAM, RegisteredPolicy::Best.as_str().to_owned());
    }
    let schedules = [
        ("learning_rate_final", request.schedules.learning_rate),
        ("clip_range_final", request.schedules.clip_range),
    ];
    for (key, last) in schedules {
        if let Some(last) = last {
            add(key, last.to_string());
        }
    }
    params
}
