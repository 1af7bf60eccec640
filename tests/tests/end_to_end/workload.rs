//! Workload identity: the published client's credentials and ours, against `agenttrust serve` and beside each other.

use std::sync::{Arc, Mutex};

use agenttrust::internal::dpop::{ExpectedProof, key_of_pem, thumbprint, verify_proof};
use agenttrust::model::UpdateAgentRequest;
use agenttrust::{
    Action, AgentTrustError, KeyStore as _, PermitBasis, Timestamp, blocking, generate_agent_key,
};
use agenttrust_guardian::Role;
use agenttrust_tests::bounded::{here, on_a_plain_thread};
use agenttrust_tests::served::{Serve, Served};
use agenttrust_tests::socket::Socket;
use agenttrustid::keys::KeyStore as _;
use anyhow::{Context, Result};
use axum::Router;
use axum::body::{Bytes, to_bytes};
use axum::extract::{Request, State};
use axum::response::IntoResponse;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};

use crate::AGENTTRUST;

/// An agent at a served Guardian, whose checks all need a proof, and its key.
struct Agent {
    id: String,
    key: agenttrust::AgentKeyPair,
    /// A key of the Guardian's that is bound to the agent.
    api_key: String,
}

impl Agent {
    fn at(served: &Served) -> Result<Self> {
        let admin = client(&served.url(), served.admin_key())?;
        let key = generate_agent_key()?;
        let agent = admin.agents().create(&agenttrust::CreateAgentRequest {
            name: "worker".to_owned(),
            capabilities: vec!["files:*".to_owned()],
            public_key: Some(key.public_key_pem.clone()),
            ..Default::default()
        })?;
        let required = UpdateAgentRequest::new().requires_proof(true);
        assert!(admin.agents().update(&agent.id, &required)?.requires_proof);
        let api_key = here(served.admin().create_key(Role::Agent, &[&agent.id]))?;
        Ok(Self { id: agent.id, key, api_key })
    }

    fn keys(&self) -> Result<agenttrust::InMemoryKeyStore> {
        let mut keys = agenttrust::InMemoryKeyStore::new();
        keys.store(&self.id, &self.key.private_key_pem)?;
        Ok(keys)
    }

    /// Returns the same, as the published client has it.
    fn published_keys(&self) -> Result<agenttrustid::InMemoryKeyStore> {
        let mut keys = agenttrustid::InMemoryKeyStore::new();
        keys.store(&self.id, &self.key.private_key_pem)?;
        Ok(keys)
    }

    fn check(&self) -> agenttrust::ActionCheckRequest {
        agenttrust::ActionCheckRequest {
            agent_id: self.id.clone(),
            tool_name: "files_read".to_owned(),
            ..Default::default()
        }
    }

    fn published_check(&self) -> agenttrustid::ActionCheckRequest {
        agenttrustid::ActionCheckRequest {
            agent_id: self.id.clone(),
            action: "tool_call".to_owned(),
            tool_name: "files_read".to_owned(),
            ..Default::default()
        }
    }
}

fn client(url: &str, key: &str) -> Result<blocking::AgentTrustClient> {
    Ok(blocking::AgentTrustClient::builder().base_url(url).api_key(key).build()?)
}

fn published(url: &str, key: &str) -> Result<agenttrustid::AgentTrustClient> {
    Ok(agenttrustid::AgentTrustClient::builder().base_url(url).api_key(key).build()?)
}

#[test]
fn credentials_of_the_published_client_prove_its_checks_to_our_guardian() -> Result<()> {
    on_a_plain_thread(|| {
        let served = Serve::new(AGENTTRUST).start()?;
        let agent = Agent::at(&served)?;
        let plain = published(&served.url(), &agent.api_key)?;
        let denied = plain.actions().check(&agent.published_check())?;
        assert!(!denied.allowed && denied.reason.context("a reason")?.contains("proof"));

        let credentials = agenttrustid::AgentCredentials::new(
            &plain,
            agent.published_keys()?,
            &agent.id,
            &agent.key.public_key_pem,
        );
        let token = credentials.token()?;
        let verified = plain.wimse().verify_wimse(&agenttrustid::VerifyWIMSETokenRequest {
            token: token.clone(),
            trust_domain_filter: None,
        })?;
        assert!(verified.valid, "{:?}", verified.reason);
        assert_eq!(verified.agent_id.as_deref(), Some(&*agent.id));
        let proving = plain.with_agent_credentials(credentials);
        for _ in 0..3 {
            let told = proving.actions().check(&agent.published_check())?;
            assert!(told.allowed, "{:?}", told.reason);
        }
        Ok(())
    })
}

