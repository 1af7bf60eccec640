//! `agenttrust federation`: a provider of others is registered, its tokens are tried, and sessions come of them.

use std::io::Write;
use std::process::{Command, Output, Stdio};

use agenttrust_testkit::Issuer;
use serde_json::{Value, json};

use crate::program::{Program, text};

const ADMIN: &str = "sk_live_of_the_admin_0123";
const AUDIENCE: &str = "https://guardian.example";

/// Runs it with this at its standard input.
fn fed(program: &Program, arguments: &[&str], input: &str) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_agenttrust"));
    command.arg("federation").args(arguments).env_clear();
    command.env("AGENTTRUST_URL", program.url("")).env("AGENTTRUST_API_KEY", ADMIN);
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    child.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
    child.wait_with_output().unwrap()
}

fn printed(program: &Program, arguments: &[&str]) -> String {
    answered(program, arguments, "")
}

fn answered(program: &Program, arguments: &[&str], input: &str) -> String {
    let output = fed(program, arguments, input);
    assert!(output.status.success(), "{arguments:?}: {output:?}");
    text(&output.stdout).trim_end().to_owned()
}

fn json_of(program: &Program, arguments: &[&str]) -> Value {
    serde_json::from_str(&printed(program, &[arguments, &["--json"]].concat())).unwrap()
}

fn refusal(program: &Program, arguments: &[&str], input: &str) -> String {
    let output = fed(program, arguments, input);
    assert!(!output.status.success() && output.stdout.is_empty(), "{arguments:?}: {output:?}");
    text(&output.stderr)
}

async fn served(folder: &tempfile::TempDir) -> Program {
    let database = folder.path().join("at.db").to_str().unwrap().to_owned();
    let arguments = ["--database", &database, "--log", "error", "--allow-outbound", "127.0.0.0/8"];
    Program::serve(&arguments, &[("AGENTTRUST_ADMIN_KEY", ADMIN)]).await
}

async fn agent(program: &Program, name: &str) -> String {
    let create = json!({ "name": name, "capabilities": ["files:*"] });
    let (_, agent) = program.post("/api/v1/agents", ADMIN, &create).await;
    agent["id"].as_str().unwrap().to_owned()
}

