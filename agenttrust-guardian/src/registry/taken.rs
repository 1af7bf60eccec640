//! What was taken back here and is not stored yet. Until it is, whatever row of it arrives is taken over as
//! if it were: memory goes on with nothing that was taken back.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::sync::Arc;

use agenttrust::Timestamp;
use agenttrust::model::AgentStatus;

use super::{
    AgentEntry, DelegationEntry, Registry, SessionEntry, TokenEntry, read_lock, write_lock,
};
use crate::store::{Gone, ProviderRow, SessionRow};

/// The marks of what was taken back.
#[derive(Debug, Default)]
pub(super) struct Taken {
    /// The best status that each agent may have.
    agents: HashMap<String, AgentStatus>,
    /// The ids of tokens.
    tokens: HashSet<String>,
    /// The ids of sessions.
    sessions: HashSet<String>,
    /// The ids of delegations.
    delegations: HashSet<String>,
    /// The ids of federation providers.
    providers: HashSet<String>,
    /// The ids of keys that are revoked with what was issued with them.
    issuers: HashSet<String>,
}

impl Taken {
    fn is_revoked(&self, agent_id: &str) -> bool {
        self.agents.get(agent_id) == Some(&AgentStatus::Revoked)
    }

    /// Returns whether this key is one that is revoked with what was issued with it.
    fn is_issuer(&self, key_id: Option<&String>) -> bool {
        key_id.is_some_and(|id| self.issuers.contains(id))
    }

    /// Returns the entry as it is taken over while the mark stands.
    fn marked(&self, mut entry: AgentEntry) -> AgentEntry {
        if let Some(status) = self.agents.get(&entry.agent.id) {
            entry.agent.status = stricter(entry.agent.status, *status);
        }
        entry
    }
}

/// The entries that were forgotten because they were taken back.
#[derive(Debug, Default)]
pub(crate) struct Removed {
    tokens: Vec<Arc<TokenEntry>>,
    sessions: Vec<Arc<SessionEntry>>,
    delegations: Vec<Arc<DelegationEntry>>,
}

impl Removed {
    /// Returns how much of it worked until `now`.
    pub(crate) fn count(&self, now: Timestamp) -> Gone {
        let tokens = self.tokens.iter().filter(|token| token.row.expires_at > now).count();
        let sessions = self.sessions.iter().filter(|session| session.is_live(now)).count();
        let delegations = self.delegations.iter().filter(|it| it.is_live(now)).count();
        Gone { tokens: tokens as u64, sessions: sessions as u64, delegations: delegations as u64 }
    }

    fn append(&mut self, mut more: Self) {
        self.tokens.append(&mut more.tokens);
        self.sessions.append(&mut more.sessions);
        self.delegations.append(&mut more.delegations);
    }

    /// Returns the agents that had some of it.
    pub(crate) fn agents(&self) -> BTreeSet<&str> {
        let of_tokens = self.tokens.iter().map(|token| token.row.agent_id.as_str());
        let of_sessions = self.sessions.iter().map(|session| session.row.agent_id.as_str());
        of_tokens.chain(of_sessions).collect()
    }
}

/// Every lock of a map below is taken while the marks are held, and never the other way round. So nothing is
/// taken over between a mark and what the mark removes.
impl Registry {
    /// Suspends or revokes an agent in memory, where it stays so until [`release_agent`](Self::release_agent).
    /// With a revoked one go its tokens, sessions and delegations; returns what went with the delegations.
    pub(crate) fn take_agent(&self, org_id: &str, id: &str, status: AgentStatus) -> Removed {
        let mut taken = write_lock(&self.taken);
        let mark = taken.agents.entry(id.to_owned()).or_insert(status);
        *mark = stricter(*mark, status);
        if let Some(known) = self.agents.get(org_id, id) {
            self.agents.insert(taken.marked(AgentEntry::clone(&known)));
        }
        match status {
            AgentStatus::Revoked => self.remove_of_agent(id),
            _ => Removed::default(),
        }
    }

    /// Forgets what was issued, opened and given to an agent, and what it gave; returns what went with the
    /// delegations.
    pub(crate) fn remove_of_agent(&self, id: &str) -> Removed {
        self.tokens.remove_of_agent(id);
        self.sessions.remove_of_agent(id);
        self.remove_opened_from(self.delegations.remove_of_agent(id))
    }

    /// Removes the mark: from here on, rows of this agent are taken over as they are.
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

    /// Removes the mark: from here on, rows of this token are taken over as they are.
    pub(crate) fn release_token(&self, id: &str) {
        write_lock(&self.taken).tokens.remove(id);
    }

    /// Returns whether this token was taken back and that is not stored yet.
    pub(crate) fn has_taken_token(&self, id: &str) -> bool {
        read_lock(&self.taken).tokens.contains(id)
    }

