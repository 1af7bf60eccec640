//! `agenttrust tasks`: sent, shown, listed and cancelled by a person, and worked on by a script.

use std::io::Write;
use std::process::{Command, Output, Stdio};

use serde_json::{Value, json};

use crate::program::{Program, text};

const ADMIN: &str = "sk_live_of_the_admin_0123";

fn run(program: &Program, arguments: &[&str], said: &str) -> Output {
    run_with(program, ADMIN, arguments, said)
}

fn run_with(program: &Program, key: &str, arguments: &[&str], said: &str) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_agenttrust"));
    command.arg("tasks").args(arguments).env_clear();
    command.env("AGENTTRUST_URL", program.url("")).env("AGENTTRUST_API_KEY", key);
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    child.stdin.take().unwrap().write_all(said.as_bytes()).unwrap();
    child.wait_with_output().unwrap()
}

fn printed(program: &Program, arguments: &[&str]) -> String {
    let output = run(program, arguments, "");
    assert!(output.status.success(), "{arguments:?}: {}", text(&output.stderr));
    text(&output.stdout).trim_end().to_owned()
}

fn json_of(program: &Program, arguments: &[&str]) -> Value {
    let arguments: Vec<&str> = arguments.iter().copied().chain(["--json"]).collect();
    serde_json::from_str(&printed(program, &arguments)).unwrap()
}

fn refusal(program: &Program, arguments: &[&str]) -> String {
    let output = run(program, arguments, "");
    assert!(!output.status.success() && output.stdout.is_empty(), "{arguments:?}: {output:?}");
    text(&output.stderr)
}

/// Returns a Guardian, and the ids of two agents of it: one that may reach every other, and one that may do nothing.
async fn served() -> (tempfile::TempDir, Program, [String; 2]) {
    let folder = tempfile::tempdir().unwrap();
    let database = folder.path().join("at.db").to_str().unwrap().to_owned();
    let arguments = ["--database", &database, "--log", "error"];
    let program = Program::serve(&arguments, &[("AGENTTRUST_ADMIN_KEY", ADMIN)]).await;
    let mut agents = Vec::new();
    for (name, capabilities) in [("asker", json!(["a2a/*"])), ("worker", json!([]))] {
        let create = json!({ "name": name, "capabilities": capabilities });
        let (_, agent) = program.post("/api/v1/agents", ADMIN, &create).await;
        agents.push(agent["id"].as_str().unwrap().to_owned());
    }
    (folder, program, agents.try_into().unwrap())
}

#[tokio::test(flavor = "multi_thread")]
async fn person_sends_shows_lists_and_cancels_tasks() {
    let (_folder, program, [asker, worker]) = served().await;
    assert!(printed(&program, &["list"]).contains("agenttrust tasks send"));
    let sent = json_of(&program, &["send", "worker", "Summarize it", "--as", "asker"]);
    let (id, state) = (sent["id"].as_str().unwrap(), sent["status"]["state"].as_str().unwrap());
    assert_eq!(state, "submitted");
    let listed = printed(&program, &["list"]);
    assert!(listed.starts_with("TASK"), "{listed}");
    for shown in [id, &asker, &worker, "submitted"] {
        assert!(listed.contains(shown), "{listed}");
    }
    let shown = printed(&program, &["show", id]);
    assert!(shown.contains("Summarize it") && shown.contains(&worker), "{shown}");
    let named = ["send", "worker", "And that", "--message-id", "m1", "--context"];
    let context = sent["contextId"].as_str().unwrap();
    let mut named: Vec<&str> = named.into_iter().chain([context]).collect();
    let second = json_of(&program, &named);
    assert_eq!(json_of(&program, &named)["id"], second["id"]);
    assert_eq!(second["contextId"], context);
    named[2] = "Something else";
    assert!(refusal(&program, &named).contains("m1"));
    let cancelled = printed(&program, &["cancel", id]);
    assert_eq!(cancelled, format!("{id} is canceled"));
    assert!(refusal(&program, &["cancel", id]).contains("cancel"));
    assert!(refusal(&program, &["show", "task_none"]).contains("task_none"));
    assert!(refusal(&program, &["send", "stranger", "hi"]).contains("agenttrust agents list"));
}

#[tokio::test(flavor = "multi_thread")]
async fn list_is_of_one_agent_state_or_conversation_where_that_is_asked() {
    let (_folder, program, [asker, worker]) = served().await;
    let first = json_of(&program, &["send", "worker", "one"]);
    let second = json_of(&program, &["send", "asker", "two"]);
    json_of(&program, &["cancel", first["id"].as_str().unwrap()]);
    let ids = |arguments: &[&str]| -> Vec<Value> {
        let listed = json_of(&program, arguments);
        listed.as_array().unwrap().iter().map(|task| task["id"].clone()).collect()
    };
    assert_eq!(ids(&["list"]).len(), 2);
    assert_eq!(ids(&["list", "--to", &asker]), [second["id"].clone()]);
    assert_eq!(ids(&["list", "--to", "worker"]), [first["id"].clone()]);
    assert_eq!(ids(&["list", "--state", "canceled"]), [first["id"].clone()]);
    let context = second["contextId"].as_str().unwrap();
    assert_eq!(ids(&["list", "--context", context]), [second["id"].clone()]);
    let none = printed(&program, &["list", "--to", &worker, "--state", "working"]);
    assert!(none.contains("no task of that agent"), "{none}");
    assert!(refusal(&program, &["list", "--state", "sleeping"]).contains("auth-required"));
}

