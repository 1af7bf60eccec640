//! The base of absolute addresses, and ids in paths.

/// The base of every absolute URL that is given out: no path, and no slash at its end.
#[derive(Clone, Debug)]
pub(crate) struct Base(pub(crate) String);

impl Base {
    /// The absolute URL of what has this id, below a path that ends in a slash.
    pub(crate) fn below(&self, path: &str, id: &str) -> String {
        format!("{}{path}{}", self.0, escaped(id))
    }
}

/// An id as one segment of a path.
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
    fn an_id_is_one_segment_whatever_it_holds() {
        let base = Base("https://guardian.example".to_owned());
        assert_eq!(base.below("/mcp/", "mcp_1"), "https://guardian.example/mcp/mcp_1");
        assert_eq!(base.below("/mcp/", "../ä?#"), "https://guardian.example/mcp/..%2F%C3%A4%3F%23");
    }
}
