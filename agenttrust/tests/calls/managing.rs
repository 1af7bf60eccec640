//! What the client sends for those who look after a Guardian, and what it makes of the answers.

use agenttrust::client::{AuditFilter, CheckpointFilter, DeliveryFilter};
use agenttrust::model::{
    AuditCheckpointSays, CreateWebhookRequest, DeliveryStatus, PolicyEffect, PolicyFile,
    PolicyLimitPer, PolicySource, SessionMode, SetFloorRequest, UpdateAgentRequest, WebhookEvent,
};
use agenttrust::{AgentTrustError, Effect, blocking};
use serde_json::{Value, json};

use crate::scripted::Scripted;

/// An id that would leave its path, its segment and the path altogether.
const ODD: &str = "../a/é?b=c#d%2e";

/// Returns what every call of [`ask`] sends, in its order.
fn asked() -> Vec<(String, Value)> {
    let odd = "..%2Fa%2F%C3%A9%3Fb%3Dc%23d%252e";
    let none = Value::Null;
    let reason = json!({ "reason": "on leave" });
    [
        ("GET /api/v1/policies".to_owned(), none.clone()),
        (
            "PUT /api/v1/policies".to_owned(),
            json!({ "files": [{ "name": "a.cedar", "text": "permit" }] }),
        ),
        ("POST /api/v1/policies/reload".to_owned(), none.clone()),
        ("GET /api/v1/audit".to_owned(), none.clone()),
        (
            "GET /api/v1/audit?log=one%26two&after=7&limit=2&agent_id=a%26limit%3D9".to_owned(),
            none.clone(),
        ),
        ("GET /api/v1/audit/logs".to_owned(), none.clone()),
        ("GET /api/v1/audit/checkpoints".to_owned(), none.clone()),
        (
            "GET /api/v1/audit/checkpoints?log=one%26two&before=7&limit=2".to_owned(),
            none.clone(),
        ),
        ("GET /api/v1/audit/verify".to_owned(), none.clone()),
        (
            "POST /api/v1/webhooks".to_owned(),
            json!({ "url": "https://example.com/a", "events": ["approval.pending", "approval.denied"] }),
        ),
        ("GET /api/v1/webhooks".to_owned(), none.clone()),
        (format!("DELETE /api/v1/webhooks/{odd}"), none.clone()),
        (format!("GET /api/v1/webhooks/{odd}/deliveries"), none.clone()),
        (format!("GET /api/v1/webhooks/{odd}/deliveries?before=m%26x&limit=3"), none.clone()),
        (format!("DELETE /api/v1/tools/{odd}"), none.clone()),
        (format!("PUT /api/v1/tools/{odd}/effect"), json!({ "effect": "admin" })),
        (format!("DELETE /api/v1/tools/{odd}/effect"), none.clone()),
        (format!("POST /api/v1/agents/{odd}/suspend"), reason.clone()),
        (format!("POST /api/v1/agents/{odd}/reactivate"), reason),
        (format!("PUT /api/v1/agents/{odd}/floor"), json!({ "mode": "open" })),
        (
            format!("PUT /api/v1/agents/{odd}/floor"),
            json!({ "mode": "restricted", "scope_ceiling": ["a:*"] }),
        ),
        (
            format!("PUT /api/v1/agents/{odd}/floor"),
            json!({ "mode": "supervised", "scope_ceiling": null }),
        ),
        (
            format!("PATCH /api/v1/agents/{odd}"),
            json!({
                "name": "clerk", "capabilities": ["a"], "withdraw": ["b"], "grant": ["c", "d"],
                "groups": ["ops"], "metadata": { "team": null, "seat": 7 },
            }),
        ),
        (format!("PATCH /api/v1/agents/{odd}"), json!({ "groups": [] })),
    ]
    .into()
}

/// Returns the answers to the calls of [`ask`]: as little as they need to be read.
fn answers() -> Vec<Value> {
    let mut answers = vec![json!({}); asked().len()];
    answers[9] = json!({ "webhook": { "id": "whk_1" } });
    answers[22] = json!({ "agent": { "id": "agt_1" } });
    answers[23] = json!({ "id": "agt_1" });
    answers
}

/// Returns what was asked of the gateway.
fn sent(gateway: &Scripted) -> Vec<(String, Value)> {
    let without_host =
        |(call, body): (String, Value)| (call.replace("http://guardian.test", ""), body);
    gateway.others().into_iter().map(without_host).collect()
}

