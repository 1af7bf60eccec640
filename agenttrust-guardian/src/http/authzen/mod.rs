//! AuthZEN 1.0: evaluations, and the draft profile by which access is requested that was denied.
//!
//! An evaluation is a check, answered by the same steps as `/api/v1/agenttrust/check`. Of a body every member is
//! skipped that AuthZEN does not know, as it demands.

mod body;
mod configuration;
mod decisions;
mod echo;
mod evaluate;
mod evaluations;
mod problem;
mod requests;

pub(super) use self::configuration::{__path_configuration, configuration};
pub(super) use self::echo::echo;
pub(super) use self::evaluate::{__path_evaluation, evaluation};
pub(super) use self::evaluations::{__path_evaluations, evaluations};
pub(super) use self::requests::{__path_cancel, __path_read, __path_submit, cancel, read, submit};

/// The path at which access is requested, below the base.
const REQUESTS: &str = "/access/v1/requests";
