//! Who comes from outside: with a token that an issuer of the server's organisation has signed for its address.

use std::time::{Duration, Instant};

use agenttrust_testkit::{ADMIN, Issuer, eventually};
use axum::http::Method;
use serde_json::{Value, json};
use tokio::net::TcpListener;

use super::{Fixture, Said, Speaks, call, read};
use crate::asked_by_token::{People, cannot_decide, owned_key};

const PROVIDERS: &str = "/api/v1/federation/providers";

impl Fixture {
    /// Creates one that was told under which address it is reached.
    async fn known(speaks: Speaks, tools: &[&str]) -> Self {
        Self::with(speaks, tools, |builder| builder.public_url("http://localhost")).await
    }

    /// Takes the tokens of an issuer by these rules; returns the id of the provider.
    async fn trusts(&self, issuer: &Issuer, level: &str, rules: Value) -> String {
        let body = json!({
            "issuer": issuer.url(),
            "name": "People",
            "trust_level": level,
            "audiences": ["https://guardian.example"],
            "rules": rules,
        });
        self.api.post(PROVIDERS, ADMIN, body).await.ok().text("id")
    }

    /// Returns what the audience of a token for the server is.
    fn address(&self) -> String {
        format!("http://localhost/mcp/{}", self.server)
    }

    /// Calls a tool with a token and these headers.
    async fn calls_with(&self, token: &str, tool: &str, more: &[(&str, &str)]) -> Said {
        let bearer = format!("Bearer {token}");
        let headers = [&[("authorization", bearer.as_str())], more].concat();
        let body = call(tool, json!({})).to_string();
        read(self.begin_as(Method::POST, &headers, Some(body)).await).await
    }
}

fn challenge(said: &Said) -> &str {
    said.headers.get("www-authenticate").map_or("", |value| value.to_str().unwrap())
}

#[tokio::test]
async fn agent_from_outside_is_checked_in_the_one_session_that_its_token_opens() {
    let fixture = Fixture::known(Speaks::Legacy, &["echo", "delete_all"]).await;
    let issuer = Issuer::start().await;
    let rule = json!({ "subject": "ada", "agent_id": fixture.agent });
    fixture.trusts(&issuer, "medium", json!([rule])).await;
    let token = issuer.token("ada", json!({ "aud": [fixture.address(), "https://other.example"] }));
    for _ in 0..3 {
        fixture.calls_with(&token, "echo", &[]).await.text_of_tool();
    }
    // Of a provider of medium trust it is supervised, whatever the agent may by itself.
    fixture.calls_with(&token, "delete_all", &[]).await.held();
    let opened = fixture.api.audit("session.opened").await;
    assert_eq!(opened.len(), 1, "{opened:?}");
    assert_eq!(opened[0]["body"]["source"], "federation", "{opened:?}");
    let decision = &fixture.api.audit("decision").await[0];
    assert_eq!(decision["agent_id"], fixture.agent);
    assert_eq!(decision["body"]["session_id"], opened[0]["body"]["session_id"]);
    let heard = format!("{:?}", fixture.upstream.heard());
    assert!(!heard.contains("eyJ") && !heard.contains("ats_"), "{heard}");
    // What is taken as the agent is the token, and nothing that is said beside it.
    let (other, _) = fixture.api.worker().await;
    let said = fixture.calls_with(&token, "echo", &[("x-agent-id", &other)]).await;
    said.refused(403, -32600, &other);
    let said = fixture.calls_with(&token, "echo", &[("x-session-id", "mine")]).await;
    said.refused(400, -32600, "X-Session-ID");
}

#[tokio::test]
async fn token_that_does_not_do_is_401_whatever_it_is_and_says_where_to_go() {
    let fixture = Fixture::known(Speaks::Legacy, &["echo"]).await;
    let (issuer, stranger) = (Issuer::start().await, Issuer::start().await);
    fixture.trusts(&issuer, "high", json!([{ "agent_id": fixture.agent }])).await;
    let address = fixture.address();
    let good = issuer.token("ada", json!({ "aud": address }));
    fixture.calls_with(&good, "echo", &[]).await.text_of_tool();
    let mut forged = good.clone();
    forged.replace_range(forged.len() - 8.., "AAAAAAAA");
    let expired = issuer.token("ada", json!({ "aud": address, "exp": 1_700_000_000 }));
    let mut said = Vec::new();
    for token in [
        &issuer.token("ada", json!({ "aud": "https://guardian.example" })),
        &issuer.token("ada", json!({ "aud": format!("{address}/") })),
        &issuer.token("ada", json!({})),
        &stranger.token("ada", json!({ "aud": address })),
        &forged,
        "eyJhbGciOiJub25lIn0.e30.",
        "eyJ.",
        &expired,
    ] {
        let refused = fixture.calls_with(token, "echo", &[]).await;
        refused.refused(401, -32600, "token");
        let expected = format!(
            "Bearer error=\"invalid_token\", resource_metadata=\
             \"http://localhost/.well-known/oauth-protected-resource/mcp/{}\", scope=\"files/*\"",
            fixture.server
        );
        assert_eq!(challenge(&refused), expected);
        said.push(refused.answer()["error"]["message"].clone());
    }
    // That it has expired is told; the other reasons are the audit's.
    let (last, others) = said.split_last().unwrap();
    assert!(others.iter().all(|it| *it == others[0]), "{others:#?}");
    assert_ne!(*last, others[0]);
    assert_eq!(fixture.api.audit("federation.token_refused").await.len(), 8);
    assert_eq!(fixture.upstream.called().len(), 1);
}

