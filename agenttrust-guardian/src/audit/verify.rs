//! Whether a log is what was written: a walk along its chain, past every checkpoint of it.

use std::collections::VecDeque;

use agenttrust::internal::hex;

use super::chain::{Hash, Link, as_it_is, genesis};
use super::checkpoint::{self, Checkpoint, CheckpointKind};
use super::error::AuditError;
use super::fault::{Fault, number, of_another_log, of_rows};
use super::head::Head;
use super::key::PublicKey;
use super::read::{MAX_PAGE, ReadRow, last_seq, logs, page};
use super::record::Stored;
use super::tail;
use super::trust::{Own, Trust};
use crate::store::Db;

/// The number of walks that found something else each time, because rows are let go under them, after which no other
/// one begins.
const WALKS: usize = 4;

/// The findings of a walk along a log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Verification {
    /// The name of the log; empty on SQLite.
    pub(crate) log: String,
    /// The number of rows that are whole, from the first one on.
    pub(crate) rows: u64,
    /// The hash of the last of those, in hexadecimal. Noted outside, it shows later that no row was
    /// removed from the end.
    pub(crate) head: String,
    /// The row up to which the log was let go, as a checkpoint says.
    pub(crate) cut: Option<u64>,
    /// The row up to which an operator accepted the log as it is; row 0 where no row was wrong.
    pub(crate) accepted: Option<u64>,
    /// The newest row that a checkpoint vouches for; those after it could be removed from the end unseen.
    pub(crate) signed: Option<u64>,
    /// The public keys that signed, in hexadecimal.
    pub(crate) keys: Vec<String>,
    /// The first fault; `None` when the log is whole.
    pub(crate) fault: Option<Fault>,
}

/// Walks along every log: those in the database, and those that are known from outside.
///
/// # Errors
///
/// As for [`verify`].
///
/// # Cancel safety
///
/// May be dropped at any time.
pub(crate) async fn verify_all(db: &Db, trust: &Trust) -> Result<Vec<Verification>, AuditError> {
    let mut names = logs(db).await?;
    names.extend(trust.noted.iter().map(|noted| noted.log.clone()));
    names.extend(trust.own.iter().map(|own| own.log.clone()));
    names.sort_unstable();
    names.dedup();
    let mut found = Vec::new();
    for log in names {
        found.push(verify(db, &log, trust, None).await?);
    }
    Ok(found)
}

/// Walks along a log from its first row, or from where it was cut, to the one that is last when it starts,
/// or to row `through`.
///
/// # Errors
///
/// [`AuditError::Unreadable`] when the database cannot answer. A broken log is no error: it is the
/// [`Verification::fault`].
///
/// # Cancel safety
///
/// May be dropped at any time.
pub(crate) async fn verify(
    db: &Db,
    log: &str,
    trust: &Trust,
    through: Option<i64>,
) -> Result<Verification, AuditError> {
    let mut before = None;
    let mut walks = 1;
    loop {
        let cut = checkpoint::cut(db, log).await.map_err(AuditError::unreadable)?;
        let mut found = Walk::along(db, log, trust, cut.clone(), through).await?.found;
        let Some(fault) = &mut found.fault else { return Ok(found) };
        let now = Some((cut, fault.clone()));
        if now == before {
            return Ok(found);
        }
        if walks == WALKS {
            fault.is_sure = false;
            return Ok(found);
        }
        before = now;
        walks += 1;
    }
}

/// The progress of the walk: all rows up to here are whole.
struct Walk<'a> {
    db: &'a Db,
    trust: &'a Trust,
    /// The place where the walk begins, if the log was cut or accepted up to there.
    cut: Option<Checkpoint>,
    /// The identity of the log, once that is known.
    log_id: Option<String>,
    /// The row that was looked at last.
    at: Head,
    /// The checkpoints of the database that are still ahead, up to the newest.
    marks: VecDeque<Checkpoint>,
    marks_after: i64,
    /// The newest of them when the walk began.
    newest: Option<Checkpoint>,
    /// The claims from outside that are still ahead.
    claims: Vec<Claim<'a>>,
    /// The keys that may have signed what comes next.
    keys: Vec<PublicKey>,
    /// The last key that a Guardian started with, and the row that says so.
    pinned: Option<(u64, PublicKey)>,
    found: Verification,
    /// The first fault that may be none: what is behind it is looked at all the same.
    doubtful: Option<Fault>,
}

