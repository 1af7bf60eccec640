//! What was taken back and is not stored or not recorded yet, in the order in which it was asked.

use std::collections::{HashMap, VecDeque};
use std::time::{Duration, Instant};

use agenttrust::Timestamp;
use agenttrust::internal::Backoff;
use agenttrust::model::AgentStatus;

use crate::audit::Record;
use crate::registry::{DelegationEntry, ProviderEntry, SessionEntry, TokenEntry};
use std::sync::Arc;

/// The time to wait before it is tried again.
const WAITS: Backoff = Backoff::new(Duration::from_millis(250), Duration::from_secs(5));
/// The time that storing takes where nothing is in the way.
const STORED_WITHIN: Duration = Duration::from_secs(1);
/// The number of rows of the audit that one taking back may owe: asking again and again adds no more.
const RECORDS_MOST: usize = 16;

/// The subject that is taken back.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) enum Subject {
    Agent(String),
    Key(String),
    Token(String),
    Session(String),
    Delegation(String),
    Provider(String),
}

/// The way in which it is taken back.
#[derive(Clone, Debug)]
pub(super) enum Act {
    Suspend,
    Revoke { reason: String },
    RevokeKey(KeyTaking),
    RevokeToken(Arc<TokenEntry>),
    EndSession(Arc<SessionEntry>),
    RevokeDelegation(Arc<DelegationEntry>),
    RemoveProvider(Arc<ProviderEntry>),
}

/// The way in which a key is taken back.
#[derive(Clone, Debug)]
pub(crate) struct KeyTaking {
    pub(crate) reason: String,
    /// Whether what was issued with it goes too.
    pub(crate) take_issued: bool,
}

/// A subject that is taken back, and its progress.
#[derive(Clone, Debug)]
pub(super) struct Taking {
    /// The number of this taking, counted from 1: a later one has a greater number.
    pub(super) number: u64,
    pub(super) org_id: String,
    pub(super) act: Act,
    pub(super) at: Timestamp,
    pub(super) progress: Progress,
    /// The records that are not in the audit yet, each with a number of its own.
    records: VecDeque<(u64, Record)>,
    tries: u32,
    asked: Instant,
    due: Instant,
}

/// The progress of one taking.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Progress {
    /// The taking is in force here, and in no database.
    InForce,
    /// The taking is in the database.
    Stored,
    /// The taking is in the database, and memory goes by that again.
    Settled,
}

/// All of them.
#[derive(Debug, Default)]
pub(super) struct Pending {
    by_subject: HashMap<Subject, Taking>,
    /// The agents that are being made active again, and by how many.
    reactivating: HashMap<String, usize>,
    /// The number of the last one, and of the last record.
    last: u64,
}

impl Pending {
    /// Stops suspensions of this agent from being stored, until [`reactivated`](Self::reactivated): what was asked
    /// before must not come after. Returns the number of the last suspension.
    pub(super) fn reactivating(&mut self, agent_id: &str) -> u64 {
        *self.reactivating.entry(agent_id.to_owned()).or_default() += 1;
        self.last
    }

    /// Ends the reactivation of this agent, whether or not it worked.
    pub(super) fn reactivated(&mut self, agent_id: &str) {
        let Some(by) = self.reactivating.get_mut(agent_id) else { return };
        *by -= 1;
        if *by == 0 {
            self.reactivating.remove(agent_id);
        }
    }

    /// Returns whether this agent is suspended or revoked in memory alone.
    pub(super) fn is_in_force(&self, agent_id: &str) -> bool {
        let taking = self.by_subject.get(&Subject::Agent(agent_id.to_owned()));
        taking.is_some_and(|taking| taking.progress < Progress::Settled)
    }

    fn waits(&self, subject: &Subject, act: &Act) -> bool {
        match (subject, act) {
            (Subject::Agent(id), Act::Suspend) => self.reactivating.contains_key(id),
            _ => false,
        }
    }

