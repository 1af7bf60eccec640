//! `agenttrust keys` against a Guardian that is served, which may have no database that could be opened.

use std::path::Path;
use std::process::{Command, Output};

use serde_json::{Value, json};

use crate::program::{DEV_KEY, Program, text};

/// Returns a Guardian in memory, with these policies.
async fn serve_dev(policies: Option<&Path>) -> Program {
    let mut arguments = vec!["--dev", "--log", "error"];
    if let Some(folder) = policies {
        arguments.extend(["--policies", folder.to_str().unwrap()]);
    }
    Program::serve(&arguments, &[]).await
}

/// Returns the program with a key, in a folder where no database lies.
fn command(program: &Program, key: &str, arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_agenttrust"));
    command.args(arguments).env_clear().current_dir("/");
    command.env("AGENTTRUST_URL", program.url("")).env("AGENTTRUST_API_KEY", key);
    command
}

fn run(program: &Program, key: &str, arguments: &[&str]) -> Output {
    command(program, key, arguments).output().unwrap()
}

fn printed(program: &Program, key: &str, arguments: &[&str]) -> String {
    let output = run(program, key, arguments);
    assert!(output.status.success(), "{arguments:?}: {}", text(&output.stderr));
    text(&output.stdout)
}

/// Returns the one sentence with which this is refused.
fn refusal(mut command: Command) -> String {
    let output = command.output().unwrap();
    assert_eq!(output.status.code(), Some(1), "{command:?}: {}", text(&output.stderr));
    assert_eq!(text(&output.stdout), "", "{command:?}");
    let said = text(&output.stderr);
    assert_eq!(said.lines().count(), 1, "{said}");
    said
}

/// Answers every request like this, as a server that is no Guardian.
fn another_server(answer: &'static str) -> String {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            let _ = std::io::Read::read(&mut stream, &mut [0; 4096]);
            let rest = "content-length: 5\r\nconnection: close\r\n\r\nhello";
            let text = format!("HTTP/1.1 {answer}\r\n{rest}");
            let _ = std::io::Write::write_all(&mut stream, text.as_bytes());
        }
    });
    url
}

#[tokio::test]
async fn address_that_is_wrong_is_named_with_what_says_it() {
    let program = serve_dev(None).await;
    let of = |variables: &[(&str, &str)]| {
        let mut command = command(&program, DEV_KEY, &["agents", "list"]);
        command.env_remove("AGENTTRUST_URL").envs(variables.iter().copied());
        refusal(command)
    };
    let [other, hello] = ["404 Not Found", "200 OK"].map(another_server);
    let beyond = program.url("/guardian");
    for (variable, url, says) in [
        ("AGENTTRUST_URL", "http://127.0.0.1:9/x", "runs at http://127.0.0.1:9, as AGENTTRUST_URL"),
        (
            "AGENTTRUST_BASE_URL",
            "http://127.0.0.1:9",
            "at http://127.0.0.1:9, as AGENTTRUST_BASE_URL",
        ),
        ("AGENTTRUST_URL", &other, &format!("it was asked at {other}, as AGENTTRUST_URL says")),
        ("AGENTTRUST_URL", &hello, &format!("see that a Guardian answers at {hello}, as")),
        ("AGENTTRUST_URL", &beyond, "leave \"/guardian\" out of the base URL"),
    ] {
        let said = of(&[(variable, url)]);
        assert!(said.contains(says), "{url}: {said}");
    }
    assert!(!of(&[("AGENTTRUST_URL", "http://127.0.0.1:9/T0p")]).contains("T0p"));
}

#[tokio::test]
async fn quorum_is_tried_with_keys_that_a_guardian_in_memory_made() {
    let folder = tempfile::tempdir().unwrap();
    let policy = "@elevate @quorum(\"2\") permit (principal, action, resource);";
    std::fs::write(folder.path().join("two.cedar"), policy).unwrap();
    let program = serve_dev(Some(folder.path())).await;
    let dev = |arguments: &[&str]| printed(&program, DEV_KEY, arguments);
    let agent = dev(&["agents", "create", "shopbot", "--capability", "refund"]).trim().to_owned();
    let key = dev(&["keys", "create", "--role", "agent", "--agent", &agent]);
    // The key and nothing else, so that a script takes it as it is.
    assert!(key.starts_with("sk_live_") && key.lines().count() == 1, "{key}");
    let operators = [0, 1].map(|_| dev(&["keys", "create", "--role", "operator"]));
    let check = json!({ "agent_id": agent, "action_name": "refund" });
    let ask = async || program.post("/api/v1/agenttrust/check", key.trim(), &check).await.1;
    let approval = ask().await["approval_id"].as_str().unwrap().to_owned();
    let approve = |key: &str| printed(&program, key.trim(), &["approvals", "approve", &approval]);
    assert!(approve(&operators[0]).contains("has 1 of 2 approvals; another key"));
    assert_eq!(ask().await["allowed"], false);
    assert_eq!(approve(&operators[1]), format!("{approval} is approved\n"));
    assert_eq!(ask().await["allowed"], true);
}

