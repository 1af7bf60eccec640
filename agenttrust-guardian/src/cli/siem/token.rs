//! The token by which a receiver lets in.

use std::fmt;
use std::path::PathBuf;

use clap::Args;

use crate::cli::given;
use crate::domain::GuardianError;

/// The place of the token.
#[derive(Args)]
pub(in crate::cli) struct Token {
    /// The token by which the receiver lets in is what this file holds; - reads standard input. Of a webhook, the
    /// whsec_… that messages are signed with
    #[arg(long, value_name = "FILE", conflicts_with = "token_env")]
    token_file: Option<PathBuf>,
    /// The token is what this environment variable holds
    #[arg(long, value_name = "VARIABLE")]
    token_env: Option<String>,
    /// Taken so that it can be refused with the reason.
    #[arg(long, hide = true, num_args = 0..=1, value_name = "VALUE", alias = "auth-token")]
    token: Option<Option<String>>,
}

// What was given all the same may be one.
impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Token(..)")
    }
}

impl Token {
    /// Returns the token itself; `None` where no place for it was named.
    pub(super) fn read(&self) -> Result<Option<String>, GuardianError> {
        if self.token.is_some() {
            return Err(GuardianError::Invalid(
                "a token could be read by everybody on this machine in an argument, and stays in the shell's history; \
                 give it with --token-file or --token-env, and replace this one"
                    .to_owned(),
            ));
        }
        given::secret("the token", self.token_file.as_deref(), self.token_env.as_deref())
    }
}
