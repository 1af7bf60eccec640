//! A token that is bound to a key, and the proof that came with it (RFC 9449).

use std::time::{Duration, Instant};

use agenttrust::Timestamp;
use agenttrust::client::ForwardedProof;
use agenttrust::internal::dpop::{ExpectedProof, Proof, ProofRefusal, verify_proof};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use http::Request;
use serde::Deserialize;

use super::refusal::Refusal;

/// The token and the proof that came with one request.
pub(super) struct Bound {
    pub(super) token: String,
    proof: String,
    method: String,
    /// The address of the request, in each of the forms by which it may have been reached.
    urls: Vec<String>,
    /// The time when the request came: however long it waits, the proof is as old as it was then.
    at: Timestamp,
    came: Instant,
}

impl Bound {
    pub(super) fn new<B>(
        token: &str,
        proof: &str,
        request: &Request<B>,
        public_urls: &[String],
    ) -> Self {
        let path = crate::http::path_as_asked(request);
        let urls =
            public_urls.iter().map(|url| format!("{}{path}", url.trim_end_matches('/'))).collect();
        Self {
            token: token.to_owned(),
            proof: proof.to_owned(),
            method: request.method().as_str().to_owned(),
            urls,
            at: Timestamp::now(),
            came: Instant::now(),
        }
    }

    /// Returns how long it has waited since it came.
    pub(super) fn waited(&self) -> Duration {
        self.came.elapsed()
    }

    /// Returns the proof, if it is made with the key of this thumbprint for this request.
    pub(super) fn verify(&self, thumbprint: &str) -> Result<Proof, Refusal> {
        self.verify_at(thumbprint, &self.urls).map_err(|why| Refusal::proof(why.to_string()))
    }

    /// Returns the proof as it is shown to the Guardian: good for the key that the token itself says that it is bound
    /// to. Of what is wrong already here the Guardian is told nothing, and what it then refuses is the token's fault,
    /// or the proof was used before.
    pub(super) fn to_forward(&self) -> Result<ForwardedProof, Refusal> {
        let thumbprint = claimed_thumbprint(&self.token).ok_or_else(|| {
            Refusal::bound(
                "the token is bound to no key; have one issued with a proof of possession",
            )
        })?;
        self.verify(&thumbprint)?;
        let is_for = |url: &&String| self.verify_at(&thumbprint, std::slice::from_ref(url)).is_ok();
        let url = self.urls.iter().find(is_for).map_or("", String::as_str);
        Ok(ForwardedProof::new(&self.proof, &self.method, url))
    }

    fn verify_at(&self, thumbprint: &str, urls: &[String]) -> Result<Proof, ProofRefusal> {
        let expected = ExpectedProof {
            thumbprint,
            method: &self.method,
            urls,
            access_token: &self.token,
            now: self.at,
        };
        verify_proof(&self.proof, &expected)
    }
}

/// Returns the key that a token says it is bound to. Nothing of it is believed before the Guardian has said so.
fn claimed_thumbprint(token: &str) -> Option<String> {
    #[derive(Deserialize)]
    struct Claims {
        cnf: Confirmation,
    }
    #[derive(Deserialize)]
    struct Confirmation {
        jkt: String,
    }
    let claims = URL_SAFE_NO_PAD.decode(token.split('.').nth(1)?).ok()?;
    serde_json::from_slice::<Claims>(&claims).ok().map(|claims| claims.cnf.jkt)
}
