//! What may be a token of a destination.

use crate::domain::{DestinationKind, Secret};
use crate::outbound::signature::is_secret;

/// The longest token that is taken.
const TOKEN_MAX_BYTES: usize = 4_096;

/// Refuses what cannot be the token of such a destination; the error says what it does wrong.
pub(crate) fn check_token(kind: DestinationKind, token: &str) -> Result<(), &'static str> {
    match kind {
        DestinationKind::Syslog => {
            return Err("is for receivers of HTTP, and syslog has none; leave it out");
        }
        DestinationKind::File => return Err("is for receivers, and a file has none; leave it out"),
        _ => {}
    }
    if token.is_empty() {
        return Err("is empty; give the one that the receiver made, or leave it out");
    }
    if token.len() > TOKEN_MAX_BYTES {
        return Err("is over 4096 bytes long; give the one that the receiver made");
    }
    // With a line break in it, it would be another header.
    if !token.bytes().all(|byte| byte.is_ascii_graphic()) {
        return Err(
            "holds a space, a line break or another character that no token has; give it without that",
        );
    }
    if kind == DestinationKind::Webhook && !is_secret(token) {
        return Err(
            "is no secret of Standard Webhooks; give whsec_ and the base64 of 24 to 64 random bytes",
        );
    }
    Ok(())
}

/// The least number of a token's characters at the end of a text that count as the beginning of one
/// that was cut off.
const CUT_OFF_LEAST: usize = 4;

/// Returns what a receiver said, without the token, which it may have repeated.
pub(super) fn without(said: String, token: &Secret) -> String {
    const LEFT_OUT: &str = "…";
    let token = token.expose();
    // Of a secret of webhooks the part that counts stands behind the prefix.
    let bare = token.strip_prefix("whsec_").unwrap_or(token);
    let mut said = said.replace(token, LEFT_OUT).replace(bare, LEFT_OUT);
    // Only so much of what a receiver says is kept, and that may end within it.
    for token in [token, bare] {
        let begins = (CUT_OFF_LEAST..token.len()).rev().filter_map(|length| token.get(..length));
        let rest = begins.filter_map(|begin| said.strip_suffix(begin)).map(str::len).next();
        if let Some(rest) = rest {
            said.truncate(rest);
            said.push_str(LEFT_OUT);
        }
    }
    said
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn token_that_a_receiver_repeats_is_left_out_whole_and_cut_off() {
        for (token, said, kept) in [
            (
                "tok-12345678",
                "bad token Splunk tok-12345678, twice tok-12345678.",
                "bad token Splunk …, twice ….",
            ),
            ("tok-12345678", "the answer ends in tok-1234", "the answer ends in …"),
            ("tok-12345678", "nothing of it: tok", "nothing of it: tok"),
            ("whsec_abcdefgh", "secret abcdefgh or whsec_abcdefgh", "secret … or …"),
            ("whsec_abcdefgh", "it ends in whsec_abc", "it ends in …"),
            ("whsec_abcdefgh", "it ends in abcde", "it ends in …"),
        ] {
            let secret = Secret::from(token.to_owned());
            assert_eq!(without(said.to_owned(), &secret), kept);
        }
    }
}
