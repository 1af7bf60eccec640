//! Calls that leave the program: where they may go, and how.

use std::convert::Infallible;
use std::sync::Arc;

use agenttrust_testkit::eventually_within;
use agenttrust_testkit::receiver::Receiver;
use http_body_util::{BodyExt, Empty};
use hyper::body::{Bytes, Incoming};
use hyper::service::service_fn;
use hyper::{Request, Response, Version};
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto;
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use serde_json::json;
use tokio::net::TcpListener;
use tokio::sync::mpsc;
use tokio_rustls::TlsAcceptor;

use crate::program::{LONG, Program, refused};

const KEY: &str = "sk_live_for_the_tests";

/// Serves in memory, with the key that the tests have.
async fn serve(arguments: &[&str], environment: &[(&str, &str)]) -> Program {
    let environment = [&[("AGENTTRUST_ADMIN_KEY", KEY)], environment].concat();
    Program::serve(&[&["--database", "memory"], arguments].concat(), &environment).await
}

async fn register(program: &Program, url: &str) -> (u16, serde_json::Value) {
    let body = json!({ "url": url, "events": ["approval.pending"] });
    program.post("/api/v1/webhooks", KEY, &body).await
}

/// Holds a call, of which webhooks are told.
async fn hold(program: &Program) {
    let create = json!({ "name": "w", "capabilities": ["*"] });
    let (_, agent) = program.post("/api/v1/agents", KEY, &create).await;
    let check = json!({ "agent_id": agent["id"], "action_name": "db_delete" });
    let (_, held) = program.post("/api/v1/agenttrust/check", KEY, &check).await;
    assert!(held["approval_id"].is_string(), "{held}");
}

#[tokio::test]
async fn range_that_is_opened_is_called_without_tls_and_nothing_beside_it() {
    let mut receiver = Receiver::answering(&[200]).await;
    let strict = serve(&[], &[]).await;
    let (status, body) = register(&strict, &receiver.url()).await;
    assert_eq!(status, 400, "{body}");
    assert!(body["message"].as_str().unwrap().contains("opened with allow-outbound"), "{body}");
    let open = serve(&["--allow-outbound", "127.0.0.1", "--allow-outbound", "169.254.0.0/16"], &[]);
    let open = open.await;
    let (status, body) = register(&open, &receiver.url()).await;
    assert_eq!(status, 201, "{body}");
    hold(&open).await;
    assert_eq!(receiver.next().await.json()["type"], "approval.pending");
    for url in [
        "http://127.0.0.2/",
        "http://10.0.0.1/",
        "https://10.0.0.1/",
        "http://[::1]/",
        "http://169.254.169.254/latest/meta-data/",
        "https://169.254.169.254/",
        "http://[::ffff:127.0.0.1]/",
        "http://0x7f000001/",
        "http://8.8.8.8/",
    ] {
        let (status, body) = register(&open, url).await;
        assert_eq!((status, &body["details"]["field"]), (400, &json!("url")), "{url}: {body}");
    }
    let (status, body) = register(&open, "http://169.254.1.1/").await;
    assert_eq!(status, 201, "{body}");
    let audit = open.get("/api/v1/audit?limit=1000", KEY).await.text().await.unwrap();
    assert!(audit.contains("\"allow_outbound\":[\"127.0.0.1/32\",\"169.254.0.0/16\"]"), "{audit}");
}

#[tokio::test]
async fn what_is_no_range_is_refused_naming_where_it_came_from() {
    for (arguments, environment, says) in [
        (
            &["--allow-outbound", "10.0.0.1/8"][..],
            &[][..],
            "--allow-outbound is \"10.0.0.1/8\", which is an address within a range",
        ),
        (
            &["--allow-outbound", "localhost"],
            &[],
            "--allow-outbound is \"localhost\", which is no range of addresses; write one such as",
        ),
        (&["--allow-outbound", "10.0.0.0/33"], &[], "longer than an address"),
        (&["--allow-outbound", "::ffff:10.0.0.0/104"], &[], "in the clothes of IPv6"),
        (&["--allow-outbound", ","], &[], "--allow-outbound names no range"),
        (
            &[],
            &[("AGENTTRUST_ALLOW_OUTBOUND", "10.0.0.0/8, x")],
            "AGENTTRUST_ALLOW_OUTBOUND is \"x\", which is no range",
        ),
    ] {
        let said = refused(arguments, environment).await;
        assert!(said.contains(says), "{arguments:?} {environment:?}: {said}");
    }
}