#[tokio::test(flavor = "multi_thread")]
async fn script_fetches_tasks_and_ends_them() {
    let (_folder, program, [_asker, worker]) = served().await;
    assert_eq!(printed(&program, &["inbox", "next", "worker"]), "no task came");
    assert_eq!(json_of(&program, &["inbox", "next", &worker]), Value::Null);
    for (ask, end) in [("one", "complete"), ("two", "fail")] {
        let id = json_of(&program, &["send", "worker", ask])["id"].as_str().unwrap().to_owned();
        let fetch = ["inbox", "next", "worker", "--wait", "10s", "--lease", "2m"];
        let asked = json_of(&program, &fetch);
        assert_eq!(
            (&asked["task"]["id"], &asked["message"]["parts"][0]["text"]),
            (&json!(id), &json!(ask))
        );
        let lease = asked["lease_id"].as_str().unwrap();
        let extended = json_of(&program, &["inbox", "extend", "worker", &id, lease, "5m"]);
        assert!(extended["lease_expires_at"].as_str() > asked["lease_expires_at"].as_str());
        let told = refusal(&program, &["inbox", end, "worker", &id, "lse_other", "x"]);
        assert!(told.contains("is another worker's, by a lease of its own"), "{told}");
        let said = run(&program, &["inbox", end, "worker", &id, lease, "-"], "a long\nresult");
        assert!(said.status.success(), "{}", text(&said.stderr));
    }
    let listed = printed(&program, &["list"]);
    assert!(listed.contains("completed") && listed.contains("failed"), "{listed}");
    let done = json_of(&program, &["list", "--state", "completed"]);
    assert_eq!(done[0]["artifacts"][0]["parts"][0]["text"], "a long\nresult");
}

#[tokio::test(flavor = "multi_thread")]
async fn sender_is_told_where_no_policy_was_asked_and_by_its_exit_code_how_it_went() {
    let (_folder, program, _) = served().await;
    let sent = run(&program, &["send", "worker", "one"], "");
    assert!(sent.status.success(), "{}", text(&sent.stderr));
    assert!(text(&sent.stderr).contains("so no policy was asked; --as AGENT"), "{sent:?}");
    let sent = run(&program, &["send", "worker", "one", "--as", "asker"], "");
    assert!(sent.status.success() && sent.stderr.is_empty(), "{sent:?}");
    // It may reach no one.
    let denied = run(&program, &["send", "asker", "one", "--as", "worker"], "");
    assert_eq!(denied.status.code(), Some(1), "{denied:?}");
    assert!(text(&denied.stdout).contains("rejected") && denied.stderr.is_empty(), "{denied:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_said_over_several_lines_is_printed_so() {
    let (_folder, program, _) = served().await;
    let id = json_of(&program, &["send", "worker", "first\nsecond \u{1b}[2J"])["id"].clone();
    let id = id.as_str().unwrap();
    let shown = printed(&program, &["show", id]);
    let asked: Vec<&str> = shown.lines().skip_while(|line| !line.starts_with("asked")).collect();
    let indent = " ".repeat("conversation  ".len());
    assert_eq!(asked[0], "asked         first", "{shown}");
    assert_eq!(asked[1], format!("{indent}second \\u{{1b}}[2J"), "{shown}");
}

#[tokio::test(flavor = "multi_thread")]
async fn refusal_says_what_to_do_next_in_the_words_of_the_program() {
    let (_folder, program, [asker, worker]) = served().await;
    let create = async |agents: Value| {
        let body = json!({ "role": "agent", "agents": agents });
        let (_, key) = program.post("/api/v1/keys", ADMIN, &body).await;
        key["key"].as_str().unwrap().to_owned()
    };
    let (one, both) = (create(json!([asker])).await, create(json!([asker, worker])).await);
    let refusal = |key: &str, arguments: &[&str]| {
        let output = run_with(&program, key, arguments, "");
        assert!(!output.status.success() && output.stdout.is_empty(), "{arguments:?}: {output:?}");
        text(&output.stderr)
    };
    let unseen = "there is no agent \"worker\" that this key may see; say its id (agt_…)";
    for arguments in [&["send", "worker", "hi"][..], &["inbox", "next", "worker"]] {
        let told = refusal(&one, arguments);
        assert!(told.contains(unseen), "{told}");
    }
    let told = refusal(&both, &["send", &worker, "hi"]);
    assert!(told.contains("--as is missing") && !told.contains("X-Agent-ID"), "{told}");
    let id = json_of(&program, &["send", "worker", "one"])["id"].as_str().unwrap().to_owned();
    let told = refusal(ADMIN, &["send", "asker", "two", "--task", &id]);
    assert!(told.contains(&format!("is asked of agent \"{worker}\"")), "{told}");
    let told = refusal(ADMIN, &["send", "worker", "two", "--task", &id]);
    assert!(told.contains("without --task"), "{told}");
    let fetched = json_of(&program, &["inbox", "next", "worker"]);
    let lease = fetched["lease_id"].as_str().unwrap();
    let told = refusal(ADMIN, &["inbox", "fail", "worker", &id, "lease_other", "x"]);
    assert!(told.contains("another worker's"), "{told}");
    printed(&program, &["cancel", &id]);
    let told = refusal(ADMIN, &["inbox", "extend", "worker", &id, lease, "5m"]);
    assert!(told.contains("has ended"), "{told}");
    let told = refusal(ADMIN, &["cancel", &id]);
    assert!(told.contains("has ended (canceled), so there is nothing to cancel"), "{told}");
}
