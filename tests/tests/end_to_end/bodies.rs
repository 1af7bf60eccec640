//! What an approval of a call over HTTP or gRPC binds, and that its approver is told the truth of it.

use agenttrust::{AgentTrustGuard, Approval, ApprovalStatus, BoundTo};
use agenttrust_tests::bounded::in_a_runtime;
use agenttrust_tests::runs::Runs;
use agenttrust_tests::socket::Socket;
use agenttrust_tests::test_guardian::{Deployment, Keys, TestAgent, TestGuardian};
use agenttrust_tower::GuardLayer;
use anyhow::{Context, Result};
use axum::Router;
use axum::body::{Body, Bytes};
use axum::routing::{any, delete};
use http::{Request, Response};
use serde_json::{Value, json};
use tower::{Layer, ServiceExt};

const DEPLOYMENTS: [Deployment; 2] = [Deployment::Embedded, Deployment::Served(crate::AGENTTRUST)];

/// Returns a guard whose approvers are shown inputs.
fn showing(test_agent: &TestAgent) -> AgentTrustGuard {
    AgentTrustGuard::builder(test_agent.client.clone(), &test_agent.agent.id)
        .disclose_on_elevation(true)
        .build()
}

/// Pays back what the body says.
fn desk(runs: &Runs) -> Router {
    let runs = runs.clone();
    Router::new().route(
        "/payments/{id}",
        delete(move |body: String| async move {
            runs.ran(&body);
            body
        }),
    )
}

/// Sends it to be paid back; returns the id of the approval that it is held for, if it is.
async fn pay_back(socket: &Socket, amount: &'static str) -> Result<Option<String>> {
    let request = reqwest::Client::builder().no_proxy().build()?;
    let request = request.delete(format!("{}/payments/7", socket.url())).body(amount);
    let answer = request.send().await?;
    if answer.status() == 200 {
        assert_eq!(answer.text().await?, amount);
        return Ok(None);
    }
    assert_eq!(answer.status(), 403);
    let problem: Value = serde_json::from_str(&answer.text().await?)?;
    assert_eq!(problem["code"], "ELEVATION_REQUIRED", "{problem}");
    Ok(Some(problem["approval_id"].as_str().context("an id")?.to_owned()))
}

async fn shown(test_agent: &TestAgent, id: &str) -> Result<Approval> {
    let approval = test_agent.approver.approvals().get(id).await?;
    assert_eq!(approval.status, ApprovalStatus::Pending);
    Ok(approval)
}

async fn approve(test_agent: &TestAgent, id: &str) -> Result<()> {
    Ok(test_agent.approver.approvals().approve(id, "admin@company.com").await?)
}

#[test]
fn request_whose_body_is_not_bound_is_not_shown_as_the_whole_input() -> Result<()> {
    in_a_runtime(async || {
        for deployment in DEPLOYMENTS {
            let guardian = TestGuardian::start(deployment, Keys::AgentAndOperator)?;
            let test_agent = guardian.test_agent(&["*"]).await?;
            let runs = Runs::default();
            let socket = Socket::serve(desk(&runs).layer(GuardLayer::http(showing(&test_agent))))?;

            let held = pay_back(&socket, "10 EUR").await?.context("held")?;
            let approval = shown(&test_agent, &held).await?;
            assert_eq!(approval.bound_to, BoundTo::Request, "{deployment:?}");
            let input = approval.input.context("it is shown")?;
            assert_eq!(input["method"], "DELETE");
            assert_eq!(input["path"], "/payments/7");
            assert!(!input.to_string().contains("EUR"), "{input}");

            // Approved is the request, whatever is in it, and once.
            approve(&test_agent, &held).await?;
            assert_eq!(pay_back(&socket, "10000 EUR").await?, None);
            assert_ne!(pay_back(&socket, "10000 EUR").await?.context("held again")?, held);
            assert_eq!(runs.so_far(), ["10000 EUR"]);
        }
        Ok(())
    })
}

#[test]
fn approval_of_a_bound_body_never_serves_another_body() -> Result<()> {
    in_a_runtime(async || {
        for deployment in DEPLOYMENTS {
            let guardian = TestGuardian::start(deployment, Keys::AgentAndOperator)?;
            let test_agent = guardian.test_agent(&["*"]).await?;
            let runs = Runs::default();
            let layer = GuardLayer::http(showing(&test_agent)).bind_body(1024);
            let socket = Socket::serve(desk(&runs).layer(layer))?;

            let held = pay_back(&socket, "10 EUR").await?.context("held")?;
            let approval = shown(&test_agent, &held).await?;
            assert_eq!(approval.bound_to, BoundTo::Input, "{deployment:?}");
            let input = approval.input.context("it is shown")?;
            assert_eq!(input["body"], json!({ "text": "10 EUR" }));
            assert_eq!(input["request"]["path"], "/payments/7");

            approve(&test_agent, &held).await?;
            let other = pay_back(&socket, "10000 EUR").await?.context("another approval")?;
            assert_ne!(other, held);
            assert!(runs.so_far().is_empty(), "{deployment:?}");
            assert_eq!(pay_back(&socket, "10 EUR").await?, None);
            assert_eq!(runs.so_far(), ["10 EUR"]);
            assert_eq!(pay_back(&socket, "10000 EUR").await?, Some(other));
        }
        Ok(())
    })
}

