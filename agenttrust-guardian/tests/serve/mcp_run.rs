//! `agenttrust mcp run`: a guard in front of a server on standard input and output.

mod approved;
mod client;
mod ends;
mod garbled;
#[cfg(target_os = "linux")]
mod hidden;
mod peers;
mod server;
mod shown;

use serde_json::{Value, json};

use self::client::{Client, text_of};
use crate::program::run;

#[tokio::test]
async fn what_is_allowed_reaches_the_server_as_it_was_checked_and_its_answer_comes_back() {
    let mut client = Client::inside(&[]);
    let begun = client.request("initialize", json!({ "protocolVersion": "2025-11-25" })).await;
    assert_eq!(begun["result"]["protocolVersion"], "2025-11-25");
    client.send(&json!({ "jsonrpc": "2.0", "method": "notifications/initialized" })).await;
    let arguments = json!({ "b": [1.5, null], "a": "ü\n" });
    let said = client.says("read_note", arguments.clone()).await;
    assert_eq!(said, format!("read_note {arguments}"));
    assert_eq!(client.call("read_error", json!({})).await["result"]["isError"], true);
    for (method, params) in
        [("resources/read", json!({ "uri": "file:///a" })), ("prompts/get", json!({ "name": "p" }))]
    {
        assert_eq!(client.request(method, params).await["result"], json!({}), "{method}");
    }
    // What is not asked about passes, and so do the server's own errors.
    assert_eq!(client.request("ping", json!({})).await["error"]["message"], "not here");
    assert_eq!(client.reached("notifications/initialized").await.len(), 1);
    client.logs("the server says hello").await;
    assert_eq!(client.beside, [] as [Value; 0]);
    client.hang_up();
    assert_eq!(client.ends().await.code(), Some(server::CODE));
}

#[tokio::test]
async fn call_that_nobody_can_approve_says_so_to_the_model_and_does_not_run() {
    let mut client = Client::inside(&[]);
    // By its name, and by its annotation.
    for tool in ["delete_note", "read_tidy"] {
        let denied = client.call(tool, json!({ "id": 1 })).await;
        assert_eq!(denied["result"]["isError"], true, "{denied}");
        assert_eq!(denied["result"]["resultType"], Value::Null);
        let text = text_of(&denied);
        assert!(
            text.contains("no person can give one here") && text.contains("AGENTTRUST_URL"),
            "{text}"
        );
    }
    let task = json!({ "name": "delete_note", "task": { "ttl": 1000 } });
    let denied = client.request("tools/call", task).await;
    assert_eq!(denied["error"]["code"], -32600, "{denied}");
    let update =
        client.request("tasks/update", json!({ "taskId": "t", "inputResponses": {} })).await;
    assert_eq!(update["error"]["code"], -32600, "{update}");
    assert_eq!(client.reached("tools/call").await, [] as [Value; 0]);
    assert_eq!(client.reached("tasks/update").await, [] as [Value; 0]);
}

#[tokio::test]
async fn policies_of_a_folder_decide_where_one_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let policy = r#"@id("all") permit (principal, action, resource)
        unless { resource == Tool::"notes/read_note" };"#;
    std::fs::write(folder.path().join("all.cedar"), policy).unwrap();
    let mut client = Client::inside(&["--policies", folder.path().to_str().unwrap()]);
    assert_eq!(client.says("delete_note", json!({})).await, "delete_note {}");
    let denied = client.call("read_note", json!({})).await;
    assert_eq!(denied["result"]["isError"], true, "{denied}");
}

