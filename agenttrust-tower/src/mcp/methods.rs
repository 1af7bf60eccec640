//! The methods that a client of MCP sends, in its two eras. Whatever else it sends, no guard knows what it does.

/// Two ways to speak MCP, which begin differently and share most of their methods.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Era {
    /// MCP up to 2025-11-25, which begins with `initialize` and has sessions.
    Legacy,
    /// MCP from 2026-07-28 on: each request carries all that it needs.
    Modern,
}

/// The eras that a method belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum In {
    Both,
    Only(Era),
}

const LEGACY: In = In::Only(Era::Legacy);
const MODERN: In = In::Only(Era::Modern);

const REQUESTS: [(&str, In); 23] = [
    ("completion/complete", In::Both),
    ("initialize", LEGACY),
    ("logging/setLevel", LEGACY),
    ("ping", LEGACY),
    ("prompts/get", In::Both),
    ("prompts/list", In::Both),
    ("resources/directory/read", In::Both),
    ("resources/list", In::Both),
    ("resources/read", In::Both),
    ("resources/subscribe", LEGACY),
    ("resources/templates/list", In::Both),
    ("resources/unsubscribe", LEGACY),
    ("server/discover", MODERN),
    ("skills/get", In::Both),
    ("skills/list", In::Both),
    ("subscriptions/listen", MODERN),
    ("tasks/cancel", In::Both),
    ("tasks/get", In::Both),
    ("tasks/list", LEGACY),
    ("tasks/result", LEGACY),
    ("tasks/update", MODERN),
    ("tools/call", In::Both),
    ("tools/list", In::Both),
];

const NOTIFICATIONS: [(&str, In); 5] = [
    ("notifications/cancelled", In::Both),
    ("notifications/initialized", LEGACY),
    ("notifications/progress", LEGACY),
    ("notifications/roots/list_changed", LEGACY),
    ("notifications/tasks/status", LEGACY),
];

/// Returns whether clients send this request; of any era where none is said.
#[must_use]
pub fn is_request(method: &str, era: Option<Era>) -> bool {
    is_in(&REQUESTS, method, era)
}

/// Returns whether clients send this notification; of any era where none is said.
#[must_use]
pub fn is_notification(method: &str, era: Option<Era>) -> bool {
    is_in(&NOTIFICATIONS, method, era)
}

fn is_in(table: &[(&str, In)], method: &str, era: Option<Era>) -> bool {
    table.iter().any(|(known, place)| {
        *known == method
            && era.is_none_or(|era| matches!(place, In::Both) || *place == In::Only(era))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_method_is_known_in_its_era_and_no_other() {
        use Era::{Legacy, Modern};
        assert!(is_request("tools/call", Some(Legacy)) && is_request("tools/call", Some(Modern)));
        assert!(is_request("initialize", Some(Legacy)) && !is_request("initialize", Some(Modern)));
        assert!(
            !is_request("server/discover", Some(Legacy)) && is_request("server/discover", None)
        );
        assert!(is_notification("notifications/initialized", Some(Legacy)));
        assert!(!is_notification("notifications/initialized", Some(Modern)));
        // Neither what a server sends, nor one for the other.
        for method in
            ["sampling/createMessage", "notifications/cancelled", "Tools/Call", "", "tools/delete"]
        {
            assert!(!is_request(method, None), "{method}");
        }
        assert!(!is_notification("tools/call", None));
        assert!(!is_notification("notifications/tools/list_changed", None));
    }
}
