//! SDK guide, section 2: a client from the environment, and one with explicit settings.

use agenttrust::{AgentTrustClient, AgentTrustError, blocking};
use agenttrust_examples::gateway_or_env;

fn main() -> anyhow::Result<()> {
    let runtime = tokio::runtime::Runtime::new()?;
    let gateway = runtime.block_on(gateway_or_env())?;
    // Where the gateway is: the guide's snippet has `http://localhost:8080` here.
    let url = gateway.client().base_url().to_owned();
    let key = gateway.key().to_owned();

    println!("async:");
    runtime.block_on(asynchronous(&url, &key))?;
    println!("blocking:");
    blocking(&url, &key)?;
    Ok(())
}

async fn asynchronous(url: &str, key: &str) -> Result<(), AgentTrustError> {
    // From environment variables
    let client = AgentTrustClient::from_env()?;
    assert_eq!(client.base_url(), url_of_the_environment());
    println!("  from_env: {}", client.base_url());

    // Builder pattern
    let client = AgentTrustClient::builder().base_url(url).api_key(key).build()?;
    println!("  builder: {} is {}", client.base_url(), client.health().await?.status);
    // The key is the gateway's own: a request that needs one is answered.
    client.agents().list().await?;
    Ok(())
}

fn blocking(url: &str, key: &str) -> Result<(), AgentTrustError> {
    // From environment variables
    let client = blocking::AgentTrustClient::from_env()?;
    assert_eq!(client.as_async().base_url(), url_of_the_environment());
    println!("  from_env: {}", client.as_async().base_url());

    // Builder pattern
    let client = blocking::AgentTrustClient::builder().base_url(url).api_key(key).build()?;
    println!("  builder: {} is {}", client.as_async().base_url(), client.health()?.status);
    client.agents().list()?;
    Ok(())
}

/// Returns `AGENTTRUST_URL`, else `AGENTTRUST_BASE_URL`, else this machine; empty is unset.
fn url_of_the_environment() -> String {
    let set = |name| std::env::var(name).ok().filter(|url: &String| !url.is_empty());
    let url = set("AGENTTRUST_URL").or_else(|| set("AGENTTRUST_BASE_URL"));
    url.map_or_else(
        || "http://localhost:8080".to_owned(),
        |url| url.trim_end_matches('/').to_owned(),
    )
}
