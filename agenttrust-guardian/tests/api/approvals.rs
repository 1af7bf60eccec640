//! What an approval binds, who decides it, and how long it holds: every rule of the protocol has a test
//! named after it.

use std::time::{Duration, Instant};

use agenttrust::Timestamp;
use agenttrust::guard::digest::commit;
use agenttrust_guardian::Role;
use agenttrust_guardian::policy::PolicySet;
use agenttrust_testkit::{ADMIN, Answer, eventually};
use serde_json::{Value, json};

use crate::support::{Api, open, open_with};

pub(crate) const DIGEST: &str = "agenttrust-input-digest";

pub(crate) fn digest_of(input: &Value) -> agenttrust::guard::digest::Commitment {
    commit(&[7; 32], input).unwrap()
}

pub(crate) async fn with_policies(text: &str) -> Api {
    let set = PolicySet::parse("test.cedar", text).unwrap();
    open_with(|builder| builder.policy_set(set)).await
}

// What an approval binds.

/// Holds `check`, has it approved, and returns whether `again` is then allowed by it.
pub(crate) async fn approval_serves(
    (headers, check): (&[(&str, &str)], Value),
    (again_headers, again): (&[(&str, &str)], Value),
    bound_to: &str,
) -> bool {
    let api = open().await;
    let (agent, key) = api.worker().await;
    let of_agent = |mut body: Value| {
        body["agent_id"] = json!(agent);
        body
    };
    let approval = api.check_with(&key, headers, of_agent(check)).await.held();
    assert_eq!(api.approval(&approval).await["bound_to"], bound_to);
    api.approve(ADMIN, &approval).await.ok();
    let answer = api.check_with(&key, again_headers, of_agent(again)).await;
    if answer.body["allowed"] == true {
        assert_eq!(answer.body["approval_id"], approval);
        return true;
    }
    assert_ne!(answer.held(), approval);
    false
}

#[tokio::test]
async fn approval_binds_session_tool_and_effect() {
    let held = json!({ "action_name": "db_delete", "session_id": "s1" });
    for (again, serves) in [
        (json!({ "action_name": "db_delete", "session_id": "s1" }), true),
        (json!({ "action_name": "db_delete", "session_id": "s2" }), false),
        (json!({ "action_name": "db_delete" }), false),
        (json!({ "action_name": "db_drop", "session_id": "s1" }), false),
        (
            json!({ "action_name": "db_delete", "session_id": "s1", "action_effect": "admin" }),
            false,
        ),
    ] {
        let case = again.to_string();
        let served = approval_serves((&[], held.clone()), (&[], again), "name").await;
        assert_eq!(served, serves, "{case}");
    }
}

#[tokio::test]
async fn approval_binds_the_set_of_scopes() {
    const SCOPES: &str = "agenttrust-scopes";
    let held = || json!({ "action_name": "db_delete" });
    let with = [(SCOPES, "db:write,db:read")];
    for (again, serves) in [
        (&[(SCOPES, "db:write,db:read")][..], true),
        (&[(SCOPES, "db:read, db:write, db:read")], true),
        (&[(SCOPES, "db:read")], false),
        (&[(SCOPES, "db:read,db:write,db:admin")], false),
        (&[(SCOPES, "db:read,db:Write")], false),
        (&[], false),
    ] {
        let served = approval_serves((&with, held()), (again, held()), "name").await;
        assert_eq!(served, serves, "{again:?}");
    }
    assert!(!approval_serves((&[], held()), (&with, held()), "name").await);
    let api = open().await;
    let (agent, key) = api.worker().await;
    let body = json!({ "agent_id": agent, "action_name": "db_delete" });
    let approval = api.check_with(&key, &with, body).await.held();
    assert_eq!(api.approval(&approval).await["scopes"], json!(["db:read", "db:write"]));
}

#[tokio::test]
async fn approval_of_one_agent_never_serves_another() {
    let api = open().await;
    let (one, two) = (api.agent(&["*"]).await, api.agent(&["*"]).await);
    let key = api.key(Role::Agent, &[&one, &two]).await;
    let approval = api.check(&key, &one, "db_delete").await.held();
    api.approve(ADMIN, &approval).await.ok();
    assert_ne!(api.check(&key, &two, "db_delete").await.held(), approval);
    api.check(&key, &one, "db_delete").await.allowed();
}

