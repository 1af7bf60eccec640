//! An owner's keys, and those made with them, count as one approver. A call that was asked for with one of them is not
//! decided with another; on SQLite and on PostgreSQL.

use agenttrust::ActionCheckRequest;
use agenttrust::model::{CreateKeyRequest, KeyRole};
use agenttrust_guardian::policy::PolicySet;
use agenttrust_guardian::{GuardianBuilder, Role};
use agenttrust_testkit::postgres::Fresh;
use agenttrust_testkit::{ADMIN, Answer};
use axum::http::Method;
use serde_json::{Value, json};

use crate::support::{Api, open, open_with};

const TOOL: &str = "db_delete";
const QUORUM: &str = r#"@id("hold") @elevate @quorum("2") permit (principal, action, resource);"#;

/// A key, as its maker knows it.
struct Made {
    id: String,
    key: String,
}

/// Makes a key with `maker`, as `body` says.
async fn make(api: &Api, maker: &str, body: Value) -> Made {
    let made = api.post("/api/v1/keys", maker, body).await.ok();
    Made { id: made.text("id"), key: made.text("key") }
}

async fn operator(api: &Api, maker: &str) -> Made {
    make(api, maker, json!({ "role": "operator" })).await
}

async fn operator_of(api: &Api, owner: &str) -> Made {
    make(api, ADMIN, json!({ "role": "operator", "owner": owner })).await
}

async fn admin(api: &Api, maker: &str) -> Made {
    make(api, maker, json!({ "role": "admin" })).await
}

async fn revoke(api: &Api, key: &Made) {
    api.ask(Method::DELETE, &format!("/api/v1/keys/{}", key.id), ADMIN, None).await.ok();
}

async fn listed(api: &Api, id: &str) -> Value {
    let listed = api.get("/api/v1/keys", ADMIN).await.ok();
    let keys = listed.body["keys"].as_array().unwrap();
    keys.iter().find(|key| key["id"] == id).unwrap().clone()
}

/// Fails unless `key` may decide neither way, and is told this.
async fn cannot_decide(api: &Api, key: &Made, approval: &str, says: &str) {
    for answer in [api.approve(&key.key, approval).await, api.deny(&key.key, approval).await] {
        let message = answer.refused(403, "AUTH_DENIED").text("message");
        assert!(message.contains(says), "{message}");
        assert!(message.contains("give the agent a key of its own"), "{message}");
    }
    assert_eq!(api.approval(approval).await["status"], "pending");
}

/// Returns what the answer to a vote says: the status, how many approve, and whether it adds none.
fn counted(answer: &Answer) -> (Value, Value, bool) {
    (
        answer.body["status"].clone(),
        answer.body["approvals"].clone(),
        answer.body["repeated"] == true,
    )
}

async fn with(
    settings: impl FnOnce(GuardianBuilder) -> GuardianBuilder,
    postgres: bool,
) -> Option<(Api, Option<Fresh>)> {
    let fresh = if postgres { Some(Fresh::or_skip()?) } else { None };
    let url = fresh.as_ref().map(Fresh::url);
    let api = open_with(|builder| {
        settings(match url {
            Some(url) => builder.database(url),
            None => builder,
        })
    })
    .await;
    Some((api, fresh))
}

fn quorum(builder: GuardianBuilder) -> GuardianBuilder {
    builder.policy_set(PolicySet::parse("quorum.cedar", QUORUM).unwrap())
}

async fn key_that_comes_from_one_that_asked_cannot_decide(api: Api) {
    let asker = admin(&api, ADMIN).await;
    let child = operator(&api, &asker.key).await;
    let between = admin(&api, &asker.key).await;
    let grandchild = operator(&api, &between.key).await;
    let stranger = operator(&api, ADMIN).await;
    let agent = api.agent(&["*"]).await;
    let approval = api.check(&asker.key, &agent, TOOL).await.held();

    let says = "comes from one that asked";
    cannot_decide(&api, &child, &approval, says).await;
    cannot_decide(&api, &between, &approval, says).await;
    cannot_decide(&api, &grandchild, &approval, says).await;
    // A maker that is gone is a maker all the same, and so is a requester.
    revoke(&api, &between).await;
    cannot_decide(&api, &grandchild, &approval, says).await;
    revoke(&api, &asker).await;
    cannot_decide(&api, &child, &approval, says).await;
    cannot_decide(&api, &grandchild, &approval, says).await;
    assert_eq!(api.approve(&stranger.key, &approval).await.ok().body["status"], "approved");
    api.guardian.close().await;
}

