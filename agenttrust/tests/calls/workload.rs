//! Workload identity: what travels with a check to prove who asks, and what becomes of the check where that fails.

use std::io::ErrorKind;
use std::time::Duration;

use agenttrust::internal::dpop::{ExpectedProof, Proof, key_of_pem, thumbprint, verify_proof};
use agenttrust::{
    Action, ActionCheckRequest, AgentCredentials, AgentKeyPair, AgentTrustClient, AgentTrustError,
    AgentTrustGuard, InMemoryKeyStore, IssueWimseTokenRequest, KeyStore as _, Timestamp, blocking,
    generate_agent_key,
};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ed25519_dalek::Signature;
use http::HeaderMap;
use serde_json::json;

use crate::scripted::{SIGNED, Say, Scripted};

const CHECKED: &str = "http://guardian.test/api/v1/agenttrust/check";

fn challenge() -> Say {
    Say::Answer(200, vec![], json!({ "nonce": "n0", "expires_at": "2100-01-01T00:00:00Z" }))
}

/// Returns a token that lives for a year and a day, by whatever clock.
fn token(token: &str) -> Say {
    let ends = Timestamp::now().saturating_add(Duration::from_secs(366 * 86_400));
    let body = json!({
        "token": token, "workload_id": "spiffe://d/agent/agt_1", "trust_domain": "d", "expires_at": ends,
    });
    Say::Answer(200, vec![], body)
}

/// Returns 401 with this in `WWW-Authenticate`, and a nonce.
fn challenged(error: &'static str, nonce: &'static str) -> Say {
    let headers = vec![("www-authenticate", error), ("dpop-nonce", nonce), SIGNED];
    Say::Answer(401, headers, json!({ "error": "AUTH_FAILED", "message": "not with this proof" }))
}

const NONCE: &str = r#"DPoP error="use_dpop_nonce", algs="EdDSA""#;
const GONE: &str = r#"DPoP error="invalid_token", algs="EdDSA""#;

/// Returns a client with the credentials of `agt_1`, and its key.
fn proving(scripted: &Scripted) -> (AgentTrustClient, AgentKeyPair) {
    let pair = generate_agent_key().unwrap();
    let mut keys = InMemoryKeyStore::new();
    keys.store("agt_1", &pair.private_key_pem).unwrap();
    let client = scripted.client();
    let credentials = AgentCredentials::new(&client, keys, "agt_1", &pair.public_key_pem);
    assert!(format!("{credentials:?}").contains("agt_1"));
    (client.with_agent_credentials(credentials), pair)
}

fn check_of(agent_id: &str) -> ActionCheckRequest {
    ActionCheckRequest {
        agent_id: agent_id.to_owned(),
        tool_name: "files_read".to_owned(),
        ..Default::default()
    }
}

fn header<'h>(headers: &'h HeaderMap, name: &str) -> &'h str {
    headers.get(name).map_or("", |value| value.to_str().unwrap())
}

/// Returns the proof of a check, which is good for it and for this token.
fn proof(headers: &HeaderMap, pair: &AgentKeyPair, access_token: &str) -> Proof {
    assert_eq!(header(headers, "authorization"), format!("Bearer {access_token}"));
    let key = thumbprint(&key_of_pem(&pair.public_key_pem).unwrap());
    let expected = ExpectedProof {
        thumbprint: &key,
        method: "POST",
        urls: &[CHECKED.to_owned()],
        access_token,
        now: Timestamp::now(),
    };
    verify_proof(header(headers, "dpop"), &expected).unwrap()
}

#[tokio::test]
async fn check_of_the_agent_carries_its_token_and_a_proof_of_its_own_each_time() {
    let scripted = Scripted::says([Say::allowed()]).and_of_approvals([challenge(), token("t1")]);
    let (client, pair) = proving(&scripted);
    for _ in 0..2 {
        assert!(client.actions().check(&check_of("agt_1")).await.unwrap().allowed);
    }
    client.actions().check(&check_of("agt_2")).await.unwrap();

    let checks = scripted.checks();
    let [first, second] = [&checks[0].0, &checks[1].0].map(|sent| proof(sent, &pair, "t1"));
    assert_ne!(first.jti, second.jti);
    let other = &checks[2].0;
    assert!(!other.contains_key("dpop") && !other.contains_key("authorization"), "{other:?}");
    assert_eq!(scripted.others().len(), 2, "one challenge and one token");
}

