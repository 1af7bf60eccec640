//! A guard that fails open, of an agent that has nothing to do with the trouble: what is held stays held.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use agenttrust::{Action, AgentTrustError, AgentTrustGuard, Effect};
use axum::body::Body;
use axum::http::Request;
use serde_json::json;
use tower::ServiceExt;

use crate::stalled::Database;
use crate::support::{ADMIN, Api};

/// Ten times the deadline of a check, which is two seconds.
const ANSWERED: Duration = Duration::from_secs(20);
/// Ten times what is promised of a revocation.
const REVOKED: Duration = Duration::from_secs(10);
const FLOOD: Duration = Duration::from_secs(8);

/// A guard of an agent of its own that fails open.
async fn guard(api: &Api) -> AgentTrustGuard {
    let (agent, key) = api.worker().await;
    let client = api.guardian.client_with_key(&key).unwrap();
    AgentTrustGuard::builder(client, &agent).fail_open(true).build()
}

/// Asks for a held call over and over until `over`; returns how often, and how long the slowest took. The
/// body never runs.
async fn never_runs(guard: &AgentTrustGuard, over: &AtomicBool) -> (usize, Duration) {
    let (mut asked, mut slowest) = (0, Duration::ZERO);
    while !over.load(Ordering::SeqCst) {
        let begun = Instant::now();
        let action = Action::new("db_delete").effect(Effect::Destructive);
        let done =
            guard.run(action, async { Ok::<_, AgentTrustError>(panic!("the body ran")) }).await;
        let took = begun.elapsed();
        let refused = done.map(|()| "it ran").unwrap_err();
        assert!(took < ANSWERED, "{took:?}: {refused}");
        (asked, slowest) = (asked + 1, slowest.max(took));
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    (asked, slowest)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn flood_of_reports_of_one_agent_opens_no_fail_open_guard_of_another() {
    for database in Database::both() {
        let api = Arc::new(database.guardian().await);
        let guard = guard(&api).await;
        let (agent, key) = api.worker().await;
        let event = json!({ "event_type": "tool_end", "tool_name": "t".repeat(200),
                            "error_type": "e".repeat(200), "success": false });
        let body = json!({ "agent_id": agent, "session_id": "s", "events": vec![event; 1_000] });
        let body = body.to_string();
        let (over, sent) = (AtomicBool::new(false), AtomicUsize::new(0));
        let flood = async {
            let begun = Instant::now();
            while begun.elapsed() < FLOOD {
                let posts = (0..150).map(|_| {
                    let request = Request::post("/api/v1/telemetry/report")
                        .header("X-API-Key", &key)
                        .header("Content-Type", "application/json")
                        .body(Body::from(body.clone()))
                        .unwrap();
                    sent.fetch_add(1, Ordering::SeqCst);
                    // Sent, and hung up on.
                    let posted = api.guardian.router().oneshot(request);
                    tokio::time::timeout(Duration::from_millis(50), posted)
                });
                futures_util::future::join_all(posts).await;
            }
            over.store(true, Ordering::SeqCst);
        };
        let revoke = async {
            tokio::time::sleep(FLOOD / 2).await;
            let begun = Instant::now();
            let path = format!("/api/v1/agents/{agent}/revoke");
            api.post(&path, ADMIN, json!({ "reason": "it floods" })).await.ok();
            let took = begun.elapsed();
            assert!(took < REVOKED, "{took:?}");
            let stands = api.get(&format!("/api/v1/agents/{agent}"), ADMIN).await.ok();
            assert_eq!(stands.text("status"), "revoked");
            took
        };
        let (_, (asked, slowest), revoked) = tokio::join!(flood, never_runs(&guard, &over), revoke);
        println!(
            "{}: {} posts, {asked} checks, the slowest in {slowest:?}, revoked in {revoked:?}",
            database.name(),
            sent.load(Ordering::SeqCst)
        );
        assert!(asked > 0);
        // What is held still is, and is held for the reason that it should be.
        let held = guard
            .run(Action::new("db_drop").effect(Effect::Destructive), async {
                Ok::<_, AgentTrustError>(())
            })
            .await;
        assert!(matches!(held, Err(AgentTrustError::ElevationRequired { .. })), "{held:?}");
        api.guardian.close().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn locked_tables_open_no_fail_open_guard() {
    for database in Database::both() {
        let api = database.guardian().await;
        let guard = guard(&api).await;
        let over = AtomicBool::new(false);
        let lock = database.lock().await;
        let stall = async {
            tokio::time::sleep(Duration::from_secs(15)).await;
            lock.let_go().await;
            over.store(true, Ordering::SeqCst);
        };
        let ((), (asked, slowest)) = tokio::join!(stall, never_runs(&guard, &over));
        println!("{}: {asked} checks, the slowest in {slowest:?}", database.name());
        assert!(asked > 0);
        api.guardian.close().await;
    }
}
