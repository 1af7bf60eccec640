//! Agent cards: generated from what is known of an agent, published, withdrawn and read.

use std::sync::Arc;
use std::time::Duration;

use agenttrust::model::{
    AgentCard, AgentCardSkill, AgentStatus, CardBinding, CardInterface, CardOptions, CardVersion,
};
use reqwest::Url;
use serde_json::{Value, json};

use super::{agents, card_keys};
use crate::audit::Record;
use crate::clock::before;
use crate::domain::card::{self, CardFacts, skill, trust_score};
use crate::domain::names::check_text;
use crate::domain::{Base, Error, Key};
use crate::engine::Engine;
use crate::registry::AgentEntry;
use crate::store::CardRow;

/// The time over which outcomes make the trust score.
const SCORED: Duration = Duration::from_secs(30 * 24 * 3_600);
/// The number of skills that a card lists.
const SKILLS_MOST: usize = 100;
/// The number of interfaces that an agent has.
const INTERFACES_MOST: usize = 5;
/// The number of media types that an agent reads or writes.
const MODES_MOST: usize = 20;
/// The longest media type, in bytes.
const MODE_MAX_BYTES: usize = 127;
/// The longest address, in bytes.
const URL_MAX_BYTES: usize = 2_000;
/// The longest version, in bytes.
const VERSION_MAX_BYTES: usize = 200;
/// The number of times that a card is made again while others keep changing it.
const TRIES_MOST: usize = 10;

/// Generates the card of an agent, which is published if the one before it is. An option that `said` does not have
/// stays as it was set before. The Guardian is reached under `base`, which is kept: a reader of the card has no say in
/// it.
///
/// # Errors
///
/// Not found; agent revoked; invalid for what cannot be part of a card and for an address that may not be called;
/// unavailable where there is no key to keep the signing key by, and where the database or the audit cannot be written.
pub(crate) async fn generate(
    engine: &Engine,
    key: &Key,
    agent_id: &str,
    said: CardOptions,
    base: &Base,
) -> Result<AgentCard, Error> {
    known(engine, &key.org_id, agent_id)?;
    let said = checked(engine, said)?;
    card_keys::ensure(engine, key).await?;
    for _ in 0..TRIES_MOST {
        engine.sync().await?;
        let entry = known(engine, &key.org_id, agent_id)?;
        let kept = engine.registry.cards.get(agent_id);
        let seen = kept.as_ref().map(|row| row.generated_at);
        let options = merged(kept.map(|row| row.options.clone()).unwrap_or_default(), &said);
        let row = made(engine, &entry, options, base).await?;
        // Each card is later than the one before it, whatever the clock says.
        let after = seen.map(|seen| seen.saturating_add(Duration::from_micros(1)));
        let row = CardRow {
            generated_at: row.generated_at.max(after.unwrap_or(row.generated_at)),
            ..row
        };
        let card = card_keys::signed(engine, &row.card)?;
        let record = generated(key, &row);
        engine.ensure_auditable()?;
        if engine.store.put_card(row, seen).await? {
            engine.sync().await?;
            engine.record_audit(record).await?;
            return Ok(card);
        }
    }
    Err(Error::conflict("others keep generating the card of this agent; try again in a moment"))
}

/// Returns the agent of this id in an organisation, unless it is revoked.
fn known(engine: &Engine, org_id: &str, agent_id: &str) -> Result<Arc<AgentEntry>, Error> {
    let entry = agents::known(engine, org_id, agent_id)?;
    match entry.agent.status {
        AgentStatus::Revoked => Err(Error::agent_revoked(agent_id)),
        _ => Ok(entry),
    }
}

/// Returns the card of an agent as it is now, not yet signed.
async fn made(
    engine: &Engine,
    entry: &AgentEntry,
    options: CardOptions,
    base: &Base,
) -> Result<CardRow, Error> {
    let agent = &entry.agent;
    let now = engine.clock.now();
    let since = before(now, SCORED);
    let outcomes = engine.reading_store.outcomes_since(agent.id.clone(), since).await?;
    let card = card::card(CardFacts {
        agent,
        options: &options,
        skills: skills(engine, entry),
        trust_score: trust_score(outcomes.good, outcomes.all),
        base,
    });
    Ok(CardRow {
        agent_id: agent.id.clone(),
        org_id: agent.org_id.clone(),
        options,
        card,
        generated_at: now,
        published_at: None,
    })
}

