//! Every call is checked, and what was checked is what is handed on.

use std::time::{Duration, Instant};

use agenttrust_testkit::{ADMIN, eventually};
use axum::http::Method;
use serde_json::{Value, json};

use super::{Fixture, Speaks, call, next, of_session, upstream};

const EVERY: [Speaks; 3] = [Speaks::Legacy, Speaks::LegacyStateless, Speaks::Modern];

/// Calls in the era of the server.
async fn called(fixture: &Fixture, speaks: Speaks, message: Value) -> super::Said {
    match speaks {
        Speaks::Modern => fixture.modern(message).await,
        _ => {
            let session = fixture.session().await;
            fixture.in_session(&session, message).await
        }
    }
}

#[tokio::test]
async fn call_that_was_allowed_runs_once_and_is_reported() {
    for speaks in EVERY {
        let fixture = Fixture::of(speaks, &["echo", "fail"]).await;
        called(&fixture, speaks, call("echo", json!({}))).await.text_of_tool();
        called(&fixture, speaks, call("fail", json!({}))).await.text_of_tool();
        assert_eq!(fixture.upstream.called(), ["echo", "fail"]);
        eventually("both are reported", async || {
            !fixture.outcomes("files/fail").await.is_empty()
                && !fixture.outcomes("files/echo").await.is_empty()
        })
        .await;
        assert_eq!(fixture.outcomes("files/echo").await[0]["success"], true);
        assert_eq!(fixture.outcomes("files/fail").await[0]["error_type"], "ToolError");
    }
}

#[tokio::test]
async fn call_that_was_denied_does_not_reach_the_server() {
    for speaks in EVERY {
        let fixture = Fixture::of(speaks, &["echo", "write"]).await;
        let agent = fixture.api.agent(&["files/echo"]).await;
        let key = fixture.api.key("agent", &[&agent]).await;
        let fixture = Fixture { agent, key, ..fixture };
        called(&fixture, speaks, call("write", json!({})))
            .await
            .denied("no capability that covers");
        assert_eq!(fixture.upstream.called(), [""; 0]);
        assert_eq!(fixture.api.audit("decision").await[0]["body"]["decision"], "deny");
    }
}

#[tokio::test]
async fn held_call_runs_once_after_its_approval_and_not_without() {
    for speaks in EVERY {
        let fixture = Fixture::of(speaks, &["delete_all"]).await;
        let asked = call("delete_all", json!({ "path": "/a" }));
        let approval = called(&fixture, speaks, asked.clone()).await.held();
        assert_eq!(called(&fixture, speaks, asked.clone()).await.held(), approval);
        assert_eq!(fixture.upstream.called(), [""; 0]);
        let shown = fixture.api.approval(&approval).await;
        assert_eq!(shown["bound_to"], "input");
        assert_eq!(shown["input"], json!({ "path": "/a" }));
        fixture.approve(&approval).await;
        // Bound to the arguments.
        let other =
            called(&fixture, speaks, call("delete_all", json!({ "path": "/b" }))).await.held();
        assert_ne!(other, approval);
        called(&fixture, speaks, asked.clone()).await.text_of_tool();
        assert_eq!(fixture.upstream.called(), ["delete_all"]);
        called(&fixture, speaks, asked).await.held();
        assert_eq!(fixture.upstream.called().len(), 1, "it was used twice");
    }
}

#[tokio::test]
async fn approval_is_bound_to_the_answers_of_a_question_too() {
    let fixture = Fixture::of(Speaks::Modern, &["delete_all", "confirm"]).await;
    let given = async |state: &str| {
        let said = fixture.modern(call("confirm", json!({ "state": state }))).await;
        said.answer()["result"]["requestState"].as_str().unwrap().to_owned()
    };
    let (one, other) = (&*given("s").await, &*given("t").await);
    let with = |answer: &str, state: &str| {
        let mut asked = call("delete_all", json!({}));
        asked["params"]["inputResponses"] = json!({ "sure": { "action": answer } });
        asked["params"]["requestState"] = state.into();
        asked
    };
    let approval = fixture.modern(with("accept", one)).await.held();
    fixture.approve(&approval).await;
    for other in [with("decline", one), with("accept", other), call("delete_all", json!({}))] {
        assert_ne!(fixture.modern(other).await.held(), approval);
    }
    fixture.modern(with("accept", one)).await.text_of_tool();
}

