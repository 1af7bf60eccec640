//! What was taken back and is not stored or not recorded yet, in the order in which it was asked.

use std::collections::{HashMap, VecDeque};
use std::time::{Duration, Instant};

use agenttrust::Timestamp;
use agenttrust::internal::Doubling;
use agenttrust::model::AgentStatus;

use crate::audit::Record;
use crate::registry::{DelegationEntry, ProviderEntry, SessionEntry, TokenEntry};
use std::sync::Arc;

/// How long to wait before it is tried again.
const WAITS: Doubling = Doubling::new(Duration::from_millis(250), Duration::from_secs(5));
/// How long storing takes where nothing is in the way.
const STORED_WITHIN: Duration = Duration::from_secs(1);
/// How many rows of the audit one taking back may owe: asking again and again adds no more.
const RECORDS_MOST: usize = 16;

/// What is taken back.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) enum Subject {
    Agent(String),
    Key(String),
    Token(String),
    Session(String),
    Delegation(String),
    Provider(String),
}

/// How it is taken back.
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

/// How a key is taken back.
#[derive(Clone, Debug)]
pub(crate) struct KeyTaking {
    pub(crate) reason: String,
    /// Whether what was issued with it goes too.
    pub(crate) take_issued: bool,
}

/// One taking back.
#[derive(Clone, Debug)]
pub(super) struct Taking {
    /// Which it is, counted from 1: a later one has a greater number.
    pub(super) number: u64,
    pub(super) org_id: String,
    pub(super) act: Act,
    pub(super) at: Timestamp,
    pub(super) progress: Progress,
    /// What the audit is yet to be told, each with a number of its own.
    records: VecDeque<(u64, Record)>,
    tries: u32,
    asked: Instant,
    due: Instant,
}

/// How far one has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Progress {
    /// In force here, and in no database.
    InForce,
    /// In the database.
    Stored,
    /// In the database, and memory goes by that again.
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
    /// From here on until [`reactivated`](Self::reactivated) no suspension of this agent is stored: what was
    /// asked before must not come after. Returns the number of the last that was.
    pub(super) fn reactivating(&mut self, agent_id: &str) -> u64 {
        *self.reactivating.entry(agent_id.to_owned()).or_default() += 1;
        self.last
    }

    /// It was, or could not be.
    pub(super) fn reactivated(&mut self, agent_id: &str) {
        let Some(by) = self.reactivating.get_mut(agent_id) else { return };
        *by -= 1;
        if *by == 0 {
            self.reactivating.remove(agent_id);
        }
    }

    /// Whether this agent is suspended or revoked and memory alone says so.
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

    /// Lifts the suspension of this agent that was asked for at `asked` or before. What the audit is yet to be
    /// told of it is told before `record`; `None` when there is nothing, or another one was asked for later.
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

    /// The one to be stored next, if one is due by `now`: those that were tried least come first, so that
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

    /// How many are in no database, and have been for longer than storing takes.
    pub(super) fn overdue(&self) -> usize {
        let takings = self.by_subject.values();
        let overdue = |taking: &&Taking| {
            let late = taking.tries > 0 || taking.asked.elapsed() > STORED_WITHIN;
            taking.progress == Progress::InForce && late
        };
        takings.filter(overdue).count()
    }

    /// The same one as `taking`, unless another took its place.
    fn same(&mut self, subject: &Subject, number: u64) -> Option<&mut Taking> {
        self.by_subject.get_mut(subject).filter(|taking| taking.number == number)
    }

    /// It has come so far; `false` when another took its place.
    pub(super) fn advance(&mut self, subject: &Subject, number: u64, progress: Progress) -> bool {
        let Some(taking) = self.same(subject, number) else { return false };
        taking.progress = progress;
        if taking.records.is_empty() && progress == Progress::Settled {
            self.by_subject.remove(subject);
        }
        true
    }

    /// It did not work, and is tried again later. Says whether that was the first time.
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

    /// The row that the audit is to be told next: of what is settled, in the order in which it was asked.
    pub(super) fn record(&self) -> Option<(Subject, u64, Record)> {
        let settled =
            self.by_subject.iter().filter(|(_, taking)| taking.progress == Progress::Settled);
        let (subject, taking) = settled.min_by_key(|(_, taking)| taking.number)?;
        let (place, record) = taking.records.front()?;
        Some((subject.clone(), *place, record.clone()))
    }

    /// That row is in the audit.
    pub(super) fn recorded(&mut self, subject: &Subject, place: u64) {
        let Some(taking) = self.by_subject.get_mut(subject) else { return };
        if taking.records.front().is_some_and(|(first, _)| *first == place) {
            taking.records.pop_front();
        }
        if taking.records.is_empty() && taking.progress == Progress::Settled {
            self.by_subject.remove(subject);
        }
    }

    /// The token with this fingerprint, if it is pending.
    pub(super) fn token(&self, is: impl Fn(&TokenEntry) -> bool) -> Option<Arc<TokenEntry>> {
        self.by_subject.values().find_map(|taking| match &taking.act {
            Act::RevokeToken(token) if is(token) => Some(Arc::clone(token)),
            _ => None,
        })
    }

    /// The session of this id, if it is pending.
    pub(super) fn session(&self, id: &str) -> Option<Arc<SessionEntry>> {
        match &self.get(&Subject::Session(id.to_owned()))?.act {
            Act::EndSession(session) => Some(Arc::clone(session)),
            _ => None,
        }
    }

    /// The delegation of this id, if it is pending.
    pub(super) fn delegation(&self, id: &str) -> Option<Arc<DelegationEntry>> {
        match &self.get(&Subject::Delegation(id.to_owned()))?.act {
            Act::RevokeDelegation(delegation) => Some(Arc::clone(delegation)),
            _ => None,
        }
    }

    /// The federation provider of this id, if it is pending.
    pub(super) fn provider(&self, id: &str) -> Option<Arc<ProviderEntry>> {
        match &self.get(&Subject::Provider(id.to_owned()))?.act {
            Act::RemoveProvider(provider) => Some(Arc::clone(provider)),
            _ => None,
        }
    }

    /// What is left of all of it, for those who are told that it is lost.
    pub(super) fn left(&self) -> impl Iterator<Item = (&Subject, &Taking)> {
        self.by_subject.iter()
    }
}

impl Subject {
    /// What it is and its id, for people.
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
    /// The same, done later as `next` too: what was issued with a key goes if either says so.
    fn joined_by(mut self, next: &Self) -> Self {
        if let (Self::RevokeKey(taking), Self::RevokeKey(next)) = (&mut self, next) {
            taking.take_issued |= next.take_issued;
        }
        self
    }

    /// How an agent stands that this is done to.
    pub(super) fn status(&self) -> AgentStatus {
        match self {
            Self::Suspend => AgentStatus::Suspended,
            _ => AgentStatus::Revoked,
        }
    }
}
