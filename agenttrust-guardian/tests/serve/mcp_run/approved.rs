//! Behind a Guardian that is served: a person approves what is held.

use std::time::Duration;

use agenttrust_testkit::eventually_within;
use serde_json::{Value, json};

use super::client::{Client, text_of};
use crate::program::{DEV_KEY, LONG, Program, run, text};

/// A served Guardian and a key of one agent.
struct Desk {
    program: Program,
    url: String,
    agent: String,
    key: String,
}

impl Desk {
    async fn open() -> Self {
        let program = Program::serve(&["--dev"], &[]).await;
        let create = json!({ "name": "desktop", "capabilities": ["notes/*"] });
        let (_, agent) = program.post("/api/v1/agents", DEV_KEY, &create).await;
        let agent = agent["id"].as_str().unwrap().to_owned();
        let make = json!({ "role": "agent", "agents": [agent] });
        let (_, key) = program.post("/api/v1/keys", DEV_KEY, &make).await;
        let (url, key) = (program.url(""), key["key"].as_str().unwrap().to_owned());
        Self { program, url, agent, key }
    }

    fn client(&self, arguments: &[&str]) -> Client {
        let environment = [("AGENTTRUST_URL", &*self.url), ("AGENTTRUST_API_KEY", &*self.key)];
        Client::start(arguments, &environment, "")
    }

    async fn approvals(&self) -> Vec<Value> {
        let answer = self.program.get("/mcp/approvals", DEV_KEY).await;
        let list: Value = serde_json::from_str(&answer.text().await.unwrap()).unwrap();
        list["approvals"].as_array().unwrap_or_else(|| panic!("{list}")).clone()
    }

    /// Returns the one approval that waits.
    async fn pending(&self) -> String {
        let look = async || {
            let all = self.approvals().await;
            let waits = all.iter().find(|approval| approval["status"] == "pending");
            waits.map(|approval| approval["id"].as_str().unwrap().to_owned())
        };
        eventually_within(LONG, "nothing waits", look).await
    }

    async fn decide(&self, approval: &str, word: &str) {
        let path = format!("/mcp/approvals/{approval}/{word}");
        let (status, said) =
            self.program.post(&path, DEV_KEY, &json!({ "decided_by": "ada" })).await;
        assert_eq!(status, 200, "{said}");
    }

    /// Returns the approval, once the outcome of its call has arrived.
    async fn settled(&self, approval: &str) -> Value {
        let look = async || {
            let all = self.approvals().await;
            let it = all.into_iter().find(|it| it["id"] == approval)?;
            it.get("succeeded").is_some().then_some(it)
        };
        eventually_within(LONG, "no outcome was reported", look).await
    }
}

#[tokio::test]
async fn held_call_names_its_approval_and_runs_once_it_is_approved() {
    let desk = Desk::open().await;
    let mut client = desk.client(&["--disclose"]);
    let arguments = json!({ "id": "draft" });
    let held = client.call("delete_note", arguments.clone()).await;
    assert_eq!(held["result"]["isError"], true, "{held}");
    let data = &held["result"]["_meta"]["agenttrust/denial"];
    let approval = desk.pending().await;
    assert_eq!(
        (&data["code"], &data["approval_id"]),
        (&json!("ELEVATION_REQUIRED"), &json!(approval))
    );
    assert!(text_of(&held).contains(&approval));
    assert_eq!(client.reached("tools/call").await, [] as [Value; 0]);
    let shown = desk.approvals().await;
    assert_eq!(shown[0]["action_name"], "notes/delete_note");
    assert_eq!(shown[0]["action_effect"], "destructive");
    assert_eq!(shown[0]["input_shown"], true, "{shown:?}");

    desk.decide(&approval, "approve").await;
    // Another note is another call.
    let other = client.call("delete_note", json!({ "id": "contract" })).await;
    assert_eq!(other["result"]["isError"], true, "{other}");
    let said = client.says("delete_note", arguments.clone()).await;
    assert_eq!(said, format!("delete_note {arguments}"));
    assert_eq!(desk.settled(&approval).await["succeeded"], true);
    assert_eq!(client.call("delete_note", arguments).await["result"]["isError"], true, "used up");
    assert_eq!(client.reached("tools/call").await.len(), 1);
}