/// Returns what an agent can do: the tools that are declared and that it may use, else what its capabilities name.
fn skills(engine: &Engine, entry: &AgentEntry) -> Vec<AgentCardSkill> {
    let AgentEntry { agent, capabilities, .. } = entry;
    let agent_ids = [Arc::from(agent.id.as_str())];
    let declared = engine.registry.tools.with_manifest(&agent.org_id, |manifest| {
        let usable = manifest.iter().filter(|(tool, known)| {
            known.declared.is_some()
                && capabilities.covers(tool)
                && known.scopes().iter().all(|scope| capabilities.covers(scope))
        });
        let skill = |(tool, known): (&String, &crate::manifest::ToolFacts)| {
            let effect = known.in_force(tool, &agent_ids).map_or("tool", |effect| effect.as_str());
            skill(tool, format!("Uses the tool {tool}"), effect)
        };
        usable.take(SKILLS_MOST).map(skill).collect::<Vec<_>>()
    });
    if !declared.is_empty() {
        return declared;
    }
    let named = capabilities.names().take(SKILLS_MOST);
    named.map(|name| skill(name, format!("May use what {name} covers"), "capability")).collect()
}

/// Returns what was said before, with what is said now in its place. What is said to be empty is said no more.
fn merged(before: CardOptions, said: &CardOptions) -> CardOptions {
    let text = |before: Option<String>, said: &Option<String>| match said {
        None => before,
        Some(text) => Some(text.clone()).filter(|text| !text.is_empty()),
    };
    let list = |before: Option<Vec<String>>, said: &Option<Vec<String>>| match said {
        None => before,
        Some(list) => Some(list.clone()).filter(|list| !list.is_empty()),
    };
    let interfaces = match &said.interfaces {
        None => before.interfaces,
        Some(said) => Some(said.clone()).filter(|said| !said.is_empty()),
    };
    let mut options = CardOptions::default();
    options.description = text(before.description, &said.description);
    options.version = text(before.version, &said.version);
    options.interfaces = interfaces;
    options.default_input_modes = list(before.default_input_modes, &said.default_input_modes);
    options.default_output_modes = list(before.default_output_modes, &said.default_output_modes);
    options.documentation_url = text(before.documentation_url, &said.documentation_url);
    options.icon_url = text(before.icon_url, &said.icon_url);
    options
}

/// Refuses what cannot be part of a card.
fn checked(engine: &Engine, said: CardOptions) -> Result<CardOptions, Error> {
    check_text("description", said.description.as_deref().unwrap_or_default())?;
    let version = said.version.as_deref().unwrap_or_default();
    if version.len() > VERSION_MAX_BYTES || version.chars().any(char::is_control) {
        let problem = format!(
            "is over {VERSION_MAX_BYTES} bytes long or holds a control character; use one such as 1.0.0"
        );
        return Err(Error::invalid("version", problem));
    }
    for (field, url) in
        [("documentation_url", &said.documentation_url), ("icon_url", &said.icon_url)]
    {
        check_link(field, url.as_deref().unwrap_or_default())?;
    }
    for (field, modes) in [
        ("default_input_modes", &said.default_input_modes),
        ("default_output_modes", &said.default_output_modes),
    ] {
        check_modes(field, modes.as_deref().unwrap_or_default())?;
    }
    check_interfaces(engine, said.interfaces.as_deref().unwrap_or_default())?;
    Ok(said)
}

