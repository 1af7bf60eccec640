//! Reading the token of a request (RFC 6750, section 2.1, and RFC 9449, section 7.1): from its one `Authorization`
//! header, and from nowhere else.

use agenttrust::internal::NAME_MAX_BYTES;
use agenttrust::model::headers;
use http::HeaderMap;
use http::header::AUTHORIZATION;

use super::refusal::Refusal;

/// The prefix of every token of a Guardian.
const PREFIX: &str = "at_";

/// The longest token that is bound to a key, as the Guardian takes them.
const BOUND_MAX_BYTES: usize = 16 << 10;

/// The token of a request.
#[derive(Debug)]
pub(super) enum Presented<'r> {
    /// A token that works for every sender that has it.
    Plain(&'r str),
    /// A token that works with a proof of the key that it is bound to.
    Bound { token: &'r str, proof: &'r str },
}

/// Reads the token, which is looked into only when it can be one. `takes_bound` is whether those are taken that are
/// bound to a key.
pub(super) fn token(headers: &HeaderMap, takes_bound: bool) -> Result<Presented<'_>, Refusal> {
    let mut values = headers.get_all(AUTHORIZATION).iter();
    let value = values.next().ok_or(Refusal::Missing)?;
    if values.next().is_some() {
        return Err(Refusal::Malformed("the request has more than one Authorization header"));
    }
    let value = value
        .to_str()
        .map_err(|_| Refusal::Malformed("the Authorization header of the request is not text"))?;
    let (scheme, token) = value.split_once(' ').unwrap_or((value, ""));
    let token = token.trim_start_matches(' ');
    if scheme.eq_ignore_ascii_case("Bearer") {
        return plain(token, takes_bound);
    }
    // Somebody else's credentials say nothing about an agent.
    if !scheme.eq_ignore_ascii_case("DPoP") {
        return Err(Refusal::Missing);
    }
    if !takes_bound {
        return Err(Refusal::bound(
            "this server takes no tokens that are bound to a key: its operator has to tell it the URL that it is \
             called by (`public_url`)",
        ));
    }
    if !is_bound(token) {
        return Err(Refusal::bound(
            "the token of the request is not bound to a key; send an at_ token as `Authorization: Bearer`",
        ));
    }
    Ok(Presented::Bound { token, proof: proof(headers)? })
}

fn plain(token: &str, takes_bound: bool) -> Result<Presented<'_>, Refusal> {
    // Taken without its proof, it would be worth something to whoever has stolen it.
    if takes_bound && is_bound(token) {
        return Err(Refusal::bound(
            "a token that is bound to a key is no bearer token; send it as `Authorization: DPoP` with a proof",
        ));
    }
    // A Guardian takes a token as it does a name, and none that is longer.
    let is_one = token.len() <= NAME_MAX_BYTES
        && token.strip_prefix(PREFIX).is_some_and(|secret| !secret.is_empty())
        && token.bytes().all(is_token68);
    if is_one { Ok(Presented::Plain(token)) } else { Err(Refusal::Inactive) }
}

/// Returns whether it can be a workload token, which is a JWT.
fn is_bound(token: &str) -> bool {
    token.len() <= BOUND_MAX_BYTES
        && token.starts_with("ey")
        && token.split('.').count() == 3
        && token.bytes().all(is_token68)
}

/// Returns the one proof of a request (RFC 9449, section 4.3).
fn proof(headers: &HeaderMap) -> Result<&str, Refusal> {
    let mut proofs = headers.get_all(headers::DPOP).iter();
    let proof = proofs.next().ok_or_else(|| {
        Refusal::proof(
            "the request has no proof for its token; send one in the header DPoP".to_owned(),
        )
    })?;
    if proofs.next().is_some() {
        return Err(Refusal::proof("the request has more than one DPoP header".to_owned()));
    }
    proof
        .to_str()
        .map_err(|_| Refusal::proof("the DPoP header of the request is not text".to_owned()))
}

