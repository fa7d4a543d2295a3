//! What a model sees after the close of a bar.

use herdbook_market::{Account, N_FEATURES};

use crate::environment::market_data::Tape;

/// What follows the features in an observation: the position's sign, its unrealised return, its age.
const N_ACCOUNT_INPUTS: usize = 3;
/// Length of an observation.
pub const OBS_LEN: usize = N_FEATURES + N_ACCOUNT_INPUTS;
/// Largest size of the account's inputs; larger ones are clipped to it.
const ACCOUNT_LIMIT: f32 = 5.0;
/// Money does not matter, only its growth does: every account starts with this much.
pub(crate) const INITIAL_EQUITY: f64 = 10_000.0;

/// The unrealised return is seen in percent, the reward's own unit.
const PERCENT: f64 = 100.0;

/// Writes what is known after the close of a bar: its features, then the state of the account.
pub(crate) fn write_observation(tape: &Tape, bar_idx: usize, account: &Account, obs: &mut [f32]) {
    let (features, inputs) = obs.split_at_mut(N_FEATURES);
    features.copy_from_slice(tape.features.row(bar_idx));
    let unrealised = (PERCENT * account.unrealised_return()) as f32;
    inputs[0] = account.position().sign() as f32;
    inputs[1] = unrealised.clamp(-ACCOUNT_LIMIT, ACCOUNT_LIMIT);
    inputs[2] = (account.bars_held() as f32).ln_1p().min(ACCOUNT_LIMIT);
}