#[tokio::test]
async fn proof_of_possession_is_signed_over_the_challenge_by_the_agents_key() {
    let scripted = Scripted::default().and_of_approvals([challenge(), token("t1")]);
    let pair = generate_agent_key().unwrap();
    let mut keys = InMemoryKeyStore::new();
    keys.store("agt/1", &pair.private_key_pem).unwrap();
    let request = IssueWimseTokenRequest {
        agent_id: "agt/1".to_owned(),
        audience: Some(vec!["https://a".to_owned(), "https://b".to_owned()]),
        ..Default::default()
    };
    let client = scripted.client();
    let issued = client.wimse().issue_token_with_proof(&request, &keys).await.unwrap();
    assert_eq!(issued.token, "t1");
    let others = scripted.others();
    assert_eq!(others[0].0, "POST http://guardian.test/api/v1/agents/agt%2F1/challenge");
    assert_eq!(others[1].0, "POST http://guardian.test/api/v1/wimse/token");
    let proof = &others[1].1["proof"];
    let message = format!("pop-v1:n0:agt/1:https://a,https://b:{}", proof["ts"]);
    let signature = URL_SAFE_NO_PAD.decode(proof["signature"].as_str().unwrap()).unwrap();
    let signature = Signature::from_slice(&signature).unwrap();
    let key = key_of_pem(&pair.public_key_pem).unwrap();
    assert!(key.verify_strict(message.as_bytes(), &signature).is_ok());
}

#[tokio::test]
async fn nonce_that_is_asked_for_is_given_once_and_remembered() {
    let scripted = Scripted::says([challenged(NONCE, "n1"), Say::allowed()])
        .and_of_approvals([challenge(), token("t1")]);
    let (client, pair) = proving(&scripted);
    for _ in 0..2 {
        assert!(client.actions().check(&check_of("agt_1")).await.unwrap().allowed);
    }
    let proofs: Vec<_> =
        scripted.checks().iter().map(|(sent, _)| proof(sent, &pair, "t1").nonce).collect();
    assert_eq!(proofs, [None, Some("n1".to_owned()), Some("n1".to_owned())]);

    // One that is never content is not asked for ever.
    let scripted = Scripted::says([challenged(NONCE, "n1")]);
    let (client, _) = proving(&scripted.and_of_approvals([challenge(), token("t1")]));
    let error = client.actions().check(&check_of("agt_1")).await.unwrap_err();
    assert!(matches!(error, AgentTrustError::Authentication { .. }), "{error}");
}

#[tokio::test]
async fn nonce_that_comes_with_an_answer_is_in_the_next_proof() {
    let newer = Say::Answer(200, vec![("dpop-nonce", "n2")], json!({ "allowed": true }));
    let scripted =
        Scripted::says([newer, Say::allowed()]).and_of_approvals([challenge(), token("t1")]);
    let (client, pair) = proving(&scripted);
    for _ in 0..2 {
        client.actions().check(&check_of("agt_1")).await.unwrap();
    }
    let second = &scripted.checks()[1].0;
    assert_eq!(proof(second, &pair, "t1").nonce.as_deref(), Some("n2"));
}

#[tokio::test]
async fn token_that_does_not_work_any_more_is_issued_anew_once() {
    let scripted = Scripted::says([challenged(GONE, "n1"), Say::allowed()]).and_of_approvals([
        challenge(),
        token("t1"),
        challenge(),
        token("t2"),
    ]);
    let (client, pair) = proving(&scripted);
    assert!(client.actions().check(&check_of("agt_1")).await.unwrap().allowed);
    let checks = scripted.checks();
    proof(&checks[0].0, &pair, "t1");
    proof(&checks[1].0, &pair, "t2");

    let scripted = Scripted::says([challenged(GONE, "n1")]).and_of_approvals([
        challenge(),
        token("t1"),
        challenge(),
        token("t2"),
    ]);
    let (client, _) = proving(&scripted);
    client.actions().check(&check_of("agt_1")).await.unwrap_err();
    assert_eq!(scripted.checks().len(), 2);
}

