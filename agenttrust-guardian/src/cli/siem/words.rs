//! What the Guardian says of the members of its API, in the words of the command line.

use agenttrust::AgentTrustError;

use crate::cli::remote::{self, in_our_words};
use crate::domain::GuardianError;

/// The members, and the options that are meant by them here.
const OPTIONS: [(&str, &str); 9] = [
    ("destination_type", "--type"),
    ("endpoint_url", "--url"),
    ("auth_token", "the token (--token-file or --token-env)"),
    ("batch_size", "--batch-size"),
    ("flush_interval_seconds", "--flush"),
    ("filter_event_types", "--event"),
    ("limit", "--limit"),
    ("before", "--before"),
    ("since", "--since"),
];

/// Says what the Guardian said, with the option that is meant.
pub(super) fn failed(error: AgentTrustError) -> GuardianError {
    in_our_words(remote::failed(error), &OPTIONS)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn member_of_the_api_is_said_as_the_option_that_gives_it() {
        for (theirs, ours) in [
            ("batch_size is 0; use 1 to 1000", "--batch-size is 0; use 1 to 1000"),
            ("limit is 0; use 1 to 200", "--limit is 0; use 1 to 200"),
            (
                "filter_event_types[1] is not known: there is no event type \"x[0]\"",
                "--event is not known: there is no event type \"x[0]\"",
            ),
            (
                "auth_token is missing, and endpoint_url names another host",
                "the token (--token-file or --token-env) is missing, and --url names another host",
            ),
            ("a name that is taken, and a limit", "a name that is taken, and a limit"),
        ] {
            let error = AgentTrustError::Validation { message: theirs.to_owned(), status: 400 };
            assert_eq!(failed(error).to_string(), ours);
        }
    }
}
