//! Tokens of other issuers: whose they are, whether they hold, and which agent they speak for.

use std::fmt;
use std::sync::Arc;

use serde_json::{Value, json};

use super::cut;
use crate::domain::federation::rule_for;
use crate::domain::role::Access;
use crate::domain::{Error, Fingerprint, Key, Reach};
use crate::engine::Engine;
use crate::engine::issuer_keys::{STRANGERS_MOST, Unread};
use crate::jose::{Claims, Expected, KeySet, Refusal, Typ, Unverified};
use crate::registry::ProviderEntry;

/// The answer for every token that does not work, whatever is wrong with it: each reason would be a hint.
pub(crate) const NO_SUCH_TOKEN: &str = "the token does not work; send one that a registered provider has issued for this \
                                        Guardian, or have an operator look for the reason: it is in the audit, and \
                                        `agenttrust federation test` tells it";

/// The audience that a token must be for.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Audiences<'a> {
    /// The audiences that its provider says, else this Guardian.
    OfProvider,
    /// The resource at this URL.
    Resource(&'a str),
}

/// A token that holds, and what it says.
#[derive(Clone, Debug)]
pub(crate) struct Verified {
    pub(crate) provider_id: String,
    /// The agent that it speaks for; none where no rule of its provider fits.
    pub(crate) agent_id: Option<String>,
    /// The provider as it was when the token was verified.
    pub(crate) provider: Arc<ProviderEntry>,
    pub(crate) claims: Claims,
    /// The fingerprint of the token.
    pub(super) token_hash: String,
}

/// The reason why a token is not taken: for the audit and for operators. Its bearer sees only the error that it
/// becomes.
#[derive(Clone, Debug)]
pub(crate) struct NotVerified {
    /// The provider that the token says to be of.
    pub(crate) provider_id: Option<String>,
    pub(super) why: Why,
    /// The agent that it spoke for, if its time alone is over.
    agent_id: Option<String>,
}

#[derive(Clone, Debug, thiserror::Error)]
pub(super) enum Why {
    #[error("{0}")]
    Token(Refusal),
    #[error(
        "no provider of this organisation issues as {0:?}; register it, byte for byte as it is written here"
    )]
    NoProvider(String),
    #[error("the issuer hint is {0:?}, and the token is of another issuer")]
    OtherIssuer(String),
    #[error(
        "the provider names no audience and this Guardian has no public URL, so no token is for it; give the provider an \
         audience, or the Guardian a public-url"
    )]
    NoAudience,
    #[error("its provider was removed meanwhile")]
    Removed,
    #[error("the keys of the issuer cannot be read at present: {0}")]
    Unread(Unread),
    #[error("{STRANGERS_MOST} others wait for the keys of the issuer already, and more may not")]
    Crowded,
}

impl NotVerified {
    fn of(provider: &ProviderEntry, why: Why) -> Self {
        Self { provider_id: Some(provider.row.id.clone()), why, agent_id: None }
    }

    fn of_stranger(why: Why) -> Self {
        Self { provider_id: None, why, agent_id: None }
    }

    /// Returns the same of a token that the provider did sign, if it did.
    fn of_signed(provider: &ProviderEntry, why: Why, token: &Unverified<'_>) -> Self {
        let mut not = Self::of(provider, why);
        if not.is_expired() {
            let (claims, rules) = (token.claims(), &provider.row.vouching.rules);
            let subject = claims.get("sub").and_then(Value::as_str).unwrap_or_default();
            let rule = rule_for(rules, subject, claims);
            not.agent_id = rule.map(|(_, rule)| rule.agent_id.clone());
        }
        not
    }

    /// Returns whether the provider did sign it.
    pub(super) fn is_signed(&self) -> bool {
        matches!(&self.why, Why::Token(refusal) if refusal.is_of_claims())
    }

    fn is_expired(&self) -> bool {
        matches!(&self.why, Why::Token(refusal) if refusal.is_expired())
    }

    /// Returns what a key of this reach is told: that it has expired only of a token that it would have reached.
    pub(crate) fn told_to(self, reach: Reach<'_>) -> Error {
        let reaches = match &self.agent_id {
            Some(agent_id) => reach.covers(agent_id),
            None => reach.access == Access::Any,
        };
        match self.is_expired() && !reaches {
            true => Error::unauthenticated(NO_SUCH_TOKEN),
            false => self.into(),
        }
    }
}

