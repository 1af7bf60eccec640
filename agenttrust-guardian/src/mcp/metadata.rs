//! What a client of OAuth is told: where the server is described as a protected resource (RFC 9728), and what a token
//! needs.

use serde::Serialize;
use utoipa::ToSchema;

use crate::domain::Base;
use crate::registry::McpServerEntry;

/// The path below which servers are.
pub(crate) const PATH: &str = "/mcp/";
/// The path below which they are described.
const WELL_KNOWN: &str = "/.well-known/oauth-protected-resource/mcp/";

/// An MCP server as a protected resource (RFC 9728).
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct ProtectedResource {
    /// Its absolute URL, which the audience of a token may name.
    resource: String,
    /// Its name.
    resource_name: String,
    /// What a token for all of its tools needs.
    scopes_supported: Vec<String>,
    /// How a token is sent.
    #[schema(value_type = Vec<String>)]
    bearer_methods_supported: [&'static str; 1],
}

impl Base {
    /// The absolute URL of the server of this id.
    pub(crate) fn address(&self, server_id: &str) -> String {
        self.below(PATH, server_id)
    }

    /// Where the server of this id is described.
    fn description(&self, server_id: &str) -> String {
        self.below(WELL_KNOWN, server_id)
    }

    /// Describes a server.
    pub(crate) fn describe(&self, server: &McpServerEntry) -> ProtectedResource {
        ProtectedResource {
            resource: self.address(&server.row.id),
            resource_name: server.row.name.clone(),
            scopes_supported: vec![all_of(&server.row.name)],
            bearer_methods_supported: ["header"],
        }
    }

    /// What `WWW-Authenticate` says to a caller without a token that works. `error` is absent where there was none.
    pub(crate) fn unauthenticated(
        &self,
        server_id: &str,
        name: Option<&str>,
        error: Option<&str>,
    ) -> String {
        let error = error.map(|error| format!("error=\"{error}\", ")).unwrap_or_default();
        let scope = name.and_then(|name| scopes(&[&all_of(name)]));
        let scope = scope.map(|scope| format!(", scope=\"{scope}\"")).unwrap_or_default();
        format!("Bearer {error}resource_metadata=\"{}\"{scope}", self.description(server_id))
    }

    /// The same to a caller whose token does not reach as far; `None` where the scopes cannot be written there.
    pub(super) fn insufficient(&self, server_id: &str, needed: &[&str]) -> Option<String> {
        let scope = scopes(needed)?;
        Some(format!(
            "Bearer error=\"insufficient_scope\", scope=\"{scope}\", resource_metadata=\"{}\"",
            self.description(server_id)
        ))
    }
}

/// What covers every tool of a server.
fn all_of(server: &str) -> String {
    format!("{server}/*")
}

/// A list of scopes as RFC 6750 writes it; `None` where one of them cannot be in it.
fn scopes(scopes: &[&str]) -> Option<String> {
    let plain = |byte: u8| matches!(byte, 0x21 | 0x23..=0x5b | 0x5d..=0x7e);
    let all = scopes.iter().all(|scope| !scope.is_empty() && scope.bytes().all(plain));
    all.then(|| scopes.join(" "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn challenge_names_where_to_look_and_every_scope_at_once() {
        let base = Base("https://guardian.example".to_owned());
        let said = base.unauthenticated("mcp_1", Some("files"), Some("invalid_token"));
        assert_eq!(
            said,
            "Bearer error=\"invalid_token\", resource_metadata=\
             \"https://guardian.example/.well-known/oauth-protected-resource/mcp/mcp_1\", scope=\"files/*\""
        );
        let said = base.insufficient("mcp_1", &["files/read", "db:read"]).unwrap();
        assert!(said.contains("scope=\"files/read db:read\""), "{said}");
        // What would end the text, or be two scopes, is not written.
        for bad in ["", "a b", "a\"b", "a\\b", "ä"] {
            assert_eq!(base.insufficient("mcp_1", &["files/read", bad]), None, "{bad:?}");
        }
        assert!(!base.unauthenticated("x\"\r\n", Some("a b"), None).contains(['\r', '\n']));
    }
}
