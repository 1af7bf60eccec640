//! Proofs that the sender of a request has the key that its token is bound to (RFC 9449).

use std::sync::Arc;
use std::time::Duration;

use agenttrust::Timestamp;
use agenttrust::internal::dpop::{ExpectedProof, WINDOW, verify_proof};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use super::verify::{Working, working};
use crate::domain::{Error, Key, Permission, Reach, digest_of_parts};
use crate::engine::Engine;
use crate::engine::proof_nonces::For;
use crate::pipeline::{Once, Proof};

/// The token and the proof that a request came with, and the request that they are for.
#[derive(Clone, Copy)]
pub(crate) struct Presented<'a> {
    pub(crate) token: &'a str,
    pub(crate) proof: &'a str,
    /// The method of the request.
    pub(crate) method: &'a str,
    /// Its address, in each of the forms by which it may have been reached.
    pub(crate) urls: &'a [String],
}

/// Returns the proof that comes with a request which is made for an agent, if it is right. It is good once: it is still
/// to be used up. `names` are those by which this Guardian is known to tokens that are for certain audiences.
///
/// # Errors
///
/// For a token or a proof that is not right, and for a proof without a nonce where those are needed.
pub(crate) fn prove(
    engine: &Engine,
    key: &Key,
    agent_id: &str,
    presented: Presented<'_>,
    names: &[String],
) -> Result<Proof, Error> {
    // As far as the key may ask what a token is worth.
    let access = key.need(Permission::IntrospectTokens)?;
    let reach = Reach { access, key, named: None };
    let (working, proof) = look_at(engine, reach, presented)?;
    let claims = &working.claims;
    if claims.agent_id != agent_id {
        return Err(Error::workload_token(
            "the workload token is another agent's; send that of the agent that is asked for",
        ));
    }
    let named = |audience: &String| names.iter().any(|name| name == audience.trim_end_matches('/'));
    if !claims.aud.is_empty() && !claims.aud.iter().any(named) {
        return Err(Error::workload_token(
            "the workload token is for another audience than this Guardian; have one issued for its public URL, or for none",
        ));
    }
    if engine.settings.dpop_nonces {
        need_nonce(engine, &proof)?;
    }
    Ok(proof.unused)
}

/// A proof that is right in itself, and the nonce in it.
pub(super) struct Right {
    pub(super) unused: Proof,
    nonce: Option<String>,
}

/// Returns the token and the proof, if both are right and go together.
pub(super) fn look_at(
    engine: &Engine,
    reach: Reach<'_>,
    presented: Presented<'_>,
) -> Result<(Working, Right), Error> {
    let Presented { token, proof, method, urls } = presented;
    let working =
        working(engine, reach, token).map_err(|why| Error::workload_token(why.to_string()))?;
    let Some(cnf) = &working.claims.cnf else {
        return Err(Error::workload_token(
            "the workload token is bound to no key, so no proof goes with it; have one issued with a proof of possession",
        ));
    };
    let now = engine.clock.now();
    let expected = ExpectedProof { thumbprint: &cnf.jkt, method, urls, access_token: token, now };
    let found =
        verify_proof(proof, &expected).map_err(|refusal| Error::proof(refusal.to_string()))?;
    let thumbprint: Arc<str> = cnf.jkt.as_str().into();
    let unused = Proof {
        once: Some(Once {
            id: id_of(&thumbprint, &found.jti),
            expires_at: taken_until(found.iat, now),
        }),
        thumbprint,
    };
    Ok((working, Right { unused, nonce: found.nonce }))
}

/// Returns what tells a proof from every other of its key: of the key and its own id, each with its length.
fn id_of(thumbprint: &str, jti: &str) -> String {
    let digest = digest_of_parts([thumbprint, jti].map(str::as_bytes));
    format!("dpop:{}", URL_SAFE_NO_PAD.encode(digest))
}

/// Returns until when a proof of this time is taken.
fn taken_until(iat: i64, now: Timestamp) -> Timestamp {
    let made = iat.checked_mul(1_000_000).and_then(Timestamp::from_unix_micros);
    made.unwrap_or(now).saturating_add(WINDOW + Duration::from_secs(1))
}

fn need_nonce(engine: &Engine, proof: &Right) -> Result<(), Error> {
    let (now, of) = (engine.clock.now(), For::Checks { thumbprint: &proof.unused.thumbprint });
    let nonces = &engine.proof_nonces;
    if proof.nonce.as_deref().and_then(|nonce| nonces.believes(nonce, of, now)).is_some() {
        return Ok(());
    }
    Err(Error::nonce_needed(&nonces.issue(of, now).0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_two_proofs_are_told_by_one_id() {
        let ids =
            [("a", "bc"), ("ab", "c"), ("", "abc"), ("abc", "")].map(|(key, jti)| id_of(key, jti));
        for (place, id) in ids.iter().enumerate() {
            assert!(!ids[place + 1..].contains(id), "{id}");
        }
    }
}
