//! The audit against a person who owns the database: every change is found and named, on SQLite and on PostgreSQL; and
//! what is let go in good order can still be proven.

use std::path::PathBuf;
use std::process::{Command, Output};

use agenttrust_guardian::Guardian;
use agenttrust_testkit::ADMIN;
use agenttrust_testkit::postgres::Fresh;
use futures_util::{StreamExt, stream};
use serde_json::{Value, json};
use sqlx::Connection;

use crate::support::Api;

const PROGRAM: &str = env!("CARGO_BIN_EXE_agenttrust");

/// A database, and the files that are kept outside of it.
pub(crate) struct Place {
    pub(crate) folder: tempfile::TempDir,
    postgres: Option<Fresh>,
}

impl Place {
    pub(crate) fn sqlite() -> Self {
        Self { folder: tempfile::tempdir().unwrap(), postgres: None }
    }

    /// Returns one of each kind that there is here.
    pub(crate) fn each() -> Vec<Self> {
        let postgres = Fresh::or_skip();
        let postgres = postgres
            .map(|fresh| Self { folder: tempfile::tempdir().unwrap(), postgres: Some(fresh) });
        std::iter::once(Self::sqlite()).chain(postgres).collect()
    }

    pub(crate) fn url(&self) -> String {
        match &self.postgres {
            Some(fresh) => fresh.url(),
            None => self.folder.path().join("at.db").to_str().unwrap().to_owned(),
        }
    }

    /// Returns the log of a Guardian that is called `one`.
    pub(crate) fn log(&self) -> &'static str {
        if self.postgres.is_some() { "one" } else { "" }
    }

    pub(crate) fn key(&self) -> PathBuf {
        self.folder.path().join("at.db.audit-key")
    }

    pub(crate) fn checkpoints(&self) -> PathBuf {
        self.folder.path().join("at.db.checkpoints")
    }

    pub(crate) async fn guardian(&self, name: &str) -> Api {
        self.try_guardian(name).await.unwrap()
    }

    pub(crate) async fn try_guardian(&self, name: &str) -> Result<Api, String> {
        self.try_with_file(name, self.checkpoints()).await
    }

    /// Starts another replica on the same PostgreSQL, with a file of checkpoints of its own.
    pub(crate) async fn replica(&self, name: &str) -> Api {
        let file = self.folder.path().join(format!("{name}.checkpoints"));
        self.try_with_file(name, file).await.unwrap()
    }

    async fn try_with_file(&self, name: &str, file: PathBuf) -> Result<Api, String> {
        let builder = Guardian::builder().database(self.url()).admin_key(ADMIN).replica(name);
        let builder = match &self.postgres {
            // Beside a database file they are found.
            None => builder,
            Some(_) => builder.audit_key(self.key()).audit_checkpoints(file),
        };
        let guardian = builder.build().await.map_err(|error| error.to_string())?;
        Ok(Api::new(guardian, Guardian::router))
    }

    /// Writes ten rows: a start, a key and eight agents, with checkpoints at the first and at the last one.
    pub(crate) async fn ten_rows(&self) {
        let api = self.guardian("one").await;
        for _ in 0..8 {
            api.agent(&[]).await;
        }
        api.guardian.close().await;
    }

    /// Runs a statement on the tables, as a person could who owns them.
    pub(crate) async fn execute(&self, sql: &str) {
        let sql = sql.replace("LOG", &format!("'{}'", self.log()));
        if self.postgres.is_some() {
            let mut connection = sqlx::PgConnection::connect(&self.url()).await.unwrap();
            sqlx::raw_sql(sqlx::AssertSqlSafe(sql)).execute(&mut connection).await.unwrap();
            connection.close().await.unwrap();
        } else {
            let mut connection = sqlx::SqliteConnection::connect(&self.url()).await.unwrap();
            sqlx::raw_sql(sqlx::AssertSqlSafe(sql)).execute(&mut connection).await.unwrap();
            connection.close().await.unwrap();
        }
    }

    pub(crate) async fn drop_triggers(&self) {
        if self.postgres.is_some() {
            for table in ["audit", "audit_checkpoints", "audit_cuts"] {
                self.execute(&format!("ALTER TABLE {table} DISABLE TRIGGER USER")).await;
            }
        } else {
            for trigger in [
                "audit_rows_never_change",
                "audit_rows_never_go",
                "audit_checkpoints_never_change",
                "audit_checkpoints_never_go",
                "audit_cuts_never_change",
                "audit_cuts_never_go",
            ] {
                self.execute(&format!("DROP TRIGGER {trigger}")).await;
            }
        }
    }

    pub(crate) fn run(&self, what: &str, more: &[&str]) -> Output {
        let mut command = Command::new(PROGRAM);
        command.env_clear().args(["audit", what, "--database", &self.url()]).args(more);
        if self.postgres.is_some() && ["verify", "prune", "key", "accept"].contains(&what) {
            command.arg("--audit-key").arg(self.key());
        }
        if self.postgres.is_some() && what == "accept" {
            command.arg("--audit-checkpoints").arg(self.checkpoints());
        }
        command.output().unwrap()
    }

    /// Returns what the program says of the log, compared with what was noted outside.
    pub(crate) fn verify(&self) -> (bool, String) {
        let noted = self.checkpoints();
        self.verify_by(&["--checkpoint", noted.to_str().unwrap()])
    }

    pub(crate) fn verify_by(&self, more: &[&str]) -> (bool, String) {
        let output = self.run("verify", more);
        let said = String::from_utf8(output.stdout).unwrap();
        assert!(!said.is_empty(), "{}", String::from_utf8_lossy(&output.stderr));
        (output.status.success(), said)
    }
}

