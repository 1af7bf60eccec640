//! The draft profile, by a client that knows nothing but it: it begins with the configuration, and goes on by what it
//! is told.

use agenttrust_testkit::{ADMIN, Answer, RouterClient};
use axum::http::Method;
use serde_json::{Value, json};

use super::{CONFIGURATION, EVALUATION, decided, deletes, put_policies};
use crate::support::{Harness, open};

const BASE: &str = "https://pdp.example.com";

/// A client of the profile, that is: a policy enforcement point.
pub(super) struct Pep<'a> {
    client: RouterClient,
    key: &'a str,
    evaluation: String,
    requests: String,
}

impl<'a> Pep<'a> {
    /// Reads the configuration, and nothing else.
    pub(super) async fn discover(client: &RouterClient, key: &'a str) -> Self {
        let client = client.with(&[("Host", "pdp.example.com")]);
        let said = client.get(CONFIGURATION, "").await.ok().body;
        let capabilities = said["capabilities"].as_array().unwrap();
        assert!(capabilities.contains(&json!("urn:openid:authzen:capability:access-request")));
        let endpoint = |name: &str| said[name].as_str().unwrap().to_owned();
        let evaluation = endpoint("access_evaluation_endpoint");
        Self { evaluation, requests: endpoint("access_request_endpoint"), client, key }
    }

    /// Asks at an absolute address.
    pub(super) async fn ask(&self, method: Method, url: &str, body: Option<Value>) -> Answer {
        let (_, rest) = url.split_once("://").unwrap();
        let path = rest.find('/').map_or("/", |slash| &rest[slash..]);
        self.client.ask(method, path, self.key, body).await
    }

    pub(super) async fn evaluate(&self, evaluation: &Value) -> Answer {
        self.ask(Method::POST, &self.evaluation, Some(evaluation.clone())).await
    }

    /// Submits a request after a denial: what was evaluated, and the denial as the profile has it.
    pub(super) fn submission(evaluation: &Value, denied: &Value) -> Value {
        let requestable = &denied["access_request"];
        let mut body = evaluation.clone();
        if let Some(context) = body.get_mut("context").and_then(Value::as_object_mut) {
            context.remove("approval");
        }
        body["denial"] = json!({
            "evaluation_id": denied["evaluation_id"],
            "evaluated_at": denied["evaluated_at"],
            "expires_at": requestable["expires_at"],
            "reason": denied["reason"],
            "binding_token": requestable["binding_token"],
            "template": requestable["template"],
        });
        body
    }

    pub(super) async fn submit(&self, idempotency_key: &str, body: &Value) -> Answer {
        let named = self.client.with(&[("Idempotency-Key", idempotency_key)]);
        let pep = Pep {
            client: named,
            key: self.key,
            evaluation: String::new(),
            requests: self.requests.clone(),
        };
        pep.ask(Method::POST, &self.requests, Some(body.clone())).await
    }

    /// Evaluates what is held, and requests access to it; returns the context of the denial and the task.
    pub(super) async fn request(&self, evaluation: &Value) -> (Value, Value) {
        let denied = decided(&self.evaluate(evaluation).await, false);
        let submitted = self.submit("one", &Self::submission(evaluation, &denied)).await;
        assert_eq!(submitted.status, 202, "{submitted:?}");
        (denied, submitted.body["task"].clone())
    }

    pub(super) async fn status(&self, task: &Value) -> Answer {
        self.ask(Method::GET, task["status_endpoint"].as_str().unwrap(), None).await
    }

    /// Returns the approval that a task came to.
    pub(super) async fn approval(&self, task: &Value) -> Value {
        let done = self.status(task).await.ok().body;
        assert_eq!(done["task"]["status"], "approved", "{done}");
        assert_eq!(done["result"]["mode"], "reevaluate", "{done}");
        done["result"]["approval"].clone()
    }
}

/// Returns the same evaluation, with an approval.
pub(super) fn with_approval(evaluation: &Value, approval: &Value) -> Value {
    let mut again = evaluation.clone();
    again["context"]["approval"] = approval.clone();
    again
}

