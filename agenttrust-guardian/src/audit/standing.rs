//! How a log stands when its Guardian starts: whether it is the one that was noted, has what checkpoints say of it, and
//! was seen changed.

use std::path::Path;

use agenttrust::internal::hex;

use super::checkpoint::{self, Checkpoint};
use super::checkpoint_file::FileContents;
use super::error::{AuditError, named};
use super::head::Head;
use super::key::PublicKey;
use super::noted::Noted;
use super::signing::Signing;
use crate::store::{Transaction, query};

const NAME_LOG: &str =
    "INSERT INTO audit_logs (log, log_id) VALUES ($1, $2) ON CONFLICT (log) DO NOTHING";
const ID_OF_LOG: &str = "SELECT log_id FROM audit_logs WHERE log = $1";

/// How a log stands at the start.
#[derive(Debug)]
pub(super) struct Standing {
    pub(super) log_id: String,
    /// What an operator accepted last.
    pub(super) accepted: Option<Checkpoint>,
}

impl Standing {
    /// Compares a log with the newest checkpoint in the database that is by the same key, and with what was noted
    /// outside.
    pub(super) async fn find(
        transaction: &mut Transaction,
        log: &str,
        signing: &Signing,
    ) -> Result<Self, AuditError> {
        let own = signing.key.public();
        let noted = match &signing.file {
            None => None,
            Some(file) => Some((of_log(file.read(&[own])?, log, file.path()), file.path())),
        };
        let id_kept =
            checkpoint::log_id(&mut *transaction, log).await.map_err(AuditError::unreadable)?;
        let kept =
            checkpoint::newest(&mut *transaction, log).await.map_err(AuditError::unreadable)?;
        let kept = kept.filter(|kept| kept.signer() == Some(own));
        if let Some((noted, path)) = &noted {
            ensure_own(noted.as_ref(), log, id_kept.as_deref(), path)?;
            say_what_is_missing(noted.as_ref(), kept.as_ref(), path);
        }
        let (noted, path) = noted.map_or((None, None), |(noted, path)| (noted, Some(path)));
        let accepted = noted.as_ref().and_then(|noted| noted.accepted.clone());
        let kept = kept
            .filter(|kept| accepted.as_ref().is_none_or(|accepted| kept.outlasts(accepted)))
            .map(|kept| (kept, "the database".to_owned()));
        let reached = noted.as_ref().and_then(|noted| noted.reached.clone());
        let place = path.map(|path| path.display().to_string()).unwrap_or_default();
        let outside = accepted.clone().into_iter().chain(reached).map(|said| (said, place.clone()));
        for (said, place) in kept.into_iter().chain(outside) {
            ensure_reached(transaction, (log, own), said, place).await?;
        }
        let id_noted = noted.as_ref().and_then(|noted| noted.log_id.clone());
        let is_old = noted.is_some() || Head::load(transaction, log).await.is_ok_and(Head::is_row);
        let log_id = match id_kept.or(id_noted) {
            Some(log_id) => log_id,
            None => agreed_id(transaction, log, is_old).await?,
        };
        Ok(Self { log_id, accepted })
    }
}

/// What the file says of this log.
fn of_log(contents: FileContents, log: &str, path: &Path) -> Option<Noted> {
    let FileContents { logs, unsigned } = contents;
    if unsigned > 0 {
        tracing::warn!(
            lines = unsigned, path = %path.display(),
            "lines of the file of checkpoints are cut, changed or signed by nobody, and not gone by"
        );
    }
    logs.into_iter().find(|noted| noted.log == log)
}

/// Refuses a log that was seen changed, and one that is not the one that was noted.
fn ensure_own(
    noted: Option<&Noted>,
    log: &str,
    id_kept: Option<&str>,
    path: &Path,
) -> Result<(), AuditError> {
    let (log, place) = (log.to_owned(), path.display().to_string());
    let Some(noted) = noted else { return Ok(()) };
    if let Some(seen) = &noted.broken {
        return Err(AuditError::Seen { log, seq: seen.seq, at: seen.at.clone(), place });
    }
    match (id_kept, noted.log_id.as_deref()) {
        (Some(kept), Some(noted)) if kept != noted => Err(AuditError::AnotherLog { log, place }),
        (Some(_), None) | (None, Some(_)) | (None, None) | (Some(_), Some(_)) => Ok(()),
    }
}

/// Says that lines are missing from the end of a file: what was changed behind the last of them cannot be seen by it.
fn say_what_is_missing(noted: Option<&Noted>, kept: Option<&Checkpoint>, path: &Path) {
    let Some(kept) = kept else { return };
    let noted = noted.and_then(|noted| noted.reached.as_ref().or(noted.accepted.as_ref()));
    if noted.is_none_or(|noted| noted.seq < kept.seq && noted.at < kept.at) {
        tracing::warn!(
            path = %path.display(), noted = noted.map(|noted| noted.seq), signed = kept.seq,
            "the file of checkpoints ends before a row that the database has a checkpoint of: it is new, or an older \
             copy, or lines were removed from its end; after a crash, those of its last second"
        );
    }
}

/// Whether the log has what a checkpoint says of it.
async fn ensure_reached(
    transaction: &mut Transaction,
    (log, own): (&str, PublicKey),
    said: Checkpoint,
    place: String,
) -> Result<(), AuditError> {
    let head = Head::from_checkpoint(&said).filter(|_| said.signer().is_some());
    let Some(head) = head else {
        tracing::error!(
            %place, seq = said.seq,
            "a checkpoint of the audit is signed by nobody and not gone by"
        );
        return Ok(());
    };
    match head.still_stands(transaction, log, (Some(own), said.log_id.as_deref())).await {
        Err(AuditError::Tampered { log, seq }) => {
            Err(AuditError::Truncated { log, seq, at: said.at, place })
        }
        stands => stands,
    }
}

/// The identity of a log that has none which is signed: of two Guardians that begin it at once, the first one's.
async fn agreed_id(
    transaction: &mut Transaction,
    log: &str,
    is_old: bool,
) -> Result<String, AuditError> {
    let made =
        query(NAME_LOG).bind(log).bind(new_id(log, is_old)?).execute(&mut *transaction).await;
    made.map_err(AuditError::unreadable)?;
    let agreed = query(ID_OF_LOG).bind(log).fetch_one(transaction).await;
    agreed.map(|(log_id,): (String,)| log_id).map_err(AuditError::unreadable)
}

/// Makes the identity of a log.
fn new_id(log: &str, is_old: bool) -> Result<String, AuditError> {
    let mut bits = [0_u8; 16];
    getrandom::fill(&mut bits).map_err(AuditError::NoIdentity)?;
    let log_id = hex::encode(&bits);
    if is_old {
        tracing::info!(
            log_id,
            "the audit log{} of an earlier version is taken over, with its checkpoints: they name it from now on",
            named(log)
        );
    }
    Ok(log_id)
}

#[cfg(test)]
#[path = "standing_tests.rs"]
mod tests;
