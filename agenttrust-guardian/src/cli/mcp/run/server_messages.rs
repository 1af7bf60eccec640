//! The way back: what the server says, as the client hears it, and how calls ended.

use std::borrow::Cow;
use std::sync::atomic::Ordering;

use agenttrust::CallOutcome;
use agenttrust_tower::internal::mcp::{INTERNAL_ERROR, Kind, Rejection, Text, parse};
use serde::Deserialize;
use serde_json::value::RawValue;
use serde_json::{Map, Value, json};

use super::lines::{Gone, Line};
use super::malformed::MalformedLine;
use super::pending::{Waiting, Whose};
use super::relay::{Relay, Stop, TOOLS_CHANGED, VALUES_MOST};
use crate::manifest::without_unreadable;

/// The begin of the names of those members of `_meta` that are the Guardian's own: a server that says in its name that
/// a call was not made would have it made twice.
const OURS: &str = "agenttrust/";

/// An answer that is JSON and not of the kind that is looked into: it has half a character in a text, or two members of
/// one name.
#[derive(Deserialize)]
struct Unusual<'a> {
    #[serde(borrow)]
    jsonrpc: Cow<'a, str>,
    id: Value,
    #[serde(borrow)]
    method: Option<&'a RawValue>,
    #[serde(borrow)]
    result: Option<&'a RawValue>,
    #[serde(borrow)]
    error: Option<&'a RawValue>,
}

/// The parts that a result of this kind is looked at for.
#[derive(Default, Deserialize)]
struct OfResult<'a> {
    #[serde(rename = "isError")]
    is_error: Option<bool>,
    #[serde(borrow, rename = "_meta")]
    meta: Option<&'a RawValue>,
}

/// Reads a line; of a list of tools, without those that cannot be read.
fn read(text: &[u8]) -> Result<Text, serde_json::Error> {
    let read = parse(text, VALUES_MOST);
    match read.as_ref().err().and_then(|_| without_unreadable(text, VALUES_MOST)) {
        Some(rewritten) => parse(&rewritten, VALUES_MOST),
        None => read,
    }
}

impl<'a> Unusual<'a> {
    fn read(text: &'a [u8]) -> Option<Self> {
        let read: Self = serde_json::from_slice(text).ok()?;
        let is_answer = read.method.is_none() && read.result.is_some() != read.error.is_some();
        (read.jsonrpc == "2.0" && is_answer).then_some(read)
    }

    fn of_result(&self) -> Option<OfResult<'a>> {
        serde_json::from_str(self.result?.get()).ok()
    }

    fn outcome(&self) -> CallOutcome {
        match self.of_result().map(|result| result.is_error) {
            None => CallOutcome::failure("JsonRpcError"),
            Some(Some(true)) => CallOutcome::failure("ToolError"),
            Some(_) => CallOutcome::Success,
        }
    }

    /// Returns whether it says something in the Guardian's name, or where it is unknown whether it does.
    fn forges(&self) -> bool {
        let Some(result) = self.of_result() else { return self.result.is_some() };
        let Some(meta) = result.meta else { return false };
        let members = serde_json::from_str::<Map<String, Value>>(meta.get());
        members.map_or(true, |it| it.keys().any(|name| name.starts_with(OURS)))
    }
}

impl Relay {
    /// Takes a line of the server.
    pub(super) async fn handle_server_line(&self, line: Line) -> Result<(), Stop> {
        let Line::Text(text) = line else { return Err(Stop::Unreadable) };
        let text = text.trim_ascii();
        if text.is_empty() {
            return Ok(());
        }
        let passes = match read(text) {
            Ok(Text::Object(members)) if members.get("jsonrpc") == Some(&json!("2.0")) => {
                self.message(members, text)
            }
            Ok(Text::TooMany) => return Err(Stop::Unreadable),
            _ => match Unusual::read(text) {
                Some(unusual) => self.unusual(&unusual, text),
                None => return Ok(self.malformed(text).await?),
            },
        };
        match passes {
            Some(line) => Ok(self.to_client.write(line).await?),
            None => Ok(()),
        }
    }

    /// Takes a line that cannot be read. The caller that waits for it gets an error, and where that caller is unknown,
    /// every caller that waits: no other answer comes.
    async fn malformed(&self, text: &[u8]) -> Result<(), Gone> {
        self.left_out(text.len());
        let ids = match MalformedLine::of(text) {
            MalformedLine::Noise | MalformedLine::Told => Vec::new(),
            MalformedLine::Answer(None) => self.pending.end_asked(),
            MalformedLine::Answer(Some(id)) => match self.pending.answered(&id) {
                Whose::Client(waiting) => {
                    waiting.unanswered();
                    vec![id]
                }
                // What waits for it ends with the sender.
                Whose::Own(_) | Whose::Nobody => Vec::new(),
            },
        };
        for id in ids {
            let message = "the MCP server sent an answer that cannot be read";
            self.refuse(Rejection::new(INTERNAL_ERROR, message).id(id)).await?;
        }
        Ok(())
    }

