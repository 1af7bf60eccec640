//! Federation providers: registered, listed, changed and removed, each with a gateway key of its own.

use std::sync::Arc;

use agenttrust::model::{FederationProvider, FederationRule, TrustLevel};
use serde_json::json;

use super::cut;
use super::discovery::{Discovered, discover};
use crate::audit::Record;
use crate::domain::federation::check_rules;
use crate::domain::names::{check_name, check_names, check_seen};
use crate::domain::{Error, Key, ids};
use crate::engine::Engine;
use crate::engine::taking::{KeyTaking, PROVIDER_REMOVED};
use crate::registry::ProviderEntry;
use crate::services::issued::found;
use crate::services::keys::{self, Maker};
use crate::store::{FEDERATION_PROVIDERS_MOST, ProviderKept, ProviderRow, Vouching};

/// The beginning of the name of a provider's gateway; no other key has such a name.
pub(crate) const GATEWAY_PREFIX: &str = "federation:";
/// The longest name of a provider, in bytes: that of its gateway is a name too.
const NAME_MAX_BYTES: usize = 200 - GATEWAY_PREFIX.len();
/// The number of times that a change is planned before giving up on being first.
const PLANS_MOST: usize = 10;

/// A provider that is to be registered.
#[derive(Debug)]
pub(crate) struct NewProvider {
    pub(crate) issuer: String,
    pub(crate) vouching: Vouching,
}

/// An update of a provider; what is `None` stays as it is.
#[derive(Debug, Default)]
pub(crate) struct ProviderUpdate {
    pub(crate) name: Option<String>,
    pub(crate) trust_level: Option<TrustLevel>,
    pub(crate) audiences: Option<Vec<String>>,
    pub(crate) rules: Option<Vec<FederationRule>>,
}

/// Registers a provider by what it says of itself, and makes its gateway key: both or neither.
///
/// # Errors
///
/// Invalid for an issuer that cannot be called or is not the one that it says it is, for a name that cannot be one, for
/// audiences that are needed, and for rules that could not be meant; conflict for an issuer or a name that is taken;
/// too many where the organisation has as many as it may have; unavailable where the database or the audit cannot be
/// written.
pub(crate) async fn register(
    engine: &Engine,
    key: &Key,
    new: NewProvider,
) -> Result<FederationProvider, Error> {
    check(engine, &key.org_id, &new.vouching)?;
    let taken = engine.registry.providers.of_issuer(&key.org_id, &new.issuer);
    if let Some(taken) = taken {
        return Err(issuing(&new.issuer, &taken.row.id));
    }
    keys::check_line(engine, Maker::Key(key)).await?;
    let Discovered { jwks_uri, authorization_endpoint, token_endpoint, keys: found } =
        discover(engine, &new.issuer).await?;
    let now = engine.clock.now();
    let gateway = keys::own_gateway(key, gateway_name(&new.vouching.name), now)?;
    let row = ProviderRow {
        id: ids::new("fedp_"),
        org_id: key.org_id.clone(),
        issuer: new.issuer,
        jwks_uri,
        authorization_endpoint,
        token_endpoint,
        vouching: new.vouching,
        version: 1,
        key_id: gateway.id.clone(),
        created_by: key.id.clone(),
        created_at: now,
        updated_at: now,
    };
    let made = keys::created(&gateway).actor(&key.id);
    let stored = async {
        let kept = engine.store.insert_provider(row.clone(), gateway).await?;
        need_kept(kept, &row)
    };
    engine.change(stored, |()| made).await?;
    engine.issuer_keys.keep(&row.id, &row.jwks_uri, found);
    engine.record_audit(told("federation.provider_registered", &row, key)).await?;
    Ok(show(engine, &row))
}

fn gateway_name(name: &str) -> String {
    format!("{GATEWAY_PREFIX}{name}")
}