/// A claim from outside about the log.
enum Claim<'a> {
    Noted(&'a Checkpoint),
    Remembered(Head),
}

impl Claim<'_> {
    fn seq(&self) -> i64 {
        match self {
            Self::Noted(noted) => noted.seq(),
            Self::Remembered(head) => head.seq,
        }
    }
}

impl<'a> Walk<'a> {
    async fn along(
        db: &'a Db,
        log: &str,
        trust: &'a Trust,
        cut: Option<Checkpoint>,
        through: Option<i64>,
    ) -> Result<Self, AuditError> {
        // Before the last row is looked for: what is said of it is written with it.
        let newest = checkpoint::newest(db, log).await.map_err(AuditError::unreadable)?;
        let last = last_seq(db, log).await?.min(through.unwrap_or(i64::MAX));
        let cut_at = cut.as_ref().map(|cut| cut.seq);
        let accepted = trust.accepted(log);
        let from = match accepted {
            Some(accepted) if accepted.seq > cut_at.unwrap_or(0) => Some(accepted.clone()),
            Some(_) | None => cut,
        };
        let begin = from.as_ref().map_or(0, Checkpoint::seq);
        let own = trust.own(log).map(|own| Claim::Remembered(own.reached));
        let noted = trust.noted(log).filter_map(|noted| noted.reached.as_ref());
        let claims = own.into_iter().chain(noted.map(Claim::Noted));
        let mut walk = Self {
            db,
            trust,
            at: Head { seq: 0, hash: genesis(log) },
            marks: VecDeque::new(),
            marks_after: begin,
            newest,
            claims: claims.filter(|claim| claim.seq() > begin).collect(),
            keys: Vec::new(),
            pinned: None,
            found: Verification {
                log: log.to_owned(),
                rows: 0,
                head: String::new(),
                cut: cut_at,
                accepted: accepted.map(|accepted| accepted.seq),
                signed: None,
                keys: Vec::new(),
                fault: None,
            },
            cut: from,
            log_id: trust.log_id(log),
            doubtful: None,
        };
        let fault = match walk.begin() {
            Err(fault) => Some(fault),
            Ok(()) => match walk.rows(last).await? {
                None if through.is_none() => walk.end().await?,
                fault => fault,
            },
        };
        let fault = fault.or(walk.doubtful.take()).or_else(|| trust.seen(log));
        walk.found.head = hex::encode(&walk.at.hash);
        walk.found.keys = walk.keys.iter().map(ToString::to_string).collect();
        walk.found.fault = fault;
        Ok(walk)
    }

    /// Begins after the cut, or what was accepted, if there is either.
    fn begin(&mut self) -> Result<(), Fault> {
        let Some(cut) = self.cut.clone() else { return Ok(()) };
        if self.is_accepted() {
            self.signed(&cut, "acceptance")?;
        } else {
            let by_another = self.vouched_for(&cut);
            self.unless_doubtful(by_another)?;
            self.signed(&cut, "cut")?;
        }
        if let Some(head) = cut.head() {
            self.at = head;
        }
        Ok(())
    }

    /// Returns whether the walk begins where an operator accepted the log as it is.
    fn is_accepted(&self) -> bool {
        self.cut.as_ref().is_some_and(|cut| cut.says == CheckpointKind::Accepted)
    }

    /// Checks that a cut is by a key that may have made it. Nothing before a cut can be looked at, so where it is
    /// known whose log it is, only that key may have cut it: no row after it can make up for a cut by another key.
    fn vouched_for(&self, cut: &Checkpoint) -> Result<(), Fault> {
        let log = &self.found.log;
        let noted = || self.trust.noted(log).filter_map(|noted| noted.reached.as_ref());
        // What was noted of this very log is not made up for by the cut of any other, or of one without a name.
        let passed_over = noted().find(|noted| {
            noted.seq <= cut.seq && noted.log_id.is_some() && noted.log_id != cut.log_id
        });
        if passed_over.is_some() {
            return Err(of_another_log(cut, "cut"));
        }
        if !self.trust.keys.is_empty() {
            return Ok(());
        }
        let own = self.trust.own(log).and_then(|own| own.key).into_iter();
        let known = own.chain(noted().filter_map(Checkpoint::signer)).chain(self.trust.cut_by);
        let keys: Vec<PublicKey> = known.collect();
        match cut.signer() {
            Some(key) if !keys.is_empty() && !keys.contains(&key) => {
                let what = format!(
                    "the log was cut at row {} by the key {key}, which is not the one that it is \
                     signed with",
                    cut.seq
                );
                let is_sure = self.is_since_start(|own| own.cut_at_start < Some(cut.seq));
                Err(Fault { is_sure, ..Fault::at(cut.seq, what) })
            }
            _ => Ok(()),
        }
    }

