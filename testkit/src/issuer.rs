//! An identity provider of another organisation on a real socket: it publishes its keys, and signs what a test wants.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use axum::extract::State;
use axum::routing::get;
use axum::{Json, Router};
use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use ed25519_dalek::{Signer, SigningKey};
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

/// An OpenID provider on a free port of this machine. It signs with Ed25519, by a key that everybody knows.
#[derive(Debug)]
pub struct Issuer {
    address: SocketAddr,
    shared: Arc<Shared>,
    served: Option<JoinHandle<()>>,
}

#[derive(Debug)]
struct Shared {
    url: String,
    /// The number of its key, which its `kid` and its bytes come of.
    key: Mutex<u8>,
    keys_read: AtomicUsize,
}

impl Issuer {
    /// Starts one.
    pub async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let url = format!("http://{address}");
        let shared = Shared { url, key: Mutex::new(1), keys_read: AtomicUsize::new(0) };
        let mut issuer = Self { address, shared: Arc::new(shared), served: None };
        issuer.served = Some(issuer.serve(listener));
        issuer
    }

    /// Returns its issuer, as its tokens name it.
    pub fn url(&self) -> &str {
        &self.shared.url
    }

    /// Signs a token for whom it is about, for five minutes. `claims` are there too, in place of those that are there
    /// anyway (`iss`, `sub`, `iat`, `exp`); one that is null is left out.
    pub fn token(&self, subject: &str, claims: Value) -> String {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or(Duration::ZERO).as_secs();
        let mut all = json!({ "iss": self.url(), "sub": subject, "iat": now, "exp": now + 300 });
        let said = all.as_object_mut().unwrap();
        for (name, value) in claims.as_object().unwrap() {
            match value {
                Value::Null => said.remove(name),
                value => said.insert(name.clone(), value.clone()),
            };
        }
        let number = self.key();
        let header = json!({ "alg": "EdDSA", "typ": "JWT", "kid": kid(number) });
        let part = |json: &Value| BASE64_URL_SAFE_NO_PAD.encode(json.to_string());
        let signed = format!("{}.{}", part(&header), part(&all));
        let signature = signing_key(number).sign(signed.as_bytes()).to_bytes();
        format!("{signed}.{}", BASE64_URL_SAFE_NO_PAD.encode(signature))
    }

    /// Gives it another key; the former one is not told any more.
    pub fn rotate(&self) {
        *self.shared.key.lock().unwrap() += 1;
    }

    /// Returns how often its keys were read.
    pub fn keys_read(&self) -> usize {
        self.shared.keys_read.load(Ordering::Relaxed)
    }

    /// Listens no more.
    pub async fn stop(&mut self) {
        if let Some(served) = self.served.take() {
            served.abort();
            // It was aborted, which is what it says.
            let _ = served.await;
        }
    }

    /// Listens again, where it did before.
    pub async fn resume(&mut self) {
        self.stop().await;
        let listener = TcpListener::bind(self.address).await.unwrap();
        self.served = Some(self.serve(listener));
    }

    fn key(&self) -> u8 {
        *self.shared.key.lock().unwrap()
    }

    fn serve(&self, listener: TcpListener) -> JoinHandle<()> {
        let router = Router::new()
            .route("/.well-known/openid-configuration", get(discovery))
            .route("/keys", get(keys))
            .with_state(Arc::clone(&self.shared));
        tokio::spawn(async { axum::serve(listener, router).await.unwrap() })
    }
}

impl Drop for Issuer {
    fn drop(&mut self) {
        if let Some(served) = &self.served {
            served.abort();
        }
    }
}

async fn discovery(State(issuer): State<Arc<Shared>>) -> Json<Value> {
    let url = &issuer.url;
    Json(json!({
        "issuer": url,
        "jwks_uri": format!("{url}/keys"),
        "authorization_endpoint": format!("{url}/authorize"),
        "token_endpoint": format!("{url}/token"),
        "response_types_supported": ["code"],
        "subject_types_supported": ["public"],
        "id_token_signing_alg_values_supported": ["EdDSA"],
    }))
}

async fn keys(State(issuer): State<Arc<Shared>>) -> Json<Value> {
    issuer.keys_read.fetch_add(1, Ordering::Relaxed);
    let number = *issuer.key.lock().unwrap();
    let x = BASE64_URL_SAFE_NO_PAD.encode(signing_key(number).verifying_key().as_bytes());
    let (kty, crv, alg) = ("OKP", "Ed25519", "EdDSA");
    let key =
        json!({ "kty": kty, "crv": crv, "alg": alg, "use": "sig", "kid": kid(number), "x": x });
    Json(json!({ "keys": [key] }))
}

fn kid(number: u8) -> String {
    format!("key-{number}")
}

fn signing_key(number: u8) -> SigningKey {
    SigningKey::from_bytes(&[number; 32])
}