/// Returns a server with TLS for this machine that tells by which version each request came, and the file of who signed
/// it.
async fn with_tls() -> (String, tempfile::NamedTempFile, mpsc::UnboundedReceiver<Version>) {
    let mut params = CertificateParams::new(Vec::new()).unwrap();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let authority = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap();
    let key = KeyPair::generate().unwrap();
    let names = CertificateParams::new(vec!["localhost".to_owned()]).unwrap();
    let certificate = names.signed_by(&key, &authority).unwrap().pem();
    let certificate = CertificateDer::from_pem_slice(certificate.as_bytes()).unwrap();
    let key = PrivateKeyDer::from_pem_slice(key.serialize_pem().as_bytes()).unwrap();
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = rustls::ServerConfig::builder_with_provider(provider);
    let config = config.with_safe_default_protocol_versions().unwrap().with_no_client_auth();
    let mut config = config.with_single_cert(vec![certificate], key).unwrap();
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    let acceptor = TlsAcceptor::from(Arc::new(config));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("https://localhost:{}/", listener.local_addr().unwrap().port());
    let (tell, told) = mpsc::unbounded_channel();
    tokio::spawn(async move {
        while let Ok((socket, _)) = listener.accept().await {
            let (acceptor, tell) = (acceptor.clone(), tell.clone());
            tokio::spawn(async move {
                let Ok(socket) = acceptor.accept(socket).await else { return };
                let answer = service_fn(move |request: Request<Incoming>| {
                    let tell = tell.clone();
                    async move {
                        let version = request.version();
                        let body = request.into_body().collect().await.unwrap().to_bytes();
                        assert!(!body.is_empty());
                        let _ = tell.send(version);
                        Ok::<_, Infallible>(Response::new(Empty::<Bytes>::new()))
                    }
                });
                let server = auto::Builder::new(TokioExecutor::new());
                let _ = server.serve_connection(TokioIo::new(socket), answer).await;
            });
        }
    });
    let root = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(root.path(), authority.pem()).unwrap();
    (url, root, told)
}

#[tokio::test]
async fn calls_by_tls_go_by_http2_to_who_has_a_certificate_that_is_trusted() {
    let (url, root, mut told) = with_tls().await;
    let environment = [("SSL_CERT_FILE", root.path().to_str().unwrap())];
    let program = serve(&["--allow-outbound", "127.0.0.0/8"], &environment).await;
    assert_eq!(register(&program, &url).await.0, 201);
    hold(&program).await;
    let version = tokio::time::timeout(LONG, told.recv()).await.unwrap();
    assert_eq!(version, Some(Version::HTTP_2));

    // An authority that the Guardian alone trusts is as good.
    let file = root.path().to_str().unwrap();
    let program = serve(&["--allow-outbound", "127.0.0.0/8", "--outbound-ca", file], &[]).await;
    assert_eq!(register(&program, &url).await.0, 201);
    hold(&program).await;
    let version = tokio::time::timeout(LONG, told.recv()).await.unwrap();
    assert_eq!(version, Some(Version::HTTP_2));

    let stranger = serve(&["--allow-outbound", "127.0.0.0/8"], &[]).await;
    let (_, webhook) = register(&stranger, &url).await;
    hold(&stranger).await;
    let path = format!("/api/v1/webhooks/{}/deliveries", webhook["id"].as_str().unwrap());
    let refused = async || {
        let page = stranger.get(&path, KEY).await.text().await.unwrap();
        let page: serde_json::Value = serde_json::from_str(&page).unwrap();
        page["deliveries"][0]["last_error"].as_str().map(str::to_owned)
    };
    let error = eventually_within(LONG, "nothing was tried", refused).await;
    assert!(error.starts_with("no answer: "), "{error}");
    assert!(told.try_recv().is_err());
}