impl fmt::Display for NotVerified {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.why.fmt(f)
    }
}

/// The error that the bearer sees: nothing but that the token has expired, where it was right in all else.
impl From<NotVerified> for Error {
    fn from(not: NotVerified) -> Self {
        match not.why {
            Why::Token(refusal) if refusal.is_expired() => Self::token_expired(),
            Why::Unread(_) => Self::unavailable(
                "the keys of the token's issuer cannot be read at present, so nothing was decided; try again later",
            )
            .passing(),
            Why::Crowded => Error::busy(
                "as many as may wait for the keys of the token's issuer at present, so nothing was decided; try again later",
            ),
            _ => Self::unauthenticated(NO_SUCH_TOKEN),
        }
    }
}

/// Verifies a token of another issuer, and finds the agent that it speaks for. What can be said by the keys at hand is
/// said at once.
///
/// # Errors
///
/// Why it is not taken.
pub(crate) async fn verify(
    engine: &Engine,
    org_id: &str,
    token: &str,
    issuer_hint: Option<&str>,
    audiences: Audiences<'_>,
) -> Result<Verified, NotVerified> {
    let unverified = read(token)?;
    let provider = provider_of(engine, org_id, &unverified, issuer_hint)?;
    let held = match from_cached_keys(engine, &provider, (&unverified, audiences)) {
        CachedVerdict::Known(known) => known?,
        CachedVerdict::ToBeRead { .. } => {
            looked_up(engine, &provider, (&unverified, audiences)).await?
        }
    };
    Ok(Verified::new(held, token))
}

/// Verifies the token of a caller that is not known yet. Only few such callers may wait for the keys of one issuer at
/// once, beside those whose token it did sign.
///
/// # Errors
///
/// Why it is not taken.
pub(super) async fn verify_of_stranger(
    engine: &Engine,
    org_id: &str,
    token: &str,
    audiences: Audiences<'_>,
) -> Result<Verified, NotVerified> {
    let unverified = read(token)?;
    let provider = provider_of(engine, org_id, &unverified, None)?;
    let asked = (&unverified, audiences);
    let held = match from_cached_keys(engine, &provider, asked) {
        CachedVerdict::Known(known) => known?,
        CachedVerdict::ToBeRead { is_signed: true } => looked_up(engine, &provider, asked).await?,
        CachedVerdict::ToBeRead { is_signed: false } => {
            let place = engine.issuer_keys.wait_as_stranger(&provider.row.id);
            let place = place.ok_or_else(|| NotVerified::of(&provider, Why::Crowded))?;
            let held = looked_up(engine, &provider, asked).await;
            drop(place);
            held?
        }
    };
    Ok(Verified::new(held, token))
}

/// The claims that a provider vouches for by a token that holds, with the provider as it is by now.
type VouchedClaims = (Arc<ProviderEntry>, Claims);

/// The verdict on a token by the keys that are cached.
enum CachedVerdict {
    Known(Result<VouchedClaims, NotVerified>),
    /// No verdict yet: the token may be signed by a key that is not cached, or the cached keys are old. `is_signed`
    /// says that one of them did sign it.
    ToBeRead {
        is_signed: bool,
    },
}

fn from_cached_keys(
    engine: &Engine,
    provider: &ProviderEntry,
    asked: (&Unverified<'_>, Audiences<'_>),
) -> CachedVerdict {
    let row = &provider.row;
    let Some((keys, are_good)) = engine.issuer_keys.at_hand(&row.id, &row.jwks_uri, asked.0) else {
        return CachedVerdict::ToBeRead { is_signed: false };
    };
    match held_by(engine, &row.id, &keys, asked) {
        Err(Why::Token(Refusal::Signature)) => CachedVerdict::ToBeRead { is_signed: false },
        said if are_good => {
            CachedVerdict::Known(said.map_err(|why| NotVerified::of_signed(provider, why, asked.0)))
        }
        said => CachedVerdict::ToBeRead { is_signed: said.is_ok() },
    }
}

async fn looked_up(
    engine: &Engine,
    provider: &ProviderEntry,
    asked: (&Unverified<'_>, Audiences<'_>),
) -> Result<VouchedClaims, NotVerified> {
    let keys = keys_of(engine, provider, asked.0).await?;
    held(engine, provider, keys, asked).await
}