/// Refuses what no reader of a card could follow, or should.
fn check_link(field: &str, url: &str) -> Result<(), Error> {
    if url.is_empty() {
        return Ok(());
    }
    let read = Url::parse(url).ok().filter(|_| url.len() <= URL_MAX_BYTES);
    let plain = read.filter(|url| {
        matches!(url.scheme(), "http" | "https")
            && url.username().is_empty()
            && url.password().is_none()
    });
    plain.map(drop).ok_or_else(|| {
        let problem = format!(
            "is no address of http or https of at most {URL_MAX_BYTES} bytes and without a password; everybody who \
             reads the card sees it"
        );
        Error::invalid(field, problem)
    })
}

fn check_modes(field: &str, modes: &[String]) -> Result<(), Error> {
    if modes.len() > MODES_MOST {
        let many = format!("has {} entries; {MODES_MOST} is the most", modes.len());
        return Err(Error::invalid(field, many));
    }
    for (place, mode) in modes.iter().enumerate() {
        let plain = |part: &str| {
            let plain =
                |byte: u8| byte.is_ascii_graphic() && !b"/\"(),:;<=>?@[\\]{}".contains(&byte);
            !part.is_empty() && part.bytes().all(plain)
        };
        let whole = mode.split(';').next().unwrap_or_default().trim_end();
        let is_type = whole.split_once('/').is_some_and(|(one, other)| plain(one) && plain(other));
        let travels =
            mode.len() <= MODE_MAX_BYTES && mode.bytes().all(|byte| matches!(byte, 0x20..=0x7e));
        if !is_type || !travels {
            let problem = "is no media type; use one such as text/plain";
            return Err(Error::invalid(&format!("{field}[{place}]"), problem));
        }
    }
    Ok(())
}

fn check_interfaces(engine: &Engine, interfaces: &[CardInterface]) -> Result<(), Error> {
    if interfaces.len() > INTERFACES_MOST {
        let many = format!("has {} entries; {INTERFACES_MOST} is the most", interfaces.len());
        return Err(Error::invalid("interfaces", many));
    }
    for (place, interface) in interfaces.iter().enumerate() {
        let field = |member: &str| format!("interfaces[{place}].{member}");
        let CardInterface { url, protocol_binding, protocol_version, .. } = interface;
        if url.len() > URL_MAX_BYTES {
            let long = format!("is {} bytes long; {URL_MAX_BYTES} is the most", url.len());
            return Err(Error::invalid(&field("url"), long));
        }
        engine.target_of(&field("url"), url)?;
        if *protocol_binding == CardBinding::Unknown {
            let problem = "is not known; use JSONRPC or HTTP+JSON";
            return Err(Error::invalid(&field("protocol_binding"), problem));
        }
        match protocol_version {
            CardVersion::Unknown => {
                let problem = "is not known; use 1.0 or 0.3";
                return Err(Error::invalid(&field("protocol_version"), problem));
            }
            CardVersion::V03 if *protocol_binding != CardBinding::JsonRpc => {
                let problem = "is 0.3, which is spoken over JSONRPC alone; use 1.0, or JSONRPC";
                return Err(Error::invalid(&field("protocol_version"), problem));
            }
            _ => {}
        }
    }
    Ok(())
}

/// Returns what the audit says of a card. Of an address not the path: it may be as good as a password.
fn generated(key: &Key, row: &CardRow) -> Record {
    let interfaces = row.options.interfaces.as_deref().unwrap_or_default();
    let origin = |interface: &CardInterface| match Url::parse(&interface.url) {
        Ok(url) => url.origin().ascii_serialization(),
        Err(_) => "…".to_owned(),
    };
    let about = json!({
        "version": row.card.version,
        "address": row.card.primary_url(),
        "skills": row.card.skills.len(),
        "trust_score": row.card.trust_score(),
        "interfaces": interfaces.iter().map(origin).collect::<Vec<_>>(),
    });
    record(key, "card.generated", &row.agent_id, about)
}

fn record(key: &Key, kind: &'static str, agent_id: &str, body: Value) -> Record {
    Record::new(kind, &key.org_id).agent(agent_id).actor(&key.id).body(body)
}

