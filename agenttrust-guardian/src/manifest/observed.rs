//! What changes when an MCP server lists its tools: what is pinned, what is another tool by now, and what of that is
//! told.
//!
//! Pure: the database keeps what is planned here, memory takes it over, the audit tells of it. Everything is bounded,
//! because the list is the word of a server that may be hostile.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use agenttrust::Timestamp;
use serde_json::Value;

use super::pinned::{ListedTool, PinnedTool};

/// The number of tools of one server that are pinned, those that are gone included: forgotten, one could come back as
/// another.
pub(crate) const PINNED_MOST: usize = 1_000;
/// The bytes that the definitions of one server may have in all. They are in memory.
pub(crate) const PINNED_MAX_BYTES: usize = 2 << 20;
/// The time after a report of a tool within which no other report of it is made: a server that changes with every list
/// fills no audit.
const TOLD_EVERY: Duration = Duration::from_secs(60);

/// The word in place of the digest of a tool that is gone, where the last report is noted.
const GONE: &str = "gone";

/// The record of a tool that is kept.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct KeptTool {
    pub(crate) pinned: Arc<PinnedTool>,
    /// The digest of what the server lists under its name instead.
    pub(crate) changed: Option<String>,
    /// Whether the server lists it no more.
    pub(crate) is_gone: bool,
    /// The digest of the description that was reported last, once it was anything but pinned ...
    pub(crate) told: Option<String>,
    /// ... and when.
    pub(crate) told_at: Option<Timestamp>,
    pub(crate) first_seen_at: Timestamp,
    /// The key that accepted it as it is pinned; absent where it is as it was seen first.
    pub(crate) accepted_by: Option<String>,
    pub(crate) accepted_at: Option<Timestamp>,
}

impl KeptTool {
    /// Returns the state in the form in which the last report is noted.
    fn standing(&self) -> &str {
        match &self.changed {
            _ if self.is_gone => GONE,
            Some(changed) => changed,
            None => &self.pinned.digest,
        }
    }

    /// Returns whether the present state is to be reported.
    fn is_news(&self, now: Timestamp) -> bool {
        let told = self.told.as_deref().unwrap_or(&self.pinned.digest);
        told != self.standing()
            && self.told_at.is_none_or(|at| at.saturating_add(TOLD_EVERY) <= now)
    }
}

/// The change of the record of a tool that was pinned already.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Mark {
    pub(crate) name: String,
    /// The definition that it is changed to: its digest, and itself where it can be kept.
    pub(crate) changed: Option<(String, Option<Value>)>,
    pub(crate) is_gone: bool,
    pub(crate) told: Option<String>,
    pub(crate) told_at: Option<Timestamp>,
}

/// The changes in the tool list of a server, for the audit: names, each with its digest.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct ToolListChanges {
    pub(crate) appeared: Vec<(String, String)>,
    pub(crate) changed: Vec<(String, String)>,
    pub(crate) gone: Vec<(String, String)>,
}

/// The changes that a list makes.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Observed {
    pub(crate) pinned: Vec<PinnedTool>,
    pub(crate) marks: Vec<Mark>,
    pub(crate) news: ToolListChanges,
    /// The number of tools there was no room for.
    pub(crate) left_out: usize,
}

impl Observed {
    /// Returns whether there is nothing to keep.
    pub(crate) fn is_empty(&self) -> bool {
        self.pinned.is_empty() && self.marks.is_empty()
    }
}

/// Reads the list of the server of this name: one tool of each name, without those whose name could not be called.
pub(crate) fn read_list(server: &str, tools: &[Value]) -> BTreeMap<String, ListedTool> {
    let mut listed = BTreeMap::new();
    read_page(&mut listed, server, tools);
    listed
}

