//! The use cases, one file for each kind of thing: what HTTP, the command line and a program that embeds the
//! Guardian ask for.

pub(crate) mod agents;
pub(crate) mod keys;
pub(crate) mod sessions;
pub(crate) mod tokens;
pub(crate) mod webhooks;
