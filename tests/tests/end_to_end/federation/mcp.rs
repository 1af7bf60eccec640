//! Clients of OAuth that others wrote, and MCP servers behind the Guardian: from the first 401 to a call that is
//! checked as the agent that a rule says.

use std::path::Path;

use agenttrust_tests::bounded::in_a_runtime;
use anyhow::{Context, Result};
use http::Method;
use reqwest::StatusCode;
use serde_json::{Value, json};
use tokio::process::Command;

use super::issuer::Issuer;
use super::{PROVIDERS, node, register};
use crate::mcp::guardian_with_agent::GuardianWithAgent;
use crate::mcp::peers::{Peer, folder, node as node_of_mcp};
use crate::programs::run;

/// An issuer, and the official "everything" server behind a Guardian.
struct Behind {
    issuer: Issuer,
    guardian: GuardianWithAgent,
    server_id: String,
    _peer: Peer,
}

impl Behind {
    async fn start(node: &Path, mcp: &Path) -> Result<Self> {
        let (issuer, peer) = (Issuer::start(node).await?, Peer::everything(mcp).await?);
        let guardian = GuardianWithAgent::start().await?;
        let server_id = guardian.register("everything", &peer.url).await?;
        Ok(Self { issuer, guardian, server_id, _peer: peer })
    }

    /// Takes tokens for MCP servers here; the Guardian itself is `https://guardian.example` to its issuer.
    async fn take_tokens(&self, rules: Value, trust_level: &str) -> Result<Value> {
        let audiences = ["https://guardian.example"];
        let members = json!({ "audiences": audiences, "rules": rules, "trust_level": trust_level });
        register(&self.guardian, &self.issuer, members).await
    }

    fn address(&self) -> String {
        self.guardian.proxied(&self.server_id)
    }

    /// Calls a tool with a token and without a session of MCP.
    async fn call(
        &self,
        token: &str,
        tool: &str,
        given: Value,
    ) -> Result<(StatusCode, String, Value)> {
        let params = json!({ "name": tool, "arguments": given });
        let body = json!({ "jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": params });
        let client = reqwest::Client::builder().no_proxy().build()?;
        let request = client.post(self.address()).bearer_auth(token);
        let request = request.header("content-type", "application/json");
        let request = request.header("accept", "application/json, text/event-stream");
        let answer = request.body(body.to_string()).send().await?;
        let challenge = answer.headers().get("www-authenticate");
        let challenge = challenge.map(|it| it.to_str().map(str::to_owned)).transpose()?;
        let status = answer.status();
        let text = answer.text().await?;
        // An answer may come as an event.
        let text = text.lines().find_map(|line| line.strip_prefix("data:")).unwrap_or(&text);
        let body = serde_json::from_str(text).with_context(|| format!("{status}: {text}"))?;
        Ok((status, challenge.unwrap_or_default(), body))
    }
}

fn oauth(version: &'static str) -> Result<()> {
    let (Some(node), Some(mcp)) = (node(), node_of_mcp()) else { return Ok(()) };
    in_a_runtime(async move || {
        let behind = Behind::start(&node, &mcp).await?;
        let ada = json!({ "subject": "ada", "agent_id": behind.guardian.agent_id });
        behind.take_tokens(json!([ada]), "high").await?;
        let mut script = Command::new(&mcp);
        script.arg(folder().join("clients/oauth.mjs")).arg(version);
        script.env("MCP_URL", behind.address()).env("ISSUER", behind.issuer.url());
        run(script.env("LOGIN", "ada")).await?;
        let admin = behind.guardian.served.admin();
        let decisions = admin.audited(&behind.guardian.agent_id, "decision").await?;
        let tools: Vec<_> = decisions.iter().map(|it| it["tool"].as_str().unwrap_or("?")).collect();
        assert_eq!(tools, ["everything/echo", "everything/get-sum"], "{decisions:?}");
        let opened = admin.audited(&behind.guardian.agent_id, "session.opened").await?;
        assert_eq!(opened.len(), 1, "{opened:?}");
        assert_eq!(opened[0]["source"], "federation", "{opened:?}");
        Ok(())
    })
}

