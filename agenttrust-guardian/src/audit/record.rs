//! What goes into the log and what comes out of it.

use std::sync::Arc;

use agenttrust::Timestamp;
use agenttrust::internal::hex;
use serde::Serialize;
use serde_json::Value;

use super::MAX_BODY_BYTES;
use super::error::AuditError;
use super::facts::FactsDigest;
use crate::store::from_row;

/// A decision as it is counted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Counted {
    /// The issued session that it was made in.
    pub(crate) session_id: Option<String>,
    pub(crate) read: bool,
    /// The tool, if it was denied.
    pub(crate) denied: Option<String>,
    pub(crate) at: Timestamp,
}

impl FactsDigest {
    /// Returns the row of these facts, which this is the digest of.
    pub(crate) fn record(self, org_id: &str, mut body: Value) -> Record {
        if let Some(body) = body.as_object_mut() {
            body.insert("digest".to_owned(), self.to_hex().into());
        }
        Record::new("facts", org_id).body(body)
    }
}

/// An event to be remembered for good.
///
/// Its `Debug` shows the body: keep tool inputs and secrets out of it (see the [module](super)).
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Record {
    /// The kind of event, such as `decision` or `approval.opened`.
    pub(crate) kind: &'static str,
    /// The organisation that it happened in.
    pub(crate) org_id: String,
    /// The agent that it is about.
    pub(crate) agent_id: Option<String>,
    /// The id (never the secret) of the key that did it.
    pub(crate) actor: Option<String>,
    /// The particulars.
    pub(crate) body: Value,
}

impl Record {
    /// Creates a record with an empty object as its body.
    #[must_use]
    pub(crate) fn new(kind: &'static str, org_id: impl Into<String>) -> Self {
        let body = Value::Object(serde_json::Map::new());
        Self { kind, org_id: org_id.into(), agent_id: None, actor: None, body }
    }

    /// Names the agent that it is about.
    #[must_use]
    pub(crate) fn agent(mut self, agent_id: impl Into<String>) -> Self {
        self.agent_id = Some(agent_id.into());
        self
    }

    /// Names the key that did it, by its id.
    #[must_use]
    pub(crate) fn actor(mut self, key_id: impl Into<String>) -> Self {
        self.actor = Some(key_id.into());
        self
    }

    /// Gives the particulars.
    #[must_use]
    pub(crate) fn body(mut self, body: Value) -> Self {
        self.body = body;
        self
    }
}

/// A record in the form in which it is hashed and stored; only place and time are still open.
#[derive(Debug)]
pub(crate) struct Row {
    pub(super) kind: &'static str,
    pub(super) org_id: Arc<str>,
    pub(super) agent_id: Option<Arc<str>>,
    pub(super) actor: Option<Arc<str>>,
    pub(super) body: Arc<str>,
    pub(super) counted: Option<Counted>,
    pub(super) facts: Vec<(FactsDigest, Row)>,
}

impl Row {
    /// Creates a row with this body, whose members stand in the order of their names and whose numbers are written
    /// as RFC 8785 has it.
    pub(crate) fn from_body<T: Serialize>(
        kind: &'static str,
        org_id: &str,
        body: &T,
    ) -> Result<Self, AuditError> {
        let body = serde_json::to_string(body)
            .map_err(|source| AuditError::Body { kind, source: Arc::new(source) })?;
        Self::with_body(kind, org_id, body)
    }

    fn with_body(kind: &'static str, org_id: &str, body: String) -> Result<Self, AuditError> {
        if body.len() > MAX_BODY_BYTES {
            return Err(AuditError::TooLong { kind, bytes: body.len() });
        }
        let (agent_id, actor, counted, facts) = (None, None, None, Vec::new());
        let (org_id, body) = (org_id.into(), body.into());
        Ok(Self { kind, org_id, agent_id, actor, body, counted, facts })
    }

