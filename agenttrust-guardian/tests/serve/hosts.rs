//! Under which names the program answers: a page that turns its own name to this machine (DNS rebinding) gets nothing.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::process::Stdio;

use serde_json::{Value, json};

use crate::program::{DEV_KEY, LONG, Program, client, refused, text};

/// Returns a client for which this name leads to the program, as DNS may have it.
fn client_of(program: &Program, name: &str, http2: bool) -> reqwest::Client {
    let address = SocketAddr::from((Ipv4Addr::LOCALHOST, program.address.port()));
    let builder = reqwest::Client::builder().no_proxy().timeout(LONG).resolve(name, address);
    if http2 { builder.http2_prior_knowledge() } else { builder }.build().unwrap()
}

/// Returns the body of an answer, if it is JSON.
async fn json_of(answer: reqwest::Response) -> Value {
    serde_json::from_str(&answer.text().await.unwrap()).unwrap_or_default()
}

/// Asks for `path` under this name, and returns the status and the body.
async fn ask(program: &Program, name: &str, http2: bool, path: &str) -> (u16, Value) {
    let url = format!("http://{name}:{}{path}", program.address.port());
    let request = client_of(program, name, http2).get(url).header("x-api-key", DEV_KEY);
    let answer = request.send().await.unwrap();
    assert_eq!(answer.headers()["agenttrust-guardian"], "1");
    (answer.status().as_u16(), json_of(answer).await)
}

/// Asks for the agents with these headers, and returns the status.
async fn with_headers(program: &Program, headers: &[(&str, &str)]) -> u16 {
    let mut request = client().get(program.url("/api/v1/agents")).header("x-api-key", DEV_KEY);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    request.send().await.unwrap().status().as_u16()
}

/// Makes a check that is held, and returns the path of its approval.
async fn held(program: &Program) -> String {
    let create = json!({ "name": "w", "capabilities": ["*"] });
    let (_, agent) = program.post("/api/v1/agents", DEV_KEY, &create).await;
    let check = json!({ "agent_id": agent["id"], "action_name": "db_delete" });
    let (_, held) = program.post("/api/v1/agenttrust/check", DEV_KEY, &check).await;
    format!("/mcp/approvals/{}", held["approval_id"].as_str().unwrap())
}

