//! `agenttrust agents` where agents are there already: groups, and what changes of them.

use std::process::{Command, Output};

use agenttrust::{
    AgentCredentials, AgentTrustClient, InMemoryKeyStore, KeyStore, generate_agent_key,
};
use agenttrust_testkit::ADMIN;
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::program::{Program, text};

/// A served Guardian, and commands that ask it.
struct Desk {
    program: Program,
    _folder: TempDir,
}

impl Desk {
    async fn open() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let database = folder.path().join("at.db").to_str().unwrap().to_owned();
        let arguments = ["--database", &database, "--log", "error"];
        let program = Program::serve(&arguments, &[("AGENTTRUST_ADMIN_KEY", ADMIN)]).await;
        Self { program, _folder: folder }
    }

    fn run(&self, arguments: &[&str]) -> Output {
        let mut command = Command::new(env!("CARGO_BIN_EXE_agenttrust"));
        command.arg("agents").args(arguments).env_clear();
        command.env("AGENTTRUST_URL", self.program.url("")).env("AGENTTRUST_API_KEY", ADMIN);
        command.output().unwrap()
    }

    fn printed(&self, arguments: &[&str]) -> String {
        let output = self.run(arguments);
        assert!(output.status.success(), "{arguments:?}: {}", text(&output.stderr));
        text(&output.stdout)
    }

    fn json(&self, arguments: &[&str]) -> Value {
        serde_json::from_str(&self.printed(&[arguments, &["--json"]].concat())).unwrap()
    }

    fn refusal(&self, arguments: &[&str]) -> String {
        let output = self.run(arguments);
        assert!(matches!(output.status.code(), Some(1 | 2)), "{arguments:?}: {output:?}");
        assert_eq!(text(&output.stdout), "", "{arguments:?}");
        text(&output.stderr)
    }
}

#[tokio::test]
async fn agent_is_put_into_groups_granted_and_edited_by_its_id_or_its_name() {
    let desk = Desk::open().await;
    let create = ["create", "shopbot", "--capability", "refund", "--group", "ops", "--group", "eu"];
    let id = desk.printed(&create).trim().to_owned();
    let shown = desk.printed(&["show", &id]);
    assert!(shown.contains("groups        eu, ops\n"), "{shown}");

    let shown = desk.printed(&["grant", "shopbot", "files:*", "search"]);
    assert!(shown.contains("capabilities  refund, files:*, search\n"), "{shown}");
    let agent = desk.json(&["withdraw", &id, "refund"]);
    assert_eq!(agent["capabilities"], json!(["files:*", "search"]));
    let edit = [
        "edit",
        "shopbot",
        "--name",
        "clerk",
        "--group",
        "finance",
        "--metadata",
        "team=a=b",
        "--metadata",
        "seat=7",
    ];
    let agent = desk.json(&edit);
    assert_eq!((&agent["id"], &agent["name"]), (&json!(id), &json!("clerk")));
    let metadata = json!({ "groups": ["finance"], "team": "a=b", "seat": "7" });
    assert_eq!(agent["metadata"], metadata);
    assert_eq!(agent["capabilities"], json!(["files:*", "search"]), "nothing was said of them");
    let edit = ["edit", "clerk", "--capability", "refund", "--no-groups", "--metadata", "team="];
    let agent = desk.json(&edit);
    assert_eq!(agent["metadata"], json!({ "groups": [], "seat": "7" }));
    assert_eq!(agent["capabilities"], json!(["refund"]));
    assert_eq!(desk.json(&["show", &id]), agent);
}