    /// Returns whether what another key signed cannot be of the key that the Guardian had before, because it is `since`
    /// the start and the key is kept.
    fn is_since_start(&self, since: impl Fn(&Own) -> bool) -> bool {
        self.trust.own(&self.found.log).is_none_or(|own| own.key_is_kept && since(own))
    }

    async fn rows(&mut self, last: i64) -> Result<Option<Fault>, AuditError> {
        // From the very lowest number, so that a row put before the first is seen; else from what was accepted.
        let accepted = self.cut.as_ref().filter(|_| self.is_accepted());
        let mut after = accepted.map_or(i64::MIN, |accepted| accepted.seq() - 1);
        let log = self.found.log.clone();
        while after < last {
            let rows = page(self.db, &log, after, MAX_PAGE, None).await?;
            if rows.is_empty() {
                let gone = number(self.at.seq + 1);
                return Ok(Some(Fault::at(
                    gone,
                    format!("row {gone} was removed while the log was verified"),
                )));
            }
            for ReadRow { seq, row } in rows {
                if seq > last {
                    return Ok(None);
                }
                after = seq;
                if let Err(fault) = self.step(seq, row) {
                    return Ok(Some(fault));
                }
                self.read_marks().await?;
                if let Err(fault) = self.compare() {
                    return Ok(Some(fault));
                }
            }
        }
        Ok(None)
    }

    fn step(&mut self, seq: i64, row: Result<Stored, sqlx::Error>) -> Result<(), Fault> {
        let Some(number) = u64::try_from(seq).ok().filter(|number| *number > 0) else {
            return Err(Fault::at(
                0,
                format!("a row numbered {seq} was added before the first one"),
            ));
        };
        let cut = self.cut.as_ref().map_or(0, Checkpoint::seq);
        let leftover = self.found.rows == 0 && seq <= cut;
        let is_at_accepted = self.is_accepted() && self.found.rows == 0;
        let expected = if is_at_accepted { cut } else { self.at.seq + 1 };
        if seq != expected && !leftover {
            return Err(of_rows(expected, seq - 1, "removed"));
        }
        let row = row.map_err(|error| {
            Fault::at(number, format!("row {number} was changed: it cannot be read ({error})"))
        })?;
        if is_at_accepted && self.cut.as_ref().and_then(Checkpoint::hash) == Some(as_it_is(&row)) {
            // Accepted as it is, even where its hash is not of what it says, or it names a key that is no more.
            self.found.rows += 1;
            let hash = Hash::try_from(row.hash.as_slice()).unwrap_or_default();
            self.at = Head { seq, hash };
            return Ok(());
        }
        let hash = Link::from(&row).hash();
        if row.hash != hash {
            return Err(Fault::at(
                number,
                format!(
                    "row {number} was changed or moved here from another place: it does not match \
                     its own hash"
                ),
            ));
        }
        // What is left of rows that are being let go has to lead to the cut.
        if row.prev_hash != self.at.hash && !leftover {
            return Err(Fault::at(
                number,
                format!(
                    "row {number} does not continue the row before it: one of the two was replaced, \
                     or moved here from another log"
                ),
            ));
        }
        let led_to_cut = |cut: &Checkpoint| cut.seq() != seq || cut.hash() == Some(hash);
        if !self.cut.as_ref().is_none_or(led_to_cut) {
            return Err(Fault::at(
                number,
                format!("row {number} is not the one up to which the log was let go"),
            ));
        }
        self.pin(number, &row)?;
        self.found.rows += 1;
        self.at = Head { seq, hash };
        Ok(())
    }

    /// Takes note of the key that a Guardian says that it started with.
    fn pin(&mut self, number: u64, row: &Stored) -> Result<(), Fault> {
        if row.kind != "guardian.started" {
            return Ok(());
        }
        let body: serde_json::Value = serde_json::from_str(&row.body).unwrap_or_default();
        let key = body.get("audit_key").and_then(serde_json::Value::as_str);
        let Some(key) = key.and_then(|key| key.parse::<PublicKey>().ok()) else { return Ok(()) };
        if !self.trust.keys.is_empty() && !self.trust.keys.contains(&key) {
            return Err(Fault::at(
                number,
                format!(
                    "the audit key was replaced: the Guardian that started in row {number} signs with \
                     {key}"
                ),
            ));
        }
        self.pinned = Some((number, key));
        self.know(key);
        Ok(())
    }

