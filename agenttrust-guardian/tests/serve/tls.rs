//! TLS: served, renewed while it runs, and refused where it cannot be.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use agenttrust_testkit::eventually_within;
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use reqwest::Certificate;
use serde_json::json;
use tempfile::TempDir;
use tokio::io::AsyncReadExt;
use tokio::net::{TcpListener, TcpStream};

use agenttrust::{Action, AgentTrustClient, AgentTrustGuard};

use crate::program::{DEV_KEY, LONG, Program, refused, run, text};

/// An authority that signs certificates.
struct Authority(CertifiedIssuer<'static, KeyPair>);

impl Authority {
    fn new() -> Self {
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        Self(CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap())
    }

    /// Returns a certificate for this machine and its key, in PEM.
    fn issue(&self) -> (String, String) {
        let key = KeyPair::generate().unwrap();
        let names = vec!["localhost".to_owned(), "127.0.0.1".to_owned()];
        let certificate = CertificateParams::new(names).unwrap().signed_by(&key, &self.0).unwrap();
        (certificate.pem(), key.serialize_pem())
    }

    /// Returns a new client, which trusts no other authority.
    fn client(&self) -> reqwest::Client {
        let root = Certificate::from_pem(self.0.pem().as_bytes()).unwrap();
        reqwest::Client::builder().tls_certs_only([root]).no_proxy().timeout(LONG).build().unwrap()
    }
}

/// The paths of the certificate and its key.
struct Files {
    _folder: TempDir,
    certificate: PathBuf,
    key: PathBuf,
}

impl Files {
    fn new((certificate, key): (String, String)) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        let files = Self { certificate: at("cert.pem"), key: at("key.pem"), _folder: folder };
        files.put((certificate, key));
        files
    }

    fn put(&self, (certificate, key): (String, String)) {
        replace(&self.key, &key);
        replace(&self.certificate, &certificate);
    }

    fn arguments(&self) -> [&str; 5] {
        let [certificate, key] = [&self.certificate, &self.key].map(|path| path.to_str().unwrap());
        ["--dev", "--tls-cert", certificate, "--tls-key", key]
    }
}

fn replace(path: &Path, text: &str) {
    let new = path.with_extension("new");
    std::fs::write(&new, text).unwrap();
    std::fs::rename(new, path).unwrap();
}

async fn works(client: &reqwest::Client, program: &Program) -> bool {
    client.get(program.url("/health")).send().await.is_ok_and(|answer| answer.status() == 200)
}

#[tokio::test]
async fn guardian_is_served_over_tls_and_only_so() {
    let authority = Authority::new();
    let files = Files::new(authority.issue());
    let program = Program::serve(&files.arguments(), &[]).await;
    assert_eq!(program.scheme, "https");
    assert!(works(&authority.client(), &program).await);
    assert!(!works(&Authority::new().client(), &program).await, "another authority is not trusted");
    let plain = format!("http://{}/health", program.address);
    assert!(authority.client().get(plain).send().await.is_err());
}

#[tokio::test]
async fn new_certificate_is_taken_over_and_open_connections_go_on() {
    let (before, after) = (Authority::new(), Authority::new());
    let files = Files::new(before.issue());
    let program = Program::serve(&files.arguments(), &[]).await;
    // It keeps its one connection.
    let old = before.client();
    assert!(works(&old, &program).await);
    files.put(after.issue());
    program.logs("a new certificate is served").await;
    assert!(works(&after.client(), &program).await);
    assert!(!works(&before.client(), &program).await, "who connects anew sees the new one");
    assert!(works(&old, &program).await, "who was connected is still");
}