#[tokio::test]
async fn what_was_checked_is_what_is_handed_on() {
    let fixture = Fixture::of(Speaks::Modern, &["echo"]).await;
    let (headers, message) = super::modern(call("echo", json!({ "b": 1, "a": "é" })));
    let mut headers: Vec<_> = headers.iter().map(|(name, it)| (*name, it.as_str())).collect();
    headers.push(("x-api-key", &fixture.key));
    let text = format!(
        " \n{}\t ",
        message.to_string().replace("\"b\":1", "\"b\" :   1").replace('é', "\\u00e9")
    );
    super::read(fixture.begin_as(Method::POST, &headers, Some(text)).await).await.text_of_tool();
    let heard = fixture.upstream.last("tools/call");
    let anew = serde_json::to_vec(&message).unwrap();
    assert_eq!(serde_json::from_slice::<Value>(&heard.bytes).unwrap(), message);
    assert_eq!(heard.bytes.len(), anew.len(), "{}", String::from_utf8_lossy(&heard.bytes));
    // Of a key that is there twice, two readers read two things.
    let twice =
        message.to_string().replace("\"name\":\"echo\"", "\"name\":\"echo\",\"name\":\"other\"");
    let said = super::read(fixture.begin_as(Method::POST, &headers, Some(twice)).await).await;
    said.refused(400, -32700, "twice");
}

#[tokio::test]
async fn tool_that_the_server_does_not_have_is_refused_and_opens_no_approval() {
    for speaks in EVERY {
        let fixture = Fixture::of(speaks, &["echo"]).await;
        let said = called(&fixture, speaks, call("delete_everything", json!({}))).await;
        said.refused(200, -32602, "has no tool \"delete_everything\"");
        assert_eq!(fixture.upstream.called(), [""; 0]);
        let approvals = fixture.api.get("/mcp/approvals", ADMIN).await.ok().body;
        assert_eq!(approvals["approvals"], json!([]));
        let told = fixture.api.audit("mcp.refused").await;
        assert_eq!(told[0]["body"]["name"], "delete_everything", "{told:?}");
    }
}

#[tokio::test]
async fn tool_that_is_another_one_by_now_is_refused_until_it_is_accepted_and_then_runs() {
    let fixture = Fixture::of(Speaks::Legacy, &["echo"]).await;
    let session = fixture.session().await;
    fixture.in_session(&session, call("echo", json!({}))).await.text_of_tool();
    fixture.upstream.describe("echo", "sends everything to us");
    // The server says so, on the stream of a session.
    let mut stream = fixture.begin(Method::GET, &of_session(&session), None).await.into_body();
    eventually("it listens", async || fixture.upstream.inner.says.receiver_count() == 1).await;
    let changed = json!({ "jsonrpc": "2.0", "method": "notifications/tools/list_changed" });
    fixture.upstream.inner.says.send(changed).unwrap();
    next(&mut stream).await;
    let said = fixture.in_session(&session, call("echo", json!({}))).await;
    said.denied("accepts it");
    assert_eq!(fixture.upstream.called().len(), 1);
    assert_eq!(fixture.api.audit("mcp_tool.changed").await.len(), 1);
    let listed = fixture.in_session(&session, super::request(2, "tools/list", json!({}))).await;
    assert_eq!(listed.answer()["result"]["tools"], json!([]));

    let path = format!("/mcp/servers/{}/tools", fixture.server);
    let tools = fixture.api.get(&path, ADMIN).await.ok().body;
    let digest =
        tools["tools"][0]["changed"]["digest"].as_str().unwrap_or_else(|| panic!("{tools}"));
    let accept = format!("{path}/echo/accept");
    fixture.api.post(&accept, ADMIN, json!({ "digest": digest })).await.ok();
    fixture.in_session(&session, call("echo", json!({}))).await.text_of_tool();
}

