//! What the server says of its tools, held to what it said of each first: a tool that is described otherwise later is
//! not the one that was looked at.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use agenttrust::Effect;
use serde_json::Value;

use super::pins::{Pin, Pins};
use crate::manifest::{ListedTool, PinnedTool};

/// The number of tools of one server that are known.
const MOST: usize = 1_000;
/// The time for which a list is used. A server that says that it has another one is asked at once.
const FRESH: Duration = Duration::from_secs(30);
/// The time after a list in which the server is not asked again for a tool that is not on it.
const AGAIN: Duration = Duration::from_secs(1);

/// Whether a tool may be asked about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Standing {
    /// The tool is as it was first; with the effect that its annotations raise it to.
    Known(Option<Effect>),
    /// The tool is described otherwise than it was first.
    Changed,
    /// The server has no such tool.
    Unknown,
    /// The server has to be asked for its tools.
    Stale,
}

#[derive(Debug)]
pub(super) struct Tools {
    server: String,
    /// The file where what is pinned is kept for the next run.
    kept_in: Option<PathBuf>,
    known: Mutex<ListedTools>,
}

/// The tools that the server listed, first and now.
#[derive(Debug, Default)]
struct ListedTools {
    first: HashMap<String, First>,
    /// The tools that are on the list now, and whether they are as they were first.
    now: HashMap<String, bool>,
    listed_at: Option<Instant>,
    pins: Option<Pins>,
}

/// A tool as it was first.
#[derive(Debug)]
struct First {
    digest: String,
    effect: Option<Effect>,
}

impl Tools {
    /// Returns the tools of a server, held to what they were in earlier runs where that is kept.
    pub(super) fn new(server: &str, kept: Option<(Pins, Vec<Pin>)>) -> Self {
        let mut known = ListedTools::default();
        let mut kept_in = None;
        if let Some((pins, earlier)) = kept {
            kept_in = Some(pins.path.clone());
            known.pins = Some(pins);
            for Pin { name, digest, effect_hint, .. } in earlier {
                // Of two runs at once, the first that noted it.
                known.first.entry(name).or_insert(First { digest, effect: effect_hint });
            }
        }
        Self { server: server.to_owned(), kept_in, known: Mutex::new(known) }
    }

    /// Returns where what is pinned is kept, if it is.
    pub(super) fn kept_in(&self) -> Option<&Path> {
        self.kept_in.as_deref()
    }

    /// Returns what the annotations of a tool raise it to.
    pub(super) fn effect(&self, tool: &str) -> Option<Effect> {
        self.known().first.get(tool).and_then(|first| first.effect)
    }

    fn known(&self) -> MutexGuard<'_, ListedTools> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Forgets how old the list is: the server says that it has another one.
    pub(super) fn outdated(&self) {
        self.known().listed_at = None;
    }

    /// Returns how a tool stands, as far as the list is not too old.
    pub(super) fn standing(&self, tool: &str) -> Standing {
        let known = self.known();
        let age = known.listed_at.map(|at| at.elapsed());
        match known.now.get(tool) {
            _ if age.is_none_or(|age| age > FRESH) => Standing::Stale,
            Some(true) => Standing::Known(known.first.get(tool).and_then(|first| first.effect)),
            Some(false) => Standing::Changed,
            None if age.is_some_and(|age| age > AGAIN) => Standing::Stale,
            None => Standing::Unknown,
        }
    }

    /// Takes a page of the list, or the whole of it, and takes out of that what is not as it was first; returns
    /// whether that was any.
    pub(super) fn listed(&self, tools: &mut Vec<Value>, whole: bool) -> bool {
        let before = tools.len();
        let mut known = self.known();
        if whole {
            known.now.clear();
            known.listed_at = Some(Instant::now());
        }
        tools.retain(|tool| known.look_at(&self.server, tool));
        tools.len() < before
    }
}

impl ListedTools {
    /// Notes a tool that is listed; returns whether it is as it was first.
    fn look_at(&mut self, server: &str, tool: &Value) -> bool {
        let Some(listed) = ListedTool::read(server, tool) else { return false };
        let is_first = match self.first.get(&listed.name) {
            Some(first) => first.digest == listed.digest,
            None => match listed.pin().filter(|_| self.first.len() < MOST) {
                Some(pinned) => {
                    if !self.pin(pinned) {
                        return false;
                    }
                    true
                }
                None => {
                    tracing::warn!(
                        tool = listed.name,
                        "a tool is left out: its description is too long, or the server has too many tools"
                    );
                    return false;
                }
            },
        };
        if !is_first {
            tracing::warn!(
                tool = listed.name,
                "the MCP server describes a tool otherwise than it did first: it is not called"
            );
        }
        // Listed twice, it is the one that was looked at only where both are.
        let both = *self.now.get(&listed.name).unwrap_or(&true);
        self.now.insert(listed.name, is_first && both);
        is_first
    }

