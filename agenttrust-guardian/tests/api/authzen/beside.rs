//! What is said beside what was evaluated: it is for people to read, and decides nothing.

use axum::http::Method;
use serde_json::json;

use super::profile::{Pep, with_approval};
use super::{decided, deletes, with_policies};
use crate::support::{Harness, open};

/// Asks for two approvers; for what is urgent one is enough, for an hour. An outsider gets nothing.
const POLICIES: &str = r#"
    @elevate @quorum("2") @single_use
    permit (principal, action, resource)
    unless { context has access && context.access.context.hasTag("urgent") };
    @elevate @window("1h")
    permit (principal, action, resource)
    when { context has access && context.access.context.hasTag("urgent") };
    permit (principal, action, resource)
    when { context has access && context.access.context.hasTag("drill") };
    forbid (principal, action, resource)
    when { context has access && context.access.context.hasTag("outsider") };
"#;

#[tokio::test]
async fn request_is_decided_by_what_was_evaluated_and_by_nothing_that_it_says_beside() {
    let harness = with_policies(POLICIES).await;
    let pep = Pep::discover(&harness, &harness.key).await;
    for (number, beside) in ["urgent", "drill", "outsider", "session_id"].iter().enumerate() {
        let mut wanted = deletes(&harness.agent, &format!("table-{number}"));
        wanted["context"] = json!({ "ticket": "OPS-7" });
        let denied = decided(&pep.evaluate(&wanted).await, false);
        let mut body = Pep::submission(&wanted, &denied);
        body["context"][*beside] = json!("evening");
        let submitted = pep.submit(beside, &body).await;
        assert_eq!(submitted.status, 202, "{beside}: {submitted:?}");
        let task = submitted.body["task"].clone();
        let id = task["id"].as_str().unwrap();

        // It is shown to the approvers as what it is, and two are needed as for what was evaluated.
        let approval = harness.approval(id).await;
        assert_eq!(approval["quorum"], 2, "{beside}: {approval}");
        assert_eq!(approval["session_id"], "", "{beside}: {approval}");
        let shown = json!({ "subject": wanted["subject"], "action": wanted["action"],
            "resource": wanted["resource"], "context": { "ticket": "OPS-7" },
            "said_beside": { *beside: "evening" } });
        assert_eq!(approval["input"], shown, "{beside}");
        harness.approve(&harness.operator, id).await.ok();
        assert_eq!(pep.status(&task).await.ok().body["task"]["status"], "pending", "{beside}");
        let second = harness.key("operator", &[]).await;
        harness.approve(&second, id).await.ok();

        // And so it serves what was evaluated, once.
        let again = with_approval(&wanted, &pep.approval(&task).await);
        decided(&pep.evaluate(&again).await, true);
        decided(&pep.evaluate(&again).await, false);
    }
}

#[tokio::test]
async fn cancellation_tells_approver_and_requester_why_and_no_reason_is_too_long_for_them() {
    let harness = Harness::new(open().await).await;
    let pep = Pep::discover(&harness, &harness.key).await;
    let (_, task) = pep.request(&deletes(&harness.agent, "users")).await;
    let cancel = task["links"]["cancel"].as_str().unwrap();
    let long = "x".repeat(501);
    let half = "x".repeat(250);
    for (why, says) in [
        (json!({ "reason": long }), "reason has 501 characters; 500 is the most"),
        (json!({ "comment": long }), "comment has 501 characters; 500 is the most"),
        (
            json!({ "reason": half, "comment": half }),
            "have 502 characters together; 500 is the most",
        ),
        (json!({ "reason": "a\nb" }), "reason holds a control character"),
        (json!({ "comment": "\u{1b}[2J" }), "comment holds a control character"),
        (json!({ "comment": ["a"] }), "comment is not as it must be: expected a text"),
    ] {
        let refused = pep.ask(Method::POST, cancel, Some(why)).await;
        refused.refused(400, "VALIDATION_ERROR").says(says);
    }
    assert_eq!(pep.status(&task).await.ok().body["task"]["status"], "pending");

    let why = json!({ "reason": "not_needed", "comment": "found another way" });
    let told = pep.ask(Method::POST, cancel, Some(why)).await.ok().body;
    assert_eq!(told["task"]["status"], "cancelled");
    let said = "cancelled by who asked: not_needed: found another way";
    assert_eq!(told["task"]["display"], json!({ "description": said }));
    assert_eq!(pep.status(&task).await.ok().body, told);
    let id = task["id"].as_str().unwrap();
    assert_eq!(harness.approval(id).await["decision_reason"], said);
    harness.approve(&harness.operator, id).await.refused(409, "CONFLICT").says(said);
    assert_eq!(harness.audit("approval.cancelled").await[0]["body"]["reason"], said);

    // So are words of who denied it, and nothing where there are none.
    let wanted = deletes(&harness.agent, "orders");
    let denied = decided(&pep.evaluate(&wanted).await, false);
    let submitted = pep.submit("two", &Pep::submission(&wanted, &denied)).await.ok();
    let task = submitted.body["task"].clone();
    assert!(pep.status(&task).await.ok().body["task"].get("display").is_none());
    let path = format!("/mcp/approvals/{}/deny", task["id"].as_str().unwrap());
    let body = json!({ "reason": "on no account" });
    harness.post(&path, &harness.operator, body).await.ok();
    let told = pep.status(&task).await.ok().body;
    assert_eq!(told["task"]["display"], json!({ "description": "on no account" }));
}
