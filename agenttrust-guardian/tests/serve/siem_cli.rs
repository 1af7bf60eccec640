//! `agenttrust siem`: a destination is made, tried, changed, paused and deleted, and no token is in an argument.

use std::io::Write;
use std::process::{Command, Output, Stdio};

use agenttrust_testkit::eventually;
use agenttrust_testkit::postgres::Fresh;
use agenttrust_testkit::siem::{HttpReceiver, Mood, Vendor};
use serde_json::{Value, json};

use crate::program::{Program, text};

const ADMIN: &str = "sk_live_of_the_admin_0123";
const TOKEN: &str = "hunter2-of-the-receiver";

/// Runs it with this at its standard input, and the token in the environment.
fn siem(program: &Program, arguments: &[&str], input: &str) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_agenttrust"));
    command.arg("siem").args(arguments).env_clear().env("SIEM_TOKEN", TOKEN);
    command.env("AGENTTRUST_URL", program.url("")).env("AGENTTRUST_API_KEY", ADMIN);
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    child.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
    child.wait_with_output().unwrap()
}

fn answered(program: &Program, arguments: &[&str], input: &str) -> String {
    let output = siem(program, arguments, input);
    assert!(output.status.success(), "{arguments:?}: {output:?}");
    text(&output.stdout).trim_end().to_owned()
}

fn printed(program: &Program, arguments: &[&str]) -> String {
    answered(program, arguments, "")
}

fn json_of(program: &Program, arguments: &[&str]) -> Value {
    serde_json::from_str(&printed(program, &[arguments, &["--json"]].concat())).unwrap()
}

fn refusal(program: &Program, arguments: &[&str]) -> String {
    let output = siem(program, arguments, "");
    assert!(!output.status.success() && output.stdout.is_empty(), "{arguments:?}: {output:?}");
    text(&output.stderr)
}

async fn served(folder: &tempfile::TempDir) -> Program {
    let database = folder.path().join("at.db").to_str().unwrap().to_owned();
    let arguments = ["--database", &database, "--log", "error", "--allow-outbound", "127.0.0.0/8"];
    Program::serve(&arguments, &[("AGENTTRUST_ADMIN_KEY", ADMIN)]).await
}

#[tokio::test(flavor = "multi_thread")]
async fn person_makes_a_destination_tries_it_and_sees_what_was_sent() {
    let folder = tempfile::tempdir().unwrap();
    let program = served(&folder).await;
    let receiver = HttpReceiver::start(Vendor::Splunk, TOKEN);
    let url = receiver.url();
    assert!(printed(&program, &["list"]).contains("agenttrust siem create"));

    let create = ["create", "prod", "--type", "splunk", "--url", &url, "--flush", "1s"];
    let id =
        answered(&program, &[&create[..], &["--token-file", "-"]].concat(), &format!("{TOKEN}\n"));
    assert!(id.starts_with("dst_") && id.lines().count() == 1, "{id}");
    let listed = printed(&program, &["list"]);
    assert!(listed.contains(&id) && listed.contains("splunk"), "{listed}");
    assert_eq!(printed(&program, &["test", "prod"]), "the receiver took it (200)");
    assert_eq!(json_of(&program, &["test", &id])["success"], true);

    let logs =
        async || Some(printed(&program, &["logs", "prod"])).filter(|it| it.contains("success"));
    let logs = eventually("nothing is listed as sent", logs).await;
    assert!(logs.starts_with("WHEN") && logs.contains("200"), "{logs}");
    assert_eq!(printed(&program, &["set-aside", "prod"]), "nothing is set aside");

    let before = receiver.ids().len();
    let shown = printed(&program, &["replay", "prod", "--since", "1h"]);
    assert!(shown.contains(&id), "{shown}");
    let again = async || (receiver.ids().len() > before).then_some(());
    eventually("nothing is sent once more", again).await;

    let removed = printed(&program, &["delete", "prod"]);
    assert_eq!(removed, format!("{id} (prod) is deleted"));
    assert!(refusal(&program, &["show", "prod"]).contains("agenttrust siem list"));
    assert!(!program.log().contains(TOKEN), "{}", program.log());
}

