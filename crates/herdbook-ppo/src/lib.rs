//! Proximal policy optimization: environment trait, rollout, update, model file
