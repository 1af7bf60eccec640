//! Ids, made by the program and not by the database, so that every database gives the same kind.

use uuid::Uuid;

/// The begin of every session id that this Guardian issues; an id without it is an ad-hoc session.
pub(crate) const SESSION_PREFIX: &str = "ats_";

/// The begin of the id of every agent.
#[cfg(feature = "cli")]
pub(crate) const AGENT_PREFIX: &str = "agt_";
/// The begin of the id of every delegation.
pub(crate) const DELEGATION_PREFIX: &str = "dlg_";
/// The begin of the id of every message to a webhook.
pub(crate) const MESSAGE_PREFIX: &str = "msg_";
/// The begin of the id of every destination of events.
pub(crate) const DESTINATION_PREFIX: &str = "dst_";
/// The begin of the id of every record of a sending to a destination.
pub(crate) const DELIVERY_PREFIX: &str = "sdl_";
/// The begin of the id of every event that was set aside.
pub(crate) const SET_ASIDE_PREFIX: &str = "sas_";

/// Returns whether this is of the form that the ids of agents have.
#[cfg(feature = "cli")]
pub(crate) fn is_of_agent(id: &str) -> bool {
    id.strip_prefix(AGENT_PREFIX)
        .is_some_and(|id| id.len() == uuid::fmt::Simple::LENGTH && Uuid::try_parse(id).is_ok())
}

/// Returns a new id, ordered by time among those with the same prefix.
pub(crate) fn new(prefix: &str) -> String {
    format!("{prefix}{}", Uuid::now_v7().simple())
}
