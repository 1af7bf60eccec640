//! What an attacker who owns the database changes under a Guardian, or behind one that was killed: it is seen, and
//! never forgotten.

use std::time::{Duration, Instant};

use agenttrust_testkit::audit::row_hash;
use agenttrust_testkit::{ADMIN, eventually};
use serde_json::{Value, json};
use sqlx::{Connection, Row};

use crate::audit::Place;
use crate::audit_added::add_rows;
use crate::program::Program;

/// Changes what a row says, in a database file, and computes its hash and all later ones again; no checkpoint of the
/// database is left from there on.
async fn rewrite(database: &str, from: i64) {
    let mut connection = sqlx::SqliteConnection::connect(database).await.unwrap();
    let rows = sqlx::query("SELECT * FROM audit WHERE seq >= ?1 - 1 ORDER BY seq");
    let rows = rows.bind(from).fetch_all(&mut connection).await.unwrap();
    let mut prev: Vec<u8> = rows[0].get("hash");
    let change = "UPDATE audit SET org_id = ?1, prev_hash = ?2, hash = ?3 WHERE seq = ?4";
    for row in &rows[1..] {
        let seq: i64 = row.get("seq");
        let org = if seq == from { "org_other".to_owned() } else { row.get("org_id") };
        let texts: [Option<String>; 6] = [
            row.get("at"),
            row.get("kind"),
            Some(org.clone()),
            row.get("agent_id"),
            row.get("actor"),
            row.get("body"),
        ];
        let hash = row_hash(seq, &prev, texts.each_ref().map(Option::as_deref));
        let changed = sqlx::query(change).bind(org).bind(prev).bind(hash.clone()).bind(seq);
        changed.execute(&mut connection).await.unwrap();
        prev = hash;
    }
    let gone = sqlx::query("DELETE FROM audit_checkpoints WHERE seq >= ?1").bind(from);
    gone.execute(&mut connection).await.unwrap();
    connection.close().await.unwrap();
}

/// Returns a Guardian that is served on a place's file, as a process of its own.
async fn serve(place: &Place) -> Program {
    let database = place.url();
    Program::serve(&["--database", &database], &[("AGENTTRUST_ADMIN_KEY", ADMIN)]).await
}

async fn agent(program: &Program, name: &str) -> String {
    let body = json!({ "name": name, "capabilities": ["*"] });
    let (status, agent) = program.post("/api/v1/agents", ADMIN, &body).await;
    assert_eq!(status, 201, "{agent}");
    agent["id"].as_str().unwrap().to_owned()
}

async fn check(program: &Program, agent: &str) -> Value {
    let body = json!({ "agent_id": agent, "action_name": "send_mail" });
    program.post("/api/v1/agenttrust/check", ADMIN, &body).await.1
}

/// Returns the row that the newest line of the file of checkpoints is of.
fn noted(place: &Place) -> u64 {
    let text = std::fs::read_to_string(place.checkpoints()).unwrap_or_default();
    let last = text.lines().last().map(|line| serde_json::from_str::<Value>(line).unwrap());
    last.and_then(|last| last["seq"].as_u64()).unwrap_or(0)
}