#[tokio::test]
async fn file_that_holds_no_authority_and_folder_that_is_none_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let (there, missing) = (folder.path().join("a"), folder.path().join("missing"));
    std::fs::write(&there, "hello").unwrap();
    let (there, missing) = (there.to_str().unwrap(), missing.to_str().unwrap());
    for (arguments, says) in [
        (["--outbound-ca", missing], "cannot be read: No such file"),
        (
            ["--outbound-ca", there],
            "holds no certificate in PEM; name a file of their certificates",
        ),
        (["--siem-files", missing], "make it with `mkdir -p"),
        (["--siem-files", there], "it is no folder"),
        (["--siem-files", "logs"], "by its absolute path"),
        (["--siem-files", "/var/log/../log"], "without `..`"),
        (["--siem-files", " "], "--siem-files names no folder"),
    ] {
        let arguments = [&["--listen", "127.0.0.1:0", "--database", "memory"], &arguments[..]];
        let said = refused(&arguments.concat(), &[]).await;
        assert!(said.contains(says), "{arguments:?}: {said}");
    }
}

#[tokio::test]
async fn file_of_the_audit_that_a_destination_could_name_is_refused() {
    let (folder, other) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let files = folder.path().to_str().unwrap();
    for option in ["--audit-checkpoints", "--audit-key"] {
        for name in ["own.jsonl", "own.log", "./own.ndjson"] {
            let own = folder.path().join(name);
            let database = other.path().join("guardian.db");
            let said = refused(
                &[
                    "--listen",
                    "127.0.0.1:0",
                    "--database",
                    database.to_str().unwrap(),
                    "--siem-files",
                    files,
                    option,
                    own.to_str().unwrap(),
                ],
                &[],
            )
            .await;
            assert!(said.contains("a destination could write into it"), "{said}");
        }
    }
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
}

#[tokio::test]
async fn events_are_written_to_files_in_a_folder_that_was_opened_and_to_no_other() {
    let folder = tempfile::tempdir().unwrap();
    let shown = folder.path().to_str().unwrap();
    let program = serve(&["--siem-files", shown], &[]).await;
    let destination = |url: &str| json!({ "name": "a", "destination_type": "file", "endpoint_url": url, "flush_interval_seconds": 1 });
    let path = "/api/v1/siem/destinations";
    let (status, refused) = program.post(path, KEY, &destination("file:///etc/passwd")).await;
    assert_eq!((status, &refused["details"]["field"]), (400, &json!("endpoint_url")), "{refused}");
    assert!(refused["message"].as_str().unwrap().contains("--siem-files"), "{refused}");
    let url = format!("file://{shown}/events.jsonl");
    let (status, made) = program.post(path, KEY, &destination(&url)).await;
    assert_eq!(status, 201, "{made}");
    hold(&program).await;
    let written = async || {
        let text = std::fs::read_to_string(folder.path().join("events.jsonl")).unwrap_or_default();
        let is_whole = text.ends_with('\n') && text.contains("db_delete");
        if is_whole { Ok(text) } else { Err(text) }
    };
    let text = eventually_within(LONG, "nothing is written", written).await;
    for line in text.lines() {
        let event: serde_json::Value = serde_json::from_str(line).unwrap();
        assert!(event["metadata"]["uid"].is_string(), "{line}");
    }
    let audit = program.get("/api/v1/audit?limit=1000", KEY).await.text().await.unwrap();
    assert!(audit.contains(&format!("\"siem_files\":[\"{shown}\"]")), "{audit}");
}
