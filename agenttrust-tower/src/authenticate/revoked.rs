//! Following the Guardian's revocations: what was remembered of a token is forgotten as soon as it is
//! worth nothing.

use std::pin::pin;
use std::sync::{Arc, Weak};
use std::time::Duration;

use agenttrust::background;
use agenttrust::{AgentTrustClient, AgentTrustError};
use futures_util::future::select;
use tokio::sync::oneshot;

use super::tokens::Tokens;

/// The pause after a stream broke, doubled with each try that fails.
const PAUSE: Duration = Duration::from_millis(500);
/// The longest of these pauses: a gateway that has no such stream is asked this often.
const PAUSE_MOST: Duration = Duration::from_secs(30);

/// Follows for as long as what is returned is kept.
pub(super) fn follow(tokens: &Arc<Tokens>) -> oneshot::Sender<()> {
    let (kept, dropped) = oneshot::channel();
    let (client, tokens) = (tokens.question.client.clone(), Arc::downgrade(tokens));
    background::spawn(async move {
        // Nothing is ever sent: it ends when nobody is left to tell.
        select(pin!(follow_on(client, tokens)), dropped).await;
    });
    kept
}

async fn follow_on(client: AgentTrustClient, tokens: Weak<Tokens>) {
    let mut pause = PAUSE;
    loop {
        if let Err(error) = follow_once(&client, &tokens, &mut pause).await {
            tracing::warn!(%error, "revocations are not followed; trying again");
        }
        // What was heard of up to here may be old by now.
        forget(&tokens, Tokens::forget_all);
        background::sleep(pause).await;
        pause = (pause * 2).min(PAUSE_MOST);
    }
}

/// From one opening of the stream to its end.
async fn follow_once(
    client: &AgentTrustClient,
    tokens: &Weak<Tokens>,
    pause: &mut Duration,
) -> Result<(), AgentTrustError> {
    let mut revocations = client.tokens().revocations().await?;
    // Only from here on nothing is missed.
    forget(tokens, Tokens::forget_all);
    *pause = PAUSE;
    while let Some(revocation) = revocations.next().await {
        let revocation = revocation?;
        forget(tokens, |tokens| tokens.forget(&revocation));
    }
    Ok(())
}

fn forget(tokens: &Weak<Tokens>, forget: impl FnOnce(&Tokens)) {
    if let Some(tokens) = tokens.upgrade() {
        forget(&tokens);
    }
}