#[tokio::test(flavor = "multi_thread")]
async fn change_that_a_guardian_saw_is_said_after_its_end_until_an_operator_accepts_it() {
    for is_killed in [false, true] {
        let place = Place::sqlite();
        let mut program = serve(&place).await;
        let worker = agent(&program, "worker").await;
        for n in 0..5 {
            agent(&program, &format!("agent {n}")).await;
        }
        assert_eq!(check(&program, &worker).await["allowed"], true);
        place.drop_triggers().await;
        place.execute("CREATE TABLE kept AS SELECT * FROM audit").await;
        rewrite(&place.url(), 4).await;
        assert_eq!(check(&program, &worker).await["allowed"], false);
        // Whatever is in its place afterwards: what was seen was seen.
        place.execute("DELETE FROM audit; INSERT INTO audit SELECT * FROM kept").await;
        assert_eq!(check(&program, &worker).await["allowed"], false);
        program.signal(if is_killed { "KILL" } else { "TERM" });
        program.ends().await;
        let (whole, said) = place.verify();
        assert!(!whole && said.contains("a Guardian saw at"), "{said}");
        let Err(refused) = place.try_guardian("one").await else { panic!("it starts") };
        assert!(refused.contains("a Guardian saw at"), "{refused}");
        assert!(refused.contains("agenttrust audit accept"), "{refused}");
        assert!(!place.run("prune", &["--before", "2999-01-01"]).status.success());

        let done = place.run("accept", &["--reason", "the rows are back"]);
        let said = String::from_utf8(done.stdout).unwrap();
        assert!(done.status.success() && said.contains("gone on with"), "{said}");
        let again = place.run("accept", &["--reason", "again"]);
        assert!(String::from_utf8(again.stdout).unwrap().contains("nothing to accept"));
        let api = place.guardian("one").await;
        let accepted = &api.audit("audit.accepted").await[0]["body"];
        assert_eq!(
            (&accepted["reason"], &accepted["through"]),
            (&json!("the rows are back"), &json!(0))
        );
        api.guardian.close().await;
        let (whole, said) = place.verify();
        assert!(whole && said.contains("was accepted"), "{said}");
        // All rows go on being proven.
        place.execute("UPDATE audit SET body = '{}' WHERE seq = 2").await;
        assert!(!place.verify().0);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn rewritten_log_is_seen_on_either_database_and_gone_on_with_from_its_last_row() {
    for place in Place::each() {
        let api = place.guardian("one").await;
        let agent = api.agent(&["*"]).await;
        for _ in 0..5 {
            api.agent(&[]).await;
        }
        api.audit_rows().await;
        place.drop_triggers().await;
        place.execute("DELETE FROM audit WHERE log = LOG AND seq > 5").await;
        let body = json!({ "agent_id": agent, "action_name": "send_mail" });
        let denied = api.post("/api/v1/agenttrust/check", ADMIN, body).await;
        assert_eq!(denied.body["allowed"], false, "{denied:?}");
        let found = api.get("/api/v1/audit/verify", ADMIN).await.ok().body;
        assert_eq!(found["ok"], false, "{found}");
        api.guardian.close().await;
        place.execute("UPDATE audit SET body = '{}' WHERE log = LOG AND seq = 2").await;
        let Err(refused) = place.try_guardian("one").await else { panic!("it starts") };
        assert!(refused.contains("a Guardian saw at"), "{refused}");
        let done = place.run("accept", &["--reason", "nothing else is left"]);
        assert!(done.status.success(), "{done:?}");
        let api = place.guardian("one").await;
        api.agent(&[]).await;
        let found = api.get("/api/v1/audit/verify", ADMIN).await.ok().body;
        assert_eq!(found["ok"], true, "{found}");
        let of_log = found["logs"].as_array().unwrap().iter().find(|log| log["log"] == place.log());
        assert_eq!(of_log.unwrap()["accepted"], 5, "{found}");
        api.guardian.close().await;
        let (whole, said) = place.verify();
        assert!(whole && said.contains("rows up to 5 were accepted as they are"), "{said}");
        // From there on everything is proven, that row too.
        place.execute("UPDATE audit SET body = '{}' WHERE log = LOG AND seq = 5").await;
        let (whole, said) = place.verify();
        assert!(!whole && said.contains("row 5 was changed"), "{said}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn rows_are_noted_outside_of_the_database_within_a_second_and_found_changed_after_kill_9() {
    let place = Place::sqlite();
    let mut program = serve(&place).await;
    for n in 0..8 {
        agent(&program, &format!("agent {n}")).await;
    }
    let told = program.read("/api/v1/audit/logs", ADMIN).await;
    let newest = told["logs"][0]["newest"].as_u64().unwrap();
    let written = Instant::now();
    eventually("it is not noted", async || noted(&place) == newest).await;
    // A second is promised; the rest is for a busy machine.
    assert!(written.elapsed() < Duration::from_secs(5), "{:?}", written.elapsed());
    program.signal("KILL");
    program.ends().await;
    assert!(place.verify().0);
    place.drop_triggers().await;
    rewrite(&place.url(), i64::try_from(newest).unwrap()).await;
    let (whole, said) = place.verify_by(&["--checkpoint", "/dev/null"]);
    assert!(whole, "the database alone tells nothing: {said}");
    let (whole, said) = place.verify();
    assert!(
        !whole && said.contains(&format!("row {newest} is not the one that was signed")),
        "{said}"
    );
    assert!(place.try_guardian("one").await.is_err());
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_noted_while_nothing_is_written_and_the_end_is_noted_at_close() {
    let place = Place::sqlite();
    let api = place.guardian("one").await;
    let rows = api.audit_rows().await;
    eventually("it is not noted", async || noted(&place) == rows).await;
    let before = std::fs::read(place.checkpoints()).unwrap();
    // Reading writes no row, however often.
    for _ in 0..3 {
        api.get("/api/v1/audit/verify", ADMIN).await.ok();
    }
    assert_eq!(std::fs::read(place.checkpoints()).unwrap(), before);
    api.agent(&[]).await;
    api.guardian.close().await;
    assert_eq!(noted(&place), rows + 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn log_of_another_guardian_under_the_same_key_is_not_taken_for_this_ones() {
    let (place, other) = (Place::sqlite(), Place::sqlite());
    place.ten_rows().await;
    std::fs::copy(place.key(), other.key()).unwrap();
    // Of the same name, signed by the same key, and cut behind all that was noted of this one.
    let api = other.guardian("one").await;
    for _ in 0..20 {
        api.agent(&[]).await;
    }
    api.guardian.close().await;
    assert!(other.run("prune", &["--before", "2999-01-01"]).status.success());
    assert!(other.verify().0);
    for file in ["at.db", "at.db-wal", "at.db-shm"] {
        let _ = std::fs::remove_file(place.folder.path().join(file));
    }
    std::fs::copy(other.url(), place.url()).unwrap();
    let (whole, said) = place.verify();
    assert!(!whole && said.contains("is of another log"), "{said}");
    let Err(refused) = place.try_guardian("one").await else { panic!("it starts") };
    assert!(refused.contains("is another one than"), "{refused}");
    // Who put it there says so.
    let done = place.run("accept", &["--reason", "it was moved here"]);
    assert!(done.status.success(), "{done:?}");
    place.guardian("one").await.guardian.close().await;
    let (whole, said) = place.verify();
    assert!(whole, "{said}");
}

/// Returns a Guardian that saw its log changed while a folder was in the place of its file of checkpoints.
async fn seen_without_a_file(place: &Place) -> Program {
    let program = serve(place).await;
    let worker = agent(&program, "worker").await;
    let told = program.read("/api/v1/audit/logs", ADMIN).await;
    let newest = told["logs"][0]["newest"].as_u64().unwrap();
    eventually("it is not noted", async || noted(place) == newest).await;
    std::fs::remove_file(place.checkpoints()).unwrap();
    std::fs::create_dir(place.checkpoints()).unwrap();
    place.drop_triggers().await;
    rewrite(&place.url(), i64::try_from(newest).unwrap()).await;
    assert_eq!(check(&program, &worker).await["allowed"], false);
    program.logs("that cannot be marked in the file of checkpoints").await;
    let log = program.log();
    let told = log.lines().find(|line| line.contains("that cannot be marked")).unwrap();
    assert!(told.contains("ERROR") && told.contains("make the file writable"), "{told}");
    assert_eq!(health_of_checkpoints(&program).await, "degraded");
    program
}

async fn health_of_checkpoints(program: &Program) -> Value {
    let health = program.read("/health", ADMIN).await;
    health["checks"]["audit_checkpoints"].clone()
}

#[tokio::test(flavor = "multi_thread")]
async fn change_that_could_not_be_marked_is_marked_once_the_file_can_be_written() {
    let place = Place::sqlite();
    let mut program = seen_without_a_file(&place).await;
    std::fs::remove_dir(place.checkpoints()).unwrap();
    eventually("it is not marked", async || {
        let text = std::fs::read_to_string(place.checkpoints()).unwrap_or_default();
        text.contains("broken")
    })
    .await;
    program.logs("that the audit log was changed is marked outside of the database now").await;
    assert_eq!(health_of_checkpoints(&program).await, "healthy");
    assert_eq!(program.log().matches("that cannot be marked").count(), 1);
    program.signal("KILL");
    program.ends().await;
    let (whole, said) = place.verify();
    assert!(!whole && said.contains("a Guardian saw at"), "{said}");
}

#[tokio::test(flavor = "multi_thread")]
async fn change_that_could_not_be_marked_until_the_end_is_an_error_with_what_to_do() {
    let place = Place::sqlite();
    let mut program = seen_without_a_file(&place).await;
    program.signal("TERM");
    program.ends().await;
    let log = program.log();
    let told = log.lines().find(|line| line.contains("this Guardian ends and saw")).unwrap();
    assert!(told.contains("ERROR"), "{told}");
    let verify = format!("`agenttrust audit verify --database sqlite://{}`", place.url());
    assert!(told.contains(&verify), "{told}");
}

#[tokio::test(flavor = "multi_thread")]
async fn command_that_the_program_advises_has_its_options_and_no_password() {
    for place in Place::each() {
        let api = place.guardian("one").await;
        api.agent(&[]).await;
        let (key, checkpoints) = (place.key(), place.checkpoints());
        let files = [key.to_str().unwrap(), checkpoints.to_str().unwrap()];
        add_rows(&place, 1).await;
        api.get("/api/v1/audit/verify", ADMIN).await.ok();
        api.guardian.close().await;
        let mut serve = std::process::Command::new(env!("CARGO_BIN_EXE_agenttrust"));
        serve.env_clear().args(["serve", "--listen", "127.0.0.1:0", "--replica", "one"]);
        serve.args(["--audit-key", files[0], "--audit-checkpoints", files[1]]);
        // A password that the server does not ask for.
        let url = place.url().replacen("postgres@", "postgres:hunter2@", 1);
        serve.args(["--database", &url]).env("AGENTTRUST_ADMIN_KEY", ADMIN);
        let output = serve.output().unwrap();
        let said = crate::program::text(&output.stderr);
        assert!(!output.status.success() && !said.contains("hunter2"), "{said}");
        let error = said.lines().find(|line| line.starts_with("error: ")).unwrap();
        let accept = error.split('`').find(|part| part.contains("audit accept")).unwrap();
        assert!(accept.starts_with("agenttrust audit accept --reason WORDS "), "{accept}");
        let options = format!(" --audit-key {} --audit-checkpoints {}", files[0], files[1]);
        assert!(accept.contains(" --database ") && accept.ends_with(&options), "{accept}");
        // As it is pasted.
        let mut shell = std::process::Command::new("/bin/sh");
        let program = std::path::Path::new(env!("CARGO_BIN_EXE_agenttrust")).parent().unwrap();
        shell.env_clear().env("PATH", program).args(["-c", accept]);
        let accepted = shell.output().unwrap();
        assert!(accepted.status.success(), "{accept}: {accepted:?}");
    }
}
