//! The signature of a card, as others verify it: by the official SDK for Python, and by libraries of JOSE and of RFC
//! 8785 that know nothing of A2A. The SDK for JavaScript does so in `clients`.

use agenttrust::AgentCard;
use agenttrust::model::CardKeys;
use agenttrust_tests::bounded::in_a_runtime;
use anyhow::{Context, Result, ensure};
use http::Method;
use serde_json::{Value, json};
use tokio::process::Command;

use super::targets::{address, published, python};
use crate::mcp::guardian_with_agent::GuardianWithAgent;
use crate::programs::{node_of, packages_of, python_script, run};

#[test]
fn others_verify_a_card_and_refuse_a_changed_one_before_and_after_the_key_is_rotated() -> Result<()>
{
    let Some(python) = python() else { return Ok(()) };
    in_a_runtime(async move || {
        let guardian = GuardianWithAgent::start().await?;
        let id = published(&guardian, None).await?;
        let verified = async |path: &str| {
            let mut command = Command::new(&python);
            command
                .arg(python_script("a2a_cards.py"))
                .env("CARD_URL", format!("{}/{path}", address(&guardian, &id)))
                .env("KEYS_URL", format!("{}/.well-known/jwks.json", guardian.served.url()));
            run(&mut command).await
        };
        verified("agent.json").await?;
        guardian.served.admin().ask(Method::POST, "/api/v1/cards/keys/rotate", None).await?;
        verified(".well-known/agent-card.json").await
    })
}

/// Verifies cards that a script signed, by our own verifier.
async fn verified_by_ours(command: &mut Command) -> Result<()> {
    let output = command.kill_on_drop(true).output().await?;
    ensure!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let printed: Value = serde_json::from_slice(&output.stdout)?;
    let keys: CardKeys = serde_json::from_value(json!({ "keys": printed["keys"] }))?;
    let keys = keys.trusted();
    for name in ["full", "empty"] {
        let card: AgentCard = serde_json::from_value(printed[name].clone())?;
        let key = card.verify_signature(&keys).with_context(|| printed[name].to_string())?;
        ensure!(key.kid() == Some("theirs"));
        let mut changed = printed[name].clone();
        changed["name"] = json!("another");
        let changed: AgentCard = serde_json::from_value(changed)?;
        ensure!(changed.verify_signature(&keys).is_err(), "a changed card is good");
    }
    Ok(())
}

#[test]
fn ours_verifies_what_the_sdk_for_python_signs() -> Result<()> {
    let Some(python) = python() else { return Ok(()) };
    in_a_runtime(async move || {
        verified_by_ours(Command::new(python).arg(python_script("a2a_signs.py"))).await
    })
}

#[test]
fn ours_verifies_what_the_sdk_for_javascript_signs() -> Result<()> {
    let Some(node) = node_of("a2a") else { return Ok(()) };
    in_a_runtime(async move || {
        let script = packages_of("a2a").join("clients/signs.mjs");
        verified_by_ours(Command::new(node).arg(script)).await
    })
}
