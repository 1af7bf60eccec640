//! How a log stands when its Guardian starts: whether it is the one that was noted, has what checkpoints say of it, and
//! was seen changed.

use std::path::Path;

use agenttrust::internal::hex;

use super::chain::{Hash, as_it_is};
use super::checkpoint::{self, Checkpoint, CheckpointKind};
use super::checkpoint_file::FileContents;
use super::commands::Verify;
use super::error::{AuditError, named};
use super::head::Head;
use super::key::{AuditKey, PublicKey};
use super::noted::Noted;
use super::read;
use super::signing::Signing;
use super::tail;
use crate::store::{Transaction, query};

const NAME_LOG: &str =
    "INSERT INTO audit_logs (log, log_id) VALUES ($1, $2) ON CONFLICT (log) DO NOTHING";
const ID_OF_LOG: &str = "SELECT log_id FROM audit_logs WHERE log = $1";

/// The state of a log at the start.
#[derive(Debug)]
pub(super) struct Standing {
    pub(super) log_id: String,
    /// The row that an operator accepted last.
    pub(super) accepted: Option<Checkpoint>,
    /// The last row.
    pub(super) head: Head,
    /// The same, where an operator accepted it although its hash is not of what it says.
    pub(super) excused: Option<Head>,
    /// The row up to which it was let go.
    pub(super) cut: Option<u64>,
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
        if let Some((noted, path)) = &noted {
            ensure_own(noted.as_ref(), log, id_kept.as_deref(), path)?;
        }
        let (noted, path) = noted.map_or((None, None), |(noted, path)| (noted, Some(path)));
        ensure_same_key(noted.as_ref().and_then(how_far).or(kept.as_ref()), log, signing)?;
        let kept = kept.filter(|kept| kept.signer() == Some(own));
        if let Some(path) = path {
            say_what_is_missing(noted.as_ref(), kept.as_ref(), path);
        }
        let accepted = noted.as_ref().and_then(|noted| noted.accepted.clone());
        let kept = kept
            .filter(|kept| accepted.as_ref().is_none_or(|accepted| kept.outlasts(accepted)))
            .map(|kept| (kept, "the database".to_owned()));
        let reached = noted.as_ref().and_then(|noted| noted.reached.clone());
        let place = path.map(|path| path.display().to_string()).unwrap_or_default();
        let outside = accepted.clone().into_iter().chain(reached).map(|said| (said, place.clone()));
        let said = kept.into_iter().chain(outside).collect();
        let newest = newest_of(transaction, (log, own), said).await?;
        let excused = newest.as_ref().filter(|newest| newest.is_excused).map(|newest| newest.from);
        let head = Head::load(transaction, log).await.map_err(AuditError::unreadable)?;
        match newest {
            Some(newest) => newest.ensure_end(transaction, log, &signing.key).await?,
            None if head.is_row() && !head.is_there(transaction, log).await? => {
                return Err(head.tampered(log));
            }
            None => {}
        }
        let excused = excused.filter(|excused| *excused == head);
        let cut = checkpoint::cut(&mut *transaction, log).await.map_err(AuditError::unreadable)?;
        let cut = cut.map(|cut| cut.seq);
        let id_noted = noted.as_ref().and_then(|noted| noted.log_id.clone());
        let is_old = noted.is_some() || head.is_row();
        let log_id = match id_kept.or(id_noted) {
            Some(log_id) => log_id,
            None => agreed_id(transaction, log, is_old).await?,
        };
        Ok(Self { log_id, accepted, head, excused, cut })
    }
}

