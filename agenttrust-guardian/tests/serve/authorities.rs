//! Machines without the certificates of authorities: what needs none works, and what does says what is missing.

use agenttrust_testkit::eventually_within;
use agenttrust_testkit::receiver::Receiver;
use serde_json::json;

use crate::program::{DEV_KEY, LONG, Program, run, text};

/// The environment of a machine that has none, and of one where a variable names a place that has none.
const NOWHERE: [(&str, &str); 2] =
    [("SSL_CERT_FILE", "/nowhere/ca.pem"), ("SSL_CERT_DIR", "/nowhere")];

/// Returns what `agenttrust agents list` says of the Guardian at `url`, and whether it worked.
async fn lists(url: &str) -> (bool, String) {
    let asks = [("AGENTTRUST_URL", url), ("AGENTTRUST_API_KEY", DEV_KEY)];
    let output = run(&["agents", "list"], &[&NOWHERE[..], &asks].concat()).await;
    (output.status.success(), text(&output.stderr))
}

#[tokio::test]
async fn client_asks_over_plain_http_where_no_authority_is_known() {
    let program = Program::serve(&["--dev"], &[]).await;
    let (works, said) = lists(&program.url("")).await;
    assert!(works, "{said}");
}

#[tokio::test]
async fn client_over_https_says_which_authorities_are_missing_before_it_asks() {
    // There is nothing at this address; it is not asked.
    let (works, said) = lists("https://127.0.0.1:9").await;
    assert!(!works);
    for word in ["begins with https", "/nowhere/ca.pem", "SSL_CERT_FILE", "in PEM"] {
        assert!(said.contains(word), "{word}: {said}");
    }
    assert!(!said.contains("unexpected error") && !said.contains("see that"), "{said}");
}

/// Holds a call, of which a webhook at `url` is told; the program serves and knows no authority.
async fn told(program: &Program, url: &str) -> serde_json::Value {
    let hook = json!({ "url": url, "events": ["approval.pending"] });
    let (status, hook) = program.post("/api/v1/webhooks", DEV_KEY, &hook).await;
    assert_eq!(status, 201, "{hook}");
    let create = json!({ "name": "w", "capabilities": ["*"] });
    let (_, agent) = program.post("/api/v1/agents", DEV_KEY, &create).await;
    let check = json!({ "agent_id": agent["id"], "action_name": "db_delete" });
    let (_, held) = program.post("/api/v1/agenttrust/check", DEV_KEY, &check).await;
    assert!(held["approval_id"].is_string(), "{held}");
    hook
}

#[tokio::test]
async fn guardian_calls_without_tls_where_no_authority_is_known_and_says_so_of_calls_with_it() {
    let program = Program::serve(&["--dev"], &NOWHERE).await;
    let mut receiver = Receiver::answering(&[200]).await;
    told(&program, &receiver.url()).await;
    assert_eq!(receiver.next().await.json()["type"], "approval.pending");

    let hook = told(&program, "https://localhost:9/").await;
    let path = format!("/api/v1/webhooks/{}/deliveries", hook["id"].as_str().unwrap());
    let tried = async || {
        let page = program.get(&path, DEV_KEY).await.text().await.unwrap();
        let page: serde_json::Value = serde_json::from_str(&page).unwrap();
        page["deliveries"][0]["last_error"].as_str().map(str::to_owned)
    };
    let error = eventually_within(LONG, "nothing was tried", tried).await;
    for word in ["no certificates of authorities", "SSL_CERT_FILE", "outbound-ca"] {
        assert!(error.contains(word), "{word}: {error}");
    }
}