    pub(super) fn len(&self) -> usize {
        self.by_subject.len()
    }

    pub(super) fn get(&self, subject: &Subject) -> Option<&Taking> {
        self.by_subject.get(subject)
    }

    /// Takes `act` on; returns its number. It takes the place of one that is pending of the same subject,
    /// but for a suspension of what is being revoked, and owes the audit what that one owed.
    pub(super) fn add(&mut self, subject: Subject, act: Act, at: Timestamp, record: Record) -> u64 {
        let org_id = record.org_id.clone();
        let mut records = VecDeque::new();
        let (mut act, mut at) = (act, at);
        if let Some(before) = self.by_subject.remove(&subject) {
            records = before.records;
            // Whichever revocation was first says when and why.
            if !matches!(before.act, Act::Suspend) {
                (act, at) = (before.act.joined_by(&act), before.at);
            }
        }
        self.last += 1;
        let (number, now) = (self.last, Instant::now());
        if records.len() < RECORDS_MOST {
            records.push_back((number, record));
        }
        let taking = Taking {
            number,
            org_id,
            act,
            at,
            progress: Progress::InForce,
            records,
            tries: 0,
            asked: now,
            due: now,
        };
        self.by_subject.insert(subject, taking);
        number
    }

    /// Lifts the suspension of this agent that was asked for at `asked` or before. What the audit still lacks of it is
    /// recorded before `record`; `None` when there is nothing, or another one was asked for later.
    pub(super) fn lift(&mut self, agent_id: &str, asked: u64, record: Record) -> Option<Record> {
        let subject = Subject::Agent(agent_id.to_owned());
        let pending = self.by_subject.get_mut(&subject);
        let lifted = pending.filter(|it| matches!(it.act, Act::Suspend) && it.number <= asked);
        let Some(taking) = lifted else { return Some(record) };
        self.last += 1;
        taking.number = self.last;
        taking.records.push_back((self.last, record));
        taking.progress = Progress::Settled;
        None
    }

    /// Returns the one to be stored next, if one is due by `now`: those that were tried least come first, so that
    /// one that cannot be stored holds up no other.
    pub(super) fn due(&self, now: Instant) -> Option<(Subject, Taking)> {
        let due = self
            .unsettled()
            .filter(|(subject, taking)| taking.due <= now && !self.waits(subject, &taking.act));
        let (subject, taking) = due.min_by_key(|(_, taking)| (taking.tries, taking.number))?;
        Some((subject.clone(), taking.clone()))
    }

    fn unsettled(&self) -> impl Iterator<Item = (&Subject, &Taking)> {
        self.by_subject.iter().filter(|(_, taking)| taking.progress < Progress::Settled)
    }

    /// Returns how many are in no database, and have been for longer than storing takes.
    pub(super) fn overdue(&self) -> usize {
        let takings = self.by_subject.values();
        let overdue = |taking: &&Taking| {
            let late = taking.tries > 0 || taking.asked.elapsed() > STORED_WITHIN;
            taking.progress == Progress::InForce && late
        };
        takings.filter(overdue).count()
    }

    /// Returns the same one as `taking`, unless another took its place.
    fn same(&mut self, subject: &Subject, number: u64) -> Option<&mut Taking> {
        self.by_subject.get_mut(subject).filter(|taking| taking.number == number)
    }

    /// Sets the progress of what was taken back; `false` when another took its place.
    pub(super) fn advance(&mut self, subject: &Subject, number: u64, progress: Progress) -> bool {
        let Some(taking) = self.same(subject, number) else { return false };
        taking.progress = progress;
        if taking.records.is_empty() && progress == Progress::Settled {
            self.by_subject.remove(subject);
        }
        true
    }

    /// Puts off what did not work, to be tried again later. Returns whether that was the first time.
    pub(super) fn put_off(&mut self, subject: &Subject, number: u64, now: Instant) -> bool {
        let Some(taking) = self.same(subject, number) else { return false };
        taking.due = now + WAITS.wait(taking.tries);
        taking.tries += 1;
        taking.tries == 1
    }

