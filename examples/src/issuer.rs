//! What another organisation runs: an identity provider that says who its people and programs are.

use agenttrust::{
    AgentKeyPair, AgentTrustError, Timestamp, generate_agent_key, sign_with_private_key_pem,
};
use anyhow::Context as _;
use axum::{Json, Router, routing::get};
use base64::Engine as _;
use base64::prelude::{BASE64_STANDARD, BASE64_URL_SAFE_NO_PAD};
use serde_json::{Value, json};

use crate::Served;

/// The name of its one key.
const KEY_ID: &str = "2026-01";
/// The length in bytes of the public half of an Ed25519 key. They are the last ones of what its PEM holds.
const PUBLIC_KEY_BYTES: usize = 32;

/// An OpenID provider on a free port of this machine, as small as one can be: it tells where its keys are, and signs
/// whatever it is asked to. One to sign in at is Keycloak, Entra ID, Okta or their like.
#[derive(Debug)]
pub struct Issuer {
    key: AgentKeyPair,
    served: Served,
}

impl Issuer {
    /// Starts one, with a key of its own.
    ///
    /// # Errors
    ///
    /// When the system gives no port or no key.
    pub async fn start() -> anyhow::Result<Self> {
        let key = generate_agent_key()?;
        let base64: String =
            key.public_key_pem.lines().filter(|line| !line.contains('-')).collect();
        let der = BASE64_STANDARD.decode(base64)?;
        let public = der.last_chunk::<PUBLIC_KEY_BYTES>().context("a public key of Ed25519")?;
        let jwk = json!({
            "kty": "OKP", "crv": "Ed25519", "x": BASE64_URL_SAFE_NO_PAD.encode(public),
            "alg": "EdDSA", "use": "sig", "kid": KEY_ID,
        });
        let served = Served::on_loopback_as(|url| router(url, &jwk)).await?;
        Ok(Self { key, served })
    }

    /// Returns the issuer, as its tokens name it.
    #[must_use]
    pub fn url(&self) -> &str {
        self.served.url()
    }

    /// Signs a token for whom it is about, for five minutes; `claims` says the rest of it, and what they name otherwise
    /// is as they say.
    ///
    /// # Errors
    ///
    /// None that its own key gives cause for.
    pub fn token(&self, subject: &str, claims: Value) -> Result<String, AgentTrustError> {
        let now = Timestamp::now().unix_seconds();
        let mut all = json!({ "iss": self.url(), "sub": subject, "iat": now, "exp": now + 5 * 60 });
        if let (Some(all), Value::Object(claims)) = (all.as_object_mut(), claims) {
            all.extend(claims);
        }
        let header = json!({ "alg": "EdDSA", "typ": "JWT", "kid": KEY_ID });
        let part = |json: &Value| BASE64_URL_SAFE_NO_PAD.encode(json.to_string());
        let signed = format!("{}.{}", part(&header), part(&all));
        let signature = sign_with_private_key_pem(&self.key.private_key_pem, signed.as_bytes())?;
        Ok(format!("{signed}.{}", BASE64_URL_SAFE_NO_PAD.encode(signature)))
    }
}

fn router(url: &str, jwk: &Value) -> Router {
    let told = json!({
        "issuer": url,
        "jwks_uri": format!("{url}/keys"),
        "authorization_endpoint": format!("{url}/authorize"),
        "token_endpoint": format!("{url}/token"),
        "response_types_supported": ["code"],
        "subject_types_supported": ["public"],
        "id_token_signing_alg_values_supported": ["EdDSA"],
    });
    let keys = json!({ "keys": [jwk] });
    Router::new()
        .route("/.well-known/openid-configuration", get(async || Json(told)))
        .route("/keys", get(async || Json(keys)))
}
