//! A URL under which a Guardian is reached.

use reqwest::Url;

use crate::domain::host::Host;

/// The longest that is taken.
const MAX_BYTES: usize = 2_000;

/// A URL under which others reach the Guardian.
#[derive(Clone, Debug)]
pub(in crate::cli) struct PublicUrl {
    host: Host,
    /// All of it, without a slash at its end.
    text: String,
}

impl PublicUrl {
    /// Reads a URL such as `https://guardian.example`, with a port and a path where there are any. What is wrong with
    /// another is said without repeating it: it may hold a password.
    pub(super) fn parse(text: &str) -> Result<Self, &'static str> {
        if text.len() > MAX_BYTES {
            return Err("is over 2000 bytes long; write no more than a host, a port and a path");
        }
        let whole = text.split_once("://").filter(|(_, rest)| !rest.is_empty());
        if whole.is_none_or(|(scheme, _)| !matches!(scheme, "http" | "https")) {
            return Err(
                "does not begin with https:// or http://; write it whole, such as https://guardian.example",
            );
        }
        // The parser takes these for `/` or leaves them out.
        if text.chars().any(|character| character == '\\' || character.is_control()) {
            return Err("holds a backslash or a control character; leave it out");
        }
        let url = Url::parse(text)
            .map_err(|_| "is no URL; write one such as https://guardian.example")?;
        if !url.username().is_empty() || url.password().is_some() {
            return Err("holds a name or a password; leave them out");
        }
        if url.query().is_some() || url.fragment().is_some() {
            return Err("has a ? or a # in it; leave out what begins there");
        }
        let host = url.host_str().unwrap_or_default();
        if host.contains('*') {
            return Err("stands for many names; give each of them with a --public-url of its own");
        }
        match Host::parse(host) {
            Some((host, None)) => {
                let text = url.as_str().trim_end_matches('/').to_owned();
                Ok(Self { host, text })
            }
            _ => Err(
                "names a host that no request could; write one such as https://guardian.example",
            ),
        }
    }

    /// Returns the host in it.
    pub(in crate::cli) fn host(&self) -> &Host {
        &self.host
    }

    /// Returns all of it, without a slash at its end: the base of other URLs.
    pub(in crate::cli) fn as_str(&self) -> &str {
        &self.text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn host_of_a_url_is_the_one_that_requests_name() {
        for (url, host) in [
            ("https://guardian.example", "guardian.example"),
            ("http://guardian:8080", "guardian"),
            ("https://Guardian.Example.:8443/base/", "guardian.example"),
            ("https://my_guardian/", "my_guardian"),
            ("https://bücher.example", "xn--bcher-kva.example"),
            ("http://10.0.0.7:8080", "10.0.0.7"),
            ("http://[::1]:8080", "[::1]"),
        ] {
            assert_eq!(
                PublicUrl::parse(url).unwrap().host(),
                &Host::parse(host).unwrap().0,
                "{url}"
            );
        }
    }

    #[test]
    fn what_no_request_could_name_is_refused_and_not_repeated() {
        let long = format!("https://{}", "x".repeat(2_000));
        for url in [
            "",
            "SECRET",
            "SECRET.example:8080",
            "//SECRET.example",
            "https://",
            "https:///",
            "https://:80",
            "https:SECRET.example",
            "ftp://SECRET.example",
            "https://ada:SECRET@guardian.example",
            "https://SECRET@guardian.example",
            "https://guardian.example/?token=SECRET",
            "https://guardian.example/#SECRET",
            "https://guardian.example\\SECRET",
            "https://guar\ndian.example/SECRET",
            "https://*.SECRET.example",
            "https://SECRET.example:99999",
            "https://[SECRET]",
            &long,
        ] {
            let wrong = PublicUrl::parse(url).unwrap_err();
            assert!(!wrong.contains("SECRET") && wrong.contains("; "), "{url:?}: {wrong}");
        }
    }
}