/// Makes every call, with `$done` around each.
macro_rules! ask {
    ($client:ident, $done:ident) => {
        $done!($client.policies().get());
        $done!($client.policies().put(&[PolicyFile::new("a.cedar", "permit")]));
        $done!($client.policies().reload());
        $done!($client.audit().list(&AuditFilter::default()));
        let filter = AuditFilter::default().log("one&two").after(7).limit(2).agent_id("a&limit=9");
        $done!($client.audit().list(&filter));
        $done!($client.audit().logs());
        $done!($client.audit().checkpoints(&CheckpointFilter::default()));
        let filter = CheckpointFilter::default().log("one&two").before(7).limit(2);
        $done!($client.audit().checkpoints(&filter));
        $done!($client.audit().verify());
        let events = [WebhookEvent::ApprovalPending, WebhookEvent::ApprovalDenied];
        let request = CreateWebhookRequest::new("https://example.com/a", events);
        $done!($client.webhooks().create(&request));
        $done!($client.webhooks().list());
        $done!($client.webhooks().delete(ODD));
        $done!($client.webhooks().deliveries(ODD, &DeliveryFilter::default()));
        let filter = DeliveryFilter::default().before("m&x").limit(3);
        $done!($client.webhooks().deliveries(ODD, &filter));
        $done!($client.tools().remove(ODD));
        $done!($client.tools().set_effect(ODD, Effect::Admin));
        $done!($client.tools().unset_effect(ODD));
        $done!($client.agents().suspend(ODD, "on leave"));
        $done!($client.agents().reactivate(ODD, "on leave"));
        $done!($client.agents().set_floor(ODD, &SetFloorRequest::new(SessionMode::Open)));
        let floor = SetFloorRequest::new(SessionMode::Restricted).scope_ceiling(["a:*"]);
        $done!($client.agents().set_floor(ODD, &floor));
        let floor = SetFloorRequest::new(SessionMode::Supervised).no_scope_ceiling();
        $done!($client.agents().set_floor(ODD, &floor));
        let request = UpdateAgentRequest::new().name("clerk").capabilities(["a"]).withdraw(["b"]);
        let request = request.grant(["c"]).grant(["d"]).groups(["ops"]).metadata("seat", 7);
        $done!($client.agents().update(ODD, &request.metadata("team", Value::Null)));
        $done!($client.agents().update(ODD, &UpdateAgentRequest::new().groups([""; 0])));
    };
}

#[tokio::test]
async fn each_call_sends_what_its_endpoint_takes_and_an_odd_id_stays_in_its_segment() {
    macro_rules! done {
        ($call:expr) => {
            $call.await.unwrap()
        };
    }
    let gateway = Scripted::answers(answers());
    let client = gateway.client();
    ask!(client, done);
    assert_eq!(sent(&gateway), asked());
}

#[test]
fn each_blocking_call_sends_what_the_async_one_does() {
    macro_rules! done {
        ($call:expr) => {
            $call.unwrap()
        };
    }
    let gateway = Scripted::answers(answers());
    let client = blocking::AgentTrustClient::from(gateway.client());
    ask!(client, done);
    assert_eq!(sent(&gateway), asked());
}

#[tokio::test]
async fn id_that_no_path_can_carry_is_refused_before_anything_is_sent() {
    let gateway = Scripted::answers([]);
    let client = gateway.client();
    for id in ["", ".", ".."] {
        let floor = SetFloorRequest::new(SessionMode::Open);
        for refused in [
            client.webhooks().delete(id).await,
            client.webhooks().deliveries(id, &DeliveryFilter::default()).await.map(drop),
            client.tools().remove(id).await,
            client.tools().set_effect(id, Effect::Read).await,
            client.tools().unset_effect(id).await,
            client.agents().suspend(id, "").await,
            client.agents().reactivate(id, "").await,
            client.agents().set_floor(id, &floor).await.map(drop),
            client.agents().update(id, &UpdateAgentRequest::new().name("x")).await.map(drop),
        ] {
            let error = refused.unwrap_err();
            assert!(matches!(error, AgentTrustError::Validation { status: 0, .. }), "{error:?}");
        }
    }
    assert_eq!(gateway.others(), []);
}

