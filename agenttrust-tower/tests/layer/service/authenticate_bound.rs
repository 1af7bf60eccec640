//! Tokens that are bound to a key: let in with a proof of that key for each request, and never otherwise.

use std::convert::Infallible;
use std::io;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use agenttrust::internal::dpop::{key_of_pem, thumbprint};
use agenttrust::{
    AgentIdentity, AgentKeyPair, AgentTrustClient, generate_agent_key, mint_dpop_proof,
};
use agenttrust_tower::AuthenticateLayer;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use bytes::Bytes;
use http::{Request, Response, StatusCode};
use http_body_util::Full;
use serde_json::json;
use tower::{Layer, ServiceExt, service_fn};

const URL: &str = "https://files.example/a";

/// A Guardian that knows one token.
#[derive(Clone, Default)]
struct Gateway {
    token_is_gone: Arc<AtomicBool>,
    refuses_proofs: Arc<AtomicUsize>,
    verified: Arc<AtomicUsize>,
    /// Method and URL of each proof that a session was opened with.
    opened: Arc<Mutex<Vec<(String, String)>>>,
    slow: bool,
}

impl Gateway {
    fn client(&self, jkt: String) -> AgentTrustClient {
        let gateway = self.clone();
        AgentTrustClient::builder()
            .base_url("http://guardian.test")
            .service(service_fn(move |request: Request<Bytes>| {
                let (gateway, jkt) = (gateway.clone(), jkt.clone());
                async move {
                    if gateway.slow {
                        tokio::time::sleep(Duration::from_millis(50)).await;
                    }
                    gateway.answer(&request, &jkt)
                }
            }))
            .build()
            .expect("the settings are right")
    }

    fn answer(&self, request: &Request<Bytes>, jkt: &str) -> io::Result<Response<Full<Bytes>>> {
        let text = |name: &str| {
            request.headers().get(name).map(|value| value.to_str().expect("text").to_owned())
        };
        let (status, body) = match request.uri().path() {
            "/api/v1/wimse/verify" => {
                self.verified.fetch_add(1, Ordering::SeqCst);
                let valid = !self.token_is_gone.load(Ordering::SeqCst);
                let capabilities = ["files:read"];
                (200, json!({ "valid": valid, "agent_id": "agt_2", "capabilities": capabilities }))
            }
            "/api/v1/agenttrust/api-sessions/init" => {
                let method = text("agenttrust-dpop-method").expect("a proof is forwarded");
                let url = text("agenttrust-dpop-url").expect("a proof is forwarded");
                assert!(text("agenttrust-dpop").is_some());
                self.opened.lock().expect("no panic").push((method, url));
                let refuses = |left: usize| left.checked_sub(1);
                match self.refuses_proofs.fetch_update(Ordering::SeqCst, Ordering::SeqCst, refuses)
                {
                    Ok(_) => (401, json!({ "error": "AUTH_FAILED", "message": "used before" })),
                    Err(_) => (200, json!({ "session_id": "ats_1", "agent_id": "agt_2" })),
                }
            }
            unknown => panic!("the layer asked for {unknown}"),
        };
        let response = Response::builder().status(status).header("agenttrust-key-thumbprint", jkt);
        response.body(Full::from(body.to_string())).map_err(io::Error::other)
    }

    fn opened(&self) -> Vec<(String, String)> {
        self.opened.lock().expect("no panic").clone()
    }
}

/// An agent with a token that is bound to its key.
struct Agent {
    pair: AgentKeyPair,
    token: String,
}

impl Agent {
    fn new() -> Self {
        let pair = generate_agent_key().expect("random numbers");
        let token = bound_to(&jkt(&pair));
        Self { pair, token }
    }

    fn proof(&self, url: &str) -> String {
        mint_dpop_proof(&self.pair.private_key_pem, "GET", url, &self.token).expect("a key")
    }

    fn layer(&self, gateway: &Gateway) -> AuthenticateLayer {
        AuthenticateLayer::new(gateway.client(jkt(&self.pair))).public_url("https://files.example")
    }
}

fn jkt(pair: &AgentKeyPair) -> String {
    thumbprint(&key_of_pem(&pair.public_key_pem).expect("a key"))
}

/// Returns what looks like a token that is bound to this key: the scripted Guardian takes any.
fn bound_to(jkt: &str) -> String {
    let part = |part: serde_json::Value| URL_SAFE_NO_PAD.encode(part.to_string());
    let header = part(json!({ "typ": "wit+jwt", "alg": "EdDSA" }));
    format!("{header}.{}.{}", part(json!({ "cnf": { "jkt": jkt } })), part(json!({})))
}

/// Status, challenges and body of the answer to a request with these headers.
async fn visit(
    layer: &AuthenticateLayer,
    headers: &[(&str, &str)],
) -> (StatusCode, Vec<String>, String) {
    let service = layer.layer(service_fn(|request: Request<String>| async move {
        let identity = request.extensions().get::<AgentIdentity>().expect("an identity");
        for name in ["authorization", "dpop"] {
            assert!(!request.headers().contains_key(name), "{name} goes no further");
        }
        Ok::<_, Infallible>(Response::new(identity.agent_id().to_owned()))
    }));
    let mut request = Request::get("/a?query=1");
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let request = request.body(String::new()).expect("a request");
    let response = service.oneshot(request).await.expect("infallible");
    let challenges = response.headers().get_all("www-authenticate").into_iter();
    let challenges = challenges.map(|value| value.to_str().expect("text").to_owned()).collect();
    (response.status(), challenges, response.into_body())
}

