//! What was done about an event, in the words of OCSF's profile `security_control`.

use serde_json::{Map, Value, json};

use super::classes::{Class, OTHER};

/// A number of the schema, and its word.
type Word = (u8, &'static str);

/// The outcome of an event: what was done about it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Outcome {
    /// An action that was done, and needed no permission.
    Done,
    /// A request that could not be done as it was asked.
    Refused,
    /// A call may run.
    Allowed,
    /// A call may not run.
    Blocked,
    /// A call waits for an approval.
    Held,
    /// An approver said yes.
    Approved,
    /// An approver said no.
    Rejected,
    /// A permission was taken back.
    Revoked,
    /// A caller did not prove who it is.
    Unauthorized,
    /// An event that was only written down.
    Logged,
    /// A failure that was written down.
    Failed,
    /// An event for people to look at.
    Alert,
}

impl Outcome {
    /// Returns the action and the disposition; `None` for an event in which no permission was given
    /// or refused.
    const fn control(self) -> Option<(Word, Word)> {
        Some(match self {
            Self::Done | Self::Refused => return None,
            Self::Allowed => ((1, "Allowed"), (1, "Allowed")),
            Self::Blocked => ((2, "Denied"), (2, "Blocked")),
            // Neither allowed nor denied yet: who counts denials must not count it.
            Self::Held => ((OTHER, "Held"), (14, "Delayed")),
            Self::Approved => ((1, "Allowed"), (8, "Approved")),
            Self::Rejected => ((2, "Denied"), (25, "Rejected")),
            Self::Revoked => ((2, "Denied"), (24, "Access Revoked")),
            Self::Unauthorized => ((2, "Denied"), (26, "Unauthorized")),
            Self::Logged | Self::Failed => ((3, "Observed"), (17, "Logged")),
            Self::Alert => ((3, "Observed"), (19, "Alert")),
        })
    }

    /// Returns whether its event says what was let through or kept off.
    pub(super) const fn is_control(self) -> bool {
        self.control().is_some()
    }

    /// Returns how it came out.
    const fn status(self, class: Class) -> Word {
        match self {
            // A finding has a life of its own.
            _ if matches!(class, Class::DetectionFinding) => (1, "New"),
            Self::Done | Self::Allowed | Self::Approved | Self::Logged | Self::Alert => {
                (1, "Success")
            }
            Self::Held => (OTHER, "Held"),
            Self::Refused
            | Self::Blocked
            | Self::Rejected
            | Self::Revoked
            | Self::Unauthorized
            | Self::Failed => (2, "Failure"),
        }
    }

    /// Says it in an event.
    pub(super) fn say(self, class: Class, event: &mut Map<String, Value>) {
        let (status_id, status) = self.status(class);
        event.insert("status_id".to_owned(), json!(status_id));
        event.insert("status".to_owned(), json!(status));
        let Some(((action_id, action), (disposition_id, disposition))) = self.control() else {
            return;
        };
        event.insert("action_id".to_owned(), json!(action_id));
        event.insert("action".to_owned(), json!(action));
        event.insert("disposition_id".to_owned(), json!(disposition_id));
        event.insert("disposition".to_owned(), json!(disposition));
        event.insert("is_alert".to_owned(), json!(matches!(self, Self::Alert)));
    }
}
