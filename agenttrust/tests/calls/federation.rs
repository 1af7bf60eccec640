//! Federation: what the client asks for, and how it reads what it is told.

use agenttrust::client::{FederatedTokenOptions, RegisterFederationProviderOptions};
use agenttrust::{
    AgentTrustError, FederationRule, IssueFederatedTokenRequest, RegisterFederationProviderRequest,
    TrustLevel, UpdateFederationProviderRequest, VerifyFederatedTokenRequest, blocking,
};
use serde_json::{Value, json};

use crate::scripted::{Say, Scripted};

fn asked(token: &str) -> VerifyFederatedTokenRequest {
    VerifyFederatedTokenRequest { token: token.to_owned(), issuer_hint: None }
}

fn workforce() -> RegisterFederationProviderRequest {
    RegisterFederationProviderRequest {
        issuer: "https://issuer.example".to_owned(),
        name: "Workforce".to_owned(),
        trust_level: Some("standard".to_owned()),
    }
}

fn provider() -> Value {
    json!({ "id": "fedp/1", "issuer": "https://issuer.example", "trust_level": "medium" })
}

/// Returns what was asked, without the address.
fn asked_for(scripted: &Scripted) -> Vec<(String, Value)> {
    let others = scripted.others().into_iter();
    others
        .map(|(what, body)| (what.replace("http://guardian.test/api/v1/federation", ""), body))
        .collect()
}

#[tokio::test]
async fn providers_are_asked_for_by_their_paths_and_read_bare_and_wrapped() {
    let scripted = Scripted::answers([
        provider(),
        json!({ "provider": provider() }),
        json!({ "providers": [provider()] }),
        json!([provider()]),
        provider(),
        json!({ "provider": provider() }),
        json!({ "status": "removed" }),
    ]);
    let client = scripted.client();
    let federation = client.federation();
    let registered = federation.register_provider(&workforce()).await.unwrap();
    assert_eq!((&*registered.id, registered.trust_level), ("fedp/1", TrustLevel::Medium));
    let options = RegisterFederationProviderOptions::default()
        .audience("https://a")
        .rule(FederationRule::new("agt_1").subject("ada"));
    federation.register_provider_with(&workforce(), &options).await.unwrap();
    assert_eq!(federation.list_providers().await.unwrap().len(), 1);
    assert_eq!(federation.list_providers().await.unwrap().len(), 1);
    federation.get_provider("fedp/1").await.unwrap();
    let change = UpdateFederationProviderRequest::new().trust_level(TrustLevel::High);
    federation.update_provider("fedp/1", &change).await.unwrap();
    federation.delete_provider("fedp/1").await.unwrap();
    assert!(matches!(
        federation.delete_provider("..").await.unwrap_err(),
        AgentTrustError::Validation { status: 0, .. }
    ));

    let said = json!({ "issuer": "https://issuer.example", "name": "Workforce", "trust_level": "standard" });
    let mut with = said.clone();
    with["audiences"] = json!(["https://a"]);
    with["rules"] = json!([{ "subject": "ada", "agent_id": "agt_1" }]);
    let expected = [
        ("POST /providers", said),
        ("POST /providers", with),
        ("GET /providers", Value::Null),
        ("GET /providers", Value::Null),
        ("GET /providers/fedp%2F1", Value::Null),
        ("PATCH /providers/fedp%2F1", json!({ "trust_level": "high" })),
        ("DELETE /providers/fedp%2F1", Value::Null),
    ];
    assert_eq!(asked_for(&scripted), expected.map(|(what, body)| (what.to_owned(), body)));
}

#[tokio::test]
async fn tokens_are_asked_about_by_their_paths_and_a_worthless_one_is_an_answer() {
    let scripted = Scripted::answers([
        json!({ "valid": true, "active": true, "agent_id": "agt_1" }),
        json!({ "valid": false, "active": false, "error": "TOKEN_EXPIRED: the token has expired" }),
        json!({}),
        json!({ "session_id": "ats_1", "agent_id": "agt_1", "provider_id": "fedp_1" }),
        json!({ "session": { "session_id": "ats_2", "agent_id": "agt_1" } }),
        json!({ "token": "fed_1", "expires_in": 3600 }),
        json!({}),
        json!({ "ok": false, "steps": [{ "step": "signature", "ok": false, "says": "none" }] }),
    ]);
    let client = scripted.client();
    let federation = client.federation();
    let with_hint = VerifyFederatedTokenRequest {
        token: "ey".to_owned(),
        issuer_hint: Some("https://issuer.example".to_owned()),
    };
    assert!(federation.verify_token(&with_hint).await.unwrap().valid);
    let told = federation.introspect_token(&asked("ey")).await.unwrap();
    assert!(!told.valid && told.error.unwrap().starts_with("TOKEN_EXPIRED"));
    let at = FederatedTokenOptions::default().target("files");
    assert!(!federation.introspect_token_with(&asked("fed_1"), &at).await.unwrap().valid);
    assert_eq!(federation.init_session(&asked("ey")).await.unwrap().session_id, "ats_1");
    let session = federation.init_session_with(&asked("fed_1"), &at).await.unwrap();
    assert_eq!(session.session_id, "ats_2");
    let wanted = IssueFederatedTokenRequest {
        scopes: vec!["files:read".to_owned()],
        ..IssueFederatedTokenRequest::default()
    };
    assert_eq!(federation.issue_token("agt_1", &wanted).await.unwrap().id_token, "fed_1");
    federation.revoke_token("fed_1").await.unwrap();
    assert_eq!(federation.test_token(&asked("ey")).await.unwrap().steps[0].says, "none");

    let expected = [
        ("POST /tokens/verify", json!({ "token": "ey", "issuer_hint": "https://issuer.example" })),
        ("POST /tokens/introspect", json!({ "token": "ey" })),
        ("POST /tokens/introspect", json!({ "token": "fed_1" })),
        ("POST /sessions/init", json!({ "token": "ey" })),
        ("POST /sessions/init", json!({ "token": "fed_1" })),
        ("POST /tokens/issue", json!({ "agent_id": "agt_1", "scopes": ["files:read"] })),
        ("POST /tokens/revoke", json!({ "token": "fed_1" })),
        ("POST /test", json!({ "token": "ey" })),
    ];
    assert_eq!(asked_for(&scripted), expected.map(|(what, body)| (what.to_owned(), body)));
}

#[test]
fn blocking_calls_are_the_same_and_an_expired_token_says_so() {
    let expired = json!({ "error": "TOKEN_EXPIRED", "message": "the token has expired" });
    let scripted = Scripted::default().and_of_approvals([
        Say::Answer(200, vec![], json!({ "valid": true })),
        Say::Answer(401, vec![], expired),
    ]);
    let client = blocking::AgentTrustClient::from(scripted.client());
    assert!(client.federation().verify_token(&asked("ey")).unwrap().valid);
    let error = client.federation().init_session(&asked("ey")).unwrap_err();
    assert!(matches!(error, AgentTrustError::TokenExpired { status: 401, .. }), "{error}");
}