/// Returns the card of an agent, published or not.
///
/// # Errors
///
/// Not found where there is no such agent, and where its card was not generated; unavailable where it cannot be signed.
pub(crate) fn get(engine: &Engine, org_id: &str, agent_id: &str) -> Result<AgentCard, Error> {
    card_keys::signed(engine, &kept(engine, org_id, agent_id)?.card)
}

/// Returns what was said of the card of an agent, with where the agent itself is reached.
///
/// # Errors
///
/// Not found where there is no such agent, and where its card was not generated.
pub(crate) fn options(engine: &Engine, org_id: &str, agent_id: &str) -> Result<CardOptions, Error> {
    kept(engine, org_id, agent_id).map(|row| row.options.clone())
}

fn kept(engine: &Engine, org_id: &str, agent_id: &str) -> Result<Arc<CardRow>, Error> {
    agents::known(engine, org_id, agent_id)?;
    let row = engine.registry.cards.get(agent_id).filter(|row| row.org_id == org_id);
    row.ok_or_else(|| ungenerated(agent_id))
}

fn ungenerated(agent_id: &str) -> Error {
    Error::not_found(format!(
        "agent {agent_id:?} has no card; generate one first, as `agenttrust cards generate {agent_id}` does"
    ))
}

/// Publishes the card of an agent.
///
/// # Errors
///
/// Those of [`get`]; agent revoked; unavailable where the database or the audit cannot be written.
pub(crate) async fn publish(
    engine: &Engine,
    key: &Key,
    agent_id: &str,
) -> Result<AgentCard, Error> {
    known(engine, &key.org_id, agent_id)?;
    let now = engine.clock.now();
    let stored = async {
        let done = engine.store.publish_card(key.org_id.clone(), agent_id.to_owned(), now).await?;
        if done { Ok(()) } else { Err(ungenerated(agent_id)) }
    };
    let record = |_: &()| record(key, "card.published", agent_id, json!({}));
    engine.change(stored, record).await?;
    get(engine, &key.org_id, agent_id)
}

/// Publishes the card of an agent no more.
///
/// # Errors
///
/// Not found where there is no such agent or card; unavailable where the database or the audit cannot be written.
pub(crate) async fn withdraw(engine: &Engine, key: &Key, agent_id: &str) -> Result<(), Error> {
    agents::known(engine, &key.org_id, agent_id)?;
    let now = engine.clock.now();
    let stored = async {
        let done = engine.store.withdraw_card(key.org_id.clone(), agent_id.to_owned(), now).await?;
        if done { Ok(()) } else { Err(ungenerated(agent_id)) }
    };
    let record = |_: &()| record(key, "card.withdrawn", agent_id, json!({}));
    engine.change(stored, record).await
}

/// Returns the published card of an agent, for every reader.
///
/// # Errors
///
/// Not found, in the same words for an agent that is not there, one that is not active and one whose card is not
/// published; unavailable where it cannot be signed, without saying why.
pub(crate) fn public(engine: &Engine, agent_id: &str) -> Result<AgentCard, Error> {
    let (_, row) = published(engine, agent_id)?;
    card_keys::signed(engine, &row.card).map_err(|error| {
        tracing::error!(message = error.message(), agent_id, "a card could not be signed");
        Error::unavailable("the card cannot be signed at present; try again later")
    })
}

/// Returns the agent of a published card, whose name and address every reader may know.
///
/// # Errors
///
/// Not found, as for its [`public`] card.
pub(crate) fn known_to_all(engine: &Engine, agent_id: &str) -> Result<Arc<AgentEntry>, Error> {
    published(engine, agent_id).map(|(entry, _)| entry)
}

fn published(engine: &Engine, agent_id: &str) -> Result<(Arc<AgentEntry>, Arc<CardRow>), Error> {
    let unknown = || Error::unknown("published card of an agent", agent_id);
    let row = engine.registry.cards.get(agent_id).filter(|row| row.published_at.is_some());
    let row = row.ok_or_else(unknown)?;
    let entry = engine.registry.agents.get(&row.org_id, agent_id).ok_or_else(unknown)?;
    match entry.agent.status {
        AgentStatus::Active => Ok((entry, row)),
        _ => Err(unknown()),
    }
}
