//! Ids in paths: each is one segment, whatever it holds.

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

use crate::error::{AgentTrustError, Result};

/// What may stand in a segment as it is; everything else is encoded.
const SEGMENT: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.').remove(b'~');

/// `id` as one path segment.
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

/// `value` for a query string.
pub(crate) fn query(value: &str) -> String {
    utf8_percent_encode(value, NON_ALPHANUMERIC).to_string()
}

/// A path with those parameters of a query that are given.
pub(crate) fn with_query(path: &str, params: &[(&str, Option<&str>)]) -> String {
    let mut path = path.to_owned();
    let mut mark = '?';
    for (name, value) in params {
        if let Some(value) = value {
            path.push(mark);
            path.push_str(&format!("{name}={}", query(value)));
            mark = '&';
        }
    }
    path
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
    fn an_id_that_no_path_can_carry_is_refused_by_name() {
        for id in ["", ".", ".."] {
            assert!(segment("agent id", id).unwrap_err().to_string().starts_with("agent id"));
        }
    }
}
