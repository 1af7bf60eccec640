//! What is open now. A session that was made from a token or a delegation works only as long as that works. A token
//! that was issued in a session works only as long as the session.

use std::sync::Arc;

use agenttrust::Timestamp;

use super::{Registry, SessionEntry, TokenEntry};
use crate::domain::ids::SESSION_PREFIX;
use crate::store::SessionRow;

/// The depth to which sessions may be made from tokens that were issued in sessions. Beyond it nothing is open, so
/// that a look stays cheap.
const NESTED_MOST: usize = 8;

impl Registry {
    /// Returns the open session that was opened with this key from an origin (see
    /// [`opened_from`](super::Sessions::opened_from)), if it is as is wanted now.
    pub(crate) fn open_from(
        &self,
        (origin, key_id): (&str, &str),
        now: Timestamp,
        is_as_wanted: impl Fn(&SessionRow) -> bool,
    ) -> Option<Arc<SessionEntry>> {
        let opened = self.sessions.opened_from(origin, key_id).into_iter();
        opened
            .filter(|session| is_as_wanted(&session.row))
            .find(|session| self.is_open(session, now))
    }

    /// Returns whether this session is open: neither it nor anything that it was made from is over.
    pub(crate) fn is_open(&self, session: &Arc<SessionEntry>, now: Timestamp) -> bool {
        let mut session = Arc::clone(session);
        for _ in 0..NESTED_MOST {
            if !session.is_live(now) {
                return false;
            }
            let row = &session.row;
            if let Some(id) = &row.delegation_id
                && self.chain(&row.org_id, id, now).is_err()
            {
                return false;
            }
            let Some(token_id) = session.row.token_id.as_deref() else { return true };
            let Some(token) = self.tokens.by_id(token_id) else { return false };
            if token.row.expires_at <= now {
                return false;
            }
            let Some(id) = issued_in(&token) else { return true };
            let Some(outer) = self.sessions.get(&token.row.org_id, id) else { return false };
            session = outer;
        }
        false
    }

    /// Returns the keys that issued the tokens that this session was made from: its own, and those that the sessions
    /// were made from in which these were issued.
    pub(crate) fn issuers(&self, session: &Arc<SessionEntry>) -> Vec<String> {
        let mut issuers = Vec::new();
        let mut next = Some(Arc::clone(session));
        // A session that is nested deeper is not open.
        for _ in 0..NESTED_MOST {
            let Some(session) = next else { break };
            let row = &session.row;
            issuers.extend(row.workload.as_ref().map(|workload| workload.issued_by.clone()));
            let Some(token) = row.token_id.as_deref().and_then(|id| self.tokens.by_id(id)) else {
                break;
            };
            issuers.extend(token.row.issued_by.clone());
            next = self.session_of(&token);
        }
        issuers
    }

    /// Returns whether this token works: neither it nor the session that it was issued in is over.
    pub(crate) fn works(&self, token: &TokenEntry, now: Timestamp) -> bool {
        token.row.expires_at > now
            && (issued_in(token).is_none()
                || self.session_of(token).is_some_and(|session| self.is_open(&session, now)))
    }

    /// Returns whether a token of this agent ended before its time, with the session that it was issued in.
    pub(crate) fn has_orphaned_tokens(&self, agent_id: &str, now: Timestamp) -> bool {
        let issued_in_one = self.tokens.of_agent(agent_id, |token| issued_in(token).is_some());
        issued_in_one.iter().any(|token| token.row.expires_at > now && !self.works(token, now))
    }

    /// Returns the session that this token was issued in, if it was in one of ours and that is still known.
    pub(crate) fn session_of(&self, token: &TokenEntry) -> Option<Arc<SessionEntry>> {
        self.sessions.get(&token.row.org_id, issued_in(token)?)
    }
}

/// Returns the issued session that bounds this token; one that a caller named itself bounds nothing.
fn issued_in(token: &TokenEntry) -> Option<&str> {
    token.row.session_id.as_deref().filter(|id| id.starts_with(SESSION_PREFIX))
}
