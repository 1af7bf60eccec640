//! The output about a revocation that is in force and not stored yet, and about agents that are named and not meant by
//! id.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpListener;
use std::process::{Command, Output};

use agenttrust_testkit::ADMIN;
use serde_json::{Value, json};

use crate::program::{Program, text};

fn run(url: &str, arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_agenttrust"));
    command.args(arguments).env_clear();
    command.env("AGENTTRUST_URL", url).env("AGENTTRUST_API_KEY", ADMIN);
    command.output().unwrap()
}

/// Returns a gateway that answers everything with this, and where it is.
fn gateway(answer: &'static str) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = BufReader::new(stream.unwrap());
            let (mut line, mut length) = (String::new(), 0);
            while stream.read_line(&mut line).unwrap() > 2 {
                let header = line.to_lowercase();
                if let Some(value) = header.strip_prefix("content-length:") {
                    length = value.trim().parse().unwrap();
                }
                line.clear();
            }
            stream.read_exact(&mut vec![0; length]).unwrap();
            let head = "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nConnection: close";
            let length = answer.len();
            write!(stream.get_mut(), "{head}\r\nContent-Length: {length}\r\n\r\n{answer}").unwrap();
        }
    });
    url
}

#[test]
fn revocation_that_is_not_stored_yet_is_told_as_one() {
    for (answer, sentence, durable) in [
        (r#"{"status":"revoked","durable":false}"#, "; that is not stored yet", json!(false)),
        (r#"{"status":"revoked","durable":true}"#, " is revoked\n", json!(true)),
        // A gateway that is not ours.
        (r#"{"ok":true}"#, " is revoked\n", Value::Null),
    ] {
        let url = gateway(answer);
        for arguments in [["agents", "revoke", "agt_1"], ["delegations", "revoke", "dlg_1"]] {
            let told = run(&url, &arguments);
            assert!(told.status.success(), "{told:?}");
            let said = text(&told.stdout);
            assert!(said.starts_with(arguments[2]) && said.contains(sentence), "{said}");
            let told = run(&url, &[&arguments[..], &["--json"]].concat());
            let said: Value = serde_json::from_str(&text(&told.stdout)).unwrap();
            assert_eq!((&said["status"], &said["durable"]), (&json!("revoked"), &durable));
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn agent_is_shown_and_delegates_by_its_name_and_is_revoked_by_its_id() {
    let folder = tempfile::tempdir().unwrap();
    let database = folder.path().join("at.db").to_str().unwrap().to_owned();
    let arguments = ["--database", &database, "--log", "error"];
    let program = Program::serve(&arguments, &[("AGENTTRUST_ADMIN_KEY", ADMIN)]).await;
    let url = program.url("");
    let printed = |arguments: &[&str]| {
        let output = run(&url, arguments);
        assert!(output.status.success(), "{arguments:?}: {}", text(&output.stderr));
        text(&output.stdout).trim_end().to_owned()
    };
    let refusal = |arguments: &[&str]| {
        let output = run(&url, arguments);
        assert!(!output.status.success() && output.stdout.is_empty(), "{arguments:?}: {output:?}");
        text(&output.stderr)
    };
    let create = |name: &str| printed(&["agents", "create", name, "--capability", "search"]);
    let (shopbot, buyer) = (create("shopbot"), create("buyer"));
    assert!(printed(&["agents", "show", "shopbot"]).contains(&shopbot));
    assert!(refusal(&["agents", "show", "nobody"]).contains("see `agenttrust agents list`"));
    let give = ["delegations", "create", "--from", "shopbot", "--to", "buyer", "--scope", "search"];
    let delegation = printed(&give);
    let listed = printed(&["delegations", "list", "--agent", "buyer"]);
    assert!(listed.contains(&delegation) && listed.contains(&buyer), "{listed}");
    let refused = refusal(&["agents", "revoke", "shopbot"]);
    assert!(refused.contains(&format!("agenttrust agents revoke {shopbot}")), "{refused}");
    assert!(printed(&["agents", "show", &shopbot]).contains("active"));
    let (_, suspended) =
        program.post(&format!("/api/v1/agents/{buyer}/suspend"), ADMIN, &json!({})).await;
    assert_eq!(suspended["status"], "suspended");
    assert!(printed(&["delegations", "list"]).contains("active, not usable"));
    let shown = printed(&["delegations", "show", &delegation]);
    assert!(shown.contains("not usable") && shown.contains("is suspended"), "{shown}");
    // Two of one name are told apart by their ids.
    create("shopbot");
    assert!(refusal(&give).contains("2 agents have the name"));
    assert_eq!(printed(&["agents", "revoke", &shopbot]), format!("{shopbot} is revoked"),);
}
