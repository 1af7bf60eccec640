//! The base of absolute addresses, and ids in paths.

use super::host::Host;

/// The base of every absolute URL that is given out: no path, and no slash at its end.
#[derive(Clone, Debug)]
pub(crate) struct Base(pub(crate) String);

impl Base {
    /// Returns the absolute URL of what has this id, below a path that ends in a slash.
    pub(crate) fn below(&self, path: &str, id: &str) -> String {
        format!("{}{path}{}", self.0, escaped(id))
    }

    /// Returns whether it is an address that only this machine has.
    pub(crate) fn is_loopback(&self) -> bool {
        let authority = self.0.split_once("://").map(|(_, authority)| authority);
        match authority.and_then(Host::parse) {
            Some((Host::Address(address), _)) => address.is_loopback(),
            Some((Host::Name(name), _)) => name == "localhost",
            None => false,
        }
    }
}

/// Returns an id as one segment of a path.
fn escaped(id: &str) -> String {
    let mut path = String::with_capacity(id.len());
    for byte in id.bytes() {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'_' | b'-' | b'.' | b'~' => {
                path.push(char::from(byte));
            }
            _ => path.push_str(&format!("%{byte:02X}")),
        }
    }
    path
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_an_address_of_this_machine_itself_is_certain() {
        for own in ["http://127.0.0.1:8080", "http://localhost", "https://[::1]:1"] {
            assert!(Base(own.to_owned()).is_loopback(), "{own}");
        }
        for other in [
            "http://localhost.example",
            "http://10.0.0.1",
            "http://127.0.0.1.example",
            "http://0.0.0.0",
            "localhost",
            "http://",
        ] {
            assert!(!Base(other.to_owned()).is_loopback(), "{other}");
        }
    }

    #[test]
    fn an_id_is_one_segment_whatever_it_holds() {
        let base = Base("https://guardian.example".to_owned());
        assert_eq!(base.below("/mcp/", "mcp_1"), "https://guardian.example/mcp/mcp_1");
        assert_eq!(base.below("/mcp/", "../ä?#"), "https://guardian.example/mcp/..%2F%C3%A4%3F%23");
    }
}