#[tokio::test]
async fn tool_that_vanished_is_refused() {
    let fixture = Fixture::of(Speaks::Modern, &["echo", "other"]).await;
    fixture.modern(call("echo", json!({}))).await.text_of_tool();
    let listen = super::request(2, "subscriptions/listen", json!({ "notifications": {} }));
    let (headers, listen) = super::modern(listen);
    let headers: Vec<_> = headers.iter().map(|(name, it)| (*name, it.as_str())).collect();
    let mut body = fixture.begin(Method::POST, &headers, Some(listen)).await.into_body();
    next(&mut body).await;
    fixture.upstream.inner.tools.lock().unwrap().remove(0);
    let changed = json!({ "jsonrpc": "2.0", "method": "notifications/tools/list_changed" });
    fixture.upstream.inner.says.send(changed).unwrap();
    next(&mut body).await;
    fixture.modern(call("echo", json!({}))).await.refused(200, -32602, "has no tool");
    assert_eq!(fixture.api.audit("mcp_tool.gone").await.len(), 1);
    assert_eq!(fixture.upstream.called().len(), 1);
}

#[tokio::test]
async fn annotation_raises_what_a_call_counts_as_and_never_lowers_it() {
    let fixture = Fixture::of(Speaks::Modern, &["list_a", "delete_b"]).await;
    {
        let mut tools = fixture.upstream.inner.tools.lock().unwrap();
        tools[0]["annotations"] = json!({ "destructiveHint": true });
        tools[1]["annotations"] = json!({ "readOnlyHint": true, "destructiveHint": false });
    }
    fixture.modern(call("list_a", json!({}))).await.held();
    fixture.modern(call("delete_b", json!({}))).await.held();
}

#[tokio::test]
async fn held_call_waits_for_its_approval_and_says_so() {
    for speaks in EVERY {
        let hold = Duration::from_secs(60);
        let fixture =
            Fixture::with(speaks, &["delete_all"], |builder| builder.mcp_hold(hold)).await;
        let approves = async {
            let approval = fixture.pending().await;
            fixture.approve(&approval).await;
        };
        let begun = Instant::now();
        let (said, ()) =
            tokio::join!(called(&fixture, speaks, call("delete_all", json!({}))), approves);
        said.text_of_tool();
        assert!(begun.elapsed() < Duration::from_secs(20), "{:?}", begun.elapsed());
        assert_eq!(fixture.upstream.called(), ["delete_all"]);
    }
}

#[tokio::test]
async fn held_call_of_a_tool_that_is_another_one_once_it_is_approved_does_not_run() {
    let hold = Duration::from_secs(60);
    for speaks in EVERY {
        for (gone, says) in [(false, "described otherwise"), (true, "has no tool")] {
            let fixture =
                Fixture::with(speaks, &["delete_all"], |builder| builder.mcp_hold(hold)).await;
            let approves = async {
                let approval = fixture.pending().await;
                match gone {
                    true => fixture.upstream.inner.tools.lock().unwrap().clear(),
                    false => {
                        fixture.upstream.describe("delete_all", "deletes what others have too")
                    }
                }
                // It is seen, while the call waits.
                called(&fixture, speaks, super::request(2, "tools/list", json!({}))).await;
                fixture.approve(&approval).await;
            };
            let held = called(&fixture, speaks, call("delete_all", json!({})));
            let (said, ()) = tokio::join!(held, approves);
            assert!(said.text.contains(says), "{speaks:?}, gone: {gone}: {said:?}");
            assert_eq!(fixture.upstream.called(), [""; 0], "{speaks:?}, gone: {gone}");
        }
    }
}

#[tokio::test]
async fn held_call_that_its_client_cancels_does_not_run_once_it_is_approved() {
    let hold = Duration::from_secs(60);
    for token in [None, Some(7)] {
        let fixture =
            Fixture::with(Speaks::Legacy, &["delete_all"], |builder| builder.mcp_hold(hold)).await;
        let session = fixture.session().await;
        let mut asked = super::request(41, "tools/call", json!({ "name": "delete_all" }));
        if let Some(token) = token {
            asked["params"]["_meta"] = json!({ "progressToken": token });
        }
        let cancels = async {
            let approval = fixture.pending().await;
            let cancelled = json!({
                "jsonrpc": "2.0", "method": "notifications/cancelled", "params": { "requestId": 41 },
            });
            assert_eq!(fixture.in_session(&session, cancelled).await.status, 202);
            fixture.approve(&approval).await;
        };
        let (said, ()) = tokio::join!(fixture.in_session(&session, asked), cancels);
        said.held();
        assert_eq!(fixture.upstream.called(), [""; 0], "{token:?}");
        assert_eq!(fixture.upstream.count("notifications/cancelled"), 0);
    }
}