#[test]
fn our_credentials_prove_checks_and_guarded_calls_also_where_nonces_are_asked_for() -> Result<()> {
    on_a_plain_thread(|| {
        for nonces in [false, true] {
            let serve = Serve::new(AGENTTRUST);
            let served = if nonces { serve.switch("--dpop-nonces") } else { serve }.start()?;
            let agent = Agent::at(&served)?;
            let plain = client(&served.url(), &agent.api_key)?;
            let denied = plain.actions().check(&agent.check())?;
            assert!(!denied.allowed && denied.reason.context("a reason")?.contains("proof"));

            let (id, public) = (&agent.id, &agent.key.public_key_pem);
            let credentials = blocking::AgentCredentials::new(&plain, agent.keys()?, id, public);
            let proving = plain.clone().with_agent_credentials(credentials);
            for _ in 0..3 {
                let told = proving.actions().check(&agent.check())?;
                assert!(told.allowed, "{nonces}: {:?}", told.reason);
            }
            let guard =
                agenttrust::AgentTrustGuard::builder(proving.as_async().clone(), id).build();
            let permit = here(guard.authorize(Action::new("files_read")))?;
            assert_eq!(permit.basis(), PermitBasis::Allowed, "{nonces}");
            permit.finish(&());

            // Another agent's key proves nothing, and nothing runs for it.
            let mut others = agenttrust::InMemoryKeyStore::new();
            let other = generate_agent_key()?;
            others.store(id, &other.private_key_pem)?;
            let wrong = blocking::AgentCredentials::new(&plain, others, id, &other.public_key_pem);
            let refused = plain.with_agent_credentials(wrong).actions().check(&agent.check());
            let error = refused.expect_err("the key is another one");
            assert!(matches!(error, AgentTrustError::Authentication { .. }), "{error}");
        }
        Ok(())
    })
}

/// Returns the parts of a proof, as they are signed.
fn parts(proof: &str) -> (String, Value) {
    let decode = |part: &str| URL_SAFE_NO_PAD.decode(part).expect("base64url");
    let mut parts = proof.split('.').map(decode);
    let mut next = || String::from_utf8(parts.next().expect("three parts")).expect("text");
    let (header, mut claims) = (next(), next());
    // What is another one in each: the id and the time.
    let read: Value = serde_json::from_str(&claims).expect("JSON");
    for name in ["jti", "iat"] {
        claims = claims.replace(&read[name].to_string(), "0");
    }
    (format!("{header} {claims}"), read)
}

#[test]
fn proofs_and_signatures_of_both_clients_are_the_same_bytes_and_each_others() -> Result<()> {
    let published = agenttrustid::generate_agent_key()?;
    let ours = generate_agent_key()?;
    let url = "https://gate.example/api/v1/agenttrust/check";
    for (private, public) in [
        (&*published.private_key_pem, &*published.public_key_pem),
        (&*ours.private_key_pem, &*ours.public_key_pem),
    ] {
        let theirs = agenttrustid::mint_dpop_proof(private, "POST", url, "a token")?;
        let own = agenttrust::mint_dpop_proof(private, "POST", url, "a token")?;
        assert_eq!(parts(&theirs).0, parts(&own).0);
        let thumbprint = thumbprint(&key_of_pem(public).context("a key of both")?);
        for proof in [&theirs, &own] {
            let urls = [url.to_owned()];
            let good = verify_proof(
                proof,
                &ExpectedProof {
                    thumbprint: &thumbprint,
                    method: "POST",
                    urls: &urls,
                    access_token: "a token",
                    now: Timestamp::now(),
                },
            )?;
            assert_eq!(Value::from(good.jti), parts(proof).1["jti"]);
        }
        let message = b"pop-v1:n:agt_1:https://a:1781974465";
        assert_eq!(
            agenttrustid::sign_with_private_key_pem(private, message)?,
            agenttrust::sign_with_private_key_pem(private, message)?,
        );
        assert_eq!(
            agenttrustid::keys::parse_public_key(public)?.as_bytes(),
            agenttrust::parse_public_key(public)?.as_bytes()
        );
    }
    Ok(())
}

