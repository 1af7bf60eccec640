//! One `DELETE` behind a layer and an attribute: two approvals where both ask, and one where the layer covers.

use agenttrust::{AgentTrustError, AgentTrustGuard, guarded};
use agenttrust_tests::bounded::in_a_runtime;
use agenttrust_tests::runs::Runs;
use agenttrust_tests::test_guardian::{Deployment, Keys, TestAgent, TestGuardian};
use agenttrust_tower::GuardLayer;
use anyhow::{Context, Result};
use axum::Router;
use axum::body::Body;
use axum::extract::{Path, State};
use axum::routing::delete;
use http::{Request, StatusCode};
use http_body_util::BodyExt;
use serde_json::Value;
use tower::ServiceExt;

#[derive(Clone)]
struct App {
    guard: AgentTrustGuard,
    runs: Runs,
}

#[guarded(effect = "destructive", guard = app.guard, skip(app))]
async fn file_delete(
    State(app): State<App>,
    Path(name): Path<String>,
) -> Result<String, AgentTrustError> {
    app.runs.ran(&name);
    Ok(name)
}

fn app(test_agent: &TestAgent, runs: &Runs, covers: bool) -> Router {
    let guard = test_agent.guard();
    let layer = GuardLayer::http(guard.clone()).tool("file_delete").covers_inner(covers);
    Router::new()
        .route("/files/{name}", delete(file_delete))
        .with_state(App { guard, runs: runs.clone() })
        .layer(layer)
}

/// The answer to the caller of a held call.
#[derive(Debug, PartialEq)]
struct Told {
    detail: String,
    approval_id: String,
}

/// Deletes the plan; returns what the caller is told where it is not done.
async fn delete_plan(app: &Router) -> Result<Option<Told>> {
    let request = Request::delete("/files/plan.txt").body(Body::empty())?;
    let answer = app.clone().oneshot(request).await?;
    if answer.status() == StatusCode::OK {
        return Ok(None);
    }
    assert_eq!(answer.status(), StatusCode::FORBIDDEN);
    let body = answer.into_body().collect().await?.to_bytes();
    let problem: Value = serde_json::from_slice(&body)?;
    let said = |name: &str| Some(problem[name].as_str()?.to_owned());
    let (detail, approval_id) = said("detail").zip(said("approval_id")).context("it is held")?;
    Ok(Some(Told { detail, approval_id }))
}

async fn approve(test_agent: &TestAgent, told: &Told) -> Result<()> {
    Ok(test_agent.approver.approvals().approve(&told.approval_id, "admin@company.com").await?)
}

#[test]
fn a_layer_and_an_attribute_take_an_approval_each_and_the_second_names_the_first() -> Result<()> {
    in_a_runtime(async || {
        let guardian = TestGuardian::start(Deployment::Embedded, Keys::AgentAndOperator)?;
        let test_agent = guardian.test_agent(&["*"]).await?;
        let runs = Runs::default();
        let app = app(&test_agent, &runs, false);
        let outer = delete_plan(&app).await?.context("the request is held")?;
        assert!(!outer.detail.contains("covers_inner"), "{outer:?}");
        approve(&test_agent, &outer).await?;
        let inner = delete_plan(&app).await?.context("the function is held")?;
        assert_ne!(inner.approval_id, outer.approval_id);
        for said in [&format!("used approval {}", outer.approval_id), "`covers_inner(true)`"] {
            assert!(inner.detail.contains(said), "{inner:?}");
        }
        assert!(runs.so_far().is_empty());
        Ok(())
    })
}

#[test]
fn a_layer_that_covers_takes_one_approval() -> Result<()> {
    in_a_runtime(async || {
        let guardian = TestGuardian::start(Deployment::Embedded, Keys::AgentAndOperator)?;
        let test_agent = guardian.test_agent(&["*"]).await?;
        let runs = Runs::default();
        let app = app(&test_agent, &runs, true);
        let held = delete_plan(&app).await?.context("held")?;
        approve(&test_agent, &held).await?;
        assert_eq!(delete_plan(&app).await?, None);
        assert_eq!(runs.so_far(), ["plan.txt"]);
        Ok(())
    })
}