    /// Returns what passes of an answer that no request waits for: nothing but that it came, to one whose id is written
    /// alike.
    fn stray(&self, id: &Value) -> Option<Vec<u8>> {
        let times = self.strays.fetch_add(1, Ordering::Relaxed) + 1;
        if times.is_power_of_two() {
            tracing::warn!(
                times,
                "the MCP server answered what was not asked, or was cancelled, which is left out"
            );
        }
        let (meant, waiting) = self.pending.alike(id)?;
        waiting.unanswered();
        let message =
            format!("the MCP server answered the id {id}, and what was asked has {meant}");
        let rejection = Rejection::new(INTERNAL_ERROR, message).id(meant);
        Some(rejection.into_message().to_string().into_bytes())
    }

    /// Returns what of a message passes to the client.
    fn message(&self, members: Map<String, Value>, text: &[u8]) -> Option<Vec<u8>> {
        match (members.get("method"), members.get("id")) {
            (Some(method), id) => {
                if id.is_none() && method == TOOLS_CHANGED {
                    self.tools.outdated();
                }
                Some(text.to_vec())
            }
            (None, None | Some(Value::Null)) => Some(text.to_vec()),
            (None, Some(id)) => {
                match self.pending.answered(id) {
                    Whose::Nobody => self.stray(id),
                    Whose::Own(waits) => {
                        // Nothing waits any more where this fails.
                        let _ = waits.send(members);
                        None
                    }
                    Whose::Client(waiting) => Some(self.answered(waiting, members, text)),
                }
            }
        }
    }

    /// Returns what passes of an answer that is JSON and not of the kind that is looked into, such as one with half a
    /// character: its caller gets it, and the outcome of its call is reported.
    fn unusual(&self, unusual: &Unusual<'_>, text: &[u8]) -> Option<Vec<u8>> {
        let unreadable = |whose: &str| {
            let message = format!("the MCP server sent {whose} that cannot be read");
            let rejection = Rejection::new(INTERNAL_ERROR, message).id(unusual.id.clone());
            Some(rejection.into_message().to_string().into_bytes())
        };
        match self.pending.answered(&unusual.id) {
            // What waits for it ends with the sender.
            Whose::Nobody => self.stray(&unusual.id),
            Whose::Own(_) => None,
            Whose::Client(Waiting::Listing { .. }) => unreadable("a list of tools"),
            Whose::Client(Waiting::Running(permit)) => {
                permit.finish_with(unusual.outcome());
                match unusual.forges() {
                    true => unreadable("an answer"),
                    false => Some(text.to_vec()),
                }
            }
            Whose::Client(Waiting::Passing | Waiting::Checking(_)) => Some(text.to_vec()),
        }
    }

    /// Tells of a line that is no message. Ever more rarely: what a server prints line by line would fill the log.
    fn left_out(&self, bytes: usize) {
        let times = self.noise.fetch_add(1, Ordering::Relaxed) + 1;
        if times.is_power_of_two() {
            tracing::warn!(
                times,
                bytes,
                "the MCP server wrote what is no message, which is left out"
            );
        }
    }

    /// Returns what of an answer passes to the client.
    fn answered(&self, waiting: Waiting, mut members: Map<String, Value>, text: &[u8]) -> Vec<u8> {
        let is_changed = match waiting {
            Waiting::Running(permit) => {
                permit.finish_with(outcome(&members));
                without_forged(&mut members)
            }
            Waiting::Listing { first } => match members.get_mut("result") {
                Some(Value::Object(result)) => self.show(result, first),
                _ => false,
            },
            Waiting::Passing | Waiting::Checking(_) => false,
        };
        match is_changed {
            true => Value::Object(members).to_string().into_bytes(),
            false => text.to_vec(),
        }
    }

    /// Leaves in a page of tools those that are as they were first and that the agent may call; whether any was left
    /// out.
    fn show(&self, result: &mut Map<String, Value>, is_first_page: bool) -> bool {
        let is_whole = is_first_page && result.get("nextCursor").is_none_or(Value::is_null);
        let Some(Value::Array(tools)) = result.get_mut("tools") else { return false };
        let listed = tools.len();
        self.tools.listed(tools, is_whole);
        tools.retain(|tool| {
            let name = tool.get("name").and_then(Value::as_str).unwrap_or_default();
            let action = Kind::Tool.tool(Some(&self.server), name);
            action.is_ok_and(|action| self.asked.may_see(action, self.tools.effect(name)))
        });
        let is_shorter = tools.len() < listed;
        // From 2026-07-28 on a list says who else may be shown it.
        if is_shorter && result.contains_key("cacheScope") {
            result.insert("cacheScope".to_owned(), "private".into());
        }
        is_shorter
    }
}

/// Leaves out of an answer what is said in the Guardian's name; whether there was any.
fn without_forged(answer: &mut Map<String, Value>) -> bool {
    let meta = answer.get_mut("result").and_then(|result| result.get_mut("_meta"));
    let Some(Value::Object(meta)) = meta else { return false };
    let before = meta.len();
    meta.retain(|name, _| !name.starts_with(OURS));
    meta.len() < before
}

/// Returns what became of a call, by the answer, as the layers say it.
fn outcome(answer: &Map<String, Value>) -> CallOutcome {
    let Some(result) = answer.get("result") else { return CallOutcome::failure("JsonRpcError") };
    match result.get("isError").and_then(Value::as_bool) {
        Some(true) => CallOutcome::failure("ToolError"),
        _ => CallOutcome::Success,
    }
}
