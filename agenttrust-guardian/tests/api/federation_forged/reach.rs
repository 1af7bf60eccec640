//! What federation gives to no caller that is not meant: one with a token for another gateway, a key in the place of
//! another, a name that looks like another, or a provider whose gateway is gone.

use agenttrust_testkit::{ADMIN, Answer};
use axum::http::Method;
use serde_json::{Value, json};

use super::{Fixture, Page, encode, jwk, now, sign, with};

const PROVIDERS: &str = "/api/v1/federation/providers";
const KEYS: &str = "/api/v1/keys";

impl Fixture {
    /// Returns the only provider.
    async fn provider(&self) -> Value {
        let listed = self.api.get(PROVIDERS, ADMIN).await.ok();
        listed.body["providers"][0].clone()
    }

    async fn make_key(&self, body: Value) -> Answer {
        self.api.post(KEYS, ADMIN, body).await
    }

    /// Says another key under the id of the one that is known.
    fn replace_key(&self) {
        let keys = json!({ "keys": [jwk("other_ed25519", "ed")] });
        self.site.put("/keys", Page::Text(keys.to_string()));
    }
}

#[tokio::test]
async fn token_of_ours_is_worth_nothing_to_a_gateway_that_it_is_not_for() {
    let fixture = Fixture::new().await;
    let body = json!({ "agent_id": fixture.agent, "audience": "files" });
    let token = fixture.api.post("/api/v1/federation/tokens/issue", ADMIN, body).await.ok();
    let token = token.text("token");
    let gateway = async |name: &str| {
        fixture.make_key(json!({ "role": "gateway", "gateway": name })).await.ok().text("key")
    };
    let (files, mail) = (gateway("files").await, gateway("mail").await);
    let valid = async |key: &str| fixture.verify(key, &token).await.ok().body["valid"].clone();
    assert_eq!(valid(&files).await, true);
    assert_eq!(valid(&mail).await, false);
    assert_eq!(valid(ADMIN).await, true);
    fixture.session(&mail, &token).await.refused(401, "AUTH_FAILED");
    // Who sets federation up is told where it may be used, whichever key that is.
    let auditor = fixture.api.key("auditor", &[]).await;
    let told = fixture.api.post("/api/v1/federation/test", &auditor, json!({ "token": token }));
    assert_eq!(told.await.ok().body["ok"], true);
}

#[tokio::test]
async fn key_in_the_place_of_another_under_its_id_is_known_at_once() {
    let fixture = Fixture::new().await;
    let old = fixture.token(json!({}), json!({}));
    assert_eq!(fixture.verify(ADMIN, &old).await.ok().body["valid"], true);
    fixture.replace_key();
    let header = json!({ "alg": "EdDSA", "kid": "ed" });
    let new = sign("other_ed25519", &header, &fixture.claims(json!({})));
    assert_eq!(fixture.verify(ADMIN, &new).await.ok().body["valid"], true);
    assert_eq!(fixture.verify(ADMIN, &old).await.ok().body["valid"], false);
}

#[tokio::test]
async fn forged_signatures_under_a_known_id_cost_few_reads_and_hold_up_nobody() {
    let fixture = Fixture::new().await;
    let good = fixture.token(json!({}), json!({}));
    assert_eq!(fixture.verify(ADMIN, &good).await.ok().body["valid"], true);
    fixture.site.put("/keys", Page::Hangs);
    let asked = fixture.site.asked();
    let header = json!({ "alg": "EdDSA", "kid": "ed" });
    let forged = sign("other_ed25519", &header, &fixture.claims(json!({})));
    let flood = futures_util::future::join_all((0..50).map(async |_| {
        let said = fixture.verify(ADMIN, &forged).await;
        assert!(said.status == 200 && said.body["valid"] == false, "{said:?}");
    }));
    let meanwhile = async {
        let begun = std::time::Instant::now();
        for _ in 0..20 {
            assert_eq!(fixture.verify(ADMIN, &good).await.ok().body["valid"], true);
        }
        assert!(begun.elapsed().as_secs() < 3, "{:?}", begun.elapsed());
    };
    tokio::join!(flood, meanwhile);
    assert!(fixture.site.asked() - asked <= 12, "{}", fixture.site.asked() - asked);
}

