//! `agenttrust approvals` and `agenttrust agents` in a person's first hour: wrong ids, wrong words, and terminals of
//! every kind. What a caller wrote never acts on a terminal.

use std::io;
use std::process::{Command, Output, Stdio};

use agenttrust_guardian::Guardian;
use agenttrust_testkit::eventually_within;
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::program::{LONG, Program, text};

const ADMIN: &str = "sk_live_of_the_admin_0123";
/// The name that a caller gives its tool, and what of it must not reach a terminal.
const LOUD: &str = "refund everything that was ever paid";

/// A served Guardian with one agent.
struct Desk {
    program: Program,
    agent: String,
    _folder: TempDir,
}

impl Desk {
    async fn open(more: &[&str]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let database = folder.path().join("at.db").to_str().unwrap().to_owned();
        let arguments = [&["--database", &database, "--log", "error"], more].concat();
        let program = Program::serve(&arguments, &[("AGENTTRUST_ADMIN_KEY", ADMIN)]).await;
        let create = json!({ "name": "shopbot", "capabilities": ["*"] });
        let (_, agent) = program.post("/api/v1/agents", ADMIN, &create).await;
        let agent = agent["id"].as_str().unwrap().to_owned();
        Self { program, agent, _folder: folder }
    }

    /// Returns the approval that a call of this tool waits for, asked for with a key of the agent.
    async fn held(&self, tool: &str) -> String {
        let make = json!({ "role": "agent", "agents": [self.agent] });
        let (_, key) = self.program.post("/api/v1/keys", ADMIN, &make).await;
        let check = json!({
            "agent_id": self.agent, "action_name": tool, "action_effect": "destructive",
            "action_input_summary": "\u{1b}[2Jall of it",
        });
        let key = key["key"].as_str().unwrap();
        let (_, held) = self.program.post("/api/v1/agenttrust/check", key, &check).await;
        held["approval_id"].as_str().unwrap_or_else(|| panic!("{held}")).to_owned()
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_agenttrust"));
        command.args(arguments).env_clear();
        command.env("AGENTTRUST_URL", self.program.url("")).env("AGENTTRUST_API_KEY", ADMIN);
        command
    }

    fn run(&self, arguments: &[&str]) -> Output {
        self.command(arguments).output().unwrap()
    }

    fn printed(&self, arguments: &[&str]) -> String {
        let output = self.run(arguments);
        assert!(output.status.success(), "{arguments:?}: {}", text(&output.stderr));
        text(&output.stdout)
    }

    /// Returns the one sentence with which this is refused.
    fn refusal(&self, arguments: &[&str]) -> String {
        let output = self.run(arguments);
        assert!(matches!(output.status.code(), Some(1 | 2)), "{arguments:?}: {output:?}");
        assert_eq!(text(&output.stdout), "", "{arguments:?}");
        let said = text(&output.stderr);
        let quiet = |letter: char| letter == '\n' || !letter.is_control();
        assert!(said.chars().all(quiet) && said.len() < 1_000, "{arguments:?}: {said:?}");
        assert!(!said.contains(ADMIN), "{said}");
        said
    }

    async fn status(&self, approval: &str) -> Value {
        let answer = self.program.get(&format!("/mcp/approvals/{approval}"), ADMIN).await;
        let body: Value = serde_json::from_str(&answer.text().await.unwrap()).unwrap();
        body["status"].clone()
    }

    /// Returns what this prints on a terminal of so many columns.
    fn on_a_terminal(&self, columns: u32, environment: &[(&str, &str)], arguments: &str) -> String {
        let program = env!("CARGO_BIN_EXE_agenttrust");
        let script = format!("stty cols {columns}; exec '{program}' {arguments}");
        let mut command = Command::new("script");
        command.args(["-q", "-e", "-c", &script, "/dev/null"]).env_clear();
        command.env("PATH", std::env::var_os("PATH").unwrap()).env("SHELL", "/bin/sh");
        command.env("AGENTTRUST_URL", self.program.url("")).env("AGENTTRUST_API_KEY", ADMIN);
        command.envs(environment.iter().copied()).stdin(Stdio::null());
        let output = command.output().expect("script, of util-linux, makes a terminal");
        assert!(output.status.success(), "{output:?}");
        text(&output.stdout).replace("\r\n", "\n")
    }
}

