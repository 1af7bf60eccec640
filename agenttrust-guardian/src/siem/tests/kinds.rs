//! The numbers of every kind, written down once more: receivers alert and count by them.
//!
//! `kinds.txt` was computed from the table of kinds, not written by hand. It shows that a number changes, and not that
//! a number is right. By reading, the types, actions and dispositions of these were compared with the classes of OCSF
//! and its profile `security_control`, and agree: `decision.withdrawn`, `mcp.refused`, `approval.approved`,
//! `approval.denied`, `session.revoked`, `federation.token_refused`, `agent.created`, `agent.suspended`,
//! `agent.reactivated`, `agent.revoked`, `card.published`, `guardian.started`, `audit.pruned` and
//! `anomaly.denial_burst`.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::super::KINDS;
use super::super::samples::row;
use super::event;

#[test]
fn every_kind_has_the_numbers_that_receivers_know_it_by() {
    let mut known = BTreeSet::new();
    let lines = include_str!("kinds.txt").lines().filter(|line| !line.starts_with('#'));
    for line in lines.filter(|line| !line.is_empty()) {
        let mut words = line.split_whitespace();
        let kind = words.next().unwrap();
        let expected: Vec<Value> = words
            .map(|word| word.parse().map_or(Value::Null, |number: u64| json!(number)))
            .collect();
        let event = event(&row(kind, json!({})));
        let names = ["type_uid", "severity_id", "status_id", "action_id", "disposition_id"];
        let told = names.map(|name| event[name].clone());
        assert_eq!(told[..], expected[..], "{kind}: {event}");
        known.insert(kind);
    }
    let all: BTreeSet<&str> = KINDS.iter().copied().collect();
    assert_eq!(known, all);
}

#[test]
fn document_has_a_line_for_every_kind_and_no_other() {
    let lines = include_str!("../../../../docs/SIEM.md").lines();
    let table = lines.skip_while(|line| *line != "## Kinds of events");
    let told: BTreeSet<&str> = table
        .filter_map(|line| line.strip_prefix("| `")?.split_once("` | "))
        .map(|(kind, _)| kind)
        .collect();
    let all: BTreeSet<&str> = KINDS.iter().copied().collect();
    assert_eq!(told, all);
}
