//! What a token of an issuer is worth, and what a session of it allows.

use agenttrust_tests::bounded::in_a_runtime;
use anyhow::Result;
use http::Method;
use reqwest::StatusCode;
use serde_json::{Value, json};

use super::issuer::{ALGORITHMS, Issuer};
use super::{begun, node, register, verified};
use crate::mcp::guardian_with_agent::GuardianWithAgent;

/// Returns whether the agent may call a tool in a session.
async fn may_call(guardian: &GuardianWithAgent, session: &Value, tool: &str) -> Result<bool> {
    let check = json!({
        "agent_id": guardian.agent_id, "action_name": tool, "session_id": session["session_id"],
    });
    let path = "/api/v1/agenttrust/check";
    let answer = guardian.served.admin().ask(Method::POST, path, Some(check)).await?;
    Ok(answer["allowed"] == true)
}

#[test]
fn agents_of_an_issuer_come_with_their_own_tokens_of_every_algorithm() -> Result<()> {
    let Some(node) = node() else { return Ok(()) };
    in_a_runtime(async move || {
        let (issuer, guardian) = (Issuer::start(&node).await?, GuardianWithAgent::start().await?);
        let here = guardian.served.url();
        let rule = json!({ "claims": { "groups": "crawlers" }, "agent_id": guardian.agent_id });
        let members = json!({ "audiences": [here], "rules": [rule], "trust_level": "medium" });
        let provider = register(&guardian, &issuer, members).await?;
        assert_eq!(provider["jwks_uri"], format!("{}/jwks", issuer.url()));
        assert_eq!(provider["token_endpoint"], format!("{}/token", issuer.url()));
        assert_eq!(provider["authorization_endpoint"], format!("{}/auth", issuer.url()));
        for algorithm in ALGORITHMS {
            let token = issuer.token_of_agent(algorithm, Some(&here), "files:read").await?;
            let said = verified(&guardian, &token).await?;
            assert_eq!(said["valid"], true, "{algorithm}: {said}");
            assert_eq!(said["agent_id"], guardian.agent_id, "{algorithm}: {said}");
            assert_eq!(said["subject"], format!("agent-{algorithm}"), "{said}");
            let (status, session) = begun(&guardian, &token).await?;
            assert_eq!(status, StatusCode::OK, "{algorithm}: {session}");
            assert_eq!(session["source"], "federation", "{session}");
            assert_eq!(session["provider_id"], provider["id"], "{session}");
            assert_eq!(session["issuer"], issuer.url(), "{session}");
            assert_eq!(session["mode"], "supervised", "{session}");
            assert_eq!(session["scope_ceiling"], json!(["files:read"]), "{session}");
            assert!(may_call(&guardian, &session, "files_read").await?, "{algorithm}");
            assert!(!may_call(&guardian, &session, "db_read").await?, "{algorithm}");
        }
        Ok(())
    })
}

#[test]
fn people_come_with_the_id_token_of_the_site_that_they_sign_in_to() -> Result<()> {
    let Some(node) = node() else { return Ok(()) };
    in_a_runtime(async move || {
        let (issuer, guardian) = (Issuer::start(&node).await?, GuardianWithAgent::start().await?);
        let ada = json!({ "subject": "ada", "agent_id": guardian.agent_id });
        let sites = ["site-RS256", "site-EdDSA"];
        let members = json!({ "audiences": sites, "rules": [ada], "trust_level": "high" });
        register(&guardian, &issuer, members).await?;
        for algorithm in ["RS256", "EdDSA"] {
            let token = issuer.token_of_person(algorithm, "ada").await?;
            let said = verified(&guardian, &token).await?;
            assert_eq!(said["agent_id"], guardian.agent_id, "{algorithm}: {said}");
            let (status, session) = begun(&guardian, &token).await?;
            assert_eq!(status, StatusCode::OK, "{session}");
            // The words of signing in say nothing of what may be done.
            assert_eq!(session["mode"], "open", "{session}");
            assert!(may_call(&guardian, &session, "files_read").await?);
        }
        // Somebody else is nobody here, whose token is good all the same.
        let token = issuer.token_of_person("RS256", "bob").await?;
        let said = verified(&guardian, &token).await?;
        assert!(said["valid"] == true && said["agent_id"].is_null(), "{said}");
        let (status, refused) = begun(&guardian, &token).await?;
        assert_eq!(status, StatusCode::FORBIDDEN, "{refused}");
        Ok(())
    })
}

#[test]
fn token_for_others_is_worth_nothing_here() -> Result<()> {
    let Some(node) = node() else { return Ok(()) };
    in_a_runtime(async move || {
        let (issuer, guardian) = (Issuer::start(&node).await?, GuardianWithAgent::start().await?);
        let here = guardian.served.url();
        let all = json!({ "agent_id": guardian.agent_id });
        register(&guardian, &issuer, json!({ "audiences": [here], "rules": [all] })).await?;
        let good = issuer.token_of_agent("ES256", Some(&here), "").await?;
        assert_eq!(verified(&guardian, &good).await?["valid"], true);
        let elsewhere = "https://elsewhere.example/";
        let mut truncated = good.clone();
        truncated.truncate(good.len() - 4);
        let bad = [
            issuer.token_of_agent("ES256", Some(elsewhere), "").await?,
            // One that only its issuer can read.
            issuer.token_of_agent("ES256", None, "").await?,
            // One for a site.
            issuer.token_of_person("ES256", "ada").await?,
            truncated,
        ];
        let mut refusals = Vec::new();
        for token in bad {
            let said = verified(&guardian, &token).await?;
            assert_eq!(said["valid"], false, "{token}: {said}");
            assert!(
                said["error"].as_str().is_some_and(|it| it.starts_with("AUTH_FAILED: ")),
                "{said}"
            );
            refusals.push(said["error"].clone());
            let (status, refused) = begun(&guardian, &token).await?;
            assert_eq!(
                (status, &refused["error"]),
                (StatusCode::UNAUTHORIZED, &"AUTH_FAILED".into())
            );
        }
        // One sentence for all of them.
        refusals.dedup();
        assert_eq!(refusals.len(), 1, "{refusals:?}");
        Ok(())
    })
}
