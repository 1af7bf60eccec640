//! The certificates of authorities, by which a server with TLS is known.

use super::error::said;

/// The environment variables that tell rustls where to look for them.
const VARIABLES: [&str; 2] = ["SSL_CERT_FILE", "SSL_CERT_DIR"];

/// Says why there can be no client, and what to do.
pub(super) fn why_none(error: &reqwest::Error) -> String {
    if !said(error, "No CA certificates") {
        return format!("no HTTP client can be made on this machine: {}", deepest(error));
    }
    match VARIABLES.into_iter().find_map(|name| Some((name, std::env::var_os(name)?))) {
        Some((name, place)) => format!(
            "the base URL begins with https, and there are no certificates of authorities at {place:?}, which {name} \
             names; put them there in PEM, or unset {name} for those of the system"
        ),
        None => "the base URL begins with https, and this machine has no certificates of authorities; install \
                 them (the package ca-certificates), or name a file of them in PEM in SSL_CERT_FILE"
            .to_owned(),
    }
}

fn deepest(error: &reqwest::Error) -> String {
    let mut cause: &dyn std::error::Error = error;
    while let Some(deeper) = cause.source() {
        cause = deeper;
    }
    cause.to_string()
}
