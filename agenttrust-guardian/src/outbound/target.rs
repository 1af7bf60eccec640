//! What may be called, as far as its URL tells.

use std::net::IpAddr;

use reqwest::Url;

use super::Error;
use super::address::Reach;

/// The longest URL that is called.
const URL_MAX_BYTES: usize = 2_000;

/// The reason why a URL is refused that would be called without TLS.
pub(super) const ONLY_TLS: &str = "must be https; without TLS only addresses are called that were opened with \
    allow-outbound: an operator starts `agenttrust serve` with their range, such as `--allow-outbound 127.0.0.1/32`";

/// Reads a URL and refuses one that would not be called.
pub(super) fn parse(text: &str, reach: &Reach) -> Result<Url, Error> {
    if text.len() > URL_MAX_BYTES {
        return Err(Error::Refused("is over 2000 bytes long"));
    }
    let url = Url::parse(text).map_err(unreadable)?;
    check(&url, reach)?;
    // What is written is what is called: an address in one of its other spellings (octal, hexadecimal, one
    // number), a name that only looks like another one, and a name that is two, are told by nobody who reads it.
    let (written, host) = (written_host(text), url.host_str().unwrap_or_default());
    if written.ends_with('.') || host.ends_with('.') {
        return Err(Error::Refused("names a host that ends with a dot; leave the dot out"));
    }
    if literal(host).is_some() {
        let bare = !host.starts_with('[');
        if bare && written != host {
            return Err(Error::Refused(
                "writes an address in an uncommon way; write it as four decimal numbers, such as 192.0.2.1",
            ));
        }
    } else if !written.eq_ignore_ascii_case(host) {
        return Err(Error::Refused(
            "names a host in other characters than letters a to z, digits and hyphens; write the form that \
             begins with xn--",
        ));
    }
    // One reader leaves these out or takes them for something else, where another one does not.
    if text.contains(|odd: char| odd == '\\' || odd.is_whitespace() || odd.is_control()) {
        return Err(Error::Refused(
            "holds a backslash, a space or a control character; leave it out, or write it as %5C, %20 and so on",
        ));
    }
    if !text.split_once(':').is_some_and(|(_, rest)| rest.starts_with("//")) {
        return Err(Error::Refused("has no // before its host; write https:// and the host"));
    }
    Ok(url)
}

/// Refuses a URL that would not be called, however it was written.
pub(super) fn check(url: &Url, reach: &Reach) -> Result<(), Error> {
    if !url.username().is_empty() || url.password().is_some() {
        return Err(Error::Refused("holds a name or a password; leave them out"));
    }
    if url.fragment().is_some() {
        return Err(Error::Refused("has a fragment (#…), which is never sent; leave it out"));
    }
    let host = url.host_str().filter(|host| !host.is_empty());
    let host = host.ok_or(Error::Refused("names no host"))?;
    if url.port() == Some(0) {
        return Err(Error::Refused("names port 0, at which nothing listens; name the real one"));
    }
    let address = literal(host);
    let local = address.map_or_else(|| is_local_name(host), |address| address.is_loopback());
    match url.scheme() {
        "https" => {}
        "http" if may_be_plain(address, local, reach) => {}
        "http" => return Err(Error::Refused(ONLY_TLS)),
        _ => return Err(Error::Refused("must be https")),
    }
    let allowed = match address {
        Some(address) => reach.allows(address),
        // Where other names lead is seen when they are looked up.
        None => !local || reach.allows_local(),
    };
    if !allowed {
        return Err(Error::Refused(
            "names an address that is not public; an operator opens it by starting `agenttrust serve` with \
             `--allow-outbound` and its range, such as `--allow-outbound 127.0.0.1/32`",
        ));
    }
    Ok(())
}

fn may_be_plain(address: Option<IpAddr>, local: bool, reach: &Reach) -> bool {
    match address {
        Some(address) => reach.allows_plain(address, local),
        None => reach.may_be_plain(local),
    }
}

