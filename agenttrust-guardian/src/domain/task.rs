//! Tasks that one agent asks of another: A2A's own words for them, and where each is on its way.
//!
//! What is kept is A2A 1.0 as JSON. 0.3 is read into it by `read.rs` and written from it by `v03.rs`; the guide's dialect
//! is the face's.

mod error;
mod misread;
mod phase;
pub(crate) mod read;
pub(crate) mod v03;
mod wire;

pub(crate) use self::error::TaskError;
pub(crate) use self::misread::Misread;
pub(crate) use self::phase::Phase;
pub(crate) use self::read::Version;
pub(crate) use self::wire::{
    Artifact, Message, MessageRole, Part, PartContent, Task, TaskEvent, TaskState, TaskStatus,
};

/// Starts the id of every task.
pub(crate) const TASK_PREFIX: &str = "task_";
/// Starts the id of every context.
pub(crate) const CONTEXT_PREFIX: &str = "ctx_";
/// The member of a task's metadata that says what the Guardian knows of it.
pub(crate) const TRUST_EXTENSION: &str = "https://agenttrust.id/ext/trust/v1";