#[tokio::test]
async fn key_that_comes_from_one_that_asked_cannot_decide_on_sqlite() {
    key_that_comes_from_one_that_asked_cannot_decide(open().await).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn key_that_comes_from_one_that_asked_cannot_decide_on_postgres() {
    if let Some((api, _fresh)) = with(|builder| builder, true).await {
        key_that_comes_from_one_that_asked_cannot_decide(api).await;
    }
}

#[tokio::test]
async fn the_one_who_made_the_agents_key_may_decide_what_the_agent_asks_for() {
    let api = open().await;
    let (agent, key) = api.worker().await;
    let approval = api.check(&key, &agent, TOOL).await.held();
    assert_eq!(api.approve(ADMIN, &approval).await.ok().body["status"], "approved");
    api.check(&key, &agent, TOOL).await.allowed();
}

#[tokio::test]
async fn key_that_the_embedded_owner_makes_cannot_decide_what_that_one_asked_for() {
    let api = open().await;
    let agent = api.agent(&["*"]).await;
    let own = api.guardian.client();
    let wanted = CreateKeyRequest::new(KeyRole::Operator);
    let made = own.keys().create(&wanted).await.unwrap();
    let request = ActionCheckRequest {
        agent_id: agent,
        action: "tool_call".to_owned(),
        tool_name: TOOL.to_owned(),
        tool_input_summary: String::new(),
        session_id: String::new(),
        action_effect: None,
    };
    let approval = own.actions().check(&request).await.unwrap().approval_id.unwrap();
    let made = Made { id: made.id, key: made.key.unwrap().as_str().to_owned() };
    cannot_decide(&api, &made, &approval, "comes from one that asked").await;
    // One that the program makes comes from none.
    let other = api.guardian.create_key(Role::Operator, &[]).await.unwrap();
    api.approve(&other, &approval).await.ok();
}

async fn key_of_the_requesters_owner_cannot_decide(api: Api) {
    let agent = api.agent(&["*"]).await;
    let body = json!({ "role": "agent", "agents": [agent], "owner": "alice" });
    let asker = make(&api, ADMIN, body).await;
    let (alice, bob) = (operator_of(&api, "alice").await, operator_of(&api, "bob").await);
    let nearly = operator_of(&api, "Alice").await;
    let approval = api.check(&asker.key, &agent, TOOL).await.held();
    cannot_decide(&api, &alice, &approval, "of one owner").await;
    revoke(&api, &asker).await;
    cannot_decide(&api, &alice, &approval, "of one owner").await;
    assert_eq!(api.approve(&bob.key, &approval).await.ok().body["status"], "approved");

    // Names are compared byte for byte, and an owner that is absent equals none.
    let asker =
        make(&api, ADMIN, json!({ "role": "agent", "agents": [agent], "owner": "alice" })).await;
    let approval = api.check(&asker.key, &agent, "db_drop").await.held();
    api.approve(&nearly.key, &approval).await.ok();
    let unowned = api.key(Role::Agent, &[&agent]).await;
    let approval = api.check(&unowned, &agent, "db_purge").await.held();
    let nobodys = operator(&api, ADMIN).await;
    api.approve(&nobodys.key, &approval).await.ok();
    api.guardian.close().await;
}

#[tokio::test]
async fn key_of_the_requesters_owner_cannot_decide_on_sqlite() {
    key_of_the_requesters_owner_cannot_decide(open().await).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn key_of_the_requesters_owner_cannot_decide_on_postgres() {
    if let Some((api, _fresh)) = with(|builder| builder, true).await {
        key_of_the_requesters_owner_cannot_decide(api).await;
    }
}

async fn keys_of_one_owner_are_one_approver(api: Api) {
    let (agent, key) = api.worker().await;
    let approval = api.check(&key, &agent, TOOL).await.held();
    let (one, other) = (operator_of(&api, "alice").await, operator_of(&api, "alice").await);
    let pending = |approvals, repeated| (json!("pending"), json!(approvals), repeated);
    assert_eq!(counted(&api.approve(&one.key, &approval).await.ok()), pending(1, false));
    assert_eq!(counted(&api.approve(&other.key, &approval).await.ok()), pending(1, true));
    assert_eq!(api.approval(&approval).await["approvals"], 1);
    api.check(&key, &agent, TOOL).await.held();
    // The vote of the other one is hers as well, and stays when the first key goes.
    revoke(&api, &one).await;
    assert_eq!(api.approval(&approval).await["approvals"], 1);
    let bob = operator_of(&api, "bob").await;
    assert_eq!(api.approve(&bob.key, &approval).await.ok().body["status"], "approved");
    api.check(&key, &agent, TOOL).await.allowed();
    api.guardian.close().await;
}

#[tokio::test]
async fn keys_of_one_owner_are_one_approver_on_sqlite() {
    keys_of_one_owner_are_one_approver(open_with(quorum).await).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn keys_of_one_owner_are_one_approver_on_postgres() {
    if let Some((api, _fresh)) = with(quorum, true).await {
        keys_of_one_owner_are_one_approver(api).await;
    }
}

#[tokio::test]
async fn a_key_and_those_that_come_from_it_are_one_approver() {
    let api = open_with(quorum).await;
    let (agent, key) = api.worker().await;
    let maker = admin(&api, ADMIN).await;
    let (first, second) = (operator(&api, &maker.key).await, operator(&api, &maker.key).await);
    let pending = |approvals, repeated| (json!("pending"), json!(approvals), repeated);
    for order in [[&maker, &first], [&first, &maker]] {
        let approval = api.check(&key, &agent, TOOL).await.held();
        assert_eq!(counted(&api.approve(&order[0].key, &approval).await.ok()), pending(1, false));
        assert_eq!(counted(&api.approve(&order[1].key, &approval).await.ok()), pending(1, true));
        let approved = api.approve(&second.key, &approval).await.ok();
        assert_eq!(counted(&approved), (json!("approved"), json!(2), false));
        api.check(&key, &agent, TOOL).await.allowed();
    }
}

/// Approves with `voter`, lets `late` ask the same afterwards, and fails if it is allowed to anyone.
async fn vote_is_lost_once_its_own_ask(api: &Api, voter: &Made, late: &str) {
    let (agent, key) = api.worker().await;
    let approval = api.check(&key, &agent, TOOL).await.held();
    assert_eq!(api.approve(&voter.key, &approval).await.ok().body["status"], "approved");
    assert_ne!(api.check(late, &agent, TOOL).await.held(), approval);
    api.check(&key, &agent, TOOL).await.held();
    assert_eq!(api.approval(&approval).await["approvals"], 0, "what is shown is what counts");
}

async fn vote_of_a_key_whose_maker_or_owner_asks_afterwards_does_not_count(api: Api) {
    let maker = admin(&api, ADMIN).await;
    let child = operator(&api, &maker.key).await;
    vote_is_lost_once_its_own_ask(&api, &child, &maker.key).await;
    let alice = operator_of(&api, "alice").await;
    let body = json!({ "role": "admin", "owner": "alice" });
    let also_hers = make(&api, ADMIN, body).await;
    vote_is_lost_once_its_own_ask(&api, &alice, &also_hers.key).await;
    api.guardian.close().await;
}

#[tokio::test]
async fn vote_of_a_key_whose_maker_or_owner_asks_afterwards_does_not_count_on_sqlite() {
    vote_of_a_key_whose_maker_or_owner_asks_afterwards_does_not_count(open().await).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn vote_of_a_key_whose_maker_or_owner_asks_afterwards_does_not_count_on_postgres() {
    if let Some((api, _fresh)) = with(|builder| builder, true).await {
        vote_of_a_key_whose_maker_or_owner_asks_afterwards_does_not_count(api).await;
    }
}

#[tokio::test]
async fn self_approval_lifts_all_of_it_and_the_audit_says_so() {
    let api = open_with(|builder| quorum(builder).allow_self_approval(true)).await;
    let agent = api.agent(&["*"]).await;
    let asker = make(&api, ADMIN, json!({ "role": "admin", "owner": "alice" })).await;
    let child = operator(&api, &asker.key).await;
    let approval = api.check(&asker.key, &agent, TOOL).await.held();
    assert_eq!(api.approve(&asker.key, &approval).await.ok().body["status"], "pending");
    assert_eq!(api.approve(&child.key, &approval).await.ok().body["status"], "approved");
    api.check(&asker.key, &agent, TOOL).await.allowed();
    assert_eq!(api.audit("approval.approved").await[0]["body"]["own_request"], true);
}

async fn maker_and_owner_are_shown_and_stay(api: Api) {
    let maker = make(&api, ADMIN, json!({ "role": "admin", "owner": "alice" })).await;
    let body = json!({ "role": "operator", "owner": "bob, käse & söhne" });
    let made = make(&api, &maker.key, body).await;
    let rotated = format!("/api/v1/keys/{}/rotate", made.id);
    let rotated = api.post(&rotated, ADMIN, json!({})).await.ok();
    revoke(&api, &maker).await;
    for row in [rotated.body, listed(&api, &made.id).await] {
        assert_eq!(
            (&row["made_by"], &row["owner"]),
            (&json!(maker.id), &json!("bob, käse & söhne"))
        );
    }
    let created = api.audit("key.created").await;
    let row = created.iter().find(|row| row["body"]["key_id"] == made.id).unwrap();
    assert_eq!(
        (&row["actor"], &row["body"]["owner"]),
        (&json!(maker.id), &json!("bob, käse & söhne"))
    );

    // What the program makes has no maker.
    let key = api.guardian.create_key(Role::Auditor, &[]).await.unwrap();
    let rows = api.get("/api/v1/keys", ADMIN).await.ok().body;
    let rows = rows["keys"].as_array().unwrap();
    let without = rows.iter().filter(|row| row["made_by"].is_null() && row["owner"].is_null());
    assert_eq!(
        without.map(|row| row["role"].as_str().unwrap()).collect::<Vec<_>>(),
        ["admin", "auditor"]
    );
    assert!(!key.is_empty());
    api.guardian.close().await;
}

#[tokio::test]
async fn maker_and_owner_are_shown_and_stay_on_sqlite() {
    maker_and_owner_are_shown_and_stay(open().await).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn maker_and_owner_are_shown_and_stay_on_postgres() {
    if let Some((api, _fresh)) = with(|builder| builder, true).await {
        maker_and_owner_are_shown_and_stay(api).await;
    }
}

#[tokio::test]
async fn a_key_that_decides_is_of_its_makers_owner_where_no_other_is_named() {
    let api = open().await;
    let agent = api.agent(&["*"]).await;
    let alice = make(&api, ADMIN, json!({ "role": "admin", "owner": "alice" })).await;
    let also_hers = make(&api, ADMIN, json!({ "role": "admin", "owner": "alice" })).await;
    let owner = async |body: Value| {
        let made = make(&api, &alice.key, body).await;
        listed(&api, &made.id).await["owner"].clone()
    };
    for role in ["operator", "admin"] {
        assert_eq!(owner(json!({ "role": role })).await, "alice");
        assert_eq!(owner(json!({ "role": role, "owner": null })).await, "alice");
        assert_eq!(owner(json!({ "role": role, "owner": "bob" })).await, "bob");
    }
    assert_eq!(owner(json!({ "role": "agent", "agents": [agent] })).await, Value::Null);

    // So one that another key of hers makes is no way around.
    let made = operator(&api, &also_hers.key).await;
    let approval = api.check(&alice.key, &agent, TOOL).await.held();
    cannot_decide(&api, &made, &approval, "of one owner").await;
    // And she decides what her agents ask for with keys that are nobody's.
    let key = make(&api, &alice.key, json!({ "role": "agent", "agents": [agent] })).await;
    let approval = api.check(&key.key, &agent, "db_drop").await.held();
    api.approve(&alice.key, &approval).await.ok();
}

#[tokio::test]
async fn an_owner_that_is_no_name_is_refused_and_makes_no_key() {
    let api = open().await;
    let before = api.get("/api/v1/keys", ADMIN).await.ok().body;
    let long = "x".repeat(10_000);
    for owner in [
        json!(""),
        json!(" "),
        json!(" alice"),
        json!("alice\u{a0}"),
        json!("al\nice"),
        json!("al\u{1b}[31mice"),
        json!("alice\0"),
        json!("ali\u{200b}ce"),
        json!("alice\u{a0}b"),
        json!("Jose\u{301}"),
        json!(long),
        json!("🙂".repeat(51)),
        json!(7),
        json!(["alice"]),
        json!({ "name": "alice" }),
    ] {
        let body = json!({ "role": "operator", "owner": owner });
        let answer = api.post("/api/v1/keys", ADMIN, body).await;
        let message = answer.refused(400, "VALIDATION_ERROR").text("message");
        assert!(message.len() < 400, "{message}");
    }
    assert_eq!(api.get("/api/v1/keys", ADMIN).await.ok().body, before);
    let made = make(&api, ADMIN, json!({ "role": "operator", "owner": null })).await;
    assert_eq!(listed(&api, &made.id).await["owner"], Value::Null);
}

#[tokio::test]
async fn a_key_comes_from_64_others_at_most() {
    let api = open().await;
    let mut maker = ADMIN.to_owned();
    let mut first = None;
    for _ in 0..64 {
        let made = admin(&api, &maker).await;
        maker = made.key;
        first.get_or_insert(maker.clone());
    }
    let refused = api.post("/api/v1/keys", &maker, json!({ "role": "operator" })).await;
    let message = refused.refused(409, "CONFLICT").text("message");
    assert!(message.contains("make keys with one that comes from fewer"), "{message}");
    // The last of them comes from the first.
    let agent = api.agent(&["*"]).await;
    let approval = api.check(&first.unwrap(), &agent, TOOL).await.held();
    api.approve(&maker, &approval).await.refused(403, "AUTH_DENIED");
}