#[tokio::test]
async fn page_that_turns_its_name_to_this_machine_approves_nothing() {
    let program = Program::serve(&["--dev"], &[]).await;
    let path = held(&program).await;
    for http2 in [false, true] {
        let url = format!("http://evil.example:{}{path}/approve", program.address.port());
        let request = client_of(&program, "evil.example", http2).post(url);
        let request = request.header("x-api-key", DEV_KEY).body(r#"{"decided_by":"ada"}"#);
        let answer = request.send().await.unwrap();
        assert_eq!(answer.status(), 421, "HTTP/2: {http2}");
        let body: Value = json_of(answer).await;
        assert_eq!(body["error"], "MISDIRECTED_REQUEST");
        let said = body["message"].as_str().unwrap();
        assert!(said.contains("evil.example") && said.contains("--public-url"), "{said}");
    }
    let approval: Value = json_of(program.get(&path, DEV_KEY).await).await;
    assert_eq!(approval["status"], "pending");
}

#[tokio::test]
async fn on_loopback_its_own_names_pass_whatever_the_port_and_others_do_not() {
    let arguments = [
        "--dev",
        "--public-url",
        "https://guardian.example/base",
        "--public-url=http://guardian:8080",
    ];
    let program = Program::serve(&arguments, &[]).await;
    for http2 in [false, true] {
        for name in ["localhost", "LOCALHOST", "127.0.0.1", "guardian.example", "guardian"] {
            assert_eq!(ask(&program, name, http2, "/api/v1/agents").await.0, 200, "{name}");
        }
        for name in ["evil.example", "localhost.evil.example", "x.guardian.example"] {
            assert_eq!(ask(&program, name, http2, "/api/v1/agents").await.0, 421, "{name}");
            assert_eq!(ask(&program, name, http2, "/nowhere").await.0, 421, "{name}");
            assert_eq!(ask(&program, name, http2, "/openapi.json").await.0, 421, "{name}");
            assert_eq!(ask(&program, name, http2, "/health").await.0, 200, "{name}");
            assert_eq!(ask(&program, name, http2, "/metrics").await.0, 200, "{name}");
        }
    }
    // A tunnel has a port of its own, and a probe goes by an address.
    for host in ["localhost:9999", "[::1]:1", "10.1.2.3", "guardian.example"] {
        assert_eq!(with_headers(&program, &[("host", host)]).await, 200, "{host}");
    }
    for host in ["localhost@evil.example", "localhost:x", "localhost..", "::1", ""] {
        assert_eq!(with_headers(&program, &[("host", host)]).await, 421, "{host}");
    }
    let numbers = program.get("/metrics", DEV_KEY).await.text().await.unwrap();
    assert!(numbers.contains("route=\"none\",status=\"421\""), "{numbers}");
}

#[tokio::test]
async fn page_of_another_name_is_answered_nothing() {
    let program = Program::serve(&["--dev", "--public-url", "https://guardian.example"], &[]).await;
    for origin in ["http://localhost:3000", "https://guardian.example", "http://127.0.0.1:1"] {
        assert_eq!(with_headers(&program, &[("origin", origin)]).await, 200, "{origin}");
    }
    for origin in ["https://evil.example", "null", "", "https://guardian.example.evil.example"] {
        assert_eq!(with_headers(&program, &[("origin", origin)]).await, 421, "{origin}");
    }
    let twice = [("origin", "http://localhost"), ("origin", "http://localhost")];
    assert_eq!(with_headers(&program, &twice).await, 421);
}

#[tokio::test]
async fn beyond_this_machine_names_are_looked_at_once_one_is_given() {
    let arguments = ["--listen", "0.0.0.0:0", "--database", "memory"];
    let environment = [("AGENTTRUST_ADMIN_KEY", "sk_live_a_long_one")];
    let all = Program::serve(&arguments, &environment).await;
    for name in ["guardian", "guardian.prod.svc.cluster.local", "localhost", "127.0.0.1"] {
        assert_eq!(ask(&all, name, false, "/openapi.json").await.0, 200, "{name}");
    }
    let named = [&arguments[..], &["--public-url", "https://guardian.example"]].concat();
    let named = Program::serve(&named, &environment).await;
    for name in ["guardian.example", "localhost", "127.0.0.1"] {
        assert_eq!(ask(&named, name, false, "/openapi.json").await.0, 200, "{name}");
    }
    assert_eq!(ask(&named, "guardian", false, "/openapi.json").await.0, 421);
    assert_eq!(ask(&named, "guardian", false, "/health").await.0, 200);
}

#[tokio::test]
async fn public_url_that_names_no_host_is_refused_at_the_start_and_not_repeated() {
    for (arguments, environment, says) in [
        (
            &["--public-url", "guardian.example"][..],
            &[][..],
            "--public-url does not begin with https://",
        ),
        (
            &["--public-url", "https://a:SECRET@b"],
            &[],
            "--public-url holds a name or a password; leave",
        ),
        (
            &["--public-url", "https://*.example"],
            &[],
            "give each of them with a --public-url of its own",
        ),
        (&["--public-url", ""], &[], "--public-url names no URL"),
        (
            &[],
            &[("AGENTTRUST_PUBLIC_URL", "https://a, ftp://SECRET")],
            "AGENTTRUST_PUBLIC_URL does not",
        ),
    ] {
        let said = refused(arguments, environment).await;
        assert!(said.contains(says) && !said.contains("SECRET"), "{said}");
    }
}

/// Returns the path of Debian's Chromium, where it is installed.
fn chromium() -> Option<PathBuf> {
    let path = std::env::var_os("PATH")?;
    let names = ["chromium", "chromium-browser"];
    std::env::split_paths(&path)
        .flat_map(|folder| names.map(|name| folder.join(name)))
        .find(|program| program.is_file())
}

/// Returns what a browser shows of this page, for which `evil.example` turns to this machine.
async fn browsed(chromium: &PathBuf, url: &str) -> String {
    let profile = tempfile::tempdir().unwrap();
    let mut command = tokio::process::Command::new(chromium);
    command
        .args([
            "--headless",
            "--no-sandbox",
            "--disable-gpu",
            "--disable-dev-shm-usage",
            "--no-proxy-server",
        ])
        .arg(format!("--user-data-dir={}", profile.path().display()))
        .args(["--host-resolver-rules=MAP evil.example 127.0.0.1", "--dump-dom", url])
        .env("HOME", profile.path())
        .stdin(Stdio::null())
        .kill_on_drop(true);
    let output =
        tokio::time::timeout(LONG, command.output()).await.expect("it does not end").unwrap();
    text(&output.stdout)
}

#[tokio::test]
async fn browser_whose_name_turned_to_this_machine_is_answered_421() {
    let Some(chromium) = chromium() else {
        eprintln!("skipped: neither chromium nor chromium-browser is installed");
        return;
    };
    let program = Program::serve(&["--dev"], &[]).await;
    let port = program.address.port();
    let page = browsed(&chromium, &format!("http://evil.example:{port}/openapi.json")).await;
    assert!(page.contains("MISDIRECTED_REQUEST") && page.contains("evil.example"), "{page}");
    assert!(!page.contains("\"openapi\""), "{page}");
    let page = browsed(&chromium, &format!("http://localhost:{port}/openapi.json")).await;
    assert!(page.contains("\"openapi\""), "{page}");
}
