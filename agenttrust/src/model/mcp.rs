//! MCP servers that are registered with a Guardian, and what is known of their tools.

use std::fmt;

use serde::{Deserialize, Serialize, Serializer};
use serde_json::Value;
use zeroize::Zeroizing;

use super::effect::Effect;
use super::timestamp::Timestamp;
use super::tolerant::or_default;
use super::webhook::host;
use super::word::wire_words;

/// An MCP server that is registered with a Guardian, which stands between it and the agents (SDK guide, section 10).
///
/// Its tools are called through [`Mcp::call_tool`](crate::client::Mcp::call_tool), or by an MCP client that is pointed
/// at `{base URL}/mcp/{id}`; a policy sees them as `{name}/{tool}`. `Debug` shows of the URL no more than the host.
#[derive(Clone, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[non_exhaustive]
pub struct McpServer {
    /// The server's id, which is opaque.
    pub id: String,
    /// The server's name, with which the names of its tools begin.
    #[serde(default)]
    #[cfg_attr(feature = "openapi", schema(required = true))]
    pub name: String,
    /// The server's URL; without path and query for callers who may not change it.
    #[serde(default)]
    #[cfg_attr(feature = "openapi", schema(required = true))]
    pub url: String,
    /// The server's capabilities, as they were registered.
    #[serde(default, deserialize_with = "or_default")]
    #[cfg_attr(feature = "openapi", schema(required = true))]
    pub capabilities: Vec<String>,
    /// The organisation that it is of.
    #[serde(default)]
    #[cfg_attr(feature = "openapi", schema(required = true))]
    pub org_id: String,
    /// The time when the server was registered.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(nullable = false))]
    pub created_at: Option<Timestamp>,
    /// The id of the key that registered it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(nullable = false))]
    pub created_by: Option<String>,
    /// The id of its gateway key, by which the Guardian asks for agents that come with a token. Revoked, it stops
    /// those.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(nullable = false))]
    pub key_id: Option<String>,
    /// Whether the Guardian sends it an `Authorization` of its own; which is shown to no one.
    #[serde(default)]
    #[cfg_attr(feature = "openapi", schema(required = true))]
    pub has_authorization: bool,
    /// The time when its tools were last found to be other ones than before; absent until they were listed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(nullable = false))]
    pub tools_seen_at: Option<Timestamp>,
}

impl fmt::Debug for McpServer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("McpServer")
            .field("id", &self.id)
            .field("name", &self.name)
            .field("url", &host(&self.url))
            .field("capabilities", &self.capabilities)
            .field("org_id", &self.org_id)
            .field("created_at", &self.created_at)
            .finish_non_exhaustive()
    }
}

/// A request to register an MCP server.
///
/// `Debug` shows of the URL no more than the host: its path may be as good as a password.
///
/// ```
/// use agenttrust::RegisterMcpServerRequest;
///
/// let request = RegisterMcpServerRequest {
///     name: "code-tools".to_string(),
///     url: "https://mcp-server.example.com/T0p".to_string(),
///     capabilities: Some(vec!["run_code".to_string(), "lint".to_string()]),
/// };
/// assert!(!format!("{request:?}").contains("T0p"));
/// ```
#[derive(Clone, Default, Serialize, Deserialize)]
pub struct RegisterMcpServerRequest {
    /// The server's name, with which the names of its tools begin: `code-tools/lint`.
    pub name: String,
    /// The server's URL: `https`, at a public address, unless the Guardian is configured otherwise.
    pub url: String,
    /// The server's capabilities, for people.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub capabilities: Option<Vec<String>>,
}

impl fmt::Debug for RegisterMcpServerRequest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RegisterMcpServerRequest")
            .field("name", &self.name)
            .field("url", &host(&self.url))
            .field("capabilities", &self.capabilities)
            .finish()
    }
}

/// The value that is sent to an MCP server as `Authorization`, such as `Bearer …`. `Debug` shows nothing of it, and its
/// memory is wiped when dropped.
#[derive(Clone)]
pub struct McpAuthorization(Zeroizing<String>);

impl McpAuthorization {
    /// Returns the value of the header.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl From<String> for McpAuthorization {
    fn from(value: String) -> Self {
        Self(Zeroizing::new(value))
    }
}

impl From<&str> for McpAuthorization {
    fn from(value: &str) -> Self {
        Self::from(value.to_owned())
    }
}

impl fmt::Debug for McpAuthorization {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("McpAuthorization(..)")
    }
}

impl Serialize for McpAuthorization {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

wire_words! {
    /// The state of a tool of an MCP server, compared with its pinned definition.
    pub enum McpToolState as "state of a tool" {
        /// A tool that is as it is pinned, and may be called.
        Pinned = "pinned",
        /// The server describes another tool under its name by now; it may not be called until that is accepted.
        Changed = "changed",
        /// The server does not list it any more.
        Gone = "gone",
    }
    default = Unknown;
}

/// A tool of an MCP server, as a Guardian knows it.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[non_exhaustive]
pub struct McpTool {
    /// The tool's name at its server. A policy sees it as `{server}/{name}`.
    pub name: String,
    /// The tool's state.
    #[serde(default)]
    #[cfg_attr(feature = "openapi", schema(required = true))]
    pub state: McpToolState,
    /// The digest of the pinned definition.
    #[serde(default)]
    #[cfg_attr(feature = "openapi", schema(required = true))]
    pub digest: String,
    /// The pinned definition: name, title, description, schemas and annotations.
    #[serde(default)]
    #[cfg_attr(feature = "openapi", schema(required = true, value_type = Object))]
    pub definition: Value,
    /// The server's present definition, where it differs from the pinned one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(nullable = false))]
    pub changed: Option<McpToolChange>,
    /// The effect to which the tool's annotations raise it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(nullable = false))]
    pub effect_hint: Option<Effect>,
    /// The time when the tool was first seen.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(nullable = false))]
    pub first_seen_at: Option<Timestamp>,
    /// The id of the key that accepted it as it is pinned; absent where it is as it was first seen.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(nullable = false))]
    pub accepted_by: Option<String>,
    /// The time when the definition was accepted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(nullable = false))]
    pub accepted_at: Option<Timestamp>,
}

/// A definition that an MCP server gives for a tool that is pinned otherwise.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[non_exhaustive]
pub struct McpToolChange {
    /// The digest of this definition, by which it is accepted.
    pub digest: String,
    /// The definition; absent where it is too long to be kept or is there twice, which cannot be accepted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(nullable = false, value_type = Option<Object>))]
    pub definition: Option<Value>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn server_is_read_from_as_little_as_a_gateway_may_say() {
        let server: McpServer =
            serde_json::from_str(r#"{"id": "s1", "capabilities": null}"#).unwrap();
        assert_eq!((server.id.as_str(), server.capabilities.len()), ("s1", 0));
        assert!(!server.has_authorization && server.created_at.is_none());
        let tool: McpTool =
            serde_json::from_str(r#"{"name": "a", "state": "quarantined", "more": 1}"#).unwrap();
        assert_eq!(tool.state, McpToolState::Unknown);
    }

    #[test]
    fn debug_shows_neither_the_path_nor_what_is_sent_as_authorization() {
        let server: McpServer =
            serde_json::from_str(r#"{"id": "s1", "url": "https://a.example/T0p?key=K3y"}"#)
                .unwrap();
        let shown = format!("{server:?} {:?}", McpAuthorization::from("Bearer S3cret"));
        assert!(shown.contains("a.example"), "{shown}");
        assert!(!["T0p", "K3y", "S3cret"].iter().any(|secret| shown.contains(secret)), "{shown}");
    }
}
