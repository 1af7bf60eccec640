//! Check ids that prove themselves, so that any replica, and a Guardian that was started again, can tell
//! whether a report is about a check that was allowed.
//!
//! An id is `chk_<number>_<proof>`. The number is a UUID of version 7, which carries the time of the check. The proof
//! is 128 bits of HMAC-SHA-256 under a secret of the database. It covers the number, whether the check was allowed, the
//! key, the agent, the session and the tool, each with its length. What was not allowed did not run, so the proof of a
//! refusal is never believed. Callers take an id as it is and send it back.

use std::fmt;

use agenttrust::Timestamp;
use std::time::Duration;

use super::proven_numbers::{Numbers, made_at, next};
use crate::domain::{GuardianError, Sealer};
use crate::store::Store;

const PREFIX: &str = "chk_";
/// The beginning of what the id of a check covers that was allowed, and of one that was not.
const ALLOWED: &[u8] = b"agenttrust.check.v1\x01";
const REFUSED: &[u8] = b"agenttrust.check.v1\x00";
/// The time after its check for which a report is believed. Reports are kept for longer than that, so that none is
/// believed twice.
pub(crate) const BELIEVED_FOR: Duration = Duration::from_secs(7 * 24 * 3_600);

/// The key and agent that a check id is given to, and the call that it is for.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Issued<'a> {
    pub(crate) key_id: &'a str,
    pub(crate) agent_id: &'a str,
    /// The id of the session; empty without one.
    pub(crate) session_id: &'a str,
    pub(crate) tool: &'a str,
}

/// The two ids of one check, of which one is given out.
#[derive(Clone, Debug)]
pub(crate) struct Ids {
    /// Its id if it is allowed: reports about it are believed.
    pub(crate) allowed: String,
    /// Its id if it is not.
    pub(crate) refused: String,
}

/// The secret that makes check ids, and knows those that it made.
pub(crate) struct CheckIds(Numbers);

impl CheckIds {
    /// Returns those of this database.
    pub(crate) async fn load(store: &Store, sealer: &Sealer) -> Result<Self, GuardianError> {
        Numbers::load(store, sealer, ("check_ids", "check ids")).await.map(Self)
    }

    /// Returns the ids of a new check.
    pub(crate) fn issue(&self, of: &Issued<'_>, now: Timestamp) -> Ids {
        let number = next(now);
        let id = |domain| {
            let proof = self.0.prove(domain, &texts(&number, of));
            format!("{PREFIX}{number}_{proof}")
        };
        Ids { allowed: id(ALLOWED), refused: id(REFUSED) }
    }

    /// Returns whether this is the id of a check that was allowed, to just this key and of just this, and not too
    /// long ago.
    pub(crate) fn believes(&self, check_id: &str, of: &Issued<'_>, now: Timestamp) -> bool {
        let parts = check_id.strip_prefix(PREFIX).and_then(|rest| rest.split_once('_'));
        parts.is_some_and(|(number, proof)| {
            self.0.proves(proof, ALLOWED, &texts(number, of))
                && made_at(number).is_some_and(|made| made.until(now) <= BELIEVED_FOR)
        })
    }
}

/// Returns what the proof of a number covers beside whether the check was allowed.
fn texts<'a>(number: &'a str, of: &Issued<'a>) -> [&'a [u8]; 5] {
    [number, of.key_id, of.agent_id, of.session_id, of.tool].map(str::as_bytes)
}

impl fmt::Debug for CheckIds {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("CheckIds(..)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const OF: Issued<'static> =
        Issued { key_id: "key_1", agent_id: "agt_1", session_id: "s", tool: "search" };

    fn ids(secret: u8) -> CheckIds {
        CheckIds(Numbers::new(&[secret; 32]).unwrap())
    }

    #[test]
    fn an_id_proves_what_it_was_given_for_and_nothing_else() {
        let (one, now) = (ids(1), Timestamp::now());
        let Ids { allowed, refused } = one.issue(&OF, now);
        // Any Guardian on the database, and none on another one.
        assert!(ids(1).believes(&allowed, &OF, now));
        assert!(!ids(2).believes(&allowed, &OF, now));
        assert!(!one.believes(&refused, &OF, now));
        for other in [
            Issued { key_id: "key_2", ..OF },
            Issued { agent_id: "agt_2", ..OF },
            Issued { session_id: "", ..OF },
            Issued { tool: "delete", ..OF },
            Issued { agent_id: "agt_1s", session_id: "", ..OF },
            Issued { session_id: "ssearch", tool: "", ..OF },
        ] {
            assert!(!one.believes(&allowed, &other, now), "{other:?}");
        }
    }

    /// Reports about checks of an earlier version are believed: its id was made by another program, of what is written
    /// at the beginning of this file.
    #[test]
    fn an_id_stays_what_it_was() {
        let id = "chk_019a5e0c7b007d3f8a1b2c3d4e5f6071_ctgNinoWBY7y6RYnv2Tf8Q";
        let made = made_at("019a5e0c7b007d3f8a1b2c3d4e5f6071").unwrap();
        assert!(ids(1).believes(id, &OF, made), "{made}");
    }

    #[test]
    fn an_id_that_was_not_made_here_is_not_believed() {
        let (one, now) = (ids(1), Timestamp::now());
        let Ids { allowed, .. } = one.issue(&OF, now);
        let (front, proof) = allowed.rsplit_once('_').map_or(("", ""), |(a, b)| (a, b));
        let other = one.issue(&OF, now).allowed;
        let mut made_up = vec![
            String::new(),
            "chk_".to_owned(),
            "chk__".to_owned(),
            front.to_owned(),
            format!("{front}_"),
            format!("{front}_AAAA"),
            format!("{front}_{}", "A".repeat(22)),
            format!("{allowed}A"),
            allowed.to_uppercase(),
            allowed.replacen("chk_", "apr_", 1),
        ];
        // The proof of one with the number of another.
        made_up.push(format!("{}_{proof}", &other[..front.len()]));
        for id in made_up {
            assert!(!one.believes(&id, &OF, now), "{id:?}");
        }
    }

    #[test]
    fn an_id_travels_as_it_is() {
        let Ids { allowed, refused } = ids(1).issue(&OF, Timestamp::now());
        for id in [&allowed, &refused] {
            assert_eq!(id.len(), 59, "{id}");
            assert!(id.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_-".contains(&byte)));
        }
        assert_ne!(allowed, refused);
        assert!(Numbers::new(b"short").is_none());
        assert_eq!(format!("{:?}", ids(1)), "CheckIds(..)");
    }

    #[test]
    fn a_report_that_comes_too_late_is_not_believed() {
        let (one, then) = (ids(1), Timestamp::now());
        let id = one.issue(&OF, then).allowed;
        let almost = then.saturating_add(BELIEVED_FOR - Duration::from_secs(1));
        assert!(one.believes(&id, &OF, almost));
        let after = then.saturating_add(BELIEVED_FOR + Duration::from_secs(1));
        assert!(!one.believes(&id, &OF, after));
        // By another replica's clock it is not made yet; it is all the same.
        let before = Timestamp::from_unix_micros(then.unix_micros() - 5_000_000).unwrap();
        assert!(one.believes(&id, &OF, before));
    }
}