    fn know(&mut self, key: PublicKey) {
        if !self.keys.contains(&key) {
            self.keys.push(key);
        }
    }

    /// Passes on a fault, but for one that may be none, which is kept; returns whether there is no fault.
    fn unless_doubtful(&mut self, checked: Result<(), Fault>) -> Result<bool, Fault> {
        match checked {
            Ok(()) => Ok(true),
            Err(fault) if fault.is_sure => Err(fault),
            Err(fault) => {
                self.doubtful.get_or_insert(fault);
                Ok(false)
            }
        }
    }

    /// Checks that a checkpoint is signed by a key that may sign here; returns `false` where that is in doubt.
    fn signed(&mut self, checkpoint: &Checkpoint, what: &str) -> Result<bool, Fault> {
        let checked = self.check_signature(checkpoint, what);
        self.unless_doubtful(checked)
    }

    fn check_signature(&mut self, checkpoint: &Checkpoint, what: &str) -> Result<(), Fault> {
        let seq = checkpoint.seq;
        let Some(key) = checkpoint.signer() else {
            return Err(Fault::at(
                seq,
                format!("the {what} at row {seq} is forged: its signature is not of what it says"),
            ));
        };
        let trusted = if self.trust.keys.is_empty() {
            // The first one speaks for itself, where no Guardian has said which key it has.
            self.keys.is_empty() || self.keys.contains(&key)
        } else {
            self.trust.keys.contains(&key)
        };
        if !trusted {
            let what = format!(
                "the {what} at row {seq} is signed by another key, {key}: it is forged, or the key \
                 was replaced"
            );
            let is_sure = self.is_since_start(|own| checkpoint.seq() > own.began_at);
            return Err(Fault { is_sure, ..Fault::at(seq, what) });
        }
        match (&self.log_id, &checkpoint.log_id) {
            (Some(own), Some(log_id)) if own != log_id => {
                return Err(of_another_log(checkpoint, what));
            }
            (None, Some(log_id)) => self.log_id = Some(log_id.clone()),
            (_, None) | (Some(_), Some(_)) => {}
        }
        self.know(key);
        Ok(())
    }

    async fn read_marks(&mut self) -> Result<(), AuditError> {
        let last = self.newest.as_ref().map_or(0, Checkpoint::seq);
        while self.marks.is_empty() && self.marks_after < last {
            let next = checkpoint::after(self.db, &self.found.log, self.marks_after, MAX_PAGE);
            let next = next.await.map_err(AuditError::unreadable)?;
            self.marks_after = next.last().map_or(last, Checkpoint::seq);
            // Newer ones may be of rows that are newer than the last one of this walk.
            // And what was signed before the log was accepted says nothing of it any more.
            let accepted = self.trust.accepted(&self.found.log);
            let known = next.into_iter().filter(|mark| mark.seq() <= last);
            let known =
                known.filter(|mark| accepted.is_none_or(|accepted| mark.outlasts(accepted)));
            self.marks.extend(known);
        }
        Ok(())
    }

    /// Compares the row that was looked at last with whatever is said of it.
    fn compare(&mut self) -> Result<(), Fault> {
        let Head { seq, hash } = self.at;
        while let Some(mark) = self.marks.pop_front_if(|mark| mark.seq() <= seq) {
            if mark.seq() == seq {
                self.vouched(&mark, hash)?;
            }
        }
        let claims = std::mem::take(&mut self.claims).into_iter();
        let (here, ahead): (Vec<_>, Vec<_>) = claims.partition(|claim| claim.seq() == seq);
        self.claims = ahead;
        for claim in here {
            match claim {
                Claim::Noted(noted) => self.vouched(noted, hash)?,
                Claim::Remembered(tail) if tail.hash == hash => {}
                Claim::Remembered(_) => {
                    let seq = number(seq);
                    return Err(Fault::at(
                        seq,
                        format!(
                            "row {seq} is not the one that this Guardian wrote: the log was rewritten"
                        ),
                    ));
                }
            }
        }
        Ok(())
    }

