//! The card that an agent is found by (§4.4, §4.5, §8).

use anyhow::{Context, Result, ensure};
use reqwest::StatusCode;
use reqwest::header::{CACHE_CONTROL, CONTENT_TYPE, ETAG, IF_NONE_MATCH};
use serde_json::{Value, json};

use super::super::targets::address;
use super::{Fixture, with_an_agent};

const UNSUPPORTED_OPERATION: i64 = -32004;
const EXTENDED_CARD_NOT_CONFIGURED: i64 = -32007;

async fn card(fixture: &Fixture) -> Result<Value> {
    let url =
        format!("{}/.well-known/agent-card.json", address(&fixture.guardian, &fixture.agent_id));
    let answer = reqwest::Client::builder().no_proxy().build()?.get(url).send().await?;
    ensure!(answer.status() == StatusCode::OK, "{}", answer.status());
    Ok(serde_json::from_slice(&answer.bytes().await?)?)
}

fn said(value: &Value) -> bool {
    value.as_str().is_some_and(|text| !text.trim().is_empty())
}

/// §4.4.1, §4.4.5, §5.7: all that is required is there, of its kind, and says something.
#[test]
fn a_card_has_all_that_is_required() -> Result<()> {
    with_an_agent(async |fixture| {
        let card = card(fixture).await?;
        for member in ["name", "description", "version"] {
            ensure!(said(&card[member]), "{member}: {card}");
        }
        ensure!(card["capabilities"].is_object(), "{card}");
        for member in ["defaultInputModes", "defaultOutputModes", "skills", "supportedInterfaces"] {
            ensure!(
                card[member].as_array().is_some_and(|list| !list.is_empty()),
                "{member}: {card}"
            );
        }
        for mode in card["defaultInputModes"].as_array().into_iter().flatten() {
            ensure!(said(mode), "{card}");
        }
        for skill in card["skills"].as_array().into_iter().flatten() {
            for member in ["id", "name", "description"] {
                ensure!(said(&skill[member]), "{member}: {skill}");
            }
            ensure!(skill["tags"].as_array().is_some_and(|tags| !tags.is_empty()), "{skill}");
        }
        Ok(())
    })
}

/// §4.4.6, §8.3.1: each interface that it names answers in the version that it names.
#[test]
fn each_interface_of_a_card_answers_in_its_version() -> Result<()> {
    with_an_agent(async |fixture| {
        let card = card(fixture).await?;
        for interface in card["supportedInterfaces"].as_array().context("interfaces")? {
            ensure!(
                interface["url"] == address(&fixture.guardian, &fixture.agent_id),
                "{interface}"
            );
            ensure!(interface["protocolBinding"] == "JSONRPC", "{interface}");
            let (version, method) = match interface["protocolVersion"].as_str() {
                Some("1.0") => ("1.0", "GetTask"),
                Some("0.3") => ("0.3", "tasks/get"),
                other => anyhow::bail!("version {other:?}"),
            };
            let caller = fixture.caller.clone().version(version);
            let code = caller.refused(method, json!({ "id": "nothing" })).await?;
            ensure!(code == -32001, "{interface}: {code}");
        }
        Ok(())
    })
}

/// §4.5, §7.3, §7.4: the ways to say who one is are there, each of one kind, and a demand names one of them.
#[test]
fn a_card_says_how_callers_say_who_they_are() -> Result<()> {
    with_an_agent(async |fixture| {
        let card = card(fixture).await?;
        let schemes = card["securitySchemes"].as_object().context("schemes")?;
        ensure!(!schemes.is_empty(), "{card}");
        for scheme in schemes.values() {
            let kinds = scheme.as_object().context("a scheme")?;
            ensure!(kinds.len() == 1, "{scheme}");
            match kinds.iter().next() {
                Some((kind, key)) if kind == "apiKeySecurityScheme" => {
                    ensure!(key["location"] == "header" && said(&key["name"]), "{scheme}");
                }
                Some((kind, http)) if kind == "httpAuthSecurityScheme" => {
                    ensure!(said(&http["scheme"]), "{scheme}");
                }
                other => anyhow::bail!("another kind: {other:?}"),
            }
        }
        for demand in card["securityRequirements"].as_array().into_iter().flatten() {
            let named = demand["schemes"].as_object().context("schemes")?;
            ensure!(named.keys().all(|name| schemes.contains_key(name)), "{demand}");
        }
        Ok(())
    })
}

/// §8.2, §8.6.1: anyone reads it, and a client that has it is told that it is the same.
#[test]
fn a_card_is_read_by_anyone_and_may_be_kept() -> Result<()> {
    with_an_agent(async |fixture| {
        let url = format!(
            "{}/.well-known/agent-card.json",
            address(&fixture.guardian, &fixture.agent_id)
        );
        let client = reqwest::Client::builder().no_proxy().build()?;
        let answer = client.get(&url).send().await?;
        let header = |name| answer.headers().get(name).and_then(|value| value.to_str().ok());
        ensure!(header(CONTENT_TYPE).is_some_and(|kind| kind.contains("json")));
        ensure!(header(CACHE_CONTROL).is_some_and(|cache| cache.contains("max-age")));
        let tag = header(ETAG).context("a tag")?.to_owned();
        let same = client.get(&url).header(IF_NONE_MATCH, tag).send().await?;
        ensure!(same.status() == StatusCode::NOT_MODIFIED, "{}", same.status());
        let other = client.get(&url).header(IF_NONE_MATCH, "\"another\"").send().await?;
        ensure!(other.status() == StatusCode::OK, "{}", other.status());
        Ok(())
    })
}

/// §13.4: nothing in it that is not for others to know, the agent's own address among that.
#[test]
fn a_card_gives_away_no_secret() -> Result<()> {
    with_an_agent(async |fixture| {
        let card = card(fixture).await?.to_string().to_lowercase();
        for secret in ["sk_live", "password", "private_key", "\"d\":", "/rpc", "begin"] {
            ensure!(!card.contains(secret), "{secret}: {card}");
        }
        Ok(())
    })
}

/// §3.1.11, §3.3.4, §13.3: another card only for those who say who they are, where one is named at all.
#[test]
fn an_extended_card_is_as_the_card_says() -> Result<()> {
    with_an_agent(async |fixture| {
        let card = card(fixture).await?;
        if card["capabilities"]["extendedAgentCard"] == true {
            let extended = fixture.caller.result("GetExtendedAgentCard", json!({})).await?;
            ensure!(
                extended["name"] == card["name"] && extended["skills"].is_array(),
                "{extended}"
            );
        } else {
            let code = fixture.caller.refused("GetExtendedAgentCard", json!({})).await?;
            ensure!(
                [UNSUPPORTED_OPERATION, EXTENDED_CARD_NOT_CONFIGURED].contains(&code),
                "{code}"
            );
        }
        Ok(())
    })
}
