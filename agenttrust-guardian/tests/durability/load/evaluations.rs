//! Evaluations of AuthZEN that are held, of which one key may ask a hundred in one request.

use agenttrust_testkit::postgres::Fresh;
use serde_json::{Value, json};
use sqlx::{Connection, Executor, PgConnection};

use crate::support::{Harness, open_with};

#[tokio::test]
async fn evaluation_that_is_told_how_access_is_requested_waits_for_nobody_who_changes_something() {
    let Some(database) = Fresh::or_skip() else { return };
    let sealed_by = "0f1e".repeat(16);
    let api = open_with(|it| it.database(database.url()).secret_key(sealed_by)).await;
    let harness = Harness::new(api).await;
    let list = |items: usize| {
        let one = |number| json!({ "resource": { "type": "table", "id": format!("t{number}") } });
        json!({ "subject": { "type": "agent", "id": harness.agent }, "action": { "name": "db_delete" },
            "evaluations": (0..items).map(one).collect::<Vec<Value>>() })
    };
    let told = async |items: usize| {
        let answer = harness.post("/access/v1/evaluations", &harness.key, list(items)).await.ok();
        for one in answer.body["evaluations"].as_array().unwrap() {
            assert!(one["context"]["access_request"].is_object(), "{one}");
        }
    };
    // The first one makes the key that signs denials.
    told(1).await;
    let mut others = PgConnection::connect(&database.url()).await.unwrap();
    others.execute("BEGIN").await.unwrap();
    others.execute("LOCK TABLE approvals, agents, budgets IN SHARE MODE").await.unwrap();
    told(100).await;
    let lock = sqlx::query("SELECT pg_advisory_xact_lock(hashtextextended($1, 0))");
    lock.bind(&harness.agent).execute(&mut others).await.unwrap();
    told(100).await;
    others.close().await.unwrap();
}