#[tokio::test]
async fn client_that_knows_only_the_profile_gets_access_once_it_is_approved_and_once() {
    let harness = Harness::new(open().await).await;
    let pep = Pep::discover(&harness, &harness.key).await;
    let mut wanted = deletes(&harness.agent, "users");
    wanted["resource"]["properties"] = json!({ "rows": 12 });
    wanted["context"] = json!({ "time": "2026-04-30T20:15:00Z", "ticket": "OPS-7" });

    // 1. A denial that can be requested after.
    let denied = decided(&pep.evaluate(&wanted).await, false);
    assert_eq!(denied["reason"], "approval_required");
    let requestable = &denied["access_request"];
    assert_eq!(
        requestable["endpoint"],
        format!("{BASE}/access/v1/requests").replace("https", "http")
    );
    assert!(requestable["expires_at"].is_string() && requestable["binding_token"].is_string());
    assert!(denied["evaluation_id"].is_string() && denied["evaluated_at"].is_string());
    // Nothing was opened yet: nobody has asked for it.
    let pending = harness.get("/mcp/approvals", ADMIN).await.ok().body;
    assert_eq!(pending["approvals"].as_array().map(Vec::len), Some(0), "{pending}");

    // 2. The request, with another time and a justification; and the same once more.
    let mut body = Pep::submission(&wanted, &denied);
    body["context"]["time"] = json!("2026-04-30T20:16:00Z");
    body["context"]["business_justification"] = json!("the table moved");
    body["requested_access"] = json!({ "requested_until": "2026-05-01T00:15:00Z" });
    let submitted = pep.submit("one", &body).await;
    assert_eq!(submitted.status, 202, "{submitted:?}");
    let task = submitted.body["task"].clone();
    assert_eq!(task["status"], "pending");
    assert_eq!(submitted.headers["location"], task["status_endpoint"].as_str().unwrap());
    assert!(submitted.body.get("result").is_none());
    let again = pep.submit("one", &body).await;
    assert_eq!((again.status, &again.body), (submitted.status, &submitted.body));
    // Under another name it is the same approval, because it is the same that is asked for.
    assert_eq!(pep.submit("two", &body).await.body["task"]["id"], task["id"]);

    // 3. The approver sees exactly what was asked, and what was said for it; and to wait is not to have.
    let id = task["id"].as_str().unwrap();
    is_shown(&harness.approval(id).await, &wanted);
    let waiting = pep.status(&task).await.ok();
    assert_eq!(waiting.body["task"]["status"], "pending");
    assert!(waiting.headers.contains_key("retry-after"));
    let early = decided(&pep.evaluate(&with_approval(&wanted, &json!({ "id": id }))).await, false);
    let said = (&early["reason"], &early["next_action"]);
    assert_eq!(said, (&json!("approval_unverifiable"), &json!("none")));

    // 4. Approved, evaluated again, and permitted: at another time, once.
    harness.approve(&harness.operator, id).await.ok();
    let approval = pep.approval(&task).await;
    assert!(approval["approved_at"].is_string() && approval["approved_until"].is_string());
    // Without it, it is as it was.
    assert_eq!(decided(&pep.evaluate(&wanted).await, false)["reason"], "approval_required");
    let mut retried = with_approval(&wanted, &approval);
    retried["context"]["time"] = json!("2026-04-30T20:43:00Z");
    let permitted = decided(&pep.evaluate(&retried).await, true);
    assert_eq!(permitted["approval"]["id"], approval["id"]);
    assert_eq!(permitted["approval"]["approved_until"], approval["approved_until"]);
    let used = decided(&pep.evaluate(&retried).await, false);
    assert_eq!(
        (&used["reason"], &used["next_action"]),
        (&json!("approval_expired"), &json!("request"))
    );
    assert!(used["access_request"]["binding_token"].is_string(), "{used}");
    assert_eq!(pep.status(&task).await.ok().body["task"]["status"], "approved");

    // 5. The audit tells it in one piece.
    is_audited(&harness, (&denied, &permitted), id).await;
}

/// Checks the rows of the audit about a request for access, from the denial to the permission.
async fn is_audited(harness: &Harness, (denied, permitted): (&Value, &Value), id: &str) {
    let rows = harness.audit("decision").await;
    let bodies: Vec<&Value> = rows.iter().map(|row| &row["body"]).collect();
    let opened = bodies.iter().find(|body| body["approval_opened"] == true).unwrap();
    assert_eq!(opened["access"]["denied"], denied["evaluation_id"]);
    assert_eq!(opened["approval_id"], id);
    let allowed = bodies.iter().find(|body| body["decision"] == "allow").unwrap();
    assert_eq!(allowed["approval_id"], id);
    assert_eq!(allowed["check_id"], permitted["evaluation_id"]);
}

/// Checks what an approver is shown of what the client asks for.
fn is_shown(seen: &Value, wanted: &Value) {
    assert_eq!(seen["bound_to"], "evaluation");
    assert_eq!(seen["input"]["resource"], wanted["resource"]);
    assert_eq!(seen["input"]["subject"], wanted["subject"]);
    assert_eq!(seen["input"]["context"], json!({ "ticket": "OPS-7" }));
    assert_eq!(seen["input"]["said_beside"]["business_justification"], "the table moved");
}