#[tokio::test]
async fn change_that_cannot_be_says_what_to_do_and_changes_nothing() {
    let desk = Desk::open().await;
    let id = desk.printed(&["create", "bot", "--capability", "files:*"]).trim().to_owned();
    let before = desk.json(&["show", &id]);
    for (arguments, says) in [
        (
            &["grant", "nobody", "refund"][..],
            "there is no agent \"nobody\" that this key may see; say its id (agt_…), or see `agenttrust agents list`",
        ),
        (&["grant", "b\u{1b}[2Jt", "refund"], "\\u{1b}"),
        (&["grant", "bot"], "<CAPABILITY>"),
        (&["grant", "bot", "a,b"], "comma"),
        (&["grant", "bot", ""], "it is empty"),
        (&["grant", "bot", "http:read"], "\"http/GET/*\""),
        (&["withdraw", "bot", "files:read"], "because \"files:*\" covers it"),
        (&["withdraw", "bot", "refund"], "has no capability \"refund\""),
        (&["edit", "bot"], "--name"),
        (&["edit", "bot", "--name", ""], "name is empty"),
        (&["edit", "bot", "--metadata", "team"], "write MEMBER=TEXT"),
        (&["edit", "bot", "--metadata", "groups=ops"], "is not a list of names"),
        (&["edit", "bot", "--group", "a", "--no-groups"], "cannot be used with"),
    ] {
        let said = desk.refusal(arguments);
        assert!(said.contains(says), "{arguments:?}: {said}");
        assert!(!said.contains('\u{1b}'), "{said:?}");
    }
    assert_eq!(desk.json(&["show", &id]), before);

    let other = desk.printed(&["create", "bot", "--capability", "search"]).trim().to_owned();
    let said = desk.refusal(&["grant", "bot", "refund"]);
    assert!(said.contains("2 agents have the name \"bot\"; give the id of one"), "{said}");
    assert!(said.contains(&id) && said.contains(&other), "{said}");
    // One that is revoked bears no name any more, and cannot be changed by its id.
    desk.printed(&["revoke", &other]);
    desk.printed(&["grant", "bot", "refund"]);
    let said = desk.refusal(&["grant", &other, "refund"]);
    assert!(said.contains("is revoked, which is for good"), "{said}");
}

#[tokio::test]
async fn agent_is_registered_with_the_public_key_of_a_file_or_of_standard_input() {
    let desk = Desk::open().await;
    let pair = generate_agent_key().unwrap();
    let folder = tempfile::tempdir().unwrap();
    let file = |name: &str, text: &str| {
        let path = folder.path().join(name);
        std::fs::write(&path, text).unwrap();
        path.to_str().unwrap().to_owned()
    };
    let public = file("public.pem", &pair.public_key_pem);
    let made = desk.json(&["create", "bot", "--public-key", &public]);
    assert_eq!(made["agent"]["public_key"], pair.public_key_pem.as_str());
    // It proves that it has the other half, which the program never saw.
    let of_pipe = ["-c", "\"$0\" agents create piped --public-key - --json <\"$1\""];
    let mut shell = Command::new("/bin/sh");
    shell.args(of_pipe).args([env!("CARGO_BIN_EXE_agenttrust"), &public]).env_clear();
    shell.env("AGENTTRUST_URL", desk.program.url("")).env("AGENTTRUST_API_KEY", ADMIN);
    let piped: Value = serde_json::from_slice(&shell.output().unwrap().stdout).unwrap();
    assert_eq!(piped["agent"]["public_key"], pair.public_key_pem.as_str());
    let id = made["agent"]["id"].as_str().unwrap();
    let client = AgentTrustClient::builder().base_url(desk.program.url("")).api_key(ADMIN);
    let client = client.build().unwrap();
    let mut keys = InMemoryKeyStore::new();
    keys.store(id, &pair.private_key_pem).unwrap();
    let credentials = AgentCredentials::new(&client, keys, id, &pair.public_key_pem);
    credentials.token().await.unwrap();

    for (text, says) in [
        ("", "the public key is empty"),
        (&pair.private_key_pem, "which stays with the agent and was not sent"),
        (
            "-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----\n",
            "is no Ed25519 public key in PKIX PEM",
        ),
    ] {
        let wrong = file("wrong.pem", text);
        let said = desk.refusal(&["create", "other", "--public-key", &wrong]);
        assert!(said.contains(says), "{said}");
    }
    let missing = folder.path().join("none.pem");
    let said = desk.refusal(&["create", "other", "--public-key", missing.to_str().unwrap()]);
    assert!(said.contains("none.pem cannot be read"), "{said}");
    assert!(!desk.printed(&["list"]).contains("other"));
}

