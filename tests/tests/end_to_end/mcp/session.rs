//! A session of the protocol up to 2025-11-25, by plain HTTP.

use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};

use super::guardian_with_agent::GuardianWithAgent;

/// A caller in plain HTTP.
#[derive(Debug)]
pub(super) struct Caller {
    client: reqwest::Client,
    url: String,
    headers: Vec<(&'static str, String)>,
}

impl Caller {
    pub(super) fn request(&self, method: reqwest::Method) -> reqwest::RequestBuilder {
        let request = self.client.request(method, &self.url);
        self.headers.iter().fold(request, |request, (name, value)| request.header(*name, value))
    }

    pub(super) async fn sent(&self, message: Value) -> Result<reqwest::Response> {
        let answer = self.request(reqwest::Method::POST).body(message.to_string()).send().await?;
        ensure!(answer.status().is_success(), "{message}: {}", answer.status());
        Ok(answer)
    }

    /// Opens a session of a client that can do this.
    pub(super) async fn open_as(
        guardian: &GuardianWithAgent,
        url: String,
        able: Value,
    ) -> Result<Self> {
        let mut headers: Vec<_> =
            guardian.headers().into_iter().map(|(name, value)| (name, value.to_owned())).collect();
        headers.push(("content-type", "application/json".to_owned()));
        headers.push(("accept", "application/json, text/event-stream".to_owned()));
        let client = reqwest::Client::builder().no_proxy().build()?;
        let mut caller = Self { client, url, headers };
        let this = json!({ "name": "caller", "version": "1" });
        let params =
            json!({ "protocolVersion": "2025-11-25", "capabilities": able, "clientInfo": this });
        let open = json!({ "jsonrpc": "2.0", "id": 0, "method": "initialize", "params": params });
        let opened = caller.sent(open).await?;
        let session = opened.headers().get("mcp-session-id").context("a session")?.to_str()?;
        caller.headers.push(("mcp-session-id", session.to_owned()));
        caller.headers.push(("mcp-protocol-version", "2025-11-25".to_owned()));
        let told = json!({ "jsonrpc": "2.0", "method": "notifications/initialized" });
        caller.sent(told).await?;
        Ok(caller)
    }
}
