//! What the client sends of agent cards, and what it makes of a gateway that knows none of our extensions.

use std::time::Duration;

use agenttrust::model::{CardInterface, CardOptions, CardSignatureError, CardVersion};
use agenttrust::{AgentCard, AgentTrustClient, AgentTrustError, blocking};
use bytes::Bytes;
use http::{Method, Request, Response};
use serde_json::{Value, json};

/// An id that would leave its path, its segment and the path altogether.
const ODD: &str = "../a?b";
const ODD_SEGMENT: &str = "..%2Fa%3Fb";

/// Returns the card of the published clients' own tests.
fn card() -> Value {
    json!({
        "name": "test-agent", "description": "A test agent", "version": "1.0.0",
        "supportedInterfaces": [{
            "url": "https://ati.example/a2a/agents/agent-123", "protocolBinding": "JSONRPC", "protocolVersion": "1.0",
        }],
        "provider": { "organization": "ATI", "url": "https://agenttrust.id" },
        "capabilities": {
            "streaming": true, "pushNotifications": false,
            "extensions": [{
                "uri": "https://agenttrust.id/ext/trust/v1", "description": "ATI trust posture",
                "params": { "ati_trust_score": 92, "ati_guardian_tier": "fast" },
            }],
        },
        "securitySchemes": { "bearer": { "type": "http", "scheme": "bearer" } },
        "defaultInputModes": ["text/plain"], "defaultOutputModes": ["text/plain"],
        "skills": [{ "id": "search", "name": "Search", "description": "Web search", "tags": ["web", "lookup"] }],
        "signatures": [{ "protected": "eyJhbGciOiJFUzI1NiJ9", "signature": "c2ln" }],
    })
}

fn answer(status: u16, body: &Value) -> Response<String> {
    Response::builder().status(status).body(body.to_string()).unwrap()
}

/// Returns a gateway that has the guide's endpoints alone: a body or a header of ours is a 400.
async fn strict(request: Request<Bytes>) -> Result<Response<String>, std::io::Error> {
    let ours = request.headers().keys().any(|name| name.as_str().starts_with("agenttrust-"));
    if ours || !request.body().is_empty() || request.uri().query().is_some() {
        return Ok(answer(400, &json!({ "error": "VALIDATION_ERROR", "message": "unknown" })));
    }
    let one = format!("/api/v1/agents/{ODD_SEGMENT}/card");
    let said = match (request.method(), request.uri().path()) {
        (&Method::POST | &Method::GET, path) if path == one => card(),
        (&Method::PUT, path) if path == format!("{one}/publish") => json!({ "card": card() }),
        (&Method::GET, path) if path == format!("/a2a/agents/{ODD_SEGMENT}/agent.json") => card(),
        _ => return Ok(answer(404, &json!({ "error": "NOT_FOUND", "message": "no" }))),
    };
    Ok(answer(200, &said))
}

fn client() -> AgentTrustClient {
    AgentTrustClient::builder().api_key("k").service(tower::service_fn(strict)).build().unwrap()
}

/// Makes every call of the guide, with `$done` around each.
macro_rules! all {
    ($client:ident, $done:ident) => {{
        let cards: [AgentCard; 4] = [
            $done!($client.agent_cards().generate(ODD)),
            $done!($client.agent_cards().get(ODD)),
            $done!($client.agent_cards().publish(ODD)),
            $done!($client.agent_cards().get_public(ODD)),
        ];
        for card in cards {
            assert_eq!(card.primary_url(), Some("https://ati.example/a2a/agents/agent-123"));
            assert_eq!((card.trust_score(), card.skills.len()), (Some(92.0), 1));
            assert_eq!(card.capabilities.push_notifications, Some(false));
            assert_eq!(card.security_schemes["bearer"].r#type, "http");
            // What was signed by an algorithm of another kind is believed by none of our keys.
            assert!(matches!(card.verify_signature(&[]), Err(CardSignatureError::Untrusted(_))));
            assert_eq!(serde_json::to_value(&card).unwrap(), self::card());
        }
    }};
}

#[tokio::test]
async fn gateway_that_knows_the_guide_alone_is_sent_nothing_else() {
    macro_rules! done {
        ($call:expr) => {
            $call.await.unwrap()
        };
    }
    let client = client();
    all!(client, done);
    let missing = client.agent_cards().signing_keys().await.unwrap_err();
    assert!(matches!(missing, AgentTrustError::NotFound { .. }), "{missing:?}");
    for id in ["", ".", ".."] {
        let refused = client.agent_cards().get_public(id).await.unwrap_err();
        assert!(matches!(refused, AgentTrustError::Validation { status: 0, .. }), "{refused:?}");
    }
}

#[test]
fn gateway_that_knows_the_guide_alone_serves_the_blocking_client_too() {
    macro_rules! done {
        ($call:expr) => {
            $call.unwrap()
        };
    }
    let client = blocking::AgentTrustClient::from(client());
    all!(client, done);
}

#[tokio::test]
async fn what_is_ours_travels_under_its_documented_names_and_only_where_it_is_said() {
    let client = AgentTrustClient::builder()
        .service(tower::service_fn(|request: Request<Bytes>| async move {
            let path = request.uri().path().to_owned();
            let sent: Value = serde_json::from_slice(request.body()).unwrap_or_default();
            let (expected, said) = match (request.method().as_str(), path.as_str()) {
                ("POST", "/api/v1/agents/a/card") => {
                    let interface = json!({
                        "url": "https://a.example/", "protocol_binding": "JSONRPC", "protocol_version": "0.3",
                    });
                    (json!({ "description": "d", "interfaces": [interface] }), card())
                }
                ("GET", "/api/v1/agents/a/card/options") => (
                    Value::Null,
                    json!({ "description": "d", "interfaces": [{ "url": "https://a.example/" }] }),
                ),
                ("DELETE", "/api/v1/agents/a/card/publish") => {
                    (Value::Null, json!({ "status": "withdrawn" }))
                }
                ("POST", "/api/v1/cards/keys/rotate") => {
                    (json!({ "overlap": 60 }), json!({ "keys": [{ "kty": "RSA", "kid": "r" }] }))
                }
                other => panic!("{other:?}"),
            };
            assert_eq!(sent, expected, "{path}");
            Ok::<_, std::io::Error>(answer(200, &said))
        }))
        .build()
        .unwrap();
    let interface = CardInterface::new("https://a.example/").protocol_version(CardVersion::V03);
    let options = CardOptions::default().description("d").interfaces([interface]);
    client.agent_cards().generate_with("a", &options).await.unwrap();
    let said = client.agent_cards().options("a").await.unwrap();
    assert_eq!(said.description.as_deref(), Some("d"));
    assert_eq!(said.interfaces, Some(vec![CardInterface::new("https://a.example/")]));
    client.agent_cards().withdraw("a").await.unwrap();
    let keys = client.agent_cards().rotate_key(Some(Duration::from_secs(60))).await.unwrap();
    // A key of another kind is listed, and trusted for nothing.
    assert_eq!((keys.keys.len(), keys.trusted().len()), (1, 0));
}
