//! `#[tokio::main]` and `#[tokio::test]`: functions that bring their own runtime.
//!
//! Above `#[guarded]` they have made a function of the kind that blocks, and the check is made before
//! the runtime is there; below it, inside the runtime.

use std::sync::LazyLock;

use agenttrust::{AgentTrustError, AgentTrustGuard, guarded};
use agenttrust_tests::bounded::in_a_runtime;
use anyhow::Result;

use crate::frameworks::contract::{Fixture, GuardedAgent, Steps, Told, guard_of, only_the_path};

type Output = Result<(), AgentTrustError>;
type Main = fn(String, Steps) -> Output;

#[tokio::main]
#[guarded(tool = "file_delete", effect = "destructive", skip(steps))]
async fn main_above(path: String, steps: Steps) -> Output {
    steps.step();
    let told = tokio::spawn(async move { path }).await;
    steps.step();
    if told.is_err() {
        return Ok(());
    }
    steps.step();
    Ok(())
}

#[guarded(tool = "file_delete", effect = "destructive", skip(steps))]
#[tokio::main]
async fn main_below(path: String, steps: Steps) -> Output {
    steps.step();
    let told = tokio::spawn(async move { path }).await;
    steps.step();
    if told.is_err() {
        return Ok(());
    }
    steps.step();
    Ok(())
}

#[tokio::main(flavor = "current_thread")]
#[guarded(tool = "file_delete", effect = "destructive", skip(steps))]
async fn one_thread_above(path: String, steps: Steps) -> Output {
    steps.step();
    let told = tokio::spawn(async move { path }).await;
    steps.step();
    drop(told);
    steps.step();
    Ok(())
}

#[guarded(tool = "file_delete", effect = "destructive", skip(steps))]
#[tokio::main(flavor = "current_thread")]
async fn one_thread_below(path: String, steps: Steps) -> Output {
    steps.step();
    let told = tokio::spawn(async move { path }).await;
    steps.step();
    drop(told);
    steps.step();
    Ok(())
}

#[test]
fn a_main_runs_behind_the_check_in_both_orders() -> Result<()> {
    in_a_runtime(async || {
        let fixture = Fixture::start()?;
        let mains: [(&str, Main); 4] = [
            ("main_above", main_above),
            ("main_below", main_below),
            ("one_thread_above", one_thread_above),
            ("one_thread_below", one_thread_below),
        ];
        for (name, main) in mains {
            let call = async |guarded_agent: &GuardedAgent, path: &str| {
                // Where no runtime is yet, as in a program that begins.
                let (guarded_agent, path) = (guarded_agent.clone(), path.to_owned());
                let begins = move || {
                    guarded_agent.guard.scope_sync(|| main(path, guarded_agent.steps.clone()))
                };
                Ok(Told::from_output(
                    std::thread::spawn(begins).join().expect("a thread that ends"),
                ))
            };
            fixture.asks_first(name, only_the_path, call).await?;
        }
        Ok(())
    })
}

static ENTITLED: LazyLock<AgentTrustGuard> = LazyLock::new(|| guard_of(&["file:*"]));
static STRANGER: LazyLock<AgentTrustGuard> = LazyLock::new(|| guard_of(&["notes:read"]));

#[tokio::test]
#[guarded(tool = "file_read", effect = "read", guard = *ENTITLED)]
async fn an_allowed_test_runs_where_tokio_test_stands_above() -> Output {
    tokio::task::yield_now().await;
    Ok(())
}

#[guarded(tool = "file_read", effect = "read", guard = *ENTITLED)]
#[tokio::test]
async fn an_allowed_test_runs_where_tokio_test_stands_below() -> Output {
    tokio::task::yield_now().await;
    Ok(())
}

fn is_denied(error: &AgentTrustError) {
    assert_eq!(error.code(), "ACTION_DENIED");
}

#[tokio::test]
#[guarded(tool = "file_read", effect = "read", guard = *STRANGER, on_denied = |error| is_denied(&error))]
async fn a_denied_test_does_not_run_where_tokio_test_stands_above() {
    panic!("the body ran");
}

#[guarded(tool = "file_read", effect = "read", guard = *STRANGER, on_denied = |error| is_denied(&error))]
#[tokio::test]
async fn a_denied_test_does_not_run_where_tokio_test_stands_below() {
    panic!("the body ran");
}
