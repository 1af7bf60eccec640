//! What was taken back, as the stream of revocations tells it.

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::hex;

/// A revocation or another change after which a cache has to forget what it knows.
///
/// ```
/// use agenttrust::Revocation;
///
/// let revocation: Revocation = serde_json::from_str(
///     r#"{"kind": "agent", "agent_id": "agt_1"}"#,
/// )?;
/// assert!(revocation.concerns("at_cached", "agt_1"));
/// assert!(!revocation.concerns("at_cached", "agt_2"));
/// # Ok::<(), serde_json::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "lowercase")]
#[non_exhaustive]
pub enum Revocation {
    /// The revocation of one token.
    #[non_exhaustive]
    Token {
        /// The agent that it spoke for.
        #[serde(default)]
        agent_id: String,
        /// The name of the token that is not secret.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        token_id: Option<String>,
        /// The token's hash, as [`token_sha256`](Revocation::token_sha256) returns it.
        token_sha256: String,
    },
    /// An agent was revoked or suspended, or its tokens may carry less than before. Whatever is cached
    /// of any of its tokens is to be asked again.
    #[non_exhaustive]
    Agent {
        /// The agent.
        agent_id: String,
    },
    /// A change that this version does not know. It may concern everything that is cached.
    #[serde(other)]
    Unknown,
}

impl Revocation {
    /// Returns the revocation of one token.
    #[must_use]
    pub fn of_token(
        token_sha256: impl Into<String>,
        token_id: Option<String>,
        agent_id: impl Into<String>,
    ) -> Self {
        Self::Token { agent_id: agent_id.into(), token_id, token_sha256: token_sha256.into() }
    }

    /// Returns the revocation of whatever is cached of an agent.
    #[must_use]
    pub fn of_agent(agent_id: impl Into<String>) -> Self {
        Self::Agent { agent_id: agent_id.into() }
    }

    /// Returns what stands for a token where the token itself must not stand: its SHA-256, 64 digits of
    /// lower-case hexadecimal. A cache that has this for its key needs to keep no token.
    ///
    /// ```
    /// let digest = agenttrust::Revocation::token_sha256("at_1");
    /// assert_eq!(digest, "c786e2117a84db4b4f693ed67799689bfebea7b0b438493ba2c9ff758a7b3c2a");
    /// ```
    #[must_use]
    pub fn token_sha256(token: &str) -> String {
        hex::encode(&Sha256::digest(token.as_bytes()))
    }

    /// Returns whether what is cached of this token, which spoke for this agent, is to be forgotten.
    #[must_use]
    pub fn concerns(&self, token: &str, agent_id: &str) -> bool {
        match self {
            Self::Token { token_sha256, .. } => {
                token_sha256.eq_ignore_ascii_case(&Self::token_sha256(token))
            }
            Self::Agent { agent_id: of } => of == agent_id,
            Self::Unknown => true,
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn parsed(value: serde_json::Value) -> Result<Revocation, serde_json::Error> {
        serde_json::from_value(value)
    }

    #[test]
    fn revoked_token_is_known_by_its_digest_and_no_other_token_is_concerned() {
        let digest = Revocation::token_sha256("at_1");
        let revocation = Revocation::of_token(digest.clone(), Some("tok_1".to_owned()), "agt_1");
        assert!(revocation.concerns("at_1", "agt_1"));
        assert!(!revocation.concerns("at_2", "agt_1"));
        let written = serde_json::to_value(&revocation).unwrap();
        let expected = json!({
            "kind": "token", "agent_id": "agt_1", "token_id": "tok_1", "token_sha256": digest,
        });
        assert_eq!(written, expected);
        assert_eq!(parsed(written).unwrap(), revocation);
    }

    #[test]
    fn kind_that_is_not_known_concerns_everything() {
        let revocation = parsed(json!({ "kind": "session", "session_id": "ats_1" })).unwrap();
        assert_eq!(revocation, Revocation::Unknown);
        assert!(revocation.concerns("at_1", "agt_1"));
    }

    #[test]
    fn revocation_that_does_not_say_of_what_is_none() {
        parsed(json!({ "kind": "agent" })).unwrap_err();
        parsed(json!({ "kind": "token", "agent_id": "agt_1" })).unwrap_err();
        parsed(json!({ "agent_id": "agt_1" })).unwrap_err();
    }
}
