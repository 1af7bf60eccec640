//! The numbers: what is counted, that callers cannot make up labels, and how the parts are.

use std::time::Duration;

use agenttrust_guardian::Role;
use agenttrust_testkit::{ADMIN, eventually_within};
use axum::body::Body;
use axum::http::{Method, Request};
use serde_json::json;

use crate::support::{Api, open, open_with};

async fn metrics(api: &Api) -> String {
    let answer = api.get("/metrics", ADMIN).await.ok();
    let kind = answer.headers["content-type"].to_str().unwrap();
    assert!(kind.starts_with("text/plain; version=0.0.4"), "{kind}");
    answer.body.as_str().unwrap().to_owned()
}

#[track_caller]
fn has(text: &str, line: &str) {
    assert!(text.lines().any(|other| other == line), "{line} is not in\n{text}");
}

#[tokio::test]
async fn checks_approvals_reports_and_requests_are_counted() {
    let api = open().await;
    let (agent, key) = api.worker().await;
    let read = api.check(&key, &agent, "search").await.ok().text("check_id");
    api.check(&key, &agent, "search").await.allowed();
    let narrow = api.agent(&["files:*"]).await;
    api.check(ADMIN, &narrow, "db_delete").await.denied("no capability");
    let first = api.check(&key, &agent, "db_delete").await.held();
    api.check(&key, &agent, "db_delete").await.held();
    api.approve(ADMIN, &first).await.ok();
    api.check(&key, &agent, "db_delete").await.allowed();
    let second = api.check(&key, &agent, "drop_table").await.held();
    api.deny(ADMIN, &second).await.ok();

    let event = |kind: &str| json!({ "event_type": kind, "tool_name": "search", "success": true });
    let report = json!({ "agent_id": agent, "events": [event("tool_end"), event("tool_end")] });
    let headers = [("agenttrust-check-ids", format!("{read},-"))];
    let headers = headers.each_ref().map(|(name, ids)| (*name, ids.as_str()));
    api.with(&headers).post("/api/v1/telemetry/report", &key, report).await.ok();
    api.get("/api/v1/agents/agt_nobody", ADMIN).await.refused(404, "NOT_FOUND");

    let text = metrics(&api).await;
    for line in [
        "agenttrust_checks_total{decision=\"allow\",effect=\"read\"} 2",
        "agenttrust_checks_total{decision=\"allow\",effect=\"destructive\"} 1",
        "agenttrust_checks_total{decision=\"deny\",effect=\"destructive\"} 1",
        "agenttrust_checks_total{decision=\"hold\",effect=\"destructive\"} 3",
        "agenttrust_checks_total{decision=\"hold\",effect=\"admin\"} 0",
        "agenttrust_check_duration_seconds_count 7",
        "agenttrust_approvals_total{event=\"opened\"} 2",
        "agenttrust_approvals_total{event=\"approved\"} 1",
        "agenttrust_approvals_total{event=\"denied\"} 1",
        "agenttrust_approvals_total{event=\"used\"} 1",
        "agenttrust_approvals_total{event=\"expired\"} 0",
        "agenttrust_reports_total{verified=\"true\"} 1",
        "agenttrust_reports_total{verified=\"false\"} 1",
        "agenttrust_audit_healthy 1",
        "agenttrust_http_requests_total{method=\"GET\",route=\"/api/v1/agents/{id}\",status=\"404\"} 1",
        "agenttrust_http_requests_total{method=\"POST\",route=\"/api/v1/agenttrust/check\",status=\"200\"} 7",
    ] {
        has(&text, line);
    }
    let rows = api.audit_rows().await;
    has(&metrics(&api).await, &format!("agenttrust_audit_rows_total {rows}"));
    assert!(text.contains("agenttrust_build_info{version=\""), "{text}");
    assert!(!text.contains("agenttrust_policies 0"), "{text}");
    has(
        &metrics(&api).await,
        "agenttrust_http_requests_total{method=\"GET\",route=\"/metrics\",status=\"200\"} 2",
    );
}

#[tokio::test]
async fn expired_approvals_are_counted() {
    let api = open_with(|builder| builder.approval_ttl(Duration::from_millis(50))).await;
    let agent = api.agent(&["*"]).await;
    api.check(ADMIN, &agent, "db_delete").await.held();
    let line = "agenttrust_approvals_total{event=\"expired\"} 1";
    let counted = async || metrics(&api).await.lines().any(|other| other == line);
    eventually_within(Duration::from_secs(30), "it was not counted", counted).await;
}

#[tokio::test]
async fn callers_make_up_no_labels() {
    let api = open().await;
    let agent = api.agent(&["*"]).await;
    // Once, so that every line which these calls can bring is there.
    let call = async |number: u32| {
        let name = format!("tool-{number}-made-up");
        api.check(ADMIN, &agent, &name).await;
        api.get(&format!("/made-up/{number}"), ADMIN).await;
        api.get(&format!("/api/v1/agents/made-up-{number}"), ADMIN).await;
        let method = Method::from_bytes(format!("MADEUP{number}").as_bytes()).unwrap();
        api.ask(method, "/health", "", None).await;
        let odd = Request::get("/metrics?made-up").header("x-api-key", format!("made-up-{number}"));
        api.send(odd.body(Body::empty()).unwrap()).await;
    };
    call(0).await;
    metrics(&api).await;
    let before = metrics(&api).await;
    for number in 1..50 {
        call(number).await;
    }
    let after = metrics(&api).await;
    assert_eq!(after.lines().count(), before.lines().count(), "{after}");
    assert!(
        !after.contains("made-up") && !after.contains("MADEUP") && !after.contains(&agent),
        "{after}"
    );
}

#[tokio::test]
async fn metrics_are_read_with_a_key_that_reads_everything() {
    let api = open().await;
    api.get("/metrics", "").await.refused(401, "AUTH_FAILED");
    let (_, key) = api.worker().await;
    api.get("/metrics", &key).await.refused(403, "AUTH_DENIED");
    let auditor = api.key(Role::Auditor, &[]).await;
    let bearer = [("authorization", format!("Bearer {auditor}"))];
    let bearer = bearer.each_ref().map(|(name, value)| (*name, value.as_str()));
    api.with(&bearer).get("/metrics", "").await.ok();
}

#[tokio::test]
async fn health_tells_of_every_part_and_of_nothing_else() {
    let api = open().await;
    let answer = api.get("/health", "").await.ok();
    let body = answer.body.as_object().unwrap();
    let mut fields: Vec<_> = body.keys().map(String::as_str).collect();
    fields.sort_unstable();
    assert_eq!(fields, ["checks", "service", "status", "version"]);
    assert_eq!(body["checks"]["database"], "healthy");
    assert_eq!(body["checks"]["audit"], "healthy");
    let health = api.guardian.client().health().await.unwrap();
    assert_eq!(health.checks["database"], "healthy");

    api.guardian.close().await;
    let answer = api.get("/health", "").await;
    assert_eq!(answer.status, 503);
    assert_eq!(answer.body["status"], "unhealthy");
    assert_eq!(answer.body["checks"]["audit"], "unhealthy");
    let error = api.guardian.client().health().await.unwrap_err();
    assert_eq!(error.status(), Some(503));
}
