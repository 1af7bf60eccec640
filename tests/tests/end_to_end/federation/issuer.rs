//! [`Issuer`]: `oidc-provider`, as a process.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};
use reqwest::{Client, Url};
use serde_json::Value;
use tempfile::TempDir;
use tokio::process::{Child, Command};

use crate::programs::{packages_of, started};

/// The algorithms by which it signs.
pub(super) const ALGORITHMS: [&str; 3] = ["RS256", "ES256", "EdDSA"];

/// An issuer of tokens, until this is dropped.
#[derive(Debug)]
pub(super) struct Issuer {
    url: String,
    node: PathBuf,
    /// The folder of its keys while it is stopped.
    kept: TempDir,
    process: Option<Child>,
    client: Client,
}

impl Issuer {
    /// Starts an issuer on a free port, with keys that no verifier has seen before.
    pub(super) async fn start(node: &Path) -> Result<Self> {
        let kept = TempDir::with_prefix("issuer-")?;
        let (process, url) = run(node, &kept, 0).await?;
        let client = Client::builder().no_proxy().build()?;
        Ok(Self { url, node: node.to_owned(), kept, process: Some(process), client })
    }

    /// Returns what it calls itself.
    pub(super) fn url(&self) -> &str {
        &self.url
    }

    /// Ends it. It keeps its keys.
    pub(super) async fn stop(&mut self) -> Result<()> {
        let mut process = self.process.take().context("it runs")?;
        process.kill().await?;
        Ok(())
    }

    /// Starts it once more, where it was and with the keys that it had.
    pub(super) async fn resume(&mut self) -> Result<()> {
        ensure!(self.process.is_none(), "it runs");
        let port = Url::parse(&self.url)?.port().context("a port")?;
        let (process, url) = run(&self.node, &self.kept, port).await?;
        ensure!(url == self.url, "it is at {url}, and was at {}", self.url);
        self.process = Some(process);
        Ok(())
    }

    /// Rotates its keys: it signs with new ones, and publishes the old ones beside them.
    pub(super) async fn rotate(&self) -> Result<()> {
        self.change_keys("rotate").await
    }

    /// Forgets old keys: it publishes only those that it signs with.
    pub(super) async fn forget(&self) -> Result<()> {
        self.change_keys("forget").await
    }

    /// Replaces its keys: it signs with new ones, and publishes no others.
    pub(super) async fn replace(&self) -> Result<()> {
        self.change_keys("replace").await
    }

    async fn change_keys(&self, how: &str) -> Result<()> {
        let answer = self.client.post(format!("{}/keys/{how}", self.url)).send().await?;
        answer.error_for_status()?;
        Ok(())
    }

    /// Returns a token of the agent that comes by itself, `agent-ALGORITHM`, for this resource and these scopes;
    /// without a resource it is one that only its issuer can read.
    pub(super) async fn token_of_agent(
        &self,
        algorithm: &str,
        resource: Option<&str>,
        scopes: &str,
    ) -> Result<String> {
        let agent = format!("agent-{algorithm}");
        let mut asked = vec![("grant_type", "client_credentials")];
        asked.extend(resource.map(|resource| ("resource", resource)));
        asked.extend(Some(("scope", scopes)).filter(|_| !scopes.is_empty()));
        let form = Url::parse_with_params("http://form", asked)?;
        let answer = self
            .client
            .post(format!("{}/token", self.url))
            .basic_auth(&agent, Some(format!("secret-of-{agent}")))
            .header("content-type", "application/x-www-form-urlencoded")
            .body(form.query().unwrap_or_default().to_owned())
            .send()
            .await?;
        let (status, answer) = (answer.status(), answer.bytes().await?);
        let answer: Value = serde_json::from_slice(&answer)?;
        let token = answer["access_token"].as_str();
        Ok(token.with_context(|| format!("{status}: {answer}"))?.to_owned())
    }

    /// Returns the ID token of a person who signs in to the site `site-ALGORITHM`.
    pub(super) async fn token_of_person(&self, algorithm: &str, login: &str) -> Result<String> {
        let mut script = Command::new(&self.node);
        script.arg(packages_of("oidc").join("signed_in.mjs"));
        script.args([&self.url, &format!("site-{algorithm}"), login]).kill_on_drop(true);
        let output = script.output().await.context("the script starts")?;
        ensure!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        let tokens: Value = serde_json::from_slice(&output.stdout)?;
        Ok(tokens["id_token"].as_str().context("an ID token")?.to_owned())
    }
}

async fn run(node: &Path, kept: &TempDir, port: u16) -> Result<(Child, String)> {
    let mut command = Command::new(node);
    command.arg(packages_of("oidc").join("issuer.mjs"));
    command.env("PORT", port.to_string()).env("KEYS", kept.path().join("keys.json"));
    let (process, line) = started(command, "issuer at ").await?;
    let url = line.trim_start_matches("issuer at ").trim().to_owned();
    Ok((process, url))
}
