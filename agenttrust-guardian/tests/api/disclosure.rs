//! What is disclosed of a held call's input: checked, shown to keys that decide, and dropped with the decision.

use agenttrust_testkit::ADMIN;
use serde_json::{Value, json};

use crate::approvals::{DIGEST, digest_of};
use crate::support::open;

#[tokio::test]
async fn disclosed_input_is_checked_shown_to_the_approver_and_dropped_when_decided() {
    let api = open().await;
    let (agent, key) = api.worker().await;
    let input = json!({ "table": "users", "rows": 12 });
    let commitment = digest_of(&input);
    let headers = [(DIGEST, commitment.digest.as_str())];
    let body = json!({ "agent_id": agent, "action_name": "db_delete" });
    let approval = api.check_with(&key, &headers, body.clone()).await.held();
    let path = format!("/mcp/approvals/{approval}/input");
    let other = json!({ "input": { "table": "logs" }, "r": commitment.opening });
    api.put(&path, &key, other).await.refused(400, "VALIDATION_ERROR");
    assert!(api.approval(&approval).await["input"].is_null());
    let disclosure = json!({ "input": input, "r": commitment.opening });
    api.put(&path, &key, disclosure.clone()).await.ok();
    let shown = api.approval(&approval).await;
    assert_eq!((&shown["input"], &shown["input_shown"]), (&input, &json!(true)));
    let listed = api.get("/mcp/approvals", ADMIN).await.ok();
    assert_eq!(listed.body["approvals"][0], shown, "a list shows the same");
    assert_eq!(api.approval(&approval).await["input_digest"], commitment.digest);
    api.approve(ADMIN, &approval).await.ok();
    assert!(api.approval(&approval).await["input"].is_null());
    api.put(&path, &key, disclosure).await.refused(409, "CONFLICT");
    let bare = api.check_as(&key, body).await.held();
    let path = format!("/mcp/approvals/{bare}/input");
    api.put(&path, &key, json!({ "input": {}, "r": "" })).await.refused(409, "CONFLICT");
}

#[tokio::test]
async fn disclosed_input_is_shown_to_keys_that_decide_and_to_no_other() {
    let api = open().await;
    let (agent, key) = api.worker().await;
    let of_role = async |body: Value| {
        let made = api.post("/api/v1/keys", ADMIN, body).await.ok();
        made.body["key"].as_str().unwrap().to_owned()
    };
    let input = json!({ "table": "salaries" });
    let commitment = digest_of(&input);
    let headers = [(DIGEST, commitment.digest.as_str())];
    let body = json!({ "agent_id": agent, "action_name": "db_delete" });
    let approval = api.check_with(&key, &headers, body.clone()).await.held();
    let path = format!("/mcp/approvals/{approval}");
    assert_eq!(api.approval(&approval).await["input_shown"], false);
    let disclosure = json!({ "input": input, "r": commitment.opening });
    api.put(&format!("{path}/input"), &key, disclosure).await.ok();

    let other = of_role(json!({ "role": "agent", "agents": [agent] })).await;
    // It has seen the digest, and asks under it.
    assert_eq!(api.check_with(&other, &headers, body).await.held(), approval);
    for (key, sees) in [
        (ADMIN, true),
        (&of_role(json!({ "role": "operator" })).await, true),
        (&of_role(json!({ "role": "auditor" })).await, false),
        (&key, false),
        (&other, false),
    ] {
        for path in [path.as_str(), &format!("{path}?wait=1"), "/mcp/approvals"] {
            let answer = api.get(path, key).await.ok().body;
            let shown = answer["approvals"].get(0).unwrap_or(&answer);
            assert_eq!(shown["id"], approval);
            assert_eq!(shown["input"] == input, sees, "{path}: {shown}");
            assert_eq!(shown["input_shown"], true);
        }
    }
}

#[tokio::test]
async fn inputs_that_are_long_are_shown_by_the_approval_and_not_by_the_list() {
    let api = open().await;
    let (agent, key) = api.worker().await;
    for (length, listed) in [(16_384 - 2, true), (16_384 - 1, false)] {
        let input = json!("x".repeat(length));
        let commitment = digest_of(&input);
        let headers = [(DIGEST, commitment.digest.as_str())];
        let body = json!({ "agent_id": agent, "action_name": "db_delete" });
        let approval = api.check_with(&key, &headers, body).await.held();
        let disclosure = json!({ "input": input, "r": commitment.opening });
        api.put(&format!("/mcp/approvals/{approval}/input"), &key, disclosure).await.ok();
        let first =
            api.get("/mcp/approvals?limit=1", ADMIN).await.ok().body["approvals"][0].clone();
        assert_eq!((&first["id"], &first["input_shown"]), (&json!(approval), &json!(true)));
        assert_eq!(first["input"] == input, listed);
        assert_eq!(api.approval(&approval).await["input"], input);
    }
}

#[tokio::test]
async fn input_that_nobody_could_read_is_refused_and_hides_nothing() {
    let api = open().await;
    let (agent, key) = api.worker().await;
    let deep = (0..40).fold(json!(1), |inner, _| json!([inner]));
    for input in [deep, json!({ "text": "x".repeat(100_000) })] {
        let commitment = digest_of(&input);
        let headers = [(DIGEST, commitment.digest.as_str())];
        let body = json!({ "agent_id": agent, "action_name": "db_delete" });
        let approval = api.check_with(&key, &headers, body).await.held();
        let disclosure = json!({ "input": input, "r": commitment.opening });
        let path = format!("/mcp/approvals/{approval}/input");
        let answer = api.put(&path, &key, disclosure).await;
        assert_eq!(answer.refused(400, "VALIDATION_ERROR").body["details"]["field"], "input");
        assert!(api.approval(&approval).await["input"].is_null());
    }
    let listed = api.get("/mcp/approvals", ADMIN).await.ok();
    assert_eq!(listed.body["approvals"].as_array().unwrap().len(), 2);
}