/// Reads one page of it. What there is no room for keeps its name and its digest: a list may have many pages.
pub(crate) fn read_page(listed: &mut BTreeMap<String, ListedTool>, server: &str, tools: &[Value]) {
    let kept = |tool: &ListedTool| tool.definition.as_ref().map_or(0, |_| tool.bytes);
    let mut bytes: usize = listed.values().map(kept).sum();
    for tool in tools.iter().filter_map(|tool| ListedTool::read(server, tool)) {
        let mut tool = match listed.remove(&tool.name) {
            Some(before) => {
                bytes -= kept(&before);
                before.or_neither(&tool)
            }
            None => tool,
        };
        if bytes.saturating_add(kept(&tool)) > PINNED_MAX_BYTES {
            tool.definition = None;
        }
        bytes += kept(&tool);
        listed.insert(tool.name.clone(), tool);
    }
}

/// The part of a server's tools that a list has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Extent {
    /// All that a client sees that can do everything. What is not there is gone.
    All,
    /// The tools that one client was shown, by what it can do and its own name. Such a list takes no tool from others.
    /// A known tool that it describes otherwise is described so to that client alone.
    Some,
}

/// Returns what changes where `kept` is known and the server has listed `listed`.
pub(crate) fn observe(
    kept: &BTreeMap<String, KeptTool>,
    listed: &BTreeMap<String, ListedTool>,
    extent: Extent,
    now: Timestamp,
) -> Observed {
    let mut observed = Observed::default();
    let mut room = PINNED_MAX_BYTES;
    for (name, before) in kept {
        let mark = match (listed.get(name), extent) {
            (Some(tool), Extent::All) => marked(before, tool, &mut room),
            (Some(tool), Extent::Some) if before.is_gone => marked(before, tool, &mut room),
            (None, Extent::All) => Mark { is_gone: true, ..same(name) },
            (_, Extent::Some) => continue,
        };
        record_mark(&mut observed, before, mark, now);
    }
    let known: BTreeSet<&String> = kept.keys().collect();
    let mut count = kept.len();
    let mut bytes: usize = kept.values().map(|tool| tool.pinned.bytes).sum();
    for tool in listed.values().filter(|tool| !known.contains(&tool.name)) {
        let pin = tool.pin().filter(|pin| {
            count < PINNED_MOST && bytes.saturating_add(pin.bytes) <= PINNED_MAX_BYTES
        });
        let Some(pin) = pin else {
            observed.left_out += 1;
            continue;
        };
        count += 1;
        bytes += pin.bytes;
        observed.news.appeared.push((pin.name.clone(), pin.digest.clone()));
        observed.pinned.push(pin);
    }
    observed
}

/// Returns a tool that is as it is pinned.
fn same(name: &str) -> Mark {
    Mark { name: name.to_owned(), changed: None, is_gone: false, told: None, told_at: None }
}

/// Returns how a tool stands that is listed as `tool`; its new definition is kept where there is `room`.
fn marked(before: &KeptTool, tool: &ListedTool, room: &mut usize) -> Mark {
    if tool.digest == before.pinned.digest {
        return same(&tool.name);
    }
    let definition = tool.definition.clone().filter(|_| tool.bytes <= *room);
    if definition.is_some() {
        *room -= tool.bytes;
    }
    Mark { changed: Some((tool.digest.clone(), definition)), ..same(&tool.name) }
}