#[tokio::test]
async fn broken_certificate_changes_nothing_and_is_told_once() {
    let authority = Authority::new();
    let files = Files::new(authority.issue());
    let program = Program::serve(&files.arguments(), &[]).await;
    let (certificate, _) = authority.issue();
    let told = "the one before is served on";
    for (broken, (times, says)) in [
        (certificate.as_str(), (1, "is not the one of the certificate")),
        ("no certificate", (2, "holds no certificate in PEM")),
    ] {
        replace(&files.certificate, broken);
        program.logs(says).await;
        // A look later it is not told again.
        tokio::time::sleep(std::time::Duration::from_millis(2_500)).await;
        assert_eq!(program.log().matches(told).count(), times, "{}", program.log());
        assert!(works(&authority.client(), &program).await);
    }
    std::fs::remove_file(&files.certificate).unwrap();
    program.logs("the certificate cannot be read: No such file").await;
    assert!(works(&authority.client(), &program).await);
    // And what is good again is taken over.
    let next = Authority::new();
    files.put(next.issue());
    program.logs("a new certificate is served").await;
    assert!(works(&next.client(), &program).await);
}

#[tokio::test]
async fn sighup_looks_at_the_certificate_at_once_and_stops_nothing() {
    let authority = Authority::new();
    let files = Files::new(authority.issue());
    let program = Program::serve(&files.arguments(), &[]).await;
    program.signal("HUP");
    program.logs("the certificate is the one that is served already").await;
    assert!(works(&authority.client(), &program).await);
}

#[tokio::test]
async fn sighup_takes_over_a_certificate_that_is_in_another_place_now() {
    let (before, after) = (Authority::new(), Authority::new());
    let (old, new) = (Files::new(before.issue()), Files::new(after.issue()));
    let settings = tempfile::NamedTempFile::new().unwrap();
    let name = |files: &Files| {
        let toml =
            format!("dev = true\ntls-cert = {:?}\ntls-key = {:?}\n", files.certificate, files.key);
        std::fs::write(settings.path(), toml).unwrap();
    };
    name(&old);
    let program = Program::serve(&["--config", settings.path().to_str().unwrap()], &[]).await;
    assert!(works(&before.client(), &program).await);
    name(&new);
    program.signal("HUP");
    program.logs("a new certificate is served").await;
    assert!(works(&after.client(), &program).await);
    // One that is not there changes nothing.
    std::fs::remove_file(&new.key).unwrap();
    program.signal("HUP");
    program.logs("the one before is served on").await;
    assert!(works(&after.client(), &program).await);
}

/// Returns a wire to `server` that is cut after so many bytes from there; counts them.
async fn cut_after(
    server: std::net::SocketAddr,
    most: u64,
) -> (std::net::SocketAddr, Arc<AtomicU64>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let passed = Arc::new(AtomicU64::new(0));
    let count = Arc::clone(&passed);
    tokio::spawn(async move {
        while let Ok((near, _)) = listener.accept().await {
            let far = TcpStream::connect(server).await.unwrap();
            let count = Arc::clone(&count);
            tokio::spawn(async move {
                let (mut near_in, mut near_out) = near.into_split();
                let (far_in, mut far_out) = far.into_split();
                let up =
                    tokio::spawn(async move { tokio::io::copy(&mut near_in, &mut far_out).await });
                let passed = tokio::io::copy(&mut far_in.take(most), &mut near_out).await;
                count.fetch_add(passed.unwrap_or(0), Ordering::SeqCst);
                up.abort();
            });
        }
    });
    (address, passed)
}