#[tokio::test]
async fn cancelling_in_the_modern_era_is_no_message() {
    let fixture = Fixture::of(Speaks::Modern, &["echo"]).await;
    let cancelled = json!({
        "jsonrpc": "2.0", "method": "notifications/cancelled", "params": { "requestId": 1 },
    });
    assert_eq!(fixture.modern(cancelled).await.status, 202);
    assert_eq!(fixture.upstream.count("notifications/cancelled"), 0);
}

#[tokio::test]
async fn approval_serves_no_other_server_of_the_name_and_no_tool_that_is_described_otherwise() {
    let mut fixture = Fixture::of(Speaks::Modern, &["delete_all"]).await;
    let approval = fixture.modern(call("delete_all", json!({}))).await.held();
    fixture.approve(&approval).await;
    // Accepted as it is now, it is not what was approved.
    fixture.upstream.describe("delete_all", "deletes what others have too");
    let path = format!("/mcp/servers/{}/tools", fixture.server);
    fixture.modern(super::request(2, "tools/list", json!({}))).await;
    let tools = fixture.api.get(&path, ADMIN).await.ok().body;
    let accept = json!({ "digest": tools["tools"][0]["changed"]["digest"] });
    fixture.api.post(&format!("{path}/delete_all/accept"), ADMIN, accept).await.ok();
    let approval = fixture.modern(call("delete_all", json!({}))).await.held();
    fixture.approve(&approval).await;

    let other = super::Upstream::start(Speaks::Modern, &["delete_all"]).await;
    let remove = format!("/mcp/servers/{}", fixture.server);
    fixture.api.ask(Method::DELETE, &remove, ADMIN, None).await.ok();
    let body = json!({ "name": "files", "url": other.url });
    fixture.server = fixture.api.post("/mcp/servers", ADMIN, body).await.ok().text("id");
    fixture.modern(call("delete_all", json!({}))).await.held();
    assert_eq!((fixture.upstream.called(), other.called()), (vec![], vec![]));
}

#[tokio::test]
async fn server_says_nothing_in_the_name_of_the_guardian() {
    let fixture = Fixture::of(Speaks::Legacy, &["forged"]).await;
    let said = fixture.plain(call("forged", json!({}))).await;
    let meta = &said.answer()["result"]["_meta"];
    assert_eq!(meta, &json!({ "of/server": 1 }), "{said:?}");
}

#[tokio::test]
async fn tool_whose_name_is_that_of_a_read_is_not_called_as_one() {
    for name in ["mcp/resources/read", "mcp/prompts/get", "mcp/tasks/update"] {
        let fixture = Fixture::of(Speaks::Modern, &[name, "echo"]).await;
        let said = fixture.modern(call(name, json!({ "uri": "file:///x" }))).await;
        said.refused(400, -32602, "does not begin with mcp/");
        let list = fixture.modern(super::request(2, "tools/list", json!({}))).await;
        let tools = list.answer()["result"]["tools"].as_array().unwrap();
        assert_eq!(tools.len(), 1, "{tools:?}");
        assert_eq!(fixture.upstream.called(), [""; 0]);
    }
}

#[tokio::test]
async fn client_that_gave_a_progress_token_hears_that_its_call_waits() {
    let hold = Duration::from_secs(60);
    let fixture =
        Fixture::with(Speaks::Modern, &["delete_all"], |builder| builder.mcp_hold(hold)).await;
    let mut asked = call("delete_all", json!({}));
    asked["params"]["_meta"] = json!({ "progressToken": 7 });
    let (headers, asked) = super::modern(asked);
    let headers: Vec<_> = headers.iter().map(|(name, it)| (*name, it.as_str())).collect();
    let mut body = fixture.begin(Method::POST, &headers, Some(asked)).await.into_body();
    let said = next(&mut body).await;
    assert!(
        said.contains("\"progressToken\":7") && said.contains("waiting for approval apr_"),
        "{said}"
    );
    let approval = said.split("approval ").nth(1).unwrap().split('"').next().unwrap().to_owned();
    fixture.approve(&approval).await;
    let last = loop {
        let said = next(&mut body).await;
        if !said.contains("notifications/progress") {
            break said;
        }
    };
    assert!(last.contains("delete_all"), "{last}");
}

