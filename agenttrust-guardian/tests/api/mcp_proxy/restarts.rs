//! Servers that are started again, or are other ones by now: they are found out without anyone doing anything.

use axum::http::Method;
use serde_json::json;

use super::{Fixture, Speaks, call, read, request};
use agenttrust_testkit::ADMIN;

#[tokio::test]
async fn server_that_answers_an_unknown_session_with_400_is_found_again_after_its_restart() {
    for code in [-32000, -32600] {
        let fixture = Fixture::of(Speaks::Legacy, &["echo"]).await;
        *fixture.upstream.inner.unknown.lock().unwrap() = (400, code);
        fixture.plain(call("echo", json!({}))).await.text_of_tool();
        fixture.upstream.forget_sessions();
        fixture.plain(call("echo", json!({}))).await.text_of_tool();
        // What looks at the tools finds it, too.
        fixture.upstream.forget_sessions();
        let (other, _) = fixture.api.worker().await;
        let body = json!({ "jsonrpc": "2.0", "method": "notifications/tools/list_changed" });
        let _ = fixture.upstream.inner.says.send(body);
        let sent = [("x-api-key", ADMIN), ("x-agent-id", &*other)];
        let listed = request(1, "tools/list", json!({})).to_string();
        let said = read(fixture.begin_as(Method::POST, &sent, Some(listed)).await).await;
        assert!(said.answer()["result"]["tools"].is_array(), "{said:?}");
    }
}

#[tokio::test]
async fn request_that_a_server_refuses_is_not_made_again() {
    let fixture = Fixture::of(Speaks::Legacy, &["echo"]).await;
    fixture.plain(call("echo", json!({}))).await.text_of_tool();
    *fixture.upstream.inner.unknown.lock().unwrap() = (400, -32602);
    fixture.upstream.forget_sessions();
    let before = fixture.upstream.called().len();
    fixture.plain(call("echo", json!({}))).await.refused(400, -32602, "Session not found");
    assert_eq!(fixture.upstream.called().len(), before + 1);
}

#[tokio::test]
async fn server_that_speaks_another_era_by_now_is_found_out() {
    for (first, then) in [(Speaks::Modern, Speaks::Legacy), (Speaks::Legacy, Speaks::Modern)] {
        let fixture = Fixture::of(first, &["echo"]).await;
        fixture.plain(call("echo", json!({}))).await.text_of_tool();
        *fixture.upstream.inner.speaks.lock().unwrap() = then;
        fixture.upstream.forget_sessions();
        // One call may find it out.
        let _ = fixture.plain(call("echo", json!({}))).await;
        fixture.plain(call("echo", json!({}))).await.text_of_tool();
    }
}
