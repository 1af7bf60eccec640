//! Servers that close the stream of a call before they answer it, and answer on another one.

use agenttrust_testkit::eventually;
use axum::http::Method;
use http_body_util::BodyExt;
use serde_json::{Value, json};

use super::legacy::begun;
use super::{Fixture, Speaks, call, next, of_session, read, request};

/// Returns how the one call of this tool ended.
async fn ended(fixture: &Fixture, tool: &str) -> Value {
    let tool = format!("files/{tool}");
    eventually("it is told", async || !fixture.outcomes(&tool).await.is_empty()).await;
    let told = fixture.outcomes(&tool).await;
    assert_eq!(told.len(), 1, "{told:?}");
    told[0].clone()
}

#[tokio::test]
async fn caller_that_hears_answers_alone_hears_the_one_on_the_stream_that_goes_on() {
    let fixture = Fixture::of(Speaks::Legacy, &["polled"]).await;
    // By a client that knows nothing of MCP, and by one that reads no events.
    let said = fixture.plain(call("polled", json!({}))).await;
    assert_eq!(said.answer()["result"]["from"], "e4", "{said:?}");
    assert_eq!(said.answer()["id"], 1);
    assert_eq!(ended(&fixture, "polled").await["success"], true);
    eventually("it is hung up on", async || fixture.upstream.running() == 0).await;

    let fixture = Fixture::of(Speaks::Legacy, &["polled"]).await;
    let session = fixture.session().await;
    let headers =
        [of_session(&session)[0], of_session(&session)[1], ("accept", "application/json")];
    let said =
        read(fixture.begin(Method::POST, &headers, Some(call("polled", json!({})))).await).await;
    assert_eq!(said.answer()["result"]["from"], "e4", "{said:?}");
    assert_eq!(ended(&fixture, "polled").await["success"], true);
}

#[tokio::test]
async fn answer_on_the_stream_that_the_client_listens_to_is_the_calls() {
    let fixture = Fixture::of(Speaks::Legacy, &["elsewhere"]).await;
    let session = fixture.session().await;
    let mut stream = fixture.begin(Method::GET, &of_session(&session), None).await.into_body();
    eventually("it listens", async || fixture.upstream.inner.says.receiver_count() == 1).await;
    let asked = request(7, "tools/call", json!({ "name": "elsewhere" }));
    let mut own = fixture.begin_in(&session, asked).await.into_body();
    assert!(next(&mut own).await.contains("notifications/progress"));
    let rest = own.frame().await;
    assert!(rest.is_none(), "{rest:?}");
    let answer = json!({ "jsonrpc": "2.0", "id": 7, "result": { "content": [], "isError": true } });
    fixture.upstream.inner.says.send(answer).unwrap();
    assert!(next(&mut stream).await.contains("\"isError\":true"));
    assert_eq!(ended(&fixture, "elsewhere").await["error_type"], "ToolError");
}

#[tokio::test]
async fn stream_that_is_closed_where_nothing_goes_on_is_an_error_of_its_request() {
    let fixture = Fixture::of(Speaks::Legacy, &["elsewhere"]).await;
    let session = fixture.session().await;
    let said = fixture.in_session(&session, call("elsewhere", json!({}))).await;
    let error = &said.answer()["error"];
    assert!(error["message"].as_str().unwrap().contains("broke off"), "{said:?}");
    assert_eq!(ended(&fixture, "elsewhere").await["error_type"], "NoReply");
    fixture.plain(call("elsewhere", json!({}))).await.refused(502, -32603, "broke off");
}

#[tokio::test]
async fn caller_that_reads_events_is_left_to_go_on_by_itself() {
    let fixture = Fixture::of(Speaks::Legacy, &["polled"]).await;
    let session = fixture.session().await;
    let (mut body, id) = begun(&fixture, &session, "polled").await;
    assert!(body.frame().await.is_none());
    let mut headers = of_session(&session).to_vec();
    headers.push(("last-event-id", &id));
    let mut body = fixture.begin(Method::GET, &headers, None).await.into_body();
    assert!(next(&mut body).await.contains("\"from\":\"e4\""));
}
