//! The program over a real socket.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, Output, Stdio};
use std::time::Duration;

use agenttrust_testkit::eventually_blocking;
use serde_json::{Value, json};

const PROGRAM: &str = env!("CARGO_BIN_EXE_agenttrust");

/// A served Guardian; killed when dropped.
struct Served {
    child: Child,
    out: BufReader<ChildStdout>,
    before: Vec<String>,
    address: SocketAddr,
}

impl Served {
    fn start(arguments: &[&str], environment: &[(&str, &str)]) -> Self {
        let mut child = program(arguments, environment)
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut out = BufReader::new(child.stdout.take().unwrap());
        let mut before = Vec::new();
        loop {
            let mut line = String::new();
            assert_ne!(
                out.read_line(&mut line).unwrap(),
                0,
                "ended before it was ready: {before:?}"
            );
            match line.trim().strip_prefix("listening on http://") {
                Some(address) => {
                    let address = address.parse().unwrap();
                    return Self { child, out, before, address };
                }
                None => before.push(line.trim().to_owned()),
            }
        }
    }

    fn ask(&self, method: &str, path: &str, key: &str, body: &Value) -> (u16, Value) {
        ask(self.address, method, path, key, body)
    }

    /// Returns the stream of revocations, after it said that it is ready.
    fn revocations(&self, key: &str) -> BufReader<TcpStream> {
        let mut stream = BufReader::new(TcpStream::connect(self.address).unwrap());
        // For the test that would hang.
        stream.get_ref().set_read_timeout(Some(Duration::from_secs(30))).unwrap();
        write!(
            stream.get_mut(),
            "GET /api/v1/revocations/stream HTTP/1.1\r\nHost: localhost\r\nX-API-Key: {key}\r\n\r\n"
        )
        .unwrap();
        let mut line = String::new();
        while line != "event: ready\n" {
            line.clear();
            assert_ne!(stream.read_line(&mut line).unwrap(), 0, "there is no stream");
        }
        stream
    }

    fn terminate(&self) {
        let done = Command::new("kill").arg(self.child.id().to_string()).status().unwrap();
        assert!(done.success());
    }

