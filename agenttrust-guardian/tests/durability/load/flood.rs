//! A guard that fails open, of an agent that has nothing to do with the trouble: what is held stays held.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use agenttrust::{Action, AgentTrustError, AgentTrustGuard, Effect};
use agenttrust_guardian::Guardian;
use agenttrust_testkit::ADMIN;
use axum::body::Body;
use axum::http::Request;
use serde_json::json;
use tower::ServiceExt;

use crate::load::stalled::Database;
use crate::support::Api;

/// Ten times the deadline of a check, which is two seconds.
const ANSWERED: Duration = Duration::from_secs(20);
/// Ten times what is promised of a revocation.
const REVOKED: Duration = Duration::from_secs(10);
const FLOOD: Duration = Duration::from_secs(8);

/// Returns a guard of an agent of its own that fails open.
async fn guard(api: &Api) -> AgentTrustGuard {
    let (agent, key) = api.worker().await;
    let client = api.guardian.client_with_key(&key).unwrap();
    AgentTrustGuard::builder(client, &agent).fail_open(true).build()
}

/// Asks for a held call over and over until `over`; returns how often, and how long the slowest took. The
/// body never runs.
async fn never_runs(guard: AgentTrustGuard, over: Arc<AtomicBool>) -> (usize, Duration) {
    let (mut asked, mut slowest) = (0, Duration::ZERO);
    while !over.load(Ordering::SeqCst) {
        let begun = Instant::now();
        let action = Action::new("db_delete").effect(Effect::Destructive);
        let done = guard.run(action, async { Ok::<_, AgentTrustError>("it ran") }).await;
        let took = begun.elapsed();
        assert!(done.is_err(), "the body ran after {took:?}");
        assert!(took < ANSWERED, "{took:?}: {done:?}");
        (asked, slowest) = (asked + 1, slowest.max(took));
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    (asked, slowest)
}

/// Posts it over and over, and hangs up on each, until `over`; returns how often.
async fn posts(guardian: Guardian, key: String, body: String, over: Arc<AtomicBool>) -> usize {
    let mut sent = 0;
    while !over.load(Ordering::SeqCst) {
        let request = Request::post("/api/v1/telemetry/report")
            .header("X-API-Key", &key)
            .header("Content-Type", "application/json")
            .body(Body::from(body.clone()))
            .unwrap();
        let posted = guardian.router().oneshot(request);
        // Of no account is how it is answered, or that it is not in this time.
        let _ = tokio::time::timeout(Duration::from_millis(50), posted).await;
        sent += 1;
        tokio::task::yield_now().await;
    }
    sent
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn flood_of_reports_of_one_agent_opens_no_fail_open_guard_of_another() {
    for database in Database::both() {
        let api = database.guardian().await;
        let guard = guard(&api).await;
        let (agent, key) = api.worker().await;
        let event = json!({ "event_type": "tool_end", "tool_name": "t".repeat(200),
                            "error_type": "e".repeat(200), "success": false });
        let body = json!({ "agent_id": agent, "session_id": "s", "events": vec![event; 1_000] });
        let body = body.to_string();
        let over = Arc::new(AtomicBool::new(false));
        let asking = tokio::spawn(never_runs(guard.clone(), Arc::clone(&over)));
        let flood: Vec<_> = (0..150)
            .map(|_| {
                let (guardian, over) = (api.guardian.clone(), Arc::clone(&over));
                tokio::spawn(posts(guardian, key.clone(), body.clone(), over))
            })
            .collect();
        tokio::time::sleep(FLOOD / 2).await;
        let begun = Instant::now();
        let path = format!("/api/v1/agents/{agent}/revoke");
        api.post(&path, ADMIN, json!({ "reason": "it floods" })).await.ok();
        let revoked = begun.elapsed();
        assert!(revoked < REVOKED, "{revoked:?}");
        let stands = api.get(&format!("/api/v1/agents/{agent}"), ADMIN).await.ok();
        assert_eq!(stands.text("status"), "revoked");
        tokio::time::sleep(FLOOD / 2).await;
        over.store(true, Ordering::SeqCst);
        let (asked, slowest) = asking.await.unwrap();
        let mut sent = 0;
        for posts in flood {
            sent += posts.await.unwrap();
        }
        println!(
            "{}: {sent} posts, {asked} checks, the slowest in {slowest:?}, revoked in {revoked:?}",
            database.name(),
        );
        assert!(asked > 0);
        // What is held still is, and for the reason that it should be.
        let action = Action::new("db_drop").effect(Effect::Destructive);
        let held = guard.run(action, async { Ok::<_, AgentTrustError>(()) }).await;
        assert!(matches!(held, Err(AgentTrustError::ElevationRequired { .. })), "{held:?}");
        api.guardian.close().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn locked_tables_open_no_fail_open_guard() {
    for database in Database::both() {
        let api = database.guardian().await;
        let guard = guard(&api).await;
        let over = Arc::new(AtomicBool::new(false));
        let lock = database.lock().await;
        let asking = tokio::spawn(never_runs(guard, Arc::clone(&over)));
        tokio::time::sleep(Duration::from_secs(15)).await;
        lock.let_go().await;
        over.store(true, Ordering::SeqCst);
        let (asked, slowest) = asking.await.unwrap();
        println!("{}: {asked} checks, the slowest in {slowest:?}", database.name());
        assert!(asked > 0);
        api.guardian.close().await;
    }
}
