//! A pair of values, one for each network of an actor-critic.

/// One of the two networks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Net {
    /// The policy network: gives the logits of the actions.
    Actor,
    /// The value network: gives the expected return.
    Critic,
}

/// One value per network.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(crate) struct ActorCritic<T> {
    pub(crate) actor: T,
    pub(crate) critic: T,
}

impl<T> ActorCritic<T> {
    pub(crate) fn get(&self, net: Net) -> &T {
        match net {
            Net::Actor => &self.actor,
            Net::Critic => &self.critic,
        }
    }

    pub(crate) fn get_mut(&mut self, net: Net) -> &mut T {
        match net {
            Net::Actor => &mut self.actor,
            Net::Critic => &mut self.critic,
        }
    }

    pub(crate) fn map<U>(self, mut f: impl FnMut(T) -> U) -> ActorCritic<U> {
        ActorCritic { actor: f(self.actor), critic: f(self.critic) }
    }

    pub(crate) fn as_ref(&self) -> ActorCritic<&T> {
        ActorCritic { actor: &self.actor, critic: &self.critic }
    }

    pub(crate) fn as_mut(&mut self) -> ActorCritic<&mut T> {
        ActorCritic { actor: &mut self.actor, critic: &mut self.critic }
    }
}