/// Looks at what a provider is to be called and believed.
fn check(engine: &Engine, org_id: &str, vouching: &Vouching) -> Result<(), Error> {
    let Vouching { name, trust_level, audiences, rules } = vouching;
    check_name("name", name)?;
    if name.len() > NAME_MAX_BYTES {
        let long = format!("is {} bytes long; {NAME_MAX_BYTES} is the most", name.len());
        return Err(Error::invalid("name", long));
    }
    check_seen("name", name)?;
    if *trust_level == TrustLevel::Unknown {
        return Err(Error::invalid("trust_level", "is not a trust level; use low, medium or high"));
    }
    check_names("audiences", audiences)?;
    if audiences.is_empty() && engine.settings.public_url().is_none() {
        let problem = "is empty, and this Guardian has no public URL that tokens could be meant for; say what \
                       the `aud` of this issuer's tokens names, or start the Guardian with its public URL";
        return Err(Error::invalid("audiences", problem));
    }
    check_rules(*trust_level, rules, |id| engine.registry.agents.get(org_id, id).is_some())
}

fn need_kept(kept: ProviderKept, row: &ProviderRow) -> Result<(), Error> {
    let name = &row.vouching.name;
    match kept {
        ProviderKept::Kept => Ok(()),
        ProviderKept::Issuing(id) => Err(issuing(&row.issuer, &id)),
        ProviderKept::Named(id) => Err(Error::conflict(format!(
            "there is a federation provider of the name {name:?} already, {id:?}; take another name, or remove that one \
             first"
        ))),
        ProviderKept::Full => Err(Error::too_many(format!(
            "this organisation has {FEDERATION_PROVIDERS_MOST} federation providers, which is the most; remove one first"
        ))),
        ProviderKept::KeyRevoked => {
            Err(Error::unauthenticated("the API key was revoked meanwhile; use another one"))
        }
        ProviderKept::Gone => Err(unknown(&row.id)),
        ProviderKept::Changed => Err(Error::conflict(
            "others keep changing this federation provider; try again in a moment",
        )),
    }
}

fn issuing(issuer: &str, id: &str) -> Error {
    let issuer = cut(issuer);
    Error::conflict(format!(
        "issuer {issuer:?} is registered already, as {id:?}; change that provider, or remove it first"
    ))
}

fn unknown(id: &str) -> Error {
    Error::unknown("federation provider", id)
}

/// Returns what the audit says of a provider as it is now. Nothing in it is secret.
fn told(kind: &'static str, row: &ProviderRow, key: &Key) -> Record {
    let Vouching { name, trust_level, audiences, rules } = &row.vouching;
    Record::new(kind, &row.org_id).actor(&key.id).body(json!({
        "provider_id": row.id,
        "issuer": row.issuer,
        "name": name,
        "trust_level": trust_level,
        "audiences": audiences,
        "rules": rules,
        "key_id": row.key_id,
    }))
}

/// Records in the audit that a caller with the permission was refused, and what it named; waits for nothing.
pub(crate) fn refused(engine: &Engine, key: &Key, error: &Error, named: &[(&str, &str)]) {
    engine.refused_request("federation.provider_refused", key, error, named);
}

/// Returns the provider of this id, if it is of this organisation.
///
/// # Errors
///
/// Not found.
pub(crate) fn known(engine: &Engine, org_id: &str, id: &str) -> Result<Arc<ProviderEntry>, Error> {
    let found = engine.registry.providers.get(id).filter(|entry| entry.row.org_id == org_id);
    found.ok_or_else(|| unknown(id))
}

/// Returns the gateway key of a provider, as which those are checked that come with its tokens.
///
/// # Errors
///
/// Unauthenticated where the provider is gone, or its key was revoked.
pub(crate) fn gateway(engine: &Engine, provider_id: &str) -> Result<Arc<Key>, Error> {
    let provider = engine.registry.providers.get(provider_id);
    let key = provider.and_then(|provider| engine.registry.keys.of_id(&provider.row.key_id));
    key.ok_or_else(|| {
        Error::unauthenticated(
            "tokens of this issuer are not taken any more: its federation provider was removed, or the key of that revoked",
        )
    })
}

/// Returns the providers of an organisation, the oldest first.
pub(crate) fn list(engine: &Engine, org_id: &str) -> Vec<FederationProvider> {
    engine.registry.providers.of_org(org_id).iter().map(|entry| show(engine, &entry.row)).collect()
}

