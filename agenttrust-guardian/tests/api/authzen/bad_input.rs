//! What is refused, with a sentence that names the member at fault.

use agenttrust_testkit::{ADMIN, Answer};
use axum::body::Body;
use axum::http::Request;
use serde_json::{Value, json};

use super::{EVALUATION, EVALUATIONS, REQUESTS, deletes};
use crate::support::{Harness, open};

/// Sends a body as it is.
async fn sends(harness: &Harness, path: &str, kind: Option<&str>, body: &str) -> Answer {
    let mut request = Request::post(path).header("X-API-Key", &harness.key);
    if let Some(kind) = kind {
        request = request.header("Content-Type", kind);
    }
    harness.send(request.body(Body::from(body.to_owned())).unwrap()).await
}

/// Returns an evaluation with everything that it may have.
fn whole(agent: &str) -> Value {
    json!({
        "subject": { "type": "agent", "id": agent, "properties": { "a": 1 } },
        "action": { "name": "list_files", "properties": { "a": 1 } },
        "resource": { "type": "file", "id": "a", "properties": { "a": 1 } },
        "context": { "session_id": "mine", "approval": { "id": "apr_1" } },
    })
}

/// Returns the place of a member as an error names it.
fn field(place: &str) -> String {
    place[1..].replace('/', ".")
}

#[tokio::test]
async fn member_that_is_missing_or_null_is_named() {
    let harness = Harness::new(open().await).await;
    for required in [
        "/subject",
        "/action",
        "/resource",
        "/subject/type",
        "/subject/id",
        "/action/name",
        "/resource/type",
        "/resource/id",
        "/context/approval/id",
    ] {
        for absent in [true, false] {
            let mut body = whole(&harness.agent);
            let (parent, name) = required.rsplit_once('/').unwrap();
            let parent = body.pointer_mut(parent).unwrap().as_object_mut().unwrap();
            if absent {
                parent.remove(name);
            } else {
                parent.insert(name.to_owned(), Value::Null);
            }
            for path in [EVALUATION, EVALUATIONS] {
                let answer = harness.post(path, &harness.key, body.clone()).await;
                let field = field(required);
                answer.refused(400, "VALIDATION_ERROR").says(&format!("{field} is missing"));
                assert_eq!(answer.body["details"]["field"], field, "{answer:?}");
            }
        }
    }
    // What may be left out may be `null`.
    for optional in
        ["/subject/properties", "/action/properties", "/resource/properties", "/context"]
    {
        let mut body = whole(&harness.agent);
        *body.pointer_mut(optional).unwrap() = Value::Null;
        harness.post(EVALUATION, &harness.key, body).await.ok();
    }
}

#[tokio::test]
async fn request_for_access_names_everything_that_it_lacks_at_once() {
    let harness = Harness::new(open().await).await;
    for (lacking, says) in [
        (json!({}), "subject, action, resource and denial are missing; give each a value"),
        (
            json!({ "subject": { "type": null }, "action": {}, "resource": { "id": "a" }, "denial": {} }),
            "subject.type, subject.id, action.name, resource.type, denial.expires_at and \
             denial.binding_token are missing",
        ),
    ] {
        let answer = harness.post(REQUESTS, &harness.key, lacking).await;
        answer.refused(400, "VALIDATION_ERROR").says(says);
    }
    // As do evaluations, each in its place.
    let answer = harness.post(EVALUATION, &harness.key, json!({})).await;
    answer.refused(400, "VALIDATION_ERROR").says("subject, action and resource are missing");
    let list =
        json!({ "subject": whole(&harness.agent)["subject"], "evaluations": [{ "action": {} }] });
    let answer = harness.post(EVALUATIONS, &harness.key, list).await.ok();
    let said = answer.body["evaluations"][0]["context"]["error"]["message"].as_str().unwrap();
    let both = "evaluations[0].action.name and evaluations[0].resource are missing";
    assert!(said.starts_with(both), "{said}");
}

