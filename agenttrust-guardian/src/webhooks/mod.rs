//! Webhooks: others are told of approvals, signed as Standard Webhooks has it.
//!
//! What is to be told is written in the transaction that makes it so, and sent from there: nothing is told
//! that did not happen, and what happened is told at least once, by one replica at a time.

mod courier;
mod event;
mod patience;
mod signature;
#[cfg(test)]
mod tests;

pub(crate) use self::courier::start;
pub(crate) use self::event::Event;
pub(crate) use self::signature::new_secret;