    /// Takes a session back in memory, with all that was made from it, until
    /// [`release_session`](Self::release_session).
    pub(crate) fn take_session(&self, id: &str) -> Removed {
        let mut taken = write_lock(&self.taken);
        taken.sessions.insert(id.to_owned());
        self.remove_session(id)
    }

    /// Removes the mark: from here on, rows of this session are taken over as they are.
    pub(crate) fn release_session(&self, id: &str) {
        write_lock(&self.taken).sessions.remove(id);
    }

    /// Takes a delegation back in memory, with all that was made from it, until
    /// [`release_delegation`](Self::release_delegation).
    pub(crate) fn take_delegation(&self, id: &str) -> Removed {
        let mut taken = write_lock(&self.taken);
        taken.delegations.insert(id.to_owned());
        self.remove_delegation(id)
    }

    /// Removes the mark: from here on, rows of this delegation are taken over as they are.
    pub(crate) fn release_delegation(&self, id: &str) {
        write_lock(&self.taken).delegations.remove(id);
    }

    /// Takes a federation provider back in memory, with the sessions that it vouched for and what was issued with its
    /// gateway key, until [`release_provider`](Self::release_provider).
    pub(crate) fn take_provider(&self, id: &str, key_id: &str) -> Removed {
        let mut taken = write_lock(&self.taken);
        taken.providers.insert(id.to_owned());
        taken.issuers.insert(key_id.to_owned());
        self.keys.take_back(key_id);
        let mut removed = self.remove_provider(id);
        removed.append(self.remove_issued(key_id));
        removed
    }

    /// Removes the marks: from here on, rows of this federation provider, and of what was issued with its key, are
    /// taken over as they are.
    pub(crate) fn release_provider(&self, id: &str, key_id: &str) {
        let mut taken = write_lock(&self.taken);
        taken.providers.remove(id);
        taken.issuers.remove(key_id);
    }

    /// Forgets a federation provider, with the sessions that it vouched for and all that was made from them.
    pub(crate) fn remove_provider(&self, id: &str) -> Removed {
        self.providers.remove(id);
        self.remove_vouched(id)
    }

    fn remove_vouched(&self, provider_id: &str) -> Removed {
        let vouched = |row: &SessionRow| {
            row.federated.as_ref().is_some_and(|federated| federated.provider_id == provider_id)
        };
        self.remove_made(Vec::new(), self.sessions.remove_where(vouched))
    }

    /// Takes over a federation provider as the database has it, unless it was taken back. Where something was taken
    /// away from its tokens, the sessions that it vouched for are forgotten, which ended with that, and are returned.
    pub(crate) fn keep_provider(&self, row: ProviderRow) -> Removed {
        let taken = read_lock(&self.taken);
        if taken.providers.contains(&row.id) {
            return Removed::default();
        }
        let (id, version) = (row.id.clone(), row.version);
        match self.providers.insert(row) {
            Some(before) if before.row.version != version => self.remove_vouched(&id),
            _ => Removed::default(),
        }
    }

    /// Forgets a delegation, with all that was made from it.
    pub(crate) fn remove_delegation(&self, id: &str) -> Removed {
        self.remove_opened_from(self.delegations.remove_with_below(id))
    }

    /// Forgets the sessions that were opened from these delegations, which are gone, with all that was made from them;
    /// returns all of it.
    fn remove_opened_from(&self, delegations: Vec<Arc<DelegationEntry>>) -> Removed {
        if delegations.is_empty() {
            return Removed::default();
        }
        let ids: HashSet<&str> = delegations.iter().map(|it| it.row.id.as_str()).collect();
        let of = |id: &Option<String>| id.as_deref().is_some_and(|id| ids.contains(id));
        let sessions = self.sessions.remove_where(|row| of(&row.delegation_id));
        Removed { delegations, ..self.remove_made(Vec::new(), sessions) }
    }

    /// Takes over a delegation as the database has it, unless it was taken back.
    pub(crate) fn keep_delegation(&self, entry: DelegationEntry) {
        let taken = read_lock(&self.taken);
        let row = &entry.row;
        let of_revoked = taken.is_revoked(&row.from_agent_id) || taken.is_revoked(&row.to_agent_id);
        let is_taken =
            taken.delegations.contains(&row.id) || taken.is_issuer(Some(&row.created_by));
        if !is_taken && !of_revoked {
            self.delegations.insert(entry);
        }
    }

    /// Takes back in memory what was issued and opened with a key, with all that was made from it, until
    /// [`release_issuer`](Self::release_issuer).
    pub(crate) fn take_issued(&self, key_id: &str) -> Removed {
        let mut taken = write_lock(&self.taken);
        taken.issuers.insert(key_id.to_owned());
        self.remove_issued(key_id)
    }

    /// Removes the mark: from here on, rows of what was issued with this key are taken over as they are.
    pub(crate) fn release_issuer(&self, key_id: &str) {
        write_lock(&self.taken).issuers.remove(key_id);
    }