#[tokio::test]
async fn refusal_names_the_option_that_was_typed_and_no_member_of_the_api() {
    let desk = Desk::open().await;
    for (arguments, says) in [
        (&["create", "bot", "--capability", "a*b"][..], "--capability: "),
        (&["create", "bot", "--group", "a\nb"], "--group"),
    ] {
        let refused = desk.refusal(arguments);
        assert!(refused.contains(says), "{arguments:?}: {refused}");
        assert!(!refused.contains("capabilities") && !refused.contains("metadata"), "{refused}");
    }
    let agents = ["one", "two"]
        .map(|name| desk.printed(&["create", name, "--capability", "files:*"]).trim().to_owned());
    let of = |arguments: &[&str]| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_agenttrust"));
        command.args(arguments).env_clear();
        command.env("AGENTTRUST_URL", desk.program.url("")).env("AGENTTRUST_API_KEY", ADMIN);
        let output = command.output().unwrap();
        assert!(!output.status.success(), "{arguments:?}: {output:?}");
        text(&output.stderr)
    };
    let [one, two] = &agents;
    let give = ["delegations", "create", "--from", one, "--to"];
    for (arguments, says, never) in [
        (
            &[&give[..], &[one.as_str(), "--scope", "files:read"]].concat()[..],
            "--to ",
            "to_agent_id",
        ),
        (&[&give[..], &[two.as_str(), "--scope", "a*b"]].concat(), "--scope: ", "scope[0]"),
        (&["keys", "create", "--role", "agent", "--agent", "agt_none"], "--agent", "agents"),
    ] {
        let refused = of(arguments);
        assert!(refused.contains(says) && !refused.contains(never), "{arguments:?}: {refused}");
    }
}

#[tokio::test]
async fn agent_is_registered_with_a_public_key_and_given_another_one() {
    let desk = Desk::open().await;
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("key.pem");
    let file = file.to_str().unwrap();
    let [first, second] = [(); 2].map(|()| generate_agent_key().unwrap());
    std::fs::write(file, &first.public_key_pem).unwrap();
    let id = desk.printed(&["create", "bot", "--public-key", file]).trim().to_owned();
    assert_eq!(desk.json(&["show", &id])["public_key"], json!(first.public_key_pem));
    std::fs::write(file, second.private_key_pem.as_bytes()).unwrap();
    assert!(desk.refusal(&["edit", &id, "--public-key", file]).contains("was given a private key"));
    std::fs::write(file, &second.public_key_pem).unwrap();
    let changed = desk.json(&["edit", "bot", "--public-key", file]);
    assert_eq!(
        (&changed["id"], &changed["public_key"]),
        (&json!(id), &json!(second.public_key_pem))
    );
}

#[tokio::test]
async fn agent_is_suspended_and_reactivated_by_its_id_or_its_name() {
    let desk = Desk::open().await;
    let id = desk.printed(&["create", "bot", "--capability", "files:*"]).trim().to_owned();
    let suspended = desk.printed(&["suspend", "bot", "--reason", "acts strangely"]);
    assert_eq!(suspended, format!("{id} is suspended\n"));
    assert_eq!(desk.json(&["show", &id])["status"], "suspended");
    let entries = desk.program.read("/api/v1/audit?limit=1000", ADMIN).await;
    let entries = entries["entries"].as_array().unwrap();
    let entry = entries.iter().find(|entry| entry["kind"] == "agent.suspended").unwrap();
    assert_eq!(entry["body"]["reason"], "acts strangely", "{entry}");
    assert_eq!(desk.printed(&["reactivate", &id]), format!("{id} is active again\n"));
    assert_eq!(desk.json(&["show", &id])["status"], "active");
    assert_eq!(desk.json(&["suspend", &id]), json!({ "id": id, "status": "suspended" }));
    assert_eq!(desk.json(&["reactivate", "bot"]), json!({ "id": id, "status": "active" }));
    desk.printed(&["revoke", &id]);
    assert!(desk.refusal(&["reactivate", &id]).contains("revoked"));
    assert!(desk.refusal(&["suspend", "nobody"]).contains("there is no agent \"nobody\""));
}

#[tokio::test]
async fn key_of_a_new_agent_is_a_line_below_its_id_and_what_is_said_of_it_is_on_standard_error() {
    let desk = Desk::open().await;
    let output = desk.run(&["create", "bot", "--capability", "refund", "--key"]);
    let out = text(&output.stdout);
    let [id, key] = &out.lines().collect::<Vec<_>>()[..] else { panic!("{out}") };
    assert!(id.starts_with("agt_") && key.starts_with("sk_live_"), "{out}");
    assert_eq!(text(&output.stderr), "note: the key is shown this once\n");
    assert_eq!(desk.program.get(&format!("/api/v1/agents/{id}"), key).await.status(), 200);
}
