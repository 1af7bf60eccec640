//! What a server may say, by era. What is not named here does not pass, and neither does what clients do not send: a
//! method that a later version brings may do whatever it likes.

use super::era::Era;

/// The methods that a server may call at its client: none from 2026-07-28 on.
const OF_SERVERS: [&str; 8] = [
    "elicitation/create",
    "ping",
    "roots/list",
    "sampling/createMessage",
    "tasks/cancel",
    "tasks/get",
    "tasks/list",
    "tasks/result",
];

/// The notifications that a server may send.
const TOLD_BY_SERVERS: [&str; 11] = [
    "notifications/cancelled",
    "notifications/elicitation/complete",
    "notifications/message",
    "notifications/progress",
    "notifications/prompts/list_changed",
    "notifications/resources/list_changed",
    "notifications/resources/updated",
    "notifications/subscriptions/acknowledged",
    "notifications/tasks",
    "notifications/tasks/status",
    TOOLS_CHANGED,
];
/// The notification that a server's tools have changed.
pub(super) const TOOLS_CHANGED: &str = "notifications/tools/list_changed";

/// Returns whether a server may ask its client for this.
pub(super) fn asks(era: Era, method: &str) -> bool {
    era == Era::Legacy && OF_SERVERS.contains(&method)
}

/// Returns whether a server may tell this.
pub(super) fn tells(notification: &str) -> bool {
    TOLD_BY_SERVERS.contains(&notification)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn servers_ask_in_one_era_and_tell_in_both() {
        assert!(
            asks(Era::Legacy, "elicitation/create") && !asks(Era::Modern, "elicitation/create")
        );
        assert!(!asks(Era::Legacy, "tools/call") && !asks(Era::Legacy, "notifications/progress"));
        assert!(tells("notifications/progress") && !tells("notifications/initialized"));
    }
}
