//! The era of sessions, up to 2025-11-25.

use std::sync::atomic::Ordering;
use std::time::Duration;

use agenttrust_testkit::{ADMIN, eventually};
use axum::body::Body;
use axum::http::Method;
use http_body_util::BodyExt;
use serde_json::{Value, json};

use super::{ACCEPTS, Fixture, Speaks, call, next, of_session, read, request};

#[tokio::test]
async fn session_is_opened_used_and_ended() {
    let fixture = Fixture::of(Speaks::Legacy, &["echo"]).await;
    let session = fixture.session().await;
    assert!(!session.contains("up-"), "{session}");
    let said = fixture.in_session(&session, call("echo", json!({ "a": 1 }))).await;
    assert_eq!(said.text_of_tool(), "echo {\"a\":1}");
    assert_eq!(fixture.upstream.last("tools/call").header("mcp-session-id"), "up-0");
    let ended = fixture.begin(Method::DELETE, &of_session(&session), None).await;
    assert_eq!(ended.status(), 200);
    fixture.in_session(&session, call("echo", json!({}))).await.refused(
        404,
        -32001,
        "open another",
    );
}

#[tokio::test]
async fn session_belongs_to_its_agent_and_its_server() {
    let fixture = Fixture::of(Speaks::Legacy, &["echo"]).await;
    let session = fixture.session().await;
    let (_, other) = fixture.api.worker().await;
    let body = call("echo", json!({})).to_string();
    for method in [Method::POST, Method::GET, Method::DELETE] {
        let mut headers = vec![("x-api-key", other.as_str())];
        headers.extend(of_session(&session));
        let body = (method == Method::POST).then(|| body.clone());
        let said = read(fixture.begin_as(method, &headers, body).await).await;
        said.refused(404, -32001, "no such session");
    }
    let second = json!({ "name": "second", "url": fixture.upstream.url });
    let second = fixture.api.post("/mcp/servers", ADMIN, second).await.ok().text("id");
    let there = Fixture { server: second, ..fixture };
    there.in_session(&session, call("echo", json!({}))).await.refused(404, -32001, "no such");
    for made_up in ["up-0", "x", &"x".repeat(20_000), &session[..session.len() - 2]] {
        there.in_session(made_up, call("echo", json!({}))).await.refused(404, -32001, "no such");
    }
    assert_eq!(there.upstream.called(), [""; 0]);
}

#[tokio::test]
async fn server_without_sessions_is_given_one_by_the_proxy() {
    let fixture = Fixture::of(Speaks::LegacyStateless, &["echo"]).await;
    let session = fixture.session().await;
    fixture.in_session(&session, call("echo", json!({}))).await.text_of_tool();
    assert_eq!(fixture.upstream.last("tools/call").header("mcp-session-id"), "");
    let ended = fixture.begin(Method::DELETE, &of_session(&session), None).await;
    assert_eq!(ended.status(), 405);
}

#[tokio::test]
async fn version_that_is_not_known_is_negotiated_as_any_server_does() {
    let fixture = Fixture::of(Speaks::Legacy, &["echo"]).await;
    for version in ["2099-01-01", "1.0", "2026-07-28"] {
        let params = json!({ "protocolVersion": version, "capabilities": {}, "clientInfo": {} });
        let said = fixture.post(&[ACCEPTS], request(1, "initialize", params)).await;
        assert_eq!(said.answer()["result"]["protocolVersion"], "2025-11-25", "{version}");
        let asked = fixture.upstream.last("initialize").body["params"]["protocolVersion"].clone();
        assert_eq!(asked, "2025-11-25");
    }
    let session = fixture.session().await;
    let wrong = [("mcp-session-id", &*session), ("mcp-protocol-version", "1999-01-01"), ACCEPTS];
    fixture.post(&wrong, call("echo", json!({}))).await.refused(400, -32022, "1999-01-01");
}