#[tokio::test]
async fn member_of_another_type_and_name_that_is_none_are_named() {
    let harness = Harness::new(open().await).await;
    for (place, wrong) in [
        ("/subject", json!("alice")),
        ("/subject", json!(["agent", "a"])),
        ("/subject/type", json!(1)),
        ("/subject/id", json!(["a"])),
        ("/subject/properties", json!([])),
        ("/action", json!("read")),
        ("/action/name", json!(123)),
        ("/action/properties", json!("x")),
        ("/resource", json!([])),
        ("/resource/id", json!(1)),
        ("/resource/properties", json!(true)),
        ("/context", json!("x")),
        ("/context/session_id", json!(1)),
        ("/context/approval", json!("apr_1")),
        ("/context/approval/id", json!(1)),
    ] {
        let mut body = whole(&harness.agent);
        *body.pointer_mut(place).unwrap() = wrong.clone();
        let answer = harness.post(EVALUATION, &harness.key, body).await;
        let said = format!("{} is not as it must be: expected", field(place));
        answer.refused(400, "VALIDATION_ERROR").says(&said);
    }
    for (place, name) in [
        ("/subject/id", ""),
        ("/action/name", ""),
        ("/resource/type", "a\nb"),
        ("/resource/id", "a\u{7}"),
        ("/action/name", &"x".repeat(201)),
        ("/resource/id", &"x".repeat(1_025)),
        ("/context/session_id", "a\0"),
    ] {
        let mut body = whole(&harness.agent);
        *body.pointer_mut(place).unwrap() = json!(name);
        let answer = harness.post(EVALUATION, &harness.key, body).await;
        answer.refused(400, "VALIDATION_ERROR").says(&field(place));
    }
    assert_eq!(harness.audit("decision").await, Vec::<Value>::new());
}