#[tokio::test]
async fn provider_is_named_where_the_server_is_described_and_the_end_of_it_is_the_end_of_all() {
    let fixture = Fixture::known(Speaks::Legacy, &["echo", "hang"]).await;
    let issuer = Issuer::start().await;
    let described = async || {
        let path = format!("/.well-known/oauth-protected-resource/mcp/{}", fixture.server);
        fixture.api.get(&path, "").await.ok().body
    };
    assert!(described().await.get("authorization_servers").is_none());
    let provider = fixture.trusts(&issuer, "high", json!([{ "agent_id": fixture.agent }])).await;
    assert_eq!(described().await["authorization_servers"], json!([issuer.url()]));
    let token = issuer.token("ada", json!({ "aud": fixture.address() }));
    let ends = async {
        eventually("it runs", async || fixture.upstream.running() == 1).await;
        fixture.api.ask(Method::DELETE, &format!("{PROVIDERS}/{provider}"), ADMIN, None).await.ok();
    };
    let (said, ()) = tokio::join!(fixture.calls_with(&token, "hang", &[]), ends);
    said.refused(503, -32603, "revoked");
    fixture.calls_with(&token, "echo", &[]).await.refused(401, -32600, "token");
    assert!(described().await.get("authorization_servers").is_none());
}

#[tokio::test]
async fn token_is_for_no_address_that_only_its_sender_speaks_of() {
    let fixture = Fixture::of(Speaks::Legacy, &["echo"]).await;
    let issuer = Issuer::start().await;
    fixture.trusts(&issuer, "high", json!([{ "agent_id": fixture.agent }])).await;
    // Not for this machine's own either, where it is not known who asks.
    for host in ["elsewhere.example", "localhost", "127.0.0.1:8080", "[::1]", "what ever", ""] {
        let named = if matches!(host, "what ever" | "") { "localhost" } else { host };
        let aud = format!("http://{named}/mcp/{}", fixture.server);
        let token = issuer.token("ada", json!({ "aud": aud }));
        let said = fixture.calls_with(&token, "echo", &[("host", host)]).await;
        said.refused(401, -32600, "public-url");
        let path = format!("/.well-known/oauth-protected-resource/mcp/{}", fixture.server);
        let described = fixture.api.with(&[("host", host)]).get(&path, "").await.ok();
        assert!(described.body.get("authorization_servers").is_none(), "{host}: {described:?}");
    }
    assert_eq!(fixture.upstream.called(), [""; 0]);
}

#[tokio::test]
async fn rule_that_is_changed_holds_for_the_next_message() {
    let fixture = Fixture::known(Speaks::Legacy, &["echo"]).await;
    let issuer = Issuer::start().await;
    let provider = fixture.trusts(&issuer, "high", json!([{ "agent_id": fixture.agent }])).await;
    let token = issuer.token("ada", json!({ "aud": fixture.address() }));
    fixture.calls_with(&token, "echo", &[]).await.text_of_tool();
    let path = format!("{PROVIDERS}/{provider}");
    let (other, _) = fixture.api.worker().await;
    let rules = json!({ "rules": [{ "agent_id": other, "scopes": ["files/echo"] }] });
    fixture.api.ask(Method::PATCH, &path, ADMIN, Some(rules)).await.ok();
    fixture.calls_with(&token, "echo", &[]).await.text_of_tool();
    let decisions = fixture.api.audit("decision").await;
    let agents: Vec<_> = decisions.iter().map(|it| it["agent_id"].clone()).collect();
    assert!(agents.contains(&json!(fixture.agent)) && agents.contains(&json!(other)), "{agents:?}");
    let rules = json!({ "rules": [{ "subject": "bob", "agent_id": other }] });
    fixture.api.ask(Method::PATCH, &path, ADMIN, Some(rules)).await.ok();
    fixture.calls_with(&token, "echo", &[]).await.refused(403, -32600, "no rule");
}