async fn with_proof(layer: &AuthenticateLayer, agent: &Agent, proof: &str) -> StatusCode {
    let authorization = format!("DPoP {}", agent.token);
    visit(layer, &[("authorization", &authorization), ("dpop", proof)]).await.0
}

#[tokio::test]
async fn a_bound_token_with_a_proof_lets_the_agent_in_and_its_session_is_opened_once() {
    let (gateway, agent) = (Gateway::default(), Agent::new());
    let layer = agent.layer(&gateway).public_url("https://other.example/");
    for url in [URL, URL, "https://other.example/a", "HTTPS://FILES.example:443/a"] {
        let authorization = format!("DPoP {}", agent.token);
        let headers = [("authorization", &*authorization), ("dpop", &*agent.proof(url))];
        assert_eq!(visit(&layer, &headers).await, (StatusCode::OK, vec![], "agt_2".to_owned()));
    }
    assert_eq!(gateway.opened(), [("GET".to_owned(), URL.to_owned())]);
    assert_eq!(gateway.verified.load(Ordering::SeqCst), 1);
}

#[tokio::test]
async fn a_proof_lets_in_once_whoever_shows_it_again() {
    let (gateway, agent) = (Gateway::default(), Agent::new());
    let layer = agent.layer(&gateway);
    let first = agent.proof(URL);
    assert_eq!(with_proof(&layer, &agent, &first).await, StatusCode::OK);
    assert_eq!(with_proof(&layer, &agent, &first).await, StatusCode::UNAUTHORIZED);
    let second = agent.proof(URL);
    assert_eq!(with_proof(&layer, &agent, &second).await, StatusCode::OK);
    let both = [&first, &second].map(|proof| with_proof(&layer, &agent, proof));
    assert_eq!(futures_util::future::join_all(both).await, [StatusCode::UNAUTHORIZED; 2]);
    // At once, while nobody knows the token yet.
    let layer = agent.layer(&Gateway { slow: true, ..Gateway::default() });
    let proof = agent.proof(URL);
    let both = [&proof, &proof].map(|proof| with_proof(&layer, &agent, proof));
    let mut both = futures_util::future::join_all(both).await;
    both.sort();
    assert_eq!(both, [StatusCode::OK, StatusCode::UNAUTHORIZED]);
}

