//! What the specification says, by its examples and by the fixture of its certification.

use agenttrust_testkit::ADMIN;
use serde_json::{Value, json};

use super::{CONFIGURATION, EVALUATION, EVALUATIONS, asked, decided, is, with_policies};
use crate::support::{Harness, open, open_with};

/// Returns the fixture: who may do what to which record.
async fn fixture() -> Harness {
    let archived = is("resource", "status", "archived");
    let admin = is("subject", "role", "admin");
    let soft = r#"context.access.action.hasTag("soft") && context.access.action.getTag("soft") has bool &&
                  context.access.action.getTag("soft").bool"#;
    let who = |ids: &str| {
        format!(
            r#"context has access && context.access.subject.type == "user" &&
               context.access.resource.type == "record" && [{ids}].contains(context.access.subject.id)"#
        )
    };
    let (both, alice, bob) = (who(r#""alice", "bob""#), who(r#""alice""#), who(r#""bob""#));
    with_policies(&format!(
        r#"permit (principal, action, resource == Tool::"read") when {{ {both} }};
           permit (principal, action, resource == Tool::"write") when {{ {alice} && !({archived}) }};
           permit (principal, action, resource == Tool::"write") when {{ {bob} && {archived} && {admin} }};
           permit (principal, action, resource == Tool::"delete") when {{ {alice} && {soft} }};"#
    ))
    .await
}

fn user(id: &str) -> Value {
    json!({ "type": "user", "id": id })
}

fn record(id: &str) -> Value {
    json!({ "type": "record", "id": id })
}

fn archived() -> Value {
    json!({ "type": "record", "id": "record-2", "properties": { "status": "archived" } })
}

#[tokio::test]
async fn fixture_of_the_certification_is_decided_as_it_demands() {
    let harness = fixture().await;
    let admin = json!({ "type": "user", "id": "bob", "properties": { "role": "admin" } });
    let delete = |soft: bool| {
        let mut asked = asked(user("alice"), "delete", record("record-1"));
        asked["action"]["properties"] = json!({ "soft": soft });
        asked
    };
    let mut unknown = asked(user("alice"), "read", record("record-1"));
    unknown["foo"] = json!("bar");
    unknown["futureField"] = json!({ "nested": true });
    unknown["subjects"] = json!(1);
    unknown["subject"]["identity"] = json!("x");
    let mut more = asked(user("alice"), "read", record("record-1"));
    more["subject"]["properties"] = json!({ "department": "Sales", "role": "manager" });
    more["action"]["properties"] = json!({ "method": "GET" });
    more["resource"]["properties"] = json!({ "status": "active", "owner": "bob" });
    more["context"] = json!({ "time": "2025-06-27T18:03-07:00", "ip": "192.168.1.1" });
    for (asked, decision) in [
        (asked(user("alice"), "read", record("record-1")), true),
        (asked(user("alice"), "write", record("record-1")), true),
        (asked(user("bob"), "read", record("record-1")), true),
        (asked(user("bob"), "write", record("record-1")), false),
        (asked(user("alice"), "write", archived()), false),
        (asked(admin, "write", archived()), true),
        (delete(true), true),
        (delete(false), false),
        (unknown, true),
        (more, true),
    ] {
        // The same each time, by either endpoint.
        for path in [EVALUATION, EVALUATION, EVALUATIONS] {
            let answer = harness.post(path, &harness.key, asked.clone()).await;
            decided(&answer, decision);
        }
    }
}

#[tokio::test]
async fn batches_of_the_certification_are_answered_in_order() {
    let harness = fixture().await;
    let active =
        json!({ "type": "record", "id": "record-1", "properties": { "status": "active" } });
    let admin = json!({ "type": "user", "id": "bob", "properties": { "role": "admin" } });
    let decision = |decision: bool| json!({ "decision": decision });
    for (body, decisions) in [
        (
            json!({
                "subject": user("bob"), "resource": record("record-1"),
                "evaluations": [{ "action": { "name": "read" } }, { "action": { "name": "write" } }],
            }),
            [true, false],
        ),
        (
            json!({
                "subject": user("alice"), "action": { "name": "write" },
                "evaluations": [{ "resource": active }, { "resource": archived() }],
            }),
            [true, false],
        ),
        (
            json!({
                "action": { "name": "write" }, "resource": archived(),
                "evaluations": [{ "subject": user("alice") }, { "subject": admin }],
            }),
            [false, true],
        ),
        (
            json!({ "evaluations": [
                asked(user("alice"), "read", record("record-1")), asked(user("bob"), "write", record("record-1")),
            ] }),
            [true, false],
        ),
        (
            json!({
                "subject": user("alice"), "action": { "name": "write" }, "resource": active,
                "evaluations": [{}, { "resource": archived() }],
            }),
            [true, false],
        ),
        (
            json!({
                "subject": user("alice"), "action": { "name": "read" }, "resource": {},
                "context": { "time": "2025-06-27T18:03-07:00" },
                "evaluations": [
                    { "resource": record("record-1") },
                    { "resource": record("record-2"), "context": { "source": "batch-override" } },
                ],
            }),
            [true, true],
        ),
    ] {
        let answer = harness.post(EVALUATIONS, &harness.key, body).await.ok();
        // The items are compared as they are: a plain one has no more to it.
        assert_eq!(answer.body, json!({ "evaluations": decisions.map(decision) }));
    }
}

#[tokio::test]
async fn one_that_is_broken_among_others_is_a_denial_where_it_stands() {
    let harness = fixture().await;
    let decision = |decision: bool| json!({ "decision": decision });
    let broken = json!({
        "subject": user("alice"), "action": { "name": "read" },
        "options": { "evaluations_semantic": "execute_all", "another_option": "value" },
        "evaluations": [{ "resource": record("record-1") }, {}, { "resource": { "type": "record", "id": 1 } }],
    });
    let answer = harness.post(EVALUATIONS, &harness.key, broken).await.ok();
    let said = |message: &str| json!({ "decision": false, "context": { "error": { "status": 400, "message": message } } });
    assert_eq!(
        answer.body["evaluations"],
        json!([
            decision(true),
            said("evaluations[1].resource is missing; give it a value"),
            said("evaluations[2].resource.id is not as it must be: expected a text"),
        ])
    );
    for evaluations in [json!([]), Value::Null] {
        let mut single = asked(user("alice"), "read", record("record-1"));
        single["evaluations"] = evaluations;
        decided(&harness.post(EVALUATIONS, &harness.key, single).await, true);
    }
}

#[tokio::test]
async fn request_id_comes_back_with_every_answer_and_the_same_evaluation_is_decided_once() {
    let harness = fixture().await;
    let named = harness.with(&[("X-Request-ID", "bfe9eb29-ab87-4ca3-be83-a1d5d8305716")]);
    let ask = asked(user("alice"), "read", record("record-1"));
    let first = named.post(EVALUATION, &harness.key, ask.clone()).await.ok();
    let again = named.post(EVALUATION, &harness.key, ask.clone()).await.ok();
    assert_eq!(first.body, again.body);
    assert_eq!(harness.audit("decision").await.len(), 1);
    // Another evaluation under the same id is another one: whoever is in between asks much under one id.
    let other = asked(user("bob"), "write", record("record-1"));
    decided(&named.post(EVALUATION, &harness.key, other).await, false);
    let without = harness.post(EVALUATION, &harness.key, ask.clone()).await.ok();
    assert_ne!(first.body["context"]["evaluation_id"], without.body["context"]["evaluation_id"]);
    assert!(without.headers.get("x-request-id").is_none());
    for (key, path, body, status) in [
        (harness.key.as_str(), EVALUATION, ask.clone(), 200),
        (harness.key.as_str(), EVALUATIONS, ask.clone(), 200),
        (harness.key.as_str(), EVALUATION, json!({}), 400),
        ("sk_unknown", EVALUATION, ask.clone(), 401),
        (harness.operator.as_str(), EVALUATION, ask, 403),
    ] {
        let answer = named.post(path, key, body).await;
        assert_eq!(answer.status, status, "{answer:?}");
        assert_eq!(answer.headers["x-request-id"], "bfe9eb29-ab87-4ca3-be83-a1d5d8305716");
        assert_eq!(answer.headers.contains_key("www-authenticate"), status == 401, "{answer:?}");
    }
}

#[tokio::test]
async fn configuration_says_where_what_is_under_the_public_url_and_the_revision_of_the_profile() {
    let api = open_with(|builder| builder.public_url("https://pdp.example.com")).await;
    let answer = api.get(CONFIGURATION, "").await.ok();
    assert_eq!(answer.headers["content-type"], "application/json");
    assert_eq!(
        answer.body,
        json!({
            "policy_decision_point": "https://pdp.example.com",
            "access_evaluation_endpoint": "https://pdp.example.com/access/v1/evaluation",
            "access_evaluations_endpoint": "https://pdp.example.com/access/v1/evaluations",
            "access_request_endpoint": "https://pdp.example.com/access/v1/requests",
            "access_request_profile":
                "authzen-access-request-approval-profile-1_0, draft 1 of 2026-06-03, experimental",
            "jwks_uri": "https://pdp.example.com/.well-known/jwks.json",
            "capabilities": ["urn:openid:authzen:capability:access-request"],
        })
    );
    // Search is not there, and so it is not named, and answers as what is not there.
    for search in ["subject", "resource", "action"] {
        let path = format!("/access/v1/search/{search}");
        api.post(&path, ADMIN, json!({})).await.refused(404, "NOT_FOUND");
    }
    let answer =
        open().await.with(&[("Host", "guardian.internal")]).get(CONFIGURATION, "").await.ok();
    let said = answer.text("policy_decision_point");
    assert!(said.ends_with("://guardian.internal"), "{said}");
}

#[tokio::test]
async fn evaluation_is_a_check_with_all_that_belongs_to_it() {
    let harness = with_policies(
        r#"@id("reads") @limit("2/1h") permit (principal, action == Action::"read", resource);
           @id("secret") @reason("nobody reads it")
           forbid (principal, action, resource) when { context has access && context.access.resource.id == "secret" };"#,
    )
    .await;
    let agent = |id: &str| json!({ "type": "agent", "id": id });
    let reads = |id: &str, what: &str| {
        asked(agent(id), "list_files", json!({ "type": "file", "id": what }))
    };
    let key = harness.key.as_str();
    let denied = harness.post(EVALUATION, key, reads(&harness.agent, "secret")).await;
    let context = decided(&denied, false);
    assert_eq!(context["reason"], "denied");
    let why = context["reason_admin"]["403"].as_str().unwrap();
    assert!(why.contains("nobody reads it"), "{why}");
    let evaluation_id = context["evaluation_id"].as_str().unwrap();
    let rows = harness.audit("decision").await;
    let row = rows.iter().find(|row| row["body"]["check_id"] == evaluation_id).unwrap();
    assert_eq!(row["body"]["source"], "authzen");
    assert_eq!(row["body"]["policies"], json!(["secret"]));
    assert_eq!(
        row["body"]["access"],
        json!({
            "subject": { "type": "agent", "id": harness.agent }, "resource": { "type": "file", "id": "secret" },
        })
    );
    // The budget counts both.
    decided(&harness.post(EVALUATION, key, reads(&harness.agent, "a")).await, true);
    harness.asks("list_files").await.allowed();
    decided(&harness.post(EVALUATION, key, reads(&harness.agent, "a")).await, false);

    // Capabilities, standing and sessions come before the policies.
    let narrow = harness.agent(&["mail:*"]).await;
    let denied = harness.post(EVALUATION, ADMIN, reads(&narrow, "a")).await;
    assert!(decided(&denied, false)["reason_admin"]["403"].as_str().unwrap().contains("capabilit"));
    let mut in_session = reads(&harness.agent, "a");
    in_session["context"] = json!({ "session_id": "ats_unknown" });
    let denied = harness.post(EVALUATION, key, in_session).await;
    assert!(decided(&denied, false)["reason_admin"]["403"].as_str().unwrap().contains("not open"));
    harness.post(&format!("/api/v1/agents/{}/suspend", harness.agent), ADMIN, json!({})).await.ok();
    let denied = harness.post(EVALUATION, key, reads(&harness.agent, "a")).await;
    assert!(decided(&denied, false)["reason_admin"]["403"].as_str().unwrap().contains("suspended"));
}

#[tokio::test]
async fn policy_that_was_written_for_agents_permits_nothing_to_the_people_they_act_for() {
    let harness = Harness::new(open().await).await;
    let key = harness.key.as_str();
    let file = json!({ "type": "file", "id": "a" });
    let of_agent =
        asked(json!({ "type": "agent", "id": harness.agent }), "list_files", file.clone());
    let of_user = asked(user("alice"), "list_files", file);
    decided(&harness.post(EVALUATION, key, of_agent.clone()).await, true);
    let context = decided(&harness.post(EVALUATION, key, of_user.clone()).await, false);
    let why = context["reason_admin"]["403"].as_str().unwrap();
    assert!(why.contains("context has access") && why.contains("alice"), "{why}");
    // Nor is anything held: nobody is asked to approve what nothing permits.
    let deletes = asked(user("alice"), "db_delete", json!({ "type": "table", "id": "users" }));
    let context = decided(&harness.post(EVALUATION, key, deletes).await, false);
    assert!(context.get("access_request").is_none(), "{context}");

    // One that speaks of them does, within what the agent may; and every `forbid` holds for them.
    for (policies, decision) in [
        ("permit (principal, action, resource) when { context has access };", true),
        (
            r#"permit (principal, action, resource) when { context has access };
               forbid (principal, action, resource == Tool::"list_files");"#,
            false,
        ),
        (
            r#"permit (principal, action, resource);
               permit (principal, action, resource) when { context has access && context.access.subject.id == "bob" };"#,
            false,
        ),
        ("permit (principal, action, resource) unless { context has access };", false),
        // One that would let the agent do it too is the agent's.
        (
            r#"permit (principal, action, resource)
               when { resource.name == "list_files" || context has access };"#,
            false,
        ),
        (
            r#"@shadow permit (principal, action, resource) when { context has access };
               permit (principal, action == Action::"admin", resource);"#,
            false,
        ),
    ] {
        super::put_policies(&harness, policies).await;
        decided(&harness.post(EVALUATION, key, of_user.clone()).await, decision);
    }
    let narrow = harness.agent(&["mail:*"]).await;
    super::put_policies(
        &harness,
        "permit (principal, action, resource) when { context has access };",
    )
    .await;
    let named = harness.with(&[("X-Agent-ID", &narrow)]);
    decided(&named.post(EVALUATION, ADMIN, of_user).await, false);
}
