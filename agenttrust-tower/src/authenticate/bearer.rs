//! Reading the token of a request (RFC 6750, section 2.1): from its one `Authorization` header, and
//! from nowhere else.

use agenttrust::internal::NAME_MAX_BYTES;
use http::HeaderMap;
use http::header::AUTHORIZATION;

use super::refusal::Refusal;

/// What every token of a Guardian begins with.
const PREFIX: &str = "at_";

/// The token; it is looked into only when it can be one.
pub(super) fn token(headers: &HeaderMap) -> Result<&str, Refusal> {
    let mut values = headers.get_all(AUTHORIZATION).iter();
    let value = values.next().ok_or(Refusal::Missing)?;
    if values.next().is_some() {
        return Err(Refusal::Malformed("the request has more than one Authorization header"));
    }
    let value = value
        .to_str()
        .map_err(|_| Refusal::Malformed("the Authorization header of the request is not text"))?;
    let (scheme, token) = value.split_once(' ').unwrap_or((value, ""));
    // Somebody else's credentials say nothing about an agent.
    if !scheme.eq_ignore_ascii_case("Bearer") {
        return Err(Refusal::Missing);
    }
    let token = token.trim_start_matches(' ');
    // A Guardian takes a token as it does a name, and none that is longer.
    let is_one = token.len() <= NAME_MAX_BYTES
        && token.strip_prefix(PREFIX).is_some_and(|secret| !secret.is_empty())
        && token.bytes().all(is_token68);
    if is_one { Ok(token) } else { Err(Refusal::Inactive) }
}

/// What a token may be made of (RFC 9110, section 11.2).
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
        token(&headers).map(str::to_owned)
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
