//! `agenttrust check`: whether an agent may call a tool, and why.

use std::io::Write;
use std::process::{Command, Output, Stdio};

use serde_json::{Value, json};

use crate::program::{DEV_KEY, Program, text};

/// A Guardian that is served, in which the key that asks may decide too, and an agent of the name `shopbot`.
struct Desk {
    program: Program,
}

impl Desk {
    async fn open() -> Self {
        let program = Program::serve(&["--dev", "--log", "error"], &[]).await;
        let desk = Self { program };
        let create =
            ["agents", "create", "shopbot", "--capability", "refund", "--capability", "search"];
        assert!(desk.run(&create, &[], "").status.success());
        desk
    }

    fn run(&self, arguments: &[&str], environment: &[(&str, &str)], input: &str) -> Output {
        let mut command = Command::new(env!("CARGO_BIN_EXE_agenttrust"));
        command.args(arguments).env_clear();
        command.env("AGENTTRUST_URL", self.program.url("")).env("AGENTTRUST_API_KEY", DEV_KEY);
        command.envs(environment.iter().copied());
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        // One that refuses what it was told reads nothing.
        let _ = child.stdin.take().unwrap().write_all(input.as_bytes());
        child.wait_with_output().unwrap()
    }

    /// Returns the exit code of a check, and what it printed.
    fn check(&self, arguments: &[&str]) -> (i32, String) {
        self.check_with(arguments, &[], "")
    }

    fn check_with(
        &self,
        arguments: &[&str],
        environment: &[(&str, &str)],
        input: &str,
    ) -> (i32, String) {
        let output = self.run(&[&["check"], arguments].concat(), environment, input);
        (output.status.code().unwrap(), text(&output.stdout) + &text(&output.stderr))
    }
}

#[tokio::test]
async fn decision_and_why_are_printed_and_the_exit_code_tells_it_to_programs() {
    let desk = Desk::open().await;
    let (code, said) = desk.check(&["shopbot", "search"]);
    assert_eq!(code, 0, "{said}");
    assert!(said.starts_with("decision  allowed\n") && said.contains("effect    read\n"), "{said}");

    let (code, said) = desk.check(&["shopbot", "db_drop"]);
    assert_eq!(code, 1, "{said}");
    assert!(said.starts_with("decision  denied\n"), "{said}");
    assert!(said.contains("has no capability that covers tool \"db_drop\""), "{said}");

    let held = ["shopbot", "refund", "--effect", "destructive", "--scope", "refund"];
    let (code, said) = desk.check(&held);
    assert_eq!(code, 1, "{said}");
    assert!(said.starts_with("decision    held\n") && said.contains("default-hold"), "{said}");
    let approve = said.lines().find_map(|line| line.strip_prefix("to approve  ")).unwrap();
    let approve: Vec<&str> = approve.split(' ').skip(1).collect();
    assert!(desk.run(&approve, &[], "").status.success(), "{said}");
    // It is a check like any other: it uses what was approved.
    let (code, said) = desk.check(&[&held[..], &["--json"]].concat());
    let allowed: Value = serde_json::from_str(&said).unwrap();
    assert_eq!((code, &allowed["allowed"]), (0, &json!(true)), "{said}");
    assert_eq!(desk.check(&held).0, 1);

    for (arguments, environment, says) in [
        (&["nobody", "search"][..], &[][..], "there is no agent \"nobody\""),
        (&["agt_none", "search"], &[], "agt_none"),
        (&["shopbot", "search", "--effect", "huge"], &[], "unknown effect \"huge\""),
        (&["shopbot", "search"], &[("AGENTTRUST_API_KEY", "sk_wrong_key_1")], "AGENTTRUST_API_KEY"),
        (&["shopbot", "search"], &[("AGENTTRUST_URL", "http://127.0.0.1:9")], "AGENTTRUST_URL"),
        (&["shopbot", "search", "--input", "none.json"], &[], "none.json cannot be read"),
        (&["shopbot"], &[], "<TOOL>"),
    ] {
        let (code, said) = desk.check_with(arguments, environment, "");
        assert_eq!(code, 2, "{arguments:?}: {said}");
        assert!(said.contains(says), "{arguments:?}: {said}");
    }
}

#[tokio::test]
async fn input_of_a_check_stays_here_and_what_is_approved_serves_it_alone_under_the_same_key() {
    let desk = Desk::open().await;
    let input = |text: &str| {
        let check = ["shopbot", "refund", "--effect", "destructive", "--input", "-", "--json"];
        let key = [("AGENTTRUST_BINDING_KEY", "0f".repeat(32))];
        let key = key.each_ref().map(|(name, value)| (*name, value.as_str()));
        let (code, said) = desk.check_with(&check, &key, text);
        (code, serde_json::from_str::<Value>(&said).unwrap_or_else(|_| panic!("{said}")))
    };
    let secret = r#"{ "order": "SECRET-ORDER-7", "cents": 1999 }"#;
    let (code, held) = input(secret);
    assert_eq!((code, &held["elevation_required"]), (1, &json!(true)), "{held}");
    let id = held["approval_id"].as_str().unwrap();
    let shown = desk.run(&["approvals", "show", id, "--json"], &[], "");
    let shown = text(&shown.stdout);
    assert!(shown.contains("\"input_digest\"") && shown.contains("chars]"), "{shown}");
    let audit = desk.program.get("/api/v1/audit?limit=1000", DEV_KEY).await.text().await.unwrap();
    assert!(!shown.contains("SECRET") && !audit.contains("SECRET"));
    assert!(desk.run(&["approvals", "approve", id], &[], "").status.success());
    assert_eq!(input(r#"{ "order": "SECRET-ORDER-8", "cents": 1999 }"#).0, 1);
    // The same, written otherwise.
    assert_eq!(input(r#"{"cents":1999,"order":"SECRET-ORDER-7"}"#).0, 0);

    // Without the key of a guard an approval would serve nothing, and that is said.
    let check = ["shopbot", "refund", "--effect", "destructive", "--input", "-"];
    let (code, said) = desk.check_with(&check, &[], secret);
    assert_eq!(code, 1, "{said}");
    assert!(said.contains("set AGENTTRUST_BINDING_KEY to that of the guard"), "{said}");
    for (key, text, says) in [
        ("0f", secret, "AGENTTRUST_BINDING_KEY is not 64 hexadecimal digits"),
        ("", "{", "the input is not JSON"),
    ] {
        let (code, said) = desk.check_with(&check, &[("AGENTTRUST_BINDING_KEY", key)], text);
        assert!(code == 2 && said.contains(says), "{code} {said}");
    }
}