    /// Notes what a tool is, for as long as that is to hold; whether it could.
    fn pin(&mut self, tool: PinnedTool) -> bool {
        let PinnedTool { name, digest, effect_hint, definition, .. } = tool;
        let pin = Pin { name, digest, effect_hint, definition };
        if let Some(Err(error)) = self.pins.as_mut().map(|pins| pins.keep(&pin)) {
            tracing::warn!(tool = pin.name, %error, "a tool is left out: it could not be noted for the next run");
            return false;
        }
        self.first.insert(pin.name, First { digest: pin.digest, effect: pin.effect_hint });
        true
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn whole(tools: &Tools, list: &[Value]) {
        tools.listed(&mut list.to_vec(), true);
    }

    fn tool(name: &str, description: &str) -> Value {
        json!({ "name": name, "description": description, "inputSchema": { "type": "object" } })
    }

    #[test]
    fn tool_that_is_described_otherwise_is_none_until_it_is_as_it_was() {
        let tools = Tools::new("files", None);
        assert_eq!(tools.standing("read"), Standing::Stale);
        whole(&tools, &[tool("read", "reads"), tool("write", "writes")]);
        assert_eq!(tools.standing("read"), Standing::Known(None));
        assert_eq!(tools.standing("delete"), Standing::Unknown);
        whole(&tools, &[tool("read", "reads, and tells me"), tool("write", "writes")]);
        assert_eq!(tools.standing("read"), Standing::Changed);
        assert_eq!(tools.standing("write"), Standing::Known(None));
        whole(&tools, &[tool("read", "reads")]);
        assert_eq!(tools.standing("read"), Standing::Known(None));
        assert_eq!(tools.standing("write"), Standing::Unknown, "it is gone");
        tools.outdated();
        assert_eq!(tools.standing("read"), Standing::Stale);
    }

    #[test]
    fn page_is_shown_without_what_is_described_otherwise() {
        let tools = Tools::new("files", None);
        let mut page = vec![tool("read", "reads"), tool("write", "writes")];
        assert!(!tools.listed(&mut page, false));
        let mut page =
            vec![tool("write", "writes"), tool("read", "x"), json!({ "name": "a\u{7}" })];
        assert!(tools.listed(&mut page, false));
        assert_eq!(page, [tool("write", "writes")]);
        // No page is the whole list.
        assert_eq!(tools.standing("write"), Standing::Stale);
    }

    #[test]
    fn tool_that_is_listed_twice_is_itself_only_where_both_are_one() {
        let tools = Tools::new("files", None);
        for both in [["reads", "tells me"], ["tells me", "reads"]] {
            whole(&tools, &both.map(|description| tool("read", description)));
            assert_eq!(tools.standing("read"), Standing::Changed);
        }
        whole(&tools, &[tool("read", "reads"), tool("read", "reads")]);
        assert_eq!(tools.standing("read"), Standing::Known(None));
    }

    #[test]
    fn annotation_raises_what_a_tool_does() {
        let tools = Tools::new("files", None);
        let mut listed = tool("tidy", "tidies up");
        listed["annotations"] = json!({ "destructiveHint": true, "readOnlyHint": true });
        whole(&tools, &[listed]);
        assert_eq!(tools.standing("tidy"), Standing::Known(Some(Effect::Destructive)));
    }

    #[test]
    fn server_with_too_many_tools_has_no_more() {
        let tools = Tools::new("files", None);
        let all: Vec<_> = (0..=MOST).map(|at| tool(&format!("t{at}"), "")).collect();
        whole(&tools, &all);
        assert_eq!(tools.standing("t0"), Standing::Known(None));
        assert_eq!(tools.standing(&format!("t{MOST}")), Standing::Unknown);
    }

    #[test]
    fn tool_of_an_earlier_run_is_held_to_what_it_was_then_and_one_that_is_not_noted_is_none() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("pins");
        let next = || Tools::new("files", Some(Pins::open(&path).unwrap()));
        let mut listed = tool("tidy", "tidies up");
        listed["annotations"] = json!({ "destructiveHint": true });
        let first = next();
        whole(&first, &[tool("read", "reads"), listed]);
        assert_eq!(first.kept_in(), Some(&*path));
        let second = next();
        whole(&second, &[tool("read", "tells me"), tool("tidy", "tidies up"), tool("new", "")]);
        assert_eq!(second.standing("read"), Standing::Changed);
        assert_eq!(second.standing("tidy"), Standing::Changed);
        assert_eq!(second.standing("new"), Standing::Known(None));
        let third = next();
        whole(&third, &[tool("read", "reads"), tool("new", "other")]);
        assert_eq!(third.standing("read"), Standing::Known(None));
        assert_eq!(third.standing("new"), Standing::Changed);
        assert_eq!(third.effect("tidy"), Some(Effect::Destructive));
    }
}