#[tokio::test]
async fn what_an_answer_does_not_say_grants_nothing() {
    let gateway = Scripted::answers([
        json!({ "rows": 7 }),
        json!({ "scope_ceiling": ["a:*"] }),
        json!({ "policies": [{ "id": "p", "elevate": {}, "limit": {} }] }),
    ]);
    let client = gateway.client();
    let found = client.audit().verify().await.unwrap();
    assert!(!found.ok);
    assert_eq!((found.rows, found.fault, found.logs.len()), (7, None, 0));
    let request = SetFloorRequest::new(SessionMode::Open);
    let floor = client.agents().set_floor("agt_1", &request).await.unwrap();
    assert_eq!(floor.mode, SessionMode::Unknown);
    assert_eq!(floor.scope_ceiling.unwrap(), ["a:*"]);
    let now = client.policies().get().await.unwrap();
    assert_eq!(now.source, PolicySource::Unknown);
    let [policy] = &now.policies[..] else { panic!("{now:?}") };
    assert_eq!((policy.effect, policy.shadow), (PolicyEffect::Unknown, false));
    assert_eq!(policy.elevate.as_ref().unwrap().quorum, 1);
    assert_eq!(policy.limit.as_ref().unwrap().per, PolicyLimitPer::Unknown);
}

#[tokio::test]
async fn policies_are_read_whole_and_what_is_added_is_ignored() {
    let gateway = Scripted::answers([json!({
        "source": "folder", "folder": "/p", "sha256": "0a", "loaded_at": "2026-01-02T03:04:05Z", "more": {},
        "policies": [{
            "id": "p", "place": "a.cedar:1:1", "effect": "forbid", "reason": "why", "shadow": true,
            "elevate": { "quorum": 2, "window_seconds": 600, "single_use": true, "more": 1 },
            "limit": { "most": 60, "within_seconds": 61, "per": "session" },
            "would_have_changed": 4, "more": 1,
        }],
        "error": {
            "message": "bad", "since": "2026-01-02T03:04:06Z", "file": "b.cedar", "line": 2, "column": 8,
        },
    })]);
    let client = gateway.client();

    let now = client.policies().get().await.unwrap();
    assert_eq!(
        (now.source, now.folder.as_deref(), &*now.sha256),
        (PolicySource::Folder, Some("/p"), "0a")
    );
    assert_eq!(now.loaded_at, "2026-01-02T03:04:05Z".parse().ok());
    let policy = &now.policies[0];
    assert_eq!(
        (&*policy.id, &*policy.place, policy.effect),
        ("p", "a.cedar:1:1", PolicyEffect::Forbid)
    );
    assert_eq!((policy.reason.as_deref(), policy.would_have_changed), (Some("why"), Some(4)));
    assert!(policy.shadow);
    let elevate = policy.elevate.as_ref().unwrap();
    assert_eq!((elevate.quorum, elevate.window_seconds, elevate.single_use), (2, 600, true));
    let limit = policy.limit.as_ref().unwrap();
    assert_eq!((limit.most, limit.within_seconds, limit.per), (60, 61, PolicyLimitPer::Session));
    let error = now.error.unwrap();
    assert_eq!((&*error.message, &*error.file), ("bad", "b.cedar"));
    assert_eq!((error.line, error.column), (Some(2), Some(8)));
    assert_eq!(error.since, "2026-01-02T03:04:06Z".parse().ok());
}

#[tokio::test]
async fn verifications_and_checkpoints_are_read_whole_and_what_is_added_is_ignored() {
    let fault = json!({ "log": "one", "seq": 3, "what": "changed", "more": 1 });
    let gateway = Scripted::answers([
        json!({
            "ok": false, "rows": 9, "head": "0b", "fault": fault,
            "logs": [{
                "log": "one", "rows": 9, "head": "0b", "cut": 1, "signed": 5, "keys": ["0c"],
                "fault": fault, "more": 1,
            }],
        }),
        json!({
            "key": "0c", "next_before": 5, "checkpoints": [{
                "log": "one", "says": "reached", "seq": 5, "hash": "0d", "at": "2026-01-02T03:04:05.000006Z",
                "key": "0c", "signature": "0e", "more": 1,
            }],
            "cut": { "says": "forgotten", "seq": 1 },
        }),
    ]);
    let client = gateway.client();

    let found = client.audit().verify().await.unwrap();
    assert_eq!((found.ok, found.rows, &*found.head), (false, 9, "0b"));
    let fault = found.fault.unwrap();
    assert_eq!((&*fault.log, fault.seq, &*fault.what), ("one", 3, "changed"));
    let log = &found.logs[0];
    assert_eq!((&*log.log, log.rows, &*log.head), ("one", 9, "0b"));
    assert_eq!((log.cut, log.signed, &log.keys[..]), (Some(1), Some(5), &["0c".to_owned()][..]));
    assert_eq!(log.fault, Some(fault));

    let page = client.audit().checkpoints(&CheckpointFilter::default()).await.unwrap();
    assert_eq!((page.key.as_deref(), page.next_before), (Some("0c"), Some(5)));
    assert_eq!(page.cut.unwrap().says, AuditCheckpointSays::Unknown);
    let as_sent = json!({
        "log": "one", "says": "reached", "seq": 5, "hash": "0d", "at": "2026-01-02T03:04:05.000006Z",
        "key": "0c", "signature": "0e",
    });
    assert_eq!(serde_json::to_value(&page.checkpoints[0]).unwrap(), as_sent);
}

