//! `guard = argument`, and any other expression over the arguments.

#![deny(warnings)]

use std::sync::{Arc, OnceLock};

use agenttrust::{AgentTrustError, AgentTrustGuard, guarded};
use counting::{run, step, steps};

struct Db {
    guard: Option<AgentTrustGuard>,
}

#[guarded(guard = asked)]
async fn argument(asked: &AgentTrustGuard) -> Result<String, AgentTrustError> {
    step();
    Ok(asked.agent_id().to_owned())
}

#[guarded(guard = guard)]
fn by_value(guard: Arc<AgentTrustGuard>) -> Result<String, AgentTrustError> {
    step();
    Ok(guard.agent_id().to_owned())
}

#[guarded(guard = db.guard.as_ref().unwrap(), effect = "destructive", skip(db))]
async fn inside(db: Db) -> Result<bool, AgentTrustError> {
    step();
    Ok(db.guard.is_some())
}

static GUARD: OnceLock<AgentTrustGuard> = OnceLock::new();

#[guarded(guard = GUARD.get_or_init(|| guard.clone()))]
fn of_the_program(guard: &AgentTrustGuard) -> Result<bool, AgentTrustError> {
    step();
    Ok(GUARD.get().is_some() && !guard.agent_id().is_empty())
}

pub(super) fn main() {
    assert_eq!(steps(1).of_named(|guard| run(argument(guard))), "agent-1");
    assert_eq!(steps(1).of_named(|guard| by_value(Arc::new(guard.clone()))), "agent-1");
    assert!(steps(1).of_named(|guard| run(inside(Db { guard: Some(guard.clone()) }))));

    // One guard for good: whoever is in scope is not asked.
    let guardian = counting::Guardian::says([counting::Answer::Denied]);
    let denied = of_the_program(&guardian.guard).unwrap_err();
    assert_eq!((denied.code(), counting::taken()), ("ACTION_DENIED", 0));
    let run = counting::allowed(|| of_the_program(&guardian.guard));
    assert_eq!(
        (run.output.unwrap_err().code(), run.steps, run.checks.len()),
        ("ACTION_DENIED", 0, 0)
    );
}
