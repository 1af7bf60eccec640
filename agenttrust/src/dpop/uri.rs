//! Which addresses are the same: the address that a proof is for (`htu`) and that of a request (RFC 9449, 4.3).
//!
//! Query and fragment are left out, and what the syntax of URIs lets be written in two ways is written in one (RFC
//! 3986, 6.2.2 and 6.2.3).

use http::Uri;

/// The longest address that is looked at.
const MAX_BYTES: usize = 4096;

/// Returns the address that a proof names, in its one form; `None` for an address that is not HTTP.
pub(super) fn of_proof(htu: &str) -> Option<String> {
    let (origin, path) = parts(htu)?;
    Some(format!("{origin}{}", without_dots(&path)))
}

/// Returns the address of a request, in its one form.
///
/// Dots in its path stay, so that a proof is never good for such a request: the server may well not resolve them, and
/// would do something else than what the proof is for.
pub(super) fn of_request(url: &str) -> Option<String> {
    let (origin, path) = parts(url)?;
    Some(format!("{origin}{path}"))
}

/// Returns `scheme://host[:port]` and the path.
fn parts(url: &str) -> Option<(String, String)> {
    if url.len() > MAX_BYTES {
        return None;
    }
    let url = url.split(['?', '#']).next()?;
    let uri: Uri = url.parse().ok()?;
    let scheme = uri.scheme_str().filter(|scheme| matches!(*scheme, "http" | "https"))?;
    let authority = uri.authority()?;
    let host = authority.host();
    let port = authority.as_str().get(host.len()..)?;
    // Whatever stands before an `@` is no part of where a request goes.
    if host.is_empty() || authority.as_str().contains('@') {
        return None;
    }
    let port = match port.strip_prefix(':') {
        None if port.is_empty() => String::new(),
        None => return None,
        Some("") => String::new(),
        Some(_) => match (scheme, authority.port_u16()?) {
            ("http", 80) | ("https", 443) => String::new(),
            (_, port) => format!(":{port}"),
        },
    };
    let origin = format!("{scheme}://{}{port}", host.to_ascii_lowercase());
    Some((origin, decoded(uri.path())?))
}

/// Returns a path in which only what has to be is percent-encoded, by capital digits.
fn decoded(path: &str) -> Option<String> {
    let mut whole = String::with_capacity(path.len());
    let mut pieces = path.split('%');
    whole.push_str(pieces.next()?);
    for piece in pieces {
        let digits = piece.get(..2).filter(|it| it.bytes().all(|byte| byte.is_ascii_hexdigit()))?;
        let byte = u8::from_str_radix(digits, 16).ok()?;
        match char::from(byte) {
            plain @ ('a'..='z' | 'A'..='Z' | '0'..='9' | '-' | '.' | '_' | '~') => {
                whole.push(plain);
            }
            _ => whole.push_str(&format!("%{byte:02X}")),
        }
        whole.push_str(piece.get(2..)?);
    }
    Some(whole)
}

/// Returns a path in which `.` and `..` are resolved (RFC 3986, 5.2.4).
fn without_dots(path: &str) -> String {
    let mut kept: Vec<&str> = Vec::new();
    let mut ends_in_dots = false;
    for segment in path.split('/').skip(1) {
        ends_in_dots = matches!(segment, "." | "..");
        match segment {
            "." => {}
            ".." => {
                kept.pop();
            }
            segment => kept.push(segment),
        }
    }
    if ends_in_dots {
        kept.push("");
    }
    format!("/{}", kept.join("/"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn same(htu: &str, url: &str) -> bool {
        of_proof(htu).is_some_and(|htu| of_request(url) == Some(htu))
    }

    #[test]
    fn what_may_be_written_in_two_ways_is_the_same() {
        for (htu, url) in [
            ("https://h.example/a/b", "https://h.example/a/b"),
            ("https://h.example/a/b?q=1#f", "https://h.example/a/b?other"),
            ("HTTPS://H.Example:443/a", "https://h.example/a"),
            ("http://h.example:80/a", "http://h.example/a"),
            ("http://h.example:/a", "http://h.example/a"),
            ("https://h.example:8443/a", "https://H.EXAMPLE:8443/a"),
            ("https://h.example", "https://h.example/"),
            ("https://h.example/%7Euser/%e9%2f", "https://h.example/~user/%E9%2F"),
            ("https://h.example/x/../a/./b", "https://h.example/a/b"),
            ("https://h.example/a/b/..", "https://h.example/a/"),
            ("https://h.example/%2e%2e/a", "https://h.example/a"),
            ("http://[::1]:8080/a", "http://[::1]:8080/a"),
        ] {
            assert!(same(htu, url), "{htu} {url}");
        }
    }

    #[test]
    fn what_is_another_place_is_not_the_same() {
        for (htu, url) in [
            ("http://h.example/a", "https://h.example/a"),
            ("https://h.example/a", "https://h.example/a/"),
            ("https://h.example/A", "https://h.example/a"),
            ("https://h.example/a", "https://h.example:8443/a"),
            ("http://h.example:443/a", "http://h.example/a"),
            ("https://h.example/a%2Fb", "https://h.example/a/b"),
            ("https://h.example.evil/a", "https://h.example/a"),
            ("https://h.example@evil/a", "https://evil/a"),
            ("https://evil/a", "https://h.example@evil/a"),
            ("/a", "https://h.example/a"),
            ("h.example/a", "https://h.example/a"),
            ("ftp://h.example/a", "ftp://h.example/a"),
            ("https://h.example/%zz", "https://h.example/%zz"),
            ("https://h.example/a b", "https://h.example/a b"),
            ("", ""),
            // Whoever serves this may not resolve it.
            ("https://h.example/a", "https://h.example/x/../a"),
            ("https://h.example/x/../a", "https://h.example/x/../a"),
            ("https://h.example/a", "https://h.example/x/%2E./a"),
        ] {
            assert!(!same(htu, url), "{htu} {url}");
        }
        let long = format!("https://h.example/{}", "a".repeat(MAX_BYTES));
        assert!(!same(&long, &long));
    }
}