    /// Returns its exit code, and what it printed after it was ready.
    fn wait(&mut self) -> (Option<i32>, String) {
        let ended = || self.child.try_wait().unwrap();
        let status = eventually_blocking(Duration::from_secs(20), "it does not stop", ended);
        let mut after = String::new();
        self.out.read_to_string(&mut after).unwrap();
        (status.code(), after)
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn program(arguments: &[&str], environment: &[(&str, &str)]) -> Command {
    let mut command = Command::new(PROGRAM);
    command.args(arguments).env_clear().envs(environment.iter().copied());
    command
}

fn run(arguments: &[&str]) -> Output {
    program(arguments, &[]).output().unwrap()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

fn ask(address: SocketAddr, method: &str, path: &str, key: &str, body: &Value) -> (u16, Value) {
    let mut stream = TcpStream::connect(address).unwrap();
    let body = body.to_string();
    write!(
        stream,
        "{method} {path} HTTP/1.1\r\nHost: localhost\r\nX-API-Key: {key}\r\nContent-Length: {}\r\n\
         Connection: close\r\n\r\n{body}",
        body.len()
    )
    .unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    let status = head.split(' ').nth(1).unwrap().parse().unwrap();
    (status, serde_json::from_str(body).unwrap_or(Value::Null))
}

fn folder() -> (tempfile::TempDir, String) {
    let folder = tempfile::tempdir().unwrap();
    let database = folder.path().join("at.db").to_str().unwrap().to_owned();
    (folder, database)
}

fn first_key(served: &Served) -> String {
    let line =
        served.before.iter().find(|line| line.contains("sk_live_")).expect("no key was printed");
    line.split_whitespace().last().unwrap().to_owned()
}

#[test]
fn first_start_prints_an_admin_key_once() {
    let (_folder, database) = folder();
    let arguments = ["serve", "--listen", "127.0.0.1:0", "--database", &database];
    let mut served = Served::start(&arguments, &[]);
    let key = first_key(&served);
    assert_ne!(served.address.port(), 0);
    let (status, _) = served.ask("POST", "/api/v1/agents", &key, &json!({ "name": "worker" }));
    assert_eq!(status, 201);
    served.terminate();
    let (code, after) = served.wait();
    assert_eq!((code, after.as_str()), (Some(0), ""));

    let served = Served::start(&arguments, &[]);
    assert!(served.before.is_empty(), "{:?}", served.before);
    let (status, agents) = served.ask("GET", "/api/v1/agents", &key, &Value::Null);
    assert_eq!((status, agents["agents"].as_array().unwrap().len()), (200, 1));
}

#[test]
fn admin_key_of_the_environment_is_used_and_not_printed() {
    let (_folder, database) = folder();
    let arguments = ["serve", "--listen", "127.0.0.1:0", "--database", &database];
    let served = Served::start(&arguments, &[("AGENTTRUST_ADMIN_KEY", "sk_live_from_environment")]);
    assert!(served.before.is_empty(), "{:?}", served.before);
    assert_eq!(served.ask("GET", "/api/v1/keys", "sk_live_from_environment", &Value::Null).0, 200);
}

#[test]
fn termination_finishes_what_is_under_way_and_takes_no_more() {
    let (_folder, database) = folder();
    let mut served =
        Served::start(&["serve", "--listen", "127.0.0.1:0", "--database", &database], &[]);
    let key = first_key(&served);
    let address = served.address;
    let (_, agent) =
        served.ask("POST", "/api/v1/agents", &key, &json!({ "name": "w", "capabilities": ["*"] }));
    let check = json!({ "agent_id": agent["id"], "action_name": "db_delete" });
    let (_, held) = served.ask("POST", "/api/v1/agenttrust/check", &key, &check);
    let path = format!("/mcp/approvals/{}?wait=60", held["approval_id"].as_str().unwrap());
    let waiting = std::thread::spawn(move || ask(address, "GET", &path, &key, &Value::Null));
    std::thread::sleep(Duration::from_millis(300));
    served.terminate();
    let (status, approval) = waiting.join().unwrap();
    assert_eq!((status, &approval["status"]), (200, &json!("pending")), "the wait was answered");
    assert_eq!(served.wait().0, Some(0));
    assert!(TcpStream::connect(address).is_err());
}

#[test]
fn termination_ends_open_streams_and_does_not_wait_for_them() {
    let mut served = Served::start(&["serve", "--dev", "--listen", "127.0.0.1:0"], &[]);
    let stream = served.revocations("sk_test_dev");
    served.terminate();
    ends_in_order(stream);
    assert_eq!(served.wait().0, Some(0));
}

#[test]
fn stream_ends_when_the_program_revokes_its_key() {
    let (_folder, database) = folder();
    let served = Served::start(&["serve", "--listen", "127.0.0.1:0", "--database", &database], &[]);
    let admin = first_key(&served);
    let (_, key) = served.ask("POST", "/api/v1/keys", &admin, &json!({ "role": "gateway" }));
    let stream = served.revocations(key["key"].as_str().unwrap());
    let id = key["id"].as_str().unwrap();
    assert!(run(&["keys", "revoke", id, "--database", &database]).status.success());
    ends_in_order(stream);
}

/// Checks that nothing comes any more, and that the stream was ended, not cut off.
#[track_caller]
fn ends_in_order(mut stream: BufReader<TcpStream>) {
    const REST: &str = "data: {}\n\n\r\n0\r\n\r\n";
    let mut rest = [0; REST.len()];
    stream.read_exact(&mut rest).unwrap();
    assert_eq!(String::from_utf8_lossy(&rest), REST);
}

#[test]
fn development_mode_has_its_key_and_stays_on_this_machine() {
    let served = Served::start(&["serve", "--dev", "--listen", "127.0.0.1:0"], &[]);
    let create = json!({ "name": "w", "capabilities": ["*"] });
    let (_, agent) = served.ask("POST", "/api/v1/agents", "sk_test_dev", &create);
    let check = json!({ "agent_id": agent["id"], "action_name": "db_delete" });
    let (_, held) = served.ask("POST", "/api/v1/agenttrust/check", "sk_test_dev", &check);
    let path = format!("/mcp/approvals/{}/approve", held["approval_id"].as_str().unwrap());
    assert_eq!(served.ask("POST", &path, "sk_test_dev", &json!({})).0, 200);
    let (_, allowed) = served.ask("POST", "/api/v1/agenttrust/check", "sk_test_dev", &check);
    assert_eq!(allowed["allowed"], true);

    let refused = run(&["serve", "--dev", "--listen", "0.0.0.0:0"]);
    assert_eq!(refused.status.code(), Some(1));
    assert!(text(&refused.stderr).contains("loopback"), "{}", text(&refused.stderr));
    let refused = run(&["serve", "--dev", "--database", "x.db"]);
    assert_eq!(refused.status.code(), Some(2));
}

#[test]
fn development_mode_leaves_the_database_of_the_environment_alone() {
    let (_folder, database) = folder();
    let environment = [("AGENTTRUST_DATABASE", database.as_str())];
    let served = Served::start(&["serve", "--dev", "--listen", "127.0.0.1:0"], &environment);
    assert_eq!(served.ask("GET", "/api/v1/keys", "sk_test_dev", &Value::Null).0, 200);
    assert!(!Path::new(&database).exists());
    drop(served);
    let served = Served::start(&["serve", "--listen", "127.0.0.1:0"], &environment);
    first_key(&served);
    assert!(Path::new(&database).exists(), "without --dev it is used");
}

#[test]
fn admin_key_that_is_short_or_has_few_different_characters_is_refused() {
    let same = "a".repeat(64);
    for weak in [
        "aaaaaaaa",
        "sk_test_dev",
        "with spaces in it",
        &same,
        "1212121212121212",
        "abcdeabcdeabcde",
    ] {
        let refused = program(
            &["serve", "--listen", "127.0.0.1:0", "--database", "memory"],
            &[("AGENTTRUST_ADMIN_KEY", weak)],
        )
        .output()
        .unwrap();
        assert_eq!(refused.status.code(), Some(1));
        let said = text(&refused.stderr);
        assert!(said.contains("an admin key is at least 12"), "{said}");
        assert!(said.contains("`openssl rand -hex 32`"), "{said}");
        assert!(!said.contains(weak), "{said}");
    }
}

#[test]
fn keys_are_made_of_an_owner_and_listed_with_owner_and_maker() {
    let (_folder, database) = folder();
    let served = Served::start(&["serve", "--listen", "127.0.0.1:0", "--database", &database], &[]);
    let admin = first_key(&served);
    let body = json!({ "role": "operator", "owner": "bob" });
    let (status, made) = served.ask("POST", "/api/v1/keys", &admin, &body);
    assert_eq!(status, 201, "{made}");
    let create = |owner: &str| {
        run(&["keys", "create", "--role", "admin", "--owner", owner, "--database", &database])
    };
    assert!(create("alice & co").status.success());
    for owner in ["", " alice", "al\nice", &"x".repeat(10_000)] {
        let refused = create(owner);
        assert_eq!(refused.status.code(), Some(1));
        let said = text(&refused.stderr);
        assert!(said.contains("--owner ") && said.len() < 300, "{said}");
    }
    let listed = text(&run(&["keys", "list", "--database", &database]).stdout);
    let lines: Vec<&str> = listed.lines().skip(1).collect();
    assert_eq!(lines.len(), 3, "{listed}");
    let (_, keys) = served.ask("GET", "/api/v1/keys", &admin, &Value::Null);
    let first = keys["keys"][0]["id"].as_str().unwrap();
    assert!(lines[0].trim_end().ends_with("  the program"), "{listed}");
    assert!(lines[1].contains("  bob  ") && lines[1].trim_end().ends_with(first), "{listed}");
    assert!(lines[2].contains("  alice & co  "), "{listed}");
    let listed = run(&["keys", "list", "--json", "--database", &database]).stdout;
    let listed: Value = serde_json::from_slice(&listed).unwrap();
    let listed = listed.as_array().unwrap().iter();
    let owners: Vec<_> = listed.map(|key| (&key["owner"], &key["made_by"])).collect();
    let (bob, alice, maker) = (json!("bob"), json!("alice & co"), json!(first));
    let expected = [(&Value::Null, &Value::Null), (&bob, &maker), (&alice, &Value::Null)];
    assert_eq!(owners, expected);
}

#[test]
fn second_guardian_on_one_database_is_refused_and_other_commands_are_not() {
    let (folder, database) = folder();
    let arguments = ["serve", "--listen", "127.0.0.1:0", "--database", &database];
    let mut served = Served::start(&arguments, &[]);
    let link = folder.path().join("link.db");
    std::os::unix::fs::symlink(&database, &link).unwrap();
    for named in [database.as_str(), link.to_str().unwrap()] {
        let refused = run(&["serve", "--listen", "127.0.0.1:0", "--database", named]);
        assert_eq!(refused.status.code(), Some(1));
        let said = text(&refused.stderr);
        assert!(said.contains("another Guardian is using it"), "{said}");
        assert!(said.contains(&format!("{database}.lock")), "{said}");
        assert!(refused.stdout.is_empty(), "no key was made");
    }
    assert!(run(&["keys", "list", "--database", &database]).status.success());
    assert!(run(&["audit", "verify", "--database", &database]).status.success());
    served.terminate();
    assert_eq!(served.wait().0, Some(0));
    // Neither a stop nor a sudden end leaves the lock behind.
    drop(Served::start(&arguments, &[]));
    drop(Served::start(&arguments, &[]));
}

#[test]
fn broken_policies_refuse_to_start_naming_file_line_and_column() {
    let (folder, database) = folder();
    let policies = folder.path().join("policies");
    std::fs::create_dir(&policies).unwrap();
    std::fs::write(policies.join("good.cedar"), "permit (principal, action, resource);").unwrap();
    std::fs::write(policies.join("bad.cedar"), "// fine\npermit (principal, action, resorce);")
        .unwrap();
    let refused = run(&[
        "serve",
        "--listen",
        "127.0.0.1:0",
        "--database",
        &database,
        "--policies",
        policies.to_str().unwrap(),
    ]);
    assert_eq!(refused.status.code(), Some(1));
    let said = text(&refused.stderr);
    assert!(said.contains("bad.cedar:2:28"), "{said}");
    assert!(!Path::new(&database).exists(), "nothing was made");
}

#[test]
fn unusable_addresses_and_databases_are_refused_with_what_to_do() {
    for (arguments, says) in [
        (["serve", "--listen", "nonsense", "--database", "memory"], "nonsense"),
        (
            ["serve", "--listen", "127.0.0.1:0", "--database", "postgres://x@127.0.0.1:1/y"],
            "cannot be opened",
        ),
        (["audit", "verify", "--database", "/nowhere/at.db", "-q"], "unexpected argument"),
    ] {
        let refused = run(&arguments);
        assert!(!refused.status.success());
        assert!(text(&refused.stderr).contains(says), "{}", text(&refused.stderr));
    }
    let refused = run(&["audit", "verify", "--database", "/nowhere/at.db"]);
    assert!(text(&refused.stderr).contains("there is no such file"), "{}", text(&refused.stderr));
    let taken = Served::start(&["serve", "--dev", "--listen", "127.0.0.1:0"], &[]);
    let refused = run(&["serve", "--dev", "--listen", &taken.address.to_string()]);
    assert!(text(&refused.stderr).contains("cannot listen"), "{}", text(&refused.stderr));
}

#[test]
fn keys_made_and_revoked_by_the_program_reach_a_running_guardian() {
    let (_folder, database) = folder();
    let served = Served::start(&["serve", "--listen", "127.0.0.1:0", "--database", &database], &[]);
    let admin = first_key(&served);
    let create = json!({ "name": "w", "capabilities": ["*"] });
    let (_, agent) = served.ask("POST", "/api/v1/agents", &admin, &create);
    let agent = agent["id"].as_str().unwrap();
    let made =
        run(&["keys", "create", "--role", "agent", "--agent", agent, "--database", &database]);
    assert!(made.status.success(), "{}", text(&made.stderr));
    let key = text(&made.stdout).trim().to_owned();
    assert!(key.starts_with("sk_live_") && !key.contains(char::is_whitespace), "{key}");
    let check = json!({ "agent_id": agent, "action_name": "search" });
    let (status, answer) = served.ask("POST", "/api/v1/agenttrust/check", &key, &check);
    assert_eq!((status, &answer["allowed"]), (200, &json!(true)), "{answer}");

    let listed = text(&run(&["keys", "list", "--database", &database]).stdout);
    let line = listed.lines().find(|line| line.contains("  agent  ")).unwrap();
    assert!(!listed.contains(&key));
    let id = line.split(' ').next().unwrap();
    assert!(run(&["keys", "revoke", id, "--database", &database]).status.success());
    let refused = || served.ask("POST", "/api/v1/agenttrust/check", &key, &check).0 == 401;
    eventually_blocking(Duration::from_secs(3), "the revoked key still works", refused);
    assert!(!run(&["keys", "revoke", id, "--database", &database]).status.success());
    // What another process did is recorded, and the chain is whole.
    let (_, audit) = served.ask("GET", "/api/v1/audit", &admin, &Value::Null);
    let entries = audit["entries"].as_array().unwrap();
    for kind in ["key.created", "key.revoked"] {
        let of_cli = |entry: &&Value| entry["body"]["by"] == "agenttrust keys";
        assert!(entries.iter().filter(of_cli).any(|entry| entry["kind"] == kind), "{audit}");
    }
    let (_, verified) = served.ask("GET", "/api/v1/audit/verify", &admin, &Value::Null);
    assert_eq!(verified["ok"], true);
}

#[test]
fn key_that_the_program_revokes_as_compromised_takes_along_what_it_issued() {
    let (_folder, database) = folder();
    let served = Served::start(&["serve", "--listen", "127.0.0.1:0", "--database", &database], &[]);
    let admin = first_key(&served);
    let create = json!({ "name": "w", "capabilities": ["*"] });
    let (_, agent) = served.ask("POST", "/api/v1/agents", &admin, &create);
    let agent = agent["id"].as_str().unwrap();
    let place = ["--database", database.as_str()];
    let made = |more: &[&str]| run(&[&["keys", "create"], more, &place].concat());
    let gateway = made(&["--role", "gateway", "--gateway", "files"]);
    assert!(gateway.status.success(), "{}", text(&gateway.stderr));
    let listed = text(&run(&[&["keys", "list"], &place[..]].concat()).stdout);
    let gateway_row = listed.lines().find(|line| line.contains("  gateway  ")).unwrap();
    assert!(gateway_row.contains("  files  "), "{gateway_row}");
    for wrong in [
        &["--role", "auditor", "--gateway", "files"][..],
        &["--role", "gateway", "--gateway", ""],
        &["--role", "gateway", "--gateway", "a\u{1b}[31mb"],
    ] {
        let refused = made(wrong);
        assert_eq!(refused.status.code(), Some(1), "{wrong:?}");
        assert!(text(&refused.stderr).contains("--gateway"), "{}", text(&refused.stderr));
    }

    let issue = json!({ "agent_id": agent, "scopes": ["search"] });
    let active = |token: &Value| {
        let body = json!({ "token": token["token"] });
        served.ask("POST", "/api/v1/agent-tokens/introspect", &admin, &body).1["active"] == true
    };
    for (flags, stays) in [
        (&[][..], true),
        (&["--reason", "compromised", "--issued", "keep"], true),
        (&["--reason", "compromised"], false),
        (&["--issued", "revoke"], false),
    ] {
        let key = json!({ "role": "agent", "agents": [agent] });
        let (_, key) = served.ask("POST", "/api/v1/keys", &admin, &key);
        let secret = key["key"].as_str().unwrap();
        let (_, token) = served.ask("POST", "/api/v1/agent-tokens/issue", secret, &issue);
        let id = key["id"].as_str().unwrap();
        let revoked = run(&[&["keys", "revoke", id], flags, &place].concat());
        assert!(revoked.status.success(), "{}", text(&revoked.stderr));
        let said = text(&revoked.stdout);
        assert_eq!(
            said.contains("1 tokens, 0 sessions and 0 delegations"),
            !stays,
            "{flags:?}: {said}"
        );
        // A Guardian that runs on the database follows within a second.
        std::thread::sleep(Duration::from_secs(1));
        assert_eq!(active(&token), stays, "{flags:?}");
    }
    let unknown = run(&[&["keys", "revoke", "key_1", "--issued", "drop"], &place[..]].concat());
    assert_eq!(unknown.status.code(), Some(2));
}

#[test]
fn keys_are_not_made_for_nobody() {
    let (_folder, database) = folder();
    drop(Served::start(&["serve", "--listen", "127.0.0.1:0", "--database", &database], &[]));
    for (arguments, says) in [
        (vec!["--role", "agent"], "--agent"),
        (vec!["--role", "agent", "--agent", "agt_nobody"], "agt_nobody"),
        (vec!["--role", "auditor", "--agent", "agt_nobody"], "leave --agent out"),
        (vec!["--role", "king"], "unknown role"),
    ] {
        let mut all = vec!["keys", "create", "--database", &database];
        all.extend(arguments);
        let refused = run(&all);
        assert!(!refused.status.success() && refused.stdout.is_empty());
        assert!(text(&refused.stderr).contains(says), "{}", text(&refused.stderr));
    }
}

#[test]
fn audit_is_verified_and_exported_and_a_changed_row_is_named() {
    let (_folder, database) = folder();
    let mut served =
        Served::start(&["serve", "--listen", "127.0.0.1:0", "--database", &database], &[]);
    let admin = first_key(&served);
    for name in ["one", "two", "three"] {
        served.ask("POST", "/api/v1/agents", &admin, &json!({ "name": name }));
    }
    // While it runs, too.
    let whole = run(&["audit", "verify", "--database", &database]);
    assert!(whole.status.success(), "{}", text(&whole.stderr));
    served.terminate();
    served.wait();
    let exported = text(&run(&["audit", "export", "--database", &database]).stdout);
    let kinds: Vec<String> = exported
        .lines()
        .map(|line| {
            serde_json::from_str::<Value>(line).unwrap()["kind"].as_str().unwrap().to_owned()
        })
        .collect();
    assert_eq!(
        kinds,
        ["guardian.started", "key.created", "agent.created", "agent.created", "agent.created"]
    );
    tamper(&database.clone().into());
    let broken = run(&["audit", "verify", "--database", &database]);
    assert_eq!(broken.status.code(), Some(1));
    assert!(text(&broken.stdout).contains("row 4"), "{}", text(&broken.stdout));
}

#[test]
fn audit_of_what_is_no_guardians_database_is_not_called_whole_and_not_touched() {
    let (folder, _) = folder();
    let at = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    std::fs::write(at("empty.db"), "").unwrap();
    std::fs::write(
        at("notes.txt"),
        "no database at all, but long enough to be looked at".repeat(99),
    )
    .unwrap();
    execute(&at("other.db"), "CREATE TABLE notes (text TEXT)");
    execute(&at("emptied.db"), include_str!("../../migrations/sqlite/0002_audit.sql"));
    for name in ["empty.db", "notes.txt", "other.db", "emptied.db"] {
        let database = at(name);
        let before = std::fs::read(&database).unwrap();
        for what in ["verify", "export"] {
            let refused = run(&["audit", what, "--database", &database]);
            assert_eq!(refused.status.code(), Some(1), "{what} {name}");
            assert!(refused.stdout.is_empty(), "{what} {name}");
            let said = text(&refused.stderr);
            assert!(said.contains(&database), "{what} {name}: {said}");
        }
        assert_eq!(std::fs::read(&database).unwrap(), before, "{name} was changed");
    }
}

fn execute(database: &str, sql: &'static str) {
    use sqlx::Connection;

    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let options =
            sqlx::sqlite::SqliteConnectOptions::new().filename(database).create_if_missing(true);
        let mut connection = sqlx::SqliteConnection::connect_with(&options).await.unwrap();
        sqlx::raw_sql(sql).execute(&mut connection).await.unwrap();
        connection.close().await.unwrap();
    });
}

fn tamper(database: &PathBuf) {
    use sqlx::Connection;

    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let options = sqlx::sqlite::SqliteConnectOptions::new().filename(database);
        let mut connection = sqlx::SqliteConnection::connect_with(&options).await.unwrap();
        sqlx::query("DROP TRIGGER audit_rows_never_change").execute(&mut connection).await.unwrap();
        sqlx::query("UPDATE audit SET body = replace(body, 'two', 'six') WHERE seq = 4")
            .execute(&mut connection)
            .await
            .unwrap();
        connection.close().await.unwrap();
    });
}

#[test]
fn openapi_prints_the_document_that_is_served() {
    let printed = run(&["openapi"]);
    assert!(printed.status.success());
    let printed: Value = serde_json::from_slice(&printed.stdout).unwrap();
    let served = Served::start(&["serve", "--dev", "--listen", "127.0.0.1:0"], &[]);
    assert_eq!(served.ask("GET", "/openapi.json", "", &Value::Null), (200, printed.clone()));
    assert_eq!(printed["info"]["version"], env!("CARGO_PKG_VERSION"));
}
