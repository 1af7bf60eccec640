//! A token that is asked about: an argument, or what standard input holds.

use std::fmt;
use std::io::{Read, stdin};

use agenttrust::VerifyFederatedTokenRequest;
use clap::Args;

use crate::domain::GuardianError;

/// The bytes that are read of a token: more than any has that a Guardian takes.
const TOKEN_MOST: u64 = 64 << 10;

/// A token of a provider, or one of ours.
#[derive(Args)]
pub(in crate::cli) struct Token {
    /// The token: a JWT of the provider, or fed_…. Everybody on this machine can read an argument, and the shell's
    /// history keeps it: where that matters give -, which reads it from standard input
    token: String,
}

// Whoever has it may come as the agent.
impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Token(..)")
    }
}

impl Token {
    /// Returns the token itself, from where it was said to be.
    pub(super) fn read(self) -> Result<String, GuardianError> {
        let mut text = self.token;
        if text == "-" {
            text.clear();
            let read = stdin().lock().take(TOKEN_MOST).read_to_string(&mut text);
            read.map_err(|error| {
                GuardianError::Invalid(format!("standard input cannot be read: {error}"))
            })?;
        }
        match text.trim() {
            "" => Err(GuardianError::Invalid(
                "there is no token; give one, or - and one at standard input".to_owned(),
            )),
            token => Ok(token.to_owned()),
        }
    }

    /// Returns the question what it is worth.
    pub(super) fn asked(
        self,
        issuer: Option<String>,
    ) -> Result<VerifyFederatedTokenRequest, GuardianError> {
        Ok(VerifyFederatedTokenRequest { token: self.read()?, issuer_hint: issuer })
    }
}
