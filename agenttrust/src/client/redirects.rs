//! Answers that point elsewhere. None is followed, because credentials would go along: they say where to ask instead.

use http::header::LOCATION;
use http::{HeaderMap, StatusCode, Uri};

use crate::error::AgentTrustError;

/// Returns the error that an answer to a request for `path` stands for, where it points elsewhere.
pub(super) fn error(
    (base_url, path): (&str, &str),
    status: StatusCode,
    headers: &HeaderMap,
) -> Option<AgentTrustError> {
    if !matches!(status.as_u16(), 301 | 302 | 303 | 307 | 308) {
        return None;
    }
    let location: Uri = headers.get(LOCATION)?.to_str().ok()?.parse().ok()?;
    let path = path.split('?').next().unwrap_or(path);
    let prefix = location.path().strip_suffix(path).unwrap_or_default();
    let is_the_same = location.path().ends_with(path);
    let origin = origin(&location).or_else(|| origin(&base_url.parse().ok()?))?;
    let loses_tls = base_url.starts_with("https:") && !origin.starts_with("https:");
    let status = status.as_u16();
    let message = if is_the_same && !loses_tls {
        format!(
            "the gateway answered with status {status} that it moved to {origin}{prefix}; set the base URL to that, where \
             it is right: nothing was sent there"
        )
    } else {
        format!(
            "the gateway answered with status {status} and points to {origin}, where nothing was sent; set the base URL to \
             the address at which the Guardian itself answers"
        )
    };
    Some(AgentTrustError::Api { message, code: format!("HTTP_{status}"), status })
}

/// Returns scheme, host and port, without what may be secret before them.
fn origin(uri: &Uri) -> Option<String> {
    let authority = uri.authority()?.as_str();
    let place = authority.rsplit_once('@').map_or(authority, |(_, place)| place);
    Some(format!("{}://{place}", uri.scheme_str()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(base_url: &str, location: &str) -> Option<String> {
        let headers = HeaderMap::from_iter([(LOCATION, location.parse().unwrap())]);
        let asked = (base_url, "/api/v1/agents?limit=1");
        error(asked, StatusCode::MOVED_PERMANENTLY, &headers).map(|error| error.to_string())
    }

    #[test]
    fn answer_that_points_elsewhere_says_what_the_base_url_is_now() {
        for (base_url, location, says) in [
            ("http://g", "https://g/api/v1/agents?limit=1", "moved to https://g; set the base URL"),
            ("http://g:80", "https://g:8443/api/v1/agents", "moved to https://g:8443; set"),
            ("http://g/a", "https://h/b/api/v1/agents", "moved to https://h/b; set the base URL"),
            ("http://g/a", "/b/api/v1/agents", "moved to http://g/b; set the base URL"),
            ("http://g", "https://u:pa55@h/api/v1/agents", "moved to https://h; set"),
            (
                "http://g",
                "https://login.test/start?key=pa55",
                "points to https://login.test, where",
            ),
            ("https://g", "http://g/api/v1/agents", "points to http://g, where nothing was sent"),
        ] {
            let message = said(base_url, location).unwrap();
            assert!(message.contains(says) && !message.contains("pa55"), "{location}: {message}");
        }
    }

    #[test]
    fn answer_that_points_nowhere_is_no_such() {
        assert_eq!(said("http://g", "::"), None);
        assert!(error(("http://g", "/"), StatusCode::FOUND, &HeaderMap::new()).is_none());
        let headers = HeaderMap::from_iter([(LOCATION, "https://h/".parse().unwrap())]);
        assert!(error(("http://g", "/"), StatusCode::CREATED, &headers).is_none());
    }
}
