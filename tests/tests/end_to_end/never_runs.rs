//! A call that was not allowed does not run: the bodies say so, not only the answers.

use agenttrust::{AgentTrustClient, AgentTrustError, AgentTrustGuard, guarded};
use agenttrust_tests::bounded::{here, in_a_runtime, on_a_plain_thread};
use agenttrust_tests::observed::Observed;
use agenttrust_tests::runs::Runs;
use agenttrust_tests::served::Serve;
use agenttrust_tests::socket::Socket;
use agenttrust_tests::test_guardian::{Deployment, Keys, TestGuardian, bot};
use agenttrust_tower::GuardLayer;
use anyhow::{Context, Result, ensure};
use axum::Router;
use axum::extract::{Path, State};
use axum::routing::delete;
use serde_json::Value;

use crate::AGENTTRUST;

#[guarded(tool = "file_delete", effect = "destructive", skip(runs))]
async fn delete_file(path: &str, runs: &Runs) -> Result<(), AgentTrustError> {
    runs.ran(path);
    tokio::task::yield_now().await;
    Ok(())
}

#[guarded(tool = "file_delete", effect = "destructive", skip(runs))]
fn delete_file_now(path: &str, runs: &Runs) -> Result<(), AgentTrustError> {
    runs.ran(path);
    Ok(())
}

struct Folder {
    runs: Runs,
}

impl Folder {
    #[guarded(tool = "file_delete", effect = "destructive", skip(self))]
    async fn delete(&self, path: &str) -> Result<(), AgentTrustError> {
        self.runs.ran(path);
        Ok(())
    }

    #[guarded(tool = "file_delete", effect = "destructive", skip(self))]
    fn delete_now(&mut self, path: &str) -> Result<(), AgentTrustError> {
        self.runs.ran(path);
        Ok(())
    }
}

/// Returns the same folder over HTTP.
fn folder(guard: AgentTrustGuard, runs: &Runs) -> Router {
    let handler = async |State(runs): State<Runs>, Path(name): Path<String>| runs.ran(&name);
    Router::new()
        .route("/files/{name}", delete(handler))
        .layer(GuardLayer::http(guard))
        .with_state(runs.clone())
}

/// The capabilities that cover all of the above.
const CAPABILITIES: [&str; 2] = ["file:delete", "http/*"];

/// Calls everything with `guard` and sees that nothing ran: every function with this code, the route
/// with this status and code.
async fn nothing_runs(guard: AgentTrustGuard, code: &str, status: u16) -> Result<()> {
    let runs = Runs::default();
    let mut tool = Folder { runs: runs.clone() };
    let refused = [
        ("async fn", guard.scope(delete_file("plan.txt", &runs)).await),
        ("fn", guard.scope(async { delete_file_now("plan.txt", &runs) }).await),
        ("async method", guard.scope(tool.delete("plan.txt")).await),
        ("method", guard.scope_sync(|| tool.delete_now("plan.txt"))),
    ];
    for (shape, output) in refused {
        let error = output.err().with_context(|| format!("the {shape} ran"))?;
        ensure!(error.code() == code, "{shape}: {} is not {code}: {error}", error.code());
    }

    let socket = Socket::serve(folder(guard.clone(), &runs))?;
    let url = format!("{}/files/plan.txt", socket.url());
    let answer = reqwest::Client::new().delete(url).send().await?;
    assert_eq!(answer.status(), status);
    assert_eq!(answer.headers().contains_key("retry-after"), status == 503);
    assert_eq!(answer.headers()["content-type"], "application/problem+json");
    let problem: Value = serde_json::from_slice(&answer.bytes().await?)?;
    assert_eq!(problem["code"], code);
    assert_eq!(problem["approval_id"].is_string(), code == "ELEVATION_REQUIRED");

    assert!(runs.so_far().is_empty(), "a body ran without a permit: {:?}", runs.so_far());
    assert_eq!(guard.stats().reports_waiting, 0, "a call that did not run is reported");
    Ok(())
}

#[test]
fn a_denied_call_never_runs_the_body() -> Result<()> {
    in_a_runtime(async || {
        let observed = Observed::start()?;
        let client = observed.client()?;
        let agent = client.agents().create(&bot(&["notes:read"])).await?;
        let guard = AgentTrustGuard::new(client, &agent.id);
        nothing_runs(guard.clone(), "ACTION_DENIED", 403).await?;
        guard.close().await?;
        assert_eq!(observed.intake().all().len(), 0);
        Ok(())
    })
}

