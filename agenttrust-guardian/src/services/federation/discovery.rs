//! How an issuer is found: what its discovery document says, and the keys that are where it says so.

use serde::Deserialize;

use super::cut;
use crate::domain::Error;
use crate::engine::Engine;
use crate::engine::issuer_keys::Read;
use crate::outbound;

/// The path of the document, below the issuer (OpenID Connect Discovery 1.0, section 4).
const WELL_KNOWN: &str = "/.well-known/openid-configuration";

/// The document of an issuer about itself.
#[derive(Debug)]
pub(crate) struct Discovered {
    pub(crate) jwks_uri: String,
    pub(crate) authorization_endpoint: Option<String>,
    pub(crate) token_endpoint: Option<String>,
    /// Its keys as they are now; at least one of them may be used.
    pub(crate) keys: Read,
}

/// The document, as far as it matters.
#[derive(Deserialize)]
struct Document {
    issuer: String,
    jwks_uri: String,
    authorization_endpoint: Option<String>,
    token_endpoint: Option<String>,
}

/// Reads the discovery document of an issuer, and its keys.
///
/// # Errors
///
/// Invalid for an issuer that may not be called or cannot be one, for a document that cannot be read or is of another
/// issuer, and for endpoints and keys that cannot be used; the message says what it is.
pub(crate) async fn discover(engine: &Engine, issuer: &str) -> Result<Discovered, Error> {
    let target = engine.target_of("issuer", issuer)?;
    if target.query().is_some() {
        let problem = "has a query, which no issuer has; write it as its tokens name it in \"iss\"";
        return Err(Error::invalid("issuer", problem));
    }
    let at = format!("{}{WELL_KNOWN}", issuer.strip_suffix('/').unwrap_or(issuer));
    let read = engine.issuer_keys.document(&at).await;
    let read = read.map_err(|why| unusable(&format!("at {at} cannot be read: {why}")))?;
    let document: Document = serde_json::from_slice(&read).map_err(|error| {
        let error = cut(&error.to_string());
        unusable(&format!("at {at} cannot be read as one: {error}"))
    })?;
    if document.issuer != issuer {
        let told = cut(&document.issuer);
        return Err(unusable(&format!(
            "at {at} is of issuer {told:?}; register that one, byte for byte as it is written there"
        )));
    }
    let endpoints = [
        ("jwks_uri", Some(&document.jwks_uri)),
        ("authorization_endpoint", document.authorization_endpoint.as_ref()),
        ("token_endpoint", document.token_endpoint.as_ref()),
    ];
    for (member, url) in endpoints {
        if let Some(url) = url {
            check_endpoint(engine, member, url)?;
        }
    }
    let keys = engine.issuer_keys.read(&document.jwks_uri).await;
    let keys = keys.map_err(|why| keys_unusable(&document.jwks_uri, &why.to_string()))?;
    if keys.keys.is_empty() {
        return Err(keys_unusable(&document.jwks_uri, &none_of(keys.keys.unusable())));
    }
    Ok(Discovered {
        jwks_uri: document.jwks_uri,
        authorization_endpoint: document.authorization_endpoint,
        token_endpoint: document.token_endpoint,
        keys,
    })
}

fn check_endpoint(engine: &Engine, member: &str, url: &str) -> Result<(), Error> {
    match engine.outbound.target(url) {
        Ok(_) => Ok(()),
        Err(outbound::Error::Refused(why)) => {
            Err(unusable(&format!("names as {member} a URL that {why}")))
        }
        Err(error) => Err(unusable(&format!("names a {member} that cannot be used: {error}"))),
    }
}

fn none_of(unusable: &[String]) -> String {
    match unusable.first() {
        Some(first) => cut(&format!("none of them may be used; of the first: {first}")),
        None => "there are none".to_owned(),
    }
}

fn unusable(problem: &str) -> Error {
    Error::invalid("issuer", format!("cannot be used: its discovery document {problem}"))
}

fn keys_unusable(jwks_uri: &str, why: &str) -> Error {
    let jwks_uri = cut(jwks_uri);
    Error::invalid("issuer", format!("cannot be used: its keys at {jwks_uri} cannot be: {why}"))
}