#[tokio::test]
async fn messages_that_are_none_go_no_further() {
    let mut client = Client::inside(&[]);
    for (text, code, id) in [
        ("x", -32700, Value::Null),
        (r#"[{"jsonrpc":"2.0","id":1,"method":"ping"}]"#, -32600, Value::Null),
        (r#"{"jsonrpc":"2.0","id":5,"method":"tools/delete","params":{}}"#, -32601, json!(5)),
        (r#"{"jsonrpc":"2.0","id":"5","method":"sampling/createMessage"}"#, -32601, json!("5")),
        (
            r#"{"jsonrpc":"2.0","id":6,"method":"tools/call","params":{"name":"read_note","name":"x"}}"#,
            -32700,
            Value::Null,
        ),
        (
            r#"{"jsonrpc":"2.0","id":7,"method":"Tools/Call","params":{"name":"read_note"}}"#,
            -32600,
            json!(7),
        ),
        (
            r#"{"jsonrpc":"2.0","id":8,"method":"tools/call","params":{"name":"a\u0007"}}"#,
            -32602,
            json!(8),
        ),
    ] {
        client.send_text(&format!("{text}\n\n")).await;
        let refused = client.next().await.unwrap();
        assert_eq!((&refused["error"]["code"], &refused["id"]), (&json!(code), &id), "{text}");
    }
    // To these no answer could be told.
    client.send(&json!({ "jsonrpc": "2.0", "method": "notifications/obey" })).await;
    let told = json!({ "name": "read_note" });
    client.send(&json!({ "jsonrpc": "2.0", "method": "tools/call", "params": told })).await;
    // Longer than a line may be; the next one is read all the same.
    let long = "x".repeat(17 << 20);
    client.send_text(&format!("{{\"long\":\"{long}\"}}\n")).await;
    assert_eq!(client.next().await.unwrap()["error"]["code"], -32600);
    assert_eq!(client.says("read_note", json!({})).await, "read_note {}");
    assert_eq!(client.reached("notifications/obey").await, [] as [Value; 0]);
    assert_eq!(client.reached("tools/delete").await, [] as [Value; 0]);
    assert_eq!(client.reached("tools/call").await.len(), 1);
}

#[tokio::test]
async fn two_requests_of_one_id_are_not_told_apart_and_the_second_is_refused() {
    let mut client = Client::inside(&[]);
    let slow = json!({
        "jsonrpc": "2.0", "id": "one", "method": "tools/call", "params": { "name": "slow_read" },
    });
    client.send(&slow).await;
    client.calls_reach(1).await;
    client.send(&slow).await;
    let refused = client.answer(&json!("one")).await;
    assert_eq!(refused["error"]["code"], -32600, "{refused}");
    assert_eq!(client.reached("tools/call").await.len(), 1);
}

#[tokio::test]
async fn tool_that_the_server_does_not_have_is_refused() {
    let mut client = Client::inside(&[]);
    let refused = client.call("delete_everything", json!({})).await;
    assert_eq!(refused["error"]["code"], -32602, "{refused}");
    assert_eq!(client.reached("tools/call").await, [] as [Value; 0]);
    let mut silent = Client::start(&[], &[], "silent");
    let refused = silent.call("read_note", json!({})).await;
    assert_eq!(refused["error"]["code"], -32603, "{refused}");
}

#[tokio::test]
async fn tool_that_changes_within_a_run_is_neither_shown_nor_called_until_it_is_as_it_was() {
    let mut client = Client::inside(&[]);
    let names = |list: &Value| -> Vec<String> {
        let tools = list["result"]["tools"].as_array().unwrap();
        tools.iter().map(|tool| tool["name"].as_str().unwrap().to_owned()).collect()
    };
    let first = client.request("tools/list", json!({})).await;
    assert_eq!((names(&first).len(), &first["result"]["nextCursor"]), (6, &json!("2")));
    assert_eq!(client.says("read_note", json!({})).await, "read_note {}");

    assert_eq!(client.says("get_change", json!({ "tell": true })).await, "changed");
    let refused = client.call("read_note", json!({})).await;
    assert_eq!(refused["result"]["isError"], true, "{refused}");
    assert!(text_of(&refused).contains("otherwise than it did"), "{refused}");
    let shown = client.request("tools/list", json!({})).await;
    assert!(!names(&shown).contains(&"read_note".to_owned()), "{shown}");
    assert_eq!(names(&shown).len(), 5);
    assert!(!shown.to_string().contains("send it to me"), "{shown}");
    client.logs("describes a tool otherwise").await;
    // The others are what they were.
    assert!(client.says("read_env", json!({})).await.contains("PATH"));
}

#[tokio::test]
async fn change_that_the_server_does_not_tell_is_found_where_the_client_lists_its_tools() {
    let mut client = Client::inside(&[]);
    assert_eq!(client.says("read_note", json!({})).await, "read_note {}");
    assert_eq!(client.says("get_change", json!({})).await, "changed");
    let shown = client.request("tools/list", json!({})).await;
    assert_eq!(shown["result"]["tools"].as_array().unwrap().len(), 5, "{shown}");
    assert_eq!(client.call("read_note", json!({})).await["result"]["isError"], true);
    assert_eq!(client.says("get_change", json!({ "tell": true })).await, "changed");
    assert_eq!(client.says("read_note", json!({})).await, "read_note {}");
}

#[tokio::test]
async fn what_the_server_asks_its_client_for_passes_and_so_does_the_answer() {
    let mut client = Client::inside(&[]);
    let id = client.ask("tools/call", json!({ "name": "get_question" })).await;
    let question = client.next().await.unwrap();
    assert_eq!(question["method"], "elicitation/create");
    let answer = json!({ "action": "accept", "content": { "name": "Ada" } });
    let sent = json!({ "jsonrpc": "2.0", "id": question["id"], "result": answer });
    client.send(&sent).await;
    assert_eq!(text_of(&client.answer(&id).await), answer.to_string());
}

#[tokio::test]
async fn requests_of_the_era_without_sessions_are_guarded_and_answered_in_its_words() {
    let mut client = Client::inside(&[]);
    let meta = json!({
        "io.modelcontextprotocol/protocolVersion": "2026-07-28",
        "io.modelcontextprotocol/clientCapabilities": {},
        "progressToken": 1,
    });
    let denied = json!({ "name": "delete_note", "_meta": meta });
    let denied = client.request("tools/call", denied).await;
    assert_eq!(denied["result"]["isError"], true, "{denied}");
    assert_eq!(denied["result"]["resultType"], "complete");
    // So the server could be asked for its tools, without what belongs to the call alone.
    let asked = client.reached("tools/list").await;
    let said = &asked[0]["params"]["_meta"];
    assert_eq!(said["io.modelcontextprotocol/protocolVersion"], "2026-07-28", "{asked:?}");
    assert_eq!(said.get("progressToken"), None);
    assert_eq!(client.request("server/discover", json!({})).await["error"]["message"], "not here");
}

#[tokio::test]
async fn settings_of_the_guard_are_not_the_server_s_to_read() {
    let secret = [("AGENTTRUST_LOG", "info"), ("AGENTTRUST_SECRET_KEY", "0123"), ("OTHER", "1")];
    let mut client = Client::start(&[], &secret, "");
    let names = client.says("read_env", json!({})).await;
    assert!(names.contains("OTHER") && !names.contains("AGENTTRUST_"), "{names}");
}

#[tokio::test]
async fn what_cannot_be_run_is_refused_in_a_sentence() {
    let folder = tempfile::tempdir().unwrap();
    let nowhere = folder.path().join("no").join("at.db");
    let nowhere = nowhere.to_str().unwrap();
    let key = [("AGENTTRUST_API_KEY", "sk_test_x"), ("AGENTTRUST_URL", "http://127.0.0.1:9")];
    for (arguments, environment, code, told) in [
        (&["--hold", "30s", "--", "true"][..], &[][..], 1, "none can while the Guardian is inside"),
        (&["--hold", "30", "--", "true"], &[], 2, "a whole number and a unit"),
        (&["--hold", "2h", "--", "true"], &[], 2, "up to 1h"),
        (&["--server", "a/b", "--", "true"], &[], 1, "holds '/'"),
        // Its tool GET/delete would count as a request that only reads.
        (&["--server", "http", "--", "true"], &[], 1, "give it another one"),
        (&["--", "/nowhere/http"], &[], 1, "--server is \"http\""),
        (&["--", "mcp", "run", "server.py"], &[], 1, "give it another one"),
        (&["--server", "", "--", "true"], &[], 1, "--server"),
        (&["--policies", nowhere, "--", "true"], &[], 1, "polic"),
        (&["--database", nowhere, "--", "true"], &[], 1, "at.db"),
        (&["--", "true"], &key, 1, "runs at http://127.0.0.1:9, as AGENTTRUST_URL says"),
        (&["true"], &[], 2, "unexpected argument"),
        (&["--"], &[], 2, "required"),
        (&["--", "/nowhere/server"], &[], 127, "/nowhere/server cannot be started"),
    ] {
        let output = run(&[&["mcp", "run"], arguments].concat(), environment).await;
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(code), "{arguments:?}: {said}");
        assert!(said.contains(told), "{arguments:?}: {said}");
        assert!(output.stdout.is_empty(), "{arguments:?}");
    }
}
