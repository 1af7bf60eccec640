//! What calls that leave the Guardian may reach, and by which keys the secrets that they need are kept.

use std::path::{Component, Path, PathBuf};

use super::GuardianBuilder;
use crate::domain::file::folder_of_all;
use crate::domain::{AddressRange, GuardianError, SealKey, Sealer};
use crate::outbound::siem::is_named_for_events;
use crate::outbound::{Outbound, Reach, Roots};
use crate::store::Database;

/// The ending of the file of keys beside an SQLite database.
const SECRET_KEY: &str = ".secret-key";

impl GuardianBuilder {
    /// Returns the ranges of addresses that were opened.
    fn ranges(&self) -> Result<Vec<AddressRange>, GuardianError> {
        let read = |text: &String| {
            text.parse().map_err(|wrong| {
                GuardianError::Invalid(format!("allow-outbound is {text:?}, which is {wrong}"))
            })
        };
        self.allow_outbound.iter().map(read).collect()
    }

    /// Returns what makes the calls that leave.
    pub(super) fn outbound(&self) -> Result<Outbound, GuardianError> {
        let reach = Reach::new(self.allow_private_targets, &self.ranges()?);
        let folders = self.siem_files.iter().map(|folder| open_folder(folder));
        let folders: Vec<PathBuf> = folders.collect::<Result<_, _>>()?;
        for own in [&self.audit.checkpoints, &self.audit.key].into_iter().flatten() {
            ensure_apart(own, &folders)?;
        }
        let outbound = Outbound::new(reach).writing_in(folders);
        let Some(file) = &self.outbound_ca else { return Ok(outbound) };
        let roots = Roots::read(file).map_err(|wrong| {
            GuardianError::Invalid(format!(
                "the file of authorities {} (outbound-ca) {wrong}; name a file of their certificates in PEM",
                file.display()
            ))
        })?;
        Ok(outbound.trusting(roots))
    }

    /// Returns the keys that were given; an empty list where they are looked for elsewhere.
    pub(super) fn secret_keys(&self) -> Result<Vec<SealKey>, GuardianError> {
        let Some(text) = &self.secret_key else { return Ok(Vec::new()) };
        SealKey::read(text.expose()).map_err(|wrong| {
            GuardianError::Invalid(format!("the secret key (AGENTTRUST_SECRET_KEY) {wrong}"))
        })
    }
}

/// Refuses a file of the audit that a destination could name: events would be written into it.
fn ensure_apart(own: &Path, folders: &[PathBuf]) -> Result<(), GuardianError> {
    // Where it is a link, events would be written into what it leads to.
    let own = own.canonicalize().or_else(|_| std::path::absolute(own));
    let Ok(own) = own else { return Ok(()) };
    let own_folder = own.parent().and_then(|folder| folder.canonicalize().ok());
    let is_in = |folder: &PathBuf| own_folder.is_some() && folder.canonicalize().ok() == own_folder;
    if !is_named_for_events(&own) || !folders.iter().any(is_in) {
        return Ok(());
    }
    Err(GuardianError::Invalid(format!(
        "{} is a file of the audit in a folder that is opened to files of events (siem-files), and has the name of \
         one: a destination could write into it; keep it in another folder",
        own.display()
    )))
}

/// Returns a folder that files of events may be written in, as their URLs name it.
fn open_folder(folder: &Path) -> Result<PathBuf, GuardianError> {
    let shown = folder.display();
    let wrong = |wrong: String| {
        GuardianError::Invalid(format!(
            "{shown} cannot be opened to files of events (siem-files): {wrong}"
        ))
    };
    if !folder.is_absolute() || folder.components().any(|part| part == Component::ParentDir) {
        return Err(wrong("name it by its absolute path, without `..`".to_owned()));
    }
    if !folder.exists() {
        return Err(wrong(format!("there is no such folder; make it with `mkdir -p {shown}`")));
    }
    if !folder.is_dir() {
        return Err(wrong("it is no folder".to_owned()));
    }
    if folder_of_all(&folder.join("events.jsonl")).is_some() {
        tracing::warn!(
            path = %shown,
            "anyone on this machine may put another file in the place of one of events: take that away with \
             `chmod o-w {shown}`"
        );
    }
    Ok(folder.components().collect())
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
