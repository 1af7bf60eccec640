//! The events that a webhook may be notified of, and their words.

use agenttrust::Timestamp;
use agenttrust::model::Approval;
use serde::{Deserialize, Serialize};
use serde_json::json;

/// An event that a webhook may be notified of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[schema(as = WebhookEvent)]
pub(crate) enum Event {
    /// A held action, which an approver has to decide.
    #[serde(rename = "approval.pending")]
    Pending,
    /// A held action that was approved.
    #[serde(rename = "approval.approved")]
    Approved,
    /// A held action that was denied.
    #[serde(rename = "approval.denied")]
    Denied,
}

impl Event {
    /// All there are.
    pub(crate) const ALL: [Self; 3] = [Self::Pending, Self::Approved, Self::Denied];

    /// Returns the word for it.
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "approval.pending",
            Self::Approved => "approval.approved",
            Self::Denied => "approval.denied",
        }
    }

    /// Returns the event of this word.
    pub(crate) fn from_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|event| event.as_str() == word)
    }

    /// Returns what is sent: the approval, without anything of the input that its caller wrote.
    pub(crate) fn body(self, approval: &Approval, now: Timestamp) -> String {
        let mut told = approval.clone();
        told.input = None;
        told.action_input_summary = None;
        json!({ "type": self.as_str(), "timestamp": now, "data": told }).to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_of_the_input_is_told() {
        let mut approval = Approval::default();
        approval.id = "apr_1".to_owned();
        approval.input = Some(json!({ "table": "salaries" }));
        approval.action_input_summary = Some("drop table salaries".to_owned());
        let body = Event::Pending.body(&approval, Timestamp::now());
        assert!(!body.contains("salaries"), "{body}");
        assert!(body.contains(r#""type":"approval.pending""#), "{body}");
        assert!(body.contains(r#""id":"apr_1""#), "{body}");
    }

    #[test]
    fn every_event_is_read_by_the_word_that_is_sent() {
        for event in Event::ALL {
            assert_eq!(Event::from_word(event.as_str()), Some(event));
            assert_eq!(json!(event), event.as_str());
        }
        assert_eq!(Event::from_word("approval.*"), None);
    }
}
