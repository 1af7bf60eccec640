//! Who comes in, and that a session of MCP is its own agent's.

use agenttrust_testkit::eventually;
use anyhow::{Result, ensure};
use axum::http::{Method, StatusCode};
use serde_json::Value;

use crate::mcp_proxy::observed_guardian::{ObservedGuardian, agent, mirror, sent};

#[tokio::test(flavor = "multi_thread")]
async fn a_session_is_used_and_ended_by_the_agent_that_opened_it_and_by_no_other() -> Result<()> {
    let guardian = ObservedGuardian::start().await?;
    let (_, other) = agent(&guardian.guardian, "other", "everything").await?;
    let (mirror, seen) = mirror().await?;
    let (_proxy, url) = guardian.proxy(mirror.url()).await?;
    let heard = || seen.lock().expect("no panic").len();
    ensure!(sent(&url, Method::POST, &guardian.token, None).await?.status().is_success());
    // It is told of the same session, and does not get it by that.
    ensure!(sent(&url, Method::POST, &other, None).await?.status().is_success());
    ensure!(heard() == 2, "{}", heard());

    for method in [Method::POST, Method::GET, Method::DELETE] {
        for (token, session) in [(&other, "s1"), (&other, "s2"), (&guardian.token, "s2")] {
            let answer = sent(&url, method.clone(), token, Some(session)).await?;
            ensure!(answer.status() == StatusCode::NOT_FOUND, "{method} {session}: {answer:?}");
            let answer: Value = serde_json::from_slice(&answer.bytes().await?)?;
            ensure!(answer["error"]["code"] == -32001 && answer["id"].is_null(), "{answer}");
        }
        let both =
            reqwest::Client::new().request(method.clone(), &url).bearer_auth(&guardian.token);
        let both = both.header("mcp-session-id", "s1").header("mcp-session-id", "s2").send();
        ensure!(both.await?.status() == StatusCode::NOT_FOUND, "{method} in two sessions");
    }
    ensure!(heard() == 2, "the server heard of it");

    for method in [Method::POST, Method::GET, Method::DELETE] {
        let answer = sent(&url, method.clone(), &guardian.token, Some("s1")).await?;
        ensure!(answer.status().is_success(), "{method}: {answer:?}");
    }
    ensure!(heard() == 5, "{}", heard());
    let ended = sent(&url, Method::POST, &guardian.token, Some("s1")).await?;
    ensure!(ended.status() == StatusCode::NOT_FOUND && heard() == 5, "it goes on: {ended:?}");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_for_another_server_and_one_that_was_revoked_are_none_here() -> Result<()> {
    let guardian = ObservedGuardian::start().await?;
    let (mirror, seen) = mirror().await?;
    let (_proxy, url) = guardian.proxy(mirror.url()).await?;
    let (_, elsewhere) = agent(&guardian.guardian, "elsewhere", "filesystem").await?;
    let refused = sent(&url, Method::GET, &elsewhere, None).await?;
    ensure!(refused.status() == StatusCode::UNAUTHORIZED, "{refused:?}");
    ensure!(seen.lock().expect("no panic").is_empty(), "the server heard of it");

    let (id, token) = agent(&guardian.guardian, "leaving", "everything").await?;
    ensure!(sent(&url, Method::GET, &token, None).await?.status().is_success());
    guardian.guardian.client().agents().revoke(&id, "it left").await?;
    // What was known of it a moment ago is forgotten when the Guardian says so, and not after 30 seconds.
    let refused = async || {
        let answer = sent(&url, Method::GET, &token, None).await;
        answer.is_ok_and(|answer| answer.status() == StatusCode::UNAUTHORIZED)
    };
    eventually("the token still works", refused).await;
    Ok(())
}