#[test]
fn body_too_long_to_be_shown_is_bound_and_shown_by_its_digest() -> Result<()> {
    in_a_runtime(async || {
        let guardian = TestGuardian::start(Deployment::Embedded, Keys::AgentAndOperator)?;
        let test_agent = guardian.test_agent(&["*"]).await?;
        let layer = GuardLayer::http(showing(&test_agent)).bind_body(1024 * 1024);
        let socket = Socket::serve(desk(&Runs::default()).layer(layer))?;
        let long: &'static str = "x".repeat(500_000).leak();
        let held = pay_back(&socket, long).await?.context("held")?;
        let approval = shown(&test_agent, &held).await?;
        assert_eq!(approval.bound_to, BoundTo::Input);
        let input = approval.input.context("it is shown")?;
        assert_eq!(input["body"]["length"], 500_000);
        assert_eq!(input["body"]["sha256"].as_str().map(str::len), Some(64));
        approve(&test_agent, &held).await?;
        assert_eq!(pay_back(&socket, long).await?, None);
        Ok(())
    })
}

/// Calls a method with this message; returns the status and the approval of the answer.
async fn call<S>(service: &S, message: &[u8]) -> Result<(String, Option<String>)>
where
    S: tower::Service<Request<Body>, Response = Response<Body>, Error = std::convert::Infallible>
        + Clone,
{
    let mut framed = vec![0];
    framed.extend_from_slice(&u32::try_from(message.len())?.to_be_bytes());
    framed.extend_from_slice(message);
    let request = Request::post("/files.v1.Files/DeleteFile")
        .header("content-type", "application/grpc")
        .body(Body::from(framed))?;
    let answer = service.clone().oneshot(request).await?;
    let header = |name: &str| answer.headers().get(name).and_then(|value| value.to_str().ok());
    let status = header("grpc-status").context("a status")?.to_owned();
    Ok((status, header("agenttrust-approval-id").map(str::to_owned)))
}

#[test]
fn grpc_message_is_bound_where_it_was_asked_for_and_else_the_method_alone() -> Result<()> {
    in_a_runtime(async || {
        let guardian = TestGuardian::start(Deployment::Embedded, Keys::AgentAndOperator)?;
        let test_agent = guardian.test_agent(&["*"]).await?;
        let runs = Runs::default();
        let ran = runs.clone();
        let files = Router::new().route(
            "/files.v1.Files/DeleteFile",
            any(move |body: Bytes| async move {
                ran.ran(&String::from_utf8_lossy(&body[5..]));
                [("grpc-status", "0")]
            }),
        );
        let service = files.into_service::<Body>();

        let by_method = GuardLayer::grpc(showing(&test_agent)).layer(service.clone());
        let (status, held) = call(&by_method, b"a.txt").await?;
        assert_eq!(status, "7");
        let approval = shown(&test_agent, &held.context("held")?).await?;
        assert_eq!(approval.bound_to, BoundTo::Method);
        let input = approval.input.context("it is shown")?;
        assert!(!input.to_string().contains("a.txt"), "{input}");

        let by_message = GuardLayer::grpc(showing(&test_agent)).bind_message(1024).layer(service);
        let (_, held) = call(&by_message, b"a.txt").await?;
        let held = held.context("held")?;
        let approval = shown(&test_agent, &held).await?;
        assert_eq!(approval.bound_to, BoundTo::Input);
        let input = approval.input.context("it is shown")?;
        assert_eq!(input["message"], json!({ "text": "a.txt" }));
        assert_eq!(input["request"]["method"], "files.v1.Files/DeleteFile");
        approve(&test_agent, &held).await?;
        assert_ne!(call(&by_message, b"b.txt").await?.1.context("another approval")?, held);
        assert!(runs.so_far().is_empty());
        assert_eq!(call(&by_message, b"a.txt").await?, ("0".to_owned(), None));
        assert_eq!(runs.so_far(), ["a.txt"]);
        Ok(())
    })
}
