//! Receivers of events: each takes what its vendor documents and nothing else, and can be told to fail in every way.
//!
//! They run on a thread of their own, so that no runtime of a test can take them along, and keep what they took when
//! they are stopped and started again at the same address.

mod authority;
mod formats;
mod http;
mod rules;
mod server;
mod syslog;
mod syslog_message;

pub use self::authority::Authority;
pub use self::http::{HttpReceiver, Mood, Request, Vendor};
pub use self::syslog::{SyslogMood, SyslogReceiver};
pub use self::syslog_message::SyslogMessage;

use serde_json::Value;

/// An event that was taken.
#[derive(Clone, Debug, PartialEq)]
pub struct TakenEvent {
    /// The event's id: `metadata.uid` in the form of OCSF, else `id`.
    pub id: String,
    /// The event itself.
    pub json: Value,
    /// The number of the request or connection by which the event came, counted from 0.
    pub came_by: usize,
}

/// Returns the id of an event in either form.
pub fn id_of(event: &Value) -> Option<String> {
    let id = event.pointer("/metadata/uid").or_else(|| event.get("id"))?;
    id.as_str().map(str::to_owned)
}