#[tokio::test]
async fn approval_serves_exactly_what_was_asked_and_nobody_else() {
    let harness = Harness::new(open().await).await;
    let pep = Pep::discover(&harness, &harness.key).await;
    let (other, other_key) = harness.worker().await;
    let mut wanted = deletes(&harness.agent, "users");
    wanted["context"] = json!({ "ticket": "OPS-7", "session_id": "morning" });
    let (_, task) = pep.request(&wanted).await;
    harness.approve(&harness.operator, task["id"].as_str().unwrap()).await.ok();
    let approval = pep.approval(&task).await;

    for (place, value) in [
        ("/resource/id", json!("orders")),
        ("/resource/type", json!("view")),
        ("/action/name", json!("table_delete")),
        ("/action/properties", json!({ "cascade": true })),
        ("/subject/properties", json!({ "role": "dba" })),
        ("/resource/properties", json!({ "rows": 1 })),
        ("/context/ticket", json!("OPS-8")),
        ("/context/session_id", json!("evening")),
    ] {
        let mut otherwise = with_approval(&wanted, &approval);
        let (parent, name) = place.rsplit_once('/').unwrap();
        otherwise.pointer_mut(parent).unwrap()[name] = value;
        let context = decided(&pep.evaluate(&otherwise).await, false);
        let said = (&context["reason"], &context["next_action"]);
        assert_eq!(said, (&json!("out_of_scope"), &json!("request")), "{place}: {context}");
        assert!(context["access_request"].is_object(), "{place}: {context}");
    }
    // Another agent's is as good as none, whoever asks; and so is one that was made up.
    let mut theirs = with_approval(&wanted, &approval);
    theirs["subject"]["id"] = json!(other);
    for key in [other_key.as_str(), ADMIN] {
        let pep = Pep::discover(&harness, key).await;
        let context = decided(&pep.evaluate(&theirs).await, false);
        assert_eq!(context["reason"], "approval_unverifiable", "{context}");
        assert!(context.get("access_request").is_none());
    }
    let made_up = with_approval(&wanted, &json!({ "id": "apr_made_up" }));
    assert_eq!(decided(&pep.evaluate(&made_up).await, false)["reason"], "approval_unverifiable");
    // A check of the guide's does not use it up, though it is the same agent and tool; nor does one with its digest.
    let digest = harness.approval(task["id"].as_str().unwrap()).await["input_digest"].clone();
    let headers = [("agenttrust-input-digest", digest.as_str().unwrap())];
    let body =
        json!({ "agent_id": harness.agent, "action_name": "db_delete", "session_id": "morning" });
    let held = harness.check_with(&harness.key, &headers, body).await.held();
    assert_ne!(held, task["id"].as_str().unwrap());
    // And what was approved for such a check is no approval of an evaluation.
    harness.approve(&harness.operator, &held).await.ok();
    let crossed = with_approval(&wanted, &json!({ "id": held }));
    assert_eq!(decided(&pep.evaluate(&crossed).await, false)["reason"], "approval_unverifiable");

    decided(&pep.evaluate(&with_approval(&wanted, &approval)).await, true);
}

#[tokio::test]
async fn policies_of_the_moment_decide_whatever_was_approved() {
    let harness = Harness::new(open().await).await;
    let pep = Pep::discover(&harness, &harness.key).await;
    let wanted = deletes(&harness.agent, "users");
    let (_, task) = pep.request(&wanted).await;
    harness.approve(&harness.operator, task["id"].as_str().unwrap()).await.ok();
    let approval = pep.approval(&task).await;
    put_policies(&harness, "@elevate permit (principal, action, resource);\nforbid (principal, action, resource == Tool::\"db_delete\");").await;
    let context = decided(&pep.evaluate(&with_approval(&wanted, &approval)).await, false);
    assert_eq!(
        (&context["reason"], &context["next_action"]),
        (&json!("policy_denied"), &json!("none"))
    );
    // With a policy that wants two, the word of one is not enough.
    put_policies(&harness, "@elevate @quorum(\"2\") permit (principal, action, resource);").await;
    let context = decided(&pep.evaluate(&with_approval(&wanted, &approval)).await, false);
    assert_eq!(context["reason"], "approval_expired", "{context}");
    put_policies(&harness, "@elevate permit (principal, action, resource);").await;
    decided(&pep.evaluate(&with_approval(&wanted, &approval)).await, true);
    // One that grants a window serves within it, more than once.
    put_policies(&harness, "@elevate @window(\"1h\") permit (principal, action, resource);").await;
    let wanted = deletes(&harness.agent, "orders");
    let denied = decided(&pep.evaluate(&wanted).await, false);
    let task =
        pep.submit("three", &Pep::submission(&wanted, &denied)).await.ok().body["task"].clone();
    harness.approve(&harness.operator, task["id"].as_str().unwrap()).await.ok();
    let approval = pep.approval(&task).await;
    for _ in 0..3 {
        decided(&pep.evaluate(&with_approval(&wanted, &approval)).await, true);
    }
}

#[tokio::test]
async fn evaluation_with_an_approval_that_is_sent_twice_uses_it_once_and_says_the_same() {
    let harness = Harness::new(open().await).await;
    let pep = Pep::discover(&harness, &harness.key).await;
    let wanted = deletes(&harness.agent, "users");
    let (_, task) = pep.request(&wanted).await;
    harness.approve(&harness.operator, task["id"].as_str().unwrap()).await.ok();
    let again = with_approval(&wanted, &pep.approval(&task).await);
    let named = harness.with(&[("X-Request-ID", "r-1")]);
    let first = named.post(EVALUATION, &harness.key, again.clone()).await;
    let second = named.post(EVALUATION, &harness.key, again.clone()).await;
    assert_eq!(decided(&first, true), decided(&second, true));
    decided(
        &harness.with(&[("X-Request-ID", "r-2")]).post(EVALUATION, &harness.key, again).await,
        false,
    );
}
