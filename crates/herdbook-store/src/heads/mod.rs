//! The end of the history that was last seen on this machine, kept outside of the store: a history that was rewritten or
//! shortened since is noticed. This works like the host keys that SSH remembers.

pub(crate) mod folder;
pub(crate) mod head;
pub(crate) mod watch;