#[tokio::test]
async fn approval_binds_the_input_by_digest_else_by_exact_summary_else_by_name() {
    let (a, b) = ("a".repeat(64), "b".repeat(64));
    let (a, b) = ([(DIGEST, a.as_str())], [(DIGEST, b.as_str())]);
    let check = json!({ "action_name": "db_delete", "action_input_summary": "drop table users" });
    let bare = json!({ "action_name": "db_delete" });
    let counted = json!({ "action_name": "db_delete", "action_input_summary": "[16 chars]" });
    let other = json!({ "action_name": "db_delete", "action_input_summary": "drop table user" });
    let serves = approval_serves;

    assert!(serves((&a, check.clone()), (&a, other.clone()), "input").await);
    assert!(!serves((&a, check.clone()), (&b, check.clone()), "input").await);
    assert!(serves((&[], check.clone()), (&[], check.clone()), "summary").await);
    assert!(!serves((&[], check.clone()), (&[], other), "summary").await);
    assert!(!serves((&[], check.clone()), (&[], bare.clone()), "summary").await);
    assert!(!serves((&[], check.clone()), (&a, check.clone()), "summary").await);
    assert!(serves((&[], counted.clone()), (&[], bare.clone()), "name").await);
    assert!(!serves((&[], bare), (&[], check), "name").await);
}

#[tokio::test]
async fn digest_approval_never_serves_a_check_without_one() {
    let a = "a".repeat(64);
    let digest = [(DIGEST, a.as_str())];
    let bare = json!({ "action_name": "db_delete" });
    assert!(!approval_serves((&digest, bare.clone()), (&[], bare), "input").await);
}

#[tokio::test]
async fn approval_serves_once_by_default_however_many_race_for_it() {
    let api = open().await;
    let (agent, key) = api.worker().await;
    let approval = api.check(&key, &agent, "db_delete").await.held();
    api.approve(ADMIN, &approval).await.ok();
    let answers =
        futures_util::future::join_all((0..16).map(|_| api.check(&key, &agent, "db_delete"))).await;
    assert_eq!(answers.iter().filter(|answer| answer.body["allowed"] == true).count(), 1);
    let others: std::collections::HashSet<String> =
        answers.iter().filter(|answer| answer.body["allowed"] == false).map(Answer::held).collect();
    assert_eq!(others.len(), 1, "one new approval, however many race to open it");
    assert!(!others.contains(&approval));
    assert_eq!(api.approval(&approval).await["status"], "consumed");
}

#[tokio::test]
async fn longer_window_serves_more_than_once_only_when_bound_to_the_input() {
    let api = with_policies(
        r#"@id("hold") @elevate @window("1h") permit (principal, action, resource);"#,
    )
    .await;
    let (agent, key) = api.worker().await;
    let body = json!({ "agent_id": agent, "action_name": "db_delete" });
    let digest = "a".repeat(64);
    let headers = [(DIGEST, digest.as_str())];
    let standing = api.check_with(&key, &headers, body.clone()).await.held();
    api.approve(ADMIN, &standing).await.ok();
    for _ in 0..3 {
        api.check_with(&key, &headers, body.clone()).await.allowed();
    }
    let once = api.check_as(&key, body.clone()).await.held();
    api.approve(ADMIN, &once).await.ok();
    api.check_as(&key, body.clone()).await.allowed();
    api.check_as(&key, body).await.held();
}

// Who decides.

#[tokio::test]
async fn key_that_asked_under_an_approval_cannot_decide_it() {
    let api = open().await;
    let (agent, key) = api.worker().await;
    let second_admin = api.guardian.create_key(Role::Admin, &[]).await.unwrap();
    let approval = api.check(&key, &agent, "db_delete").await.held();
    // The agent's own key is no operator's; the admin joins the askers.
    api.approve(&key, &approval).await.refused(403, "AUTH_DENIED");
    assert_eq!(api.check(ADMIN, &agent, "db_delete").await.held(), approval);
    for answer in [api.approve(ADMIN, &approval).await, api.deny(ADMIN, &approval).await] {
        answer.refused(403, "AUTH_DENIED");
    }
    assert_eq!(api.approval(&approval).await["status"], "pending");
    assert_eq!(api.approve(&second_admin, &approval).await.ok().body["status"], "approved");
    let approval = api.approval(&approval).await;
    assert_eq!(approval["decided_by"], "ada@example.com");
    assert!(approval["decided_by_key"].as_str().unwrap().starts_with("key_"));
}