#[test]
fn a_held_call_never_runs_the_body_before_it_is_approved() -> Result<()> {
    on_a_plain_thread(|| {
        let observed = Observed::start()?;
        let agent = observed.agent(&CAPABILITIES)?;
        let guard = AgentTrustGuard::new(observed.client()?, &agent.id);
        here(nothing_runs(guard.clone(), "ELEVATION_REQUIRED", 403))?;
        here(guard.close())?;
        assert_eq!(observed.intake().all().len(), 0);
        Ok(())
    })
}

#[test]
fn an_unreachable_guardian_never_runs_the_body() -> Result<()> {
    in_a_runtime(async || {
        let served = Serve::new(AGENTTRUST).start()?;
        let client = AgentTrustClient::builder()
            .base_url(served.url())
            .api_key(served.admin_key())
            .build()?;
        let agent = client.agents().create(&bot(&CAPABILITIES)).await?;
        let guard = AgentTrustGuard::new(client, &agent.id);
        // Reached once, so that a connection is there to be used again.
        guard.client().health().await?;
        served.kill()?;
        nothing_runs(guard, "GUARDIAN_UNAVAILABLE", 503).await
    })
}

#[test]
fn a_wrong_key_never_runs_the_body() -> Result<()> {
    in_a_runtime(async || {
        let guardian = TestGuardian::start(Deployment::Embedded, Keys::AgentAndOperator)?;
        let test_agent = guardian.test_agent(&CAPABILITIES).await?;
        let client = guardian.client_with_key("sk_live_wrong")?;
        let guard = AgentTrustGuard::builder(client, &test_agent.agent.id).fail_open(true).build();
        let runs = Runs::default();
        let refused = guard.scope(delete_file("plan.txt", &runs)).await;
        assert!(matches!(refused, Err(AgentTrustError::Authentication { .. })), "{refused:?}");
        assert!(runs.so_far().is_empty());
        Ok(())
    })
}

/// What makes the rest worth something: with a permit, the same bodies do run.
#[test]
fn an_approved_call_runs_the_body_once() -> Result<()> {
    in_a_runtime(async || {
        let guardian = TestGuardian::start(Deployment::Embedded, Keys::AgentAndOperator)?;
        let test_agent = guardian.test_agent(&CAPABILITIES).await?;
        let guard = test_agent.guard();
        let runs = Runs::default();
        let mut tool = Folder { runs: runs.clone() };
        let socket = Socket::serve(folder(guard.clone(), &runs))?;
        let url = format!("{}/files/plan.txt", socket.url());
        let over_http = async || reqwest::Client::new().delete(&url).send().await;

        // The functions are one tool with one input each: four calls, four approvals.
        for (done, shape) in
            ["async fn", "fn", "async method", "method", "route"].iter().enumerate()
        {
            let mut call = async || -> Result<Option<String>> {
                let output = match *shape {
                    "async fn" => guard.scope(delete_file("plan.txt", &runs)).await,
                    "fn" => guard.scope(async { delete_file_now("plan.txt", &runs) }).await,
                    "async method" => guard.scope(tool.delete("plan.txt")).await,
                    "method" => guard.scope_sync(|| tool.delete_now("plan.txt")),
                    _ => {
                        let problem = over_http().await?.bytes().await?;
                        let problem: Value = serde_json::from_slice(&problem).unwrap_or_default();
                        return Ok(problem["approval_id"].as_str().map(str::to_owned));
                    }
                };
                match output {
                    Ok(()) => Ok(None),
                    Err(AgentTrustError::ElevationRequired { approval_id, .. }) => {
                        Ok(Some(approval_id))
                    }
                    Err(other) => Err(other.into()),
                }
            };
            let approval_id = call().await?.with_context(|| format!("the {shape} is held"))?;
            test_agent.approver.approvals().approve(&approval_id, "admin@company.com").await?;
            assert_eq!(call().await?, None, "the {shape} runs once it is approved");
            assert_eq!(runs.so_far(), vec!["plan.txt"; done + 1], "{shape}");
        }
        Ok(())
    })
}
