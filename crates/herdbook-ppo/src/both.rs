//! The policy network and the value network side by side. They share nothing: each has its own of whatever there is.

/// One of the two networks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Net {
    /// The policy: logits of the actions.
    Pi,
    /// The value.
    Vf,
}

/// One thing of each network.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(crate) struct Both<T> {
    pub(crate) pi: T,
    pub(crate) vf: T,
}

impl<T> Both<T> {
    pub(crate) fn of(&self, net: Net) -> &T {
        match net {
            Net::Pi => &self.pi,
            Net::Vf => &self.vf,
        }
    }

    pub(crate) fn of_mut(&mut self, net: Net) -> &mut T {
        match net {
            Net::Pi => &mut self.pi,
            Net::Vf => &mut self.vf,
        }
    }

    pub(crate) fn map<U>(self, mut change: impl FnMut(T) -> U) -> Both<U> {
        Both { pi: change(self.pi), vf: change(self.vf) }
    }

    pub(crate) fn as_ref(&self) -> Both<&T> {
        Both { pi: &self.pi, vf: &self.vf }
    }

    pub(crate) fn as_mut(&mut self) -> Both<&mut T> {
        Both { pi: &mut self.pi, vf: &mut self.vf }
    }
}