const COLUMNS: &str = "at, kind, org_id, agent_id, actor, body, prev_hash, hash";

#[tokio::test(flavor = "multi_thread")]
async fn whatever_is_done_to_the_rows_is_found_and_named() {
    let moved = format!(
        "INSERT INTO audit (log, seq, {COLUMNS}) SELECT log, 11, {COLUMNS} FROM audit WHERE seq = 3"
    );
    let before = format!(
        "INSERT INTO audit (log, seq, {COLUMNS}) SELECT log, 0, {COLUMNS} FROM audit WHERE seq = 3"
    );
    let cases = [
        ("UPDATE audit SET body = '{}' WHERE seq = 4", "row 4: row 4 was changed"),
        ("UPDATE audit SET org_id = 'org_2' WHERE seq = 4", "row 4: row 4 was changed"),
        ("DELETE FROM audit WHERE seq = 4", "row 4: row 4 was removed"),
        ("DELETE FROM audit WHERE seq < 4", "row 1: rows 1 to 3 were removed"),
        (
            "UPDATE audit SET seq = 99 WHERE seq = 4; UPDATE audit SET seq = 4 WHERE seq = 5; \
             UPDATE audit SET seq = 5 WHERE seq = 99",
            "row 4: row 4 was changed or moved here",
        ),
        (&moved, "row 11: row 11 was changed or moved here"),
        (&before, "row 0: a row numbered 0 was added"),
        ("UPDATE audit SET log = 'another' WHERE seq = 4", "row 4: row 4 was removed"),
        // The end, and with it the checkpoints that tell of it.
        ("DELETE FROM audit WHERE seq > 5", "row 6: rows 6 to 10 were removed from the end"),
        (
            "DELETE FROM audit WHERE seq > 5; DELETE FROM audit_checkpoints WHERE seq > 5",
            "row 6: rows 6 to 10 were removed from the end, says the checkpoint signed at",
        ),
        (
            "DELETE FROM audit; DELETE FROM audit_checkpoints",
            "row 1: rows 1 to 10 were removed from the end",
        ),
        // A checkpoint that says something else.
        (
            "UPDATE audit_checkpoints SET seq = 5 WHERE seq = 10; DELETE FROM audit WHERE seq > 5",
            "row 5: the checkpoint at row 5 is forged",
        ),
        (
            "UPDATE audit_checkpoints SET signature = (SELECT signature FROM audit_checkpoints \
             WHERE seq = 1) WHERE seq = 10",
            "row 10: the checkpoint at row 10 is forged",
        ),
        // A checkpoint that is passed off as a cut.
        (
            "INSERT INTO audit_cuts SELECT * FROM audit_checkpoints WHERE seq = 1; \
             DELETE FROM audit WHERE seq = 1",
            "row 1: the cut at row 1 is forged",
        ),
    ];
    // Several at a time, because most of the time they wait.
    let cases = cases.map(|(sql, says)| (sql.to_owned(), says));
    stream::iter(cases)
        .map(|(sql, says)| tokio::spawn(async move { is_found_and_named(&sql, says).await }))
        .buffer_unordered(4)
        .for_each(async |found| found.unwrap())
        .await;
}

