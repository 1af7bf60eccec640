//! The Guardian inside of this program, served beside to a person who decides what it holds.

use std::io::Write;

use agenttrust::AgentTrustClient;

use crate::cli::listen::{Addresses, Listening, Places, Stop};
use crate::cli::remote::failed;
use crate::domain::GuardianError;
use crate::guardian::Guardian;

/// Connections at most: it is there for a person or two.
const CONNECTIONS: usize = 64;
/// The owner of the key that is given out.
const OWNER: &str = "agenttrust mcp run";

/// Takes the address that `--listen` names, before anything is made.
pub(super) fn bind(text: &str) -> Result<Listening, GuardianError> {
    let addresses = Addresses::find("listen", text)?;
    if addresses.exposed() {
        return Err(GuardianError::Invalid(format!(
            "--listen of `agenttrust mcp run` is for the person at this machine, so it does not listen on {text}; use \
             a loopback address such as 127.0.0.1:0"
        )));
    }
    Ok(addresses.bind()?.under([]))
}

/// The place where approvals are decided, until the run ends.
#[derive(Debug)]
pub(super) struct ApprovalServer {
    pub(super) url: String,
    key: String,
    stop: Stop,
}

impl ApprovalServer {
    /// Serves the Guardian, and tells on standard error where, and with which key.
    pub(super) async fn open(
        listening: Listening,
        guardian: &Guardian,
    ) -> Result<Self, GuardianError> {
        let client = guardian.client();
        take_back_left_ones(&client).await?;
        let (key, secret) = guardian.create_approver(OWNER).await?;
        let secret = secret.expose();
        let (url, stop) = (format!("http://{}", listening.address), Stop::new());
        let told = format!(
            "what is held is approved, until this run ends, with AGENTTRUST_URL={url} AGENTTRUST_API_KEY={secret} \
             agenttrust approvals list\n"
        );
        // The key is an operator's and ends with the run: clients keep what is written here.
        let _ = std::io::stderr().write_all(told.as_bytes());
        let (guardian, until) = (guardian.clone(), stop.clone());
        let places = Places::new(CONNECTIONS);
        tokio::spawn(async move { listening.serve(&guardian, None, places, until).await });
        Ok(Self { url, key, stop })
    }

    /// Serves no more, and takes the key back.
    pub(super) async fn close(&self, guardian: &Guardian) {
        if guardian.client().keys().revoke(&self.key).await.is_err() {
            tracing::warn!("the key that approvals were decided with could not be revoked");
        }
        guardian.begin_shutdown();
        self.stop.now();
    }
}

/// Revokes the keys of runs that were killed.
async fn take_back_left_ones(client: &AgentTrustClient) -> Result<(), GuardianError> {
    let keys = client.keys();
    for key in keys.list().await.map_err(failed)? {
        if key.owner.as_deref() == Some(OWNER) && key.revoked_at.is_none() {
            keys.revoke(&key.id).await.map_err(failed)?;
        }
    }
    Ok(())
}