#[tokio::test]
async fn question_of_a_tool_reaches_the_client_and_its_answer_the_tool() {
    let fixture = Fixture::of(Speaks::Legacy, &["ask"]).await;
    let session = fixture.session().await;
    let mut body = fixture.begin_in(&session, call("ask", json!({}))).await.into_body();
    let question = next(&mut body).await;
    assert!(question.contains("elicitation/create") && question.contains("\"q1\""), "{question}");
    let answer = json!({ "jsonrpc": "2.0", "id": "q1", "result": { "action": "accept" } });
    assert_eq!(fixture.in_session(&session, answer.clone()).await.status, 202);
    let last = next(&mut body).await;
    assert!(last.contains("accept"), "{last}");
    // What was answered stays out of the audit.
    let told = fixture.api.audit("mcp.answered").await;
    assert_eq!(told.len(), 1);
    let body = &told[0]["body"];
    assert_eq!((&body["request_id"], &body["agent_id"]), (&json!("q1"), &json!(fixture.agent)));
    assert_eq!(body["digest"].as_str().unwrap().len(), 64);
    assert!(!told[0].to_string().contains("accept"), "{told:?}");
    // Outside of a session nothing was asked.
    fixture.plain(answer).await.refused(400, -32600, "only in a session");
}

#[tokio::test]
async fn progress_arrives_and_the_first_event_passes_at_once() {
    let fixture = Fixture::of(Speaks::Legacy, &["count", "slow"]).await;
    let session = fixture.session().await;
    let mut counted = call("count", json!({}));
    counted["params"]["_meta"] = json!({ "progressToken": "p" });
    let said = fixture.in_session(&session, counted).await;
    let progress: Vec<_> = said.messages.iter().map(|it| &it["params"]["progress"]).collect();
    assert_eq!(progress, [&json!(1), &json!(2), &json!(3), &json!(null)]);
    assert_eq!(said.text_of_tool(), "counted");

    let response = fixture.begin_in(&session, call("slow", json!({}))).await;
    assert_eq!(response.headers()["content-type"], "text/event-stream");
    let mut body = response.into_body();
    assert!(next(&mut body).await.contains("notifications/progress"));
    fixture.upstream.inner.release.notify_one();
    assert!(next(&mut body).await.contains("at last"));
}

#[tokio::test]
async fn cancelling_passes_and_hanging_up_hangs_up_on_the_server() {
    let fixture = Fixture::of(Speaks::Legacy, &["slow", "hang"]).await;
    let session = fixture.session().await;
    let mut body = fixture.begin_in(&session, call("slow", json!({}))).await.into_body();
    next(&mut body).await;
    assert_eq!(fixture.upstream.running(), 1);
    let cancelled = json!({ "jsonrpc": "2.0", "method": "notifications/cancelled", "params": { "requestId": 1 } });
    assert_eq!(fixture.in_session(&session, cancelled).await.status, 202);
    assert_eq!(fixture.upstream.last("notifications/cancelled").body["params"]["requestId"], 1);
    drop(body);
    eventually("the stream is hung up on", async || fixture.upstream.running() == 0).await;
    eventually("it is reported", async || !fixture.outcomes("files/slow").await.is_empty()).await;
    assert_eq!(fixture.outcomes("files/slow").await[0]["error_type"], "Cancelled");

    // Before the server has begun to answer, too.
    let headers = of_session(&session);
    let hangs = fixture.begin(Method::POST, &headers, Some(call("hang", json!({}))));
    let waited = tokio::time::timeout(Duration::from_millis(500), hangs).await;
    assert!(waited.is_err(), "{waited:?}");
    eventually("the call is hung up on", async || fixture.upstream.running() == 0).await;
}

#[tokio::test]
async fn stream_of_the_server_is_heard_and_goes_on_from_the_last_event() {
    let fixture = Fixture::of(Speaks::Legacy, &["resumable"]).await;
    let session = fixture.session().await;
    let response = fixture.begin(Method::GET, &of_session(&session), None).await;
    assert_eq!(response.headers()["content-type"], "text/event-stream");
    let mut body = response.into_body();
    let told = |method: &str| json!({ "jsonrpc": "2.0", "method": method });
    eventually("it listens", async || fixture.upstream.inner.says.receiver_count() == 1).await;
    fixture.upstream.inner.says.send(told("notifications/made_up")).unwrap();
    // Some servers say this again at the beginning of a stream that goes on.
    fixture.upstream.inner.says.send(json!({})).unwrap();
    fixture.upstream.inner.says.send(told("notifications/resources/list_changed")).unwrap();
    let heard = next(&mut body).await;
    assert!(heard.contains("resources/list_changed"), "{heard}");
    drop(body);
    eventually("it is hung up on", async || fixture.upstream.running() == 0).await;

    // What the server calls an event is between it and the Guardian.
    let (_, id) = begun(&fixture, &session, "resumable").await;
    // By its beginning: what is sealed is random, and may hold any two letters.
    assert!(id.starts_with("sealed."), "{id}");
    let mut headers = of_session(&session).to_vec();
    headers.push(("last-event-id", &id));
    let mut body = fixture.begin(Method::GET, &headers, None).await.into_body();
    let again = next(&mut body).await;
    assert!(again.starts_with("id: ") && again.contains("\"from\":\"e4\""), "{again}");
    assert_ne!(id_of(&again), id);
}