async fn is_found_and_named(sql: &str, says: &str) {
    for place in Place::each() {
        place.ten_rows().await;
        let (whole, said) = place.verify();
        assert!(whole && said.contains("is whole: 10 rows"), "{said}");
        assert!(said.contains("signed up to row 10"), "{said}");
        place.drop_triggers().await;
        place.execute(sql).await;
        let (whole, said) = place.verify();
        assert!(!whole && said.contains(says), "{sql}: {said}");
        if !place.log().is_empty() {
            assert!(said.contains("the audit log \"one\" is broken"), "{said}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn end_that_is_gone_with_its_checkpoints_is_found_by_those_outside_alone() {
    for place in Place::each() {
        place.ten_rows().await;
        place.drop_triggers().await;
        place
            .execute("DELETE FROM audit WHERE seq > 5; DELETE FROM audit_checkpoints WHERE seq > 5")
            .await;
        // Without anything from outside this is a log like any other, and it says so.
        let (whole, said) = place.verify_by(&["--checkpoint", "/dev/null"]);
        assert!(whole && said.contains("compared with no checkpoint from outside"), "{said}");
        // One line that somebody kept will do.
        let noted = std::fs::read_to_string(place.checkpoints()).unwrap();
        let line = noted.lines().last().unwrap();
        let (whole, said) = place.verify_by(&["--checkpoint", line]);
        assert!(!whole && said.contains("rows 6 to 10 were removed from the end"), "{said}");
        let forged = line.replace("\"seq\":10", "\"seq\":12");
        let (whole, said) = place.verify_by(&["--checkpoint", &forged]);
        assert!(!whole && said.contains("the checkpoint at row 12 is forged"), "{said}");
        // Nor does a Guardian go on with it.
        let Err(refused) = place.try_guardian("one").await else { panic!("it starts") };
        assert!(refused.contains("had come to row 10"), "{refused}");
        std::fs::remove_file(place.checkpoints()).unwrap();
        place.guardian("one").await.guardian.close().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn running_guardian_remembers_what_it_wrote() {
    for place in Place::each() {
        let api = place.guardian("one").await;
        let agent = api.agent(&["*"]).await;
        for _ in 0..4 {
            api.agent(&[]).await;
        }
        let rows = api.audit_rows().await;
        place.drop_triggers().await;
        place
            .execute("DELETE FROM audit WHERE seq > 3; DELETE FROM audit_checkpoints WHERE seq > 3")
            .await;
        let found = api.get("/api/v1/audit/verify", ADMIN).await.ok().body;
        assert_eq!(found["ok"], false, "{found}");
        assert_eq!(
            (&found["fault"]["seq"], &found["fault"]["log"]),
            (&json!(4), &json!(place.log()))
        );
        let what = found["fault"]["what"].as_str().unwrap();
        assert!(what.contains(&format!("rows 4 to {rows} were removed from the end")), "{what}");
        // And writes no more, so that nothing is decided.
        let body = json!({ "agent_id": agent, "action_name": "send_mail" });
        let denied = api.post("/api/v1/agenttrust/check", ADMIN, body).await;
        assert_eq!(denied.body["allowed"], false, "{denied:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn lost_key_is_refused_at_the_start_until_the_file_is_back_or_the_new_key_is_accepted() {
    for place in Place::each() {
        place.ten_rows().await;
        let key = String::from_utf8(place.run("key", &[]).stdout).unwrap().trim().to_owned();
        assert_eq!(key.len(), 64, "{key}");
        let elsewhere = place.folder.path().join("elsewhere");
        std::fs::rename(place.key(), &elsewhere).unwrap();
        for _ in 0..2 {
            let Err(refused) = place.try_guardian("one").await else { panic!("it starts") };
            assert!(refused.contains("is signed up to row 10 by the audit key"), "{refused}");
            assert!(refused.contains(&key) && refused.contains("audit accept"), "{refused}");
        }
        let new_file = place.folder.path().join("new");
        std::fs::rename(place.key(), &new_file).unwrap();
        std::fs::copy(&elsewhere, place.key()).unwrap();
        place.guardian("one").await.guardian.close().await;
        std::fs::rename(&new_file, place.key()).unwrap();
        // Whoever knows the former public key proves the log once more before it is gone on with.
        let (whole, said) = place.verify();
        assert!(!whole && said.contains("the audit key was replaced"), "{said}");
        let noted = place.checkpoints();
        let by_former = ["--key", key.as_str(), "--checkpoint", noted.to_str().unwrap()];
        let (whole, said) = place.verify_by(&by_former);
        assert!(whole && said.contains(&key), "{said}");
        assert!(place.run("accept", &["--reason", "its disk broke"]).status.success());
        let api = place.guardian("one").await;
        let answer = api.get("/api/v1/audit/checkpoints", ADMIN).await.ok().body;
        let new = answer["key"].as_str().unwrap().to_owned();
        assert_ne!(new, key);
        assert_eq!(answer["checkpoints"][0]["key"], new);
        assert_eq!(api.audit("guardian.started").await[2]["body"]["audit_key"], new);
        assert_eq!(api.get("/api/v1/audit/verify", ADMIN).await.ok().body["ok"], true);
        api.guardian.close().await;
        let (whole, said) = place.verify();
        assert!(whole && said.contains(&new) && said.contains("accepted as they are"), "{said}");
        place.guardian("one").await.guardian.close().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn lost_key_is_refused_by_what_the_database_says_where_the_file_is_lost_too() {
    for place in Place::each() {
        place.ten_rows().await;
        std::fs::remove_file(place.key()).unwrap();
        std::fs::remove_file(place.checkpoints()).unwrap();
        let Err(refused) = place.try_guardian("one").await else { panic!("it starts") };
        assert!(refused.contains("is signed up to row 10 by the audit key"), "{refused}");
        let mut accept = vec!["--reason", "its disk broke"];
        if place.postgres.is_some() {
            assert!(refused.contains("audit accept --reason WORDS --log one"), "{refused}");
            accept.extend(["--log", "one"]);
        }
        let done = place.run("accept", &accept);
        assert!(done.status.success(), "{done:?}");
        place.guardian("one").await.guardian.close().await;
        assert!(place.verify().0, "{}", place.verify().1);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn each_replica_has_a_log_of_its_own_and_every_one_is_read_and_verified() {
    let Some(fresh) = Fresh::or_skip() else { return };
    let place = Place { folder: tempfile::tempdir().unwrap(), postgres: Some(fresh) };
    let (one, two) = (place.guardian("one").await, place.guardian("two").await);
    one.agent(&[]).await;
    two.agent(&[]).await;
    two.agent(&[]).await;
    let logs = one.get("/api/v1/audit/logs", ADMIN).await.ok().body;
    let brief: Vec<_> =
        logs["logs"].as_array().unwrap().iter().map(|log| (&log["log"], &log["own"])).collect();
    assert_eq!(brief, [(&json!("one"), &json!(true)), (&json!("two"), &json!(false))]);
    // A cursor is of one log.
    let mut seen = Vec::new();
    let mut after = 0;
    loop {
        let path = format!("/api/v1/audit?log=two&limit=1&after={after}");
        let page = one.get(&path, ADMIN).await.ok().body;
        seen.extend(page["entries"].as_array().unwrap().clone());
        let Some(next) = page["next_after"].as_u64() else { break };
        after = next;
    }
    assert_eq!(
        seen,
        two.get("/api/v1/audit", ADMIN).await.ok().body["entries"].as_array().unwrap().clone()
    );
    assert!(seen.len() >= 3 && seen.iter().all(|entry| entry["log"] == "two"), "{seen:?}");
    let export = one.get("/api/v1/audit/export", ADMIN).await.ok().body;
    let of = |log: &str| {
        let lines = export.as_str().unwrap().lines();
        lines.filter(|line| serde_json::from_str::<Value>(line).unwrap()["log"] == log).count()
    };
    assert_eq!((of("two"), of("one") >= 2), (seen.len(), true));
    assert_eq!(one.audit_rows().await, export.as_str().unwrap().lines().count() as u64);

    // A whole log under another name, and one row under another's.
    place.drop_triggers().await;
    place.execute("UPDATE audit SET log = 'zwei' WHERE log = 'two'").await;
    let found = one.get("/api/v1/audit/verify", ADMIN).await.ok().body;
    assert_eq!(found["ok"], false);
    let fault = |log: &str| {
        let logs = found["logs"].as_array().unwrap();
        logs.iter().find(|found| found["log"] == log).unwrap()["fault"].clone()
    };
    assert_eq!(fault("one"), Value::Null);
    assert_eq!(fault("two")["seq"], 1, "{found}");
    let what = fault("zwei")["what"].as_str().unwrap().to_owned();
    assert!(what.contains("row 1 does not continue") && what.contains("another log"), "{what}");
}

#[tokio::test(flavor = "multi_thread")]
async fn old_rows_are_let_go_after_they_are_exported_and_the_rest_is_proven() {
    for place in Place::each() {
        place.ten_rows().await;
        let file = place.folder.path().join("old.jsonl");
        let file = file.to_str().unwrap();
        let nothing = place.run("prune", &["--keep", "1d"]);
        assert_eq!(nothing.stdout, b"no row is that old\n", "{nothing:?}");
        let done = place.run("prune", &["--before", "2999-01-01", "--export", file]);
        let said = String::from_utf8(done.stdout).unwrap();
        assert!(said.contains("begins after row 9 now: 9 rows were let go"), "{said}");
        let exported = std::fs::read_to_string(file).unwrap();
        let last: Value = serde_json::from_str(exported.lines().last().unwrap()).unwrap();
        assert_eq!((exported.lines().count(), &last["seq"]), (9, &json!(9)));
        let (whole, said) = place.verify();
        assert!(whole && said.contains("it begins after row 9"), "{said}");
        let refused = place.run("prune", &["--before", "2999-01-01", "--export", file]);
        assert!(!refused.status.success(), "a file is never written over");

        // The Guardian goes on, and tells of the cut.
        let api = place.guardian("one").await;
        let cut = api.get("/api/v1/audit/checkpoints", ADMIN).await.ok().body["cut"].clone();
        assert_eq!((&cut["seq"], &cut["says"]), (&json!(9), &json!("cut")));
        assert_eq!(cut["hash"], last["hash"]);
        let first = api.get(&format!("/api/v1/audit?log={}", place.log()), ADMIN).await.ok().body;
        assert_eq!(first["entries"][0]["prev_hash"], last["hash"]);
        api.agent(&[]).await;
        api.agent(&[]).await;
        api.audit_rows().await;
        api.guardian.close().await;
        assert!(place.verify().0);

        // More than that is not let go by deleting it: neither by mistake nor on purpose.
        let sql = "DELETE FROM audit WHERE log = LOG AND seq = 10"
            .replace("LOG", &format!("'{}'", place.log()));
        assert!(refuses(&place, &sql).await);
        assert!(refuses(&place, "DELETE FROM audit_cuts").await);
        assert!(refuses(&place, "UPDATE audit_cuts SET seq = 99").await);
        assert!(refuses(&place, "DELETE FROM audit_checkpoints").await);
        place.drop_triggers().await;
        place.execute("DELETE FROM audit WHERE log = LOG AND seq = 10").await;
        let (whole, said) = place.verify();
        assert!(!whole && said.contains("row 10: row 10 was removed"), "{said}");
        // And what is broken is not tidied away.
        let refused = place.run("prune", &["--before", "2999-01-01"]);
        let said = String::from_utf8(refused.stderr).unwrap();
        assert!(!refused.status.success() && said.contains("is not whole"), "{said}");
    }
}

/// Returns whether the database itself refuses.
async fn refuses(place: &Place, sql: &str) -> bool {
    let error = if place.postgres.is_some() {
        let mut connection = sqlx::PgConnection::connect(&place.url()).await.unwrap();
        sqlx::raw_sql(sqlx::AssertSqlSafe(sql)).execute(&mut connection).await.err()
    } else {
        let mut connection = sqlx::SqliteConnection::connect(&place.url()).await.unwrap();
        sqlx::raw_sql(sqlx::AssertSqlSafe(sql)).execute(&mut connection).await.err()
    };
    error.is_some_and(|error| error.to_string().contains("append-only"))
}

#[tokio::test(flavor = "multi_thread")]
async fn cut_by_a_foreign_key_neither_removes_rows_nor_is_believed() {
    for (place, other) in Place::each().into_iter().zip(Place::each()) {
        place.ten_rows().await;
        other.ten_rows().await;
        // With the wrong key in hand, nothing is let go.
        let real = std::fs::read(place.key()).unwrap();
        std::fs::copy(other.key(), place.key()).unwrap();
        let refused = place.run("prune", &["--before", "2999-01-01"]);
        let said = String::from_utf8(refused.stderr).unwrap();
        assert!(!refused.status.success() && said.contains("another key"), "{said}");
        std::fs::write(place.key(), real).unwrap();
        assert!(place.verify().0);
        // A cut that is as good as any, by somebody else.
        assert!(other.run("prune", &["--before", "2999-01-01"]).status.success());
        let api = other.guardian("one").await;
        let cut = api.get("/api/v1/audit/checkpoints", ADMIN).await.ok().body["cut"].clone();
        let text = |name: &str| cut[name].as_str().unwrap().to_owned();
        let values =
            ["hash", "at", "key", "signature", "log_id"].map(|name| format!("'{}'", text(name)));
        let values = values.join(", ");
        place.execute(&format!("INSERT INTO audit_cuts VALUES (LOG, 9, {values})")).await;
        place.run("prune", &["--keep", "1d"]);
        let rows = String::from_utf8(place.run("export", &[]).stdout).unwrap();
        assert_eq!(rows.lines().count(), 10, "{rows}");
        let (whole, said) = place.verify();
        assert!(!whole && said.contains("the cut at row 9 is signed by another key"), "{said}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn tail_prints_the_newest_rows_of_a_guardian_that_runs_and_goes_on() {
    use std::io::{BufRead, BufReader};

    for place in Place::each() {
        let api = place.guardian("one").await;
        api.agent(&[]).await;
        let printed = String::from_utf8(place.run("tail", &["-n", "2"]).stdout).unwrap();
        let lines: Vec<_> = printed.lines().collect();
        assert_eq!(lines.len(), 2, "{printed}");
        assert!(lines[0].contains(" 2 key.created org=org_default"), "{printed}");
        assert!(lines[1].contains(" 3 agent.created org=org_default agent=agt_"), "{printed}");

        let mut following = Command::new(PROGRAM)
            .env_clear()
            .args(["audit", "tail", "-n", "1", "--follow", "--json", "--database", &place.url()])
            .stdout(std::process::Stdio::piped())
            .spawn()
            .unwrap();
        let mut out = BufReader::new(following.stdout.take().unwrap()).lines();
        let mut next = || serde_json::from_str::<Value>(&out.next().unwrap().unwrap()).unwrap();
        assert_eq!(next()["seq"], 3);
        api.agent(&[]).await;
        api.agent(&[]).await;
        assert_eq!((next()["seq"].clone(), next()["seq"].clone()), (json!(4), json!(5)));
        following.kill().unwrap();
        following.wait().unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn names_in_a_printed_row_stay_on_their_line() {
    let place = Place::sqlite();
    let api = place.guardian("one").await;
    let name = "a\u{202e}b \"x\" é \\ c";
    api.post("/api/v1/agents", ADMIN, json!({ "name": name, "capabilities": [] })).await.ok();
    let printed = String::from_utf8(place.run("tail", &["-n", "1"]).stdout).unwrap();
    assert_eq!(printed.lines().count(), 1, "{printed}");
    assert!(!printed.contains('\u{202e}'), "{printed:?}");
    let (_, body) = printed.split_once('{').unwrap();
    let body: Value = serde_json::from_str(&format!("{{{body}")).unwrap();
    assert_eq!(body["name"], name, "what is printed is JSON: {printed}");
}
