//! What a client is shown of the tools, and what is held to what it was in earlier runs.

use serde_json::{Value, json};

use super::client::{Client, text_of};
use crate::program::{DEV_KEY, Program, run, text};

fn names(list: &Value) -> Vec<&str> {
    let tools = list["result"]["tools"].as_array().unwrap_or_else(|| panic!("{list}"));
    tools.iter().map(|tool| tool["name"].as_str().unwrap()).collect()
}

/// Returns what the policies of the tests forbid.
fn policies(folder: &tempfile::TempDir) -> String {
    let policy = r#"@id("all") permit (principal, action, resource);
        @id("not") forbid (principal, action, resource == Tool::"notes/read_env");"#;
    std::fs::write(folder.path().join("all.cedar"), policy).unwrap();
    folder.path().to_str().unwrap().to_owned()
}

#[tokio::test]
async fn list_has_what_the_policies_of_the_guardian_inside_let_be_called() {
    let folder = tempfile::tempdir().unwrap();
    let mut client = Client::inside(&["--policies", &policies(&folder)]);
    let first = client.request("tools/list", json!({})).await;
    let shown = ["read_note", "delete_note", "list_asked", "slow_read", "read_error"];
    assert_eq!(names(&first), shown);
    let second = client.request("tools/list", json!({ "cursor": "2" })).await;
    assert_eq!(names(&second).len(), 8, "{second}");
    let denied = client.call("read_env", json!({})).await;
    assert_eq!(denied["result"]["isError"], true, "{denied}");
}

#[tokio::test]
async fn list_has_what_a_served_guardian_tells_that_the_agent_may_call() {
    let program = Program::serve(&["--dev"], &[]).await;
    let create =
        json!({ "name": "desktop", "capabilities": ["notes/read_note", "notes/list_asked"] });
    let (_, agent) = program.post("/api/v1/agents", DEV_KEY, &create).await;
    let make = json!({ "role": "agent", "agents": [agent["id"]] });
    let (_, key) = program.post("/api/v1/keys", DEV_KEY, &make).await;
    let (url, key) = (program.url(""), key["key"].as_str().unwrap());
    let environment = [("AGENTTRUST_URL", &*url), ("AGENTTRUST_API_KEY", key)];
    let mut client = Client::start(&[], &environment, "");
    let list = client.request("tools/list", json!({})).await;
    assert_eq!(names(&list), ["read_note", "list_asked"]);
    let denied = client.call("read_error", json!({})).await;
    assert_eq!(denied["result"]["_meta"]["agenttrust/denial"]["code"], "ACTION_DENIED", "{denied}");
}

#[tokio::test]
async fn tool_is_held_to_what_it_was_in_an_earlier_run_where_that_is_kept() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    let (database, pins) = (at("at.db"), at("notes.pins"));
    for (arguments, file) in
        [(["--database", &*database], at("at.db.notes.pins")), (["--pins", &*pins], pins.clone())]
    {
        let mut client = Client::inside(&arguments);
        assert_eq!(client.says("read_note", json!({})).await, "read_note {}");
        client.hang_up();
        client.ends().await;
        let mut client = Client::start(&arguments, &[], "changed");
        let refused = client.call("read_note", json!({})).await;
        assert_eq!(refused["result"]["isError"], true, "{refused}");
        assert!(text_of(&refused).contains(&file), "{refused}");
        let list = client.request("tools/list", json!({})).await;
        assert!(!names(&list).contains(&"read_note"), "{list}");
        assert!(client.says("read_env", json!({})).await.contains("PATH"));
        client.hang_up();
        client.ends().await;
        // A person looks, and takes the line out.
        let kept = std::fs::read_to_string(&file).unwrap();
        assert_eq!(kept.lines().count(), 14, "{kept}");
        let rest = kept.lines().filter(|line| !line.contains("\"read_note\""));
        std::fs::write(&file, rest.map(|line| format!("{line}\n")).collect::<String>()).unwrap();
        let mut client = Client::start(&arguments, &[], "changed");
        assert_eq!(client.says("read_note", json!({})).await, "read_note {}");
        client.hang_up();
        client.ends().await;
    }
}

/// Returns what a run on standard error says that a person decides with.
async fn desk(client: &Client) -> [(&'static str, String); 2] {
    client.logs("agenttrust approvals list").await;
    let log = client.log();
    ["AGENTTRUST_URL", "AGENTTRUST_API_KEY"].map(|name| {
        let value = log.split_once(&format!("{name}=")).unwrap().1;
        (name, value.split_whitespace().next().unwrap().to_owned())
    })
}

#[tokio::test]
async fn what_is_held_inside_is_approved_where_it_is_served_beside() {
    for (hold, approves) in
        [(&["--hold", "60s"][..], true), (&["--hold", "60s"], false), (&[], true)]
    {
        let mut client = Client::inside(&[&["--listen", "127.0.0.1:0"], hold].concat());
        let desk = desk(&client).await;
        let desk: Vec<_> = desk.iter().map(|(name, value)| (*name, &**value)).collect();
        let waits = json!({ "name": "delete_note", "arguments": { "id": "draft" } });
        let id = client.ask("tools/call", waits.clone()).await;
        let held = match hold {
            [] => Some(client.answer(&id).await),
            _ => None,
        };
        if let Some(held) = &held {
            let told = text_of(held);
            assert!(
                told.contains(desk[0].1) && told.contains("agenttrust approvals approve"),
                "{held}"
            );
        }
        let approval = loop {
            let list = run(&["approvals", "list", "--json"], &desk).await;
            let said = text(&list.stdout);
            assert!(list.status.success(), "{said} {}", text(&list.stderr));
            // Its input is shown a moment after it is there.
            if let Some(at) = said.find("apr_").filter(|_| said.contains("draft")) {
                break said[at..].split('"').next().unwrap().to_owned();
            }
        };
        let word = if approves { "approve" } else { "deny" };
        let decided = run(&["approvals", word, &approval], &desk).await;
        assert!(decided.status.success(), "{}", text(&decided.stderr));
        let answer = match held {
            Some(_) => client.request("tools/call", waits).await,
            None => client.answer(&id).await,
        };
        let ran = answer["result"].get("isError").is_none();
        assert_eq!(ran, approves, "{answer}");
        // Gone with the run.
        client.hang_up();
        client.ends().await;
        let gone = run(&["approvals", "list"], &desk).await;
        assert!(!gone.status.success());
    }
}

#[tokio::test]
async fn place_where_no_person_should_decide_is_refused() {
    let url = [("AGENTTRUST_URL", "http://127.0.0.1:9"), ("AGENTTRUST_API_KEY", "sk_test_x")];
    for (address, environment, told) in [
        ("0.0.0.0:0", &[][..], "loopback"),
        ("nowhere", &[], "cannot listen on"),
        ("127.0.0.1:0", &url, "names another"),
    ] {
        let refused = run(&["mcp", "run", "--listen", address, "--", "true"], environment).await;
        let said = text(&refused.stderr);
        assert_eq!(refused.status.code(), Some(1), "{address}: {said}");
        assert!(said.contains(told), "{address}: {said}");
    }
}
