//! Agent cards: what they say, who may read them, and by what keys they are signed.

mod keys;
mod options;

use agenttrust::AgentCard;
use agenttrust::model::{CardKeys, TrustedKey};
use agenttrust_guardian::Role;
use agenttrust_testkit::{ADMIN, Answer};
use axum::body::{Body, to_bytes};
use axum::http::{Method, Request, StatusCode};
use serde_json::{Value, json};
use tower::ServiceExt;

use crate::support::{Api, open, open_with};

/// The formula is in the card itself.
const FORMULA: &str = "100 × (verified successes + 1) / (verified outcomes + 2)";
const KEYS: &str = "/.well-known/jwks.json";
const ROTATE: &str = "/api/v1/cards/keys/rotate";
/// An Ed25519 key of an agent, and its JSON Web Key.
const PEM: &str = "-----BEGIN PUBLIC KEY-----\nMCowBQYDK2VwAyEA11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo=\n-----END PUBLIC KEY-----\n";
const X: &str = "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo";

fn card_of(agent: &str) -> String {
    format!("/api/v1/agents/{agent}/card")
}

fn public_of(agent: &str) -> String {
    format!("/a2a/agents/{agent}/agent.json")
}

async fn generate(api: &Api, agent: &str, said: Value) -> Answer {
    api.post(&card_of(agent), ADMIN, said).await
}

async fn publish(api: &Api, agent: &str) -> Answer {
    api.put(&format!("{}/publish", card_of(agent)), ADMIN, json!({})).await
}

async fn withdraw(api: &Api, agent: &str) -> Answer {
    api.ask(Method::DELETE, &format!("{}/publish", card_of(agent)), ADMIN, None).await
}

/// Returns an agent whose card is published.
async fn published(api: &Api) -> String {
    let agent = api.agent(&["search"]).await;
    generate(api, &agent, json!({})).await.ok();
    publish(api, &agent).await.ok();
    agent
}

/// Returns the status, the tag and the bytes that anybody is answered who sends these headers.
async fn read(api: &Api, path: &str, headers: &[(&str, &str)]) -> (StatusCode, String, Vec<u8>) {
    let mut request = Request::builder().uri(path);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let answer = api.guardian.router().oneshot(request.body(Body::empty()).unwrap()).await.unwrap();
    let (parts, body) = answer.into_parts();
    let tag = parts.headers.get("etag").map(|tag| tag.to_str().unwrap().to_owned());
    if parts.status.is_success() {
        assert_eq!(parts.headers["cache-control"], "public, max-age=300");
        assert_eq!(parts.headers["content-type"], "application/json");
    }
    (parts.status, tag.unwrap_or_default(), to_bytes(body, usize::MAX).await.unwrap().to_vec())
}

async fn trusted(api: &Api) -> Vec<TrustedKey> {
    let keys: CardKeys = serde_json::from_value(api.get(KEYS, "").await.ok().body).unwrap();
    keys.trusted()
}

fn typed(answer: &Answer) -> AgentCard {
    serde_json::from_value(answer.body.clone()).unwrap()
}

#[tokio::test]
async fn card_says_what_is_known_of_its_agent_and_is_signed() {
    let api = open_with(|builder| builder.public_url("https://guardian.example/")).await;
    let tools = json!({ "tools": [
        { "name": "files/read", "effect": "read" },
        { "name": "files/wipe", "effect": "destructive", "scopes": ["files:admin"] },
        { "name": "mail/send" },
    ] });
    api.put("/api/v1/tools", ADMIN, tools).await.ok();
    let body = json!({
        "name": "Ünïcode \u{1f980}", "capabilities": ["files/*"], "public_key": PEM,
        "metadata": { "description": "Looks after files" },
    });
    let agent = api.post("/api/v1/agents", ADMIN, body).await.ok().text("id");
    let made = generate(&api, &agent, json!({})).await.ok();
    assert_eq!(
        (&made.body["name"], &made.body["description"]),
        (&json!("Ünïcode \u{1f980}"), &json!("Looks after files"))
    );
    let address = format!("https://guardian.example/a2a/agents/{agent}");
    assert_eq!(
        made.body["supportedInterfaces"],
        json!([
            { "url": address, "protocolBinding": "JSONRPC", "protocolVersion": "1.0" },
            { "url": address, "protocolBinding": "JSONRPC", "protocolVersion": "0.3" },
        ])
    );
    // What it may not use, for want of the tool or of its scope, it does not offer.
    let skills = made.body["skills"].as_array().unwrap();
    assert_eq!(skills.len(), 1, "{skills:?}");
    assert_eq!((&skills[0]["id"], &skills[0]["tags"]), (&json!("files/read"), &json!(["read"])));
    assert_eq!(made.body["capabilities"]["streaming"], true);
    let trust = &made.body["capabilities"]["extensions"][0];
    assert_eq!(trust["uri"], "https://agenttrust.id/ext/trust/v1");
    assert!(trust["description"].as_str().unwrap().contains(FORMULA));
    assert_eq!(trust["params"]["ati_agent_key"], json!({ "kty": "OKP", "crv": "Ed25519", "x": X }));
    assert_eq!(trust["params"]["ati_guardian_tier"], "fast");
    assert!(trust["params"].get("ati_trust_score").is_none());
    assert_eq!(made.body["securitySchemes"]["apiKey"]["apiKeySecurityScheme"]["name"], "X-API-Key");

    let card = typed(&made);
    assert!(card.verify_signature(&trusted(&api).await).is_ok());
    assert_eq!(card.agent_public_key_pem().as_deref(), Some(PEM));
    assert_eq!(api.get(&card_of(&agent), ADMIN).await.ok().body, made.body);
    let row = api.audit("card.generated").await.remove(0);
    assert_eq!((&row["agent_id"], &row["body"]["skills"]), (&json!(agent), &json!(1)));
    assert_eq!(api.audit("card_key.made").await.len(), 1);
}

