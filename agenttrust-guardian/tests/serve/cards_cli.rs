//! `agenttrust cards`: generated, published, verified and withdrawn by a person, and the keys rotated.

use std::process::{Command, Output};

use serde_json::{Value, json};

use crate::program::{Program, text};

const ADMIN: &str = "sk_live_of_the_admin_0123";

fn run(program: &Program, key: Option<&str>, arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_agenttrust"));
    command.arg("cards").args(arguments).env_clear().env("AGENTTRUST_URL", program.url(""));
    if let Some(key) = key {
        command.env("AGENTTRUST_API_KEY", key);
    }
    command.output().unwrap()
}

fn printed(program: &Program, key: Option<&str>, arguments: &[&str]) -> String {
    let output = run(program, key, arguments);
    assert!(output.status.success(), "{arguments:?}: {}", text(&output.stderr));
    text(&output.stdout).trim_end().to_owned()
}

fn refusal(program: &Program, key: Option<&str>, arguments: &[&str]) -> String {
    let output = run(program, key, arguments);
    assert!(!output.status.success() && output.stdout.is_empty(), "{arguments:?}: {output:?}");
    text(&output.stderr)
}

/// Returns a Guardian, and the id of an agent of it.
async fn served() -> (tempfile::TempDir, Program, String) {
    let folder = tempfile::tempdir().unwrap();
    let database = folder.path().join("at.db").to_str().unwrap().to_owned();
    let arguments = ["--database", &database, "--log", "error"];
    let program = Program::serve(&arguments, &[("AGENTTRUST_ADMIN_KEY", ADMIN)]).await;
    let create = json!({ "name": "researcher", "capabilities": ["web_search"] });
    let (_, agent) = program.post("/api/v1/agents", ADMIN, &create).await;
    (folder, program, agent["id"].as_str().unwrap().to_owned())
}

#[tokio::test(flavor = "multi_thread")]
async fn person_generates_publishes_verifies_and_withdraws_a_card_and_rotates_the_key() {
    let (folder, program, agent) = served().await;
    let (admin, nobody) = (Some(ADMIN), None);

    assert!(printed(&program, nobody, &["keys"]).contains("no key signs cards yet"));
    let shown = printed(
        &program,
        admin,
        &[
            "generate",
            "researcher",
            "--description",
            "Finds papers",
            "--agent-version",
            "2.1",
            "--interface",
            "HTTP+JSON=https://agent.example/T0p",
        ],
    );
    assert!(shown.contains("Finds papers") && shown.contains("web_search"), "{shown}");
    assert!(shown.contains(&program.url(&format!("/a2a/agents/{agent}"))), "{shown}");
    assert!(!shown.contains("T0p"), "{shown}");
    assert!(refusal(&program, nobody, &["public", &agent]).contains("no published card"));
    let shown = printed(&program, admin, &["show", "researcher"]);
    assert!(shown.contains("published     no"), "{shown}");
    assert!(shown.contains("https://agent.example/T0p (HTTP+JSON 1.0)"), "{shown}");
    assert!(refusal(&program, nobody, &["show", &agent]).contains("AGENTTRUST_API_KEY"));
    let address = printed(&program, admin, &["publish", &agent]);
    assert_eq!(address, program.url(&format!("/a2a/agents/{agent}/agent.json")));

    assert!(printed(&program, admin, &["show", &agent]).contains("published     yes"));
    for by_name in [["public", "researcher"], ["verify", "researcher"]] {
        assert!(refusal(&program, nobody, &by_name).contains("not its name"));
    }

    let json = printed(&program, nobody, &["public", &agent, "--json"]);
    let card: Value = serde_json::from_str(&json).unwrap();
    assert_eq!((&card["version"], &card["name"]), (&json!("2.1"), &json!("researcher")));
    let keys = printed(&program, nobody, &["keys", "--json"]);
    let kid = serde_json::from_str::<Value>(&keys).unwrap()["keys"][0]["kid"].clone();
    let kid = kid.as_str().unwrap();
    assert!(printed(&program, nobody, &["verify", &agent]).contains(kid));
    // Away from any Guardian, by keys that came by a way of their own.
    let at = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    std::fs::write(at("card.json"), &json).unwrap();
    std::fs::write(at("keys.json"), &keys).unwrap();
    std::fs::write(at("changed.json"), json.replace("Finds papers", "Finds money")).unwrap();
    let files = |card: &str| {
        ["verify".to_owned(), "--card".to_owned(), at(card), "--keys".to_owned(), at("keys.json")]
    };
    let verify = files("card.json");
    printed(&program, nobody, &verify.each_ref().map(String::as_str));
    let changed = files("changed.json");
    let told = refusal(&program, nobody, &changed.each_ref().map(String::as_str));
    assert!(told.contains("does not go with it") || told.contains("goes with it"), "{told}");

    let rotated = printed(&program, admin, &["rotate-key", "--overlap", "0s"]);
    assert!(!rotated.contains(kid), "{rotated}");
    let told =
        refusal(&program, nobody, &verify[..3].iter().map(String::as_str).collect::<Vec<_>>());
    assert!(told.contains(kid), "{told}");
    printed(&program, nobody, &["verify", &agent]);
    printed(&program, admin, &["withdraw", "researcher"]);
    assert!(refusal(&program, nobody, &["public", &agent]).contains("no published card"));
}
