//! The trace that a request is part of, as its caller says it (W3C Trace Context).

use serde::{Deserialize, Serialize};

const PARENT: &str = "traceparent";
const STATE: &str = "tracestate";
/// The longest state that is taken along.
const STATE_MAX_BYTES: usize = 512;
/// The target of the spans of checks, which is how an exporter tells them from all others.
pub(crate) const SPAN_TARGET: &str = "agenttrust_guardian::check";
/// The version that is spoken here.
const VERSION: &str = "00";

/// The trace of a caller.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Trace {
    /// `traceparent`: `00-<32 digits>-<16 digits>-<2 digits>`.
    parent: String,
    /// `tracestate`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    state: Option<String>,
}

impl Trace {
    /// Finds it in what a request says by these names, such as its headers.
    pub(crate) fn find<'s>(said: impl Fn(&str) -> Option<&'s str>) -> Option<Self> {
        Self::read(said(PARENT)?, said(STATE))
    }

    /// Reads `traceparent` and `tracestate`; `None` where the first is not written as it must be. A state that is too
    /// long is left out.
    fn read(parent: &str, state: Option<&str>) -> Option<Self> {
        let (version, rest) = parent.split_once('-')?;
        if !is_hex(version, 2) || version == "ff" {
            return None;
        }
        let mut parts = rest.split('-');
        let (id, span, flags) = (parts.next()?, parts.next()?, parts.next()?);
        // A later version may say more behind what this one says.
        let ends = version != VERSION || parts.next().is_none();
        let is_some = |digits: &str| digits.bytes().any(|digit| digit != b'0');
        let is_right = is_hex(id, 32) && is_hex(span, 16) && is_hex(flags, 2);
        if !is_right || !ends || !is_some(id) || !is_some(span) {
            return None;
        }
        let is_kept = |state: &&str| {
            state.len() <= STATE_MAX_BYTES
                && state.bytes().all(|byte| (b' '..=b'~').contains(&byte))
        };
        let state = state.filter(is_kept).map(str::to_owned);
        Some(Self { parent: format!("{VERSION}-{id}-{span}-{flags}"), state })
    }

    /// Returns the id of the trace: 32 hexadecimal digits.
    pub(crate) fn id(&self) -> &str {
        self.parent.get(3..35).unwrap_or_default()
    }

    /// Returns both of its headers, by their names.
    pub(crate) fn headers(&self) -> impl Iterator<Item = (&'static str, &str)> {
        let state = self.state.as_deref().map(|state| (STATE, state));
        [(PARENT, self.parent.as_str())].into_iter().chain(state)
    }
}

fn is_hex(text: &str, count: usize) -> bool {
    let is_digit = |digit: u8| digit.is_ascii_digit() || (b'a'..=b'f').contains(&digit);
    text.len() == count && text.bytes().all(is_digit)
}

#[cfg(test)]
mod tests {
    use super::*;

    const WRITTEN: &str = "00-0af7651916cd43dd8448eb211c80319c-00f067aa0ba902b7-01";

    #[test]
    fn trace_is_read_where_it_is_written_as_it_must_be() {
        let trace = Trace::read(WRITTEN, Some("a=b")).unwrap();
        assert_eq!(trace.id(), "0af7651916cd43dd8448eb211c80319c");
        let headers: Vec<_> = trace.headers().collect();
        assert_eq!(headers, [("traceparent", WRITTEN), ("tracestate", "a=b")]);
        for bad in [
            "",
            "00",
            "ff-0af7651916cd43dd8448eb211c80319c-00f067aa0ba902b7-01",
            "0-0af7651916cd43dd8448eb211c80319c-00f067aa0ba902b7-01",
            "00-00000000000000000000000000000000-00f067aa0ba902b7-01",
            "00-0af7651916cd43dd8448eb211c80319c-0000000000000000-01",
            "00-0AF7651916CD43DD8448EB211C80319C-00f067aa0ba902b7-01",
            "00-0af7651916cd43dd8448eb211c80319c-00f067aa0ba902b7-01-x",
            "00-0af7651916cd43dd8448eb211c80319c-00f067aa0ba902b7\r\nx: y-01",
            "00-0af7651916cd43dd8448eb211c80319é-00f067aa0ba902b7-01",
        ] {
            assert_eq!(Trace::read(bad, None), None, "{bad}");
        }
    }

    #[test]
    fn later_version_is_read_as_far_as_this_one_goes() {
        let later = WRITTEN.replacen("00", "01", 1) + "-more";
        assert_eq!(Trace::read(&later, None), Trace::read(WRITTEN, None));
        assert!(Trace::read(&later.replace("-more", ""), None).is_some());
    }

    #[test]
    fn state_that_cannot_be_a_header_or_is_too_long_is_left_out() {
        for state in ["a=\r\nb", "é", &"a".repeat(513)] {
            assert_eq!(Trace::read(WRITTEN, Some(state)), Trace::read(WRITTEN, None), "{state}");
        }
    }
}