#[tokio::test]
async fn check_that_is_asked_again_has_another_proof_and_the_same_name() {
    let scripted = Scripted::says([Say::undecided("1"), challenged(NONCE, "n1"), Say::allowed()])
        .and_of_approvals([challenge(), token("t1")]);
    let (client, pair) = proving(&scripted);
    let guard = AgentTrustGuard::builder(client, "agt_1").build();
    guard.check("files_read", "x").await.unwrap();
    let checks = scripted.checks();
    assert_eq!(checks.len(), 3);
    let mut jtis: Vec<_> = checks.iter().map(|(sent, _)| proof(sent, &pair, "t1").jti).collect();
    jtis.dedup();
    assert_eq!(jtis.len(), 3);
    let names: Vec<_> = checks.iter().map(|(sent, _)| header(sent, "idempotency-key")).collect();
    assert!(!names[0].is_empty() && names.iter().all(|name| *name == names[0]), "{names:?}");
}

/// Runs a call behind a guard that fails open, where the credentials come to this.
async fn failing_open(checks: Vec<Say>, others: Vec<Say>) -> Result<(), AgentTrustError> {
    let scripted = Scripted::says(checks).and_of_approvals(others);
    let (client, _) = proving(&scripted);
    let guard = AgentTrustGuard::builder(client, "agt_1").fail_open(true).build();
    guard.run(Action::new("t"), async { Ok(()) }).await
}

#[tokio::test]
async fn call_never_runs_for_want_of_a_token_though_the_guard_fails_open() {
    let refused = Say::Fail(ErrorKind::ConnectionRefused);
    for (checks, others) in [
        (vec![], vec![Say::status(401)]),
        (vec![], vec![Say::status(403)]),
        (vec![], vec![Say::status(404)]),
        (vec![], vec![Say::Garbage]),
        (vec![], vec![Say::Answer(200, vec![], json!({}))]),
        (vec![], vec![Say::Fail(ErrorKind::BrokenPipe)]),
        (vec![], vec![challenge(), Say::status(401)]),
        (vec![], vec![challenge(), Say::status(500)]),
        (vec![], vec![challenge(), Say::Answer(200, vec![], json!({}))]),
        // It was there a moment ago: that is no Guardian that is away.
        (vec![], vec![challenge(), refused.clone()]),
        (vec![], vec![challenge(), Say::Proxy(502)]),
        (vec![challenged(GONE, "n")], vec![challenge(), token("t1"), refused.clone()]),
        (
            vec![challenged(NONCE, "n"), Say::Fail(ErrorKind::ConnectionRefused)],
            vec![challenge(), token("t1")],
        ),
    ] {
        let error = failing_open(checks, others).await.expect_err("it did not run");
        let said = error.to_string();
        let says_what = said.contains("tool \"t\" did not run");
        assert!(says_what || matches!(error, AgentTrustError::Json(_)), "{said}");
        assert!(!said.contains("t1"), "{said}");
    }
    // No connection at all, as for the check itself: what `fail_open` is for.
    assert!(failing_open(vec![], vec![refused]).await.is_ok());
}

#[tokio::test]
async fn key_that_cannot_sign_is_said_and_no_check_is_made_without_it() {
    let scripted = Scripted::says([Say::allowed()]).and_of_approvals([challenge(), token("t1")]);
    let client = scripted.client();
    let pair = generate_agent_key().unwrap();
    let without =
        AgentCredentials::new(&client, InMemoryKeyStore::new(), "agt_1", &pair.public_key_pem);
    let guard = AgentTrustGuard::builder(client.clone().with_agent_credentials(without), "agt_1")
        .fail_open(true)
        .build();
    let error = guard.check("t", "x").await.unwrap_err();
    assert!(matches!(error, AgentTrustError::Crypto { .. }), "{error}");
    let said = "tool \"t\" did not run: no key of agent \"agt_1\" is in this store";
    assert!(error.to_string().starts_with(said), "{error}");
    assert!(scripted.checks().is_empty());
}

#[test]
fn blocking_credentials_do_the_same() {
    let scripted = Scripted::says([Say::allowed()]).and_of_approvals([challenge(), token("t1")]);
    let client = blocking::AgentTrustClient::from(scripted.client());
    let pair = generate_agent_key().unwrap();
    let mut keys = InMemoryKeyStore::new();
    keys.store("agt_1", &pair.private_key_pem).unwrap();
    let credentials = blocking::AgentCredentials::new(&client, keys, "agt_1", &pair.public_key_pem);
    assert_eq!(credentials.token().unwrap(), "t1");
    let client = client.with_agent_credentials(credentials.clone());
    assert!(client.actions().check(&check_of("agt_1")).unwrap().allowed);
    proof(&scripted.checks()[0].0, &pair, "t1");
    credentials.invalidate();
    let _ = credentials.token();
    assert_eq!(scripted.others().len(), 3, "another challenge was asked for");
}
