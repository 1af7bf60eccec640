//! Pages of other origins, in a real browser: they reach what is behind the layers, and nothing runs without a token.

use std::path::PathBuf;
use std::process::Stdio;
use std::sync::atomic::{AtomicUsize, Ordering};

use agenttrust::AgentIdentity;
use agenttrust_tower::AuthenticateLayer;
use axum::Router;
use axum::response::Html;
use axum::routing::{any, get};
use http::header::AUTHORIZATION;
use http::{Method, StatusCode};
use tower_http::cors::{Any, CorsLayer};

use crate::guardian::{Guardian, Script};
use crate::wire::served::Served;

/// Returns the path of Debian's Chromium, where it is installed.
fn chromium() -> Option<PathBuf> {
    let path = std::env::var_os("PATH")?;
    let names = ["chromium", "chromium-browser"];
    let found = std::env::split_paths(&path)
        .flat_map(|folder| names.map(|name| folder.join(name)))
        .find(|program| program.is_file());
    if found.is_none() {
        eprintln!("skipped: neither chromium nor chromium-browser is installed");
    }
    found
}

/// Returns what a page of another origin is answered that asks `url` with this token.
async fn asked_by_a_page(chromium: &PathBuf, url: &str, token: &str) -> String {
    static PROFILES: AtomicUsize = AtomicUsize::new(0);
    let page = format!(
        "<body>waits<script>\
         fetch('{url}', {{ headers: {{ Authorization: 'Bearer {token}' }} }})\
         .then(async it => it.status + ' ' + await it.text(), error => 'no answer: ' + error)\
         .then(said => document.body.textContent = said)</script></body>"
    );
    let page = Router::new().route("/", get(async move || Html(page)));
    let page = Served::router(page).await;
    let number = PROFILES.fetch_add(1, Ordering::Relaxed);
    let profile = std::env::temp_dir().join(format!("browser-{}-{number}", std::process::id()));
    let mut command = tokio::process::Command::new(chromium);
    command
        .args(["--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"])
        .args(["--no-proxy-server", "--virtual-time-budget=20000", "--dump-dom"])
        .arg(format!("--user-data-dir={}", profile.display()))
        .arg(page.url("/"))
        .env("HOME", &profile)
        .stdin(Stdio::null())
        .kill_on_drop(true);
    let output = tokio::time::timeout(std::time::Duration::from_secs(60), command.output());
    let output = output.await.expect("it does not end").expect("it runs");
    let _ = std::fs::remove_dir_all(profile);
    String::from_utf8_lossy(&output.stdout).into_owned()
}

/// Returns what the handler is reached by: anything that comes with an agent.
async fn whose(
    method: Method,
    agent: Option<axum::Extension<AgentIdentity>>,
) -> (StatusCode, String) {
    match agent {
        Some(agent) => (StatusCode::OK, format!("{method} of {}", agent.agent_id())),
        None => (StatusCode::IM_A_TEAPOT, format!("{method} of nobody")),
    }
}

fn cors() -> CorsLayer {
    CorsLayer::new().allow_origin(Any).allow_methods([Method::GET]).allow_headers([AUTHORIZATION])
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn page_of_another_origin_reaches_what_is_behind_with_its_token() {
    let Some(chromium) = chromium() else { return };
    let guardian = Guardian::new(Script::Allow);
    let layer = AuthenticateLayer::new(guardian.client());
    let inside = Router::new().route("/", any(whose)).layer(cors()).layer(layer.clone());
    let inside = Served::router(inside).await;
    let said = asked_by_a_page(&chromium, &inside.url("/"), "at_good").await;
    assert!(said.contains("200 GET of agt_"), "{said}");
    // Outside of the layer, it has the page read refusals too.
    let outside = Router::new().route("/", any(whose)).layer(layer).layer(cors());
    let outside = Served::router(outside).await;
    let said = asked_by_a_page(&chromium, &outside.url("/"), "at_good").await;
    assert!(said.contains("200 GET of agt_"), "{said}");
    let said = asked_by_a_page(&chromium, &outside.url("/"), "none").await;
    assert!(said.contains("401 ") && said.contains("AUTH_FAILED"), "{said}");
}