    fn vouched(&mut self, checkpoint: &Checkpoint, hash: Hash) -> Result<(), Fault> {
        if !self.signed(checkpoint, "checkpoint")? {
            return Ok(());
        }
        let seq = checkpoint.seq;
        if checkpoint.hash() != Some(hash) {
            return Err(Fault::at(
                seq,
                format!(
                    "row {seq} is not the one that was signed at {}: the log was rewritten",
                    checkpoint.at
                ),
            ));
        }
        self.found.signed = self.found.signed.max(Some(seq));
        Ok(())
    }

    /// Returns the fault at the end of the log, if a checkpoint has seen more rows than there are or the key is not
    /// the Guardian's.
    async fn end(&mut self) -> Result<Option<Fault>, AuditError> {
        let mut ahead = Vec::new();
        loop {
            self.read_marks().await?;
            if self.marks.is_empty() {
                break;
            }
            ahead.extend(self.marks.drain(..));
        }
        match self.ends_well(&ahead) {
            Err(fault) => Ok(Some(fault)),
            Ok(()) => self.after_close().await,
        }
    }

    /// Returns the rows that were added behind the one with which the Guardian closed, if no Guardian has started
    /// since.
    async fn after_close(&self) -> Result<Option<Fault>, AuditError> {
        let log = self.found.log.as_str();
        let mut noted = self.trust.noted(log).filter_map(|noted| noted.reached.as_ref());
        let Some(closed) = noted.find(|noted| noted.says == CheckpointKind::Closed) else {
            return Ok(None);
        };
        // One that has started since signed its first rows; should it start just now, the next walk sees that.
        let (keys, log_id) = (self.keys.as_slice(), self.log_id.as_deref());
        let newest = self.newest.as_ref().filter(|newest| newest.seq > closed.seq);
        if newest.is_some_and(|newest| newest.is_by(keys, log_id)) {
            return Ok(None);
        }
        let from = self.cut.as_ref().filter(|cut| cut.seq >= closed.seq).unwrap_or(closed);
        let Some(from) = from.head() else { return Ok(None) };
        let unsigned = match tail::behind(self.db, log, from, (keys, log_id)).await {
            Ok(tail) => tail.unsigned,
            // Rows are written, or let go, at this moment: else the walk would have found it.
            Err(AuditError::Tampered { seq, .. }) => {
                let what = format!("row {seq} does not continue the row before it");
                return Ok(Some(Fault::at(seq, what)));
            }
            Err(error) => return Err(error),
        };
        Ok(unsigned.map(|(first, last)| {
            let how = format!(
                "added from outside, since the Guardian closed at {} with row {}",
                closed.at, closed.seq
            );
            of_rows(first, last, &how)
        }))
    }

    fn ends_well(&mut self, ahead: &[Checkpoint]) -> Result<(), Fault> {
        let next = self.at.seq + 1;
        let noted = std::mem::take(&mut self.claims);
        let noted = noted.into_iter().filter_map(|claim| match claim {
            Claim::Noted(noted) => Some(noted),
            Claim::Remembered(_) => None,
        });
        let mut ahead: Vec<&Checkpoint> = ahead.iter().chain(noted).collect();
        ahead.sort_by_key(|checkpoint| std::cmp::Reverse(checkpoint.seq));
        for checkpoint in ahead {
            if !self.signed(checkpoint, "checkpoint")? {
                continue;
            }
            return Err(of_rows(
                next,
                checkpoint.seq(),
                &format!("removed from the end, says the checkpoint signed at {}", checkpoint.at),
            ));
        }
        if let Some(own) = self.trust.own(&self.found.log) {
            if own.reached.seq > self.at.seq {
                return Err(of_rows(
                    next,
                    own.reached.seq,
                    "removed from the end since this Guardian wrote them",
                ));
            }
            if let Some((seq, key)) = self.pinned.filter(|(_, key)| own.key != Some(*key)) {
                let what = format!(
                    "the Guardian that started in row {seq} signs with another audit key than \
                     this one, {key}"
                );
                // Without one that is kept, each that goes by this name has another.
                let is_sure = own.key_is_kept;
                return Err(Fault { is_sure, ..Fault::at(seq, what) });
            }
        }
        // The newest row is never let go.
        let is_there = self.is_accepted() && self.found.rows > 0;
        if self.cut.as_ref().is_some_and(|cut| cut.seq() >= self.at.seq) && !is_there {
            return Err(of_rows(next, next, "removed from the end: the newest is never let go"));
        }
        Ok(())
    }
}