    /// Forgets what was issued and opened with a key, with all that was made from it.
    pub(crate) fn remove_issued(&self, key_id: &str) -> Removed {
        let is = |id: &Option<String>| id.as_deref() == Some(key_id);
        let tokens = self.tokens.remove_where(|row| is(&row.issued_by));
        let mut removed =
            self.remove_made(tokens, self.sessions.remove_where(|row| is(&row.opened_by)));
        removed.append(self.remove_opened_from(self.delegations.remove_made_with(key_id)));
        removed
    }

    /// Forgets a session, with all that was made from it.
    pub(crate) fn remove_session(&self, id: &str) -> Removed {
        self.remove_made(Vec::new(), self.sessions.remove(id).into_iter().collect())
    }

    /// Forgets all that was made from what is gone, at any remove; returns all of it.
    fn remove_made(
        &self,
        mut tokens: Vec<Arc<TokenEntry>>,
        mut sessions: Vec<Arc<SessionEntry>>,
    ) -> Removed {
        let mut removed = Removed::default();
        while !tokens.is_empty() || !sessions.is_empty() {
            let of_token: HashSet<&str> = tokens.iter().map(|it| it.row.id.as_str()).collect();
            let in_session: HashSet<&str> = sessions.iter().map(|it| it.row.id.as_str()).collect();
            let is_in = |ids: &HashSet<&str>, id: &Option<String>| {
                id.as_deref().is_some_and(|id| ids.contains(id))
            };
            let more = (
                self.tokens.remove_where(|row| is_in(&in_session, &row.session_id)),
                self.sessions.remove_where(|row| is_in(&of_token, &row.token_id)),
            );
            removed.tokens.append(&mut tokens);
            removed.sessions.append(&mut sessions);
            (tokens, sessions) = more;
        }
        removed
    }

    /// Takes over an agent as the database has it.
    pub(crate) fn keep_agent(&self, entry: AgentEntry) {
        let taken = read_lock(&self.taken);
        self.agents.insert(taken.marked(entry));
    }

    /// Takes over a token as the database has it, unless it was taken back.
    pub(crate) fn keep_token(&self, entry: TokenEntry) {
        let taken = read_lock(&self.taken);
        let row = &entry.row;
        let is_taken = taken.tokens.contains(&row.id) || taken.is_issuer(row.issued_by.as_ref());
        if !is_taken && !taken.is_revoked(&row.agent_id) {
            self.tokens.insert(entry);
        }
    }

    /// Takes over a session as the database has it, unless what it was made from was taken back.
    pub(crate) fn keep_session(&self, entry: Arc<SessionEntry>) {
        let taken = read_lock(&self.taken);
        let row = &entry.row;
        let of_token = row.token_id.as_ref().is_some_and(|id| taken.tokens.contains(id));
        let is_taken = taken.sessions.contains(&row.id) || taken.is_issuer(row.opened_by.as_ref());
        let of_provider = row
            .federated
            .as_ref()
            .is_some_and(|federated| taken.providers.contains(&federated.provider_id));
        // One of a delegation that was taken back is not open: that is not there any more.
        if !of_token && !of_provider && !is_taken && !taken.is_revoked(&row.agent_id) {
            self.sessions.insert(entry);
        }
    }

    /// Takes over all agents, tokens, sessions, delegations and federation providers of `fresh` instead of those that
    /// are here.
    pub(super) fn keep_all(&self, fresh: Self) {
        let taken = read_lock(&self.taken);
        for (id, status) in &taken.agents {
            if let Some(entry) = fresh.agents.of_any_org(id) {
                fresh.agents.insert(taken.marked(AgentEntry::clone(&entry)));
            }
            if *status == AgentStatus::Revoked {
                fresh.remove_of_agent(id);
            }
        }
        for id in &taken.tokens {
            if let Some(token) = fresh.tokens.by_id(id) {
                fresh.tokens.remove(&token.row.hash);
            }
            fresh.sessions.remove_of_token(id);
        }
        for id in &taken.sessions {
            fresh.remove_session(id);
        }
        for id in &taken.delegations {
            fresh.remove_delegation(id);
        }
        for id in &taken.providers {
            fresh.remove_provider(id);
        }
        for id in &taken.issuers {
            fresh.remove_issued(id);
        }
        self.agents.replace(fresh.agents);
        self.tokens.replace(fresh.tokens);
        self.sessions.replace(fresh.sessions);
        self.delegations.replace(fresh.delegations);
        self.providers.replace(fresh.providers);
    }
}

/// Returns the worse of two ways to stand. One that this version does not know is the worst.
fn stricter(one: AgentStatus, other: AgentStatus) -> AgentStatus {
    let rank = |status| match status {
        AgentStatus::Active => 0,
        AgentStatus::Suspended => 1,
        AgentStatus::Revoked => 2,
        _ => 3,
    };
    if rank(one) >= rank(other) { one } else { other }
}
