//! What an answer says of the token and the proof that came with its request (RFC 9449, 7.1 and 8).

use http::header::WWW_AUTHENTICATE;
use http::{HeaderMap, StatusCode};

use crate::model::headers;

/// The longest nonce that is repeated.
const NONCE_MAX_BYTES: usize = 512;

/// The reason for a refusal of a request that may be made again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum DpopChallenge {
    /// The nonce that the proof has to have in it.
    Nonce(String),
    /// A token that does not work any more.
    Token,
}

impl DpopChallenge {
    /// Returns what a refusal says, if it says either.
    pub(crate) fn of(status: StatusCode, headers: &HeaderMap) -> Option<Self> {
        if status != StatusCode::UNAUTHORIZED {
            return None;
        }
        let says = |error: &str| {
            let all = headers.get_all(WWW_AUTHENTICATE).into_iter();
            all.filter_map(|value| value.to_str().ok()).any(|value| value.contains(error))
        };
        if says(r#"error="use_dpop_nonce""#) {
            return nonce(headers).map(Self::Nonce);
        }
        says(r#"error="invalid_token""#).then_some(Self::Token)
    }
}

/// Returns the nonce that an answer has for the next proof.
pub(super) fn nonce(headers: &HeaderMap) -> Option<String> {
    let nonce = headers.get(headers::DPOP_NONCE)?.to_str().ok()?;
    (1..=NONCE_MAX_BYTES).contains(&nonce.len()).then(|| nonce.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(status: u16, all: &[(&'static str, &str)]) -> Option<DpopChallenge> {
        let mut headers = HeaderMap::new();
        for (name, value) in all {
            headers.append(*name, value.parse().unwrap());
        }
        DpopChallenge::of(StatusCode::from_u16(status).unwrap(), &headers)
    }

    #[test]
    fn refusal_that_may_be_mended_says_how() {
        let asks = ("www-authenticate", r#"DPoP error="use_dpop_nonce", algs="EdDSA""#);
        let gone = ("www-authenticate", r#"DPoP error="invalid_token""#);
        let nonce = ("dpop-nonce", "n1");
        let asked = Some(DpopChallenge::Nonce("n1".to_owned()));
        assert_eq!(of(401, &[asks, nonce]), asked);
        assert_eq!(of(401, &[("www-authenticate", "Bearer"), asks, nonce]), asked);
        assert_eq!(of(401, &[gone, nonce]), Some(DpopChallenge::Token));
        for (status, headers) in [
            (400, vec![asks, nonce]),
            (401, vec![asks]),
            (401, vec![asks, ("dpop-nonce", "")]),
            (401, vec![nonce]),
            (401, vec![("www-authenticate", r#"DPoP error="invalid_dpop_proof""#), nonce]),
            (401, vec![]),
        ] {
            assert_eq!(of(status, &headers), None, "{headers:?}");
        }
        let long = "n".repeat(NONCE_MAX_BYTES + 1);
        assert_eq!(of(401, &[asks, ("dpop-nonce", &long)]), None);
    }
}
