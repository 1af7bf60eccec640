//! Following the Guardian's revocations: what was remembered of a token is forgotten as soon as it is
//! worth nothing.

use std::pin::pin;
use std::sync::{Arc, Weak};
use std::time::Duration;

use agenttrust::background;
use agenttrust::internal::Backoff;
use agenttrust::{AgentTrustClient, AgentTrustError};
use futures_util::future::select;
use tokio::sync::oneshot;

use super::tokens::Tokens;

/// The pause after a stream broke, doubled with each try that fails. A gateway that has no such stream is
/// asked as often as the longest says.
const PAUSES: Backoff = Backoff::new(Duration::from_millis(500), Duration::from_secs(30));

/// Follows for as long as what is returned is kept.
pub(super) fn follow(tokens: &Arc<Tokens>) -> oneshot::Sender<()> {
    let (kept, dropped) = oneshot::channel();
    let (client, tokens) = (tokens.introspector.client.clone(), Arc::downgrade(tokens));
    background::spawn(async move {
        // Nothing is ever sent: it ends when nobody is left to tell.
        select(pin!(follow_on(client, tokens)), dropped).await;
    });
    kept
}

async fn follow_on(client: AgentTrustClient, tokens: Weak<Tokens>) {
    let mut failed = 0_u32;
    loop {
        if let Err(error) = follow_once(&client, &tokens, &mut failed).await {
            tracing::warn!(%error, "revocations are not followed; trying again");
        }
        // What was heard of up to here may be old by now.
        invalidate(&tokens, Tokens::invalidate_all);
        background::sleep(PAUSES.wait(failed)).await;
        failed = failed.saturating_add(1);
    }
}

/// Follows revocations from one opening of the stream to its end.
async fn follow_once(
    client: &AgentTrustClient,
    tokens: &Weak<Tokens>,
    failed: &mut u32,
) -> Result<(), AgentTrustError> {
    let mut revocations = client.tokens().revocations().await?;
    // Only from here on nothing is missed.
    invalidate(tokens, Tokens::invalidate_all);
    *failed = 0;
    while let Some(revocation) = revocations.next().await {
        let revocation = revocation?;
        invalidate(tokens, |tokens| tokens.invalidate(&revocation));
    }
    Ok(())
}

fn invalidate(tokens: &Weak<Tokens>, invalidate: impl FnOnce(&Tokens)) {
    if let Some(tokens) = tokens.upgrade() {
        invalidate(&tokens);
    }
}
