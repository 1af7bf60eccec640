//! Who asks an agent from outside: with a token that an issuer of its organisation has signed for its address.

use agenttrust_testkit::{ADMIN, Answer, Issuer};
use axum::http::Method;
use serde_json::{Value, json};

use super::{Fixture, known, message};
use crate::asked_by_token::{People, cannot_decide, owned_key};

const PROVIDERS: &str = "/api/v1/federation/providers";

impl Fixture {
    /// Takes the tokens of an issuer by these rules; returns the id of the provider.
    async fn trusts(&self, issuer: &Issuer, rules: Value) -> String {
        let body = json!({
            "issuer": issuer.url(),
            "name": "Partners",
            "trust_level": "high",
            "audiences": ["https://guardian.example"],
            "rules": rules,
        });
        self.api.post(PROVIDERS, ADMIN, body).await.ok().text("id")
    }

    /// Returns what a token for the target is for.
    fn address(&self) -> String {
        format!("http://localhost/a2a/agents/{}", self.target)
    }

    /// Asks the target with a token and nothing else.
    async fn asks_with(&self, token: &str, method: &str, params: Value) -> Answer {
        let bearer = format!("Bearer {token}");
        let api = self.api.with(&[("a2a-version", "1.0"), ("authorization", &bearer)]);
        let body = json!({ "jsonrpc": "2.0", "id": 1, "method": method, "params": params });
        api.post(&format!("/a2a/agents/{}", self.target), "", body).await
    }
}

#[tokio::test]
async fn agent_from_outside_sends_a_task_and_sees_its_own_alone() {
    let fixture = Fixture::with(|builder| builder.public_url("http://localhost")).await;
    let issuer = Issuer::start().await;
    let (other, _) = fixture.api.worker().await;
    let rules = json!([
        { "subject": "ada", "agent_id": fixture.source },
        { "subject": "bob", "agent_id": other },
    ]);
    let provider = fixture.trusts(&issuer, rules).await;
    let token = |subject: &str| issuer.token(subject, json!({ "aud": fixture.address() }));
    let (ada, bob) = (token("ada"), token("bob"));
    let sent = fixture.asks_with(&ada, "SendMessage", message("m-1", "hello")).await.ok().body;
    let task = &sent["result"]["task"];
    assert!(task["id"].is_string(), "{sent}");
    let get = json!({ "id": task["id"] });
    let seen = fixture.asks_with(&ada, "GetTask", get.clone()).await.ok().body;
    assert_eq!(seen["result"]["id"], task["id"], "{seen}");
    let hidden = fixture.asks_with(&bob, "GetTask", get.clone()).await.ok().body;
    assert!(hidden["result"].is_null() && !hidden["error"].is_null(), "{hidden}");
    // Checked as the agent, in one session.
    let opened = fixture.api.audit("session.opened").await;
    let of_source: Vec<_> =
        opened.iter().filter(|entry| entry["agent_id"] == fixture.source).collect();
    assert_eq!(of_source.len(), 1, "{opened:?}");
    let decision = &fixture.api.audit("decision").await[0];
    assert_eq!(decision["agent_id"], fixture.source, "{decision}");
    assert_eq!(decision["body"]["session_id"], of_source[0]["body"]["session_id"]);

    fixture.api.ask(Method::DELETE, &format!("{PROVIDERS}/{provider}"), ADMIN, None).await.ok();
    fixture.asks_with(&ada, "GetTask", get).await.refused(401, "AUTH_FAILED");
}

#[tokio::test]
async fn agent_is_described_to_clients_of_oauth_once_its_card_is_published() {
    let fixture = Fixture::with(|builder| builder.public_url("http://localhost")).await;
    let issuer = Issuer::start().await;
    fixture.trusts(&issuer, json!([{ "agent_id": fixture.source }])).await;
    let described = format!("/.well-known/oauth-protected-resource/a2a/agents/{}", fixture.target);
    let challenge = async |token: &str| {
        let answer = fixture.asks_with(token, "ListTasks", json!({})).await;
        assert_eq!(answer.status, 401);
        answer.headers["www-authenticate"].to_str().unwrap().to_owned()
    };
    let expected = format!("Bearer error=\"invalid_token\", scope=\"a2a/{}\"", fixture.target);
    let wrong = issuer.token("ada", json!({ "aud": "https://guardian.example" }));
    assert_eq!(challenge(&wrong).await, expected);
    fixture.api.get(&described, "").await.refused(404, "NOT_FOUND");
    // It is reached all the same by those who know of it.
    let token = issuer.token("ada", json!({ "aud": fixture.address() }));
    fixture.asks_with(&token, "ListTasks", json!({})).await.ok();

    let card = format!("/api/v1/agents/{}/card", fixture.target);
    fixture.api.post(&card, ADMIN, json!({})).await.ok();
    fixture.api.put(&format!("{card}/publish"), ADMIN, json!({})).await.ok();
    let expected = format!(
        "Bearer error=\"invalid_token\", resource_metadata=\"http://localhost{described}\", scope=\"a2a/{}\"",
        fixture.target
    );
    assert_eq!(challenge(&wrong).await, expected);
    let said = fixture.api.get(&described, "").await.ok().body;
    assert_eq!(said["resource"], fixture.address());
    assert_eq!(said["authorization_servers"], json!([issuer.url()]));
    assert_eq!(said["scopes_supported"], json!([format!("a2a/{}", fixture.target)]));
    assert_eq!(said["bearer_methods_supported"], json!(["header"]));
}

#[tokio::test]
async fn owner_of_an_agents_key_does_not_approve_what_it_sends_from_outside() {
    let fixture = Fixture::with(|builder| builder.public_url("http://localhost")).await;
    fixture.holds().await;
    let people = People::of(&fixture.api).await;
    let issuer = Issuer::start().await;
    fixture.trusts(&issuer, json!([{ "subject": "ada", "agent_id": fixture.source }])).await;
    owned_key(&fixture.api, &fixture.source, "alice").await;
    let token = issuer.token("ada", json!({ "aud": fixture.address() }));
    let sent = fixture.asks_with(&token, "SendMessage", message("m-1", "do it")).await.ok().body;
    let task = &sent["result"]["task"];
    let approval = known(task, "approval_id").as_str().unwrap_or_else(|| panic!("{sent}"));
    cannot_decide(&fixture.api, &people.alice, approval, "of one owner").await;
    fixture.api.approve(&people.bob, approval).await.ok();
}
