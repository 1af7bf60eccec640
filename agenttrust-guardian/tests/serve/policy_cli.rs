//! `agenttrust policy`: check, test, replay and fmt.

use std::path::Path;
use std::process::Command;

use agenttrust::model::{ToolDeclaration, ToolManifest};
use agenttrust_testkit::ADMIN;
use serde_json::json;
use sqlx::Connection;
use tempfile::TempDir;

use crate::support::open_with;

const ALL: &str = r#"@id("all") permit (principal, action, resource);"#;

/// Returns a folder with these files.
fn folder(files: &[(&str, &str)]) -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    for (name, text) in files {
        std::fs::write(folder.path().join(name), text).unwrap();
    }
    folder
}

/// Returns what `agenttrust policy` answers: exit code, standard output, standard error.
fn policy(command: &str, places: &[&Path], more: &[&str]) -> (i32, String, String) {
    let output = Command::new(env!("CARGO_BIN_EXE_agenttrust"))
        .args(["policy", command])
        .args(places)
        .args(more)
        .env_remove("AGENTTRUST_DATABASE")
        .output()
        .unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    (output.status.code().unwrap(), text(output.stdout), text(output.stderr))
}

#[test]
fn check_says_whether_a_folder_is_valid_and_where_it_is_not() {
    let good =
        folder(&[("a.cedar", ALL), ("b.cedar", "@shadow forbid (principal, action, resource);")]);
    let (code, out, _) = policy("check", &[good.path()], &[]);
    assert_eq!(code, 0);
    // What is built in was written by nobody.
    assert!(out.contains(": 2 policies are valid, 1 of them shadow; sha256 "), "{out}");

    let bad = folder(&[("a.cedar", ALL), ("b.cedar", "\n  permit (principal, action, resorce);")]);
    let (code, out, error) = policy("check", &[bad.path()], &[]);
    assert_eq!((code, out.as_str()), (1, ""));
    let place = format!("{}:2:30: ", bad.path().join("b.cedar").display());
    assert!(error.starts_with(&place), "{error}");
    assert_eq!(error.lines().count(), 1, "{error}");

    let (code, _, error) = policy("check", &[Path::new("/nowhere")], &[]);
    assert_eq!(code, 1);
    assert!(error.contains("the policy folder cannot be read"), "{error}");
}

const README: &str = include_str!("../../../README.md");

/// Returns the block of a document in this language that holds `words`.
fn block_of<'a>(document: &'a str, language: &str, words: &str) -> &'a str {
    let blocks = document.split("```").skip(1).step_by(2);
    let mut texts = blocks.filter_map(|block| block.strip_prefix(language));
    texts.find(|text| text.contains(words)).unwrap()
}

#[test]
fn golden_case_of_the_readme_comes_out_as_it_says() {
    let policies = folder(&[("refunds.cedar", block_of(README, "cedar", "refunds"))]);
    let case = block_of(README, "toml", "[[case]]");
    let cases = folder(&[("cases.toml", case), ("other.toml", &case.replace("hold", "allow"))]);
    let (code, out, error) =
        policy("test", &[policies.path(), &cases.path().join("cases.toml")], &[]);
    assert_eq!((code, error.as_str()), (0, ""), "{out}");
    assert!(out.ends_with("1 cases, 0 of them came out otherwise than expected\n"), "{out}");
    let (code, out, _) = policy("test", &[policies.path(), &cases.path().join("other.toml")], &[]);
    assert_eq!(code, 1, "{out}");
}

#[test]
fn policy_of_the_document_about_agents_holds_what_they_ask_of_each_other_and_nothing_else() {
    let default = include_str!("../../policies/default.cedar");
    let agents = block_of(include_str!("../../../docs/AGENTS.md"), "cedar", "agents-ask");
    let policies = folder(&[("default.cedar", default), ("agents.cedar", agents)]);
    let case = |tool: &str, decision: &str| {
        format!(
            "[[case]]\nname = \"{tool}\"\ntool = \"{tool}\"\neffect = \"mutating\"\n[case.expect]\n\
             decision = \"{decision}\"\n"
        )
    };
    let cases = case("a2a/agt_1", "hold") + &case("a2a", "allow") + &case("send_mail", "allow");
    let cases = folder(&[("cases.toml", &cases)]);
    let (code, out, error) =
        policy("test", &[policies.path(), &cases.path().join("cases.toml")], &[]);
    assert_eq!((code, error.as_str()), (0, ""), "{out}");
    assert!(out.ends_with("3 cases, 0 of them came out otherwise than expected\n"), "{out}");
}