#[tokio::test]
async fn agents_of_one_name_are_told_apart_and_times_by_how_far_they_are() {
    let desk = Desk::open(&[]).await;
    let first = desk.held("db_delete").await;
    let create = json!({ "name": "shopbot", "capabilities": ["*"] });
    let (_, twin) = desk.program.post("/api/v1/agents", ADMIN, &create).await;
    let twin = Desk { agent: twin["id"].as_str().unwrap().to_owned(), ..desk };
    let second = twin.held("db_delete").await;
    let listed = twin.printed(&["approvals", "list"]);
    let row = |id: &str| listed.lines().find(|line| line.contains(id)).unwrap().to_owned();
    assert!(row(&second).contains(&format!("shopbot ({})", twin.agent)), "{listed}");
    assert!(
        !row(&first).contains(&twin.agent) && row(&first).contains("shopbot (agt_"),
        "{listed}"
    );
    assert!(row(&first).ends_with("  in 5 min"), "{listed}");
    let shown = twin.printed(&["approvals", "show", &first]);
    let line = |name: &str| shown.lines().find(|line| line.starts_with(name)).unwrap().to_owned();
    assert!(line("held  ").contains(" s ago (20"), "{shown}");
    assert!(line("expires ").contains(" in 5 min (20"), "{shown}");
    // Programs get the points in time, and name and id apart.
    let json = twin.printed(&["approvals", "list", "--json"]);
    let rows: Value = serde_json::from_str(&json).unwrap();
    assert_eq!(rows[0]["agent_name"], "shopbot");
    for row in rows.as_array().unwrap() {
        assert!(row["agent_id"].as_str().unwrap().starts_with("agt_"), "{json}");
        assert!(row["expires_at"].as_str().unwrap().ends_with('Z'), "{json}");
    }
}

#[tokio::test]
async fn status_that_is_none_is_refused_in_words_of_the_person_who_typed_it() {
    let desk = Desk::open(&[]).await;
    let said = desk.refusal(&["approvals", "list", "--status", "foo"]);
    let says =
        "\"foo\" is no status of an approval; use pending, approved, denied, expired or consumed";
    assert!(said.contains(says), "{said}");
}

#[tokio::test]
async fn unknown_ids_and_those_of_another_organisation_are_the_same_to_whoever_asks() {
    let folder = tempfile::tempdir().unwrap();
    let database = folder.path().join("at.db").to_str().unwrap().to_owned();
    // Another organisation begins with its first key, which a program makes.
    let guardian = Guardian::builder().database(&database).build().await.unwrap();
    let role = agenttrust_guardian::Role::Admin;
    let theirs = guardian.create_key_in("org_theirs", role, &[]).await.unwrap();
    let ours = guardian.create_key(role, &[]).await.unwrap();
    guardian.close().await;
    let arguments = ["--database", &database, "--log", "error"];
    let program = Program::serve(&arguments, &[]).await;
    let create = json!({ "name": "w", "capabilities": ["*"] });
    let (_, agent) = program.post("/api/v1/agents", &theirs, &create).await;
    let check = json!({ "agent_id": agent["id"], "action_name": "db_delete" });
    let (_, held) = program.post("/api/v1/agenttrust/check", &theirs, &check).await;
    let foreign = held["approval_id"].as_str().unwrap();
    for word in ["show", "approve", "deny"] {
        for id in [foreign, "apr_unknown", "../agents", "apr_\u{1b}[31m"] {
            let output = Command::new(env!("CARGO_BIN_EXE_agenttrust"))
                .args(["approvals", word, id])
                .env_clear()
                .env("AGENTTRUST_URL", program.url(""))
                .env("AGENTTRUST_API_KEY", &ours)
                .output()
                .unwrap();
            let said = text(&output.stderr);
            assert_eq!(output.status.code(), Some(1), "{word} {id:?}: {said}");
            let quoted = id.replace('\u{1b}', "\\u{1b}");
            assert!(
                said == format!("error: there is no approval \"{quoted}\"\n")
                    || said.contains("control character"),
                "{word}: {said:?}"
            );
            assert!(!said.contains('\u{1b}'), "{said:?}");
        }
    }
}

#[tokio::test]
async fn what_is_decided_or_expired_is_not_decided_by_another_word() {
    let desk = Desk::open(&["--approval-ttl", "2s"]).await;
    let approval = desk.held("db_delete").await;
    let approved = desk.printed(&["approvals", "approve", &approval, "--as", "ada"]);
    assert_eq!(approved, format!("{approval} is approved\n"));
    let said = desk.refusal(&["approvals", "deny", &approval]);
    assert!(said.contains("is approved already and cannot be decided again"), "{said}");
    let shown = desk.printed(&["approvals", "show", &approval]);
    assert!(shown.contains("status        approved\n"), "{shown}");

    let expired = desk.held("db_drop").await;
    let is_expired = async || desk.status(&expired).await == "expired";
    eventually_within(LONG, "it does not expire", is_expired).await;
    for word in ["approve", "deny"] {
        let said = desk.refusal(&["approvals", word, &expired]);
        assert!(said.contains("has expired; the action must be asked for again"), "{said}");
    }
    assert!(desk.printed(&["approvals", "show", &expired]).contains("expired"));
}

