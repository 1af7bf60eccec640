//! Whatever way a call ends, it leaves exactly one report of the right kind.

use std::future::pending;
use std::panic::{AssertUnwindSafe, catch_unwind};

use agenttrust::{AgentTrustError, AgentTrustGuard, TelemetryEventType, guarded};
use agenttrust_tests::bounded::{here, on_a_plain_thread, one_thread, threads, until};
use agenttrust_tests::observed::Observed;
use agenttrust_tests::socket::Socket;
use agenttrust_tower::GuardLayer;
use anyhow::{Result, bail};
use axum::Router;
use axum::routing::get;
use serde_json::Value;
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;
use tokio::sync::mpsc::{UnboundedSender, unbounded_channel};

/// Tells that it has begun, and never ends.
#[guarded(effect = "read", skip(begun))]
async fn read_forever(begun: UnboundedSender<()>) -> Result<(), AgentTrustError> {
    begun.send(()).expect("somebody waits for it to begin");
    pending().await
}

#[guarded(effect = "read")]
async fn read_number(text: &str) -> Result<u32, AgentTrustError> {
    tokio::task::yield_now().await;
    Ok(text.parse().expect("a panic, as it should be"))
}

#[guarded(effect = "read")]
fn read_number_now(text: &str) -> Result<u32, AgentTrustError> {
    Ok(text.parse().expect("a panic, as it should be"))
}

#[guarded(effect = "read", tool = "read_and_fail")]
async fn read_and_fail() -> Result<(), Failed> {
    Err(Failed::Unreadable)
}

enum Failed {
    NotAllowed,
    Unreadable,
}

impl From<AgentTrustError> for Failed {
    fn from(_: AgentTrustError) -> Self {
        Self::NotAllowed
    }
}

/// Returns an app behind the layer: one route never answers, the other one panics.
fn app(guard: AgentTrustGuard, begun: UnboundedSender<()>) -> Router {
    let forever = async move || -> &'static str {
        begun.send(()).expect("somebody waits for it to begin");
        pending().await
    };
    Router::new()
        .route("/forever", get(forever))
        .route("/panic", get(async || -> &'static str { panic!("a panic, as it should be") }))
        .layer(GuardLayer::http(guard))
}

/// Runs `scenario` with a guard, and sees that it left exactly one report: one event at the Guardian, which
/// the Guardian believed and put into its audit once.
fn leaves_one_report(
    error_type: &'static str,
    scenario: impl FnOnce(&AgentTrustGuard) -> Result<()> + Send + 'static,
) -> Result<()> {
    on_a_plain_thread(move || {
        let observed = Observed::start()?;
        let agent = observed.agent(&["read:*", "http/*"])?;
        let (_socket, client) = observed.socket()?;
        let guard = AgentTrustGuard::new(client, &agent.id);
        scenario(&guard)?;
        let taken = here(observed.intake().after_flushing(&guard))?;
        let [taken] = &taken[..] else { bail!("not one report: {taken:?}") };
        assert_eq!(taken.event.event_type, TelemetryEventType::ToolError);
        assert!(!taken.event.success);
        assert_eq!(taken.event.error_type.as_deref(), Some(error_type));

        let outcomes = here(observed.admin().audited(&agent.id, "outcome"))?;
        let [outcome] = &outcomes[..] else { bail!("not one outcome: {outcomes:?}") };
        assert_eq!(outcome["error_type"], error_type);
        assert_eq!(outcome["check_id"].as_str(), taken.check_id.as_deref());
        let decisions = here(observed.admin().audited(&agent.id, "decision"))?;
        assert_eq!(decisions.len(), 1, "{decisions:?}");
        assert_eq!(decisions[0]["check_id"], outcome["check_id"]);
        assert_ne!(outcome["check_id"], Value::Null);
        Ok(())
    })
}

#[test]
fn a_cancelled_future_leaves_one_report_of_being_cancelled() -> Result<()> {
    leaves_one_report("Cancelled", |guard| {
        one_thread().block_on(async {
            let (begun, mut begins) = unbounded_channel();
            tokio::select! {
                ended = guard.scope(read_forever(begun)) => bail!("it ended: {ended:?}"),
                _ = begins.recv() => Ok(()),
            }
        })
    })
}

#[test]
fn an_aborted_task_leaves_one_report_of_being_cancelled() -> Result<()> {
    leaves_one_report("Cancelled", |guard| {
        threads(2).block_on(async {
            let (begun, mut begins) = unbounded_channel();
            let task = tokio::spawn(guard.scope(read_forever(begun)));
            begins.recv().await;
            task.abort();
            assert!(task.await.is_err_and(|error| error.is_cancelled()));
            Ok(())
        })
    })
}

#[test]
fn a_call_whose_runtime_ends_leaves_one_report_of_being_cancelled() -> Result<()> {
    leaves_one_report("Cancelled", |guard| {
        let runtime = threads(1);
        let (begun, mut begins) = unbounded_channel();
        runtime.spawn(guard.scope(read_forever(begun)));
        runtime.block_on(begins.recv());
        drop(runtime);
        Ok(())
    })
}

#[test]
fn a_panicking_async_tool_leaves_one_report_of_its_panic() -> Result<()> {
    leaves_one_report("Panic", |guard| {
        threads(1).block_on(async {
            let ended = tokio::spawn(guard.scope(read_number("none"))).await;
            assert!(ended.is_err_and(|error| error.is_panic()));
            Ok(())
        })
    })
}

#[test]
fn a_panicking_sync_tool_leaves_one_report_of_its_panic() -> Result<()> {
    leaves_one_report("Panic", |guard| {
        let ended = catch_unwind(AssertUnwindSafe(|| guard.scope_sync(|| read_number_now("none"))));
        assert!(ended.is_err());
        Ok(())
    })
}

#[test]
fn a_failing_tool_leaves_one_report_with_the_type_of_its_error() -> Result<()> {
    leaves_one_report("Failed", |guard| {
        let output = one_thread().block_on(guard.scope(read_and_fail()));
        assert!(matches!(output, Err(Failed::Unreadable)));
        Ok(())
    })
}

#[test]
fn an_http_client_dropped_mid_call_leaves_one_report_of_being_cancelled() -> Result<()> {
    leaves_one_report("Cancelled", |guard| {
        let (begun, mut begins) = unbounded_channel();
        let socket = Socket::serve(app(guard.clone(), begun))?;
        one_thread().block_on(async {
            let mut connection = TcpStream::connect(socket.address()).await?;
            connection.write_all(b"GET /forever HTTP/1.1\r\nhost: here\r\n\r\n").await?;
            begins.recv().await;
            drop(connection);
            // Here, while the server still runs: its end would cancel the call as well.
            until("a report of the call that nobody waits for", async || {
                Ok((guard.stats().reports_waiting > 0).then_some(()))
            })
            .await
        })
    })
}

#[test]
fn a_panicking_handler_leaves_one_report_of_its_panic() -> Result<()> {
    leaves_one_report("Panic", |guard| {
        let (begun, _begins) = unbounded_channel();
        let socket = Socket::serve(app(guard.clone(), begun))?;
        one_thread().block_on(async {
            let answer = reqwest::Client::new().get(format!("{}/panic", socket.url())).send().await;
            assert!(answer.is_err(), "the connection ends with the handler");
            Ok(())
        })
    })
}