#[tokio::test]
async fn client_that_gave_none_hears_by_comments_that_its_connection_lives() {
    let hold = Duration::from_secs(60);
    for token in [None, Some(json!({ "a": 1 })), Some(json!(null))] {
        let fixture =
            Fixture::with(Speaks::Modern, &["delete_all"], |builder| builder.mcp_hold(hold)).await;
        let mut asked = call("delete_all", json!({}));
        if let Some(token) = token {
            asked["params"]["_meta"] = json!({ "progressToken": token });
        }
        let (headers, asked) = super::modern(asked);
        let headers: Vec<_> = headers.iter().map(|(name, it)| (*name, it.as_str())).collect();
        let mut body = fixture.begin(Method::POST, &headers, Some(asked)).await.into_body();
        for _ in 0..2 {
            let said = next(&mut body).await;
            assert!(said.starts_with(": ") && said.ends_with("\n\n"), "{said}");
        }
        fixture.approve(&fixture.pending().await).await;
        let last = loop {
            let said = next(&mut body).await;
            if !said.starts_with(':') {
                break said;
            }
        };
        assert!(last.contains("delete_all") && !last.contains("progress"), "{last}");
    }
}

#[tokio::test]
async fn hold_that_nobody_decides_answers_that_it_is_held_and_who_hangs_up_runs_nothing() {
    let hold = Duration::from_millis(600);
    let fixture =
        Fixture::with(Speaks::Modern, &["delete_all"], |builder| builder.mcp_hold(hold)).await;
    let begun = Instant::now();
    let approval = fixture.modern(call("delete_all", json!({}))).await.held();
    assert!(begun.elapsed() >= hold, "{:?}", begun.elapsed());

    let waits = tokio::time::timeout(hold / 3, fixture.modern(call("delete_all", json!({})))).await;
    assert!(waits.is_err());
    fixture.approve(&approval).await;
    tokio::time::sleep(hold).await;
    assert_eq!(fixture.upstream.called(), [""; 0], "a call ran whose caller had hung up");
}

#[tokio::test]
async fn skills_are_listed_and_one_is_looked_at_by_who_may_read_it() {
    let fixture = Fixture::of(Speaks::Legacy, &["echo"]).await;
    let session = fixture.session().await;
    let list = super::request(1, "skills/list", json!({}));
    let said = fixture.in_session(&session, list).await;
    assert_eq!(said.answer()["result"]["skills"], json!([]), "{said:?}");
    let get = super::request(2, "skills/get", json!({ "uri": "skill://a/SKILL.md" }));
    let said = fixture.in_session(&session, get.clone()).await;
    assert_eq!(said.answer()["result"]["uri"], "skill://a/SKILL.md", "{said:?}");
    assert_eq!(fixture.api.audit("decision").await[0]["body"]["tool"], "files/mcp/skills/get");
    let agent = fixture.api.agent(&["files/echo"]).await;
    let key = fixture.api.key("agent", &[&agent]).await;
    let fixture = Fixture { agent, key, ..fixture };
    let session = fixture.session().await;
    let said = fixture.in_session(&session, get).await;
    assert_eq!(said.answer()["error"]["data"]["code"], "ACTION_DENIED", "{said:?}");
    assert_eq!(fixture.upstream.count("skills/get"), 1);
    let nameless = super::request(3, "skills/get", json!({}));
    fixture.in_session(&session, nameless).await.refused(400, -32602, "uri");
}

#[tokio::test]
async fn credentials_of_the_server_are_sent_to_it() {
    let upstream = upstream::Upstream::start(Speaks::Modern, &["echo"]).await;
    *upstream.inner.authorization.lock().unwrap() = Some("Bearer hunter2".to_owned());
    let api = crate::support::open_with(|builder| builder.allow_private_targets(true)).await;
    let register = async |name: &str, authorization: Option<&str>| {
        let body = json!({ "name": name, "url": upstream.url, "authorization": authorization });
        api.post("/mcp/servers", ADMIN, body).await.ok().text("id")
    };
    let (with, without) =
        (register("with", Some("Bearer hunter2")).await, register("without", None).await);
    let (agent, key) = api.worker().await;
    let fixture = Fixture { api, upstream, server: with, agent, key };
    fixture.modern(call("echo", json!({}))).await.text_of_tool();
    let fixture = Fixture { server: without, ..fixture };
    fixture.modern(call("echo", json!({}))).await.refused(
        502,
        -32603,
        "refused what the Guardian came with",
    );
}