#[tokio::test]
async fn reason_that_is_too_long_or_would_act_on_a_terminal_is_refused_and_decides_nothing() {
    let desk = Desk::open(&[]).await;
    let approval = desk.held("db_delete").await;
    let long = "x".repeat(10 << 10);
    for (reason, says) in [
        (long.as_str(), "has 10240 characters; 500 is the most"),
        ("\u{1b}[31mno", "control character"),
        ("no\nnever", "control character"),
        ("no\rnever", "control character"),
        ("\u{9b}31mno", "control character"),
    ] {
        for word in ["approve", "deny"] {
            let said = desk.refusal(&["approvals", word, &approval, "--reason", reason]);
            assert!(said.contains(says), "{said}");
        }
        let said = desk.refusal(&["approvals", "deny", &approval, "--as", reason]);
        assert!(said.contains("--as ") && !said.contains("decided_by"), "{said}");
        assert_eq!(desk.status(&approval).await, "pending");
    }
    let most = "x".repeat(500);
    desk.printed(&["approvals", "deny", &approval, "--reason", &most]);
    assert!(desk.printed(&["approvals", "show", &approval]).contains(&most));
}

#[tokio::test]
async fn what_callers_wrote_is_shown_and_does_not_act() {
    let desk = Desk::open(&[]).await;
    let approval = desk.held(LOUD).await;
    for arguments in [vec!["approvals", "list"], vec!["approvals", "show", &approval]] {
        let shown = desk.printed(&arguments);
        assert!(shown.contains(LOUD) && shown.contains("\\u{1b}[2Jall of it"), "{shown}");
        assert!(!shown.starts_with('\n'), "{shown}");
        assert!(shown.chars().all(|letter| letter == '\n' || !letter.is_control()), "{shown:?}");
    }
}

#[tokio::test]
async fn name_that_would_fill_its_line_or_hide_is_written_out_and_acts_in_json_neither() {
    let desk = Desk::open(&[]).await;
    let name = "db_drop\u{2028}\u{200b}  EFFECT  read";
    let approval = desk.held(name).await;
    for arguments in [vec!["approvals", "list"], vec!["approvals", "show", &approval]] {
        let shown = desk.printed(&arguments);
        let written = "db_drop\\u{2028}\\u{200b} \\u{20}EFFECT \\u{20}read";
        assert!(shown.contains(written), "{shown}");
    }
    let json = desk.printed(&["approvals", "show", &approval, "--json"]);
    assert!(json.contains("db_drop\\u2028\\u200b  EFFECT"), "{json}");
    let read: Value = serde_json::from_str(&json).unwrap();
    assert_eq!(read["action_name"], name);
}

#[tokio::test]
async fn narrow_terminal_shows_every_row_line_by_line_and_a_pipe_keeps_its_columns() {
    let desk = Desk::open(&[]).await;
    let approval = desk.held("db_delete").await;
    let wide = desk.on_a_terminal(200, &[], "approvals list");
    assert!(wide.starts_with("APPROVAL ") && wide.lines().count() == 2, "{wide}");
    for (columns, environment) in [(20, &[][..]), (200, &[("COLUMNS", "20")][..])] {
        let narrow = desk.on_a_terminal(columns, environment, "approvals list");
        let lines: Vec<_> = narrow.lines().collect();
        assert_eq!(lines[..2], ["APPROVAL", &approval], "{narrow}");
        for line in [&format!("shopbot ({})", desk.agent)[..], "TOOL  db_delete"] {
            assert!(lines.contains(&line), "{narrow}");
        }
        // An id is whole, whatever wraps it; everything else that fits is on one line.
        let short = lines.iter().filter(|line| line.len() > 20).all(|line| !line.contains("  "));
        assert!(short, "{narrow}");
        let show = desk.on_a_terminal(columns, environment, &format!("approvals show {approval}"));
        assert!(show.starts_with(&format!("approval\n{approval}\nstatus  pending\n")), "{show}");
        let agents = desk.on_a_terminal(columns, environment, "agents list");
        assert!(agents.contains(&format!("AGENT\n{}\nNAME  shopbot\n", desk.agent)), "{agents}");
    }
    // Who reads a pipe counts columns, however wide somebody's terminal is.
    let piped = desk.command(&["approvals", "list"]).env("COLUMNS", "20").output().unwrap();
    assert_eq!(text(&piped.stdout), desk.printed(&["approvals", "list"]));
    assert!(text(&piped.stdout).starts_with("APPROVAL "), "{}", text(&piped.stdout));
}

