//! The Guardian's clock and that of an issuer are an hour apart: its tokens are refused by the right code, and taken
//! once the clocks meet.

use std::time::Duration;

use agenttrust::Timestamp;
use agenttrust_testkit::{ADMIN, Answer, Issuer};
use serde_json::json;

use crate::clock::{Clock, before};
use crate::harness::{Api, open_with};

const HOUR: Duration = Duration::from_secs(3_600);
const GUARDIAN: &str = "https://guardian.example";

/// A Guardian whose clock stands at `at`, and an issuer that goes by the machine's.
struct Fixture {
    api: Api,
    issuer: Issuer,
}

impl Fixture {
    async fn at(at: Timestamp) -> Self {
        let issuer = Issuer::start().await;
        let api = open_with(|builder| {
            builder.allow_outbound("127.0.0.0/8").public_url(GUARDIAN).session_ttl(3 * HOUR)
        })
        .await;
        api.guardian.engine().clock.stop_at(at);
        let agent = api.agent(&["*"]).await;
        let body = json!({
            "issuer": issuer.url(), "name": "issuer", "trust_level": "high",
            "rules": [{ "agent_id": agent }],
        });
        api.post("/api/v1/federation/providers", ADMIN, body).await.ok();
        Self { api, issuer }
    }

    fn clock(&self) -> &Clock {
        &self.api.guardian.engine().clock
    }

    /// Returns a token that is good for five minutes by the issuer's clock.
    fn token(&self) -> String {
        self.issuer.token("someone", json!({ "aud": GUARDIAN }))
    }

    async fn session(&self, token: &str) -> Answer {
        let body = json!({ "token": token });
        self.api.post("/api/v1/federation/sessions/init", ADMIN, body).await
    }

    async fn error(&self, token: &str) -> String {
        let body = json!({ "token": token });
        let verified = self.api.post("/api/v1/federation/tokens/verify", ADMIN, body).await.ok();
        assert_eq!(verified.body["valid"], false, "{verified:?}");
        verified.text("error")
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn clock_that_is_an_hour_ahead_finds_tokens_expired() {
    let fixture = Fixture::at(Timestamp::now()).await;
    let token = fixture.token();
    fixture.session(&token).await.ok();
    fixture.clock().set_ahead(HOUR);
    fixture.session(&token).await.refused(401, "TOKEN_EXPIRED");
    let error = fixture.error(&fixture.token()).await;
    assert!(error.starts_with("TOKEN_EXPIRED: "), "{error}");
    // Set back, the clock waits where it is: what had expired does not come back.
    fixture.clock().set_back(HOUR);
    fixture.session(&token).await.refused(401, "TOKEN_EXPIRED");
}

#[tokio::test(flavor = "multi_thread")]
async fn clock_that_is_an_hour_behind_takes_no_token_from_the_future_until_it_is_there() {
    let fixture = Fixture::at(before(Timestamp::now(), HOUR)).await;
    let token = fixture.token();
    fixture.session(&token).await.refused(401, "AUTH_FAILED");
    let error = fixture.error(&token).await;
    assert!(error.starts_with("AUTH_FAILED: ") && !error.contains("to come"), "{error}");
    let told = fixture.api.audit("federation.token_refused").await;
    let told: Vec<String> = told.iter().map(|row| row["body"].to_string()).collect();
    assert!(told.iter().any(|row| row.contains("still to come")), "{told:#?}");
    fixture.clock().advance(HOUR);
    fixture.session(&token).await.ok();
}

#[tokio::test(flavor = "multi_thread")]
async fn session_ends_with_its_token_whatever_is_left_of_its_own_time() {
    let fixture = Fixture::at(Timestamp::now()).await;
    let token = fixture.token();
    let session = fixture.session(&token).await.ok().body;
    fixture.clock().advance(Duration::from_secs(290));
    fixture.session(&token).await.ok();
    fixture.clock().advance(Duration::from_secs(80));
    fixture.session(&token).await.refused(401, "TOKEN_EXPIRED");
    let path = format!("/mcp/sessions/{}", session["session_id"].as_str().unwrap());
    let read = fixture.api.get(&path, ADMIN).await;
    assert!(read.status != 200 || read.body["status"] != "active", "{read:?}");
}
