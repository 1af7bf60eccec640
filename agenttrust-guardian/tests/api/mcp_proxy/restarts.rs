//! Servers that are started again, or are other ones by now: they are found out without anyone doing anything.

use axum::http::Method;
use serde_json::json;

use super::{House, Speaks, call, read, request};
use agenttrust_testkit::ADMIN;

#[tokio::test]
async fn server_that_answers_an_unknown_session_with_400_is_found_again_after_its_restart() {
    for code in [-32000, -32600] {
        let house = House::of(Speaks::Legacy, &["echo"]).await;
        *house.upstream.inner.unknown.lock().unwrap() = (400, code);
        house.plain(call("echo", json!({}))).await.text_of_tool();
        house.upstream.forget_sessions();
        house.plain(call("echo", json!({}))).await.text_of_tool();
        // What looks at the tools finds it, too.
        house.upstream.forget_sessions();
        let (other, _) = house.api.worker().await;
        let body = json!({ "jsonrpc": "2.0", "method": "notifications/tools/list_changed" });
        let _ = house.upstream.inner.says.send(body);
        let sent = [("x-api-key", ADMIN), ("x-agent-id", &*other)];
        let listed = request(1, "tools/list", json!({})).to_string();
        let said = read(house.begin_as(Method::POST, &sent, Some(listed)).await).await;
        assert!(said.answer()["result"]["tools"].is_array(), "{said:?}");
    }
}

#[tokio::test]
async fn request_that_a_server_refuses_is_not_made_again() {
    let house = House::of(Speaks::Legacy, &["echo"]).await;
    house.plain(call("echo", json!({}))).await.text_of_tool();
    *house.upstream.inner.unknown.lock().unwrap() = (400, -32602);
    house.upstream.forget_sessions();
    let before = house.upstream.called().len();
    house.plain(call("echo", json!({}))).await.refused(400, -32602, "Session not found");
    assert_eq!(house.upstream.called().len(), before + 1);
}

#[tokio::test]
async fn server_that_speaks_another_era_by_now_is_found_out() {
    for (first, then) in [(Speaks::Modern, Speaks::Legacy), (Speaks::Legacy, Speaks::Modern)] {
        let house = House::of(first, &["echo"]).await;
        house.plain(call("echo", json!({}))).await.text_of_tool();
        *house.upstream.inner.speaks.lock().unwrap() = then;
        house.upstream.forget_sessions();
        // One call may find it out.
        let _ = house.plain(call("echo", json!({}))).await;
        house.plain(call("echo", json!({}))).await.text_of_tool();
    }
}