#[tokio::test]
async fn reader_that_has_seen_enough_ends_it_quietly_unless_a_key_would_be_lost() {
    let desk = Desk::open(&[]).await;
    let approval = desk.held("db_delete").await;
    let into_nothing = |arguments: &[&str]| {
        let (reader, writer) = io::pipe().unwrap();
        drop(reader);
        desk.command(arguments).stdout(writer).output().unwrap()
    };
    for arguments in [
        vec!["approvals", "list"],
        vec!["approvals", "list", "--json"],
        vec!["approvals", "show", &approval],
        vec!["agents", "list"],
        vec!["agents", "show", &desk.agent],
    ] {
        let output = into_nothing(&arguments);
        let said = text(&output.stderr);
        assert_eq!((output.status.code(), said.as_str()), (Some(0), ""), "{arguments:?}");
    }
    for json in [&[][..], &["--json"]] {
        let create = ["agents", "create", "bot", "--capability", "refund", "--key"];
        let output = into_nothing(&[&create[..], json].concat());
        let said = text(&output.stderr);
        assert_eq!(output.status.code(), Some(1), "{said}");
        assert!(said.contains("standard output is closed"), "{said}");
    }
}

#[tokio::test]
async fn capability_that_is_none_registers_nobody_and_says_how_to_write_it() {
    let desk = Desk::open(&[]).await;
    for (capability, says) in [
        ("", "--capability"),
        ("files*", "\"files:*\""),
        ("http/*/notes", "`http/GET/*`"),
        ("files:", "\"files:*\""),
        ("a\u{1b}[31m", "control character"),
        ("refund,search", "once for each"),
        ("http:read", "\"http/GET/*\""),
    ] {
        let said = desk.refusal(&["agents", "create", "bot", "--capability", capability]);
        assert!(said.contains(says), "{capability:?}: {said}");
    }
    let named = desk.printed(&["agents", "list"]);
    assert_eq!(named.lines().count(), 2, "{named}");
}

#[tokio::test]
async fn key_in_an_argument_is_refused_with_the_reason_wherever_it_stands() {
    let desk = Desk::open(&[]).await;
    for arguments in [
        vec!["approvals", "list", "--api-key", ADMIN],
        vec!["approvals", "list", "--api-key"],
        vec!["approvals", "show", ADMIN],
        vec!["approvals", "approve", "apr_1", "--reason", ADMIN],
        vec!["agents", "create", ADMIN, "--capability", "x"],
    ] {
        let said = desk.refusal(&arguments);
        let why = "can be read by everybody on this machine and stays in the shell's history";
        assert!(said.contains(why) && said.contains("set AGENTTRUST_API_KEY instead"), "{said}");
    }
}

#[tokio::test]
async fn all_who_approved_are_named_by_what_they_said_and_by_their_keys() {
    let policies = tempfile::tempdir().unwrap();
    let quorum = r#"@id("two") @elevate @quorum("2") permit (principal, action, resource);"#;
    std::fs::write(policies.path().join("all.cedar"), quorum).unwrap();
    let desk = Desk::open(&["--policies", policies.path().to_str().unwrap()]).await;
    let held = desk.held("pay_out").await;
    let approved_by = || {
        let shown = desk.printed(&["approvals", "show", &held]);
        let line = shown.lines().find_map(|line| line.strip_prefix("approved by"));
        line.unwrap().trim().to_owned()
    };
    assert_eq!(approved_by(), "0 of 2");
    let mut keys = Vec::new();
    for name in ["alice", "bob"] {
        let (_, key) =
            desk.program.post("/api/v1/keys", ADMIN, &json!({ "role": "operator" })).await;
        let approve = ["approvals", "approve", &held, "--as", name];
        let mut command = desk.command(&approve);
        command.env("AGENTTRUST_API_KEY", key["key"].as_str().unwrap());
        assert!(command.output().unwrap().status.success());
        keys.push(key["id"].as_str().unwrap().to_owned());
    }
    assert_eq!(approved_by(), format!("2 of 2: alice ({}), bob ({})", keys[0], keys[1]));
}