#[tokio::test]
async fn whatever_is_wrong_with_a_proof_is_refused_for_a_token_that_is_known_and_one_that_is_not() {
    let (agent, other) = (Agent::new(), Agent::new());
    let wrong = [
        agent.proof("https://files.example/b"),
        agent.proof("https://evil.example/a"),
        agent.proof("/a"),
        mint_dpop_proof(&agent.pair.private_key_pem, "POST", URL, &agent.token).unwrap(),
        mint_dpop_proof(&agent.pair.private_key_pem, "GET", URL, "another token").unwrap(),
        mint_dpop_proof(&agent.pair.private_key_pem, "GET", URL, "").unwrap(),
        mint_dpop_proof(&other.pair.private_key_pem, "GET", URL, &agent.token).unwrap(),
        "nonsense".to_owned(),
        String::new(),
    ];
    for known in [false, true] {
        let gateway = Gateway::default();
        let layer = agent.layer(&gateway);
        if known {
            assert_eq!(with_proof(&layer, &agent, &agent.proof(URL)).await, StatusCode::OK);
        }
        let authorization = format!("DPoP {}", agent.token);
        for proof in &wrong {
            let headers = [("authorization", &*authorization), ("dpop", proof)];
            let (status, challenges, said) = visit(&layer, &headers).await;
            assert_eq!(status, StatusCode::UNAUTHORIZED, "{known} {proof}");
            assert_eq!(challenges, [r#"DPoP error="invalid_dpop_proof", algs="EdDSA""#]);
            assert!(said.contains("proof") && !said.contains(&agent.token), "{said}");
        }
        assert_eq!(gateway.opened().len(), usize::from(known), "the Guardian is not asked");
        // Nothing of that is held against the token.
        assert_eq!(with_proof(&layer, &agent, &agent.proof(URL)).await, StatusCode::OK);
    }
}

#[tokio::test]
async fn a_bound_token_without_its_proof_or_as_bearer_is_refused_and_says_what_is_asked() {
    let (gateway, agent) = (Gateway::default(), Agent::new());
    let layer = agent.layer(&gateway);
    let (dpop, bearer) = (format!("DPoP {}", agent.token), format!("Bearer {}", agent.token));
    let proof = agent.proof(URL);
    for (headers, challenge) in [
        (vec![("authorization", &*dpop)], "invalid_dpop_proof"),
        (vec![("authorization", &*dpop), ("dpop", &proof), ("dpop", &proof)], "invalid_dpop_proof"),
        (vec![("authorization", &*bearer)], "invalid_token"),
        (vec![("authorization", &*bearer), ("dpop", &proof)], "invalid_token"),
        (vec![("authorization", "DPoP at_secret"), ("dpop", &proof)], "invalid_token"),
    ] {
        let (status, challenges, _) = visit(&layer, &headers).await;
        assert_eq!(status, StatusCode::UNAUTHORIZED, "{headers:?}");
        assert_eq!(challenges, [format!("DPoP error=\"{challenge}\", algs=\"EdDSA\"")]);
    }
    let (status, challenges, _) = visit(&layer, &[]).await;
    assert_eq!(status, StatusCode::UNAUTHORIZED);
    assert_eq!(challenges, [r#"Bearer realm="agents""#, r#"DPoP algs="EdDSA""#]);
    assert_eq!(gateway.verified.load(Ordering::SeqCst), 0);
}

#[tokio::test]
async fn without_a_public_url_no_bound_token_is_taken_and_a_bad_one_lets_nobody_in() {
    let (gateway, agent) = (Gateway::default(), Agent::new());
    let layer = AuthenticateLayer::new(gateway.client(jkt(&agent.pair)));
    let authorization = format!("DPoP {}", agent.token);
    let headers = [("authorization", &*authorization), ("dpop", &*agent.proof(URL))];
    let (status, _, said) = visit(&layer, &headers).await;
    assert_eq!(status, StatusCode::UNAUTHORIZED);
    assert!(said.contains("`public_url`"), "{said}");
    let layer = agent.layer(&gateway).public_url("files.example");
    let (status, ..) = visit(&layer, &headers).await;
    assert_eq!(status, StatusCode::INTERNAL_SERVER_ERROR);
    assert_eq!(gateway.verified.load(Ordering::SeqCst), 0);
}

#[tokio::test]
async fn a_token_that_the_guardian_does_not_take_lets_nobody_in() {
    let (gateway, agent) = (Gateway::default(), Agent::new());
    gateway.token_is_gone.store(true, Ordering::SeqCst);
    let layer = agent.layer(&gateway);
    let authorization = format!("DPoP {}", agent.token);
    let headers = [("authorization", &*authorization), ("dpop", &*agent.proof(URL))];
    let (status, challenges, _) = visit(&layer, &headers).await;
    assert_eq!(status, StatusCode::UNAUTHORIZED);
    assert_eq!(challenges, [r#"DPoP error="invalid_token", algs="EdDSA""#]);
    // One that is bound to no key, and one that says so of another key than the Guardian does.
    let unbound = Agent { pair: agent.pair.clone(), token: bound_to("") };
    assert_eq!(with_proof(&layer, &unbound, &unbound.proof(URL)).await, StatusCode::UNAUTHORIZED);
    gateway.token_is_gone.store(false, Ordering::SeqCst);
    let other = Agent::new();
    assert_eq!(with_proof(&layer, &other, &other.proof(URL)).await, StatusCode::UNAUTHORIZED);
    assert_eq!(with_proof(&layer, &agent, &agent.proof(URL)).await, StatusCode::OK);
}

#[tokio::test]
async fn a_proof_that_was_used_elsewhere_shuts_out_nobody_who_has_another() {
    let gateway = Gateway { slow: true, ..Gateway::default() };
    gateway.refuses_proofs.store(1, Ordering::SeqCst);
    let agent = Agent::new();
    let layer = agent.layer(&gateway);
    let proofs = [agent.proof(URL), agent.proof(URL)];
    // The second waits for what the first is told.
    let told = [&proofs[0], &proofs[1]].map(|proof| with_proof(&layer, &agent, proof));
    let told = futures_util::future::join_all(told).await;
    assert_eq!(told, [StatusCode::UNAUTHORIZED, StatusCode::OK]);
}

#[tokio::test]
async fn a_bound_token_is_asked_about_again_in_the_same_session_and_no_longer_when_it_is_gone() {
    let (gateway, agent) = (Gateway::default(), Agent::new());
    let layer = agent.layer(&gateway).cache_ttl(Duration::ZERO);
    for _ in 0..3 {
        assert_eq!(with_proof(&layer, &agent, &agent.proof(URL)).await, StatusCode::OK);
    }
    assert_eq!(gateway.verified.load(Ordering::SeqCst), 3);
    assert_eq!(gateway.opened().len(), 1);
    gateway.token_is_gone.store(true, Ordering::SeqCst);
    assert_eq!(with_proof(&layer, &agent, &agent.proof(URL)).await, StatusCode::UNAUTHORIZED);
}

#[tokio::test]
async fn a_required_scope_is_looked_for_in_what_the_agent_may() {
    let agent = Agent::new();
    for (scope, status) in [("files:read", StatusCode::OK), ("files:write", StatusCode::FORBIDDEN)]
    {
        let layer = agent.layer(&Gateway::default()).required_scopes([scope]);
        assert_eq!(with_proof(&layer, &agent, &agent.proof(URL)).await, status, "{scope}");
    }
}
