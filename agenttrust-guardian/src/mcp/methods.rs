//! What may be asked for, by era and direction. What is not named here does not pass: a method that a later version
//! brings may do whatever it likes.

use super::era::Era;

/// What a client may ask for up to 2025-11-25.
const LEGACY_REQUESTS: [&str; 17] = [
    "completion/complete",
    "initialize",
    "logging/setLevel",
    "ping",
    "prompts/get",
    "prompts/list",
    "resources/directory/read",
    "resources/list",
    "resources/read",
    "resources/subscribe",
    "resources/templates/list",
    "resources/unsubscribe",
    "tasks/cancel",
    "tasks/get",
    "tasks/list",
    "tasks/result",
    "tools/list",
];
/// What a client may ask for from 2026-07-28 on, the extension for tasks included.
const MODERN_REQUESTS: [&str; 12] = [
    "completion/complete",
    "prompts/get",
    "prompts/list",
    "resources/directory/read",
    "resources/list",
    "resources/read",
    "resources/templates/list",
    "server/discover",
    "subscriptions/listen",
    "tasks/cancel",
    "tasks/get",
    "tools/list",
];
/// What is asked for in both eras and always checked.
const GUARDED: [&str; 2] = ["tools/call", "tasks/update"];

/// What a client may tell.
const LEGACY_TOLD: [&str; 5] = [
    "notifications/cancelled",
    "notifications/initialized",
    "notifications/progress",
    "notifications/roots/list_changed",
    "notifications/tasks/status",
];
const MODERN_TOLD: [&str; 1] = ["notifications/cancelled"];

/// What a server may ask its client for: nothing from 2026-07-28 on.
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

/// What a server may tell.
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
/// Says that what is known of a server's tools is no longer so.
pub(super) const TOOLS_CHANGED: &str = "notifications/tools/list_changed";

impl Era {
    /// Whether a client may ask for this.
    pub(super) fn takes(self, method: &str) -> bool {
        let known = match self {
            Self::Legacy => &LEGACY_REQUESTS[..],
            Self::Modern => &MODERN_REQUESTS[..],
        };
        known.contains(&method) || GUARDED.contains(&method)
    }

    /// Whether a client may tell this.
    pub(super) fn hears(self, notification: &str) -> bool {
        match self {
            Self::Legacy => LEGACY_TOLD.contains(&notification),
            Self::Modern => MODERN_TOLD.contains(&notification),
        }
    }

    /// Whether a server may ask its client for this.
    pub(super) fn asks(self, method: &str) -> bool {
        self == Self::Legacy && OF_SERVERS.contains(&method)
    }
}

/// Whether a server may tell this.
pub(super) fn tells(notification: &str) -> bool {
    TOLD_BY_SERVERS.contains(&notification)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_era_has_its_own_methods() {
        for (method, legacy, modern) in [
            ("initialize", true, false),
            ("ping", true, false),
            ("tools/call", true, true),
            ("tools/list", true, true),
            ("tasks/update", true, true),
            ("server/discover", false, true),
            ("subscriptions/listen", false, true),
            ("tasks/list", true, false),
            ("tools/delete", false, false),
            ("Tools/call", false, false),
            ("notifications/cancelled", false, false),
            ("", false, false),
        ] {
            assert_eq!(Era::Legacy.takes(method), legacy, "{method}");
            assert_eq!(Era::Modern.takes(method), modern, "{method}");
        }
        assert!(Era::Legacy.asks("elicitation/create") && !Era::Modern.asks("elicitation/create"));
        assert!(!Era::Legacy.asks("tools/call"));
        assert!(Era::Legacy.hears("notifications/initialized"));
        assert!(!Era::Modern.hears("notifications/initialized"));
        assert!(tells("notifications/progress") && !tells("notifications/initialized"));
    }
}
