//! Federation providers: what registering one makes, what a change of one takes away, and what goes with one.

use agenttrust_testkit::{ADMIN, Issuer};
use axum::http::Method;
use serde_json::{Value, json};

use crate::support::{Api, open, open_with};

const PROVIDERS: &str = "/api/v1/federation/providers";
const GUARDIAN: &str = "https://guardian.example";

/// A Guardian with an agent, and an issuer whose tokens it may take.
struct Fixture {
    api: Api,
    issuer: Issuer,
    agent: String,
}

impl Fixture {
    async fn new() -> Self {
        let api = open_with(|builder| builder.allow_private_targets(true)).await;
        let (agent, _) = api.worker().await;
        Self { api, issuer: Issuer::start().await, agent }
    }

    /// Returns what a provider is registered with, with these members in place of those.
    fn body(&self, members: Value) -> Value {
        let mut body = json!({
            "issuer": self.issuer.url(),
            "name": "Example Workforce",
            "trust_level": "high",
            "audiences": [GUARDIAN],
            "rules": [{ "agent_id": self.agent }],
        });
        for (name, member) in members.as_object().unwrap() {
            body[name] = member.clone();
        }
        body
    }

    async fn registered(&self) -> String {
        self.api.post(PROVIDERS, ADMIN, self.body(json!({}))).await.ok().text("id")
    }

    /// Returns a session of a token for whom it is about.
    async fn session(&self, subject: &str) -> String {
        let token = self.issuer.token(subject, json!({ "aud": GUARDIAN }));
        let path = "/api/v1/federation/sessions/init";
        self.api.post(path, ADMIN, json!({ "token": token })).await.ok().text("session_id")
    }

    async fn is_open(&self, session: &str) -> bool {
        let checked = self.api.check_in(ADMIN, &self.agent, "files_read", session).await.ok();
        checked.body["allowed"] == true
    }

    async fn change(&self, id: &str, members: Value) -> Value {
        let path = format!("{PROVIDERS}/{id}");
        self.api.ask(Method::PATCH, &path, ADMIN, Some(members)).await.ok().body
    }
}

#[tokio::test]
async fn provider_is_what_it_says_of_itself_and_has_a_gateway_key_that_nobody_sees() {
    let fixture = Fixture::new().await;
    let (api, url) = (&fixture.api, fixture.issuer.url());
    let made = api.post(PROVIDERS, ADMIN, fixture.body(json!({ "trust_level": "standard" }))).await;
    assert_eq!(made.status, 201);
    let made = made.ok().body;
    assert!(made["id"].as_str().unwrap().starts_with("fedp_"), "{made}");
    for (member, expected) in [
        ("issuer", json!(url)),
        ("jwks_uri", json!(format!("{url}/keys"))),
        ("authorization_endpoint", json!(format!("{url}/authorize"))),
        ("token_endpoint", json!(format!("{url}/token"))),
        ("trust_level", json!("medium")),
        ("status", json!("active")),
        ("audiences", json!([GUARDIAN])),
        ("rules", json!([{ "agent_id": fixture.agent }])),
    ] {
        assert_eq!(made[member], expected, "{member}");
    }
    let path = format!("{PROVIDERS}/{}", made["id"].as_str().unwrap());
    assert_eq!(api.get(&path, ADMIN).await.ok().body, made);
    assert_eq!(api.get(PROVIDERS, ADMIN).await.ok().body, json!({ "providers": [made] }));
    let keys = api.get("/api/v1/keys", ADMIN).await.ok().body;
    let keys = keys["keys"].as_array().unwrap();
    let key = keys.iter().find(|key| key["id"] == made["key_id"]).unwrap();
    assert_eq!(
        (&key["role"], &key["gateway"]),
        (&json!("gateway"), &json!("federation:Example Workforce"))
    );
    assert!(!made.to_string().contains("sk_live_"));
    let told = api.audit("federation.provider_registered").await;
    assert_eq!((told.len(), &told[0]["body"]["issuer"]), (1, &json!(url)));
}

