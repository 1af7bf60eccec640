//! The hash that binds a row to the one before it; its encoding is documented in the module above.

use sha2::{Digest as _, Sha256};

use super::record::Stored;

const DOMAIN: &[u8] = b"agenttrust.audit.v1";

pub(super) type Hash = [u8; 32];

const LOG_DOMAIN: &[u8] = b"agenttrust.audit.log.v1";
const ACCEPTED_DOMAIN: &[u8] = b"agenttrust.audit.accepted.v1";

/// Returns what stands before the first row of a log: its name, so that no row can be moved to
/// another one.
pub(super) fn genesis(log: &str) -> Hash {
    if log.is_empty() {
        return [0; 32];
    }
    Sha256::new().chain_update(LOG_DOMAIN).chain_update(log).finalize().into()
}

/// The parts that a row's hash covers.
#[derive(Clone, Copy, Debug)]
pub(super) struct Link<'a> {
    pub(super) seq: i64,
    pub(super) prev_hash: &'a [u8],
    pub(super) at: &'a str,
    pub(super) kind: &'a str,
    pub(super) org_id: &'a str,
    pub(super) agent_id: Option<&'a str>,
    pub(super) actor: Option<&'a str>,
    pub(super) body: &'a str,
}

impl Link<'_> {
    pub(super) fn hash(&self) -> Hash {
        let mut hasher = Sha256::new();
        hasher.update(DOMAIN);
        hasher.update(self.seq.to_be_bytes());
        hasher.update(self.prev_hash);
        for text in [
            Some(self.at),
            Some(self.kind),
            Some(self.org_id),
            self.agent_id,
            self.actor,
            Some(self.body),
        ] {
            match text {
                None => hasher.update([0]),
                Some(text) => {
                    hasher.update([1]);
                    hasher.update((text.len() as u64).to_be_bytes());
                    hasher.update(text.as_bytes());
                }
            }
        }
        hasher.finalize().into()
    }
}

impl<'a> From<&'a Stored> for Link<'a> {
    fn from(row: &'a Stored) -> Self {
        Self {
            seq: row.seq,
            prev_hash: &row.prev_hash,
            at: &row.at,
            kind: &row.kind,
            org_id: &row.org_id,
            agent_id: row.agent_id.as_deref(),
            actor: row.actor.as_deref(),
            body: &row.body,
        }
    }
}

/// Returns what an operator accepts of a last row: its own hash, and where that is not of what the row says, one of
/// both.
pub(super) fn as_it_is(row: &Stored) -> Hash {
    let hash = Link::from(row).hash();
    if row.hash == hash {
        return hash;
    }
    Sha256::new()
        .chain_update(ACCEPTED_DOMAIN)
        .chain_update(&row.hash)
        .chain_update(hash)
        .finalize()
        .into()
}

#[cfg(test)]
mod tests {
    use super::*;

    const LINK: Link<'_> = Link {
        seq: 1,
        prev_hash: &[0; 32],
        at: "2026-01-02T03:04:05.000006Z",
        kind: "decision",
        org_id: "org_1",
        agent_id: Some("agt_1"),
        actor: None,
        body: "{}",
    };

    #[test]
    fn the_encoding_is_the_documented_one() {
        // Made from the documented layout alone, so that a change of the encoding cannot pass unseen.
        let mut bytes = b"agenttrust.audit.v1".to_vec();
        bytes.extend([0, 0, 0, 0, 0, 0, 0, 1]);
        bytes.extend([0; 32]);
        for field in [
            Some("2026-01-02T03:04:05.000006Z"),
            Some("decision"),
            Some("org_1"),
            Some("agt_1"),
            None,
            Some("{}"),
        ] {
            match field {
                Some(text) => {
                    bytes.push(1);
                    bytes.extend([0, 0, 0, 0, 0, 0, 0]);
                    bytes.push(u8::try_from(text.len()).unwrap());
                    bytes.extend(text.as_bytes());
                }
                None => bytes.push(0),
            }
        }
        assert_eq!(LINK.hash()[..], Sha256::digest(bytes)[..]);
    }

    #[test]
    fn each_log_begins_with_its_name() {
        assert_eq!(genesis(""), [0; 32]);
        assert_eq!(genesis("one")[..], Sha256::digest(b"agenttrust.audit.log.v1one")[..]);
        assert_ne!(genesis("one"), genesis("two"));
    }

    #[test]
    fn every_field_and_every_boundary_between_fields_counts() {
        let hashes: std::collections::HashSet<_> = [
            LINK,
            Link { seq: 2, ..LINK },
            Link { prev_hash: &[1; 32], ..LINK },
            Link { at: "2026-01-02T03:04:05.000007Z", ..LINK },
            Link { kind: "decisionorg_", org_id: "1", ..LINK },
            Link { agent_id: None, actor: Some("agt_1"), ..LINK },
            Link { agent_id: Some(""), ..LINK },
            Link { agent_id: None, ..LINK },
            Link { body: "{ }", ..LINK },
        ]
        .iter()
        .map(Link::hash)
        .collect();
        assert_eq!(hashes.len(), 9);
    }
}
