//! Access: what the client asks for, and that nothing but a plain yes permits anything.

use agenttrust::client::AccessOptions;
use agenttrust::model::{
    AccessAction, AccessEvaluation, AccessEvaluations, AccessRequest, AccessResource,
    AccessSubject, AccessTaskStatus, CancelAccessRequest, EvaluationsSemantic,
};
use agenttrust::{AgentTrustError, blocking};
use serde_json::{Value, json};

use crate::scripted::{Say, Scripted};

fn asked() -> AccessEvaluation {
    AccessEvaluation::new(
        AccessSubject::agent("agt_1"),
        AccessAction::new("files_delete"),
        AccessResource::new("file", "draft.md"),
    )
}

fn on_the_wire() -> Value {
    json!({
        "subject": { "type": "agent", "id": "agt_1" },
        "action": { "name": "files_delete" },
        "resource": { "type": "file", "id": "draft.md" },
    })
}

fn denied() -> Value {
    let access_request = json!({ "expires_at": "2100-01-01T00:00:00Z", "binding_token": "a.b.c" });
    json!({ "decision": false, "context": { "evaluation_id": "chk_1", "access_request": access_request } })
}

fn task(status: &str) -> Value {
    json!({ "id": "apr_1", "status": status })
}

/// Returns what was asked, without the address.
fn asked_for(scripted: &Scripted) -> Vec<(String, Value)> {
    let others = scripted.others().into_iter();
    others.map(|(what, body)| (what.replace("http://guardian.test", ""), body)).collect()
}

#[tokio::test]
async fn denied_access_is_requested_and_evaluated_again_with_its_approval() {
    let approval = json!({ "id": "apr_1", "approved_until": "2100-01-01T00:00:00Z" });
    let scripted = Scripted::answers([
        denied(),
        json!({ "task": task("pending") }),
        json!({ "task": task("pending") }),
        json!({ "task": task("approved"), "result": { "mode": "reevaluate", "approval": approval } }),
        json!({ "decision": true, "context": { "evaluation_id": "chk_2" } }),
    ]);
    let client = scripted.client();
    let access = client.access();
    let decided = access.evaluate(&asked()).await.unwrap();
    assert!(!decided.decision);
    let request = AccessRequest::of(&asked(), &decided).unwrap().justified_by("a duplicate");
    let opened = access.request(&request).await.unwrap();
    assert_eq!((&*opened.task.id, opened.task.status), ("apr_1", AccessTaskStatus::Pending));
    assert!(access.task(&opened.task.id).await.unwrap().approval().is_none());
    let approved = access.task(&opened.task.id).await.unwrap();
    let again = asked().with_approval(approved.approval().unwrap());
    assert!(access.evaluate(&again).await.unwrap().decision);

    let mut requested = on_the_wire();
    requested["context"] = json!({ "business_justification": "a duplicate" });
    requested["denial"] = json!({
        "evaluation_id": "chk_1", "expires_at": "2100-01-01T00:00:00Z", "binding_token": "a.b.c",
    });
    let mut presented = on_the_wire();
    presented["context"] = json!({ "approval": approval });
    let expected = [
        ("POST /access/v1/evaluation", on_the_wire()),
        ("POST /access/v1/requests", requested),
        ("GET /access/v1/requests/apr_1", Value::Null),
        ("GET /access/v1/requests/apr_1", Value::Null),
        ("POST /access/v1/evaluation", presented),
    ];
    assert_eq!(asked_for(&scripted), expected.map(|(what, body)| (what.to_owned(), body)));
}

#[tokio::test]
async fn only_a_plain_yes_permits_and_what_is_not_known_is_skipped() {
    let scripted = Scripted::answers([
        json!({}),
        json!({ "context": { "reason": "later", "more": 1 }, "more": 1 }),
        json!({ "evaluations": [{ "decision": true }, {}, { "decision": false }] }),
        json!({}),
        json!({ "access_evaluation_endpoint": "https://pdp.example/access/v1/evaluation", "x": 1 }),
    ]);
    let client = scripted.client();
    let access = client.access();
    for _ in 0..2 {
        assert!(!access.evaluate(&asked()).await.unwrap().decision);
    }
    let several = AccessEvaluations::new([asked(), asked(), asked()])
        .semantic(EvaluationsSemantic::DenyOnFirstDeny);
    let decided = access.evaluations(&several).await.unwrap().evaluations;
    assert_eq!(decided.iter().map(|one| one.decision).collect::<Vec<_>>(), [true, false, false]);
    assert!(access.evaluations(&several).await.unwrap().evaluations.is_empty());
    let said = access.configuration().await.unwrap();
    assert!(said.access_request_endpoint.is_none() && !said.access_evaluation_endpoint.is_empty());

    let body = json!({
        "evaluations": [on_the_wire(), on_the_wire(), on_the_wire()],
        "options": { "evaluations_semantic": "deny_on_first_deny" },
    });
    assert_eq!(asked_for(&scripted)[2], ("POST /access/v1/evaluations".to_owned(), body));
    assert_eq!(asked_for(&scripted)[4].0, "GET /.well-known/authzen-configuration");
    // A list is no decision, and text that says yes is none either.
    for no_decision in [json!([true]), json!("true"), json!({ "decision": "true" })] {
        let scripted = Scripted::answers([no_decision]);
        assert!(scripted.client().access().evaluate(&asked()).await.is_err());
    }
}