#[tokio::test]
async fn webhooks_and_their_deliveries_are_read_whole() {
    let gateway = Scripted::answers([
        json!({
            "id": "whk_1", "org_id": "org", "url": "https://example.com/a", "created_by": "key_1",
            "events": ["approval.denied", "planet.found"], "created_at": "2026-01-02T03:04:05Z",
            "disabled_at": "2026-01-03T03:04:05Z", "disabled_for": "gone", "secret": "whsec_1", "more": 1,
        }),
        json!({
            "deliveries": [{
                "id": "msg_1", "event": "approval.approved", "status": "given_up", "attempts": 12,
                "created_at": "2026-01-02T03:04:05Z", "next_attempt_at": null,
                "ended_at": "2026-01-03T03:04:05Z", "last_status": 503, "last_error": "busy", "more": 1,
            }],
            "next": "msg_1",
        }),
    ]);
    let client = gateway.client();
    let hook = client.webhooks().create(&CreateWebhookRequest::new("", [])).await.unwrap();
    assert_eq!((&*hook.id, &*hook.org_id, &*hook.created_by), ("whk_1", "org", "key_1"));
    assert_eq!(hook.url, "https://example.com/a");
    assert_eq!(hook.events, [WebhookEvent::ApprovalDenied, WebhookEvent::Unknown]);
    assert_eq!(hook.created_at, "2026-01-02T03:04:05Z".parse().ok());
    assert_eq!(hook.disabled_at, "2026-01-03T03:04:05Z".parse().ok());
    assert_eq!(hook.disabled_for.as_deref(), Some("gone"));
    assert!(!format!("{hook:?}").contains("whsec_1"), "{hook:?}");
    assert_eq!(hook.secret.unwrap().as_str(), "whsec_1");

    let page = client.webhooks().deliveries("whk_1", &DeliveryFilter::default()).await.unwrap();
    assert_eq!(page.next.as_deref(), Some("msg_1"));
    let [delivery] = &page.deliveries[..] else { panic!("{page:?}") };
    assert_eq!((&*delivery.id, delivery.event), ("msg_1", WebhookEvent::ApprovalApproved));
    assert_eq!((delivery.status, delivery.attempts), (DeliveryStatus::GivenUp, 12));
    assert_eq!((delivery.created_at, delivery.next_attempt_at), (hook.created_at, None));
    assert_eq!(delivery.ended_at, hook.disabled_at);
    assert_eq!((delivery.last_status, delivery.last_error.as_deref()), (Some(503), Some("busy")));
}

#[tokio::test]
async fn lists_and_pages_are_read_bare_wrapped_and_null() {
    let entry = json!({ "seq": 1 });
    let hook = json!({ "id": "whk_1" });
    let gateway = Scripted::answers([
        json!([entry]),
        json!({ "entries": [entry], "next_after": 1 }),
        json!({ "entries": null, "next_after": 2 }),
        json!([hook]),
        json!({ "webhooks": [hook] }),
        json!({ "webhooks": null }),
        json!([{ "log": "one", "own": true, "newest": 3, "newest_at": "x", "more": 1 }]),
        json!([{ "id": "msg_1" }]),
        json!([{ "seq": 5 }]),
        json!("a page"),
    ]);
    let client = gateway.client();
    let filter = AuditFilter::default();
    for (many, next) in [(1, None), (1, Some(1)), (0, Some(2))] {
        let page = client.audit().list(&filter).await.unwrap();
        assert_eq!((page.entries.len(), page.next_after), (many, next));
    }
    for many in [1, 1, 0] {
        assert_eq!(client.webhooks().list().await.unwrap().len(), many);
    }
    let logs = client.audit().logs().await.unwrap();
    assert_eq!((&*logs[0].log, logs[0].own, logs[0].newest), ("one", true, Some(3)));
    assert_eq!(logs[0].newest_at.as_deref(), Some("x"));
    let page = client.webhooks().deliveries("whk_1", &DeliveryFilter::default()).await.unwrap();
    assert_eq!(page.deliveries[0].id, "msg_1");
    let page = client.audit().checkpoints(&CheckpointFilter::default()).await.unwrap();
    assert_eq!(page.checkpoints[0].seq, 5);
    assert_eq!(client.audit().list(&filter).await.unwrap_err().code(), "JSON_ERROR");
}
