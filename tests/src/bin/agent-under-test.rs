//! An agent that calls one tool and exits, whatever became of it: `agent-under-test embedded|served
//! async|blocking ORDER`. Embedded, its Guardian is on the file `AGENTTRUST_DATABASE`.

use std::env;

use agenttrust::{AgentTrustClient, AgentTrustError, AgentTrustGuard, blocking, guarded};
use agenttrust_guardian::Guardian;

#[guarded(effect = "destructive")]
async fn refund(order: &str) -> Result<String, AgentTrustError> {
    Ok(format!("refunded {order}"))
}

#[guarded(tool = "refund", effect = "destructive")]
fn refund_blocking(order: &str) -> Result<String, AgentTrustError> {
    Ok(format!("refunded {order}"))
}

fn main() -> anyhow::Result<()> {
    let mut words = env::args().skip(1);
    let mut word = || words.next().unwrap_or_default();
    let (place, way, order) = (word(), word(), word());
    let agent = env::var("AGENT_ID")?;
    let runtime = tokio::runtime::Runtime::new()?;
    let guardian = match place.as_str() {
        "embedded" => {
            let database = env::var("AGENTTRUST_DATABASE")?;
            Some(runtime.block_on(Guardian::builder().database(database).build())?)
        }
        _ => None,
    };
    let client = match &guardian {
        Some(guardian) => guardian.client(),
        None => AgentTrustClient::from_env()?,
    };
    let done = if way == "async" {
        let guard = AgentTrustGuard::builder(client, &agent).build();
        runtime.block_on(guard.scope(refund(&order)))
    } else {
        let client = blocking::AgentTrustClient::from(client);
        let guard = blocking::AgentTrustGuard::builder(client, &agent).build();
        guard.scope(|| refund_blocking(&order))
    };
    match done {
        Ok(done) => println!("{done}"),
        Err(error) => println!("{}: {error}", error.code()),
    }
    if let Some(guardian) = guardian {
        runtime.block_on(guardian.close());
    }
    Ok(())
}
