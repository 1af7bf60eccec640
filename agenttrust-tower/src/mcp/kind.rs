//! The calls that can be guarded, and what they are to the Guardian.

use agenttrust::Effect;
use serde_json::{Map, Value, json};

use crate::mcp_call::{self, EFFECT_OF_AN_UPDATE, TASK_UPDATE, read};

/// The kind of a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A tool.
    Tool,
    /// A resource that is read.
    Resource,
    /// A list of resources that is read.
    Directory,
    /// A read of what is known of a skill before its files are read (the extension `io.modelcontextprotocol/skills`).
    Skill,
    /// A prompt.
    Prompt,
    /// Answers to a task, with which its tool goes on.
    Update,
}

impl Kind {
    pub(super) fn from_method(method: &str) -> Option<Self> {
        match method {
            "tools/call" => Some(Self::Tool),
            "resources/read" => Some(Self::Resource),
            "resources/directory/read" => Some(Self::Directory),
            "skills/get" => Some(Self::Skill),
            "prompts/get" => Some(Self::Prompt),
            "tasks/update" => Some(Self::Update),
            _ => None,
        }
    }

    /// Returns the member of `params` that says which one.
    pub(super) fn named_by(self) -> &'static str {
        match self {
            Self::Tool | Self::Prompt => "name",
            Self::Resource | Self::Directory | Self::Skill => "uri",
            Self::Update => "taskId",
        }
    }

    /// Returns the name that the Guardian is asked about: `server/name` of a tool, `mcp/resources/read`
    /// and so on of the rest, behind the server's name where there is one.
    ///
    /// # Errors
    ///
    /// Returns the reason why there is no such name.
    pub fn tool(self, server: Option<&str>, name: &str) -> Result<String, &'static str> {
        let name = match self {
            Self::Tool => return mcp_call::tool(server, name),
            Self::Resource => read::RESOURCE,
            Self::Directory => read::DIRECTORY,
            Self::Skill => read::SKILL,
            Self::Prompt => read::PROMPT,
            Self::Update => TASK_UPDATE,
        };
        mcp_call::action(server, name)
    }

    /// Returns what the call does, as far as that goes by what it is: of a tool nothing is known.
    #[must_use]
    pub fn effect(self) -> Option<Effect> {
        match self {
            Self::Tool => None,
            Self::Resource | Self::Directory | Self::Skill | Self::Prompt => Some(Effect::Read),
            Self::Update => Some(EFFECT_OF_AN_UPDATE),
        }
    }

    /// Returns what is given, as everywhere that a call of MCP is read: an object, in an array with the
    /// answers of a repeated call and with whatever else there is, where there is any. All of `params` but
    /// what MCP says of `_meta`, and but the name of a tool.
    #[must_use]
    pub fn input(self, params: Option<Value>) -> Value {
        let mut rest = match params {
            Some(Value::Object(params)) => params,
            _ => Map::new(),
        };
        if let Some(Value::Object(mut meta)) = rest.remove("_meta") {
            meta.retain(|name, _| !is_of_mcp(name));
            if !meta.is_empty() {
                rest.insert("_meta".to_owned(), Value::Object(meta));
            }
        }
        let given = match self {
            Self::Tool => {
                rest.remove("name");
                object(&mut rest, "arguments")
            }
            Self::Prompt => {
                let name = rest.remove("name");
                json!({ "name": name, "arguments": object(&mut rest, "arguments") })
            }
            Self::Update => {
                let task = rest.remove("taskId");
                json!({ "taskId": task, "inputResponses": object(&mut rest, "inputResponses") })
            }
            Self::Resource | Self::Skill => json!({ "uri": rest.remove("uri") }),
            Self::Directory => {
                // Which page of it is read is not bound: all of it was asked for.
                rest.remove("cursor");
                json!({ "uri": rest.remove("uri") })
            }
        };
        let [responses, state] =
            ["inputResponses", "requestState"].map(|name| rest.remove(name).unwrap_or_default());
        match (responses.is_null() && state.is_null(), rest.is_empty()) {
            (true, true) => given,
            (false, true) => Value::Array(vec![given, responses, state]),
            (_, false) => Value::Array(vec![given, responses, state, Value::Object(rest)]),
        }
    }
}

/// Takes a member that is an object. An absent one and null are the same call as an empty one, and so they are for
/// answers.
fn object(rest: &mut Map<String, Value>, member: &str) -> Value {
    let given = rest.remove(member).filter(|given| !given.is_null());
    given.unwrap_or_else(|| Value::Object(Map::new()))
}

/// Returns whether MCP has servers go by a member of `_meta`: where to tell of progress, in which trace a call is, and
/// what the client is and can do.
pub(super) fn is_of_mcp(name: &str) -> bool {
    matches!(name, "progressToken" | "traceparent" | "tracestate" | "baggage")
        || name.starts_with("io.modelcontextprotocol/")
}
