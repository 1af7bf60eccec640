//! The tables of tasks and of their messages: what a row holds.
//!
//! Each part of a message's way has a file. `begin` keeps a message, `step` moves it, `due` finds those to be moved,
//! and `inbox` gives them to workers. `reading` lists tasks, `seen` says what a target sees of them, and `standing` how
//! one stands.

mod begin;
mod due;
mod inbox;
mod reading;
mod seen;
mod standing;
mod step;

use agenttrust::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

pub(crate) use self::begin::{Begun, Whole};
pub(crate) use self::reading::{TaskQuery, TaskRows};
pub(crate) use self::seen::{Seen, Sight};
pub(crate) use self::standing::Standing;
pub(crate) use self::step::{Step, Stepped};
use super::row::from_row;
use super::{Store, StoreError, Transaction, from_json, from_micros, to_json, unreadable};
use crate::domain::Trace;
use crate::domain::task::{Message, Phase, Task, TaskState};

/// The number of tasks of one source, and for one target, that may be under way at once ...
pub(crate) const TASKS_UNDER_WAY_MOST: i64 = 1_000;
/// ... and how many of one source for one target: the rest is kept for others.
pub(crate) const TASKS_UNDER_WAY_BETWEEN_MOST: i64 = TASKS_UNDER_WAY_MOST / 4;

macro_rules! task_columns {
    () => {
        "id, org_id, context_id, source, source_agent_id, target_agent_id, state, task, upstream, asked_at, \
         created_at, changed_at, seen, seen_at"
    };
}
macro_rules! message_columns {
    () => {
        "id, task_id, org_id, source, message_id, target_agent_id, digest, body, key_id, session_id, phase, \
         approval_id, check_id, claim, claimed_until, next_at, attempts, state_before, created_at, begun_at, \
         approved_by"
    };
}
use message_columns;
pub(super) use task_columns;

/// The address of a target, and its name for the task.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Upstream {
    pub(crate) url: String,
    /// `JSONRPC` or `HTTP+JSON`.
    pub(crate) binding: String,
    /// `1.0` or `0.3`.
    pub(crate) version: String,
    pub(crate) task_id: String,
    pub(crate) context_id: String,
    /// The id of the message that it took last and tells of as it goes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) took: Option<String>,
}

/// A task as it is kept.
#[derive(Clone, Debug)]
pub(crate) struct TaskRow {
    pub(crate) id: String,
    pub(crate) org_id: String,
    pub(crate) context_id: String,
    /// The agent that asks, or the key that asks for itself.
    pub(crate) source: String,
    pub(crate) source_agent_id: Option<String>,
    pub(crate) target_agent_id: String,
    /// The task as its caller sees it.
    pub(crate) task: Task,
    pub(crate) upstream: Option<Upstream>,
    /// The time when the target was last asked about it.
    pub(crate) asked_at: Timestamp,
    pub(crate) created_at: Timestamp,
    pub(crate) changed_at: Timestamp,
    /// The state of the task as its target sees it; `None` while none of its messages has reached the target.
    pub(crate) seen: Option<Seen>,
}

impl TaskRow {
    /// Returns how it stands.
    pub(crate) fn state(&self) -> TaskState {
        self.task.status.state
    }
}

/// The content that was sent.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Body {
    pub(crate) message: Message,
    #[serde(default)]
    pub(crate) metadata: Map<String, Value>,
    #[serde(default)]
    pub(crate) accepted_output_modes: Vec<String>,
    /// Whether what the target tells is wanted piece by piece.
    #[serde(default)]
    pub(crate) streams: bool,
    /// The trace that its sender is in.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) trace: Option<Trace>,
}

