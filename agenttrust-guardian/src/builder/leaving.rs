//! What calls that leave the Guardian may reach, and by which keys the secrets that they need are kept.

use super::GuardianBuilder;
use crate::domain::{AddressRange, GuardianError, SealKey, Sealer};
use crate::store::Database;

/// What the file of keys is called beside an SQLite database.
const SECRET_KEY: &str = ".secret-key";

impl GuardianBuilder {
    /// The ranges of addresses that were opened.
    pub(super) fn ranges(&self) -> Result<Vec<AddressRange>, GuardianError> {
        let read = |text: &String| {
            text.parse().map_err(|wrong| {
                GuardianError::Invalid(format!("allow-outbound is {text:?}, which is {wrong}"))
            })
        };
        self.allow_outbound.iter().map(read).collect()
    }

    /// The keys that were given; none where they are looked for elsewhere.
    pub(super) fn secret_keys(&self) -> Result<Vec<SealKey>, GuardianError> {
        let Some(text) = &self.secret_key else { return Ok(Vec::new()) };
        SealKey::read(text.expose()).map_err(|wrong| {
            GuardianError::Invalid(format!("the secret key (AGENTTRUST_SECRET_KEY) {wrong}"))
        })
    }
}

/// Seals by the keys that were given, else by those of the file beside the database. That file opens what it sealed in
/// any case, so that a key may move from it to a variable.
pub(super) fn sealer(mut keys: Vec<SealKey>, database: &Database) -> Result<Sealer, GuardianError> {
    match database.beside(SECRET_KEY) {
        Some(path) if keys.is_empty() => keys = SealKey::at(&path)?,
        Some(path) => keys.extend(SealKey::found(&path)?.unwrap_or_default()),
        None if keys.is_empty() && !database.is_shared() => keys.push(SealKey::random()?),
        None => {}
    }
    Ok(Sealer::new(keys))
}