#[tokio::test]
async fn identity_of_a_provider_and_of_a_server_is_nobody_elses() {
    let fixture = Fixture::new().await;
    let server = json!({ "name": "shelf", "url": format!("{}/mcp", fixture.site.url) });
    fixture.api.post("/mcp/servers", ADMIN, server).await.ok();
    for name in ["federation:good", "federation:", "federation:another", "shelf"] {
        let refused = fixture.make_key(json!({ "role": "gateway", "gateway": name })).await;
        refused.refused(400, "VALIDATION_ERROR").says("gateway");
    }
    fixture.make_key(json!({ "role": "gateway", "gateway": "federated" })).await.ok();
    let listed = fixture.api.get(KEYS, ADMIN).await.ok().body;
    for name in ["federation:good", "shelf"] {
        let keys = listed["keys"].as_array().unwrap();
        let key = keys.iter().find(|key| key["gateway"] == name).unwrap();
        let path = format!("{KEYS}/{}/rotate", key["id"].as_str().unwrap());
        let refused = fixture.api.post(&path, ADMIN, json!({})).await;
        refused.refused(409, "CONFLICT").says("register it again");
    }
}

#[tokio::test]
async fn provider_whose_gateway_key_is_revoked_is_disabled_and_opens_no_session() {
    let fixture = Fixture::new().await;
    let provider = fixture.provider().await;
    assert_eq!(provider["status"], "active");
    let token = fixture.token(json!({}), json!({}));
    fixture.session(ADMIN, &token).await.ok();
    let path = format!("{KEYS}/{}", provider["key_id"].as_str().unwrap());
    fixture.api.ask(Method::DELETE, &path, ADMIN, None).await.ok();
    assert_eq!(fixture.provider().await["status"], "disabled");
    fixture.session(ADMIN, &token).await.refused(401, "AUTH_FAILED");
    assert_eq!(fixture.verify(ADMIN, &token).await.ok().body["valid"], false);
}

#[tokio::test]
async fn that_a_token_has_expired_is_told_to_keys_that_reach_its_agent() {
    let fixture = Fixture::new().await;
    let expired = fixture.token(json!({}), json!({ "exp": now() - 100 }));
    let unruled = fixture.token(json!({}), json!({ "exp": now() - 100, "sub": "nobody" }));
    let own = fixture.api.key("agent", &[&fixture.agent]).await;
    let (_, other) = fixture.api.worker().await;
    for (key, token, code) in [
        (own.as_str(), &expired, "TOKEN_EXPIRED"),
        (ADMIN, &expired, "TOKEN_EXPIRED"),
        (ADMIN, &unruled, "TOKEN_EXPIRED"),
        (&other, &expired, "AUTH_FAILED"),
        (&own, &unruled, "AUTH_FAILED"),
    ] {
        let told = fixture.verify(key, token).await.ok().text("error");
        assert!(told.starts_with(code), "{told}");
        fixture.session(key, token).await.refused(401, code);
    }
}

#[tokio::test]
async fn provider_whose_only_key_can_verify_nothing_is_refused() {
    let fixture = Fixture::new().await;
    // As long as a point is, and none.
    let off = with(jwk("p256", "ec"), json!({ "y": encode("a point that is not on this one.") }));
    let keys = json!({ "keys": [off] }).to_string();
    fixture.site.put("/off/keys", Page::Text(keys));
    let uri = format!("{}/off/keys", fixture.site.url);
    let document = fixture.site.document("/off", json!({ "jwks_uri": uri })).to_string();
    fixture.site.put(&format!("/off{}", super::site::WELL_KNOWN), Page::Text(document));
    let body = json!({ "issuer": format!("{}/off", fixture.site.url), "name": "off" });
    let refused = fixture.api.post(PROVIDERS, ADMIN, body).await;
    refused.refused(400, "VALIDATION_ERROR").says("P-256");
}

#[tokio::test]
async fn name_that_looks_like_another_one_is_no_name_of_a_provider() {
    let fixture = Fixture::new().await;
    let path = format!("{PROVIDERS}/{}", fixture.provider().await["id"].as_str().unwrap());
    for name in ["a\u{202e}b", "go\u{200b}od", "good\u{2069}", "\u{feff}good", "g\u{ad}ood"] {
        let body = json!({ "name": name });
        let refused = fixture.api.ask(Method::PATCH, &path, ADMIN, Some(body)).await;
        refused.refused(400, "VALIDATION_ERROR").says("name");
    }
    let body = json!({ "name": "Großhändler 東京" });
    fixture.api.ask(Method::PATCH, &path, ADMIN, Some(body)).await.ok();
}
