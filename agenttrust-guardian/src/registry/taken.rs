//! What was taken back here and is not stored yet. Until it is, whatever row of it arrives is taken over as
//! if it were: memory goes on with nothing that was taken back.

use std::collections::{HashMap, HashSet};

use agenttrust::model::AgentStatus;

use super::{AgentEntry, Registry, SessionEntry, TokenEntry, read_lock, write_lock};
use std::sync::Arc;

/// The marks of what was taken back.
#[derive(Debug, Default)]
pub(super) struct Taken {
    /// How each agent stands at best.
    agents: HashMap<String, AgentStatus>,
    /// The ids of tokens.
    tokens: HashSet<String>,
}

impl Taken {
    fn is_revoked(&self, agent_id: &str) -> bool {
        self.agents.get(agent_id) == Some(&AgentStatus::Revoked)
    }

    /// As it is taken over while the mark stands.
    fn marked(&self, mut entry: AgentEntry) -> AgentEntry {
        if let Some(status) = self.agents.get(&entry.agent.id) {
            entry.agent.status = stricter(entry.agent.status, *status);
        }
        entry
    }
}

/// Every lock of a map below is taken while the marks are held, and never the other way round. So nothing is
/// taken over between a mark and what the mark removes.
impl Registry {
    /// Suspends or revokes an agent in memory, where it stays so until [`release_agent`](Self::release_agent).
    /// With a revoked one go its tokens and sessions.
    pub(crate) fn take_agent(&self, org_id: &str, id: &str, status: AgentStatus) {
        let mut taken = write_lock(&self.taken);
        let mark = taken.agents.entry(id.to_owned()).or_insert(status);
        *mark = stricter(*mark, status);
        if let Some(known) = self.agents.get(org_id, id) {
            self.agents.insert(taken.marked(AgentEntry::clone(&known)));
        }
        if status == AgentStatus::Revoked {
            self.tokens.remove_of_agent(id);
            self.sessions.remove_of_agent(id);
        }
    }

    /// From here on rows of this agent are taken over as they are.
    pub(crate) fn release_agent(&self, id: &str) {
        write_lock(&self.taken).agents.remove(id);
    }

    /// Takes a token back in memory, with the sessions that were made from it, until
    /// [`release_token`](Self::release_token).
    pub(crate) fn take_token(&self, token: &TokenEntry) {
        let mut taken = write_lock(&self.taken);
        taken.tokens.insert(token.row.id.clone());
        self.tokens.remove(&token.row.hash);
        self.sessions.remove_of_token(&token.row.id);
    }

    /// From here on rows of this token are taken over as they are.
    pub(crate) fn release_token(&self, id: &str) {
        write_lock(&self.taken).tokens.remove(id);
    }

    /// Whether this token was taken back and that is not stored yet.
    pub(crate) fn has_taken_token(&self, id: &str) -> bool {
        read_lock(&self.taken).tokens.contains(id)
    }

    /// Takes over an agent as the database has it.
    pub(crate) fn keep_agent(&self, entry: AgentEntry) {
        let taken = read_lock(&self.taken);
        self.agents.insert(taken.marked(entry));
    }

    /// Takes over a token as the database has it, unless it was taken back.
    pub(crate) fn keep_token(&self, entry: TokenEntry) {
        let taken = read_lock(&self.taken);
        if !taken.tokens.contains(&entry.row.id) && !taken.is_revoked(&entry.row.agent_id) {
            self.tokens.insert(entry);
        }
    }

    /// Takes over a session as the database has it, unless what it was made from was taken back.
    pub(crate) fn keep_session(&self, entry: Arc<SessionEntry>) {
        let taken = read_lock(&self.taken);
        let of_token = entry.row.token_id.as_ref().is_some_and(|id| taken.tokens.contains(id));
        if !of_token && !taken.is_revoked(&entry.row.agent_id) {
            self.sessions.insert(entry);
        }
    }

    /// Takes over all agents, tokens and sessions of `fresh` instead of those that are here.
    pub(super) fn keep_all(&self, fresh: Self) {
        let taken = read_lock(&self.taken);
        for (id, status) in &taken.agents {
            if let Some(entry) = fresh.agents.of_any_org(id) {
                fresh.agents.insert(taken.marked(AgentEntry::clone(&entry)));
            }
            if *status == AgentStatus::Revoked {
                fresh.tokens.remove_of_agent(id);
                fresh.sessions.remove_of_agent(id);
            }
        }
        for id in &taken.tokens {
            if let Some(token) = fresh.tokens.by_id(id) {
                fresh.tokens.remove(&token.row.hash);
            }
            fresh.sessions.remove_of_token(id);
        }
        self.agents.replace(fresh.agents);
        self.tokens.replace(fresh.tokens);
        self.sessions.replace(fresh.sessions);
    }
}

/// The worse of two ways to stand. One that this version does not know is the worst.
fn stricter(one: AgentStatus, other: AgentStatus) -> AgentStatus {
    let rank = |status| match status {
        AgentStatus::Active => 0,
        AgentStatus::Suspended => 1,
        AgentStatus::Revoked => 2,
        _ => 3,
    };
    if rank(one) >= rank(other) { one } else { other }
}