#[test]
fn the_typescript_sdk_1_signs_in_at_the_issuer_that_it_is_told_of_and_calls() -> Result<()> {
    oauth("1")
}

#[test]
fn the_typescript_client_2_signs_in_at_the_issuer_that_it_is_told_of_and_calls() -> Result<()> {
    oauth("2")
}

#[test]
fn token_for_a_server_reaches_as_far_as_its_scopes_and_is_told_what_another_would_need()
-> Result<()> {
    let (Some(node), Some(mcp)) = (node(), node_of_mcp()) else { return Ok(()) };
    in_a_runtime(async move || {
        let behind = Behind::start(&node, &mcp).await?;
        let scopes = ["everything/echo", "everything/get-sum"];
        let rule = json!({ "agent_id": behind.guardian.agent_id, "scopes": scopes });
        behind.take_tokens(json!([rule]), "low").await?;
        let address = behind.address();
        let echo = json!({ "message": "hello" });
        let of = async |resource: &str, scope: &str| {
            behind.issuer.token_of_agent("ES256", Some(resource), scope).await
        };
        let narrow = of(&address, "everything/echo").await?;
        let (status, _, answer) = behind.call(&narrow, "echo", echo.clone()).await?;
        assert_eq!(status, StatusCode::OK, "{answer}");
        assert!(
            answer["result"]["content"][0]["text"].as_str().is_some_and(|it| it.contains("hello")),
            "{answer}"
        );
        // Another token would do.
        let (status, challenge, answer) =
            behind.call(&narrow, "get-sum", json!({ "a": 1, "b": 2 })).await?;
        assert_eq!(status, StatusCode::FORBIDDEN, "{answer}");
        assert!(
            challenge.contains("error=\"insufficient_scope\", scope=\"everything/get-sum\""),
            "{challenge}"
        );
        // No other token would.
        let (status, challenge, answer) = behind.call(&narrow, "get-env", json!({})).await?;
        assert_eq!((status, &*challenge), (StatusCode::OK, ""), "{answer}");
        assert_eq!(answer["result"]["isError"], true, "{answer}");
        // The Guardian's own audience and another server's are not this server's.
        for resource in
            ["https://guardian.example", &format!("{address}x"), "https://elsewhere.example/"]
        {
            let token = of(resource, "everything/echo").await?;
            let (status, challenge, answer) = behind.call(&token, "echo", echo.clone()).await?;
            assert_eq!(status, StatusCode::UNAUTHORIZED, "{resource}: {answer}");
            assert!(
                challenge.starts_with("Bearer error=\"invalid_token\", resource_metadata="),
                "{challenge}"
            );
        }
        Ok(())
    })
}

#[test]
fn provider_that_is_removed_takes_its_callers_along() -> Result<()> {
    let (Some(node), Some(mcp)) = (node(), node_of_mcp()) else { return Ok(()) };
    in_a_runtime(async move || {
        let behind = Behind::start(&node, &mcp).await?;
        let all = json!({ "agent_id": behind.guardian.agent_id });
        let provider = behind.take_tokens(json!([all]), "high").await?;
        let token = behind.issuer.token_of_agent("EdDSA", Some(&behind.address()), "").await?;
        let call = async || behind.call(&token, "echo", json!({ "message": "hello" })).await;
        let (status, _, answer) = call().await?;
        assert_eq!(status, StatusCode::OK, "{answer}");
        let id = provider["id"].as_str().context("an id")?;
        let client = reqwest::Client::builder().no_proxy().build()?;
        let url = format!("{}{PROVIDERS}/{id}", behind.guardian.served.url());
        let request = client.request(Method::DELETE, url);
        let key = behind.guardian.served.admin_key();
        request.header("x-api-key", key).send().await?.error_for_status()?;
        let (status, _, answer) = call().await?;
        assert_eq!(status, StatusCode::UNAUTHORIZED, "{answer}");
        let described = format!(
            "{}/.well-known/oauth-protected-resource/mcp/{}",
            behind.guardian.served.url(),
            behind.server_id
        );
        let described: Value =
            serde_json::from_slice(&client.get(described).send().await?.bytes().await?)?;
        assert!(described.get("authorization_servers").is_none(), "{described}");
        Ok(())
    })
}
