//! A row of the audit as it is read for an event: its members by their names, any of which may be missing.

use agenttrust::Timestamp;
use serde_json::{Map, Value};

use super::kinds::KindRow;
use crate::audit::Entry;

/// A row of the audit, and as what it is sent.
#[derive(Clone, Copy, Debug)]
pub(super) struct AuditRow<'a> {
    pub(super) entry: &'a Entry,
    pub(super) body: &'a Map<String, Value>,
    pub(super) row: KindRow,
    pub(super) at: Timestamp,
    pub(super) id: &'a str,
}

impl<'a> AuditRow<'a> {
    /// Returns a text of the body, where it has one that says something.
    pub(super) fn text(&self, member: &str) -> Option<&'a str> {
        self.body.get(member)?.as_str().filter(|text| !text.is_empty())
    }

    /// Returns texts of the body.
    pub(super) fn texts(&self, member: &str) -> Option<Vec<&'a str>> {
        let list = self.body.get(member)?.as_array()?;
        Some(list.iter().filter_map(Value::as_str).collect())
    }

    pub(super) fn number(&self, member: &str) -> Option<u64> {
        self.body.get(member)?.as_u64()
    }

    /// Returns a time of the body, in milliseconds.
    pub(super) fn millis(&self, member: &str) -> Option<i64> {
        self.text(member)?.parse().ok().map(millis)
    }

    /// Returns the agent that it is about.
    pub(super) fn agent(&self) -> Option<&'a str> {
        let of_row = self.entry.agent_id.as_deref().filter(|id| !id.is_empty());
        of_row.or_else(|| self.text("agent_id"))
    }

    /// Returns the key that did it.
    pub(super) fn key(&self) -> Option<&'a str> {
        self.entry.actor.as_deref().filter(|id| !id.is_empty())
    }

    /// Returns what it is about, by its id.
    pub(super) fn named(&self) -> Option<&'a str> {
        match self.row.named_by {
            "agent_id" => self.agent(),
            member => self.text(member),
        }
    }

    /// Returns why it was so.
    pub(super) fn why(&self) -> Option<&'a str> {
        ["reason", "message", "error"].into_iter().find_map(|member| self.text(member))
    }
}

/// Returns a time as OCSF has it: milliseconds since 1970.
pub(super) fn millis(at: Timestamp) -> i64 {
    at.unix_micros().div_euclid(1_000)
}