async fn allowed(program: &Program, agent: &str, session: &str, tool: &str) -> bool {
    let check = json!({ "agent_id": agent, "session_id": session, "action_name": tool });
    let (status, answer) = program.post("/api/v1/agenttrust/check", ADMIN, &check).await;
    assert_eq!(status, 200, "{answer}");
    answer["allowed"].as_bool().unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn person_registers_a_provider_tries_its_tokens_and_opens_a_session() {
    let folder = tempfile::tempdir().unwrap();
    let (program, issuer) = (served(&folder).await, Issuer::start().await);
    let desk = agent(&program, "desk").await;
    assert!(printed(&program, &["list"]).contains("agenttrust federation register"));

    let rule = "claim:groups=agents,agent=desk,scope=files:read";
    let id = printed(
        &program,
        &["register", issuer.url(), "--name", "partner", "--audience", AUDIENCE, "--rule", rule],
    );
    assert!(id.starts_with("fedp_") && id.lines().count() == 1, "{id}");
    let listed = printed(&program, &["list"]);
    assert!(listed.contains(&id) && listed.contains("medium"), "{listed}");
    let shown = printed(&program, &["show", "partner"]);
    let as_written = format!("1 claim:groups=agents,agent={desk},scope=files:read");
    let words = shown.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(words.contains(&as_written) && words.contains(AUDIENCE), "{shown}");

    let ada = issuer.token("ada", json!({ "aud": AUDIENCE, "groups": ["staff", "agents"] }));
    let steps = answered(&program, &["test", "-"], &format!("{ada}\n"));
    assert!(steps.starts_with("STEP") && steps.contains(&desk), "{steps}");
    let worth = answered(&program, &["verify", "-"], &ada);
    assert!(worth.contains("valid") && worth.contains("yes") && worth.contains(&desk), "{worth}");
    let session = answered(&program, &["init", "-"], &ada);
    assert!(session.starts_with("ats_"), "{session}");
    assert!(allowed(&program, &desk, &session, "files_read").await);
    assert!(!allowed(&program, &desk, &session, "files_list").await);

    let removed = printed(&program, &["remove", "partner"]);
    assert_eq!(removed, format!("{id} (partner) is removed"));
    assert!(!allowed(&program, &desk, &session, "files_read").await);
    let refused = refusal(&program, &["init", "-"], &ada);
    assert!(refused.contains("does not work"), "{refused}");
    assert!(!refused.contains("AGENTTRUST_API_KEY"), "it is not the key: {refused}");
}

#[tokio::test(flavor = "multi_thread")]
async fn token_that_is_refused_is_told_to_operators_step_by_step_and_exits_with_1() {
    let folder = tempfile::tempdir().unwrap();
    let (program, issuer) = (served(&folder).await, Issuer::start().await);
    agent(&program, "desk").await;
    let rule = "subject=ada,agent=desk";
    let register = ["register", issuer.url(), "--name", "partner", "--audience", AUDIENCE];
    printed(&program, &[&register[..], &["--rule", rule]].concat());

    let elsewhere = issuer.token("ada", json!({ "aud": "https://other.example" }));
    let expired = issuer.token("ada", json!({ "aud": AUDIENCE, "iat": 0, "exp": 300 }));
    let unmapped = issuer.token("bob", json!({ "aud": AUDIENCE }));
    for (token, step) in [(&elsewhere, "other.example"), (&expired, "expired"), (&unmapped, "rule")]
    {
        let output = fed(&program, &["test", "-"], token);
        assert_eq!(output.status.code(), Some(1), "{output:?}");
        assert!(text(&output.stdout).contains(step), "{output:?}");
    }
    // The bearer is told no more than whether it expired.
    for (token, said) in [(&elsewhere, "AUTH_FAILED"), (&expired, "TOKEN_EXPIRED")] {
        let output = fed(&program, &["verify", "-"], token);
        let worth = text(&output.stdout);
        assert_eq!(output.status.code(), Some(1), "{output:?}");
        assert!(worth.contains(said) && !worth.contains("other.example"), "{worth}");
    }
    let none = refusal(&program, &["init", "-"], &unmapped);
    assert!(none.contains("agenttrust federation rule add"), "{none}");
    let issuers = refusal(&program, &["init", "-", "--issuer", "https://x.example"], &elsewhere);
    assert!(issuers.contains("does not work"), "{issuers}");
}

#[tokio::test(flavor = "multi_thread")]
async fn rules_are_added_taken_out_and_read_from_a_file_and_the_first_that_fits_decides() {
    let folder = tempfile::tempdir().unwrap();
    let (program, issuer) = (served(&folder).await, Issuer::start().await);
    let (desk, other) = (agent(&program, "desk").await, agent(&program, "other").await);
    let register = ["register", issuer.url(), "--name", "partner", "--audience", AUDIENCE];
    let output = fed(&program, &register, "");
    assert!(text(&output.stderr).contains("agenttrust federation rule add fedp_"), "{output:?}");

    printed(&program, &["rule", "add", "partner", "agent=desk"]);
    printed(&program, &["rule", "add", "partner", "subject=ada,agent=other", "--first"]);
    let ada = issuer.token("ada", json!({ "aud": AUDIENCE }));
    assert!(answered(&program, &["verify", "-"], &ada).contains(&other));
    printed(&program, &["rule", "remove", "partner", "1"]);
    assert!(answered(&program, &["verify", "-"], &ada).contains(&desk));
    let none = refusal(&program, &["rule", "remove", "partner", "2"], "");
    assert!(none.contains("has no rule 2"), "{none}");

    // What `show` prints is what `--rules` reads; a value with a comma in it is no rule of an argument.
    let rules = json!([{ "subject": "CN=Ada,O=Example", "agent_id": "other" }]);
    let file = folder.path().join("rules.json");
    std::fs::write(&file, rules.to_string()).unwrap();
    printed(&program, &["set", "partner", "--rules", file.to_str().unwrap()]);
    let shown = json_of(&program, &["show", "partner"]);
    assert_eq!(shown["rules"][0]["subject"], "CN=Ada,O=Example", "{shown}");
    assert_eq!(shown["rules"][0]["agent_id"], other.as_str(), "{shown}");
    std::fs::write(&file, shown["rules"].to_string()).unwrap();
    let again = ["set", "partner", "--rules", file.to_str().unwrap(), "--name", "theirs"];
    let again = json_of(&program, &again);
    assert_eq!((&again["rules"], &again["name"]), (&shown["rules"], &json!("theirs")));
    let emptied = json_of(&program, &["set", "theirs", "--no-rules", "--trust-level", "low"]);
    assert_eq!((&emptied["rules"], &emptied["trust_level"]), (&json!([]), &json!("low")));
}

#[tokio::test(flavor = "multi_thread")]
async fn opaque_token_is_issued_once_told_of_and_revoked() {
    let folder = tempfile::tempdir().unwrap();
    let program = served(&folder).await;
    let desk = agent(&program, "desk").await;
    let issued = printed(&program, &["issue", "--agent", "desk", "--scope", "files:read"]);
    assert!(issued.starts_with("fed_") && issued.lines().count() == 1, "{issued}");
    let worth = answered(&program, &["verify", "-"], &issued);
    assert!(worth.contains(&desk) && worth.contains("files:read"), "{worth}");
    assert_eq!(answered(&program, &["revoke", "-"], &issued), "the token is revoked");
    assert_eq!(fed(&program, &["verify", "-"], &issued).status.code(), Some(1));
    let as_json = json_of(&program, &["issue", "--agent", "desk", "--ttl", "2m"]);
    assert_eq!((&as_json["expires_in"], &as_json["agent_id"]), (&json!(120), &json!(desk)));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_is_refused_with_what_to_do_and_no_token_is_repeated() {
    let folder = tempfile::tempdir().unwrap();
    let (program, issuer) = (served(&folder).await, Issuer::start().await);
    let nobody = issuer.url().replace("127.0.0.1", "127.0.0.2");
    let register = |issuer: &str, more: &[&str]| {
        let said = ["register", issuer, "--name", "partner"];
        refusal(&program, &[&said[..], more].concat(), "")
    };
    for (refused, said) in [
        (register(&nobody, &["--audience", AUDIENCE]), "127.0.0.2"),
        (register(issuer.url(), &[]), "audience"),
        (register(issuer.url(), &["--rule", "subject=ada"]), "it says no agent"),
        (register(issuer.url(), &["--rule", "agent=desk"]), "there is no agent \"desk\""),
        (register(issuer.url(), &["--trust-level", "total"]), "low, medium or high"),
        (refusal(&program, &["show", "partner"], ""), "agenttrust federation list"),
        (refusal(&program, &["show", "fedp_none"], ""), "fedp_none"),
        (refusal(&program, &["set", "fedp_none"], ""), "nothing is to change"),
        (refusal(&program, &["test", "-"], " \n"), "there is no token"),
        (refusal(&program, &["issue", "--agent", "nobody"], ""), "there is no agent"),
    ] {
        assert!(refused.contains(said), "{said}: {refused}");
    }
    let token = issuer.token("ada", json!({ "aud": AUDIENCE }));
    for said in [token.as_str(), "fed_S3cretS3cret"] {
        let output = fed(&program, &["list", said], "");
        assert_eq!(output.status.code(), Some(2), "{output:?}");
        assert!(!text(&output.stderr).contains(said), "{output:?}");
    }
}
