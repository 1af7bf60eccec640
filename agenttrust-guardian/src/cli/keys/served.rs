//! The keys of a Guardian that is served, which is asked over HTTP.

use std::time::Duration;

use agenttrust::client::RevokeKeyOptions;
use agenttrust::model::{CreateKeyRequest, Issued, KeyRevocation, KeyRole, ParseWordError};
use agenttrust::{AgentTrustClient, AgentTrustError};

use super::shown::KeyShown;
use crate::cli::remote::{self, in_our_words};
use crate::domain::{GuardianError, Role};

/// The members of the API, and the options that give them here.
const OPTIONS: [(&str, &str); 6] = [
    ("org_id", "--org"),
    ("overlap_seconds", "--overlap"),
    ("agents", "--agent"),
    ("gateway", "--gateway"),
    ("owner", "--owner"),
    ("reason", "--reason"),
];

/// Says what the Guardian said, with the option that is meant.
fn failed(error: AgentTrustError) -> GuardianError {
    in_our_words(remote::failed(error), &OPTIONS)
}

/// Returns the role as it travels.
pub(super) fn role(role: Role) -> Result<KeyRole, GuardianError> {
    role.as_str().parse().map_err(|error: ParseWordError| GuardianError::Invalid(error.to_string()))
}

pub(super) async fn create(
    client: &AgentTrustClient,
    request: &CreateKeyRequest,
    json: bool,
) -> Result<(), GuardianError> {
    let made = client.keys().create(request).await.map_err(failed)?;
    KeyShown::from(&made).print_once(json)
}

pub(super) async fn rotate(
    client: &AgentTrustClient,
    id: &str,
    overlap: u64,
    json: bool,
) -> Result<(), GuardianError> {
    let overlap = Duration::from_secs(overlap);
    let rotated = client.keys().rotate(id, overlap).await.map_err(failed)?;
    KeyShown::from(&rotated).print_once(json)
}

pub(super) async fn list(client: &AgentTrustClient) -> Result<Vec<KeyShown>, GuardianError> {
    let keys = client.keys().list().await.map_err(failed)?;
    Ok(keys.iter().map(KeyShown::from).collect())
}

pub(super) async fn revoke(
    client: &AgentTrustClient,
    id: &str,
    reason: String,
    issued: Option<Issued>,
) -> Result<KeyRevocation, GuardianError> {
    let mut options = RevokeKeyOptions::new(reason);
    options.issued = issued;
    client.keys().revoke_with(id, &options).await.map_err(failed)
}
