//! Ids, made by the program and not by the database, so that every database gives the same kind.

use uuid::Uuid;

/// Starts every session id that this Guardian issues; an id without it is an ad-hoc session.
pub(crate) const SESSION_PREFIX: &str = "ats_";

/// Starts the id of every delegation.
pub(crate) const DELEGATION_PREFIX: &str = "dlg_";
/// Starts the id of every message to a webhook.
pub(crate) const MESSAGE_PREFIX: &str = "msg_";
/// Starts the id of every destination of events.
pub(crate) const DESTINATION_PREFIX: &str = "dst_";
/// Starts the id of what became of every sending to a destination.
pub(crate) const DELIVERY_PREFIX: &str = "sdl_";
/// Starts the id of every event that was set aside.
pub(crate) const SET_ASIDE_PREFIX: &str = "sas_";

/// A new id, ordered by time among those with the same prefix.
pub(crate) fn new(prefix: &str) -> String {
    format!("{prefix}{}", Uuid::now_v7().simple())
}
