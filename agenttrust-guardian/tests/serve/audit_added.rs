//! Rows at the end of a log: its Guardian's own, those of commands, and those that anyone else adds, however right
//! their chain is.

use agenttrust::internal::hex;
use agenttrust_testkit::ADMIN;
use agenttrust_testkit::audit::row_hash;
use serde_json::{Value, json};

use crate::audit::Place;
use crate::program::Program;
use crate::support::Api;

/// Adds rows to the end of a Guardian's log as a person could who can write the database: each with its right hash.
pub(crate) async fn add_rows(place: &Place, rows: usize) {
    for _ in 0..rows {
        let out = place.run("tail", &["-n", "1", "--json", "--log", place.log()]).stdout;
        let last: Value = serde_json::from_slice(&out).unwrap();
        let seq = last["seq"].as_i64().unwrap() + 1;
        let prev = last["hash"].as_str().unwrap();
        let at = last["at"].as_str().unwrap();
        let texts = [Some(at), Some("decision"), Some("org_default"), None, None, Some("{}")];
        let hash = row_hash(seq, &hex::decode::<32>(prev).unwrap(), texts);
        let bytes = |digits: &str| match place.log().is_empty() {
            true => format!("X'{digits}'"),
            false => format!("'\\x{digits}'::bytea"),
        };
        place
            .execute(&format!(
                "INSERT INTO audit (log, seq, at, kind, org_id, body, prev_hash, hash) VALUES \
                 (LOG, {seq}, '{at}', 'decision', 'org_default', '{{}}', {}, {})",
                bytes(prev),
                bytes(&hex::encode(&hash))
            ))
            .await;
    }
}

pub(crate) async fn is_allowed(api: &Api, agent: &str) -> bool {
    let body = json!({ "agent_id": agent, "action_name": "send_mail" });
    api.post("/api/v1/agenttrust/check", ADMIN, body).await.body["allowed"] == true
}

async fn is_whole(api: &Api) -> bool {
    api.get("/api/v1/audit/verify", ADMIN).await.ok().body["ok"] == true
}

