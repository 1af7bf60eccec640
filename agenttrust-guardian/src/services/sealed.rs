//! Secrets that are kept to be sent again: opened to be sent, and sealed by the key of today when the Guardian starts.

use serde_json::json;

use crate::audit::Record;
use crate::domain::{DEFAULT_ORG, Error, GuardianError, Sealer, Secret};
use crate::engine::Engine;
use crate::store::{KeptSecret, SecretOf};

/// The number of things that are named whose secret does not open.
const NAMED_MOST: usize = 5;

/// Returns the secret that is kept as `text` for this one. Sealed or, from before secrets were sealed, in clear.
///
/// # Errors
///
/// Unavailable where it was sealed by a key that is not here, or was changed.
pub(crate) fn open(sealer: &Sealer, of: SecretOf, id: &str, text: &str) -> Result<Secret, Error> {
    if Sealer::is_sealed(text) {
        return sealer.open(&of.about(id), text);
    }
    match of {
        SecretOf::Webhook => Ok(Secret::from(text.to_owned())),
        // There never were any in clear.
        SecretOf::McpServer
        | SecretOf::CardKey
        | SecretOf::TaskPush
        | SecretOf::SiemDestination => sealer.open(&of.about(id), text),
    }
}

/// Seals what is kept in clear, and what an earlier key sealed, by the key of today. Where there is no key everything
/// stays as it is; what does not open stays as well, and is told. Several Guardians may do so at once.
///
/// # Errors
///
/// Those of the database, and of an audit that takes no row.
pub(crate) async fn seal_kept(engine: &Engine) -> Result<(), GuardianError> {
    let mut sealed = 0;
    let mut closed = Vec::new();
    for of in SecretOf::ALL {
        let mut after = String::new();
        loop {
            let page = engine.store.kept_secrets(of, after).await?;
            let Some(last) = page.last() else { break };
            after = last.id.clone();
            let mut replaced = Vec::new();
            for kept in page {
                match sealed_anew(&engine.sealer, of, &kept) {
                    Ok(Some(text)) => replaced.push((kept, text)),
                    Ok(None) => {}
                    Err(_) => closed.push(kept.id),
                }
            }
            if !replaced.is_empty() {
                sealed += engine.store.replace_secrets(of, replaced).await?;
            }
        }
    }
    if !closed.is_empty() {
        let named = closed.iter().take(NAMED_MOST).map(String::as_str).collect::<Vec<_>>();
        tracing::warn!(
            count = closed.len(),
            "secrets do not open with the keys that this Guardian has, so who needs them is not called ({}{}): add the \
             former key to AGENTTRUST_SECRET_KEY, after a comma, and start again",
            named.join(", "),
            if closed.len() > NAMED_MOST { ", …" } else { "" }
        );
    }
    if sealed == 0 {
        return Ok(());
    }
    tracing::info!(count = sealed, "secrets that are kept were sealed by the key of today");
    let record = Record::new("secrets.sealed", DEFAULT_ORG).body(json!({ "count": sealed }));
    let recorded = engine.audit.append(record).await;
    recorded.map(drop).map_err(|error| GuardianError::Unavailable(error.to_string()))
}

/// Returns what takes the place of a secret; `None` where it may stay.
fn sealed_anew(sealer: &Sealer, of: SecretOf, kept: &KeptSecret) -> Result<Option<String>, Error> {
    let is_sealed = Sealer::is_sealed(&kept.text);
    if is_sealed && sealer.is_current(&kept.text) || !is_sealed && !sealer.has_key() {
        return Ok(None);
    }
    let secret = open(sealer, of, &kept.id, &kept.text)?;
    sealer.seal(&of.about(&kept.id), &secret).map(Some)
}
