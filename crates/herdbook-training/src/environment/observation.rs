//! The observation: the input of the networks after the close of a bar.
//!
//! It depends only on bars that are closed: never read a later bar here.

use herdbook_market::{Account, Feature, N_FEATURES};

use crate::environment::market_data::Tape;

/// The unrealised return is clipped to ± this value, the age to this value.
const ACCOUNT_LIMIT: f32 = 5.0;
/// Inputs after the features.
const ACCOUNT_INPUTS: [Feature; 3] = [
    Feature { name: "position", low: -1.0, high: 1.0, meaning: "-1 short, 0 flat, 1 long" },
    Feature {
        name: "unrealised_return",
        low: -ACCOUNT_LIMIT,
        high: ACCOUNT_LIMIT,
        meaning: "100·(equity / equity before the entry - 1); 0 when flat",
    },
    Feature {
        name: "bars_held",
        low: 0.0,
        high: ACCOUNT_LIMIT,
        meaning: "ln(1 + bars since the entry); 0 when flat",
    },
];
/// Length of an observation: the features of the bar, then the inputs of the account.
pub const OBS_LEN: usize = N_FEATURES + ACCOUNT_INPUTS.len();
/// Equity at the start of every account, in account currency. Only growth matters, so any positive amount would do.
pub(crate) const INITIAL_EQUITY: f64 = 10_000.0;

/// The unrealised return is given in percent, the unit of the reward.
const PERCENT: f64 = 100.0;

/// The elements of an observation in their order: name, range and meaning of each.
pub fn observation_elements() -> impl Iterator<Item = &'static Feature> {
    Feature::ALL.iter().chain(&ACCOUNT_INPUTS)
}

/// Writes the observation after the close of a bar into `obs`, which has [`OBS_LEN`] elements.
pub(crate) fn write_observation(tape: &Tape, bar_idx: usize, account: &Account, obs: &mut [f32]) {
    let (features, inputs) = obs.split_at_mut(N_FEATURES);
    features.copy_from_slice(tape.features.row(bar_idx));
    let unrealised = (PERCENT * account.unrealised_return()) as f32;
    inputs[0] = account.position().sign() as f32;
    inputs[1] = unrealised.clamp(-ACCOUNT_LIMIT, ACCOUNT_LIMIT);
    inputs[2] = (account.bars_held() as f32).ln_1p().min(ACCOUNT_LIMIT);
}