/// Returns the id of an event.
fn id_of(event: &str) -> String {
    let id = event.lines().find_map(|line| line.strip_prefix("id: "));
    id.unwrap_or_else(|| panic!("no id: {event}")).to_owned()
}

/// Begins a call of id 7, which is the id that a stream that goes on answers; returns the id of its first event, too.
pub(super) async fn begun(fixture: &Fixture, session: &str, tool: &str) -> (Body, String) {
    let asked = request(7, "tools/call", json!({ "name": tool }));
    let mut body = fixture.begin_in(session, asked).await.into_body();
    let first = next(&mut body).await;
    (body, id_of(&first))
}

/// Goes on from the event that was heard, up to the answer.
async fn resumed(fixture: &Fixture, session: &str, from: &str) -> Body {
    let mut headers = of_session(session).to_vec();
    headers.push(("last-event-id", from));
    let mut body = fixture.begin(Method::GET, &headers, None).await.into_body();
    let answer = next(&mut body).await;
    assert!(answer.contains("\"id\":7") && answer.contains("\"result\""), "{answer}");
    body
}

#[tokio::test]
async fn call_whose_stream_broke_and_was_taken_up_again_is_told_as_it_ended() {
    let fixture = Fixture::of(Speaks::Legacy, &["resumable", "polled"]).await;
    let ended = async |tool: &str| {
        let tool = format!("files/{tool}");
        eventually("it is told", async || !fixture.outcomes(&tool).await.is_empty()).await;
        fixture.outcomes(&tool).await
    };
    let session = fixture.session().await;
    let (broken, id) = begun(&fixture, &session, "resumable").await;
    drop(broken);
    eventually("it is hung up on", async || fixture.upstream.running() == 0).await;
    // Neither a stream that says nothing of it nor a little time makes it a cancelled one.
    tokio::time::sleep(Duration::from_millis(300)).await;
    assert_eq!(fixture.outcomes("files/resumable").await, [] as [Value; 0]);
    drop(resumed(&fixture, &session, &id).await);
    let told = ended("resumable").await;
    assert_eq!((told.len(), &told[0]["success"]), (1, &json!(true)), "{told:?}");

    // The server itself closes the stream, which is no error then.
    let session = fixture.session().await;
    let (mut polled, id) = begun(&fixture, &session, "polled").await;
    let rest = polled.frame().await;
    assert!(rest.is_none(), "{rest:?}");
    drop(polled);
    drop(resumed(&fixture, &session, &id).await);
    let told = ended("polled").await;
    assert_eq!((told.len(), &told[0]["success"]), (1, &json!(true)), "{told:?}");
}

#[tokio::test]
async fn answer_that_comes_before_the_broken_stream_is_noticed_is_told_too() {
    let fixture = Fixture::of(Speaks::Legacy, &["resumable"]).await;
    let session = fixture.session().await;
    let (first, id) = begun(&fixture, &session, "resumable").await;
    drop(resumed(&fixture, &session, &id).await);
    drop(first);
    let tool = "files/resumable";
    eventually("it is told", async || !fixture.outcomes(tool).await.is_empty()).await;
    assert_eq!(fixture.outcomes(tool).await[0]["success"], true);
}