/// The requests to a gateway: the path, the headers that prove who asks, and the body.
type Recording = Arc<Mutex<Vec<(String, Vec<String>, Value)>>>;

/// Answers as a gateway does that takes whatever it is shown, and records it.
async fn record(State(recording): State<Recording>, request: Request) -> impl IntoResponse + use<> {
    let path = request.uri().path().to_owned();
    let proving = ["authorization", "dpop"].map(|name| {
        let value = request.headers().get(name)?.to_str().ok()?;
        Some(if name == "dpop" { parts(value).0 } else { value.to_owned() })
    });
    let body: Bytes = to_bytes(request.into_body(), 1 << 16).await.unwrap_or_default();
    let body = serde_json::from_slice(&body).unwrap_or_default();
    let said = match &*path {
        "/api/v1/agents/agt_1/challenge" => {
            json!({ "nonce": "n", "expires_at": "2099-01-01T00:00:00Z" })
        }
        "/api/v1/wimse/token" => json!({
            "token": "eyJ.a.b", "workload_id": "spiffe://d/agent/agt_1", "trust_domain": "d",
            "expires_at": "2099-01-01T00:00:00Z",
        }),
        _ => json!({ "allowed": true, "check_id": "chk_1" }),
    };
    let proving = proving.into_iter().flatten().collect();
    recording.lock().expect("no panic").push((path, proving, body));
    axum::Json(said)
}

#[test]
fn our_credentials_ask_for_the_same_as_those_of_the_published_client() -> Result<()> {
    on_a_plain_thread(|| {
        let key = generate_agent_key()?;
        let agent = Agent { id: "agt_1".to_owned(), key, api_key: "sk_live_1".to_owned() };
        let audience = Some(vec!["https://a".to_owned(), "https://b".to_owned()]);
        // One address for both, which is in every proof.
        let recording = Recording::default();
        let router = Router::new().fallback(record).with_state(Arc::clone(&recording));
        let socket = Socket::serve(router)?;
        let recorded = || std::mem::take(&mut *recording.lock().expect("no panic"));

        let plain = published(&socket.url(), &agent.api_key)?;
        let credentials = agenttrustid::AgentCredentials::with_options(
            &plain,
            agent.published_keys()?,
            &agent.id,
            &agent.key.public_key_pem,
            audience.clone(),
            Some(600),
        );
        let proving = plain.with_agent_credentials(credentials);
        for _ in 0..2 {
            proving.actions().check(&agent.published_check())?;
        }
        let mut theirs = recorded();

        let plain = client(&socket.url(), &agent.api_key)?;
        let credentials = blocking::AgentCredentials::with_options(
            &plain,
            agent.keys()?,
            &agent.id,
            &agent.key.public_key_pem,
            audience,
            Some(600),
        );
        let proving = plain.with_agent_credentials(credentials);
        for _ in 0..2 {
            proving.actions().check(&agent.check())?;
        }
        let mut ours = recorded();

        for all in [&mut theirs, &mut ours] {
            without_time(all, &agent)?;
        }
        assert_eq!(ours[1].2, theirs[1].2, "the same token is asked for");
        for at in 2..4 {
            assert_eq!(ours[at].1, theirs[at].1, "and the same is proven");
            assert_eq!(ours[at].1.len(), 2);
        }
        Ok(())
    })
}

/// Takes the time off that the proof of possession was signed at, and the signature with it, once both are seen to go
/// together. What was asked for, in which order, is the same for every caller.
fn without_time(all: &mut [(String, Vec<String>, Value)], agent: &Agent) -> Result<()> {
    let check = "/api/v1/agenttrust/check";
    let paths: Vec<_> = all.iter().map(|(path, ..)| &**path).collect();
    assert_eq!(paths, ["/api/v1/agents/agt_1/challenge", "/api/v1/wimse/token", check, check]);
    let proof = &mut all[1].2["proof"];
    let message = format!("pop-v1:n:agt_1:https://a,https://b:{}", proof["ts"]);
    let private = &agent.key.private_key_pem;
    let signed = agenttrust::sign_with_private_key_pem(private, message.as_bytes())?;
    assert_eq!(proof["signature"], URL_SAFE_NO_PAD.encode(signed));
    proof["ts"] = json!(0);
    proof["signature"] = json!("");
    Ok(())
}