#[tokio::test]
async fn wire_that_is_cut_in_the_middle_of_tls_is_a_connection_that_broke_wherever_it_is_cut() {
    let authority = Authority::new();
    let files = Files::new(authority.issue());
    let program = Program::serve(&files.arguments(), &[]).await;
    let root = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(root.path(), authority.0.pem()).unwrap();
    for name in 0..40 {
        let create = json!({ "name": format!("agent {name}"), "capabilities": ["*"] });
        let body = authority.client().post(program.url("/api/v1/agents")).body(create.to_string());
        assert_eq!(body.header("x-api-key", DEV_KEY).send().await.unwrap().status(), 201);
    }
    let lists = async |most: u64| {
        let (address, passed) = cut_after(program.address, most).await;
        let url = format!("https://localhost:{}", address.port());
        let environment = [
            ("AGENTTRUST_URL", url.as_str()),
            ("AGENTTRUST_API_KEY", DEV_KEY),
            ("SSL_CERT_FILE", root.path().to_str().unwrap()),
        ];
        (run(&["agents", "list"], &environment).await, passed)
    };
    let (whole, passed) = lists(u64::MAX).await;
    assert!(whole.status.success(), "{}", text(&whole.stderr));
    let count = async || Some(passed.load(Ordering::SeqCst)).filter(|passed| *passed > 0);
    let all = eventually_within(LONG, "nothing passed", count).await;
    // In the handshake, just after it, in the head of the answer and in its body.
    for most in [0, 1, 100, 700, 1_400, all / 2, all - 1_000] {
        let (cut, _) = lists(most).await;
        let said = text(&cut.stderr);
        assert!(!cut.status.success() && cut.stdout.is_empty(), "{most}: {said}");
        assert!(said.contains("the connection to the Guardian broke"), "{most}: {said}");
    }
}

#[tokio::test]
async fn certificate_that_cannot_be_served_is_refused_with_what_to_do() {
    let authority = Authority::new();
    let (certificate, key) = authority.issue();
    let (_, other_key) = authority.issue();
    for (certificate, key, says) in [
        ("", key.as_str(), "it holds no certificate in PEM"),
        ("-----BEGIN CERTIFICATE-----\n*\n-----END CERTIFICATE-----\n", &key, "is not usable"),
        ("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n", &key, "is not usable"),
        (&certificate, "", "holds no private key in PEM"),
        (&certificate, &certificate, "holds no private key in PEM"),
        (&certificate, &other_key, "is not the one of the certificate"),
    ] {
        let files = Files::new((certificate.to_owned(), key.to_owned()));
        let said = refused(&files.arguments(), &[]).await;
        assert!(said.contains(says), "{said}");
        assert!(said.contains("name "), "it says what to do: {said}");
        assert!(!said.contains("PRIVATE KEY"), "{said}");
    }
}

/// Asks for a tool at this address, with a guard that fails open where no Guardian listens; returns why it did not
/// run.
async fn refusal(url: &str) -> String {
    let client = AgentTrustClient::builder().base_url(url).api_key("sk_test_dev").build().unwrap();
    let error = client.agents().list().await.unwrap_err();
    assert!(!error.is_unreachable(), "{error:?}");
    let guard = AgentTrustGuard::builder(client, "agt_1").fail_open(true).build();
    let refused = guard.authorize(Action::new("search")).await.unwrap_err();
    assert_eq!(refused.code(), "GUARDIAN_UNAVAILABLE");
    assert!(refused.to_string().contains(&error.to_string()), "{refused}\n{error}");
    refused.to_string()
}

#[tokio::test]
async fn client_with_the_wrong_scheme_is_told_the_right_one() {
    let plain = Program::serve(&["--dev"], &[]).await;
    let said = refusal(&format!("https://{}", plain.address)).await;
    let right = format!(
        "speaks plain HTTP, and the base URL begins with https; write http://{} ",
        plain.address
    );
    assert!(said.contains(&right), "{said}");

    let authority = Authority::new();
    let files = Files::new(authority.issue());
    let secure = Program::serve(&files.arguments(), &[]).await;
    let said = refusal(&format!("http://{}", secure.address)).await;
    let right =
        format!("speaks TLS, and the base URL begins with http; write https://{}", secure.address);
    assert!(said.ends_with(&right), "{said}");

    // A certificate that is not trusted is no reason to do without.
    let said = refusal(&format!("https://{}", secure.address)).await;
    assert!(!said.contains("plain HTTP") && !said.contains("write http"), "{said}");
}
