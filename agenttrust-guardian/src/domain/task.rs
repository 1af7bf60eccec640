//! Tasks that one agent asks of another: A2A's own words for them, and where each is on its way.
//!
//! What is kept is A2A 1.0 as JSON. 0.3 is read into it by `read.rs` and written from it by `v03.rs`; the guide's
//! dialect is the face's.

mod error;
mod parse_error;
mod phase;
pub(crate) mod read;
mod shown;
mod spelled;
pub(crate) mod trust;
pub(crate) mod v03;
mod wire;

pub(crate) use self::error::TaskError;
pub(crate) use self::parse_error::ParseError;
pub(crate) use self::phase::Phase;
pub(crate) use self::read::Version;
pub(crate) use self::shown::{HeldText, NOT_COUNTED, Shown};
pub(crate) use self::spelled::Spelled;
pub(crate) use self::trust::TRUST_EXTENSION;
pub(crate) use self::wire::{
    Artifact, Message, MessageRole, Part, PartContent, Task, TaskChange, TaskEvent, TaskState,
    TaskStatus,
};

/// The begin of the id of every task.
pub(crate) const TASK_PREFIX: &str = "task_";
/// The begin of the id of every context.
pub(crate) const CONTEXT_PREFIX: &str = "ctx_";
