//! Handlers of axum with their extractors, called by requests; `#[debug_handler]` in both orders.

use agenttrust::{AgentTrustClient, AgentTrustError, AgentTrustGuard, guarded};
use agenttrust_tests::bounded::in_a_runtime;
use anyhow::Result;
use axum::body::Body;
use axum::extract::{Path, Path as Segment, Query, State, State as Shared};
use axum::response::{IntoResponse, Response};
use axum::routing::{delete, get, post};
use axum::{Extension, Extension as Left, Json, Router, debug_handler};
use http::{Method, Request, StatusCode};
use http_body_util::BodyExt;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use tower::ServiceExt;

use crate::frameworks::contract::{
    Fixture, GuardedAgent, Input, Steps, Told, approval_in, only_the_path,
};

#[derive(Clone)]
struct App {
    guard: AgentTrustGuard,
    steps: Steps,
}

/// `Serialize`, and still not an input: it is handed in by the framework.
#[derive(Clone, Serialize)]
struct Caller(&'static str);

#[derive(Deserialize, Serialize)]
struct File {
    path: String,
}

#[debug_handler]
#[guarded(tool = "file_delete", effect = "destructive", guard = app.guard, skip(app))]
async fn above_path(
    State(app): State<App>,
    Path(path): Path<String>,
) -> Result<Json<File>, AgentTrustError> {
    app.steps.step();
    tokio::task::yield_now().await;
    app.steps.step();
    if path.is_empty() {
        return Ok(Json(File { path }));
    }
    app.steps.step();
    Ok(Json(File { path }))
}

#[guarded(tool = "file_delete", effect = "destructive", guard = app.guard, skip(app))]
#[debug_handler]
async fn below_path(
    State(app): State<App>,
    Path(path): Path<String>,
) -> Result<StatusCode, Response> {
    app.steps.step();
    tokio::task::yield_now().await;
    app.steps.step();
    if path.is_empty() {
        return Ok(StatusCode::NO_CONTENT);
    }
    app.steps.step();
    Ok(StatusCode::NO_CONTENT)
}

#[debug_handler]
#[guarded(tool = "file_delete", guard = app.guard)]
async fn above_body(
    State(app): State<App>,
    Extension(caller): Extension<Caller>,
    Json(file): Json<File>,
) -> Response {
    app.steps.step();
    assert_eq!(caller.0, "ada");
    tokio::task::yield_now().await;
    app.steps.step();
    app.steps.step();
    Response::new(Body::from(file.path))
}

#[guarded(tool = "file_delete", guard = app.guard)]
#[debug_handler]
async fn below_body(
    State(app): State<App>,
    Extension(caller): Extension<Caller>,
    Json(File { path }): Json<File>,
) -> axum::response::Result<String> {
    app.steps.step();
    assert_eq!(caller.0, "ada");
    tokio::task::yield_now().await;
    app.steps.step();
    app.steps.step();
    Ok(path)
}

#[guarded(tool = "file_delete", effect = "destructive", guard = app.guard, skip(app, caller))]
async fn plain_query(
    State(app): State<App>,
    Extension(caller): Extension<Caller>,
    Query(file): Query<File>,
) -> Result<String, AgentTrustError> {
    app.steps.step();
    tokio::task::yield_now().await;
    app.steps.step();
    app.steps.step();
    Ok(format!("{} deleted {}", caller.0, file.path))
}

#[debug_handler]
#[guarded(tool = "file_delete", effect = "destructive", guard = app.guard, skip(app))]
async fn above_opaque(
    State(app): State<App>,
    Path(path): Path<String>,
) -> Result<impl IntoResponse, AgentTrustError> {
    app.steps.step();
    tokio::task::yield_now().await;
    app.steps.step();
    app.steps.step();
    Ok((StatusCode::OK, [("x-deleted", path)]))
}

#[guarded(tool = "file_delete", effect = "destructive", guard = app.guard, skip(app))]
#[debug_handler]
async fn below_opaque(State(app): State<App>, Path(path): Path<String>) -> impl IntoResponse {
    app.steps.step();
    tokio::task::yield_now().await;
    app.steps.step();
    app.steps.step();
    path.into_response()
}

/// The extractors by other names, and one that a `Serialize` value is taken out of.
#[guarded(tool = "file_delete", guard = guard)]
async fn renamed(
    Shared(App { guard, steps }): Shared<App>,
    Left(Caller(caller)): Left<Caller>,
    path: Segment<String>,
) -> Result<String, AgentTrustError> {
    steps.step();
    assert_eq!(caller, "ada");
    tokio::task::yield_now().await;
    steps.step();
    steps.step();
    Ok(path.0)
}

/// Runs, and answers that there is nothing.
#[guarded(tool = "file_read", effect = "read", guard = app.guard)]
async fn missing(State(app): State<App>) -> Result<Response, AgentTrustError> {
    app.steps.step();
    let mut response = Response::new(Body::empty());
    *response.status_mut() = StatusCode::NOT_FOUND;
    Ok(response)
}

async fn call(guarded_agent: &GuardedAgent, request: Request<Body>) -> Result<Response> {
    let app = Router::new()
        .route("/above_path/{path}", delete(above_path))
        .route("/below_path/{path}", delete(below_path))
        .route("/above_opaque/{path}", delete(above_opaque))
        .route("/below_opaque/{path}", delete(below_opaque))
        .route("/above_body", post(above_body))
        .route("/below_body", post(below_body))
        .route("/plain_query", delete(plain_query))
        .route("/renamed/{path}", delete(renamed))
        .route("/missing", get(missing))
        .layer(Extension(Caller("ada")))
        .with_state(App { guard: guarded_agent.guard.clone(), steps: guarded_agent.steps.clone() });
    Ok(app.oneshot(request).await?)
}

async fn text(response: Response) -> Result<String> {
    Ok(String::from_utf8(response.into_body().collect().await?.to_bytes().to_vec())?)
}

/// Returns what a client of the server reads.
async fn read_response(response: Response) -> Result<Told> {
    if response.status().is_success() {
        return Ok(Told::Done);
    }
    assert_eq!(response.status(), StatusCode::FORBIDDEN);
    assert_eq!(response.headers()["content-type"], "application/problem+json");
    Ok(Told::No(text(response).await?))
}

fn request(method: Method, uri: String, body: Body) -> Result<Request<Body>> {
    let json = ("content-type", "application/json");
    Ok(Request::builder().method(method).uri(uri).header(json.0, json.1).body(body)?)
}

#[test]
fn a_handler_runs_behind_the_check_in_both_orders() -> Result<()> {
    in_a_runtime(async || {
        let fixture = Fixture::start()?;
        for handler in ["above_path", "below_path", "above_opaque", "below_opaque", "renamed"] {
            let call = async |guarded_agent: &GuardedAgent, path: &str| {
                let uri = format!("/{handler}/{path}");
                read_response(
                    call(guarded_agent, request(Method::DELETE, uri, Body::empty())?).await?,
                )
                .await
            };
            fixture.asks_first(handler, only_the_path, call).await?;
        }
        let file = |path: &str| json!({ "file": { "path": path } });
        let bodies: [(&str, Input); 2] = [("above_body", file), ("below_body", only_the_path)];
        for (handler, input) in bodies {
            let call = async |guarded_agent: &GuardedAgent, path: &str| {
                let body = Body::from(json!({ "path": path }).to_string());
                read_response(
                    call(guarded_agent, request(Method::POST, format!("/{handler}"), body)?)
                        .await?,
                )
                .await
            };
            fixture.asks_first(handler, input, call).await?;
        }
        let query = async |guarded_agent: &GuardedAgent, path: &str| {
            let uri = format!("/plain_query?path={path}");
            read_response(call(guarded_agent, request(Method::DELETE, uri, Body::empty())?).await?)
                .await
        };
        fixture.asks_first("plain_query", file, query).await
    })
}

#[test]
fn a_held_request_is_answered_with_the_problem_that_the_layer_answers_with() -> Result<()> {
    in_a_runtime(async || {
        let fixture = Fixture::start()?;
        let (guarded_agent, _) = fixture.guarded_agent(&["file:*"]).await?;
        let uri = "/above_path/plan.txt".to_owned();
        let response = call(&guarded_agent, request(Method::DELETE, uri, Body::empty())?).await?;
        assert_eq!(response.status(), StatusCode::FORBIDDEN);
        assert_eq!(response.headers()["cache-control"], "no-store");
        let text = text(response).await?;
        let problem: Value = serde_json::from_str(&text)?;
        assert_eq!(problem["type"], "about:blank");
        assert_eq!(problem["title"], "Forbidden");
        assert_eq!(problem["status"], 403);
        assert_eq!(problem["code"], "ELEVATION_REQUIRED");
        assert_eq!(problem["approval_id"], approval_in(&text)?);
        Ok(())
    })
}

#[test]
fn an_answer_that_says_it_failed_is_reported_as_a_failure() -> Result<()> {
    in_a_runtime(async || {
        let fixture = Fixture::start()?;
        let (guarded_agent, _) = fixture.guarded_agent(&["file:*"]).await?;
        let uri = "/missing".to_owned();
        let response = call(&guarded_agent, request(Method::GET, uri, Body::empty())?).await?;
        assert_eq!(response.status(), StatusCode::NOT_FOUND);
        let outcomes = fixture.outcomes(&guarded_agent).await?;
        assert_eq!(outcomes.len(), 1, "{outcomes:?}");
        assert_eq!(outcomes[0]["error_type"], "http 404");
        Ok(())
    })
}

#[test]
fn while_nobody_can_be_asked_a_handler_does_not_run_and_its_caller_is_asked_to_come_back()
-> Result<()> {
    in_a_runtime(async || {
        // Nobody listens any more where somebody did.
        let nobody = std::net::TcpListener::bind("127.0.0.1:0")?.local_addr()?;
        let client = AgentTrustClient::builder()
            .base_url(format!("http://{nobody}"))
            .api_key("sk_live_of_this_server")
            .build()?;
        let guard = AgentTrustGuard::new(client, "agt_files");
        let guarded_agent = GuardedAgent { guard, steps: Steps::default() };
        let uri = "/above_path/plan.txt".to_owned();
        let response = call(&guarded_agent, request(Method::DELETE, uri, Body::empty())?).await?;
        assert_eq!(response.status(), StatusCode::SERVICE_UNAVAILABLE);
        assert_eq!(response.headers()["retry-after"], "5");
        let text = text(response).await?;
        assert!(text.contains("GUARDIAN_UNAVAILABLE"), "{text}");
        assert!(!text.contains("127.0.0.1"), "the caller is told of hosts inside: {text}");
        assert_eq!(guarded_agent.steps.taken(), 0);
        Ok(())
    })
}
