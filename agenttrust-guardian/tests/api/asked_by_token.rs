//! Who asks where a token does: a gateway checks with its own key, whose agent it is. The key that issued the token has
//! asked, and what an agent asks by a token is not decided by the owner of that key, nor by an owner of a key of the
//! agent.

use agenttrust::mint_dpop_proof;
use agenttrust_guardian::Role;
use agenttrust_testkit::ADMIN;
use serde_json::{Value, json};

use crate::authzen::{REQUESTS, deletes, submission};
use crate::delegations::begun;
use crate::support::{Api, open, open_with};
use crate::workload::Worker;

const TOOL: &str = "db_delete";
const ISSUE: &str = "/api/v1/agent-tokens/issue";
const INIT: &str = "/api/v1/agenttrust/api-sessions/init";
const FEDERATED: [&str; 2] =
    ["/api/v1/federation/tokens/issue", "/api/v1/federation/sessions/init"];

/// An agent, a gateway to which it comes, and those who may have issued its token or may decide.
pub(crate) struct People {
    gateway: String,
    /// Issues tokens; an admin of owner `alice`.
    pub(crate) issuer: String,
    /// An operator whom the issuer made.
    made: String,
    /// Another operator of owner `alice`.
    pub(crate) alice: String,
    pub(crate) bob: String,
}

async fn make(api: &Api, maker: &str, body: Value) -> String {
    api.post("/api/v1/keys", maker, body).await.ok().text("key")
}

/// Makes a key of the agent for this owner.
pub(crate) async fn owned_key(api: &Api, agent: &str, owner: &str) -> String {
    make(api, ADMIN, json!({ "role": "agent", "agents": [agent], "owner": owner })).await
}

impl People {
    pub(crate) async fn of(api: &Api) -> Self {
        let issuer = make(api, ADMIN, json!({ "role": "admin", "owner": "alice" })).await;
        Self {
            gateway: api.key(Role::Gateway, &[]).await,
            made: make(api, &issuer, json!({ "role": "operator", "owner": "carol" })).await,
            alice: make(api, ADMIN, json!({ "role": "operator", "owner": "alice" })).await,
            bob: make(api, ADMIN, json!({ "role": "operator", "owner": "bob" })).await,
            issuer,
        }
    }

    /// Issues a token for this agent in this session, and opens a session with it as the gateway.
    async fn session_in(&self, api: &Api, agent: &str, session: Option<&str>) -> String {
        let body = json!({ "agent_id": agent, "scopes": [TOOL], "session_id": session });
        let token = api.post(ISSUE, &self.issuer, body).await.ok().text("token");
        opened(api, &self.gateway, &token).await
    }

    /// Checks that no key with a part in the token decides, and that another does.
    pub(crate) async fn bob_alone_decides(&self, api: &Api, approval: &str) {
        let says = [
            (&self.issuer, "issued the token"),
            (&self.made, "comes from one"),
            (&self.alice, "of one owner"),
        ];
        for (key, says) in says {
            cannot_decide(api, key, approval, says).await;
        }
        assert_eq!(api.approve(&self.bob, approval).await.ok().body["status"], "approved");
    }
}

async fn opened(api: &Api, key: &str, token: &str) -> String {
    api.post(INIT, key, json!({ "token": token })).await.ok().text("session_id")
}

/// Fails unless `key` may decide neither way, and is told this.
pub(crate) async fn cannot_decide(api: &Api, key: &str, approval: &str, says: &str) {
    for answer in [api.approve(key, approval).await, api.deny(key, approval).await] {
        answer.refused(403, "AUTH_DENIED").says(says);
    }
    assert_eq!(api.approval(approval).await["status"], "pending");
}

#[tokio::test]
async fn key_that_issued_the_token_does_not_approve_what_a_gateway_asks_with_it() {
    let api = open().await;
    let people = People::of(&api).await;
    let agent = api.agent(&["*"]).await;
    let session = people.session_in(&api, &agent, None).await;
    let approval = api.check_in(&people.gateway, &agent, TOOL, &session).await.held();
    people.bob_alone_decides(&api, &approval).await;
    api.check_in(&people.gateway, &agent, TOOL, &session).await.allowed();

    // It has asked for good, also once the session and what it was made from are gone.
    let session = people.session_in(&api, &agent, None).await;
    let approval = api.check_in(&people.gateway, &agent, TOOL, &session).await.held();
    let path = format!("/api/v1/sessions/{session}/revoke");
    api.post(&path, ADMIN, json!({ "reason": "gone" })).await.ok();
    for key in [&people.issuer, &people.made, &people.alice] {
        api.approve(key, &approval).await.refused(403, "AUTH_DENIED");
    }
}

#[tokio::test]
async fn key_that_issued_a_federation_token_does_not_approve_what_is_asked_with_it() {
    let api = open().await;
    let people = People::of(&api).await;
    let agent = api.agent(&["*"]).await;
    let [issue, init] = FEDERATED;
    let body = json!({ "agent_id": agent, "scopes": [TOOL] });
    let token = api.post(issue, &people.issuer, body).await.ok().text("token");
    let begun = api.post(init, &people.gateway, json!({ "token": token })).await.ok();
    let session = begun.text("session_id");
    let approval = api.check_in(&people.gateway, &agent, TOOL, &session).await.held();
    people.bob_alone_decides(&api, &approval).await;
    api.check_in(&people.gateway, &agent, TOOL, &session).await.allowed();
}