#[tokio::test]
async fn flood_of_forged_tokens_costs_their_issuer_little_and_others_nothing() {
    let fixture = Fixture::known(Speaks::Legacy, &["echo"]).await;
    let issuer = Issuer::start().await;
    fixture.trusts(&issuer, "high", json!([{ "agent_id": fixture.agent }])).await;
    let good = issuer.token("ada", json!({ "aud": fixture.address() }));
    fixture.calls_with(&good, "echo", &[]).await.text_of_tool();
    // Of keys that their issuer has not.
    let forger = Issuer::start().await;
    for _ in 0..5 {
        forger.rotate();
    }
    let forged = forger.token("ada", json!({ "iss": issuer.url(), "aud": fixture.address() }));
    let before = issuer.keys_read();
    let flood = futures_util::future::join_all((0..300).map(async |_| {
        let said = fixture.calls_with(&forged, "echo", &[]).await;
        // Few of them may wait for the keys at once.
        match said.status.as_u16() {
            503 => said.refused(503, -32603, "try again"),
            _ => said.refused(401, -32600, "token"),
        };
    }));
    let meanwhile = async {
        for _ in 0..20 {
            fixture.calls_with(&good, "echo", &[]).await.text_of_tool();
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::join!(flood, meanwhile);
    let read = issuer.keys_read() - before;
    assert!(read <= 12, "its keys were read {read} times for 300 forged tokens");
    // Each refusal is bounded in the audit too.
    let refused = fixture.api.audit("federation.token_refused").await;
    assert!(!refused.is_empty() && refused.len() <= 25);
    // What names a provider is not yet of it.
    assert!(refused.iter().all(|row| row["actor"].as_str().unwrap().starts_with("strangers@")));
}

/// Listens in the place of an issuer, and never answers.
async fn hang_in_place_of(issuer: &mut Issuer) {
    issuer.stop().await;
    let address = issuer.url().trim_start_matches("http://").to_owned();
    let listener = TcpListener::bind(address).await.unwrap();
    tokio::spawn(async move {
        let mut kept = Vec::new();
        loop {
            kept.push(listener.accept().await.unwrap());
        }
    });
}

#[tokio::test(flavor = "multi_thread")]
async fn strangers_who_wait_for_keys_take_no_place_of_a_caller_whose_key_is_known() {
    let fixture = Fixture::with(Speaks::Legacy, &["echo"], |builder| {
        builder.public_url("http://localhost").max_requests(64)
    })
    .await;
    let mut issuer = Issuer::start().await;
    fixture.trusts(&issuer, "high", json!([{ "agent_id": fixture.agent }])).await;
    let good = issuer.token("ada", json!({ "aud": fixture.address() }));
    fixture.calls_with(&good, "echo", &[]).await.text_of_tool();
    let forger = Issuer::start().await;
    forger.rotate();
    let forged = forger.token("ada", json!({ "iss": issuer.url(), "aud": fixture.address() }));
    hang_in_place_of(&mut issuer).await;
    let flood = futures_util::future::join_all((0..200).map(async |_| {
        let begun = Instant::now();
        let said = fixture.calls_with(&forged, "echo", &[]).await;
        said.refused(503, -32603, "try again");
        assert!(said.headers.contains_key("retry-after"), "{said:?}");
        begun.elapsed()
    }));
    let meanwhile = async {
        for _ in 0..40 {
            let begun = Instant::now();
            fixture.calls_with(&good, "echo", &[]).await.text_of_tool();
            assert!(begun.elapsed() < Duration::from_secs(5), "{:?}", begun.elapsed());
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    let (waited, ()) = tokio::join!(flood, meanwhile);
    let waited = waited.iter().filter(|waited| **waited > Duration::from_secs(3)).count();
    assert!((1..=64).contains(&waited), "{waited} of 200 waited for the keys");
}

#[tokio::test]
async fn key_that_issued_the_token_does_not_approve_what_is_called_with_it() {
    let fixture = Fixture::of(Speaks::Legacy, &["delete_all"]).await;
    let api = &fixture.api;
    let people = People::of(api).await;
    let agent = api.agent(&["*"]).await;
    let body = json!({ "agent_id": agent, "scopes": ["files/delete_all"] });
    let token = api.post("/api/v1/agent-tokens/issue", &people.issuer, body).await.ok();
    let token = token.text("token");
    let approval = fixture.calls_with(&token, "delete_all", &[]).await.held();
    people.bob_alone_decides(api, &approval).await;
    fixture.calls_with(&token, "delete_all", &[]).await.text_of_tool();
}

#[tokio::test]
async fn owner_of_an_agents_key_does_not_approve_what_it_calls_from_outside() {
    let fixture = Fixture::known(Speaks::Legacy, &["delete_all"]).await;
    let people = People::of(&fixture.api).await;
    let issuer = Issuer::start().await;
    let rule = json!({ "subject": "ada", "agent_id": fixture.agent });
    fixture.trusts(&issuer, "high", json!([rule])).await;
    owned_key(&fixture.api, &fixture.agent, "alice").await;
    let token = issuer.token("ada", json!({ "aud": fixture.address() }));
    let approval = fixture.calls_with(&token, "delete_all", &[]).await.held();
    cannot_decide(&fixture.api, &people.alice, &approval, "of one owner").await;
    fixture.api.approve(&people.bob, &approval).await.ok();
    fixture.calls_with(&token, "delete_all", &[]).await.text_of_tool();
}