#[tokio::test]
async fn keys_of_a_served_guardian_are_listed_rotated_and_revoked_and_shown_once() {
    let program = serve_dev(None).await;
    let dev = |arguments: &[&str]| printed(&program, DEV_KEY, arguments);
    let made = dev(&["keys", "create", "--role", "gateway", "--gateway", "files", "--json"]);
    let made: Value = serde_json::from_str(&made).unwrap();
    let (id, secret) = (made["id"].as_str().unwrap(), made["key"].as_str().unwrap());
    assert!(secret.starts_with("sk_live_") && made["role"] == "gateway", "{made}");
    let listed = dev(&["keys", "list"]);
    assert!(listed.starts_with("KEY ") && listed.lines().count() == 3, "{listed}");
    let row = listed.lines().find(|line| line.starts_with(id)).unwrap();
    for cell in ["  gateway  ", "  works  ", " s ago  ", "  never  ", "  files  "] {
        assert!(row.contains(cell), "{cell:?}: {row}");
    }
    let rows = dev(&["keys", "list", "--json"]);
    assert!(!rows.contains("sk_") && !listed.contains("sk_"), "{rows}");
    let rows: Value = serde_json::from_str(&rows).unwrap();
    assert!(rows[0]["created_at"].as_str().unwrap().ends_with('Z'), "{rows}");

    let rotated = dev(&["keys", "rotate", id, "--overlap", "3600"]);
    assert!(rotated.starts_with("sk_live_") && rotated.trim() != secret, "{rotated}");
    let works = async |key: &str| {
        let token = json!({ "token": "at_unknown" });
        program.post("/api/v1/agent-tokens/introspect", key, &token).await.0 == 200
    };
    assert!(works(secret).await && works(rotated.trim()).await, "both work for an hour");
    let revoked = dev(&["keys", "revoke", id, "--reason", "compromised"]);
    assert_eq!(revoked, format!("{id} is revoked, with 0 tokens, 0 sessions and 0 delegations\n"));
    assert!(!works(secret).await && !works(rotated.trim()).await, "neither works");
    let again = refusal(command(&program, DEV_KEY, &["keys", "revoke", id]));
    assert!(again.contains(&format!("there is no key \"{id}\" that works")), "{again}");
    let row = dev(&["keys", "list"]);
    let row = row.lines().find(|line| line.starts_with(id)).unwrap().to_owned();
    assert!(row.contains("  revoked ") && row.contains(" s ago  "), "{row}");
}

#[tokio::test]
async fn where_keys_are_looked_after_is_said_once_and_never_guessed() {
    let program = serve_dev(None).await;
    let list = ["keys", "list"];
    let mut both = command(&program, DEV_KEY, &list);
    both.env("AGENTTRUST_DATABASE", "/nowhere/at.db");
    let said = refusal(both);
    assert!(said.contains("AGENTTRUST_DATABASE") && said.contains("unset those"), "{said}");
    let mut neither = command(&program, "", &list);
    neither.env_remove("AGENTTRUST_URL");
    let said = refusal(neither);
    assert!(said.contains("set AGENTTRUST_API_KEY") && said.contains("--database"), "{said}");
    let said = refusal(command(&program, "", &list));
    assert!(said.contains("there is no API key; set AGENTTRUST_API_KEY"), "{said}");
    // What is typed is meant, whatever the environment says.
    let said =
        refusal(command(&program, DEV_KEY, &["keys", "list", "--database", "/nowhere/at.db"]));
    assert!(said.contains("/nowhere/at.db"), "{said}");
    // A file that lies there is not taken for the Guardian that the environment names.
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("agenttrust.db"), "").unwrap();
    let mut here = command(&program, DEV_KEY, &list);
    assert!(here.current_dir(folder.path()).output().unwrap().status.success());
}

#[tokio::test]
async fn key_in_an_argument_about_keys_is_refused_wherever_they_are_looked_after() {
    let program = serve_dev(None).await;
    for arguments in [
        &["keys", "revoke", "sk_live_of_somebody"][..],
        &["keys", "list", "--api-key", "sk_live_of_somebody"],
        &["keys", "rotate", "sk_live_of_somebody", "--database", "at.db"],
        &["keys", "create", "--role", "auditor", "--api-key"],
    ] {
        let said = refusal(command(&program, DEV_KEY, arguments));
        assert!(said.contains("can be read by everybody on this machine"), "{said}");
        assert!(!said.contains("of_somebody"), "{said}");
    }
}

#[tokio::test]
async fn key_that_a_served_guardian_made_and_nobody_could_read_is_told_of() {
    let program = serve_dev(None).await;
    for json in [&[][..], &["--json"]] {
        let (reader, writer) = std::io::pipe().unwrap();
        drop(reader);
        let create = [&["keys", "create", "--role", "auditor"], json].concat();
        let output = command(&program, DEV_KEY, &create).stdout(writer).output().unwrap();
        assert_eq!(output.status.code(), Some(1));
        assert!(text(&output.stderr).contains("standard output is closed"));
    }
    let refused = refusal(command(&program, DEV_KEY, &["keys", "create", "--role", "agent"]));
    assert!(refused.contains("give --agent"), "{refused}");
    let nobody = ["keys", "create", "--role", "agent", "--agent", "agt_nobody"];
    assert!(refusal(command(&program, DEV_KEY, &nobody)).contains("agt_nobody"));
}