#[tokio::test]
async fn what_could_not_be_meant_is_refused_by_its_name_and_registers_nothing() {
    let fixture = Fixture::new().await;
    let gone = json!([{ "agent_id": "agt_gone" }]);
    let unlimited = json!([{ "agent_id": fixture.agent }]);
    let scopes = json!([{ "agent_id": fixture.agent, "scopes": ["a*b"] }]);
    let unknown = json!([{ "agent_id": fixture.agent, "subjet": "ada" }]);
    for (members, says) in [
        (json!({ "rules": gone }), "rules[0].agent_id"),
        (json!({ "rules": unlimited, "trust_level": "low" }), "rules[0].scopes"),
        (json!({ "rules": scopes }), "rules[0].scopes"),
        (json!({ "rules": unknown }), "subjet"),
        (json!({ "audiences": [] }), "public URL"),
        (json!({ "trust_level": "absolute" }), "trust_level"),
        (json!({ "name": "" }), "name"),
        (json!({ "issuer": format!("{}/", fixture.issuer.url()) }), "issuer"),
        (json!({ "issuer": "ftp://issuer.example" }), "issuer"),
    ] {
        let refused = fixture.api.post(PROVIDERS, ADMIN, fixture.body(members.clone())).await;
        refused.refused(400, "VALIDATION_ERROR");
        assert!(refused.text("message").contains(says), "{members}: {refused:?}");
    }
    assert_eq!(fixture.api.get(PROVIDERS, ADMIN).await.ok().body, json!({ "providers": [] }));
    fixture.registered().await;
    for members in [json!({}), json!({ "name": "Another one" })] {
        fixture.api.post(PROVIDERS, ADMIN, fixture.body(members)).await.refused(409, "CONFLICT");
    }
    // A private address is none that is called unless that was opened.
    let closed = open().await;
    let agent = closed.agent(&["*"]).await;
    let body = fixture.body(json!({ "rules": [{ "agent_id": agent }] }));
    closed.post(PROVIDERS, ADMIN, body).await.refused(400, "VALIDATION_ERROR");
}

#[tokio::test]
async fn change_that_takes_something_away_ends_the_sessions_and_no_other_does() {
    let fixture = Fixture::new().await;
    let id = fixture.registered().await;
    let first = json!({ "agent_id": fixture.agent });
    let second = json!({ "subject": "bob", "agent_id": fixture.agent });
    for (members, ends) in [
        (json!({ "name": "Renamed" }), false),
        (json!({ "audiences": [GUARDIAN, "https://other.example"] }), false),
        (json!({ "rules": [first, second] }), false),
        (json!({ "rules": [second, first] }), true),
        (json!({ "audiences": [GUARDIAN] }), true),
        (json!({ "trust_level": "medium" }), true),
        (json!({ "trust_level": "high" }), false),
        (json!({ "rules": [first] }), true),
    ] {
        let session = fixture.session("ada").await;
        assert!(fixture.is_open(&session).await, "{members}");
        let changed = fixture.change(&id, members.clone()).await;
        for (name, member) in members.as_object().unwrap() {
            assert_eq!(changed[name], *member);
        }
        assert_eq!(fixture.is_open(&session).await, !ends, "{members}");
    }
    let path = format!("{PROVIDERS}/{id}");
    for (body, says) in [
        (json!({}), "nothing to change"),
        (json!({ "issuer": "https://other.example" }), "issuer"),
        (json!({ "audiences": [] }), "public URL"),
        (json!({ "trust_level": "low" }), "rules[0].scopes"),
    ] {
        let refused = fixture.api.ask(Method::PATCH, &path, ADMIN, Some(body)).await;
        refused.refused(400, "VALIDATION_ERROR");
        assert!(refused.text("message").contains(says), "{refused:?}");
    }
}

#[tokio::test]
async fn removed_provider_takes_its_key_its_sessions_and_the_worth_of_its_tokens_along() {
    let fixture = Fixture::new().await;
    let id = fixture.registered().await;
    let session = fixture.session("ada").await;
    assert!(fixture.is_open(&session).await);
    let path = format!("{PROVIDERS}/{id}");
    let key_id = fixture.api.get(&path, ADMIN).await.ok().text("key_id");
    let removed = fixture.api.ask(Method::DELETE, &path, ADMIN, None).await.ok().body;
    assert_eq!(removed, json!({ "status": "removed", "durable": true }));
    assert!(!fixture.is_open(&session).await);
    let token = fixture.issuer.token("ada", json!({ "aud": GUARDIAN }));
    let asked = json!({ "token": token });
    let said = fixture.api.post("/api/v1/federation/tokens/verify", ADMIN, asked).await.ok().body;
    assert_eq!(said["valid"], false, "{said}");
    fixture.api.ask(Method::DELETE, &path, ADMIN, None).await.refused(404, "NOT_FOUND");
    fixture.api.get(&path, ADMIN).await.refused(404, "NOT_FOUND");
    assert_eq!(fixture.api.audit("federation.provider_removed").await.len(), 1);
    let revoked = fixture.api.audit("key.revoked").await;
    assert!(revoked.iter().any(|entry| entry["body"]["key_id"] == key_id), "{revoked:?}");
    // The same issuer may come again, as another one.
    assert_ne!(fixture.registered().await, id);
    assert!(!fixture.is_open(&session).await);
}