#[tokio::test]
async fn self_approval_works_only_where_it_is_allowed_and_the_audit_says_so() {
    let api = open_with(|builder| builder.allow_self_approval(true)).await;
    let agent = api.agent(&["*"]).await;
    let approval = api.check(ADMIN, &agent, "db_delete").await.held();
    api.approve(ADMIN, &approval).await.ok();
    api.check(ADMIN, &agent, "db_delete").await.allowed();
    assert_eq!(api.audit("approval.approved").await[0]["body"]["own_request"], true);
    assert_eq!(api.audit("guardian.started").await[0]["body"]["allow_self_approval"], true);
}

#[tokio::test]
async fn quorum_counts_distinct_approvers() {
    let api =
        with_policies(r#"@id("hold") @elevate @quorum("2") permit (principal, action, resource);"#)
            .await;
    let (agent, key) = api.worker().await;
    let (one, two) = (api.key(Role::Operator, &[]).await, api.key(Role::Operator, &[]).await);
    let approval = api.check(&key, &agent, "db_delete").await.held();
    for _ in 0..2 {
        let answer = api.approve(&one, &approval).await.ok();
        assert_eq!(
            (&answer.body["status"], &answer.body["approvals"]),
            (&json!("pending"), &json!(1))
        );
    }
    api.check(&key, &agent, "db_delete").await.held();
    assert_eq!(api.approve(&two, &approval).await.ok().body["status"], "approved");
    api.check(&key, &agent, "db_delete").await.allowed();
    // One denial is enough, whatever the quorum.
    let approval = api.check(&key, &agent, "db_delete").await.held();
    api.approve(&one, &approval).await.ok();
    assert_eq!(api.deny(&two, &approval).await.ok().body["status"], "denied");
}

#[tokio::test]
async fn vote_of_a_key_that_asks_afterwards_does_not_count() {
    let api =
        with_policies(r#"@id("hold") @elevate @quorum("2") permit (principal, action, resource);"#)
            .await;
    let (agent, key) = api.worker().await;
    let (one, two) = (api.key(Role::Admin, &[]).await, api.key(Role::Operator, &[]).await);
    let approval = api.check(&key, &agent, "db_delete").await.held();
    api.approve(&one, &approval).await.ok();
    api.check(&one, &agent, "db_delete").await.held();
    assert_eq!(api.approve(&two, &approval).await.ok().body["status"], "pending");
    assert_eq!(api.approval(&approval).await["approvals"], 1, "what is shown is what counts");
}

#[tokio::test]
async fn vote_of_a_key_that_was_revoked_does_not_count() {
    let api =
        with_policies(r#"@id("hold") @elevate @quorum("2") permit (principal, action, resource);"#)
            .await;
    let (agent, key) = api.worker().await;
    let made = api.post("/api/v1/keys", ADMIN, json!({ "role": "operator" })).await.ok();
    let (gone, gone_id) = (made.text("key"), made.text("id"));
    let (one, two) = (api.key(Role::Operator, &[]).await, api.key(Role::Operator, &[]).await);
    let approval = api.check(&key, &agent, "db_delete").await.held();
    api.approve(&gone, &approval).await.ok();
    assert_eq!(api.approval(&approval).await["approvals"], 1);
    let path = format!("/api/v1/keys/{gone_id}");
    api.ask(axum::http::Method::DELETE, &path, ADMIN, None).await.ok();
    assert_eq!(api.approval(&approval).await["approvals"], 0);
    let answer = api.approve(&one, &approval).await.ok();
    assert_eq!((&answer.body["status"], &answer.body["approvals"]), (&json!("pending"), &json!(1)));
    assert_eq!(api.approve(&two, &approval).await.ok().body["status"], "approved");
}

#[tokio::test]
async fn vote_of_the_embedded_owner_counts_though_its_key_is_in_no_table() {
    let api =
        with_policies(r#"@id("hold") @elevate @quorum("2") permit (principal, action, resource);"#)
            .await;
    let (agent, key) = api.worker().await;
    let approval = api.check(&key, &agent, "db_delete").await.held();
    api.guardian.client().approvals().approve(&approval, "the owner").await.unwrap();
    assert_eq!(api.approval(&approval).await["approvals"], 1);
    assert_eq!(api.approve(ADMIN, &approval).await.ok().body["status"], "approved");
}

#[tokio::test]
async fn decided_approval_cannot_be_decided_again() {
    let api = open().await;
    let (agent, key) = api.worker().await;
    let operator = api.key(Role::Operator, &[]).await;
    let approval = api.check(&key, &agent, "db_delete").await.held();
    api.approve(&operator, &approval).await.ok();
    // The same word once more: its first answer may have been lost.
    assert_eq!(api.approve(&operator, &approval).await.ok().body["status"], "approved");
    api.deny(&operator, &approval).await.refused(409, "CONFLICT");
    api.approve(ADMIN, &approval).await.refused(409, "CONFLICT");
    api.approve(ADMIN, "apr_nobody").await.refused(404, "NOT_FOUND");
}

// Held again.

#[tokio::test]
async fn check_that_matches_a_pending_approval_returns_its_id_and_never_extends_it() {
    let api = open().await;
    let (agent, key) = api.worker().await;
    let approval = api.check(&key, &agent, "db_delete").await.held();
    let expires_at = api.approval(&approval).await["expires_at"].clone();
    tokio::time::sleep(Duration::from_millis(20)).await;
    assert_eq!(api.check(&key, &agent, "db_delete").await.held(), approval);
    assert_eq!(api.approval(&approval).await["expires_at"], expires_at);
    assert!(expires_at.as_str().unwrap().ends_with('Z'));
}

#[tokio::test]
async fn denial_holds_for_the_rest_of_its_window() {
    let api = open_with(|builder| builder.approval_ttl(Duration::from_millis(600))).await;
    let (agent, key) = api.worker().await;
    let approval = api.check(&key, &agent, "db_delete").await.held();
    api.deny(ADMIN, &approval).await.ok();
    api.check(&key, &agent, "db_delete").await.denied("was denied");
    tokio::time::sleep(Duration::from_millis(650)).await;
    assert_ne!(api.check(&key, &agent, "db_delete").await.held(), approval);
}

#[tokio::test]
async fn denial_holds_whatever_effect_and_scopes_the_next_check_comes_with() {
    let api = open().await;
    let (agent, key) = api.worker().await;
    let approval = api.check(&key, &agent, "db_delete").await.held();
    api.deny(ADMIN, &approval).await.ok();
    let raised = json!({ "agent_id": agent, "action_name": "db_delete", "action_effect": "admin" });
    let answer = api.check_as(&key, raised.clone()).await;
    assert_eq!(answer.denied("was denied").body["approval_id"], approval);
    let scoped = [("agenttrust-scopes", "db:write")];
    let answer = api.check_with(&key, &scoped, raised).await;
    assert_eq!(answer.denied("was denied").body["approval_id"], approval);
    let set = json!({ "effect": "admin" });
    api.put("/api/v1/tools/db_delete/effect", ADMIN, set).await.ok();
    api.check(&key, &agent, "db_delete").await.denied("was denied");
    // Another session, or another input, was not asked about.
    api.check_in(&key, &agent, "db_delete", "s1").await.held();
    let digest = "a".repeat(64);
    let body = json!({ "agent_id": agent, "action_name": "db_delete" });
    api.check_with(&key, &[(DIGEST, digest.as_str())], body).await.held();
}

#[tokio::test]
async fn approval_by_a_key_that_was_revoked_serves_nobody() {
    let api = open().await;
    let (agent, key) = api.worker().await;
    let made = api.post("/api/v1/keys", ADMIN, json!({ "role": "operator" })).await.ok();
    let approval = api.check(&key, &agent, "db_delete").await.held();
    api.approve(&made.text("key"), &approval).await.ok();
    let path = format!("/api/v1/keys/{}", made.text("id"));
    api.ask(axum::http::Method::DELETE, &path, ADMIN, None).await.ok();
    assert_ne!(api.check(&key, &agent, "db_delete").await.held(), approval);
}

#[tokio::test]
async fn repeated_check_is_allowed_only_by_what_policy_demands_now() {
    let held = |terms: &str| {
        let text = format!("@id(\"hold\") @elevate {terms} permit (principal, action, resource);");
        json!({ "files": [{ "name": "all.cedar", "text": text }] })
    };
    let wide = r#"@window("1h")"#;
    for (then, uses, now, still) in [
        (wide, 1, wide, true),
        (wide, 1, r#"@window("1h") @quorum("1")"#, true),
        (wide, 1, r#"@window("1h") @quorum("2")"#, false),
        (wide, 1, r#"@window("1s")"#, false),
        (wide, 1, r#"@window("1h") @single_use"#, true),
        (wide, 2, r#"@window("1h") @single_use"#, false),
        (r#"@window("1h") @quorum("2")"#, 1, r#"@window("1h") @quorum("2")"#, true),
    ] {
        let api = open().await;
        api.put("/api/v1/policies", ADMIN, held(then)).await.ok();
        let (agent, key) = api.worker().await;
        let one = api.key(Role::Operator, &[]).await;
        let other = api.key(Role::Operator, &[]).await;
        let digest = "a".repeat(64);
        let body = json!({ "agent_id": agent, "action_name": "db_delete" });
        let headers = [(DIGEST, digest.as_str()), ("idempotency-key", "once")];
        let approval = api.check_with(&key, &headers[..1], body.clone()).await.held();
        api.approve(&one, &approval).await.ok();
        if api.approval(&approval).await["status"] == "pending" {
            api.approve(&other, &approval).await.ok();
        }
        let first = api.check_with(&key, &headers, body.clone()).await.allowed().text("check_id");
        for _ in 1..uses {
            api.check_with(&key, &headers[..1], body.clone()).await.allowed();
        }
        api.put("/api/v1/policies", ADMIN, held(now)).await.ok();
        tokio::time::sleep(Duration::from_millis(1_050)).await;
        let again = api.check_with(&key, &headers, body.clone()).await;
        if still {
            assert_eq!(again.allowed().text("check_id"), first, "{then} then {now}");
        } else {
            again.denied("less than what is demanded by now");
        }
    }
}

#[tokio::test]
async fn check_whose_first_answer_was_lost_finds_the_approval_that_it_opened() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("guardian.db").to_str().unwrap().to_owned();
    let open = || open_with(|builder| builder.database(&path));
    let api = open().await;
    let (agent, key) = api.worker().await;
    let body = json!({ "agent_id": agent, "action_name": "db_delete" });
    let headers = [("idempotency-key", "once")];
    let approval = api.check_with(&key, &headers, body.clone()).await.held();
    api.guardian.close().await;
    drop(api);
    // The next Guardian remembers no idempotency key; the approval it does.
    let api = open().await;
    assert_eq!(api.check_with(&key, &headers, body.clone()).await.held(), approval);
    api.approve(ADMIN, &approval).await.ok();
    api.check_as(&key, body).await.allowed();
}

#[tokio::test]
async fn at_most_twenty_approvals_of_one_agent_are_pending() {
    let api = open().await;
    let (agent, key) = api.worker().await;
    let mut approvals = Vec::new();
    for n in 0..20 {
        approvals.push(api.check(&key, &agent, &format!("delete_{n}")).await.held());
    }
    api.check(&key, &agent, "delete_20").await.denied("20 approvals pending");
    // What is pending already is still found, and other agents are not in the way.
    assert_eq!(api.check(&key, &agent, "delete_0").await.held(), approvals[0]);
    let (other, other_key) = api.worker().await;
    api.check(&other_key, &other, "delete_20").await.held();
    api.approve(ADMIN, &approvals[3]).await.ok();
    api.check(&key, &agent, "delete_20").await.held();
    let listed = api.get(&format!("/mcp/approvals?status=pending&agent_id={agent}"), ADMIN).await;
    assert_eq!(listed.ok().body["approvals"].as_array().unwrap().len(), 20);
}

#[tokio::test]
async fn after_three_denials_of_one_tool_no_more_approvals_are_opened() {
    let api = open().await;
    let (agent, key) = api.worker().await;
    for n in 0..3 {
        let session = format!("s{n}");
        let approval = api.check_in(&key, &agent, "db_delete", &session).await.held();
        api.deny(ADMIN, &approval).await.ok();
    }
    let answer = api.check_in(&key, &agent, "db_delete", "s3").await;
    assert!(answer.denied("3 times within 10 minutes").body["approval_id"].is_null());
    api.check_in(&key, &agent, "db_drop", "s3").await.held();
}

// Waiting and showing.

/// Waits until one who asks for an approval waits for its decision.
async fn somebody_waits(api: &Api) {
    eventually("nobody waits", async || api.places_held("waiting").await == 1).await;
}

#[tokio::test]
async fn long_poll_answers_on_the_decision_and_not_at_its_end() {
    let api = open().await;
    let (agent, key) = api.worker().await;
    let approval = api.check(&key, &agent, "db_delete").await.held();
    let path = format!("/mcp/approvals/{approval}?wait=30");
    let waiting = async {
        let answer = api.get(&path, &key).await.ok();
        (answer.body["status"].clone(), Instant::now())
    };
    let deciding = async {
        somebody_waits(&api).await;
        api.approve(ADMIN, &approval).await.ok();
        Instant::now()
    };
    let ((status, answered), decided) = tokio::join!(waiting, deciding);
    assert_eq!(status, "approved");
    // Half of what it may wait: slow machines are no failure, sleeping through the decision is.
    assert!(answered.saturating_duration_since(decided) < Duration::from_secs(15));
}

#[tokio::test]
async fn long_poll_answers_when_its_time_or_the_approvals_is_up() {
    let api = open_with(|builder| builder.approval_ttl(Duration::from_secs(4))).await;
    let (agent, key) = api.worker().await;
    let approval = api.check(&key, &agent, "db_delete").await.held();
    let wait = async |seconds: u8| {
        let begun = Instant::now();
        let path = format!("/mcp/approvals/{approval}?wait={seconds}");
        let status = api.get(&path, &key).await.ok().body["status"].clone();
        (status, begun.elapsed())
    };
    let (status, took) = wait(1).await;
    assert_eq!(status, "pending");
    assert!(took >= Duration::from_millis(950), "{took:?}");
    let (status, took) = wait(30).await;
    assert_eq!(status, "expired");
    assert!(took < Duration::from_secs(20), "{took:?}");
    api.approve(ADMIN, &approval).await.refused(409, "CONFLICT");
}

#[tokio::test]
async fn approval_is_pending_for_as_long_as_the_policy_says() {
    let api = with_policies(
        r#"@elevate @pending("2h") permit (principal, action, resource == Tool::"db_delete");
        @elevate permit (principal, action, resource == Tool::"db_drop");"#,
    )
    .await;
    let (agent, key) = api.worker().await;
    for (tool, minutes) in [("db_delete", 120), ("db_drop", 5)] {
        let approval = api.approval(&api.check(&key, &agent, tool).await.held()).await;
        let time = |name: &str| {
            let time: Timestamp = approval[name].as_str().unwrap().parse().unwrap();
            time.unix_micros()
        };
        assert_eq!(time("expires_at") - time("created_at"), minutes * 60_000_000, "{tool}");
    }
    let listed = api.get("/api/v1/policies", ADMIN).await.ok().body;
    assert_eq!(listed["policies"][1]["elevate"]["pending_seconds"], 7_200, "{listed}");
}

#[tokio::test]
async fn revoking_an_agent_answers_those_who_wait_for_its_approvals_and_records_each() {
    let api = open().await;
    let (agent, key) = api.worker().await;
    let waited_for = api.check(&key, &agent, "db_delete").await.held();
    let approved = api.check(&key, &agent, "db_drop").await.held();
    api.approve(ADMIN, &approved).await.ok();
    let path = format!("/mcp/approvals/{waited_for}?wait=30");
    let waiting = async {
        let answer = api.get(&path, ADMIN).await.ok();
        (answer.body["status"].clone(), Instant::now())
    };
    let revoking = async {
        somebody_waits(&api).await;
        let path = format!("/api/v1/agents/{agent}/revoke");
        api.post(&path, ADMIN, json!({})).await.ok();
        Instant::now()
    };
    let ((status, answered), revoked) = tokio::join!(waiting, revoking);
    assert_eq!(status, "expired");
    assert!(answered.saturating_duration_since(revoked) < Duration::from_secs(1));
    let rows = api.audit("approval.expired").await;
    let mut expired: Vec<_> =
        rows.iter().map(|row| row["body"]["approval_id"].as_str().unwrap()).collect();
    expired.sort_unstable();
    let mut both = [waited_for.as_str(), approved.as_str()];
    both.sort_unstable();
    assert_eq!(expired, both);
}

#[tokio::test]
async fn key_that_approved_does_not_use_what_it_approved() {
    let api = open().await;
    let (agent, key) = api.worker().await;
    let both = api.key(Role::Admin, &[]).await;
    let approval = api.check(&key, &agent, "db_delete").await.held();
    api.approve(&both, &approval).await.ok();
    // Its own request is another matter, which somebody else has to decide.
    let own = api.check(&both, &agent, "db_delete").await.held();
    assert_ne!(own, approval);
    api.approve(&both, &own).await.refused(403, "AUTH_DENIED");
}