#[tokio::test]
async fn held_call_waits_with_progress_and_runs_when_it_is_approved() {
    let desk = Desk::open().await;
    let mut client = desk.client(&["--hold", "60s"]);
    let meta = json!({ "progressToken": "t1" });
    let waits = json!({ "name": "delete_note", "arguments": { "id": 1 }, "_meta": meta });
    let id = client.ask("tools/call", waits).await;
    let told = client.next().await.unwrap();
    let approval = desk.pending().await;
    assert_eq!(told["method"], "notifications/progress");
    assert_eq!(told["params"]["progressToken"], "t1");
    assert!(told["params"]["message"].as_str().unwrap().contains(&approval), "{told}");
    // The next ones are more, and what else is asked for is answered meanwhile.
    assert_eq!(client.says("read_note", json!({})).await, "read_note {}");
    let more = client.next().await.unwrap();
    assert!(more["params"]["progress"].as_f64() > told["params"]["progress"].as_f64(), "{more}");
    desk.decide(&approval, "approve").await;
    assert_eq!(text_of(&client.answer(&id).await), r#"delete_note {"id":1}"#);
    assert_eq!(desk.settled(&approval).await["succeeded"], true);
    assert_eq!(client.reached("tools/call").await.len(), 2);
}

#[tokio::test]
async fn held_call_that_is_denied_or_not_decided_in_time_does_not_run() {
    let desk = Desk::open().await;
    let mut client = desk.client(&["--hold", "60s"]);
    let id = client.ask("tools/call", json!({ "name": "delete_note" })).await;
    desk.decide(&desk.pending().await, "deny").await;
    let denied = client.answer(&id).await;
    assert_eq!(denied["result"]["_meta"]["agenttrust/denial"]["code"], "ACTION_DENIED", "{denied}");
    assert_eq!(client.beside, [] as [Value; 0], "no token, no progress");

    let mut client = desk.client(&["--hold", "1s"]);
    let held = client.call("delete_note", json!({ "id": 2 })).await;
    // A person who starts this program is told its own flags, and not what is said in programs.
    let advice = format!("{} {}", text_of(&held), client.log());
    assert!(advice.contains("mcp run --disclose"), "{advice}");
    assert!(advice.contains("AGENTTRUST_STATE=FILE in the environment"), "{advice}");
    assert!(!advice.contains("disclose_on_elevation"), "{advice}");
    let data = &held["result"]["_meta"]["agenttrust/denial"];
    assert_eq!(data["code"], "ELEVATION_REQUIRED", "{held}");
    assert_eq!(client.reached("tools/call").await, [] as [Value; 0]);
}

#[tokio::test]
async fn call_that_is_cancelled_while_it_waits_uses_no_approval_and_is_not_answered() {
    let desk = Desk::open().await;
    let mut client = desk.client(&["--hold", "60s"]);
    let id = client.ask("tools/call", json!({ "name": "delete_note" })).await;
    let approval = desk.pending().await;
    let cancel = json!({ "requestId": id });
    client
        .send(&json!({ "jsonrpc": "2.0", "method": "notifications/cancelled", "params": cancel }))
        .await;
    // It is read before this one.
    assert_eq!(client.says("read_note", json!({})).await, "read_note {}");
    desk.decide(&approval, "approve").await;
    tokio::time::sleep(Duration::from_secs(1)).await;
    let approvals = desk.approvals().await;
    let it = approvals.iter().find(|it| it["id"] == approval).unwrap();
    assert_eq!(it["status"], "approved", "it is not used: {it}");
    assert_eq!(client.reached("tools/call").await.len(), 1);
    assert_eq!(client.reached("notifications/cancelled").await, [] as [Value; 0]);
    assert_eq!(client.beside, [] as [Value; 0]);
}

#[tokio::test]
async fn client_that_goes_away_leaves_nothing_that_waits_and_nothing_runs_later() {
    let desk = Desk::open().await;
    let mut client = desk.client(&["--hold", "60s"]);
    client.ask("tools/call", json!({ "name": "delete_note" })).await;
    let approval = desk.pending().await;
    client.hang_up();
    tokio::time::timeout(Duration::from_secs(20), client.ends()).await.expect("it waits on");
    desk.decide(&approval, "approve").await;
    let it = desk.approvals().await;
    assert_eq!(it[0]["status"], "approved", "{it:?}");
}

#[tokio::test]
async fn tool_that_the_server_does_not_have_opens_no_approval() {
    let desk = Desk::open().await;
    let mut client = desk.client(&[]);
    let refused = client.call("delete_everything", json!({})).await;
    assert_eq!(refused["error"]["code"], -32602, "{refused}");
    assert_eq!(client.says("get_change", json!({ "tell": true })).await, "changed");
    assert_eq!(client.call("delete_nothing", json!({})).await["error"]["code"], -32602);
    assert_eq!(desk.approvals().await, [] as [Value; 0]);
}

#[tokio::test]
async fn agent_is_the_only_one_of_the_key_unless_it_is_named() {
    let desk = Desk::open().await;
    let other = json!({ "name": "other", "capabilities": ["*"] });
    desk.program.post("/api/v1/agents", DEV_KEY, &other).await;
    let admin = [("AGENTTRUST_URL", &*desk.url), ("AGENTTRUST_API_KEY", DEV_KEY)];
    let refused = run(&["mcp", "run", "--", "true"], &admin).await;
    let said = text(&refused.stderr);
    assert_eq!(refused.status.code(), Some(1), "{said}");
    assert!(said.contains("more than one agent") && said.contains("--agent"), "{said}");
    let mut named = Client::start(&["--agent", &desk.agent], &admin, "");
    assert_eq!(named.says("read_note", json!({})).await, "read_note {}");
    let by_environment = [&admin[..], &[("AGENTTRUST_AGENT_ID", &*desk.agent)]].concat();
    let mut named = Client::start(&[], &by_environment, "");
    assert_eq!(named.says("read_note", json!({})).await, "read_note {}");
}

#[tokio::test]
async fn guardian_that_goes_away_lets_nothing_through() {
    let mut desk = Desk::open().await;
    let mut client = desk.client(&[]);
    assert_eq!(client.says("read_note", json!({})).await, "read_note {}");
    desk.program.signal("KILL");
    desk.program.ends().await;
    let refused = client.call("read_note", json!({ "id": 2 })).await;
    let data = &refused["result"]["_meta"]["agenttrust/denial"];
    assert_eq!(data["code"], "GUARDIAN_UNAVAILABLE", "{refused}");
}

#[tokio::test]
async fn what_is_held_by_a_guardian_on_a_file_is_approved_between_two_runs() {
    let folder = tempfile::tempdir().unwrap();
    let database = folder.path().join("at.db").to_str().unwrap().to_owned();
    let mut client = Client::inside(&["--database", &database]);
    let held = client.call("delete_note", json!({ "id": 1 })).await;
    let data = &held["result"]["_meta"]["agenttrust/denial"];
    let approval = data["approval_id"].as_str().unwrap_or_else(|| panic!("{held}")).to_owned();
    assert!(text_of(&held).contains("on the same --database"), "{held}");
    client.hang_up();
    client.ends().await;

    let program = Program::serve(&["--database", &database], &[]).await;
    let key = program.first_key();
    let path = format!("/mcp/approvals/{approval}/approve");
    let (status, said) = program.post(&path, &key, &json!({ "decided_by": "ada" })).await;
    assert_eq!(status, 200, "{said}");
    // Shown to the approver: it did not leave the machine.
    program.signal("TERM");
    drop(program);

    let look = async || {
        let mut client = Client::inside(&["--database", &database]);
        let answer = client.call("delete_note", json!({ "id": 1 })).await;
        (answer["result"].get("isError").is_none()).then_some(answer)
    };
    let answer = eventually_within(LONG, "it does not run", look).await;
    assert_eq!(text_of(&answer), r#"delete_note {"id":1}"#);
}
