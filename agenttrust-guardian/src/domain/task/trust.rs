//! What stands under the URI of an extension of the Guardian's own: its word, which no caller and no target speaks.

use serde_json::{Map, Value};

use super::parse_error::ParseError;
use super::{Artifact, Message, Part};

/// The member of a task's metadata that says what the Guardian knows of it.
pub(crate) use agenttrust::model::ATI_TRUST_EXTENSION_URI as TRUST_EXTENSION;

/// The begin of the URIs of such extensions, after their scheme.
const OURS: &str = "agenttrust.id/ext/";

/// Returns whether a name is the URI of such an extension, or stands below one.
fn is_ours(name: &str) -> bool {
    let Some((scheme, rest)) = name.trim().split_once("://") else { return false };
    let is_web = ["https", "http"].iter().any(|web| scheme.eq_ignore_ascii_case(web));
    is_web && rest.get(..OURS.len()).is_some_and(|start| start.eq_ignore_ascii_case(OURS))
}

/// Takes what only the Guardian says out of metadata.
pub(crate) fn strip(metadata: &mut Map<String, Value>) {
    metadata.retain(|name, _| !is_ours(name));
}

/// Takes what only the Guardian says out of a message.
pub(crate) fn strip_message(message: &mut Message) {
    strip(&mut message.metadata);
    message.extensions.retain(|name| !is_ours(name));
    message.parts.iter_mut().for_each(|part| strip(&mut part.metadata));
}

/// Takes what only the Guardian says out of a result.
pub(crate) fn strip_artifact(artifact: &mut Artifact) {
    strip(&mut artifact.metadata);
    artifact.extensions.retain(|name| !is_ours(name));
    artifact.parts.iter_mut().for_each(|part| strip(&mut part.metadata));
}

/// Refuses metadata that says what only the Guardian says; `at` is where it stands.
///
/// # Errors
///
/// [`ParseError`].
pub(crate) fn refuse(metadata: &Map<String, Value>, at: &str) -> Result<(), ParseError> {
    metadata.keys().try_for_each(|name| refuse_name(name, at))
}

/// Refuses a message that says what only the Guardian says.
///
/// # Errors
///
/// [`ParseError`].
pub(crate) fn refuse_message(message: &Message, at: &str) -> Result<(), ParseError> {
    refuse_all((&message.metadata, &message.extensions, &message.parts), at)
}

/// Refuses a result that says what only the Guardian says.
///
/// # Errors
///
/// [`ParseError`].
pub(crate) fn refuse_artifact(artifact: &Artifact, at: &str) -> Result<(), ParseError> {
    refuse_all((&artifact.metadata, &artifact.extensions, &artifact.parts), at)
}

fn refuse_all(
    (metadata, extensions, parts): (&Map<String, Value>, &[String], &[Part]),
    at: &str,
) -> Result<(), ParseError> {
    refuse(metadata, &format!("{at}.metadata"))?;
    for name in extensions {
        refuse_name(name, &format!("{at}.extensions"))?;
    }
    for (place, part) in parts.iter().enumerate() {
        refuse(&part.metadata, &format!("{at}.parts[{place}].metadata"))?;
    }
    Ok(())
}

fn refuse_name(name: &str, at: &str) -> Result<(), ParseError> {
    match is_ours(name) {
        true => Err(ParseError::of(
            at,
            format!("has {name:?}, which only the Guardian speaks for; leave it out"),
        )),
        false => Ok(()),
    }
}