/// Returns whether a token may have this byte (RFC 9110, section 11.2).
fn is_token68(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"-._~+/=".contains(&byte)
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    fn parsed(values: &[&str]) -> Result<String, Refusal> {
        let mut headers = HeaderMap::new();
        for value in values {
            headers.append(AUTHORIZATION, HeaderValue::from_str(value).unwrap());
        }
        match token(&headers, true)? {
            Presented::Plain(token) => Ok(token.to_owned()),
            Presented::Bound { token, proof } => Ok(format!("{token} with {proof}")),
        }
    }

    fn bound(takes_bound: bool, authorization: &str, proofs: &[&str]) -> Result<String, String> {
        let mut headers = HeaderMap::new();
        headers.append(AUTHORIZATION, HeaderValue::from_str(authorization).unwrap());
        for proof in proofs {
            headers.append("dpop", HeaderValue::from_bytes(proof.as_bytes()).unwrap());
        }
        match token(&headers, takes_bound) {
            Ok(Presented::Bound { token, proof }) => Ok(format!("{token} with {proof}")),
            other => Err(format!("{other:?}")),
        }
    }

    #[test]
    fn a_bound_token_is_read_with_its_one_proof_and_never_as_bearer() {
        assert_eq!(bound(true, "dpop  eyA.b.c", &["p"]).unwrap(), "eyA.b.c with p");
        for (takes, authorization, proofs, why) in [
            (true, "DPoP eyA.b.c", vec![], "has no proof"),
            (true, "DPoP eyA.b.c", vec!["p", "p"], "more than one DPoP"),
            (true, "DPoP eyA.b.c", vec!["é"], "is not text"),
            (true, "Bearer eyA.b.c", vec!["p"], "is no bearer token"),
            (true, "Bearer eyA.b.c", vec![], "is no bearer token"),
            (true, "DPoP at_abc", vec!["p"], "is not bound to a key"),
            (true, "DPoP eyA.b", vec!["p"], "is not bound to a key"),
            (true, "DPoP eyA.b.c d", vec!["p"], "is not bound to a key"),
            (true, "DPoP", vec!["p"], "is not bound to a key"),
            (false, "DPoP eyA.b.c", vec!["p"], "`public_url`"),
            (false, "Bearer eyA.b.c", vec!["p"], "Inactive"),
        ] {
            let refused = bound(takes, authorization, &proofs).unwrap_err();
            assert!(refused.contains(why), "{authorization} {proofs:?}: {refused}");
        }
    }

    #[test]
    fn a_token_is_read_whatever_the_case_of_the_scheme() {
        for value in ["Bearer at_abc", "bearer at_abc", "BEARER   at_abc"] {
            assert_eq!(parsed(&[value]).unwrap(), "at_abc");
        }
    }

    #[test]
    fn without_a_bearer_token_there_are_no_credentials() {
        assert!(matches!(parsed(&[]), Err(Refusal::Missing)));
        assert!(matches!(parsed(&["Basic YTpi"]), Err(Refusal::Missing)));
    }

    #[test]
    fn what_cannot_be_a_token_is_not_looked_into() {
        let long = format!("Bearer at_{}", "a".repeat(198));
        for value in ["Bearer", "Bearer ", "Bearer sk_live_1", "Bearer at_", "Bearer at_a b", &long]
        {
            assert!(matches!(parsed(&[value]), Err(Refusal::Inactive)), "{value}");
        }
    }

    #[test]
    fn a_token_that_is_as_long_as_they_get_is_looked_into() {
        let longest = format!("at_{}", "a".repeat(197));
        assert_eq!(parsed(&[&format!("Bearer {longest}")]).unwrap(), longest);
    }

    #[test]
    fn two_headers_are_one_too_many() {
        assert!(matches!(parsed(&["Bearer at_a", "Bearer at_b"]), Err(Refusal::Malformed(_))));
    }
}
