//! The observation: the input of the networks after the close of a bar.
//!
//! It depends only on bars that are closed: never read a later bar here.

use herdbook_market::{Account, N_FEATURES};

use crate::environment::market_data::Tape;

/// Inputs after the features: sign of the position, its unrealised return, its age.
const N_ACCOUNT_INPUTS: usize = 3;
/// Length of an observation: the features of the bar, then the inputs of the account.
pub const OBS_LEN: usize = N_FEATURES + N_ACCOUNT_INPUTS;
/// The unrealised return is clipped to ± this value, the age to this value.
const ACCOUNT_LIMIT: f32 = 5.0;
/// Equity at the start of every account, in account currency. Only growth matters, so any positive amount would do.
pub(crate) const INITIAL_EQUITY: f64 = 10_000.0;

/// The unrealised return is given in percent, the unit of the reward.
const PERCENT: f64 = 100.0;

/// Writes the observation after the close of a bar into `obs`, which has [`OBS_LEN`] elements.
pub(crate) fn write_observation(tape: &Tape, bar_idx: usize, account: &Account, obs: &mut [f32]) {
    let (features, inputs) = obs.split_at_mut(N_FEATURES);
    features.copy_from_slice(tape.features.row(bar_idx));
    let unrealised = (PERCENT * account.unrealised_return()) as f32;
    inputs[0] = account.position().sign() as f32;
    inputs[1] = unrealised.clamp(-ACCOUNT_LIMIT, ACCOUNT_LIMIT);
    inputs[2] = (account.bars_held() as f32).ln_1p().min(ACCOUNT_LIMIT);
}