    /// Names the agent that it is about.
    pub(crate) fn agent(mut self, agent_id: &str) -> Self {
        self.agent_id = Some(agent_id.into());
        self
    }

    /// Names the key that did it, by its id.
    pub(crate) fn actor(mut self, key_id: &str) -> Self {
        self.actor = Some(key_id.into());
        self
    }

    /// Makes it count as this decision, in the transaction that writes it.
    pub(crate) fn counting(mut self, counted: Counted) -> Self {
        self.counted = Some(counted);
        self
    }

    /// Puts these facts, which the body names by their digests, before the record, unless they are there.
    pub(crate) fn referring_to(
        mut self,
        facts: Vec<(FactsDigest, Record)>,
    ) -> Result<Self, AuditError> {
        let facts = facts.into_iter().map(|(digest, facts)| Ok((digest, Self::try_from(facts)?)));
        self.facts = facts.collect::<Result<_, AuditError>>()?;
        Ok(self)
    }
}

impl TryFrom<Record> for Row {
    type Error = AuditError;

    fn try_from(record: Record) -> Result<Self, AuditError> {
        let Record { kind, org_id, agent_id, actor, body } = record;
        let body = serde_json_canonicalizer::to_string(&body)
            .map_err(|source| AuditError::Body { kind, source: Arc::new(source) })?;
        let (agent_id, actor) = (agent_id.map(Arc::from), actor.map(Arc::from));
        Ok(Self { agent_id, actor, ..Self::with_body(kind, &org_id, body)? })
    }
}

/// A row of the log.
#[derive(Clone, Debug, PartialEq, Serialize, utoipa::ToSchema)]
#[schema(as = AuditEntry)]
pub(crate) struct Entry {
    /// The name of the log: empty on SQLite, which has one; on PostgreSQL the name of its replica.
    pub(crate) log: String,
    /// Its number; the first is 1.
    pub(crate) seq: u64,
    /// The time when it was written, in RFC 3339.
    pub(crate) at: String,
    /// The kind of event.
    pub(crate) kind: String,
    /// The organisation that it happened in.
    pub(crate) org_id: String,
    /// The agent that it is about.
    #[schema(required = true)]
    pub(crate) agent_id: Option<String>,
    /// The id of the key that did it.
    #[schema(required = true)]
    pub(crate) actor: Option<String>,
    /// The particulars. Hashed is their RFC 8785 form, which a reader can make again from this.
    pub(crate) body: Value,
    /// The hash of the row before it, in hexadecimal.
    pub(crate) prev_hash: String,
    /// Its own hash, in hexadecimal.
    pub(crate) hash: String,
}

from_row! {
    /// A row as it is stored: what [`Entry`] shows and what the chain is checked against.
    #[derive(Debug)]
    pub(super) struct Stored {
        pub(super) log: String,
        pub(super) seq: i64,
        pub(super) at: String,
        pub(super) kind: String,
        pub(super) org_id: String,
        pub(super) agent_id: Option<String>,
        pub(super) actor: Option<String>,
        pub(super) body: String,
        pub(super) prev_hash: Vec<u8>,
        pub(super) hash: Vec<u8>,
    }
}

impl From<Stored> for Entry {
    fn from(row: Stored) -> Self {
        Self {
            log: row.log,
            seq: u64::try_from(row.seq).unwrap_or(0),
            at: row.at,
            kind: row.kind,
            org_id: row.org_id,
            agent_id: row.agent_id,
            actor: row.actor,
            // A body that is no JSON was changed from outside: shown as it is, and found by `verify`.
            body: serde_json::from_str(&row.body).unwrap_or(Value::String(row.body)),
            prev_hash: hex::encode(&row.prev_hash),
            hash: hex::encode(&row.hash),
        }
    }
}

/// Reads what [`hex::encode`] wrote, and only that.
pub(super) fn unhex<const N: usize>(text: &str) -> Option<[u8; N]> {
    hex::decode(text).filter(|bytes| hex::encode(bytes) == text)
}