#[tokio::test]
async fn what_can_be_read_in_two_ways_or_in_none_is_refused() {
    let harness = Harness::new(open().await).await;
    let json = Some("application/json");
    let agent = &harness.agent;
    let body = |subject: &str, more: &str| {
        format!(
            r#"{{"subject": {{"type": "agent", "id": "{agent}"{subject}}}, "action": {{"name": "list_files"}},
                "resource": {{"type": "file", "id": "a"}}{more}}}"#
        )
    };
    let nested = |depth: usize| "[".repeat(depth) + &"]".repeat(depth);
    for (said, because) in [
        (body("", r#", "action": {"name": "db_delete"}"#), "body says a member twice"),
        (body(r#", "id": "agt_other""#, ""), "body says a member twice"),
        (body(r#", "properties": {"a": {"b": 1, "b": 2}}"#, ""), "body says a member twice"),
        (body(r#", "properties": {"a": 1, "\u0061": 2}"#, ""), "body says a member twice"),
        (
            body(r#", "properties": {"a.b": 1, "a": {"b": 2}}"#, ""),
            "subject says twice what property",
        ),
        (body(r#", "properties": {"n": 9007199254740993}"#, ""), "beyond 2^53"),
        (body("", &format!(r#", "context": {{"a": {}}}"#, nested(40))), "nested deeper"),
        (body("", &format!(r#", "context": {{"a": {}}}"#, nested(200))), "body is not JSON"),
        (body("", &format!(r#", "context": {{"a": "{}"}}"#, "x".repeat(70_000))), "bytes long"),
        (body("", r#", "context": {"n": 1e999}"#), "body is not JSON"),
        ("{".to_owned(), "body is not JSON"),
        (String::new(), "body is not JSON"),
        ("[]".to_owned(), "body is not as it must be: expected an object"),
        ("null".to_owned(), "body is not as it must be: expected an object"),
        (body("", "") + "{}", "body is not JSON"),
    ] {
        let answer = sends(&harness, EVALUATION, json, &said).await;
        answer.refused(400, "VALIDATION_ERROR").says(because);
    }
    let good = body("", "");
    for kind in [
        None,
        Some("text/plain"),
        Some("application/jsonx"),
        Some("application/x-www-form-urlencoded"),
    ] {
        let answer = sends(&harness, EVALUATION, kind, &good).await;
        answer.refused(400, "VALIDATION_ERROR").says("Content-Type is not application/json");
    }
    for kind in ["application/json", "application/json; charset=utf-8", "APPLICATION/JSON"] {
        sends(&harness, EVALUATION, Some(kind), &good).await.ok();
    }
    let many: Value =
        (0..300).map(|n| (n.to_string(), json!(n))).collect::<serde_json::Map<_, _>>().into();
    let many = body("", &format!(r#", "context": {many}"#));
    sends(&harness, EVALUATION, json, &many)
        .await
        .refused(400, "VALIDATION_ERROR")
        .says("256 properties");
}

#[tokio::test]
async fn subject_of_unknown_type_is_refused_with_those_that_are_known() {
    let harness = Harness::new(open().await).await;
    let of = |kind: &str| {
        json!({
            "subject": { "type": kind, "id": "r2d2" }, "action": { "name": "list_files" },
            "resource": { "type": "file", "id": "a" },
        })
    };
    for kind in ["robot", "Agent", "agents", "doc"] {
        let answer = harness.post(EVALUATION, &harness.key, of(kind)).await;
        answer
            .refused(400, "VALIDATION_ERROR")
            .says("use \"agent\"")
            .says("\"user\" or \"identity\"");
        assert_eq!(answer.body["details"]["field"], "subject.type");
    }
    for kind in ["user", "identity"] {
        harness.post(EVALUATION, &harness.key, of(kind)).await.ok();
        // Which agent acts for it must be known: no key but that of one agent says so.
        let answer = harness.post(EVALUATION, ADMIN, of(kind)).await;
        answer.refused(400, "VALIDATION_ERROR").says("X-Agent-ID");
        let named = harness.with(&[("X-Agent-ID", &harness.agent)]);
        named.post(EVALUATION, ADMIN, of(kind)).await.ok();
    }
    let (other, _) = harness.worker().await;
    let both = harness.key("agent", &[&harness.agent, &other]).await;
    harness.post(EVALUATION, &both, of("user")).await.refused(400, "VALIDATION_ERROR");
    harness.with(&[("X-Agent-ID", &other)]).post(EVALUATION, &both, of("user")).await.ok();
}

#[tokio::test]
async fn options_and_lists_are_as_they_must_be() {
    let harness = Harness::new(open().await).await;
    let one = deletes(&harness.agent, "users");
    for (member, wrong, because) in [
        ("evaluations", json!({}), "evaluations is not as it must be: expected a list"),
        ("evaluations", json!([1]), "evaluations[0] is not as it must be: expected an object"),
        ("evaluations", json!([{}, []]), "evaluations[1] is not as it must be: expected an object"),
        ("options", json!([]), "options is not as it must be"),
        (
            "options",
            json!({ "evaluations_semantic": 1 }),
            "options.evaluations_semantic is not as it must be",
        ),
        (
            "options",
            json!({ "evaluations_semantic": "deny_on_first" }),
            "use execute_all, deny_on_first_deny or permit_on_first_permit",
        ),
        (
            "options",
            json!({ "evaluations_semantic": "unknown" }),
            "options.evaluations_semantic is not known",
        ),
        ("options", json!({ "explain": "yes" }), "options.explain is not as it must be"),
        ("subject", json!("alice"), "subject is not as it must be"),
    ] {
        let mut body = one.clone();
        body["evaluations"] = json!([{}]);
        body[member] = wrong;
        let answer = harness.post(EVALUATIONS, &harness.key, body).await;
        answer.refused(400, "VALIDATION_ERROR").says(because);
    }
}

#[tokio::test]
async fn request_for_access_is_as_the_profile_has_it() {
    let harness = Harness::new(open().await).await;
    let mut whole = deletes(&harness.agent, "users");
    whole["denial"] = json!({ "binding_token": "a.b.c", "expires_at": "2030-01-01T00:00:00Z" });
    for (member, wrong, because) in [
        ("denial", Value::Null, "denial is missing"),
        ("denial", json!("x"), "denial is not as it must be"),
        ("denial", json!({ "binding_token": "a.b.c" }), "denial.expires_at is missing"),
        ("denial", json!({ "expires_at": "soon" }), "denial.expires_at is not as it must be"),
        ("denial", json!({ "expires_at": 1 }), "denial.expires_at is not as it must be"),
        ("items", json!([]), "items is not taken"),
        ("callback", json!({ "endpoint": "https://a.example" }), "callback is not taken"),
        ("requested_access", json!([]), "requested_access is not as it must be"),
        ("client", json!([]), "client is not as it must be"),
        ("subject", Value::Null, "subject is missing"),
    ] {
        let mut body = whole.clone();
        body[member] = wrong;
        let answer = harness.post(REQUESTS, &harness.key, body).await;
        answer.refused(400, "VALIDATION_ERROR").says(because);
    }
    for actor in [
        json!({ "id": "agt_other" }),
        json!({ "id": harness.agent, "act": { "sub": "x" } }),
        json!({}),
    ] {
        let mut body = whole.clone();
        body["client"] = json!({ "actor": actor });
        let answer = harness.post(REQUESTS, &harness.key, body).await;
        answer.refused(403, "AUTH_DENIED").says("client.actor");
    }
    let named = harness.with(&[("Idempotency-Key", &"x".repeat(201))]);
    named.post(REQUESTS, &harness.key, whole).await.refused(400, "VALIDATION_ERROR");
}
