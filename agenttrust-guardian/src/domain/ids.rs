//! Ids, made by the program and not by the database, so that every database gives the same kind.

use uuid::Uuid;

/// Starts every session id that this Guardian issues; an id without it is an ad-hoc session.
pub(crate) const SESSION_PREFIX: &str = "ats_";

/// Starts the id of every delegation.
pub(crate) const DELEGATION_PREFIX: &str = "dlg_";
/// Starts the id of every message to a webhook.
pub(crate) const MESSAGE_PREFIX: &str = "msg_";

/// A new id, ordered by time among those with the same prefix.
pub(crate) fn new(prefix: &str) -> String {
    format!("{prefix}{}", Uuid::now_v7().simple())
}
