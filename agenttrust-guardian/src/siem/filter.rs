//! Which rows a destination wants.

use std::collections::BTreeSet;

use super::kinds::KINDS;
use crate::audit::Entry;

/// The kind whose rows can be wanted by how they came out.
const DECISION: &str = "decision";
/// The decisions that a filter can choose: the word of a filter, and the word of the body.
const DECIDED: [(&str, &str); 3] =
    [("decision.allowed", "allow"), ("decision.denied", "deny"), ("decision.held", "hold")];
/// The end of a word that names a family.
const FAMILY: &str = ".*";
/// The number of words that are named where one is not known.
const NAMED_MOST: usize = 3;

/// The rows that a destination wants; all of them, where it names none.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Filter {
    kinds: BTreeSet<&'static str>,
    /// The decisions that are chosen, in the words of their bodies.
    decided: BTreeSet<&'static str>,
}

/// A word of a filter that names nothing.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "there is no event type {word:?}{}; name a kind that the audit writes, such as decision or approval.denied, a family \
     such as approval.*, or decision.allowed, decision.denied or decision.held",
    near(word)
)]
pub(crate) struct UnknownEventType {
    pub(crate) word: String,
}

impl Filter {
    /// Reads the words of a filter: a kind, a family such as `approval.*`, or how a decision came out, such as
    /// `decision.denied`.
    ///
    /// # Errors
    ///
    /// [`UnknownEventType`] where a word names nothing that is ever sent.
    pub(crate) fn parse(words: &[String]) -> Result<Self, UnknownEventType> {
        let mut filter = Self::default();
        for word in words {
            filter.take(word)?;
        }
        Ok(filter)
    }

    fn take(&mut self, word: &str) -> Result<(), UnknownEventType> {
        if let Some(kind) = KINDS.iter().find(|kind| **kind == word) {
            self.kinds.insert(kind);
            return Ok(());
        }
        if let Some((_, decided)) = DECIDED.iter().find(|(known, _)| *known == word) {
            self.decided.insert(decided);
            return Ok(());
        }
        let before = self.kinds.len();
        if let Some(family) = word.strip_suffix(FAMILY) {
            let of_family = |kind: &&&str| family_of(kind) == family;
            self.kinds.extend(KINDS.iter().filter(of_family).copied());
        }
        // A family may be named that another word named already.
        let names_any = self.kinds.len() > before || is_family(word);
        if names_any { Ok(()) } else { Err(UnknownEventType { word: word.to_owned() }) }
    }

    /// Says whether this row is wanted.
    pub(crate) fn admits(&self, entry: &Entry) -> bool {
        if self.kinds.is_empty() && self.decided.is_empty() {
            return true;
        }
        let decided = || entry.body.get("decision").and_then(serde_json::Value::as_str);
        self.kinds.contains(entry.kind.as_str())
            || (entry.kind == DECISION
                && decided().is_some_and(|decided| self.decided.contains(decided)))
    }
}

fn family_of(kind: &str) -> &str {
    kind.split_once('.').map_or(kind, |(family, _)| family)
}

fn is_family(word: &str) -> bool {
    let family = word.strip_suffix(FAMILY);
    family.is_some_and(|family| KINDS.iter().any(|kind| family_of(kind) == family))
}

/// Returns what may have been meant.
fn near(word: &str) -> String {
    let family = family_of(word);
    let of_family = KINDS.iter().filter(|kind| family_of(kind) == family);
    let named: Vec<&str> = of_family.take(NAMED_MOST).copied().collect();
    if named.is_empty() { String::new() } else { format!(" (there is {})", named.join(", ")) }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn row(kind: &str, body: serde_json::Value) -> Entry {
        Entry {
            log: String::new(),
            seq: 1,
            at: "2026-01-02T03:04:05.000006Z".to_owned(),
            kind: kind.to_owned(),
            org_id: "org_1".to_owned(),
            agent_id: None,
            actor: None,
            body,
            prev_hash: "0".repeat(64),
            hash: "1".repeat(64),
        }
    }

    fn filter(words: &[&str]) -> Result<Filter, UnknownEventType> {
        Filter::parse(&words.iter().map(|word| (*word).to_owned()).collect::<Vec<_>>())
    }

    #[test]
    fn filter_without_words_wants_every_row_also_of_kinds_that_are_not_known() {
        let all = filter(&[]).unwrap();
        for kind in KINDS.iter().copied().chain(["of.tomorrow"]) {
            assert!(all.admits(&row(kind, json!({}))), "{kind}");
        }
    }

    #[test]
    fn kinds_families_and_decisions_are_wanted_by_their_words() {
        let wanted = filter(&["approval.*", "decision.denied", "key.revoked", "key.*"]).unwrap();
        for (kind, decision, is_wanted) in [
            ("approval.denied", "", true),
            ("approval.expired", "", true),
            ("key.created", "", true),
            ("card_key.made", "", false),
            ("decision", "deny", true),
            ("decision", "allow", false),
            ("decision", "hold", false),
            ("decision.withdrawn", "", false),
            ("facts", "", false),
        ] {
            let row = row(kind, json!({ "decision": decision }));
            assert_eq!(wanted.admits(&row), is_wanted, "{kind} {decision}");
        }
        let all = filter(&["decision.*"]).unwrap();
        assert!(all.admits(&row("decision", json!({ "decision": "allow" }))));
        assert!(all.admits(&row("decision.withdrawn", json!({}))));
    }

    #[test]
    fn word_that_names_nothing_is_refused_with_what_may_be_named() {
        for word in
            ["", "*", ".*", "decision.maybe", "approval.", "approval", "aproval.*", "Decision"]
        {
            let error = filter(&["decision", word]).unwrap_err();
            assert_eq!(error.word, word);
            assert!(error.to_string().contains("name a kind"), "{error}");
        }
        let error = filter(&["approval.aproved"]).unwrap_err().to_string();
        assert!(error.contains("(there is approval.approved, approval.denied"), "{error}");
    }
}
