//! What AuthZEN asks: evaluations, each of which is a check, and requests for access, each of which is an approval.

mod asked;
mod denial;
mod refusal;
mod requests;
#[cfg(test)]
mod tests;

pub(crate) use self::asked::{Asker, Evaluation, check_of};
pub(crate) use self::denial::{is_requestable, requestable};
pub(crate) use self::refusal::{Problem, Refused};
pub(crate) use self::requests::{Submission, cancel, find, open, told_until};
