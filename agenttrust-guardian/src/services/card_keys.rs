//! The keys that sign agent cards and the tokens of workloads: made when the first of these is, rotated, published, and
//! what is signed by them.

use std::sync::Arc;
use std::time::Duration;

use agenttrust::model::{AgentCard, CardKey, CardKeys};
use serde_json::json;

use super::sealed;
use crate::audit::Record;
use crate::domain::{CardSigner, DEFAULT_ORG, Error, Key};
use crate::engine::Engine;
use crate::jose::{Claims, Expected, KeySet, Refusal, Unverified};
use crate::registry::CardKeyEntry;
use crate::store::{CARD_KEYS_MOST, CardKeyRow, SecretOf};

/// Makes the first key, where no key was made yet.
///
/// # Errors
///
/// Unavailable where there is no key to keep it by, and where the database or the audit cannot be written.
pub(crate) async fn ensure(engine: &Engine, key: &Key) -> Result<(), Error> {
    if !engine.registry.card_keys.live(engine.clock.now()).is_empty() {
        return Ok(());
    }
    engine.ensure_auditable()?;
    let row = fresh(engine)?;
    let record = made(key, &row.id);
    // Another replica may be first.
    let is_first = engine.store.insert_first_card_key(row).await?;
    engine.sync().await?;
    if is_first { engine.record_audit(record).await } else { Ok(()) }
}

fn fresh(engine: &Engine) -> Result<CardKeyRow, Error> {
    let signer = CardSigner::random()?;
    let about = SecretOf::CardKey.about(signer.kid());
    Ok(CardKeyRow {
        id: signer.kid().to_owned(),
        public_key: signer.public(),
        secret: engine.sealer.seal(&about, &signer.secret())?,
        created_at: engine.clock.now(),
        ends_at: None,
    })
}

fn made(key: &Key, kid: &str) -> Record {
    let record = Record::new("card_key.made", DEFAULT_ORG).body(json!({ "kid": kid }));
    // The first card may be that of another organisation, whose keys are its own affair.
    if key.org_id == DEFAULT_ORG { record.actor(&key.id) } else { record }
}

/// Makes a new key, by which cards are signed from then on. Every earlier one signs beside it for `overlap` and no
/// longer. Returns the keys that there are then.
///
/// # Errors
///
/// Too many where as many keys would sign as may; unavailable where there is no key to keep it by, and where the
/// database or the audit cannot be written.
pub(crate) async fn rotate(
    engine: &Engine,
    key: &Key,
    overlap: Duration,
) -> Result<CardKeys, Error> {
    let row = fresh(engine)?;
    let before: Vec<String> = engine
        .registry
        .card_keys
        .live(row.created_at)
        .iter()
        .map(|entry| entry.row.id.clone())
        .collect();
    let ends_at = row.created_at.saturating_add(overlap);
    let about = json!({ "kid": row.id, "earlier": before, "overlap_seconds": overlap.as_secs() });
    let stored = async {
        if engine.store.rotate_card_key(row, ends_at).await? {
            return Ok(());
        }
        Err(Error::too_many(format!(
            "{CARD_KEYS_MOST} keys sign cards at present, which is the most; wait until one of them ends, or give \
             overlap a shorter time, which ends earlier ones too"
        )))
    };
    let record = |_: &()| Record::new("card_key.rotated", DEFAULT_ORG).actor(&key.id).body(about);
    engine.change(stored, record).await?;
    Ok(published(engine))
}

/// Returns the keys by which cards are verified at present, the newest first.
pub(crate) fn published(engine: &Engine) -> CardKeys {
    let mut keys = CardKeys::default();
    let live = engine.registry.card_keys.live(engine.clock.now());
    keys.keys = live.iter().map(|entry| shown(&entry.row)).collect();
    keys
}

fn shown(row: &CardKeyRow) -> CardKey {
    let mut key = CardKey::ed25519(&[0; 32]);
    key.x.clone_from(&row.public_key);
    key.kid = Some(row.id.clone());
    key.alg = Some("EdDSA".to_owned());
    key.usage = Some("sig".to_owned());
    key.ends_at = row.ends_at;
    key
}

