//! What a walk along a log finds wrong with it.

use super::checkpoint::Checkpoint;

/// The first place where the log is not what was written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Fault {
    /// The row that is changed, missing or out of place.
    pub(crate) seq: u64,
    /// The fault, as a sentence.
    pub(crate) what: String,
    /// Whether it is a change: not where two walks found different faults, because rows are let go at that moment, say,
    /// nor where another key signed that may have been the Guardian's before.
    pub(crate) is_sure: bool,
}

impl Fault {
    pub(super) fn at(seq: u64, what: impl Into<String>) -> Self {
        Self { seq, what: what.into(), is_sure: true }
    }
}

/// Returns what is said of a log by who holds a checkpoint of another one of its name.
pub(super) fn of_another_log(checkpoint: &Checkpoint, what: &str) -> Fault {
    let seq = checkpoint.seq;
    let id = checkpoint.log_id.as_deref().unwrap_or("of an earlier version");
    Fault::at(
        seq,
        format!(
            "the {what} at row {seq} is of another log ({id}): its database was put in the place of this one's"
        ),
    )
}

pub(super) fn number(seq: i64) -> u64 {
    u64::try_from(seq).unwrap_or(0)
}

pub(super) fn of_rows(first: i64, last: i64, how: &str) -> Fault {
    let (first, last) = (number(first), number(last));
    Fault::at(
        first,
        if first < last {
            format!("rows {first} to {last} were {how}")
        } else {
            format!("row {first} was {how}")
        },
    )
}