fn unreadable(error: impl std::fmt::Display) -> Error {
    // The type of the error is not reachable by a name.
    Error::Refused(match error.to_string().as_str() {
        "empty host" => "names no host",
        "invalid port number" => "names no port that there is",
        text if text.starts_with("invalid international domain name") => {
            "names a host that cannot be one"
        }
        text if text.contains("IPv4 address") || text.contains("IPv6 address") => {
            "names an address that cannot be one"
        }
        _ => "is no absolute URL; write it as in https://agent.example/a2a",
    })
}

/// Returns the host as it is written in a URL that was read, without its port.
fn written_host(text: &str) -> &str {
    let text = text.trim_matches(|edge: char| edge <= ' ');
    let rest = text.split_once(':').map_or("", |(_, rest)| rest);
    // The reader takes any number of slashes, of either kind.
    let rest = rest.trim_start_matches(['/', '\\']);
    let end = rest.find(['/', '\\', '?', '#']).unwrap_or(rest.len());
    // It also leaves these out, wherever they are.
    let authority = rest.get(..end).unwrap_or(rest).trim_end_matches(['\t', '\r', '\n']);
    match authority.rsplit_once(':') {
        Some((host, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => host,
        _ => authority,
    }
}

/// Returns whether a name is one of this machine's own.
pub(super) fn is_local_name(host: &str) -> bool {
    let host = host.strip_suffix('.').unwrap_or(host).to_ascii_lowercase();
    host == "localhost" || host.ends_with(".localhost")
}

/// Returns the address that a host is written as.
fn literal(host: &str) -> Option<IpAddr> {
    let bare = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host);
    bare.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reach(private_too: bool, ranges: &[&str]) -> Reach {
        let ranges: Vec<_> = ranges.iter().map(|range| range.parse().unwrap()).collect();
        Reach::new(private_too, &ranges)
    }

    fn refused(url: &str, reach: &Reach) -> String {
        match parse(url, reach) {
            Err(error @ Error::Refused(_)) => error.to_string(),
            other => panic!("{url}: {other:?}"),
        }
    }

    #[test]
    fn only_https_to_what_may_be_public_is_called() {
        for url in [
            "https://hooks.example.com/a?b=c",
            "https://HOOKS.example.com:443",
            "https://xn--bcher-kva.example/",
            "https://8.8.8.8:8443/",
            "https://[2606:4700::1]/",
            "https://[2606:4700:0:0::1]:8443/",
            "https://hooks/",
        ] {
            for reach in [reach(false, &[]), reach(true, &[]), reach(false, &["10.0.0.0/8"])] {
                assert!(parse(url, &reach).is_ok(), "{url}");
            }
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
        ] {
            assert!(parse(url, &reach(false, &[])).is_err(), "{url}");
            assert!(parse(url, &reach(true, &[])).is_ok(), "{url}");
        }
        for url in ["http://127.0.0.1:9/", "http://localhost:9/", "https://localhost/"] {
            assert!(parse(url, &reach(false, &["127.0.0.0/8"])).is_ok(), "{url}");
        }
    }

    #[test]
    fn range_that_was_opened_is_called_without_tls_and_what_is_beside_it_is_not() {
        let opened = reach(false, &["10.1.0.0/16", "fd00:1::/32"]);
        for url in [
            "http://10.1.2.3/",
            "https://10.1.2.3/",
            "http://[fd00:1::2]:8080/",
            "http://tools.example.com/",
        ] {
            assert!(parse(url, &opened).is_ok(), "{url}");
        }
        for url in ["http://10.2.2.3/", "http://8.8.8.8/", "http://127.0.0.1/"] {
            assert!(refused(url, &opened).contains("must be https"), "{url}");
        }
        // Where the name leads is seen when it is looked up; this one leads here.
        assert!(refused("http://localhost/", &opened).contains("not public"));
        assert!(refused("https://10.2.2.3/", &opened).contains("not public"));
    }

    /// URLs, and what is said of each.
    const FORBIDDEN: &[(&str, &str)] = &[
        ("", "no absolute URL"),
        ("hooks", "no absolute URL"),
        ("/hooks", "no absolute URL"),
        ("//example.com/", "no absolute URL"),
        ("ftp://example.com/", "must be https"),
        ("file:///etc/passwd", "names no host"),
        ("gopher://127.0.0.1/", "must be https"),
        ("ws://127.0.0.1/", "must be https"),
        ("unix://var/run/docker.sock", "must be https"),
        ("data:text/plain,a", "names no host"),
        ("javascript:alert(1)", "names no host"),
        ("https://", "names no host"),
        ("https:///", "names no host"),
        ("https://:443/", "names no host"),
        ("https://?a", "names no host"),
        ("https://user@example.com/", "a name or a password"),
        ("https://:pw@example.com/", "a name or a password"),
        ("https://8.8.8.8@127.0.0.1/", "a name or a password"),
        ("https://example.com/#a", "a fragment"),
        ("https://example.com/#", "a fragment"),
        ("https://example.com:0/", "port 0"),
        ("https://example.com:65536/", "no port that there is"),
        ("https://example.com:x/", "no port that there is"),
        ("https://example.com./", "ends with a dot"),
        ("https://localhost./", "ends with a dot"),
        ("https://127.0.0.1./", "ends with a dot"),
        ("https://0x7f.1/", "uncommon way"),
        ("https://0x7f000001/", "uncommon way"),
        ("https://0177.0.0.1/", "uncommon way"),
        ("https://127.1/", "uncommon way"),
        ("https://2130706433/", "uncommon way"),
        ("https://2852039166/latest/", "not public"),
        ("https://0xa9fea9fe/latest/", "not public"),
        ("https://%31%32%37.0.0.1/", "uncommon way"),
        ("https://１２７.0.0.1/", "uncommon way"),
        ("https://127。0。0。1/", "uncommon way"),
        ("https://256.1.1.1/", "an address that cannot be one"),
        ("https://[::1/", "an address that cannot be one"),
        ("https://[fe80::1%25eth0]/", "an address that cannot be one"),
        ("https://169.254.169.254/latest/", "not public"),
        ("https://[fd00:ec2::254]/", "not public"),
        ("https://[::ffff:7f00:1]/", "not public"),
        ("https://[::ffff:169.254.169.254]/", "not public"),
        ("https://[64:ff9b::a9fe:a9fe]/", "not public"),
        ("https://0.0.0.0/", "not public"),
        ("https://[::]/", "not public"),
        ("https://bücher.example/", "xn--"),
        ("https://ｅxample.com/", "xn--"),
        ("https://exam%70le.com/", "xn--"),
        ("https://ex\u{ad}ample.com/", "xn--"),
        ("https://exa\tmple.com/", "xn--"),
        ("https://аррӏе.com/", "xn--"),
        ("https://ex ample.com/", "cannot be one"),
        ("https:\\\\example.com/", "a backslash"),
        ("https://example.com\\@evil.example/", "a backslash"),
        ("https://example.com/a b", "a space"),
        ("https://example.com/\n", "control character"),
        ("https://example.com/\0", "control character"),
        ("ht\ttps://example.com/", "control character"),
        ("https:example.com/", "no // before its host"),
        ("https:/example.com/", "no // before its host"),
    ];

    #[test]
    fn every_forbidden_kind_of_url_is_refused_with_what_is_wrong() {
        let long = format!("https://example.com/{}", "x".repeat(2_000));
        let open = reach(true, &["0.0.0.0/0", "::/0"]);
        for (url, says) in FORBIDDEN.iter().copied().chain([(&*long, "over 2000 bytes")]) {
            let told = refused(url, &open);
            assert!(told.starts_with("the URL ") && told.contains(says), "{url}: {told}");
        }
    }
}
