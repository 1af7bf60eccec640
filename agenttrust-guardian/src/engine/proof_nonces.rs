//! Nonces that prove themselves, so that any replica, and a Guardian that was started again, knows its own. They are
//! the challenges that agents sign, and what proofs on checks must hold where that is asked for.
//!
//! One is `<number>_<proof>`. The number is a UUID of version 7, which carries the time when it was made. The proof is
//! 128 bits of HMAC-SHA-256 under a secret of the database. It covers the number, its purpose, and the agent or key
//! that it was given to. The caller that uses it up makes sure that it is used once.

use std::fmt;
use std::time::Duration;

use agenttrust::Timestamp;

use super::proven_numbers::{Numbers, made_at, next};
use crate::domain::{GuardianError, Sealer};
use crate::store::Store;

const DOMAIN: &[u8] = b"agenttrust.nonce.v1";
/// The time for which a nonce may be used.
pub(crate) const LIVES: Duration = Duration::from_secs(5 * 60);
/// The time by which the clock of the replica that made a nonce may be ahead of ours.
const AHEAD: Duration = Duration::from_secs(60);

/// The purpose of a nonce, and the agent or key that it was given to.
#[derive(Clone, Copy, Debug)]
pub(crate) enum For<'a> {
    /// A challenge that this agent signs, to be issued a workload token.
    Challenge { agent_id: &'a str },
    /// A nonce for proofs on checks, made with the key of this thumbprint.
    Checks { thumbprint: &'a str },
}

impl<'a> For<'a> {
    fn parts(self) -> (&'static [u8], &'a str) {
        match self {
            Self::Challenge { agent_id } => (b"challenge", agent_id),
            Self::Checks { thumbprint } => (b"checks", thumbprint),
        }
    }
}

/// The secret that makes nonces, and knows those that it made.
pub(crate) struct ProofNonces(Numbers);

impl ProofNonces {
    /// Returns those of this database.
    pub(crate) async fn load(store: &Store, sealer: &Sealer) -> Result<Self, GuardianError> {
        Numbers::load(store, sealer, ("proof_nonces", "nonces")).await.map(Self)
    }

    /// Returns a new one, and until when it may be used.
    pub(crate) fn issue(&self, of: For<'_>, now: Timestamp) -> (String, Timestamp) {
        let number = next(now);
        let proof = self.0.prove(DOMAIN, &texts(&number, of));
        (format!("{number}_{proof}"), now.saturating_add(LIVES))
    }

    /// Returns until when this may be used, if it was given out for just that and may be used still.
    pub(crate) fn believes(&self, nonce: &str, of: For<'_>, now: Timestamp) -> Option<Timestamp> {
        let (number, proof) = nonce.split_once('_')?;
        if !self.0.proves(proof, DOMAIN, &texts(number, of)) {
            return None;
        }
        let made = made_at(number)?;
        let ends = made.saturating_add(LIVES);
        (now < ends && made <= now.saturating_add(AHEAD)).then_some(ends)
    }
}

/// Returns what the proof of a number covers.
fn texts<'a>(number: &'a str, of: For<'a>) -> [&'a [u8]; 3] {
    let (what, whose) = of.parts();
    [what, number.as_bytes(), whose.as_bytes()]
}

impl fmt::Debug for ProofNonces {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ProofNonces(..)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ONE: For<'static> = For::Challenge { agent_id: "agt_1" };

    fn nonces(secret: u8) -> ProofNonces {
        ProofNonces(Numbers::new(&[secret; 32]).unwrap())
    }

    #[test]
    fn a_nonce_is_good_for_what_it_was_given_for_and_on_its_database_alone() {
        let (one, now) = (nonces(1), Timestamp::now());
        let (nonce, ends) = one.issue(ONE, now);
        assert_eq!(
            nonces(1).believes(&nonce, ONE, now).map(Timestamp::unix_seconds),
            Some(ends.unix_seconds())
        );
        assert!(nonces(2).believes(&nonce, ONE, now).is_none(), "of another database");
        for other in [For::Challenge { agent_id: "agt_2" }, For::Checks { thumbprint: "agt_1" }] {
            assert!(one.believes(&nonce, other, now).is_none(), "{other:?}");
        }
    }

    #[test]
    fn a_nonce_ends_and_none_comes_from_the_future() {
        let (one, now) = (nonces(1), Timestamp::now());
        let (nonce, _) = one.issue(ONE, now);
        let later = |seconds| now.saturating_add(Duration::from_secs(seconds));
        assert!(one.believes(&nonce, ONE, later(299)).is_some());
        assert!(one.believes(&nonce, ONE, later(300)).is_none());
        let (ahead, _) = one.issue(ONE, later(59));
        assert!(one.believes(&ahead, ONE, now).is_some(), "another replica's clock may be ahead");
        let (ahead, _) = one.issue(ONE, later(62));
        assert!(one.believes(&ahead, ONE, now).is_none());
    }

    #[test]
    fn what_was_not_made_here_is_not_believed() {
        let (one, now) = (nonces(1), Timestamp::now());
        let (nonce, _) = one.issue(ONE, now);
        let (number, proof) = nonce.split_once('_').unwrap();
        let other = one.issue(ONE, now).0;
        for made_up in [
            "",
            "_",
            number,
            &format!("{number}_"),
            &format!("{number}_{}", "A".repeat(22)),
            &format!("{nonce}A"),
            &format!("{}_{proof}", other.split_once('_').unwrap().0),
            &number.to_uppercase(),
        ] {
            assert!(one.believes(made_up, ONE, now).is_none(), "{made_up:?}");
        }
        assert!(nonce.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_-".contains(&byte)));
        assert!(Numbers::new(b"short").is_none());
        assert_eq!(format!("{:?}", nonces(1)), "ProofNonces(..)");
    }
}