/// Returns what the file says of this log.
fn of_log(contents: FileContents, log: &str, path: &Path) -> Option<Noted> {
    let FileContents { logs, unsigned } = contents;
    if unsigned > 0 {
        tracing::warn!(
            lines = unsigned, path = %path.display(),
            "lines of the file of checkpoints are cut, changed or not signed, and are ignored"
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

/// Returns the newest word of a file on how far a log had come.
fn how_far(noted: &Noted) -> Option<&Checkpoint> {
    noted.reached.as_ref().or(noted.accepted.as_ref())
}

/// Refuses a log that was signed by another key up to this checkpoint: the file of the key was lost, or exchanged. A
/// key that ends with its process is never the one of before. Without a file of checkpoints an operator cannot accept
/// the new key, so that is an error in the log.
fn ensure_same_key(
    newest: Option<&Checkpoint>,
    log: &str,
    signing: &Signing,
) -> Result<(), AuditError> {
    let own = signing.key.public();
    let signed = newest.and_then(|newest| Some((newest.seq, newest.signer()?)));
    let Some((seq, key)) = signed.filter(|(_, key)| *key != own && signing.key.is_kept()) else {
        return Ok(());
    };
    if signing.file.is_some() {
        return Err(AuditError::KeyReplaced { log: log.to_owned(), seq, key, own });
    }
    tracing::error!(
        log, row = seq, former = %key, key = %own,
        "the audit key was replaced: the log is signed up to this row by the former key, and from now on by another \
         one. Without a file of checkpoints the Guardian goes on; if the key was not meant to change, stop it and put \
         the former file back. `{Verify}` calls the log broken there, unless it is given both public \
         keys with --key"
    );
    Ok(())
}

/// Says that lines are missing from the end of a file: what was changed behind the last of them cannot be seen by it.
fn say_what_is_missing(noted: Option<&Noted>, kept: Option<&Checkpoint>, path: &Path) {
    let Some(kept) = kept else { return };
    let noted = noted.and_then(how_far);
    if noted.is_none_or(|noted| noted.seq < kept.seq && noted.at < kept.at) {
        tracing::warn!(
            path = %path.display(), noted = noted.map(|noted| noted.seq), signed = kept.seq,
            "the file of checkpoints ends before a row that the database has a checkpoint of: it is new, or an older \
             copy, or lines were removed from its end; after a crash, those of its last second"
        );
    }
}

/// The newest row that is known from before the start, and what is behind it.
struct Newest {
    said: Checkpoint,
    /// The place where that was noted.
    place: String,
    /// The head of that row, or of the one up to which the log was let go since.
    from: Head,
    /// Whether an operator accepted it although its hash is not of what it says.
    is_excused: bool,
}

impl Newest {
    /// Refuses rows behind it that do not follow it. Where its Guardian closed there, such rows may be by a command
    /// alone; else they may be of the last moments before it was killed.
    async fn ensure_end(
        self,
        transaction: &mut Transaction,
        log: &str,
        key: &AuditKey,
    ) -> Result<(), AuditError> {
        let Self { said, place, from, .. } = self;
        let keys: Vec<PublicKey> = said.signer().into_iter().chain([key.public()]).collect();
        let tail = tail::behind(transaction, log, from, (&keys, said.log_id.as_deref())).await?;
        let Some((first, last)) = tail.unsigned else { return Ok(()) };
        if said.says == CheckpointKind::Closed && key.is_kept() {
            return Err(AuditError::Added { log: log.to_owned(), first, last, at: said.at, place });
        }
        tracing::warn!(
            log,
            first,
            last,
            "rows of the audit log are behind the last one that was signed, and taken for those of a Guardian that was \
             killed"
        );
        Ok(())
    }
}

/// Finds the newest row that the log has to have by these checkpoints; of two of one row, by the later.
async fn newest_of(
    transaction: &mut Transaction,
    (log, own): (&str, PublicKey),
    said: Vec<(Checkpoint, String)>,
) -> Result<Option<Newest>, AuditError> {
    let mut newest: Option<Newest> = None;
    for (said, place) in said {
        let Some(reached) = ensure_reached(transaction, (log, own), said, place).await? else {
            continue;
        };
        // Row 0 says nothing of where the log has come to.
        let is_newer = newest.as_ref().is_none_or(|newest| newest.said.seq <= reached.said.seq);
        if is_newer && reached.said.seq > 0 {
            newest = Some(reached);
        }
    }
    Ok(newest)
}

/// Finds out whether the log has what a checkpoint says of it.
async fn ensure_reached(
    transaction: &mut Transaction,
    (log, own): (&str, PublicKey),
    said: Checkpoint,
    place: String,
) -> Result<Option<Newest>, AuditError> {
    let Some(head) = said.head().filter(|_| said.signer().is_some()) else {
        tracing::error!(
            %place, seq = said.seq,
            "a checkpoint of the audit is not signed, and is ignored"
        );
        return Ok(None);
    };
    if said.says == CheckpointKind::Accepted
        && let Some(row) = read::row(&mut *transaction, log, head.seq).await?
        && as_it_is(&row) == head.hash
    {
        let hash = Hash::try_from(row.hash.as_slice()).unwrap_or_default();
        let is_excused = hash != head.hash;
        let from = Head { hash, ..head };
        return Ok(Some(Newest { said, place, from, is_excused }));
    }
    match head.still_stands(transaction, log, (Some(own), said.log_id.as_deref())).await {
        Err(AuditError::Tampered { log, seq }) => {
            Err(AuditError::Truncated { log, seq, at: said.at, place })
        }
        Err(error) => Err(error),
        Ok(from) => Ok(Some(Newest { said, place, from, is_excused: false })),
    }
}

/// Returns the identity of a log that has no signed one: of two Guardians that begin it at once, the first one's.
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
