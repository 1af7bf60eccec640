//! What leaves the Guardian of its audit: which kinds of rows there are, which of them a destination wants, and the
//! form in which a row is sent. Nothing here reads or sends: a row goes in, an event comes out, the same each time.

mod audit_row;
mod classes;
mod event;
mod filter;
mod kinds;
mod ocsf;
mod outcome;
#[cfg(test)]
mod samples;
#[cfg(test)]
mod tests;

pub(crate) use self::event::{SiemEvent, encode};
pub(crate) use self::filter::Filter;
pub(crate) use self::kinds::KINDS;
