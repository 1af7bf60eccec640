//! What may be called, as far as its URL tells.

use std::net::IpAddr;

use reqwest::Url;

use super::Error;
use super::address::is_allowed;

/// The longest URL that is called.
const URL_MAX_BYTES: usize = 2_000;

/// Reads a URL and refuses one that would not be called.
pub(super) fn parse(text: &str, private_too: bool) -> Result<Url, Error> {
    if text.len() > URL_MAX_BYTES {
        return Err(Error::Refused("is over 2000 bytes long"));
    }
    let url = Url::parse(text).map_err(|_| Error::Refused("is no absolute URL"))?;
    if !url.username().is_empty() || url.password().is_some() {
        return Err(Error::Refused("holds a name or a password; leave them out"));
    }
    if url.fragment().is_some() {
        return Err(Error::Refused("has a fragment (#…), which is never sent; leave it out"));
    }
    let host = url.host_str().ok_or(Error::Refused("names no host"))?;
    let address = literal(host);
    let local = address.map_or_else(|| is_local_name(host), |address| address.is_loopback());
    match url.scheme() {
        "https" => {}
        "http" if private_too && local => {}
        _ => return Err(Error::Refused("must be https")),
    }
    if address.is_some_and(|address| !is_allowed(address, private_too)) || (local && !private_too) {
        return Err(Error::Refused("names an address that is not public"));
    }
    Ok(url)
}

/// Whether a name is one of this machine's own.
pub(super) fn is_local_name(host: &str) -> bool {
    let host = host.strip_suffix('.').unwrap_or(host).to_ascii_lowercase();
    host == "localhost" || host.ends_with(".localhost")
}

/// The address that a host is written as.
fn literal(host: &str) -> Option<IpAddr> {
    let bare = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host);
    bare.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_https_to_what_may_be_public_is_called() {
        for url in
            ["https://hooks.example.com/a?b=c", "https://8.8.8.8:8443/", "https://[2606:4700::1]/"]
        {
            assert!(parse(url, false).is_ok(), "{url}");
            assert!(parse(url, true).is_ok(), "{url}");
        }
    }

    #[test]
    fn this_machine_is_called_only_where_that_is_allowed_and_there_without_tls() {
        for url in [
            "http://127.0.0.1:9/",
            "http://localhost:9/",
            "http://hooks.localhost/",
            "http://[::1]:9/",
            "https://localhost/",
            "https://10.0.0.1/",
            "https://0x7f.1/",
            "https://2130706433/",
        ] {
            assert!(parse(url, false).is_err(), "{url}");
            assert!(parse(url, true).is_ok(), "{url}");
        }
    }

    #[test]
    fn url_that_smells_is_never_called() {
        let long = format!("https://example.com/{}", "x".repeat(2_000));
        for url in [
            "",
            "hooks",
            "/hooks",
            "ftp://example.com/",
            "file:///etc/passwd",
            "http://example.com/",
            "http://10.0.0.1/",
            "http://8.8.8.8/",
            "https://user@example.com/",
            "https://:pw@example.com/",
            "https://example.com/#a",
            "https://169.254.169.254/latest/",
            "https://[::ffff:7f00:1]/",
            "https://0.0.0.0/",
            "gopher://127.0.0.1/",
            "data:text/plain,a",
            &long,
        ] {
            assert!(parse(url, true).is_err(), "{url}");
        }
    }
}
