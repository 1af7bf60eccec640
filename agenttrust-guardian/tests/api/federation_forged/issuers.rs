//! Issuers that are not what they say, or do harm: refused by name where they are registered, and in bounded time.

use std::time::{Duration, Instant};

use agenttrust_testkit::{ADMIN, Answer};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use super::site::WELL_KNOWN;
use super::{Fixture, Page, decode, jwk, known, sign, with};

/// The limit on an issuer's answers: more than any may take to answer, twice, and room for a busy machine.
const BOUND: Duration = Duration::from_secs(15);

impl Fixture {
    /// Registers the issuer at this path of the site.
    async fn register(&self, path: &str) -> Answer {
        let issuer = format!("{}{path}", self.site.url);
        self.register_issuer(&issuer).await
    }

    async fn register_issuer(&self, issuer: &str) -> Answer {
        let body = json!({ "issuer": issuer, "name": "bad", "trust_level": "medium" });
        self.api.post("/api/v1/federation/providers", ADMIN, body).await
    }

    /// Publishes an issuer at `path`, whose document says this in place of what is good.
    fn documented(&self, path: &str, more: Value) {
        let document = self.site.document(path, more);
        self.site.put(&format!("{path}{WELL_KNOWN}"), Page::Text(document.to_string()));
    }

    /// Publishes an issuer at `path`, whose keys are this.
    fn with_keys(&self, path: &str, keys: Page) {
        let uri = format!("{path}/keys");
        self.documented(path, json!({ "jwks_uri": format!("{}{uri}", self.site.url) }));
        self.site.put(&uri, keys);
    }

    async fn providers(&self) -> usize {
        let listed = self.api.get("/api/v1/federation/providers", ADMIN).await.ok();
        listed.body["providers"].as_array().unwrap().len()
    }
}