/// Returns the token of a workload that makes these claims, signed by the newest key. Its verifier finds that key
/// among those that are published, until it ends there after a rotation.
///
/// # Errors
///
/// Unavailable where the newest key does not open, or no key was made.
pub(crate) fn sign_workload(engine: &Engine, claims: &[u8]) -> Result<String, Error> {
    let keys = engine.registry.card_keys.live(engine.clock.now());
    let Some(newest) = keys.first() else {
        return Err(Error::unavailable(
            "there is no key that signs tokens of workloads; try again",
        ));
    };
    Ok(signer(engine, newest)?.sign_workload(claims))
}

/// Returns what a token says that one of the keys which sign at present has signed.
///
/// # Errors
///
/// What is wrong with it.
pub(crate) fn verify(
    engine: &Engine,
    token: &Unverified<'_>,
    expected: &Expected<'_>,
) -> Result<Claims, Refusal> {
    let keys = engine.registry.card_keys.live(engine.clock.now());
    let named = keys.iter().find(|entry| token.kid() == Some(&entry.row.id));
    match named {
        Some(entry) => verifier(entry).verify(token, expected),
        None => KeySet::default().verify(token, expected),
    }
}

/// Returns what verifies by this key alone, read once: it is needed for each check with a proof.
fn verifier(entry: &CardKeyEntry) -> &KeySet {
    entry.verifier.get_or_init(|| {
        let mut keys = CardKeys::default();
        keys.keys.push(shown(&entry.row));
        // Members that are texts always serialise.
        KeySet::parse(&serde_json::to_vec(&keys).unwrap_or_default()).unwrap_or_default()
    })
}

/// Returns the token that binds a request for access to a denial, signed as [`sign_workload`] signs.
///
/// # Errors
///
/// Unavailable where the newest key does not open, or no key was made.
pub(crate) fn sign_denial(engine: &Engine, claims: &[u8]) -> Result<String, Error> {
    let keys = engine.registry.card_keys.live(engine.clock.now());
    let Some(newest) = keys.first() else {
        return Err(Error::unavailable("there is no key that signs denials; try again"));
    };
    Ok(signer(engine, newest)?.sign_denial(claims))
}

/// Returns the card, signed by every key that signs at present.
///
/// # Errors
///
/// Unavailable where the newest key does not open, or no key was made.
pub(crate) fn signed(engine: &Engine, card: &AgentCard) -> Result<AgentCard, Error> {
    let mut card = card.clone();
    card.signatures.clear();
    let payload = card.signed_payload().ok_or_else(|| {
        Error::unavailable(
            "the card has no canonical form, so it cannot be signed; generate it again",
        )
    })?;
    let now = engine.clock.now();
    let keys = engine.registry.card_keys.live(now);
    let Some(newest) = keys.first() else {
        return Err(Error::unavailable(
            "there is no key that signs cards; generate the card again, which makes one",
        ));
    };
    for entry in &keys {
        match signer(engine, entry) {
            Ok(signer) => card.signatures.push(signer.sign(&payload)),
            Err(error) if Arc::ptr_eq(entry, newest) => return Err(error),
            // Those who trust only a key that is on its way out wait for the newest.
            Err(error) => {
                tracing::warn!(
                    kid = entry.row.id,
                    message = error.message(),
                    "an earlier key signs no cards"
                );
            }
        }
    }
    Ok(card)
}

fn signer<'e>(engine: &Engine, entry: &'e CardKeyEntry) -> Result<&'e CardSigner, Error> {
    if let Some(signer) = entry.signer.get() {
        return Ok(signer);
    }
    let CardKeyRow { id, secret, .. } = &entry.row;
    let secret = sealed::open(&engine.sealer, SecretOf::CardKey, id, secret)?;
    // Under an id that is not its own it would sign what no one can verify.
    let signer = CardSigner::from_secret(&secret).filter(|signer| signer.kid() == id);
    let signer = signer.ok_or_else(|| {
        Error::unavailable(format!(
            "the key {id:?} that signs cards is damaged in the database; rotate it, with POST /api/v1/cards/keys/rotate"
        ))
    })?;
    Ok(entry.signer.get_or_init(|| signer))
}
