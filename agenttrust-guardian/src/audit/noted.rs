//! What was noted of one log outside of its database, in the order in which it was noted.

use super::checkpoint::{Checkpoint, CheckpointKind};
use super::key::PublicKey;

/// The state of a log as it is known from outside of its database.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Noted {
    /// The name of the log.
    pub(crate) log: String,
    /// The identity that the last line of it names.
    pub(crate) log_id: Option<String>,
    /// The row that the log had reached, since something was accepted, and whether its Guardian closed there.
    pub(crate) reached: Option<Checkpoint>,
    /// The checkpoint of the row that a Guardian saw changed, unless that was accepted since.
    pub(crate) broken: Option<Checkpoint>,
    /// The row that an operator accepted last.
    pub(crate) accepted: Option<Checkpoint>,
}

impl Noted {
    fn of(log: &str) -> Self {
        Self { log: log.to_owned(), log_id: None, reached: None, broken: None, accepted: None }
    }

    /// Takes signed lines over, in their order. An acceptance counts by one of `keys`, or by who signed what it follows
    /// where there are no keys.
    pub(crate) fn take_all(
        logs: &mut Vec<Self>,
        lines: impl IntoIterator<Item = Checkpoint>,
        keys: &[PublicKey],
    ) {
        for line in lines {
            if let Some(noted) = logs.iter_mut().find(|noted| noted.log == line.log) {
                noted.take(line, keys);
            } else {
                let mut noted = Self::of(&line.log);
                noted.take(line, keys);
                logs.push(noted);
            }
        }
    }

    fn take(&mut self, line: Checkpoint, keys: &[PublicKey]) {
        let is_another =
            self.log_id.is_some() && line.log_id.is_some() && self.log_id != line.log_id;
        match line.says {
            CheckpointKind::Reached | CheckpointKind::Cut | CheckpointKind::Closed => {
                let is_newer = self.reached.as_ref().is_none_or(|known| known.seq <= line.seq);
                self.name(&line);
                if is_newer || is_another {
                    self.reached = Some(line);
                }
            }
            CheckpointKind::Broken => {
                self.name(&line);
                self.broken.get_or_insert(line);
            }
            CheckpointKind::Accepted if self.may_accept(&line, keys) => {
                self.name(&line);
                (self.reached, self.broken) = (None, None);
                self.accepted = Some(line);
            }
            CheckpointKind::Accepted | CheckpointKind::Added => {}
        }
    }

    fn name(&mut self, line: &Checkpoint) {
        if line.log_id.is_some() {
            self.log_id.clone_from(&line.log_id);
        }
    }

    fn may_accept(&self, line: &Checkpoint, keys: &[PublicKey]) -> bool {
        let Some(signer) = line.signer() else { return false };
        if !keys.is_empty() {
            return keys.contains(&signer);
        }
        let before = [&self.reached, &self.broken, &self.accepted].into_iter().flatten();
        before.filter_map(Checkpoint::signer).all(|known| known == signer)
    }
}

#[cfg(test)]
mod tests {
    use super::super::key::AuditKey;
    use super::*;

    #[test]
    fn only_the_key_of_the_log_takes_back_that_it_was_seen_changed() {
        let (own, foreign) = (AuditKey::random().unwrap(), AuditKey::random().unwrap());
        let line = |key: &AuditKey, says, seq| {
            Checkpoint::sign(key, says, ("", Some("1d")), (seq, [7; 32]), String::new())
        };
        let reached = line(&own, CheckpointKind::Reached, 9);
        let broken = line(&own, CheckpointKind::Broken, 9);
        for keys in [vec![], vec![own.public()]] {
            for (key, is_taken_back) in [(&own, true), (&foreign, false)] {
                let accepted = line(key, CheckpointKind::Accepted, 5);
                let lines = [reached.clone(), broken.clone(), accepted];
                let mut logs = Vec::new();
                Noted::take_all(&mut logs, lines, &keys);
                assert_eq!(logs[0].broken.is_none(), is_taken_back, "{keys:?}");
                assert_eq!(logs[0].reached.is_none(), is_taken_back, "{keys:?}");
            }
        }
    }
}
