//! What a person is told who gets something wrong in the first hour: a capability that does not cover the tool, and a
//! Guardian that was closed too early.

use agenttrust::{Action, AgentTrustError, AgentTrustGuard, CreateAgentRequest};
use agenttrust_testkit::ADMIN;
use serde_json::json;

use crate::support::open;

#[tokio::test]
async fn denial_for_want_of_a_capability_says_which_to_write() {
    let api = open().await;
    let none = api.agent(&[]).await;
    let written = "capabilities: [\"db_delete\"], or --capability db_delete";
    let denied = api.check(ADMIN, &none, "db_delete").await;
    denied.denied(written).denied(&format!("`agenttrust agents grant {none} db_delete`"));
    let other = api.agent(&["files:*", "web:read"]).await;
    api.check(ADMIN, &other, "db_delete").await.denied(written);
    let denied = api.check(ADMIN, &other, "web/GET/notes").await;
    denied.denied("capabilities: [\"web/GET/notes\"], or --capability web/GET/notes");
    denied.denied(
        "its capability \"web:read\" covers \"web:read\" and \"web_read\", and nothing else",
    );
    let body = json!({ "agent_id": other, "action_name": "files_read" });
    let scopes = [("agenttrust-scopes", "db:read")];
    let denied = api.check_with(ADMIN, &scopes, body).await;
    denied.denied("declares scope \"db:read\"");
    denied.denied("capabilities: [\"db:read\"], or --capability db:read");

    // Written so, it is allowed.
    let mended = api.agent(&["db:read", "files:*", "web/GET/notes"]).await;
    api.check(ADMIN, &mended, "web/GET/notes").await.allowed();
    let body = json!({ "agent_id": mended, "action_name": "files_read" });
    api.check_with(ADMIN, &scopes, body).await.allowed();
    // Whoever copies the answer to this would let everything pass.
    let denied = api.check(ADMIN, &other, "*").await;
    assert!(!denied.denied("no capability that covers").text("reason").contains("--capability"));
}

#[tokio::test]
async fn capability_that_is_none_is_refused_with_a_spelling_over_http_and_by_the_client() {
    let api = open().await;
    for (capability, says) in [
        ("", "`files:read`"),
        ("files*", "\"files:*\""),
        ("http/*/notes", "`http/GET/*`"),
        ("files:", "\"files:*\""),
        (" ", "is blank"),
        (" search", "\"search\""),
        ("http", "\"http/*\""),
        ("http:*", "\"http/*\""),
        ("http:read", "\"http/GET/*\""),
        ("http:delete", "\"http/DELETE/*\""),
    ] {
        let body = json!({ "name": "w", "capabilities": [capability] });
        let answer = api.post("/api/v1/agents", ADMIN, body).await;
        answer.refused(400, "VALIDATION_ERROR");
        assert!(answer.text("message").contains(says), "{answer:?}");
        let request = CreateAgentRequest {
            name: "w".to_owned(),
            capabilities: vec![capability.to_owned()],
            ..Default::default()
        };
        let error = api.guardian.client().agents().create(&request).await.unwrap_err();
        assert_eq!((error.status(), error.to_string()), (Some(400), answer.text("message")));
    }
    // The guide's forms, and names that a tool may have.
    for capability in [
        "web:search",
        "files:*",
        "github/*",
        "*",
        "search",
        "http/*",
        "http_read",
        "https",
        "send mail",
    ] {
        api.agent(&[capability]).await;
    }
}

#[tokio::test]
async fn closed_guardian_says_that_it_was_closed_and_no_guard_opens_for_it() {
    let api = open().await;
    let agent = api.agent(&["*"]).await;
    let client = api.guardian.client();
    let guard = AgentTrustGuard::builder(client.clone(), &agent).fail_open(true).build();
    guard.authorize(Action::new("search")).await.unwrap().finish(&());
    api.guardian.close().await;
    let says =
        "the Guardian in this process was closed, so it decides nothing any more; keep it open";
    for tool in ["search", "notes_write", "db_delete"] {
        let error = guard.authorize(Action::new(tool)).await.unwrap_err();
        assert!(matches!(error, AgentTrustError::ActionDenied { .. }), "{error:?}");
        assert!(error.to_string().contains(says), "{error}");
    }
    assert_eq!(guard.stats().failed_open, 0);
    // A decision, as of a Guardian whose database is away.
    api.check(ADMIN, &agent, "search").await.denied(says);
    for error in [
        client.agents().list().await.unwrap_err(),
        client.agents().get(&agent).await.unwrap_err(),
        client.agents().revoke(&agent, "over").await.unwrap_err(),
        client.approvals().get("apr_1").await.unwrap_err(),
        client.sessions().init_session(&agent, "files").await.unwrap_err(),
    ] {
        assert!(error.to_string().contains(says), "{error}");
        assert!(!error.is_unreachable() && error.status() == Some(503), "{error:?}");
    }
}

#[tokio::test]
async fn client_keeps_a_guardian_alive_that_its_program_let_go_of() {
    let api = open().await;
    let agent = api.agent(&["*"]).await;
    let client = api.guardian.client();
    drop(api);
    let guard = AgentTrustGuard::new(client, &agent);
    guard.authorize(Action::new("search")).await.unwrap().finish(&());
}