impl Verified {
    pub(super) fn new((provider, claims): VouchedClaims, token: &str) -> Self {
        let rules = &provider.row.vouching.rules;
        let rule = rule_for(rules, &claims.subject, &claims.all);
        Self {
            provider_id: provider.row.id.clone(),
            agent_id: rule.map(|(_, rule)| rule.agent_id.clone()),
            provider,
            claims,
            token_hash: Fingerprint::from_text(token).to_hex(),
        }
    }
}

/// Reads a token; nothing of it is believed yet.
pub(super) fn read(token: &str) -> Result<Unverified<'_>, NotVerified> {
    Unverified::read(token).map_err(|refusal| NotVerified::of_stranger(Why::Token(refusal)))
}

/// Returns the provider that a token says to be of, which the hint, where there is one, must name too.
pub(super) fn provider_of(
    engine: &Engine,
    org_id: &str,
    token: &Unverified<'_>,
    issuer_hint: Option<&str>,
) -> Result<Arc<ProviderEntry>, NotVerified> {
    let issuer = token.issuer();
    if let Some(hint) = issuer_hint.filter(|hint| !hint.is_empty() && *hint != issuer) {
        return Err(NotVerified::of_stranger(Why::OtherIssuer(cut(hint))));
    }
    let known = engine.registry.providers.of_issuer(org_id, issuer);
    known.ok_or_else(|| NotVerified::of_stranger(Why::NoProvider(cut(issuer))))
}

/// Returns the keys of the provider, as good as they are needed for this token.
pub(super) async fn keys_of(
    engine: &Engine,
    provider: &ProviderEntry,
    token: &Unverified<'_>,
) -> Result<Arc<KeySet>, NotVerified> {
    let row = &provider.row;
    let keys = engine.issuer_keys.for_token(&row.id, &row.jwks_uri, token).await;
    keys.map_err(|why| NotVerified::of(provider, Why::Unread(why)))
}

/// Returns what a token says that one of these keys signed, and that is for one of these audiences; with the provider
/// as it is by now.
pub(super) async fn held(
    engine: &Engine,
    provider: &ProviderEntry,
    keys: Arc<KeySet>,
    asked: (&Unverified<'_>, Audiences<'_>),
) -> Result<VouchedClaims, NotVerified> {
    let row = &provider.row;
    let refused = |why| NotVerified::of_signed(provider, why, asked.0);
    let first = held_by(engine, &row.id, &keys, asked);
    let Err(Why::Token(Refusal::Signature)) = first else { return first.map_err(refused) };
    // It may be signed by a key that came in the place of the one that is known, under the same id or none.
    match engine.issuer_keys.after(&row.id, &row.jwks_uri, &keys).await {
        Some(newer) => held_by(engine, &row.id, &newer, asked).map_err(refused),
        None => first.map_err(refused),
    }
}

fn held_by(
    engine: &Engine,
    provider_id: &str,
    keys: &KeySet,
    (token, audiences): (&Unverified<'_>, Audiences<'_>),
) -> Result<VouchedClaims, Why> {
    // It may have been changed or removed while its keys were read.
    let provider = engine.registry.providers.get(provider_id).ok_or(Why::Removed)?;
    let audiences = audiences_of(engine, &provider, audiences)?;
    let expected = Expected {
        issuer: &provider.row.issuer,
        audiences: &audiences,
        typ: Typ::External,
        now: engine.clock.now(),
    };
    let claims = keys.verify(token, &expected).map_err(Why::Token)?;
    Ok((provider, claims))
}

/// Returns what a token of this provider must be for.
pub(super) fn audiences_of(
    engine: &Engine,
    provider: &ProviderEntry,
    audiences: Audiences<'_>,
) -> Result<Vec<String>, Why> {
    if let Audiences::Resource(url) = audiences {
        return Ok(vec![url.to_owned()]);
    }
    let named = &provider.row.vouching.audiences;
    match (named.as_slice(), engine.settings.public_url()) {
        ([], Some(public_url)) => Ok(vec![public_url.to_owned()]),
        ([], None) => Err(Why::NoAudience),
        (named, _) => Ok(named.to_vec()),
    }
}

/// Tells the audit that a token was not taken at `operation`, and why. The token itself is told nowhere.
pub(crate) fn refused(
    engine: &Engine,
    key: &Key,
    operation: &'static str,
    provider_id: Option<&str>,
    reason: &dyn fmt::Display,
) {
    engine.refused("federation.token_refused", key, || {
        json!({
            "operation": operation,
            "provider_id": provider_id,
            "reason": reason.to_string(),
        })
    });
}
