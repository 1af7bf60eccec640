//! Servers that do what none should: bounded time, bounded memory, the right error.

use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use agenttrust_testkit::{ADMIN, eventually};
use axum::http::Method;
use futures_util::future::join_all;
use http_body_util::BodyExt;
use serde_json::json;

use super::{Fixture, Speaks, call, next, of_session};

/// The longest time that a server costs, here with a time-out of a second and on a machine that is
/// busy.
const BOUND: Duration = Duration::from_secs(60);

const TOOLS: [&str; 12] = [
    "html", "huge", "endless", "flood", "broken", "redirect", "other_id", "nonsense", "question",
    "quiet", "busy", "hang",
];

async fn fixture(speaks: Speaks) -> Fixture {
    Fixture::with(speaks, &TOOLS, |builder| builder.mcp_timeout(Duration::from_secs(1))).await
}

#[tokio::test]
async fn answer_that_is_none_is_an_error_that_says_what_it_was() {
    for speaks in [Speaks::Legacy, Speaks::Modern] {
        let fixture = fixture(speaks).await;
        for (tool, status, says) in [
            ("html", 502, "text/html instead of JSON"),
            ("huge", 502, "longer than 16777216 bytes"),
            ("redirect", 502, "a redirect, which is not followed"),
            ("other_id", 502, "answered another request"),
            ("nonsense", 502, "no message of JSON-RPC"),
            ("busy", 503, "too much to do"),
            ("hang", 504, "does not answer"),
        ] {
            let begun = Instant::now();
            let asked = call(tool, json!({}));
            let said = match speaks {
                Speaks::Modern => fixture.modern(asked).await,
                _ => fixture.plain(asked).await,
            };
            said.refused(status, -32603, says);
            assert_eq!(said.answer()["id"], 1);
            assert!(!said.text.contains("169.254") && !said.text.contains("secret"), "{said:?}");
            assert!(begun.elapsed() < BOUND, "{tool}: {:?}", begun.elapsed());
            let of_tool = format!("files/{tool}");
            eventually("it is reported", async || !fixture.outcomes(&of_tool).await.is_empty())
                .await;
            assert_eq!(fixture.outcomes(&of_tool).await[0]["error_type"], "NoReply");
        }
        eventually("everything is hung up on", async || fixture.upstream.running() <= 1).await;
    }
}

#[tokio::test]
async fn many_who_ask_a_server_that_hangs_wait_as_long_as_one() {
    let fixture = Fixture::with(Speaks::Legacy, &["echo"], |builder| {
        builder.mcp_timeout(Duration::from_secs(2))
    })
    .await;
    fixture.upstream.inner.hangs.store(true, Ordering::SeqCst);
    let begun = Instant::now();
    let calls = (0..20).map(|_| fixture.plain(call("echo", json!({}))));
    for said in join_all(calls).await {
        said.refused(504, -32603, "does not answer");
    }
    // One after the other they would take forty seconds.
    assert!(begun.elapsed() < Duration::from_secs(20), "{:?}", begun.elapsed());
    fixture.upstream.inner.hangs.store(false, Ordering::SeqCst);
    fixture.plain(call("echo", json!({}))).await.text_of_tool();
}

#[tokio::test]
async fn stream_that_goes_wrong_ends_with_an_error_of_its_request() {
    let fixture = fixture(Speaks::Legacy).await;
    let session = fixture.session().await;
    for (tool, says) in [
        ("endless", "an event of more than"),
        ("broken", "broke off or went silent"),
        ("quiet", "broke off or went silent"),
    ] {
        let begun = Instant::now();
        let said = fixture.in_session(&session, call(tool, json!({}))).await;
        assert_eq!(said.status, 200);
        let error = &said.answer()["error"];
        assert_eq!(
            (&said.answer()["id"], &error["code"]),
            (&json!(1), &json!(-32603)),
            "{tool}: {said:?}"
        );
        assert!(error["message"].as_str().unwrap().contains(says), "{tool}: {said:?}");
        assert!(begun.elapsed() < BOUND, "{tool}: {:?}", begun.elapsed());
    }
    eventually("everything is hung up on", async || fixture.upstream.running() == 0).await;
    assert_eq!(fixture.outcomes("files/broken").await[0]["error_type"], "NoReply");
}

#[tokio::test]
async fn flood_goes_no_faster_than_it_is_read_and_has_an_end_for_who_hears_answers_only() {
    let fixture = fixture(Speaks::Legacy).await;
    let session = fixture.session().await;
    let mut body = fixture.begin_in(&session, call("flood", json!({}))).await.into_body();
    for _ in 0..1_000 {
        assert!(next(&mut body).await.contains("notifications/message"));
    }
    drop(body);
    eventually("it is hung up on", async || fixture.upstream.running() == 0).await;
    let said = fixture.plain(call("flood", json!({}))).await;
    said.refused(502, -32603, "longer than");
    eventually("it is hung up on", async || fixture.upstream.running() == 0).await;
}

#[tokio::test]
async fn what_a_server_may_not_say_is_not_heard() {
    let fixture = fixture(Speaks::Legacy).await;
    let session = fixture.session().await;
    let said = fixture.in_session(&session, call("question", json!({}))).await;
    assert_eq!(said.messages.len(), 1, "{said:?}");
    assert!(said.answer()["result"].is_object());
}

#[tokio::test]
async fn server_that_is_not_there_is_an_error_and_found_again_when_it_is_back() {
    let fixture = fixture(Speaks::Legacy).await;
    let body = json!({ "name": "gone", "url": "http://127.0.0.1:9/" });
    let gone = fixture.api.post("/mcp/servers", ADMIN, body).await.ok().text("id");
    let there = Fixture { server: gone, ..fixture };
    let said = there.plain(call("echo", json!({}))).await;
    said.refused(504, -32603, "does not answer");
    assert!(!said.text.contains("127.0.0.1"), "{said:?}");
    assert_eq!(there.api.audit("mcp.refused").await.len(), 1);
}

#[tokio::test]
async fn streams_of_one_key_are_bounded() {
    let fixture = fixture(Speaks::Legacy).await;
    let session = fixture.session().await;
    let mut open = Vec::new();
    let refused = loop {
        let answer = fixture.begin(Method::GET, &of_session(&session), None).await;
        if answer.status() != 200 {
            break answer;
        }
        open.push(answer.into_body());
        assert!(open.len() <= 512, "there is no limit");
    };
    assert_eq!(refused.status(), 429);
    assert_eq!(refused.headers()["retry-after"], "1");
    let text = refused.into_body().collect().await.unwrap().to_bytes();
    assert!(String::from_utf8_lossy(&text).contains("streams of MCP servers"), "{text:?}");
    open.pop();
    let again = fixture.begin(Method::GET, &of_session(&session), None).await;
    assert_eq!(again.status(), 200);
}

#[tokio::test]
async fn tools_without_end_are_an_error() {
    let fixture = Fixture::of(Speaks::Modern, &["a", "b", "c"]).await;
    // Each page says that there is one more.
    *fixture.upstream.inner.page.lock().unwrap() = Some(0);
    let said = fixture.modern(call("a", json!({}))).await;
    said.refused(502, -32603, "without end");
}