/// Returns a provider as callers see it.
pub(crate) fn show(engine: &Engine, row: &ProviderRow) -> FederationProvider {
    let mut shown = FederationProvider::default();
    shown.id.clone_from(&row.id);
    shown.org_id.clone_from(&row.org_id);
    shown.issuer.clone_from(&row.issuer);
    shown.name.clone_from(&row.vouching.name);
    shown.jwks_uri.clone_from(&row.jwks_uri);
    shown.authorization_endpoint.clone_from(&row.authorization_endpoint);
    shown.token_endpoint.clone_from(&row.token_endpoint);
    shown.trust_level = row.vouching.trust_level;
    let is_active = engine.registry.keys.has(&row.key_id);
    shown.status = if is_active { "active" } else { "disabled" }.to_owned();
    shown.audiences.clone_from(&row.vouching.audiences);
    shown.rules.clone_from(&row.vouching.rules);
    shown.key_id = Some(row.key_id.clone());
    shown.created_by = Some(row.created_by.clone());
    shown.created_at = Some(row.created_at);
    shown.updated_at = Some(row.updated_at);
    shown
}

/// Changes a provider; returns it as it is now. Where that takes anything away from its tokens, the sessions that it
/// vouched for end.
///
/// # Errors
///
/// Not found; invalid for a change that says nothing, and for what a provider could not be registered with; conflict
/// for a name that is taken; unavailable where the database or the audit cannot be written.
pub(crate) async fn change(
    engine: &Engine,
    key: &Key,
    id: &str,
    wanted: ProviderUpdate,
) -> Result<FederationProvider, Error> {
    if matches!(
        wanted,
        ProviderUpdate { name: None, trust_level: None, audiences: None, rules: None }
    ) {
        let problem = "names nothing to change; give name, trust_level, audiences or rules";
        return Err(Error::invalid("body", problem));
    }
    let mut kept = ProviderKept::Changed;
    let mut row = known(engine, &key.org_id, id)?.row.clone();
    for _ in 0..PLANS_MOST {
        let before = row.clone();
        row.vouching = wanted.on(&before.vouching);
        if row.vouching == before.vouching {
            return Ok(show(engine, &row));
        }
        check(engine, &key.org_id, &row.vouching)?;
        row.version += i64::from(row.vouching.takes_from(&before.vouching));
        row.updated_at = engine.clock.now();
        let gateway = gateway_name(&row.vouching.name);
        engine.ensure_auditable()?;
        kept = engine.store.change_provider(row.clone(), before, gateway).await?;
        engine.sync().await?;
        if kept != ProviderKept::Changed {
            break;
        }
        row = known(engine, &key.org_id, id)?.row.clone();
    }
    need_kept(kept, &row)?;
    engine.record_audit(told("federation.provider_changed", &row, key)).await?;
    Ok(show(engine, &row))
}

impl ProviderUpdate {
    /// Returns what a provider is called and believed after it.
    fn on(&self, before: &Vouching) -> Vouching {
        Vouching {
            name: self.name.clone().unwrap_or_else(|| before.name.clone()),
            trust_level: self.trust_level.unwrap_or(before.trust_level),
            audiences: self.audiences.clone().unwrap_or_else(|| before.audiences.clone()),
            rules: self.rules.clone().unwrap_or_else(|| before.rules.clone()),
        }
    }
}

/// Removes a provider, ends the sessions that it vouched for and revokes its gateway key; returns whether that is
/// stored.
///
/// # Errors
///
/// Not found.
pub(crate) async fn remove(engine: &Engine, key: &Key, id: &str) -> Result<bool, Error> {
    let look = || {
        let known = engine.registry.providers.get(id).or_else(|| engine.taking_provider(id))?;
        (known.row.org_id == key.org_id).then_some(known)
    };
    let provider = found(engine, look).await.ok_or_else(|| unknown(id))?;
    let row = provider.row.clone();
    let records = |gone| {
        let about = json!({
            "provider_id": id,
            "issuer": row.issuer,
            "name": row.vouching.name,
            "key_id": row.key_id,
        });
        let removed = Record::new("federation.provider_removed", &row.org_id).body(about);
        let taking = KeyTaking { reason: PROVIDER_REMOVED.to_owned(), take_issued: true };
        let of_key = keys::revoked(&row.org_id, &row.key_id, &taking, gone);
        [removed.actor(&key.id), of_key.actor(&key.id)]
    };
    Ok(engine.take_provider(provider, records).await)
}