#[tokio::test]
async fn problem_of_a_request_says_what_it_is_and_what_is_wrong() {
    let problem = |kind: &str, status| {
        let kind = format!("urn:openid:authzen:access-request:error:{kind}");
        let body = json!({ "type": kind, "title": "t", "status": status, "detail": "because" });
        Say::Answer(status, vec![("content-type", "application/problem+json")], body)
    };
    let scripted = Scripted::default().and_of_approvals([
        problem("duplicate_request", 409),
        problem("invalid_request", 400),
        Say::Answer(409, vec![], json!({ "title": "only a title" })),
    ]);
    let client = scripted.client();
    let decided = serde_json::from_value(denied()).unwrap();
    let request = AccessRequest::of(&asked(), &decided).unwrap();
    let options = AccessOptions::default().idempotency_key("order-7");
    let error = client.access().request_with(&request, &options).await.unwrap_err();
    assert_eq!(error.code(), "urn:openid:authzen:access-request:error:duplicate_request");
    assert_eq!((error.message().as_ref(), error.status()), ("because", Some(409)));
    let error = client.access().request(&request).await.unwrap_err();
    assert!(matches!(error, AgentTrustError::Validation { status: 400, .. }), "{error}");
    let error = client.access().cancel("apr_1", &CancelAccessRequest::default()).await.unwrap_err();
    assert_eq!((error.code(), error.message().as_ref()), ("HTTP_409", "only a title"));
    assert_eq!(
        asked_for(&scripted)[2],
        ("POST /access/v1/requests/apr_1/cancel".to_owned(), json!({}))
    );
}

#[test]
fn blocking_calls_are_the_same() {
    let scripted = Scripted::answers([
        denied(),
        json!({ "task": task("pending") }),
        json!({ "task": task("cancelled") }),
    ]);
    let client = blocking::AgentTrustClient::from(scripted.client());
    let decided = client.access().evaluate(&asked()).unwrap();
    let opened = client.access().request(&AccessRequest::of(&asked(), &decided).unwrap()).unwrap();
    let ended = client.access().cancel(&opened.task.id, &CancelAccessRequest::default()).unwrap();
    assert_eq!(ended.task.status, AccessTaskStatus::Cancelled);
}

#[tokio::test]
async fn every_question_has_a_name_so_that_a_broken_connection_asks_it_once() {
    use std::sync::{Arc, Mutex};

    let seen = Arc::new(Mutex::new(Vec::new()));
    let heard = Arc::clone(&seen);
    let service = tower::service_fn(move |request: http::Request<bytes::Bytes>| {
        let named = ["x-request-id", "idempotency-key", "x-agent-id"]
            .map(|name| request.headers().get(name).map(|name| name.to_str().unwrap().to_owned()));
        let mut seen = heard.lock().unwrap();
        seen.push(named);
        // Each first sending breaks off.
        let breaks = seen.len() % 2 == 1;
        async move {
            if breaks {
                return Err(std::io::Error::from(std::io::ErrorKind::ConnectionReset));
            }
            let said = json!({ "decision": true, "task": task("pending") }).to_string();
            Ok(http::Response::new(http_body_util::Full::new(bytes::Bytes::from(said))))
        }
    });
    let client = agenttrust::AgentTrustClient::builder().service(service).build().unwrap();
    let access = client.access();
    let for_alice = AccessEvaluation::new(
        AccessSubject::new("user", "alice"),
        AccessAction::new("files_read"),
        AccessResource::new("file", "draft.md"),
    );
    assert!(access.evaluate(&asked()).await.unwrap().decision);
    let options = AccessOptions::default().agent_id("agt_1").idempotency_key("question-7");
    assert!(access.evaluate_with(&for_alice, &options).await.unwrap().decision);
    let several = AccessEvaluations::new([for_alice]);
    access.evaluations_with(&several, &AccessOptions::default()).await.unwrap();
    let decided = serde_json::from_value(denied()).unwrap();
    let request = AccessRequest::of(&asked(), &decided).unwrap();
    access.request(&request).await.unwrap();

    let seen = seen.lock().unwrap().clone();
    for pair in seen.chunks(2) {
        assert_eq!(pair[0], pair[1], "sent again it is the same");
    }
    let [question, named, several, requested] = [0, 2, 4, 6].map(|at| seen[at].clone());
    assert!(question[0].is_some() && question[1].is_none() && question[2].is_none());
    assert_eq!(named, [Some("question-7".to_owned()), None, Some("agt_1".to_owned())]);
    assert!(several[0].is_some() && several[0] != question[0]);
    assert!(requested[0].is_none() && requested[1].is_some());
}
