//! `agenttrust delegations`: made, listed, shown and revoked by a person, and a session for a program.

use std::process::{Command, Output};

use serde_json::{Value, json};

use crate::program::{Program, text};

const ADMIN: &str = "sk_live_of_the_admin_0123";

fn run(program: &Program, arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_agenttrust"));
    command.arg("delegations").args(arguments).env_clear();
    command.env("AGENTTRUST_URL", program.url("")).env("AGENTTRUST_API_KEY", ADMIN);
    command.output().unwrap()
}

fn printed(program: &Program, arguments: &[&str]) -> String {
    let output = run(program, arguments);
    assert!(output.status.success(), "{arguments:?}: {}", text(&output.stderr));
    text(&output.stdout).trim_end().to_owned()
}

fn refusal(program: &Program, arguments: &[&str]) -> String {
    let output = run(program, arguments);
    assert!(!output.status.success() && output.stdout.is_empty(), "{arguments:?}: {output:?}");
    text(&output.stderr)
}

/// Returns an agent that may search, and two that may do nothing.
async fn registered(program: &Program) -> Vec<String> {
    let mut agents = Vec::new();
    for capabilities in [json!(["web_search"]), json!([]), json!([])] {
        let create = json!({ "name": "bot", "capabilities": capabilities });
        let (_, agent) = program.post("/api/v1/agents", ADMIN, &create).await;
        agents.push(agent["id"].as_str().unwrap().to_owned());
    }
    agents
}

#[tokio::test(flavor = "multi_thread")]
async fn person_makes_lists_shows_and_revokes_delegations_and_opens_their_sessions() {
    let folder = tempfile::tempdir().unwrap();
    let database = folder.path().join("at.db").to_str().unwrap().to_owned();
    let arguments = ["--database", &database, "--log", "error"];
    let program = Program::serve(&arguments, &[("AGENTTRUST_ADMIN_KEY", ADMIN)]).await;
    let agents = registered(&program).await;
    let [a, b, c] = &agents[..] else { panic!("three") };
    assert!(printed(&program, &["list"]).contains("agenttrust delegations create"));
    let first = printed(
        &program,
        &[
            "create",
            "--from",
            a,
            "--to",
            b,
            "--scope",
            "web_search",
            "--ttl",
            "2h",
            "--max-calls",
            "3",
        ],
    );
    assert!(first.starts_with("dlg_"), "{first}");
    let second = printed(
        &program,
        &["create", "--from", b, "--to", c, "--scope", "web_search", "--parent", &first],
    );
    let listed = printed(&program, &["list"]);
    assert!(listed.starts_with("DELEGATION") && listed.contains(&first), "{listed}");
    assert_eq!(printed(&program, &["list", "--agent", c]).lines().count(), 2);
    let shown = printed(&program, &["show", &second]);
    assert!(shown.contains(&first) && shown.contains("active"), "{shown}");
    let session = printed(&program, &["session", &second]);
    assert!(session.starts_with("ats_"), "{session}");
    let check = json!({ "agent_id": c, "session_id": session, "action_name": "web_search" });
    let (_, answer) = program.post("/api/v1/agenttrust/check", ADMIN, &check).await;
    assert_eq!(answer["allowed"], true, "{answer}");

    assert_eq!(printed(&program, &["revoke", &first]), format!("{first} is revoked"));
    let as_json: Value =
        serde_json::from_str(&printed(&program, &["show", &second, "--json"])).unwrap();
    assert_eq!(as_json["state"], "revoked");
    assert!(printed(&program, &["list", "--state", "active"]).contains("no delegation of that"));
    refuses_what_cannot_be(&program, [a, b], &second);
}

#[tokio::test(flavor = "multi_thread")]
async fn agent_that_only_acts_for_others_is_registered_without_capabilities_and_that_is_said() {
    let folder = tempfile::tempdir().unwrap();
    let database = folder.path().join("at.db").to_str().unwrap().to_owned();
    let arguments = ["--database", &database, "--log", "error"];
    let program = Program::serve(&arguments, &[("AGENTTRUST_ADMIN_KEY", ADMIN)]).await;
    let mut command = Command::new(env!("CARGO_BIN_EXE_agenttrust"));
    command.args(["agents", "create", "buyer"]).env_clear();
    command.env("AGENTTRUST_URL", program.url("")).env("AGENTTRUST_API_KEY", ADMIN);
    let output = command.output().unwrap();
    assert!(output.status.success() && text(&output.stdout).starts_with("agt_"), "{output:?}");
    assert!(text(&output.stderr).contains("may do nothing until"), "{output:?}");
}

fn refuses_what_cannot_be(program: &Program, [a, b]: [&str; 2], second: &str) {
    for (arguments, said) in [
        (vec!["session", second], "does not work: it, or one"),
        (vec!["revoke", second], "there is no delegation that works"),
        (vec!["show", "dlg_none"], "there is no delegation"),
        (
            vec!["create", "--from", a, "--to", a, "--scope", "web_search"],
            "is the agent that gives",
        ),
        (
            vec!["create", "--from", a, "--to", b, "--scope", "web_search", "--ttl", "0s"],
            "30d is the most",
        ),
        (vec!["create", "--from", a, "--to", b], "--scope"),
        (vec!["list", "--state", "open"], "active"),
    ] {
        let refused = refusal(program, &arguments);
        assert!(refused.contains(said), "{arguments:?}: {refused}");
    }
}
