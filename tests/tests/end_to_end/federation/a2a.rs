//! Agents from outside, with tokens of their issuer, and agents behind the Guardian that they reach by A2A.

use agenttrust_tests::bounded::in_a_runtime;
use anyhow::{Context, Result};
use reqwest::StatusCode;
use serde_json::{Value, json};
use tokio::process::Command;

use super::issuer::Issuer;
use super::{node, register};
use crate::a2a::targets::{Interface, Target, address, published, python};
use crate::mcp::guardian_with_agent::GuardianWithAgent;
use crate::programs::{node_of, packages_of, python_script, run};

/// Returns a Guardian that takes the tokens of an issuer for its agent.
async fn taking_tokens(issuer: &Issuer) -> Result<GuardianWithAgent> {
    let guardian = GuardianWithAgent::start().await?;
    let rule = json!({ "subject": "agent-RS256", "agent_id": guardian.agent_id });
    let audiences = ["https://guardian.example"];
    let members = json!({ "audiences": audiences, "rules": [rule], "trust_level": "high" });
    register(&guardian, issuer, members).await?;
    Ok(guardian)
}

/// Runs a client from outside with an agent of the official SDK for Python behind a Guardian.
async fn from_outside(
    (node, python): (std::path::PathBuf, std::path::PathBuf),
    mut script: Command,
) -> Result<()> {
    let (issuer, target) = (Issuer::start(&node).await?, Target::start(&python).await?);
    let guardian = taking_tokens(&issuer).await?;
    let id = target.behind(&guardian, Interface::JsonRpc).await?;
    let at = address(&guardian, &id);
    let token = issuer.token_of_agent("RS256", Some(&at), "a2a/*").await?;
    let headers = json!({ "authorization": format!("Bearer {token}") });
    run(script.env("A2A_URL", at).env("A2A_HEADERS", headers.to_string())).await?;
    // The target was asked by the agent, and never heard of the token.
    let seen = serde_json::to_string(&target.seen().await?)?;
    assert!(seen.len() > 2 && !seen.contains(&token), "{seen}");
    let opened = guardian.served.admin().audited(&guardian.agent_id, "session.opened").await?;
    assert_eq!((opened.len(), &opened[0]["source"]), (1, &"federation".into()), "{opened:?}");
    Ok(())
}

#[test]
fn the_javascript_client_comes_from_outside_with_a_token() -> Result<()> {
    let (Some(node), Some(python), Some(a2a)) = (node(), python(), node_of("a2a")) else {
        return Ok(());
    };
    in_a_runtime(async move || {
        let mut script = Command::new(a2a);
        script.arg(packages_of("a2a").join("clients/client.mjs")).args(["1.0", "JSONRPC"]);
        from_outside((node, python), script).await
    })
}

#[test]
fn the_python_client_comes_from_outside_with_a_token() -> Result<()> {
    let (Some(node), Some(python)) = (node(), python()) else { return Ok(()) };
    in_a_runtime(async move || {
        let mut script = Command::new(&python);
        script.arg(python_script("a2a_clients.py")).args(["1.0", "JSONRPC"]);
        from_outside((node, python), script).await
    })
}

/// Returns the answer to a caller that asks an agent with these headers.
async fn asked(url: &str, headers: &[(&str, &str)]) -> Result<(StatusCode, String, Value)> {
    let body = json!({ "jsonrpc": "2.0", "id": 1, "method": "ListTasks", "params": {} });
    let client = reqwest::Client::builder().no_proxy().build()?;
    let request = client.post(url).header("a2a-version", "1.0").body(body.to_string());
    let request = headers.iter().fold(request, |it, (name, value)| it.header(*name, *value));
    let answer = request.send().await?;
    let challenge = answer.headers().get("www-authenticate");
    let challenge = challenge.map(|it| it.to_str().map(str::to_owned)).transpose()?;
    let (status, body) = (answer.status(), answer.bytes().await?);
    Ok((status, challenge.unwrap_or_default(), serde_json::from_slice(&body)?))
}

#[test]
fn token_is_for_one_agent_and_whoever_has_none_is_told_where_to_come_by_one() -> Result<()> {
    let Some(node) = node() else { return Ok(()) };
    in_a_runtime(async move || {
        let issuer = Issuer::start(&node).await?;
        let guardian = taking_tokens(&issuer).await?;
        let (one, other) = (published(&guardian, None).await?, published(&guardian, None).await?);
        let at = address(&guardian, &one);
        let (status, challenge, _) = asked(&at, &[]).await?;
        assert_eq!(status, StatusCode::UNAUTHORIZED);
        let described = challenge.strip_prefix("Bearer resource_metadata=\"");
        let described =
            described.and_then(|rest| rest.split('"').next()).context(challenge.clone())?;
        let client = reqwest::Client::builder().no_proxy().build()?;
        let described = client.get(described).send().await?.error_for_status()?.bytes().await?;
        let described: Value = serde_json::from_slice(&described)?;
        assert_eq!(described["resource"], *at);
        assert_eq!(described["authorization_servers"], json!([issuer.url()]));
        assert_eq!(described["scopes_supported"], json!([format!("a2a/{one}")]));

        let token = issuer.token_of_agent("RS256", Some(&at), "").await?;
        let bearer = format!("Bearer {token}");
        let (status, _, answer) = asked(&at, &[("authorization", &bearer)]).await?;
        assert_eq!(
            (status, &answer["result"]["totalSize"]),
            (StatusCode::OK, &json!(0)),
            "{answer}"
        );
        // Not for another agent, and not for one that is not there; by what is said they are the same.
        let unknown = address(&guardian, "agt_unknown");
        let mut refusals = Vec::new();
        for at in [&address(&guardian, &other), &unknown] {
            let (status, challenge, answer) = asked(at, &[("authorization", &bearer)]).await?;
            assert_eq!(status, StatusCode::UNAUTHORIZED, "{answer}");
            assert!(challenge.starts_with("Bearer error=\"invalid_token\""), "{challenge}");
            refusals.push(answer);
        }
        assert_eq!(refusals[0], refusals[1]);
        // It says who comes, and nobody else does.
        let named = [("authorization", &*bearer), ("x-agent-id", &one)];
        assert_eq!(asked(&at, &named).await?.0, StatusCode::FORBIDDEN);
        let session = [("authorization", &*bearer), ("x-session-id", "mine")];
        assert_eq!(asked(&at, &session).await?.0, StatusCode::BAD_REQUEST);
        // Of a subject that no rule knows nobody comes.
        let nobody = issuer.token_of_agent("ES256", Some(&at), "").await?;
        let (status, _, answer) =
            asked(&at, &[("authorization", &format!("Bearer {nobody}"))]).await?;
        assert_eq!(status, StatusCode::FORBIDDEN, "{answer}");
        Ok(())
    })
}
