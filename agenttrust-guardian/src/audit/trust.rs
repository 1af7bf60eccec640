//! What is known of logs from outside of their database, by which they are verified.

use super::checkpoint::Checkpoint;
use super::fault::Fault;
use super::head::Head;
use super::key::PublicKey;
use super::noted::Noted;

/// The facts that are known from outside of the database.
#[derive(Clone, Debug, Default)]
pub(crate) struct Trust {
    /// The keys that may have signed. Without any, those that the log itself names: enough against a
    /// mistake, and against an attacker who cannot rewrite all of the log.
    pub(crate) keys: Vec<PublicKey>,
    /// The notes that were made elsewhere.
    pub(crate) noted: Vec<Noted>,
    /// The key that may have let rows go, where that is known apart from all of these.
    pub(crate) cut_by: Option<PublicKey>,
    /// The knowledge that the Guardian that writes one of the logs has of it.
    pub(crate) own: Option<Own>,
}

/// The knowledge that a running Guardian has of its own log.
#[derive(Clone, Debug)]
pub(crate) struct Own {
    pub(super) log: String,
    pub(super) log_id: Option<String>,
    pub(super) key: Option<PublicKey>,
    /// Whether the key is in a file, so that no other one signed since this Guardian started.
    pub(super) key_is_kept: bool,
    pub(super) reached: Head,
    /// The last row at the start.
    pub(super) began_at: i64,
    /// The row up to which the log was let go by then.
    pub(super) cut_at_start: Option<u64>,
    /// The row that an operator accepted before it started.
    pub(super) accepted: Option<Checkpoint>,
    /// The last row that it had written when it saw that the log was changed.
    pub(super) seen: Option<Head>,
}

impl Trust {
    pub(super) fn own(&self, log: &str) -> Option<&Own> {
        self.own.as_ref().filter(|own| own.log == log)
    }

    pub(super) fn noted<'a>(&'a self, log: &str) -> impl Iterator<Item = &'a Noted> {
        self.noted.iter().filter(move |noted| noted.log == log)
    }

    /// Returns the identity that a log has to have.
    pub(super) fn log_id(&self, log: &str) -> Option<String> {
        let own = self.own(log).and_then(|own| own.log_id.clone());
        own.or_else(|| self.noted(log).find_map(|noted| noted.log_id.clone()))
    }

    /// Returns what an operator accepted of a log last.
    pub(super) fn accepted(&self, log: &str) -> Option<&Checkpoint> {
        let own = self.own(log).and_then(|own| own.accepted.as_ref());
        own.or_else(|| self.noted(log).find_map(|noted| noted.accepted.as_ref()))
    }

    /// Returns the fault that a Guardian saw in a log, if no operator has accepted it.
    pub(super) fn seen(&self, log: &str) -> Option<Fault> {
        let told = |seq: u64, at: &str| {
            let what = format!(
                "a Guardian saw{at} that the log was not what it had written up to row {seq}, and decided nothing \
                 from then on"
            );
            Fault::at(seq, what)
        };
        let own = self.own(log).and_then(|own| own.seen);
        let noted = || self.noted(log).find_map(|noted| noted.broken.as_ref());
        own.map(|own| told(u64::try_from(own.seq).unwrap_or(0), ""))
            .or_else(|| noted().map(|seen| told(seen.seq, &format!(" at {}", seen.at))))
    }
}