#[tokio::test(flavor = "multi_thread")]
async fn destination_is_changed_paused_and_resumed() {
    let folder = tempfile::tempdir().unwrap();
    let program = served(&folder).await;
    let receiver = HttpReceiver::start(Vendor::Elastic, TOKEN);
    let url = receiver.url();
    let create =
        ["create", "logs", "--type", "elastic", "--url", &url, "--token-env", "SIEM_TOKEN"];
    let id = printed(&program, &[&create[..], &["--event", "decision.denied"]].concat());

    let change = ["update", "logs", "--name", "siem", "--batch-size", "7", "--flush", "1m"];
    let change = [&change[..], &["--format", "raw", "--event", "approval.*"]].concat();
    let shown = printed(&program, &change);
    let words = shown.split_whitespace().collect::<Vec<_>>().join(" ");
    for part in ["name siem", "at once 7", "waits at most 60s", "events approval.*", "form raw"] {
        assert!(words.contains(part), "{part}: {shown}");
    }
    assert!(!shown.contains(TOKEN), "{shown}");
    assert_eq!(printed(&program, &["pause", "siem"]), format!("{id} (siem) is paused"));
    assert!(printed(&program, &["list"]).contains("paused"));
    assert_eq!(json_of(&program, &["show", &id])["is_active"], false);
    assert_eq!(json_of(&program, &["resume", &id])["is_active"], true);
    let all = json_of(&program, &["update", "siem", "--all-events"]);
    assert!(all["filter_event_types"].as_array().is_none_or(Vec::is_empty), "{all}");
    assert!(refusal(&program, &["update", "siem"]).contains("nothing is to change"));
    let elsewhere = refusal(&program, &["update", "siem", "--url", "http://127.0.0.2:9/logs"]);
    assert!(elsewhere.contains("--url names another host"), "{elsewhere}");
}

#[tokio::test(flavor = "multi_thread")]
async fn event_for_trial_that_is_not_taken_says_why_and_exits_with_1() {
    let folder = tempfile::tempdir().unwrap();
    let program = served(&folder).await;
    let receiver = HttpReceiver::start(Vendor::Splunk, TOKEN);
    let url = receiver.url();
    let create = ["create", "prod", "--type", "splunk", "--url", &url, "--token-env", "SIEM_TOKEN"];
    printed(&program, &[&create[..], &["--event", "siem.events_cut"]].concat());
    receiver.next(Mood::Answer(503, None));
    let output = siem(&program, &["test", "prod"], "");
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    let said = text(&output.stdout);
    assert!(said.starts_with("the receiver did not take it (503): "), "{said}");
}