/// Records a mark where it says anything that is not kept, and what is reported of it.
fn record_mark(observed: &mut Observed, before: &KeptTool, mut mark: Mark, now: Timestamp) {
    let changed = mark.changed.as_ref().map(|(digest, _)| digest.clone());
    let after = KeptTool { changed, is_gone: mark.is_gone, ..before.clone() };
    let is_news = after.is_news(now);
    if !is_news && after.changed == before.changed && after.is_gone == before.is_gone {
        return;
    }
    (mark.told, mark.told_at) = (before.told.clone(), before.told_at);
    if is_news {
        let ToolListChanges { appeared, changed, gone } = &mut observed.news;
        let list = match (after.is_gone, &after.changed) {
            (true, _) => gone,
            (false, Some(_)) => changed,
            (false, None) => appeared,
        };
        let digest = after.changed.as_ref().unwrap_or(&before.pinned.digest);
        list.push((mark.name.clone(), digest.clone()));
        (mark.told, mark.told_at) = (Some(after.standing().to_owned()), Some(now));
    }
    observed.marks.push(mark);
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn tool(name: &str, description: &str) -> Value {
        json!({ "name": name, "description": description })
    }

    /// The records of the tools of one server, and the time.
    struct Kept {
        tools: BTreeMap<String, KeptTool>,
        now: Timestamp,
    }

    impl Kept {
        fn new() -> Self {
            Self { tools: BTreeMap::new(), now: Timestamp::now() }
        }

        /// Takes in a list, as the database does.
        fn list(&mut self, tools: &[Value]) -> Observed {
            self.listed(tools, Extent::All)
        }

        fn listed(&mut self, tools: &[Value], extent: Extent) -> Observed {
            let observed = observe(&self.tools, &read_list("files", tools), extent, self.now);
            for pinned in observed.pinned.clone() {
                let kept = KeptTool {
                    changed: None,
                    is_gone: false,
                    told: None,
                    told_at: None,
                    first_seen_at: self.now,
                    accepted_by: None,
                    accepted_at: None,
                    pinned: Arc::new(pinned),
                };
                self.tools.insert(kept.pinned.name.clone(), kept);
            }
            for mark in observed.marks.clone() {
                let kept = self.tools.get_mut(&mark.name).unwrap();
                kept.changed = mark.changed.map(|(digest, _)| digest);
                (kept.is_gone, kept.told, kept.told_at) = (mark.is_gone, mark.told, mark.told_at);
            }
            observed
        }

        fn after(&mut self, seconds: u64) {
            self.now = self.now.saturating_add(Duration::from_secs(seconds));
        }

        fn told(&mut self, tools: &[Value]) -> [usize; 3] {
            let ToolListChanges { appeared, changed, gone } = self.list(tools).news;
            [appeared.len(), changed.len(), gone.len()]
        }
    }

    #[test]
    fn list_for_one_client_adds_and_neither_changes_nor_takes_anything_away() {
        let mut kept = Kept::new();
        kept.list(&[tool("a", "one"), tool("b", "two")]);
        let news = kept.listed(&[tool("a", "other"), tool("c", "three")], Extent::Some).news;
        assert_eq!([news.appeared.len(), news.changed.len(), news.gone.len()], [1, 0, 0]);
        assert!(!kept.tools["b"].is_gone && kept.tools["a"].changed.is_none());
        // Nor does it say that all is well again.
        kept.list(&[tool("a", "other"), tool("b", "two"), tool("c", "three")]);
        kept.listed(&[tool("a", "one")], Extent::Some);
        assert!(kept.tools["a"].changed.is_some());
        kept.list(&[tool("a", "one")]);
        assert!(kept.tools["b"].is_gone && kept.tools["c"].is_gone);
        kept.listed(&[tool("b", "two")], Extent::Some);
        assert!(!kept.tools["b"].is_gone && kept.tools["c"].is_gone);
    }

    #[test]
    fn list_that_says_what_is_known_changes_nothing() {
        let mut kept = Kept::new();
        let list = [tool("a", "one"), tool("b", "two")];
        assert_eq!(kept.told(&list), [2, 0, 0]);
        for list in [&list[..], &[tool("b", "two"), tool("a", "one"), tool("a", "one")]] {
            assert!(kept.list(list).is_empty());
        }
        // What cannot be called is no tool, whatever else it is.
        let odd = [&list[..], &[json!(null), json!({ "name": "\n" }), json!(["a"])]].concat();
        assert!(kept.list(&odd).is_empty());
    }

    #[test]
    fn each_change_is_told_once_and_one_that_flaps_once_a_minute() {
        let mut kept = Kept::new();
        let (one, other) = ([tool("a", "one")], [tool("a", "other")]);
        kept.list(&one);
        assert_eq!(kept.told(&other), [0, 1, 0]);
        assert!(kept.tools["a"].changed.is_some());
        assert_eq!(kept.told(&other), [0, 0, 0]);
        for _ in 0..100 {
            kept.after(1);
            assert_eq!(kept.told(&one)[1..], [0, 0], "back, which is no alarm");
            assert!(kept.tools["a"].changed.is_none());
            kept.list(&other);
            assert!(kept.tools["a"].changed.is_some(), "noted at once, told or not");
        }
        // A new one with every list.
        let mut told = 0;
        for n in 0..600 {
            kept.after(1);
            let [appeared, changed, gone] = kept.told(&[tool("a", &format!("{n}"))]);
            told += appeared + changed + gone;
        }
        assert!((9..=11).contains(&told), "{told}");
    }

    #[test]
    fn tool_that_is_gone_is_known_when_it_comes_back() {
        let mut kept = Kept::new();
        kept.list(&[tool("a", "one")]);
        assert_eq!(kept.told(&[]), [0, 0, 1]);
        assert!(kept.tools["a"].is_gone);
        assert_eq!(kept.told(&[]), [0, 0, 0]);
        kept.after(60);
        assert_eq!(kept.told(&[tool("a", "other")]), [0, 1, 0], "as another one");
        kept.after(60);
        assert_eq!(kept.told(&[tool("a", "one")]), [1, 0, 0]);
        assert!(!kept.tools["a"].is_gone && kept.tools["a"].changed.is_none());
    }

    #[test]
    fn list_of_many_pages_keeps_as_much_as_is_pinned_and_the_names_of_the_rest() {
        let mut listed = BTreeMap::new();
        for page in 0..100 {
            let long = tool(&format!("t{page}"), &"x".repeat(60_000));
            read_page(&mut listed, "files", &[long.clone(), long]);
        }
        let kept = listed.values().filter(|tool| tool.definition.is_some());
        let bytes: usize = kept.map(|tool| tool.bytes).sum();
        assert!((PINNED_MAX_BYTES / 2..=PINNED_MAX_BYTES).contains(&bytes), "{bytes}");
        assert_eq!(listed.len(), 100);
    }

    #[test]
    fn two_tools_of_one_name_are_neither() {
        let mut kept = Kept::new();
        let two = [tool("a", "one"), tool("a", "other")];
        let observed = kept.list(&two);
        assert!(observed.is_empty() && observed.left_out == 1);
        kept.list(&[tool("a", "one")]);
        let observed = kept.list(&two);
        let (_, definition) = observed.marks[0].changed.clone().unwrap();
        assert_eq!(definition, None, "which of them would be accepted?");
    }

    #[test]
    fn no_more_is_pinned_than_there_is_room_for_and_what_is_pinned_is_not_pushed_out() {
        let mut kept = Kept::new();
        let many = |from: usize, most: usize| -> Vec<Value> {
            (from..from + most).map(|n| tool(&format!("t{n:05}"), "")).collect()
        };
        let observed = kept.list(&many(0, PINNED_MOST + 5));
        assert_eq!((observed.pinned.len(), observed.left_out), (PINNED_MOST, 5));
        for round in 1..4 {
            let observed = kept.list(&many(round * 5_000, 2_000));
            assert_eq!((observed.pinned.len(), observed.left_out), (0, 2_000));
        }
        assert_eq!(kept.tools.len(), PINNED_MOST);
        assert!(kept.tools.contains_key("t00000"));

        let mut kept = Kept::new();
        let long = |name: &str, text: &str| tool(name, &text.repeat(60_000));
        let list: Vec<Value> = (0..60).map(|n| long(&format!("t{n:02}"), "x")).collect();
        let observed = kept.list(&list);
        let bytes: usize = observed.pinned.iter().map(|tool| tool.bytes).sum();
        assert!(bytes <= PINNED_MAX_BYTES && observed.pinned.len() > 30, "{bytes}");
        // All of them changed: noted of each, and kept of as many as there is room for.
        let list: Vec<Value> = (0..60).map(|n| long(&format!("t{n:02}"), "y")).collect();
        let marks = kept.list(&list).marks;
        assert_eq!(marks.len(), observed.pinned.len());
        let kept: usize = marks
            .iter()
            .filter_map(|mark| mark.changed.as_ref()?.1.as_ref())
            .map(|definition| definition.to_string().len())
            .sum();
        assert!(kept <= PINNED_MAX_BYTES, "{kept}");
    }
}