#[tokio::test]
async fn agent_of_which_nothing_is_declared_offers_what_its_capabilities_name_or_messages() {
    let api = open().await;
    for (capabilities, skill, tag) in
        [(vec!["search:*"], "search:*", "capability"), (vec![], "messages", "messages")]
    {
        let agent = api.agent(&capabilities).await;
        let made = generate(&api, &agent, json!({})).await.ok();
        assert_eq!(made.body["skills"][0]["id"], skill);
        assert_eq!(made.body["skills"][0]["tags"], json!([tag]));
        assert!(
            made.body["skills"][0]["description"].as_str().is_some_and(|text| !text.is_empty())
        );
    }
}

#[tokio::test]
async fn card_that_is_not_published_is_as_good_as_none_to_everybody() {
    let api = open().await;
    let agent = api.agent(&["search"]).await;
    let is_there = async || {
        let mut found = Vec::new();
        for path in [public_of(&agent), format!("/a2a/agents/{agent}/.well-known/agent-card.json")]
        {
            let (status, _, bytes) = read(&api, &path, &[]).await;
            found.push((status.as_u16(), String::from_utf8(bytes).unwrap()));
        }
        assert_eq!(found[0], found[1]);
        found.remove(0)
    };
    let (_, _, unknown) = read(&api, &public_of("agt_nobody"), &[]).await;
    let unknown = String::from_utf8(unknown).unwrap().replace("agt_nobody", &agent);
    let none = (404, unknown);
    assert_eq!(is_there().await, none, "not generated");
    generate(&api, &agent, json!({})).await.ok();
    assert_eq!(is_there().await, none, "not published");
    let shown = publish(&api, &agent).await.ok();
    let (status, text) = is_there().await;
    assert_eq!((status, serde_json::from_str::<Value>(&text).unwrap()), (200, shown.body));
    withdraw(&api, &agent).await.ok();
    assert_eq!(is_there().await, none, "withdrawn");
    assert!(api.get(&card_of(&agent), ADMIN).await.status.is_success(), "it is kept");
    publish(&api, &agent).await.ok();
    // Generated anew, it is the new one.
    generate(&api, &agent, json!({ "version": "2.0" })).await.ok();
    assert!(is_there().await.1.contains(r#""version":"2.0""#));
    let act = async |what: &str| {
        api.post(&format!("/api/v1/agents/{agent}/{what}"), ADMIN, json!({})).await.ok();
    };
    act("suspend").await;
    assert_eq!(is_there().await, none, "suspended");
    act("reactivate").await;
    assert_eq!(is_there().await.0, 200);
    act("revoke").await;
    assert_eq!(is_there().await, none, "revoked");
    for (kind, count) in [("card.published", 2), ("card.withdrawn", 1), ("card.generated", 2)] {
        assert_eq!(api.audit(kind).await.len(), count, "{kind}");
    }
}

#[tokio::test]
async fn agent_that_is_unknown_or_revoked_gets_no_card_and_one_without_a_card_publishes_none() {
    let api = open().await;
    let agent = api.agent(&[]).await;
    for answer in [
        publish(&api, &agent).await,
        withdraw(&api, &agent).await,
        api.get(&card_of(&agent), ADMIN).await,
    ] {
        answer.refused(404, "NOT_FOUND").says("generate one first");
    }
    for answer in [generate(&api, "agt_nobody", json!({})).await, publish(&api, "agt_nobody").await]
    {
        answer.refused(404, "NOT_FOUND");
    }
    generate(&api, &agent, json!({})).await.ok();
    api.post(&format!("/api/v1/agents/{agent}/revoke"), ADMIN, json!({})).await.ok();
    for answer in [generate(&api, &agent, json!({})).await, publish(&api, &agent).await] {
        answer.refused(403, "AGENT_REVOKED");
    }
    // What is there may be read, and taken back.
    api.get(&card_of(&agent), ADMIN).await.ok();
    withdraw(&api, &agent).await.ok();
    // What could be no agent's id is none.
    let (status, ..) =
        read(&api, &format!("/a2a/agents/{}/agent.json", "x".repeat(300)), &[]).await;
    assert_eq!(status, 404);
}

#[tokio::test]
async fn card_is_read_by_keys_of_its_agent_and_by_those_who_look_after_it() {
    let api = open().await;
    let (agent, key) = api.worker().await;
    generate(&api, &agent, json!({})).await.ok();
    api.get(&card_of(&agent), &key).await.ok();
    let (_, other) = api.worker().await;
    api.get(&card_of(&agent), &other).await.refused(403, "AUTH_DENIED");
    let gateway = api.key(Role::Gateway, &[]).await;
    api.get(&card_of(&agent), &gateway).await.refused(403, "AUTH_DENIED");
}

#[tokio::test]
async fn who_reads_a_card_has_no_say_in_it_and_is_spared_what_it_has_already() {
    let api = open().await;
    let agent = published(&api).await;
    let path = public_of(&agent);
    let (_, tag, bytes) = read(&api, &path, &[]).await;
    // A host that anybody may send is no address of the agent.
    let (_, same, others) =
        read(&api, &path, &[("host", "evil.example"), ("x-forwarded-host", "evil.example")]).await;
    assert_eq!((&same, &others), (&tag, &bytes));
    assert!(!String::from_utf8(bytes).unwrap().contains("evil"));
    for known in [tag.clone(), format!("\"other\", W/{tag}"), "*".to_owned()] {
        let (status, same, body) = read(&api, &path, &[("if-none-match", &known)]).await;
        assert_eq!(
            (status, same.as_str(), body.len()),
            (StatusCode::NOT_MODIFIED, tag.as_str(), 0),
            "{known}"
        );
    }
    for unknown in ["\"other\"", "", "W/"] {
        let (status, ..) = read(&api, &path, &[("if-none-match", unknown)]).await;
        assert_eq!(status, StatusCode::OK, "{unknown}");
    }
    // Another card, and another key, is another one.
    generate(&api, &agent, json!({ "version": "2" })).await.ok();
    let (_, second, _) = read(&api, &path, &[("if-none-match", &tag)]).await;
    assert_ne!(second, tag);
    api.post(ROTATE, ADMIN, json!({})).await.ok();
    let (status, third, _) = read(&api, &path, &[("if-none-match", &second)]).await;
    assert_eq!(status, StatusCode::OK);
    assert!(third != second && third != tag);
}

#[tokio::test]
async fn trust_score_is_made_from_what_is_verified_and_absent_while_that_is_little() {
    let api = open().await;
    let (agent, key) = api.worker().await;
    let score = async || typed(&generate(&api, &agent, json!({})).await.ok()).trust_score();
    let report = async |check: &str, success: bool| {
        let kind = if success { "tool_end" } else { "tool_error" };
        let event = json!({ "event_type": kind, "tool_name": "search", "duration_ms": 1, "success": success });
        let body = json!({ "agent_id": agent, "events": [event] });
        let headers = [("agenttrust-check-ids", check)];
        api.with(&headers).post("/api/v1/telemetry/report", &key, body).await.ok();
    };
    let call = async |success: bool| {
        let check = api.check(&key, &agent, "search").await.ok().text("check_id");
        report(&check, success).await;
        check
    };
    let mut last = String::new();
    for number in 0..9 {
        last = call(number != 3).await;
    }
    // What is not proven, or told a second time, counts for nothing.
    for _ in 0..5 {
        report("-", true).await;
        report(&last, true).await;
    }
    assert_eq!(score().await, None);
    call(true).await;
    let expected = Some(83.33);
    agenttrust_testkit::eventually_within(
        std::time::Duration::from_secs(10),
        "10 outcomes, 9 of them good",
        async || score().await == expected,
    )
    .await;
    // The score of a card that is out stays what it was when that was made.
    publish(&api, &agent).await.ok();
    call(false).await;
    let (_, _, bytes) = read(&api, &public_of(&agent), &[]).await;
    let card: AgentCard = serde_json::from_slice(&bytes).unwrap();
    assert_eq!(card.trust_score(), expected);
}
