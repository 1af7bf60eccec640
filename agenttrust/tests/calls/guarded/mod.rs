//! What `#[guarded]` promises: the whole function runs behind the check, or not at all.

mod asked;
mod blocks;
mod denied;
mod names;
mod shapes;
mod shared;
mod unchanged;

pub(crate) use self::denied::without_any_guard_nothing_runs;

use std::collections::HashMap;
use std::future::Future;
use std::io;
use std::panic::AssertUnwindSafe;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use agenttrust::{AgentTrustError, AgentTrustGuard, guarded};
use futures_util::FutureExt;
use serde_json::json;

use crate::scripted::{Say, Scripted};

type Output<T = u32> = Result<T, AgentTrustError>;

/// Counts the statements that ran. A handle: not `Serialize`, and so never an input.
#[derive(Default)]
struct Steps(AtomicU32);

impl Steps {
    fn step(&self) -> u32 {
        self.0.fetch_add(1, Ordering::SeqCst) + 1
    }

    fn taken(&self) -> u32 {
        self.0.load(Ordering::SeqCst)
    }
}

fn guard(scripted: &Scripted) -> AgentTrustGuard {
    AgentTrustGuard::builder(scripted.client(), "agent-1")
        .session_id("sess-1")
        .log_inputs(true)
        .build()
}

/// Runs `call` under every answer that is no permission, and then under one that is.
async fn nothing_but_a_permission_runs<T: std::fmt::Debug, F>(call: impl Fn(Arc<Steps>) -> F)
where
    F: Future<Output = Output<T>>,
{
    let refusals =
        [Say::denied(), Say::held(), Say::Garbage, Say::Fail(io::ErrorKind::ConnectionRefused)];
    for refusal in refusals {
        let scripted = Scripted::says([refusal]);
        let guard = guard(&scripted);
        let steps = Arc::new(Steps::default());
        let output = guard.scope(call(Arc::clone(&steps))).await;
        assert!(output.is_err(), "a refused call returned {output:?}");
        assert_eq!(steps.taken(), 0, "a statement ran without a permission");
        guard.flush().await.unwrap();
        assert_eq!(scripted.events(), [], "a call that did not run was reported");
    }
    let scripted = Scripted::says([Say::allowed()]);
    let guard = guard(&scripted);
    let steps = Arc::new(Steps::default());
    guard.scope(call(Arc::clone(&steps))).await.unwrap();
    assert!(steps.taken() > 0);
    guard.flush().await.unwrap();
    let [(event, check_id)] = &scripted.events()[..] else {
        panic!("one call leaves one event, not {:?}", scripted.events())
    };
    assert_eq!(event["event_type"], "tool_end");
    assert_eq!(check_id, "chk_1");
}

/// Runs `call` with permission and gives the check it made.
async fn check_of<T>(call: impl Future<Output = Output<T>>) -> serde_json::Value {
    let scripted = Scripted::says([Say::allowed()]);
    guard(&scripted)
        .scope(call)
        .await
        .unwrap_or_else(|error| panic!("an allowed call runs: {error}"));
    scripted.checks()[0].1.clone()
}
