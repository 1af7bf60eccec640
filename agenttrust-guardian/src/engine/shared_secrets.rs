//! The secrets that all Guardians on one database share: made by the first of them, and kept sealed where there is a
//! key for it. One who reads the database, and has no such key, does not know them.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use crate::domain::{Error, GuardianError, Sealer, Secret};
use crate::store::Store;

/// The length of each secret, in bytes.
const BYTES: usize = 32;

/// The secret that is found under a name.
enum Kept {
    Opened([u8; BYTES]),
    /// The secret was sealed by a key that is not here, or was changed.
    Closed(Error),
}

/// Returns the secret of this name.
///
/// A secret that does not open is left as it is, for Guardians that have its key. Another one takes its place, which
/// Guardians with the key of this one share.
///
/// # Errors
///
/// Those of the database, and for a secret that is malformed.
pub(super) async fn shared_secret(
    store: &Store,
    sealer: &Sealer,
    name: &str,
) -> Result<[u8; BYTES], GuardianError> {
    let closed = match find(store, sealer, name).await? {
        Kept::Opened(secret) => return Ok(secret),
        Kept::Closed(error) => error,
    };
    tracing::warn!(
        "another secret is used in the place of {name}, so what Guardians with the former key gave out is worth nothing \
         to this one: {}",
        closed.message()
    );
    let name = format!("{name}@{}", sealer.key_id().unwrap_or("clear"));
    match find(store, sealer, &name).await? {
        Kept::Opened(secret) => Ok(secret),
        Kept::Closed(error) => Err(error.into()),
    }
}

/// Finds the secret of this name, or keeps a new one; seals by the key of today what is kept in clear or by a former
/// one.
async fn find(store: &Store, sealer: &Sealer, name: &str) -> Result<Kept, GuardianError> {
    let mut fresh = [0_u8; BYTES];
    getrandom::fill(&mut fresh)?;
    let failed = |error| GuardianError::Unavailable(format!("the secret {name}: {error}"));
    let kept = store.secret(name.to_owned(), as_kept(sealer, name, &fresh)?).await;
    let kept = kept.map_err(failed)?;
    let sealed = std::str::from_utf8(&kept).ok().filter(|text| Sealer::is_sealed(text));
    let secret = match sealed.map(|text| sealer.open(&about(name), text)) {
        Some(Err(error)) => return Ok(Kept::Closed(error)),
        Some(Ok(secret)) => URL_SAFE_NO_PAD.decode(secret.expose()).unwrap_or_default(),
        None => kept.clone(),
    };
    let secret: [u8; BYTES] = secret.try_into().map_err(|_| {
        GuardianError::Unavailable(format!(
            "the database holds no usable secret {name}; restore it"
        ))
    })?;
    if sealer.has_key() && !sealed.is_some_and(|text| sealer.is_current(text)) {
        let after = as_kept(sealer, name, &secret)?;
        // Another Guardian that starts may be first, which seals the same secret.
        store.replace_secret(name.to_owned(), kept, after).await.map_err(failed)?;
    }
    Ok(Kept::Opened(secret))
}

/// Returns what is kept of a secret: sealed, or the secret itself where there is no key.
fn as_kept(sealer: &Sealer, name: &str, secret: &[u8; BYTES]) -> Result<Vec<u8>, GuardianError> {
    if !sealer.has_key() {
        return Ok(secret.to_vec());
    }
    let text = Secret::from(URL_SAFE_NO_PAD.encode(secret));
    Ok(sealer.seal(&about(name), &text)?.into_bytes())
}

/// Returns what the secret of this name is sealed for.
fn about(name: &str) -> String {
    format!("secret:{name}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::SealKey;
    use crate::store::Database;

    const NAME: &str = "mcp_binding";

    fn sealer(keys: &[u8]) -> Sealer {
        Sealer::new(keys.iter().map(|key| SealKey::new(&[*key; 32])).collect())
    }

    async fn store() -> Store {
        Store::open(&Database::Memory).await.unwrap()
    }

    /// Returns what the database has under this name.
    async fn kept(store: &Store, name: &str) -> Vec<u8> {
        store.secret(name.to_owned(), Vec::new()).await.unwrap()
    }

    #[tokio::test]
    async fn secret_that_was_kept_in_clear_stays_the_same_and_is_sealed_once_there_is_a_key() {
        let store = store().await;
        let none = sealer(&[]);
        let secret = shared_secret(&store, &none, NAME).await.unwrap();
        assert_eq!(kept(&store, NAME).await, secret, "there is nothing to seal it by");
        for keys in [&[1][..], &[1], &[2, 1], &[2]] {
            let sealer = sealer(keys);
            assert_eq!(shared_secret(&store, &sealer, NAME).await.unwrap(), secret, "{keys:?}");
            let kept = String::from_utf8(kept(&store, NAME).await).unwrap();
            assert!(sealer.is_current(&kept), "{keys:?}");
            // Under another name it is no secret.
            assert!(sealer.open(&about("check_ids"), &kept).is_err());
        }
    }

    #[tokio::test]
    async fn secret_that_does_not_open_is_left_and_those_of_another_key_share_another() {
        let store = store().await;
        let (one, two, none) = (sealer(&[1]), sealer(&[2]), sealer(&[]));
        let first = shared_secret(&store, &one, NAME).await.unwrap();
        let before = kept(&store, NAME).await;
        let other = shared_secret(&store, &two, NAME).await.unwrap();
        assert_ne!(other, first);
        assert_eq!(shared_secret(&store, &two, NAME).await.unwrap(), other);
        let clear = shared_secret(&store, &none, NAME).await.unwrap();
        assert_eq!(shared_secret(&store, &none, NAME).await.unwrap(), clear);
        assert!(clear != first && clear != other);
        assert_eq!(kept(&store, NAME).await, before);
        assert_eq!(shared_secret(&store, &one, NAME).await.unwrap(), first);
    }

    #[tokio::test]
    async fn what_is_no_secret_is_refused_and_named() {
        let store = store().await;
        store.secret(NAME.to_owned(), b"short".to_vec()).await.unwrap();
        let refused = shared_secret(&store, &sealer(&[1]), NAME).await.unwrap_err();
        assert!(refused.to_string().contains(NAME), "{refused}");
    }
}
