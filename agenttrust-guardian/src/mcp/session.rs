//! Sessions of the era that has them, as a client knows them: a sealed value that says whose session it is and what
//! the server calls it. Every replica can read it, nothing is kept, and another agent than its own has no use for it.

use serde::{Deserialize, Serialize};

use super::Proxy;
use super::era::{LEGACY, known};
use super::refusal::Refusal;
use super::subject::Subject;
use crate::domain::Secret;
use crate::registry::McpServerEntry;

/// The name that the seal is bound to, so that nothing else that is sealed is taken for a session.
const ABOUT: &str = "mcp_session";
/// The longest id that is looked at.
const MAX_BYTES: usize = 8 << 10;

/// A session with a server.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub(super) struct Session {
    #[serde(rename = "s")]
    server_id: String,
    #[serde(rename = "a")]
    agent_id: String,
    /// The name that the server gave the session, if it did.
    #[serde(rename = "u")]
    pub(super) upstream: Option<String>,
    #[serde(rename = "v")]
    pub(super) version: String,
}

impl Proxy {
    /// Seals a session that the server has opened for this caller.
    ///
    /// # Errors
    ///
    /// Unavailable where it cannot be sealed.
    pub(super) fn seal(
        &self,
        server: &McpServerEntry,
        subject: &Subject,
        upstream: Option<String>,
        version: &str,
    ) -> Result<String, Refusal> {
        let session = Session {
            server_id: server.row.id.clone(),
            agent_id: subject.agent_id.clone(),
            upstream,
            version: version.to_owned(),
        };
        let text = serde_json::to_string(&session).map_err(|_| Refusal::no_session())?;
        Ok(self.engine.mcp_keys.sessions.seal(ABOUT, &Secret::from(text))?)
    }

    /// Opens the id of a session, if it is this caller's with this server.
    ///
    /// # Errors
    ///
    /// Not found, whatever is wrong with it: an id tells nothing about whose it is.
    pub(super) fn open(
        &self,
        server: &McpServerEntry,
        subject: &Subject,
        sealed: &str,
    ) -> Result<Session, Refusal> {
        let opened = match sealed.len() {
            0..=MAX_BYTES => self.engine.mcp_keys.sessions.open(ABOUT, sealed).ok(),
            _ => None,
        };
        let session = opened.and_then(|text| serde_json::from_str::<Session>(text.expose()).ok());
        session
            .filter(|session| {
                session.server_id == server.row.id
                    && session.agent_id == subject.agent_id
                    && known(&LEGACY, &session.version).is_some()
            })
            .ok_or_else(Refusal::no_session)
    }
}