#[tokio::test]
async fn broken_call_that_is_cancelled_or_whose_session_ends_is_told_as_cancelled() {
    let fixture = Fixture::of(Speaks::Legacy, &["resumable"]).await;
    let tool = "files/resumable";
    let cancels = json!({ "requestId": 7 });
    let cancels =
        json!({ "jsonrpc": "2.0", "method": "notifications/cancelled", "params": cancels });
    for (before, ends) in [("cancel", ""), ("", "cancel"), ("", "end")] {
        let session = fixture.session().await;
        let (body, _) = begun(&fixture, &session, "resumable").await;
        if before == "cancel" {
            assert_eq!(fixture.in_session(&session, cancels.clone()).await.status, 202);
        }
        let told = fixture.outcomes(tool).await.len();
        drop(body);
        eventually("it is hung up on", async || fixture.upstream.running() == 0).await;
        match ends {
            "cancel" => {
                assert_eq!(fixture.in_session(&session, cancels.clone()).await.status, 202);
            }
            "end" => {
                let ended = fixture.begin(Method::DELETE, &of_session(&session), None).await;
                assert_eq!(ended.status(), 200);
            }
            _ => {}
        }
        eventually("it is told", async || fixture.outcomes(tool).await.len() > told).await;
    }
    let told = fixture.outcomes(tool).await;
    assert_eq!(told.len(), 3);
    assert!(told.iter().all(|told| told["error_type"] == "Cancelled"), "{told:?}");
}

#[tokio::test]
async fn methods_of_http_without_a_session_are_none() {
    let fixture = Fixture::of(Speaks::Legacy, &["echo"]).await;
    for method in [Method::GET, Method::DELETE] {
        let said = read(fixture.begin(method.clone(), &[ACCEPTS], None).await).await;
        said.refused(405, -32600, "POST and nothing else");
        let of_it = [("mcp-protocol-version", "2025-11-25")];
        let said = read(fixture.begin(method, &of_it, None).await).await;
        said.refused(400, -32600, "initialize");
    }
    let put = fixture.begin(Method::PUT, &[], None).await;
    assert_eq!(put.status(), 405);
}

#[tokio::test]
async fn server_without_sessions_answers_an_initialisation_with_the_versions_that_it_speaks() {
    let fixture = Fixture::of(Speaks::Modern, &["echo"]).await;
    let params = json!({ "protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": {} });
    let said = fixture.post(&[ACCEPTS], request(1, "initialize", params)).await;
    said.refused(400, -32022, "2026-07-28");
    let data = &said.answer()["error"]["data"];
    assert_eq!(*data, json!({ "supported": ["2026-07-28"], "requested": "2025-11-25" }));
}

#[tokio::test]
async fn revoked_key_agent_and_server_end_open_streams_and_calls() {
    for what in ["key", "agent", "server"] {
        let fixture = Fixture::of(Speaks::Legacy, &["slow"]).await;
        let session = fixture.session().await;
        let mut stream = fixture.begin(Method::GET, &of_session(&session), None).await.into_body();
        let mut running = fixture.begin_in(&session, call("slow", json!({}))).await.into_body();
        next(&mut running).await;
        let begun = std::time::Instant::now();
        match what {
            "key" => {
                let keys = fixture.api.get("/api/v1/keys", ADMIN).await.ok().body;
                let keys = keys["keys"].as_array().unwrap().clone();
                let of_agent = keys.iter().find(|key| key["agents"][0] == fixture.agent).unwrap();
                let path = format!("/api/v1/keys/{}", of_agent["id"].as_str().unwrap());
                fixture.api.ask(Method::DELETE, &path, ADMIN, None).await.ok();
            }
            "agent" => {
                let path = format!("/api/v1/agents/{}/revoke", fixture.agent);
                fixture.api.post(&path, ADMIN, json!({ "reason": "" })).await.ok();
            }
            _ => {
                let path = format!("/mcp/servers/{}", fixture.server);
                fixture.api.ask(Method::DELETE, &path, ADMIN, None).await.ok();
            }
        }
        let last = next(&mut running).await;
        assert!(last.contains("\"error\"") && last.contains("\"id\":1"), "{what}: {last}");
        let ended = tokio::time::timeout(Duration::from_secs(5), async {
            while stream.frame().await.is_some_and(|frame| frame.is_ok()) {}
        });
        ended.await.unwrap_or_else(|_| panic!("{what}: the stream goes on"));
        assert!(begun.elapsed() < Duration::from_secs(3), "{what}: {:?}", begun.elapsed());
        eventually("both are hung up on", async || fixture.upstream.running() == 0).await;
        let _ = fixture.upstream.inner.running.load(Ordering::SeqCst);
    }
}
