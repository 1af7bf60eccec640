//! Who reads, who changes and who looks how the Guardian is do not wait for each other.

use std::time::{Duration, Instant};

use agenttrust_testkit::ADMIN;
use futures_util::future::join_all;
use serde_json::json;

use crate::load::stalled::Database;
use crate::support::Api;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn health_tells_the_truth_while_those_who_change_wait_for_each_other() {
    let database = Database::File(tempfile::tempdir().unwrap());
    let api = database.guardian().await;
    api.agent(&["*"]).await;
    let lock = database.lock().await;
    let body = json!({ "name": "late", "capabilities": ["*"] });
    let changes = join_all((0..20).map(|_| api.post("/api/v1/agents", ADMIN, body.clone())));
    let look = async {
        tokio::time::sleep(Duration::from_millis(500)).await;
        let begun = Instant::now();
        // Its own question has a connection, and so have those who read.
        let health = api.get("/health", "").await;
        assert_eq!(health.body["checks"]["database"], "healthy", "{health:?}");
        api.get("/mcp/approvals", ADMIN).await.ok();
        api.get("/api/v1/keys", ADMIN).await.ok();
        assert!(begun.elapsed() < Duration::from_secs(10), "{:?}", begun.elapsed());
    };
    let (_, ()) = tokio::join!(changes, look);
    lock.let_go().await;
}

#[tokio::test]
async fn reading_changes_nothing() {
    for database in Database::both() {
        let api: Api = database.guardian().await;
        api.worker().await;
        for path in [
            "/api/v1/audit",
            "/api/v1/audit/logs",
            "/api/v1/audit/checkpoints",
            "/api/v1/audit/verify",
            "/api/v1/audit/export",
            "/mcp/approvals",
            "/api/v1/keys",
            "/api/v1/webhooks",
        ] {
            api.get(path, ADMIN).await.ok();
        }
        api.guardian.close().await;
    }
}
