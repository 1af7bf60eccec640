//! Whose keys may ask for whom, and that organisations are kept apart.

use agenttrust::mint_dpop_proof;
use agenttrust_guardian::Role;
use agenttrust_testkit::ADMIN;
use serde_json::json;

use super::profile::Pep;
use super::{EVALUATION, EVALUATIONS, REQUESTS, asked, decided, deletes};
use crate::support::{Harness, open};
use crate::workload::Worker;

#[tokio::test]
async fn key_of_an_agent_asks_for_its_own_and_a_gateway_within_a_session() {
    let harness = Harness::new(open().await).await;
    let (other, _) = harness.worker().await;
    let reads = |agent: &str| {
        asked(
            json!({ "type": "agent", "id": agent }),
            "list_files",
            json!({ "type": "file", "id": "a" }),
        )
    };
    let key = harness.key.as_str();
    decided(&harness.post(EVALUATION, key, reads(&harness.agent)).await, true);
    harness.post(EVALUATION, key, reads(&other)).await.refused(403, "AUTH_DENIED");
    harness
        .with(&[("X-Agent-ID", &other)])
        .post(EVALUATION, key, reads(&other))
        .await
        .refused(403, "AUTH_DENIED");
    let named = harness.with(&[("X-Agent-ID", &harness.agent)]);
    named.post(EVALUATION, ADMIN, reads(&other)).await.refused(403, "AUTH_DENIED");
    harness.post(EVALUATION, ADMIN, reads("agt_none")).await.refused(404, "NOT_FOUND");

    let gateway = harness.key(Role::Gateway, &[]).await;
    harness.post(EVALUATION, &gateway, reads(&harness.agent)).await.refused(403, "AUTH_DENIED");
    let token = harness.token(&harness.agent, &["*"]).await;
    let init = json!({ "token": token });
    let session = harness.post("/api/v1/agenttrust/api-sessions/init", &gateway, init).await.ok();
    let mut within = reads(&harness.agent);
    within["context"] = json!({ "session_id": session.text("session_id") });
    decided(&harness.post(EVALUATION, &gateway, within.clone()).await, true);
    // A session is one agent's.
    within["subject"]["id"] = json!(other);
    decided(&harness.post(EVALUATION, ADMIN, within).await, false);

    for role in [Role::Auditor, Role::Operator] {
        let key = harness.key(role, &[]).await;
        for path in [EVALUATION, EVALUATIONS, REQUESTS] {
            harness.post(path, &key, reads(&harness.agent)).await.refused(403, "AUTH_DENIED");
        }
    }
}

#[tokio::test]
async fn another_organisation_evaluates_requests_and_reads_nothing_of_ours() {
    let harness = Harness::new(open().await).await;
    let theirs = harness.guardian.create_key_in("org_theirs", Role::Admin, &[]).await.unwrap();
    let pep = Pep::discover(&harness, &harness.key).await;
    let wanted = deletes(&harness.agent, "users");
    let (denied, task) = pep.request(&wanted).await;
    harness.post(EVALUATION, &theirs, wanted.clone()).await.refused(404, "NOT_FOUND");
    let list = json!({ "evaluations": [wanted] });
    let answer = harness.post(EVALUATIONS, &theirs, list).await.ok();
    assert_eq!(answer.body["evaluations"][0]["context"]["error"]["status"], 404, "{answer:?}");
    let stranger = Pep::discover(&harness, &theirs).await;
    assert_eq!(stranger.status(&task).await.status, 404);
    // A denial of ours, sent by them for an agent of their own.
    let body = json!({ "name": "worker", "capabilities": ["*"] });
    let own = harness.post("/api/v1/agents", &theirs, body).await.ok().text("id");
    let mut body = Pep::submission(&wanted, &denied);
    body["subject"]["id"] = json!(own);
    let answer = stranger.submit("x", &body).await;
    assert_eq!(
        (answer.status.as_u16(), answer.text("type").ends_with("invalid_denial_binding")),
        (400, true)
    );
}

#[tokio::test]
async fn agent_whose_checks_need_a_proof_is_denied_without_one_and_one_proof_is_for_a_whole_list() {
    let api = open().await;
    let worker = Worker::of(&api).await;
    worker.must_prove(&api).await;
    let reads = asked(
        json!({ "type": "agent", "id": worker.agent }),
        "list_files",
        json!({ "type": "file", "id": "a" }),
    );
    let context = decided(&api.post(EVALUATION, &worker.key, reads.clone()).await, false);
    assert!(context["reason_admin"]["403"].as_str().unwrap().contains("proof"), "{context}");

    let token = worker.token(&api).await;
    let authorization = format!("DPoP {token}");
    for (path, body) in [
        (EVALUATION, reads.clone()),
        (EVALUATIONS, json!({ "evaluations": [reads, reads, reads] })),
    ] {
        let url = format!("http://localhost{path}");
        let proof = mint_dpop_proof(&worker.pair.private_key_pem, "POST", &url, &token).unwrap();
        let proving = api.with(&[("authorization", &authorization), ("dpop", &proof)]);
        let answer = proving.post(path, &worker.key, body.clone()).await.ok();
        let said = answer.body.to_string();
        assert!(said.contains("true") && !said.contains("false"), "{said}");
        // It is good once.
        let again = proving.post(path, &worker.key, body).await;
        assert!(again.status == 401 || again.body.to_string().contains("401"), "{again:?}");
    }
}