#[tokio::test]
async fn key_that_issued_a_workload_token_does_not_approve_what_is_asked_with_it() {
    let api = open().await;
    let people = People::of(&api).await;
    let worker = Worker::of(&api).await;
    let by_issuer = Worker { key: people.issuer.clone(), ..worker };
    let token = by_issuer.token(&api).await;
    let url = "https://files.example/list";
    let proof = mint_dpop_proof(&by_issuer.pair.private_key_pem, "GET", url, &token).unwrap();
    let headers = [
        ("agenttrust-dpop", proof.as_str()),
        ("agenttrust-dpop-method", "GET"),
        ("agenttrust-dpop-url", url),
    ];
    let begun = api.with(&headers).post(INIT, &people.gateway, json!({ "token": token })).await;
    let session = begun.ok().text("session_id");
    let approval = api.check_in(&people.gateway, &by_issuer.agent, TOOL, &session).await.held();
    people.bob_alone_decides(&api, &approval).await;
}

#[tokio::test]
async fn key_that_issued_a_token_behind_the_token_does_not_approve_either() {
    let api = open().await;
    let people = People::of(&api).await;
    let (agent, own) = api.worker().await;
    let outer = people.session_in(&api, &agent, None).await;
    let body = json!({ "agent_id": agent, "scopes": [TOOL], "session_id": outer });
    let token = api.post(ISSUE, &own, body).await.ok().text("token");
    let session = opened(&api, &people.gateway, &token).await;
    let approval = api.check_in(&people.gateway, &agent, TOOL, &session).await.held();
    people.bob_alone_decides(&api, &approval).await;
}

#[tokio::test]
async fn key_that_issued_a_token_of_a_delegated_session_does_not_approve_what_is_asked_with_it() {
    let api = open().await;
    let people = People::of(&api).await;
    let (root, bot) = (api.agent(&["*"]).await, api.agent(&[]).await);
    // Keys of their own make the delegation and its session, so that of the issuer there is the token alone.
    let (giver, other) =
        (api.key(Role::Agent, &[&root]).await, api.key(Role::Agent, &[&bot]).await);
    let body = json!({ "from_agent_id": root, "to_agent_id": bot, "scope": [TOOL] });
    let made = api.post("/api/v1/delegations", &giver, body).await.ok();
    let delegation = made.body["delegation"]["id"].as_str().unwrap().to_owned();
    let outer = begun(&api, &delegation).await;
    let session = people.session_in(&api, &bot, Some(&outer)).await;
    let approval = api.check_in(&people.gateway, &bot, TOOL, &session).await.held();
    people.bob_alone_decides(&api, &approval).await;
    api.approve(&other, &approval).await.refused(403, "AUTH_DENIED");
}

#[tokio::test]
async fn key_that_issued_the_token_does_not_approve_what_was_requested_by_authzen() {
    let api = open().await;
    let people = People::of(&api).await;
    let agent = api.agent(&["*"]).await;
    let session = people.session_in(&api, &agent, None).await;
    let mut evaluation = deletes(&agent, "users");
    evaluation["context"] = json!({ "session_id": session });
    let body = submission(&api, &people.gateway, &evaluation).await;
    let submitted = api.post(REQUESTS, &people.gateway, body).await.ok();
    let approval = submitted.body["task"]["id"].as_str().unwrap().to_owned();
    people.bob_alone_decides(&api, &approval).await;
}

#[tokio::test]
async fn owner_of_a_key_of_the_agent_does_not_approve_whoever_issued_the_token() {
    let api = open().await;
    let people = People::of(&api).await;
    let (agent, own) = api.worker().await;
    let dora = make(&api, ADMIN, json!({ "role": "operator", "owner": "dora" })).await;
    let theirs = owned_key(&api, &agent, "dora").await;
    let (other, _) = api.worker().await;
    owned_key(&api, &other, "bob").await;
    let session = people.session_in(&api, &agent, None).await;
    let approval = api.check_in(&people.gateway, &agent, TOOL, &session).await.held();
    cannot_decide(&api, &dora, &approval, "of one owner").await;
    // An owner of another agent's key has no part in it.
    api.approve(&people.bob, &approval).await.ok();
    // A key of the agent that asks itself is of its own owner, or of none.
    let approval = api.check(&theirs, &agent, "db_drop").await.held();
    cannot_decide(&api, &dora, &approval, "of one owner").await;
    let approval = api.check(&own, &agent, "db_purge").await.held();
    api.approve(&dora, &approval).await.ok();
}

#[tokio::test]
async fn who_made_the_agents_key_approves_what_is_asked_with_a_token_that_this_key_issued() {
    let api = open().await;
    let (agent, own) = api.worker().await;
    let gateway = api.key(Role::Gateway, &[]).await;
    let body = json!({ "agent_id": agent, "scopes": [TOOL] });
    let token = api.post(ISSUE, &own, body).await.ok().text("token");
    let session = opened(&api, &gateway, &token).await;
    let approval = api.check_in(&gateway, &agent, TOOL, &session).await.held();
    assert_eq!(api.approve(ADMIN, &approval).await.ok().body["status"], "approved");
    api.check_in(&gateway, &agent, TOOL, &session).await.allowed();
}

#[tokio::test]
async fn self_approval_lifts_what_a_token_says_of_who_asks() {
    let api = open_with(|builder| builder.allow_self_approval(true)).await;
    let people = People::of(&api).await;
    let agent = api.agent(&["*"]).await;
    let session = people.session_in(&api, &agent, None).await;
    let approval = api.check_in(&people.gateway, &agent, TOOL, &session).await.held();
    api.approve(&people.issuer, &approval).await.ok();
    assert_eq!(api.audit("approval.approved").await[0]["body"]["own_request"], true);
}