#[tokio::test(flavor = "multi_thread")]
async fn token_is_taken_from_no_argument_and_what_is_wrong_is_said() {
    let folder = tempfile::tempdir().unwrap();
    let program = served(&folder).await;
    let create = ["create", "prod", "--type", "splunk", "--url", "http://127.0.0.1:9"];
    let with = |more: &[&'static str]| [&create[..], more].concat();
    for argument in ["--token", "--auth-token"] {
        let said = refusal(&program, &with(&[argument, TOKEN]));
        assert!(said.contains("--token-file or --token-env") && !said.contains(TOKEN), "{said}");
    }
    for (more, said) in [
        (&["--token-file", "-"][..], "the token is empty"),
        (&["--token-env", "SIEM_TOKEN_2"], "SIEM_TOKEN_2 is not set"),
        (&["--token-file", "/nowhere"], "/nowhere cannot be read"),
        (&["--batch-size", "0"], "--batch-size is 0; use 1 to 1000"),
        (&["--flush", "2h"], "1h the most"),
        (&["--flush", "0s"], "1s is the least"),
        (&["--event", "decisions"], "--event is not known: there is no event type"),
        (&["--format", "cef"], "cef"),
    ] {
        let told = refusal(&program, &with(more));
        assert!(told.contains(said), "{more:?}: {told}");
    }
    let kind = ["create", "prod", "--type", "kafka", "--url", "http://127.0.0.1:9"];
    let said = refusal(&program, &kind);
    assert!(said.contains("--type is not known; use one of splunk, datadog, elastic, "), "{said}");
    let secret = ["create", "prod", "--type", "webhook", "--url", "http://127.0.0.1:9"];
    let said = refusal(&program, &[&secret[..], &["--token-env", "SIEM_TOKEN"]].concat());
    assert!(said.contains("the token (--token-file or --token-env) is no secret"), "{said}");
    let since = refusal(&program, &["replay", "prod", "--since", "yesterday"]);
    assert!(since.contains("2026-01-02T03:04:05Z"), "{since}");
    assert_eq!(json_of(&program, &["list"]), serde_json::json!([]));
}

#[tokio::test(flavor = "multi_thread")]
async fn destination_that_lacks_its_token_is_refused_or_made_with_a_note_and_a_name_is_its_own() {
    let folder = tempfile::tempdir().unwrap();
    let program = served(&folder).await;
    let arguments = |name: &'static str, kind: &'static str, more: &[&'static str]| {
        [&["create", name, "--type", kind, "--url", "http://127.0.0.1:9"], more].concat()
    };
    let made = |name, kind, more: &[&'static str]| {
        let output = siem(&program, &arguments(name, kind, more), "");
        assert!(output.status.success(), "{output:?}");
        (text(&output.stdout).trim().to_owned(), text(&output.stderr))
    };
    let (id, noted) = made("hook", "webhook", &[]);
    assert!(noted.contains("what it is sent is unsigned"), "{noted}");
    assert!(noted.contains(&format!("agenttrust siem update {id} --token-file")), "{noted}");
    assert!(printed(&program, &["show", "hook"]).contains("unsigned"));
    for (kind, said) in [
        ("splunk", "Splunk takes nothing without one"),
        ("datadog", "Datadog takes nothing without an API key"),
    ] {
        let refused = refusal(&program, &arguments(kind, kind, &[]));
        let token = "the token (--token-file or --token-env) is missing";
        assert!(refused.contains(said) && refused.contains(token), "{refused}");
    }
    let with = ["--token-env", "SIEM_TOKEN"];
    for (name, kind, more) in [("one", "splunk", &with[..]), ("open", "elastic", &[])] {
        let (_, noted) = made(name, kind, more);
        assert!(noted.lines().count() == 1 && noted.contains("agenttrust siem test"), "{noted}");
    }
    let refused = refusal(&program, &arguments("one", "splunk", &with));
    assert!(refused.contains("\"one\", which SIEM destination dst_"), "{refused}");
    let refused = refusal(&program, &["update", "open", "--name", "one"]);
    assert!(refused.contains("give another name"), "{refused}");
}

#[test]
fn alert_rules_are_printed_as_they_ship() {
    let output = Command::new(env!("CARGO_BIN_EXE_agenttrust")).arg("alerts").output().unwrap();
    assert!(output.status.success(), "{output:?}");
    assert_eq!(text(&output.stdout), include_str!("../../alerts/agenttrust.rules.yml"));
}

/// Returns the lines of a log that warn of destinations.
fn warnings(log: &str) -> Vec<&str> {
    log.lines().filter(|line| line.contains("WARN") && line.contains("destination")).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn receiver_that_refuses_everything_is_warned_of_once() {
    let folder = tempfile::tempdir().unwrap();
    let database = folder.path().join("at.db").to_str().unwrap().to_owned();
    let arguments = ["--database", &database, "--log", "warn", "--allow-outbound", "127.0.0.0/8"];
    let program = Program::serve(&arguments, &[("AGENTTRUST_ADMIN_KEY", ADMIN)]).await;
    let receiver = HttpReceiver::start(Vendor::Splunk, TOKEN);
    receiver.mood(Mood::Answer(400, None));
    let url = receiver.url();
    let create = ["create", "prod", "--type", "splunk", "--url", &url, "--token-env", "SIEM_TOKEN"];
    let id = printed(&program, &[&create[..], &["--batch-size", "1"]].concat());
    for _ in 0..14 {
        let agent = json!({ "name": "w", "capabilities": ["*"] });
        assert_eq!(program.post("/api/v1/agents", ADMIN, &agent).await.0, 201);
    }
    let aside = async || {
        let page = json_of(&program, &["set-aside", "prod"]);
        // One more than before it was seen to fail.
        (page["set_aside"].as_array().unwrap().len() > 10).then_some(())
    };
    eventually("nothing more is set aside", aside).await;
    assert!(printed(&program, &["list"]).contains("fails since"));
    let log = program.log();
    let [first, failing] = warnings(&log)[..] else { panic!("{log}") };
    assert!(first.contains("events are set aside") && first.contains(&id), "{first}");
    assert!(failing.contains("refuses every event for good") && failing.contains(&id), "{failing}");
}

#[tokio::test(flavor = "multi_thread")]
async fn stop_is_no_trouble_of_any_destination() {
    let Some(fresh) = Fresh::or_skip() else { return };
    let url = fresh.url();
    let arguments = [
        "--database",
        &url,
        "--replica",
        "one",
        "--log",
        "warn",
        "--allow-outbound",
        "127.0.0.0/8",
    ];
    let key = "0f1e".repeat(16);
    let environment = [("AGENTTRUST_ADMIN_KEY", ADMIN), ("AGENTTRUST_SECRET_KEY", key.as_str())];
    let mut program = Program::serve(&arguments, &environment).await;
    let receiver = HttpReceiver::start(Vendor::Splunk, TOKEN);
    for number in 0..10 {
        let body = json!({
            "name": format!("here {number}"), "destination_type": "splunk", "endpoint_url": receiver.url(), "auth_token": TOKEN,
            "batch_size": 1,
        });
        assert_eq!(program.post("/api/v1/siem/destinations", ADMIN, &body).await.0, 201);
    }
    let all = async || receiver.taken().len() >= 55;
    eventually("not all of them are sent to", all).await;
    let before = program.log().lines().count();
    let agent = json!({ "name": "w", "capabilities": ["*"] });
    assert_eq!(program.post("/api/v1/agents", ADMIN, &agent).await.0, 201);
    program.signal("TERM");
    assert!(program.ends().await.success());
    let log = program.log();
    assert!(log.lines().skip(before).all(|line| !line.contains("WARN")), "{log}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_sent_is_listed_page_by_page() {
    let folder = tempfile::tempdir().unwrap();
    let program = served(&folder).await;
    let receiver = HttpReceiver::start(Vendor::Splunk, TOKEN);
    let url = receiver.url();
    let create = ["create", "prod", "--type", "splunk", "--url", &url, "--token-env", "SIEM_TOKEN"];
    printed(&program, &[&create[..], &["--flush", "1s", "--batch-size", "1"]].concat());
    // Each change is a row of the audit, and with it a sending.
    for name in ["other", "prod"] {
        printed(
            &program,
            &["update", if name == "prod" { "other" } else { "prod" }, "--name", name],
        );
    }
    let sent = async || json_of(&program, &["logs", "prod"])["logs"].as_array().unwrap().len() >= 3;
    eventually("three sendings are not listed", sent).await;
    let (mut seen, mut next) = (Vec::new(), None::<String>);
    loop {
        let mut page = vec!["logs", "prod", "--limit", "1"];
        page.extend(next.iter().flat_map(|next| ["--before", next]));
        let page = json_of(&program, &page);
        assert_eq!(page["logs"].as_array().unwrap().len(), 1, "{page}");
        seen.push(page["logs"][0]["id"].as_str().unwrap().to_owned());
        next = page["next"].as_str().map(str::to_owned);
        if next.is_none() || seen.len() > 20 {
            break;
        }
    }
    let mut each_once = seen.clone();
    each_once.sort_unstable_by(|a, b| b.cmp(a));
    each_once.dedup();
    assert!(seen.len() >= 3 && seen == each_once, "{seen:?}");
}