/// Expects a refusal that names what is wrong.
#[track_caller]
fn assert_names(answer: &Answer, path: &str, said: &str) {
    assert_eq!(answer.status, 400, "{path}: {answer:?}");
    assert!(answer.text("message").contains(said), "{path}: {said:?} is not in {answer:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn document_that_cannot_be_believed_is_refused_by_what_is_wrong_with_it() {
    let fixture = Fixture::new().await;
    let key_ids = async || -> Vec<Value> {
        let keys = fixture.api.get("/api/v1/keys", ADMIN).await.ok().body["keys"].clone();
        keys.as_array().unwrap().iter().map(|key| key["id"].clone()).collect()
    };
    let (site, before) = (&fixture.site, key_ids().await);
    fixture.documented("/other", json!({ "issuer": "https://accounts.example" }));
    fixture.documented("/slash", json!({ "issuer": format!("{}/slash/", site.url) }));
    fixture.documented("/letters", json!({ "issuer": format!("{}/Letters", site.url) }));
    fixture.documented("/nameless", json!({ "issuer": null }));
    fixture.documented("/keyless", json!({ "jwks_uri": null }));
    fixture.documented("/private", json!({ "jwks_uri": "https://10.0.0.1/keys" }));
    fixture.documented("/cloud", json!({ "jwks_uri": "http://169.254.169.254/latest" }));
    fixture.documented("/six", json!({ "jwks_uri": "https://[::1]/keys" }));
    fixture.documented("/file", json!({ "jwks_uri": "file:///etc/passwd" }));
    fixture.documented("/token", json!({ "token_endpoint": "https://192.168.1.1/token" }));
    fixture.documented("/sign-in", json!({ "authorization_endpoint": "https://10.1.2.3/" }));
    site.put(&format!("/html{WELL_KNOWN}"), Page::Text("<html>".to_owned()));
    site.put(&format!("/deep{WELL_KNOWN}"), Page::Text("[".repeat(500_000)));
    site.put(&format!("/moved{WELL_KNOWN}"), Page::Moved(format!("{}{WELL_KNOWN}", site.url)));
    site.put(&format!("/broken{WELL_KNOWN}"), Page::Status(500));
    for (path, said) in [
        ("/other", r#"is of issuer "https://accounts.example""#),
        ("/slash", "byte for byte"),
        ("/letters", "byte for byte"),
        ("/nameless", "issuer"),
        ("/keyless", "jwks_uri"),
        ("/private", "jwks_uri"),
        ("/cloud", "jwks_uri"),
        ("/six", "jwks_uri"),
        ("/file", "jwks_uri"),
        ("/token", "token_endpoint"),
        ("/sign-in", "authorization_endpoint"),
        ("/html", "cannot be read as one"),
        ("/deep", "cannot be read as one"),
        ("/moved", "302"),
        ("/broken", "500"),
        ("/none", "404"),
    ] {
        assert_names(&fixture.register(path).await, path, said);
    }
    for (issuer, said) in [
        ("https://10.0.0.1", "issuer"),
        ("http://169.254.169.254", "issuer"),
        ("ftp://issuer.example", "issuer"),
        ("issuer.example", "issuer"),
        ("", "issuer"),
    ] {
        assert_names(&fixture.register_issuer(issuer).await, issuer, said);
    }
    assert_eq!(fixture.providers().await, 1);
    assert_eq!(key_ids().await, before, "a key was left behind");
}

#[tokio::test(flavor = "multi_thread")]
async fn keys_that_cannot_be_used_are_refused_by_what_is_wrong_with_them() {
    let fixture = Fixture::new().await;
    let text = |keys: Value| Page::Text(json!({ "keys": keys }).to_string());
    let secret = with(jwk("ed25519", "ed"), json!({ "d": "AAAA" }));
    let short = jwk("short_rsa", "short");
    fixture.with_keys("/empty", text(json!([])));
    fixture.with_keys("/secret", text(json!([secret])));
    fixture.with_keys("/shared", text(json!([{ "kty": "oct", "k": "AAAA" }])));
    fixture.with_keys("/short", text(json!([short])));
    fixture.with_keys("/many", text(json!(vec![jwk("ed25519", "ed"); 101])));
    fixture.with_keys("/list", Page::Text("[]".to_owned()));
    fixture.with_keys("/deep", Page::Text("[".repeat(500_000)));
    fixture.with_keys("/twice", Page::Text(r#"{"keys":[],"keys":[]}"#.to_owned()));
    fixture.with_keys("/long", Page::Long(10 << 20));
    fixture.with_keys("/moved", Page::Moved(format!("{}/keys", fixture.site.url)));
    for (path, said) in [
        ("/empty", "there are none"),
        ("/secret", "only a secret key has"),
        ("/shared", "only a secret key has"),
        ("/short", "has 1024 bits"),
        ("/many", "100 is the most"),
        ("/list", "something else than an object"),
        ("/deep", "nests deeper"),
        ("/twice", "has a member twice"),
        ("/long", "cannot be"),
        ("/moved", "302"),
    ] {
        let begun = Instant::now();
        assert_names(&fixture.register(path).await, path, said);
        assert!(begun.elapsed() < BOUND, "{path}: {:?}", begun.elapsed());
    }
    assert_eq!(fixture.providers().await, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn issuer_that_hangs_or_drips_is_given_up_in_bounded_time() {
    let fixture = Fixture::new().await;
    fixture.with_keys("/hangs", Page::Hangs);
    fixture.with_keys("/drips", Page::Drips);
    fixture.site.put(&format!("/slow{WELL_KNOWN}"), Page::Drips);
    let begun = Instant::now();
    let (hangs, drips, slow) = tokio::join!(
        fixture.register("/hangs"),
        fixture.register("/drips"),
        fixture.register("/slow")
    );
    for (path, answer) in [("/hangs", hangs), ("/drips", drips), ("/slow", slow)] {
        assert_names(&answer, path, "cannot be");
    }
    assert!(begun.elapsed() < BOUND, "{:?}", begun.elapsed());
    assert_eq!(fixture.providers().await, 1);
}

/// What is known goes on, and what is not is answered in bounded time and costs the issuer little.
#[tokio::test(flavor = "multi_thread")]
async fn issuer_that_turns_hostile_stops_no_token_of_a_known_key() {
    for page in [Page::Hangs, Page::Long(10 << 20), Page::Status(500), Page::Text("{".to_owned())] {
        let fixture = Fixture::new().await;
        let what = format!("{page:?}");
        fixture.site.put("/keys", page);
        let known = fixture.token(json!({}), json!({}));
        fixture.session(ADMIN, &known).await.ok();
        let asked = fixture.site.asked();
        let header = json!({ "alg": "EdDSA", "kid": "new" });
        let unknown = sign("other_ed25519", &header, &fixture.claims(json!({})));
        let begun = Instant::now();
        let many = (0..20).map(|_| fixture.session(ADMIN, &unknown));
        for answer in futures_util::future::join_all(many).await {
            assert!(matches!(answer.status.as_u16(), 401 | 503), "{what}: {answer:?}");
        }
        assert!(begun.elapsed() < BOUND, "{what}: {:?}", begun.elapsed());
        let reads = fixture.site.asked() - asked;
        assert!(reads <= 7, "{what}: {reads} reads for 20 tokens");
        fixture.session(ADMIN, &known).await.ok();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn new_key_works_at_once_and_one_that_was_taken_away_no_more() {
    let fixture = Fixture::new().await;
    let old = fixture.token(json!({}), json!({}));
    fixture.session(ADMIN, &old).await.ok();
    let keys = json!({ "keys": [jwk("other_ed25519", "new")] });
    fixture.site.put("/keys", Page::Text(keys.to_string()));
    let header = json!({ "alg": "EdDSA", "kid": "new" });
    let new = sign("other_ed25519", &header, &fixture.claims(json!({})));
    fixture.session(ADMIN, &new).await.ok();
    fixture.session(ADMIN, &old).await.refused(401, "AUTH_FAILED");
}

/// Of another kind, of a secret half, of a point that anyone signs for: no agent is registered with it.
#[tokio::test(flavor = "multi_thread")]
async fn pem_of_the_wrong_kind_is_no_key_of_an_agent() {
    let fixture = Fixture::new().await;
    let pem = |label: &str, der: &[u8]| {
        let body = STANDARD.encode(der);
        format!("-----BEGIN {label}-----\n{body}\n-----END {label}-----\n")
    };
    let rsa = decode(&known("rsa")["spki"]);
    let private = decode(&known("ed25519")["der"]);
    let spki = |point: [u8; 32]| {
        [&[0x30, 0x2a, 0x30, 5, 6, 3, 0x2b, 0x65, 0x70, 3, 0x21, 0][..], &point].concat()
    };
    let good = decode(&known("ed25519")["public"]["x"]);
    let good = pem("PUBLIC KEY", &spki(good.try_into().unwrap()));
    let mut identity = [0; 32];
    identity[0] = 1;
    let register = |pem: String| {
        let body = json!({ "name": "keyed", "capabilities": ["a"], "public_key": pem });
        fixture.api.post("/api/v1/agents", ADMIN, body)
    };
    register(good.clone()).await.ok();
    for (what, pem) in [
        ("RSA", pem("PUBLIC KEY", &rsa)),
        ("private", pem("PRIVATE KEY", &private)),
        ("private, by another name", pem("PUBLIC KEY", &private)),
        ("a certificate", pem("CERTIFICATE", &rsa)),
        ("a point of small order", pem("PUBLIC KEY", &spki(identity))),
        ("zeros", pem("PUBLIC KEY", &spki([0; 32]))),
        ("two keys", good.repeat(2)),
        ("cut", good[..good.len() - 30].to_owned()),
        ("no PEM", "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo".to_owned()),
    ] {
        let answer = register(pem).await;
        assert_names(&answer, what, "public_key is no Ed25519 public key in PKIX PEM");
    }
}