    /// Owes the audit more about what is revoked.
    pub(super) fn owe(&mut self, subject: &Subject, number: u64, records: Vec<Record>) {
        let mut last = self.last;
        if let Some(taking) = self.same(subject, number) {
            for record in records {
                last += 1;
                taking.records.push_back((last, record));
            }
        }
        self.last = last;
    }

    /// Returns the row that the audit gets next: of what is settled, in the order in which it was asked.
    pub(super) fn record(&self) -> Option<(Subject, u64, Record)> {
        let settled =
            self.by_subject.iter().filter(|(_, taking)| taking.progress == Progress::Settled);
        let (subject, taking) = settled.min_by_key(|(_, taking)| taking.number)?;
        let (place, record) = taking.records.front()?;
        Some((subject.clone(), *place, record.clone()))
    }

    /// Notes that this row is in the audit.
    pub(super) fn recorded(&mut self, subject: &Subject, place: u64) {
        let Some(taking) = self.by_subject.get_mut(subject) else { return };
        if taking.records.front().is_some_and(|(first, _)| *first == place) {
            taking.records.pop_front();
        }
        if taking.records.is_empty() && taking.progress == Progress::Settled {
            self.by_subject.remove(subject);
        }
    }

    /// Returns the token with this fingerprint, if it is pending.
    pub(super) fn token(&self, is: impl Fn(&TokenEntry) -> bool) -> Option<Arc<TokenEntry>> {
        self.by_subject.values().find_map(|taking| match &taking.act {
            Act::RevokeToken(token) if is(token) => Some(Arc::clone(token)),
            _ => None,
        })
    }

    /// Returns the session of this id, if it is pending.
    pub(super) fn session(&self, id: &str) -> Option<Arc<SessionEntry>> {
        match &self.get(&Subject::Session(id.to_owned()))?.act {
            Act::EndSession(session) => Some(Arc::clone(session)),
            _ => None,
        }
    }

    /// Returns the delegation of this id, if it is pending.
    pub(super) fn delegation(&self, id: &str) -> Option<Arc<DelegationEntry>> {
        match &self.get(&Subject::Delegation(id.to_owned()))?.act {
            Act::RevokeDelegation(delegation) => Some(Arc::clone(delegation)),
            _ => None,
        }
    }

    /// Returns the federation provider of this id, if it is pending.
    pub(super) fn provider(&self, id: &str) -> Option<Arc<ProviderEntry>> {
        match &self.get(&Subject::Provider(id.to_owned()))?.act {
            Act::RemoveProvider(provider) => Some(Arc::clone(provider)),
            _ => None,
        }
    }

    /// Returns what is left of all of it, for the report on what is lost.
    pub(super) fn left(&self) -> impl Iterator<Item = (&Subject, &Taking)> {
        self.by_subject.iter()
    }
}

impl Subject {
    /// Returns what it is and its id, for people.
    pub(super) fn named(&self) -> (&'static str, &str) {
        match self {
            Self::Agent(id) => ("agent", id),
            Self::Key(id) => ("key", id),
            Self::Token(id) => ("token", id),
            Self::Session(id) => ("session", id),
            Self::Delegation(id) => ("delegation", id),
            Self::Provider(id) => ("federation provider", id),
        }
    }
}

impl Act {
    /// Returns the same, done later as `next` too: what was issued with a key goes if it is to go by either.
    fn joined_by(mut self, next: &Self) -> Self {
        if let (Self::RevokeKey(taking), Self::RevokeKey(next)) = (&mut self, next) {
            taking.take_issued |= next.take_issued;
        }
        self
    }

    /// Returns how an agent stands that this is done to.
    pub(super) fn status(&self) -> AgentStatus {
        match self {
            Self::Suspend => AgentStatus::Suspended,
            _ => AgentStatus::Revoked,
        }
    }
}