#[tokio::test(flavor = "multi_thread")]
async fn rows_that_are_added_to_a_running_guardians_log_are_denied_on_and_not_signed() {
    for (place, verifies) in
        Place::each().into_iter().map(|place| (place, false)).chain([(Place::sqlite(), true)])
    {
        let api = place.guardian("one").await;
        let agent = api.agent(&["*"]).await;
        assert!(is_allowed(&api, &agent).await);
        api.audit_rows().await;
        add_rows(&place, 2).await;
        // By the next row, or by who looks while there is none.
        assert!(if verifies { !is_whole(&api).await } else { !is_allowed(&api, &agent).await });
        assert!(!is_allowed(&api, &agent).await);
        assert!(!is_whole(&api).await);
        api.guardian.close().await;
        let (whole, said) = place.verify();
        assert!(!whole && said.contains("a Guardian saw at"), "{said}");
        let Err(refused) = place.try_guardian("one").await else { panic!("it starts") };
        assert!(refused.contains("agenttrust audit accept"), "{refused}");
        assert!(place.run("accept", &["--reason", "looked at them"]).status.success());
        let api = place.guardian("one").await;
        assert!(is_allowed(&api, &agent).await && is_whole(&api).await);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn rows_that_are_added_once_a_guardian_closed_are_refused_at_the_start() {
    for place in Place::each() {
        place.ten_rows().await;
        place.guardian("one").await.guardian.close().await;
        assert!(place.verify().0);
        add_rows(&place, 3).await;
        let (whole, said) = place.verify();
        assert!(!whole && said.contains("rows 12 to 14 were added from outside"), "{said}");
        for says in ["rows 12 to 14", "a Guardian saw at"] {
            let Err(refused) = place.try_guardian("one").await else { panic!("it starts") };
            assert!(refused.contains(says), "{refused}");
            assert!(refused.contains("agenttrust audit accept"), "{refused}");
        }
        let done = place.run("accept", &["--reason", "a test of ours"]);
        let said = String::from_utf8(done.stdout).unwrap();
        assert!(done.status.success() && said.contains("rows 12 to 14 were added"), "{said}");
        let api = place.guardian("one").await;
        assert!(is_whole(&api).await);
        api.guardian.close().await;
        let (whole, said) = place.verify();
        assert!(whole, "{said}");
        // What commands write on PostgreSQL has no checkpoint.
        let of_commands = said.contains("commands write this log and sign each row by itself");
        assert_eq!(of_commands, !place.log().is_empty(), "{said}");
        place.guardian("one").await.guardian.close().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn start_that_was_refused_over_added_rows_is_not_had_by_taking_them_away_again() {
    for place in Place::each() {
        place.ten_rows().await;
        add_rows(&place, 2).await;
        let Err(refused) = place.try_guardian("one").await else { panic!("it starts") };
        assert!(refused.contains("rows 11 to 12"), "{refused}");
        place.drop_triggers().await;
        place.execute("DELETE FROM audit WHERE log = LOG AND seq > 10").await;
        let Err(refused) = place.try_guardian("one").await else { panic!("it starts") };
        assert!(refused.contains("not what it had written up to row 10"), "{refused}");
        let (whole, said) = place.verify();
        assert!(!whole && said.contains("a Guardian saw at"), "{said}");
        assert!(place.run("accept", &["--reason", "they are gone"]).status.success());
        place.guardian("one").await.guardian.close().await;
        assert!(place.verify().0, "{}", place.verify().1);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn log_that_was_accepted_has_to_have_its_rows_at_the_next_start() {
    for place in Place::each() {
        place.ten_rows().await;
        add_rows(&place, 2).await;
        assert!(place.try_guardian("one").await.is_err());
        place.drop_triggers().await;
        place.execute("DELETE FROM audit WHERE log = LOG AND seq > 10").await;
        assert!(place.run("accept", &["--reason", "they are gone"]).status.success());
        place.execute("DELETE FROM audit WHERE log = LOG AND seq > 2").await;
        place.execute("DELETE FROM audit_checkpoints WHERE log = LOG").await;
        add_rows(&place, 9).await;
        let Err(refused) = place.try_guardian("one").await else { panic!("it starts") };
        assert!(refused.contains("agenttrust audit accept"), "{refused}");
        assert!(!place.verify().0);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn change_behind_a_checkpoint_that_another_key_signed_is_denied_on() {
    let (place, other) = (Place::sqlite(), Place::sqlite());
    place.ten_rows().await;
    other.ten_rows().await;
    let api = place.guardian("one").await;
    let agent = api.agent(&["*"]).await;
    assert!(is_allowed(&api, &agent).await && is_whole(&api).await);
    place.drop_triggers().await;
    let another = other.url();
    place
        .execute(&format!(
            "ATTACH '{another}' AS another; DELETE FROM audit_checkpoints WHERE seq < 10; \
             INSERT INTO audit_checkpoints SELECT * FROM another.audit_checkpoints WHERE seq < 10"
        ))
        .await;
    // By itself it may be of the key that this Guardian had before.
    assert!(!is_whole(&api).await && is_allowed(&api, &agent).await);
    place.execute("UPDATE audit SET body = '{}' WHERE seq = 9").await;
    assert!(!is_whole(&api).await && !is_allowed(&api, &agent).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn rows_behind_the_last_mark_of_a_killed_guardian_are_gone_on_with() {
    let place = Place::sqlite();
    place.ten_rows().await;
    let environment = [("AGENTTRUST_ADMIN_KEY", ADMIN)];
    let database = place.url();
    let mut program = Program::serve(&["--database", &database], &environment).await;
    program.signal("KILL");
    program.ends().await;
    add_rows(&place, 2).await;
    let program = Program::serve(&["--database", &database], &environment).await;
    program.logs("are behind the last one that was signed").await;
    let found = program.read("/api/v1/audit/verify", ADMIN).await;
    assert_eq!(found["ok"], true, "{found}");
}

/// Makes a key in the database by the program; returns what it printed as an error where it refuses.
fn make_key(place: &Place, more: &[&str]) -> Result<(), String> {
    let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_agenttrust"));
    command.env_clear().args(["keys", "create", "--role", "auditor", "--database", &place.url()]);
    let done = command.args(more).output().unwrap();
    if done.status.success() {
        return Ok(());
    }
    Err(String::from_utf8(done.stderr).unwrap())
}

#[tokio::test(flavor = "multi_thread")]
async fn rows_of_commands_are_taken_for_theirs_while_the_guardian_runs_and_while_it_does_not() {
    for place in Place::each() {
        let api = place.guardian("one").await;
        let agent = api.agent(&["*"]).await;
        for _ in 0..3 {
            make_key(&place, &[]).unwrap();
            make_key(&place, &[]).unwrap();
            assert!(is_allowed(&api, &agent).await && is_whole(&api).await);
        }
        make_key(&place, &[]).unwrap();
        api.guardian.close().await;
        make_key(&place, &[]).unwrap();
        make_key(&place, &[]).unwrap();
        assert!(place.verify().0, "{}", place.verify().1);
        let api = place.guardian("one").await;
        assert!(is_allowed(&api, &agent).await && is_whole(&api).await);
        api.guardian.close().await;
        // Behind rows of commands, what anyone else adds is none.
        make_key(&place, &[]).unwrap();
        add_rows(&place, 1).await;
        make_key(&place, &[]).unwrap();
        assert!(!place.verify().0);
        assert!(place.try_guardian("one").await.is_err());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn command_without_the_key_of_the_audit_does_nothing_and_says_which_is_missing() {
    let (place, other) = (Place::sqlite(), Place::sqlite());
    place.ten_rows().await;
    other.ten_rows().await;
    let elsewhere = place.folder.path().join("elsewhere");
    std::fs::rename(place.key(), &elsewhere).unwrap();
    let refused = make_key(&place, &[]).unwrap_err();
    assert!(refused.contains("--audit-key"), "{refused}");
    let refused = make_key(&place, &["--audit-key", other.key().to_str().unwrap()]).unwrap_err();
    assert!(refused.contains("is signed by the key"), "{refused}");
    let rows = String::from_utf8(place.run("export", &[]).stdout).unwrap();
    assert_eq!(rows.lines().count(), 10, "{rows}");
    make_key(&place, &["--audit-key", elsewhere.to_str().unwrap()]).unwrap();
    std::fs::rename(&elsewhere, place.key()).unwrap();
    place.guardian("one").await.guardian.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn guardians_of_one_name_on_one_postgresql_take_turns() {
    for place in Place::each().into_iter().skip(1) {
        let first = place.guardian("one").await;
        let agent = first.agent(&["*"]).await;
        let second = place.guardian("one").await;
        for turns in [1, 2, 3] {
            for api in [&first, &second] {
                for _ in 0..turns {
                    assert!(is_allowed(api, &agent).await);
                }
            }
        }
        let third = place.guardian("one").await;
        for api in [&first, &third, &second, &third, &first] {
            assert!(is_allowed(api, &agent).await);
            assert!(is_allowed(api, &agent).await);
        }
        assert!(is_whole(&first).await && is_whole(&second).await && is_whole(&third).await);
        // A look at the log is no turn.
        for _ in 0..2 {
            assert!(is_allowed(&second, &agent).await && is_whole(&first).await);
            assert!(is_allowed(&second, &agent).await && is_allowed(&first, &agent).await);
        }
        first.guardian.close().await;
        assert!(is_allowed(&second, &agent).await);
        let again = place.guardian("one").await;
        assert!(is_allowed(&second, &agent).await && is_allowed(&again, &agent).await);
    }
}