/// A message as it is kept.
#[derive(Clone, Debug)]
pub(crate) struct TaskMessageRow {
    pub(crate) id: String,
    pub(crate) task_id: String,
    pub(crate) org_id: String,
    pub(crate) source: String,
    /// The id that its sender gives it.
    pub(crate) message_id: String,
    pub(crate) target_agent_id: String,
    pub(crate) digest: String,
    pub(crate) body: Body,
    pub(crate) key_id: String,
    pub(crate) session_id: Option<String>,
    pub(crate) phase: Phase,
    pub(crate) approval_id: Option<String>,
    pub(crate) check_id: Option<String>,
    pub(crate) claim: Option<String>,
    pub(crate) claimed_until: Timestamp,
    pub(crate) next_at: Timestamp,
    pub(crate) attempts: i64,
    /// The state of the task before the message; absent where it began the task.
    pub(crate) state_before: Option<TaskState>,
    pub(crate) created_at: Timestamp,
    /// The time when the message was sent, or sent again.
    pub(crate) begun_at: Timestamp,
    /// The approval that it has used, and that it runs under.
    pub(crate) approved_by: Option<String>,
}

from_row! {
    pub(super) struct RawTask {
        id: String,
        org_id: String,
        context_id: String,
        source: String,
        source_agent_id: Option<String>,
        target_agent_id: String,
        task: String,
        upstream: Option<String>,
        asked_at: i64,
        created_at: i64,
        changed_at: i64,
        seen: Option<String>,
        seen_at: Option<i64>,
    }
}

impl TryFrom<RawTask> for TaskRow {
    type Error = sqlx::Error;

    fn try_from(raw: RawTask) -> Result<Self, sqlx::Error> {
        let upstream = raw.upstream.map(|text| from_json("upstream", &text)).transpose()?;
        let seen = raw.seen.zip(raw.seen_at).map(|(text, at)| {
            Ok::<_, sqlx::Error>(Seen {
                status: from_json("seen", &text)?,
                at: from_micros("seen_at", at)?,
            })
        });
        Ok(Self {
            id: raw.id,
            org_id: raw.org_id,
            context_id: raw.context_id,
            source: raw.source,
            source_agent_id: raw.source_agent_id,
            target_agent_id: raw.target_agent_id,
            task: from_json("task", &raw.task)?,
            upstream,
            asked_at: from_micros("asked_at", raw.asked_at)?,
            created_at: from_micros("created_at", raw.created_at)?,
            changed_at: from_micros("changed_at", raw.changed_at)?,
            seen: seen.transpose()?,
        })
    }
}

from_row! {
    struct RawMessage {
        id: String,
        task_id: String,
        org_id: String,
        source: String,
        message_id: String,
        target_agent_id: String,
        digest: String,
        body: String,
        key_id: String,
        session_id: Option<String>,
        phase: String,
        approval_id: Option<String>,
        check_id: Option<String>,
        claim: Option<String>,
        claimed_until: i64,
        next_at: i64,
        attempts: i64,
        state_before: Option<String>,
        created_at: i64,
        begun_at: i64,
        approved_by: Option<String>,
    }
}

impl TryFrom<RawMessage> for TaskMessageRow {
    type Error = sqlx::Error;

    fn try_from(raw: RawMessage) -> Result<Self, sqlx::Error> {
        let phase =
            Phase::of(&raw.phase).ok_or_else(|| unreadable("phase", "no phase of a message"))?;
        let state = |word: String| {
            TaskState::of(&word).ok_or_else(|| unreadable("state_before", "no state of a task"))
        };
        Ok(Self {
            phase,
            state_before: raw.state_before.map(state).transpose()?,
            body: from_json("body", &raw.body)?,
            claimed_until: from_micros("claimed_until", raw.claimed_until)?,
            next_at: from_micros("next_at", raw.next_at)?,
            created_at: from_micros("created_at", raw.created_at)?,
            begun_at: from_micros("begun_at", raw.begun_at)?,
            id: raw.id,
            task_id: raw.task_id,
            org_id: raw.org_id,
            source: raw.source,
            message_id: raw.message_id,
            target_agent_id: raw.target_agent_id,
            digest: raw.digest,
            key_id: raw.key_id,
            session_id: raw.session_id,
            approval_id: raw.approval_id,
            check_id: raw.check_id,
            approved_by: raw.approved_by,
            claim: raw.claim,
            attempts: raw.attempts,
        })
    }
}
