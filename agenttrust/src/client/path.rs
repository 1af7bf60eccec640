//! Ids in paths: each is one segment, whatever it holds.

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

use crate::error::{AgentTrustError, Result};

/// The characters that are encoded in a segment: all but those that may stand in it as they are.
const SEGMENT: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.').remove(b'~');

/// Returns `id` as one path segment.
///
/// An id of dots cannot be one: URL parsers resolve `..` even when it is percent-encoded.
pub(crate) fn segment(what: &str, id: &str) -> Result<String> {
    match id {
        "" => Err(AgentTrustError::invalid(format!(
            "{what} is empty; give the id as it was returned"
        ))),
        "." | ".." => Err(AgentTrustError::invalid(format!(
            "{what} {id:?} is no id, because a path cannot carry it; give the id as it was returned"
        ))),
        id => Ok(utf8_percent_encode(id, SEGMENT).to_string()),
    }
}

/// Returns `value` for a query string.
fn query(value: &str) -> String {
    utf8_percent_encode(value, NON_ALPHANUMERIC).to_string()
}

/// Returns `path` with those of these parameters that are given.
pub(super) fn with_query<const N: usize>(path: &str, given: [(&str, Option<String>); N]) -> String {
    let mut whole = path.to_owned();
    let given = given.into_iter().filter_map(|(name, value)| Some((name, value?)));
    for (mark, (name, value)) in std::iter::once('?').chain(std::iter::repeat('&')).zip(given) {
        whole.push_str(&format!("{mark}{name}={}", query(&value)));
    }
    whole
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_never_leaves_its_segment() {
        assert_eq!(segment("agent id", "../x").unwrap(), "..%2Fx");
        assert_eq!(segment("agent id", "a/b?c#d").unwrap(), "a%2Fb%3Fc%23d");
        assert_eq!(segment("agent id", "é\n").unwrap(), "%C3%A9%0A");
        assert_eq!(segment("agent id", "%2e").unwrap(), "%252e");
    }

    #[test]
    fn a_value_never_leaves_its_parameter() {
        let given = [("a", None), ("b", Some("x&a=1#é".to_owned())), ("c", Some(String::new()))];
        assert_eq!(with_query("/p", given), "/p?b=x%26a%3D1%23%C3%A9&c=");
        assert_eq!(with_query("/p", [("a", None)]), "/p");
    }

    #[test]
    fn an_id_that_no_path_can_carry_is_refused_by_name() {
        for id in ["", ".", ".."] {
            assert!(segment("agent id", id).unwrap_err().to_string().starts_with("agent id"));
        }
    }
}