#[test]
fn the_default_set_keeps_the_promises_of_its_golden_cases() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let default = folder(&[("default.cedar", include_str!("../../policies/default.cedar"))]);
    let (code, out, error) = policy("test", &[default.path(), &root.join("policies/cases")], &[]);
    assert_eq!(code, 0, "{out}{error}");
    assert!(out.ends_with("8 cases, 0 of them came out otherwise than expected\n"), "{out}");
    // They are about the default set: another one fails them.
    let other = folder(&[("a.cedar", ALL)]);
    let (code, out, _) = policy("test", &[other.path(), &root.join("policies/cases")], &[]);
    assert_eq!(code, 1, "{out}");
}

#[test]
fn test_prints_what_was_expected_and_what_it_is() {
    let policies = folder(&[(
        "a.cedar",
        r#"@id("two") @reason("four eyes") @elevate @quorum("2")
           permit (principal in Group::"ops", action, resource == Tool::"db_delete")
           when { context has session && context.session.issued && context.now > 5 };"#,
    )]);
    let facts = r#"{ "name": "NAME", "tool": "db_delete", "groups": ["ops"], "session": "ats_1",
        "session_source": "api", "now": 6, "expect": EXPECT }"#;
    let case = |name: &str, expect: &str| facts.replace("NAME", name).replace("EXPECT", expect);
    let good = case(
        "good",
        r#"{ "decision": "hold", "policies": ["two"], "reason": "four", "quorum": 2 }"#,
    );
    let bad =
        case("bad", r#"{ "decision": "allow", "policies": [], "reason": "five", "quorum": 1 }"#);
    let cases = folder(&[("cases.json", &format!(r#"{{ "case": [{good}, {bad}] }}"#))]);
    let file = cases.path().join("cases.json");
    let (code, out, error) = policy("test", &[policies.path(), &file], &[]);
    assert_eq!(code, 1, "{error}");
    let expected = format!(
        "{}: \"bad\" came out otherwise\n  \
           decision: expected allow, and it is hold: held by policy `two`: four eyes\n  \
           policies: expected [], and it is [\"two\"]\n  \
           reason: expected a text with \"five\", and it is \"held by policy `two`: four eyes\"\n  \
           quorum: expected 1, and it is 2\n\
         2 cases, 1 of them came out otherwise than expected\n",
        file.display()
    );
    assert_eq!(out, expected);
}

#[test]
fn decision_of_a_case_is_said_as_policies_or_as_answers_say_it() {
    let policies = folder(&[(
        "a.cedar",
        r#"@elevate permit (principal, action, resource == Tool::"hold");
           permit (principal, action, resource == Tool::"allow");"#,
    )]);
    for (tool, answered) in [("hold", "held"), ("allow", "allowed"), ("deny", "denied")] {
        for decision in [tool, answered] {
            let case = json!({ "name": "x", "tool": tool, "expect": { "decision": decision } });
            let cases = folder(&[("a.json", &json!({ "case": [case] }).to_string())]);
            let (code, out, error) = policy("test", &[policies.path(), cases.path()], &[]);
            assert_eq!(code, 0, "{decision}: {out}{error}");
        }
    }
    let cases = folder(&[(
        "a.toml",
        "[[case]]\nname = \"x\"\ntool = \"y\"\n[case.expect]\ndecision = \"wait\"\n",
    )]);
    let (code, _, error) = policy("test", &[policies.path(), cases.path()], &[]);
    assert!(
        code == 1 && error.contains("unknown variant `wait`") && error.contains("`hold`"),
        "{error}"
    );
}

#[test]
fn test_refuses_cases_that_it_cannot_read() {
    let policies = folder(&[("a.cedar", ALL)]);
    for (name, text, said) in [
        ("a.toml", "[[case]]\nname = \"x\"\ntol = \"y\"\n", "unknown field `tol`"),
        ("a.toml", "[[case]\n", "a.toml"),
        ("a.json", "{", "a.json"),
        ("a.json", r#"{ "case": [] }"#, "holds no case"),
    ] {
        let cases = folder(&[(name, text)]);
        let (code, _, error) = policy("test", &[policies.path(), cases.path()], &[]);
        assert_eq!(code, 1);
        assert!(error.contains(said), "{error}");
    }
    let empty = tempfile::tempdir().unwrap();
    let (code, _, error) = policy("test", &[policies.path(), empty.path()], &[]);
    assert_eq!(code, 1);
    assert!(error.contains("holds no case"), "{error}");
}

#[test]
fn fmt_writes_the_usual_form_and_check_only_looks() {
    let odd = "// kept\npermit(principal,action,resource)when{context.approved};";
    let policies = folder(&[("a.cedar", odd), ("b.cedar", odd), ("c.txt", odd)]);
    let read = |name: &str| std::fs::read_to_string(policies.path().join(name)).unwrap();
    let (code, out, _) = policy("fmt", &[policies.path()], &["--check"]);
    assert_eq!(code, 1);
    assert_eq!(out.matches("is not in the usual form").count(), 2, "{out}");
    assert_eq!(read("a.cedar"), odd);

    assert_eq!(policy("fmt", &[policies.path()], &[]).0, 0);
    let usual = "// kept\npermit (principal, action, resource)\nwhen { context.approved };\n";
    assert_eq!((read("a.cedar").as_str(), read("b.cedar").as_str()), (usual, usual));
    assert_eq!(read("c.txt"), odd);
    assert_eq!(policy("fmt", &[policies.path()], &["--check"]), (0, String::new(), String::new()));

    std::fs::write(policies.path().join("b.cedar"), "permit(principal,action);").unwrap();
    let (code, _, error) = policy("fmt", &[policies.path()], &[]);
    assert_eq!(code, 1);
    assert!(error.contains("b.cedar:1:"), "{error}");
}

#[test]
fn policy_that_nests_too_deep_is_refused_by_every_command_with_its_place() {
    let sum = "1 + ".repeat(33_000);
    let deep = format!("{ALL}\n\nforbid (principal, action, resource) when {{ {sum} 1 == 2 }};");
    let policies = folder(&[("a.cedar", &deep)]);
    let place = format!("{}:3:", policies.path().join("a.cedar").display());
    for command in ["check", "fmt", "test", "replay"] {
        let cases = (command == "test").then_some(policies.path());
        let places: Vec<&Path> = [policies.path()].into_iter().chain(cases).collect();
        let database: &[&str] = if command == "replay" { &["--database", ":memory:"] } else { &[] };
        let (code, out, error) = policy(command, &places, database);
        assert_eq!((code, out.as_str()), (1, ""), "{command}: {error}");
        assert!(error.starts_with(&place) && error.contains("nests too deep"), "{error}");
        assert!(error.contains("that begins in line 3") && error.contains("split it"), "{error}");
    }
}

#[test]
fn file_without_a_policy_is_refused_by_name() {
    for text in ["", " \n", "\u{feff}", "// nothing yet\n", "// cut at its end"] {
        let policies = folder(&[("a.cedar", ALL), ("90-forbid.cedar", text)]);
        let (code, out, error) = policy("check", &[policies.path()], &[]);
        assert_eq!((code, out.as_str()), (1, ""), "{text:?}");
        let place = policies.path().join("90-forbid.cedar").display().to_string();
        assert!(error.starts_with(&place), "{error}");
        assert!(
            error.contains("there is no policy here") && error.contains("remove the file"),
            "{error}"
        );
    }
}

#[test]
fn byte_order_mark_is_no_error_and_goes_where_a_file_is_formatted() {
    let policies = folder(&[("a.cedar", &format!("\u{feff}{ALL}"))]);
    let plain = folder(&[("a.cedar", ALL)]);
    let (code, out, error) = policy("check", &[policies.path()], &[]);
    assert_eq!((code, error.as_str()), (0, ""));
    let sha256 = |out: &str| out.trim().rsplit(' ').next().unwrap().to_owned();
    assert_eq!(sha256(&out), sha256(&policy("check", &[plain.path()], &[]).1));
    let cases = "\u{feff}[[case]]\nname = \"a\"\ntool = \"t\"\nexpect = { decision = \"allow\" }\n";
    let json = "\u{feff}{ \"case\": [{ \"name\": \"a\", \"tool\": \"t\", \"expect\": { \"decision\": \"allow\" } }] }";
    let cases = folder(&[("a.toml", cases), ("b.json", json)]);
    let (code, out, error) = policy("test", &[policies.path(), cases.path()], &[]);
    assert_eq!(code, 0, "{out}{error}");
    assert_eq!(policy("fmt", &[policies.path()], &[]).0, 0);
    let written = std::fs::read_to_string(policies.path().join("a.cedar")).unwrap();
    assert!(written.starts_with("@id"), "{written}");
    // Behind a mark a place is where an editor shows it.
    let bad = folder(&[("a.cedar", "\u{feff}permt (principal, action, resource);")]);
    let (_, _, error) = policy("check", &[bad.path()], &[]);
    assert!(error.contains("a.cedar:1:1: "), "{error}");
}

#[test]
fn check_warns_of_an_agent_that_is_no_id_and_of_a_tool_that_no_manifest_has() {
    let text = r#"@id("one") permit (principal == Agent::"shopbot", action, resource);
@id("two") permit (principal == Agent::"agt_0198c5f2a0b17c3d8e4f5a6b7c8d9e0f", action, resource == Tool::"refund");
@id("three") forbid (principal, action, resource)
when { principal in Agent::"agt_1" || [Tool::"refnd", Tool::"wipe_disk"].contains(resource) };"#;
    let policies = folder(&[("a.cedar", text)]);
    let place = |at: &str| format!("{}:{at}: warning: ", policies.path().join("a.cedar").display());
    let (code, out, error) = policy("check", &[policies.path()], &[]);
    assert_eq!(code, 0, "{error}");
    assert!(out.contains(": 3 policies are valid"), "{out}");
    let lines: Vec<&str> = error.lines().collect();
    let [named, short] = &lines[..] else { panic!("{error}") };
    assert!(
        named.starts_with(&place("1:33")) && named.contains("Agent::\"shopbot\" is no agent"),
        "{named}"
    );
    assert!(named.contains("principal.name == \"shopbot\""), "{named}");
    assert!(short.starts_with(&place("4:21")) && short.contains("Agent::\"agt_1\""), "{short}");

    let mut manifest = ToolManifest::default();
    manifest.tools.push(ToolDeclaration::new("refund"));
    let written = folder(&[("tools.json", &manifest.to_string()), ("bad.json", "{")]);
    let tools = |name: &str| written.path().join(name).display().to_string();
    let (code, _, error) = policy("check", &[policies.path()], &["--tools", &tools("tools.json")]);
    assert_eq!(code, 0, "{error}");
    let lines: Vec<&str> = error.lines().skip(2).collect();
    let [misspelt, unknown] = &lines[..] else { panic!("{error}") };
    assert!(misspelt.starts_with(&place("4:40")), "{misspelt}");
    assert!(
        misspelt.ends_with("no manifest has the tool \"refnd\"; did you mean \"refund\"?"),
        "{misspelt}"
    );
    assert!(unknown.starts_with(&place("4:55")) && unknown.contains("wipe_disk"), "{unknown}");

    let (code, _, error) = policy("check", &[policies.path()], &["--tools", &tools("bad.json")]);
    assert_eq!(code, 1);
    assert!(error.contains("bad.json") && error.contains("agenttrust::manifest()"), "{error}");
}

#[test]
fn check_refuses_more_policies_than_a_set_has_and_says_how_many_there_are() {
    let many = "permit (principal, action, resource);\n".repeat(6_000);
    let policies = folder(&[("a.cedar", &many), ("b.cedar", &many)]);
    let (code, out, error) = policy("check", &[policies.path()], &[]);
    assert_eq!((code, out.as_str()), (1, ""));
    let place = format!("{}:4001:1: ", policies.path().join("b.cedar").display());
    assert!(error.starts_with(&place), "{error}");
    assert!(error.contains("has 12000 policies, and 10000 is the most"), "{error}");
}

#[test]
fn check_warns_of_each_of_many_names_in_their_order_and_guesses_what_the_first_of_them_mean() {
    let named =
        |n: usize| format!("permit (principal, action, resource == Tool::\"refund{n}\");\n");
    let text: String = (100..220).map(named).collect();
    let policies = folder(&[("a.cedar", &text)]);
    let mut manifest = ToolManifest::default();
    manifest.tools.push(ToolDeclaration::new("refund000"));
    let written = folder(&[("tools.json", &manifest.to_string())]);
    let tools = written.path().join("tools.json").display().to_string();
    let (code, _, error) = policy("check", &[policies.path()], &["--tools", &tools]);
    assert_eq!(code, 0, "{error}");
    let place = policies.path().join("a.cedar").display().to_string();
    let is_told = |(line, told): (usize, &str)| {
        told.starts_with(&format!("{place}:{line}:40: warning: no manifest has the tool"))
    };
    assert_eq!(error.lines().count(), 120, "{error}");
    assert!((1..).zip(error.lines()).all(is_told), "{error}");
    assert_eq!(error.matches("did you mean \"refund000\"?").count(), 100, "{error}");
}

#[test]
fn check_refuses_a_policy_that_can_never_match() {
    for text in [
        "permit (principal, action, resource) when { false };",
        "forbid (principal is Tool, action, resource);",
        "forbid (principal in Tool::\"a\", action, resource);",
        "forbid (principal, action, resource) when { context has nothing };",
        "forbid (principal, action == Action::\"read\", resource) when { action == Action::\"admin\" };",
    ] {
        let policies = folder(&[("a.cedar", &format!("{ALL}\n{text}"))]);
        let (code, out, error) = policy("check", &[policies.path()], &[]);
        assert_eq!((code, out.as_str()), (1, ""), "{text}");
        assert!(error.contains("a.cedar:2:"), "{text}: {error}");
    }
}

#[test]
fn deeply_nested_cases_are_an_error_like_any_other() {
    let policies = folder(&[("a.cedar", ALL)]);
    let deep = "[".repeat(100_000);
    for (name, text) in [
        ("a.json", format!("{{ \"case\": {deep}")),
        ("b.toml", format!("case = {deep}")),
        ("c.toml", format!("[{}a]", "a.".repeat(50_000))),
        ("d.toml", format!("{}a = 1", "a.".repeat(50_000))),
    ] {
        let cases = folder(&[(name, &text)]);
        let (code, _, error) = policy("test", &[policies.path(), cases.path()], &[]);
        assert_eq!(code, 1, "{name}: {error}");
        assert!(error.contains(name), "{error}");
    }
}

#[tokio::test]
async fn replay_prints_what_a_folder_would_change_and_changes_nothing() {
    let place = tempfile::tempdir().unwrap();
    let database = place.path().join("guardian.db").display().to_string();
    let api = open_with(|builder| builder.database(&database)).await;
    let register = async |groups: &[&str], capabilities: Vec<String>| {
        let metadata = json!({ "groups": groups });
        let body = json!({ "name": "w", "capabilities": capabilities, "metadata": metadata });
        api.post("/api/v1/agents", ADMIN, body).await.ok().text("id")
    };
    let ops = register(&["ops"], vec!["*".to_owned()]).await;
    let plain = register(&[], vec!["*".to_owned()]).await;
    let weak = register(&[], vec!["files:*".to_owned()]).await;
    let key = api.key(agenttrust_guardian::Role::Agent, &[&ops]).await;
    api.check(&key, &ops, "web_search").await.allowed();
    api.check(ADMIN, &plain, "web_search").await.allowed();
    let held = api.check(&key, &ops, "db_delete").await.held();
    let operator = api.key(agenttrust_guardian::Role::Operator, &[]).await;
    api.approve(&operator, &held).await.ok();
    api.check(&key, &ops, "db_delete").await.allowed();
    api.check(ADMIN, &weak, "web_search").await.denied("no capability");
    api.guardian.close().await;
    let rows = async || {
        let api = open_with(|builder| builder.database(&database)).await;
        let rows = api.audit("decision").await.len();
        api.guardian.close().await;
        rows
    };
    assert_eq!(rows().await, 5);

    let same = folder(&[("a.cedar", include_str!("../../policies/default.cedar"))]);
    let (code, out, error) = policy("replay", &[same.path()], &["--database", &database]);
    assert_eq!(code, 0, "{error}");
    let end = "5 decisions: 0 would change, 4 would not, 1 were made before the policies were asked, 0 \
               cannot be replayed\n";
    assert_eq!(out, end);

    let stricter = folder(&[(
        "a.cedar",
        r#"@id("ops") permit (principal in Group::"ops", action, resource);
           @id("late") forbid (principal, action, resource) when { context.now < 1000 };"#,
    )]);
    let (code, out, error) = policy("replay", &[stricter.path()], &["--database", &database]);
    assert_eq!(code, 0, "{error}");
    let for_ci = ["--database", &database, "--fail-on-change"];
    let (code, failing, error) = policy("replay", &[stricter.path()], &for_ci);
    assert_eq!((code, &failing), (1, &out), "{error}");
    assert_eq!(policy("replay", &[same.path()], &for_ci).0, 0);
    let lines: Vec<&str> = out.lines().collect();
    let [search, held, approved, sum] = &lines[..] else { panic!("{out}") };
    assert!(
        search.contains(&format!("agent {plain:?}, tool \"web_search\" (read): allow by"))
            && search.contains("would be deny by []: no policy permits this read call"),
        "{search}"
    );
    for line in [held, approved] {
        assert!(line.contains("hold by [\"default-hold\"] would be allow by [\"ops\"]"), "{line}");
    }
    assert!(sum.starts_with("5 decisions: 3 would change, 1 would not, "), "{sum}");
    assert_eq!(rows().await, 5);

    let (code, _, error) =
        policy("replay", &[same.path()], &["--database", "/nowhere/guardian.db"]);
    assert_eq!(code, 1);
    assert!(error.contains("/nowhere/guardian.db"), "{error}");
}

#[tokio::test]
async fn replay_says_why_checks_cannot_be_replayed_and_how_many() {
    let place = tempfile::tempdir().unwrap();
    let database = place.path().join("guardian.db").display().to_string();
    let api = open_with(|builder| builder.database(&database)).await;
    let agent = api.agent(&["*"]).await;
    let evaluation = json!({
        "subject": { "type": "agent", "id": agent }, "action": { "name": "web_search" },
        "resource": { "type": "file", "id": "draft.md" },
    });
    for _ in 0..2 {
        api.post("/access/v1/evaluation", ADMIN, evaluation.clone()).await.ok();
    }
    api.check(ADMIN, &agent, "web_search").await.allowed();
    api.guardian.close().await;
    let mut connection = sqlx::SqliteConnection::connect(&database).await.unwrap();
    let let_go = "DROP TRIGGER audit_rows_never_go; DELETE FROM audit WHERE kind = 'facts'";
    sqlx::raw_sql(let_go).execute(&mut connection).await.unwrap();
    connection.close().await.unwrap();
    let set = folder(&[("a.cedar", ALL)]);
    let (code, out, error) = policy("replay", &[set.path()], &["--database", &database]);
    assert_eq!(code, 0, "{error}");
    let end = "3 cannot be replayed\n  \
               2 of these are evaluations of AuthZEN, whose properties are not kept\n  \
               1 of these rest on facts that the retention or `agenttrust audit prune` has let go\n";
    assert!(out.ends_with(end), "{out}");
}
