//! The facts about a server for a client of OAuth: where it is described as a protected resource (RFC 9728), and what
//! a token needs.

use crate::domain::Base;
use crate::domain::challenge::{self, scope_list};

/// The path below which servers are.
pub(crate) const PATH: &str = "/mcp/";
/// The path below which they are described.
const WELL_KNOWN: &str = "/.well-known/oauth-protected-resource/mcp/";

impl Base {
    /// Returns the absolute URL of the server of this id.
    pub(crate) fn address(&self, server_id: &str) -> String {
        self.below(PATH, server_id)
    }

    /// Returns where the server of this id is described.
    fn description(&self, server_id: &str) -> String {
        self.below(WELL_KNOWN, server_id)
    }

    /// Returns what `WWW-Authenticate` says to a caller without a token that works. `error` is absent where there was
    /// none.
    pub(crate) fn unauthenticated(
        &self,
        server_id: &str,
        name: Option<&str>,
        error: Option<&str>,
    ) -> String {
        let scope = name.map(all_of);
        let scopes: Vec<&str> = scope.as_deref().into_iter().collect();
        challenge::unauthenticated(error, Some(&self.description(server_id)), &scopes)
    }

    /// Returns the same to a caller whose token does not reach as far; `None` where the scopes cannot be written there.
    pub(super) fn insufficient(&self, server_id: &str, needed: &[&str]) -> Option<String> {
        let scope = scope_list(needed)?;
        Some(format!(
            "Bearer error=\"insufficient_scope\", scope=\"{scope}\", resource_metadata=\"{}\"",
            self.description(server_id)
        ))
    }
}

/// Returns what covers every tool of a server.
pub(crate) fn all_of(server: &str) -> String {
    format!("{server}/*")
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
        assert_eq!(base.insufficient("mcp_1", &["files/read", "a b"]), None);
        assert!(!base.unauthenticated("x\"\r\n", Some("a b"), None).contains(['\r', '\n']));
    }
}
