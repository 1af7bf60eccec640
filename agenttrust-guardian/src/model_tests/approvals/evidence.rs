//! What the audit log proves, whatever was answered and whatever the model thinks.

use std::collections::{BTreeMap, BTreeSet};

use agenttrust_testkit::ADMIN;
use serde_json::Value;

use super::model::{KeyHolder, Model};
use crate::harness::Api;

/// The rows that are about one approval.
#[derive(Debug, Default)]
struct Rows {
    /// The agents that asked under it: the actors of held checks.
    askers: BTreeSet<String>,
    /// The call that it was opened for: agent, session, tool, effect and what of the input is
    /// bound.
    asked: Vec<[Value; 6]>,
    /// The approvers that voted for it.
    votes: Vec<String>,
    /// The rows that decided it.
    decided: Vec<Value>,
    /// The checks that it allowed.
    allowed: Vec<[Value; 6]>,
}

/// The rows of the log about every approval.
#[derive(Debug, Default)]
pub(super) struct Evidence {
    after: u64,
    of: BTreeMap<String, Rows>,
    checks: BTreeSet<String>,
}

impl Evidence {
    /// Reads what is new in the log.
    pub(super) async fn gather(&mut self, api: &Api) {
        loop {
            let path = format!("/api/v1/audit?after={}&limit=1000", self.after);
            let page = api.get(&path, ADMIN).await.ok().body;
            for entry in page["entries"].as_array().unwrap() {
                self.take(entry);
            }
            match page["next_after"].as_u64() {
                Some(next) => self.after = next,
                None => return,
            }
        }
    }

    fn take(&mut self, entry: &Value) {
        let (body, actor) = (&entry["body"], &entry["actor"]);
        let kind = entry["kind"].as_str().unwrap();
        if kind == "decision" {
            let check = body["check_id"].as_str().unwrap();
            assert!(self.checks.insert(check.to_owned()), "{check} was decided twice");
        }
        let Some(id) = body["approval_id"].as_str() else { return };
        let rows = self.of.entry(id.to_owned()).or_default();
        let actor = actor.as_str().unwrap_or_default().to_owned();
        let bound = match body["bound_to"].as_str() {
            Some("input" | "request" | "method") => body["input_digest"].clone(),
            _ => Value::Null,
        };
        let asked = [
            entry["agent_id"].clone(),
            body["session_id"].clone(),
            body["tool"].clone(),
            body["effect"].clone(),
            body["bound_to"].clone(),
            bound,
        ];
        match (kind, body["decision"].as_str()) {
            ("decision", Some("hold")) => {
                rows.askers.insert(actor);
                rows.asked.push(asked);
            }
            ("decision", Some("allow")) => rows.allowed.push(asked),
            ("approval.vote", _) => rows.votes.push(actor),
            ("approval.approved", _) => {
                rows.votes.push(actor);
                rows.decided.push(entry.clone());
            }
            ("approval.denied", _) => rows.decided.push(entry.clone()),
            _ => {}
        }
    }

    /// Fails unless the log bears out every promise, and what the model counted.
    pub(super) fn must_agree(&self, model: &Model, who: impl Fn(&str) -> KeyHolder) {
        for approval in &model.approvals {
            let rows = &self.of[&approval.id];
            let decided = usize::from(approval.decided.is_some());
            assert_eq!(rows.decided.len(), decided, "decided once at most: {rows:#?}");
            assert_eq!(rows.allowed.len(), approval.uses as usize, "every use: {rows:#?}");
            if approval.ask.once() {
                assert!(rows.allowed.len() <= 1, "used once at most: {rows:#?}");
            }
            for allowed in rows.allowed.iter().chain(&rows.asked) {
                assert_eq!(*allowed, rows.asked[0], "for what was asked and nothing else");
            }
            let Some(row) = rows.decided.first() else {
                assert!(rows.allowed.is_empty(), "allowed undecided: {rows:#?}");
                continue;
            };
            let by = who(row["actor"].as_str().unwrap());
            let asked = |voter: KeyHolder| rows.askers.iter().any(|asker| voter.is_of(who(asker)));
            assert!(!asked(by), "decided by who asked: {rows:#?}");
            assert_eq!(by, approval.decided.unwrap().0);
            if row["kind"] == "approval.denied" {
                assert!(rows.allowed.is_empty(), "allowed though denied: {rows:#?}");
            } else {
                let voters: BTreeSet<KeyHolder> =
                    rows.votes.iter().map(|voter| who(voter)).collect();
                let strangers: Vec<KeyHolder> =
                    voters.into_iter().filter(|one| !asked(*one)).collect();
                let two = |one: &KeyHolder| strangers.iter().any(|other| !one.is_one_with(*other));
                assert!(strangers.iter().any(two), "two people who did not ask: {rows:#?}");
            }
        }
    }
}
