//! `agenttrust mcp add|list|remove`: the MCP servers that are registered.

use std::fmt;
use std::path::PathBuf;

use agenttrust::client::RegisterMcpServerOptions;
use agenttrust::model::{McpAuthorization, McpServer, RegisterMcpServerRequest};
use agenttrust::{AgentTrustClient, AgentTrustError};
use clap::Args;
use serde_json::json;

use crate::cli::remote::{self, Remote, in_our_words};
use crate::cli::{given, out};
use crate::domain::GuardianError;

/// The members of the API, and the options that give them here.
const OPTIONS: [(&str, &str); 2] = [
    ("capabilities", "--capability"),
    (
        "authorization",
        "what is sent as Authorization (--authorization-file or --authorization-env)",
    ),
];

/// Says what the Guardian said, with the option that is meant.
fn failed(error: AgentTrustError) -> GuardianError {
    in_our_words(remote::failed(error), &OPTIONS)
}

/// A server that is to be registered.
#[derive(Args)]
pub(in crate::cli) struct New {
    /// Its name, which the names of its tools begin with, as in NAME/tool
    name: String,
    /// The URL of the server: https, at a public address, unless the Guardian was started with --allow-outbound
    url: String,
    /// The capabilities that it offers, for people; may be given several times
    #[arg(long = "capability", value_name = "WORDS")]
    capabilities: Vec<String>,
    /// Send it what this file holds as Authorization, such as "Bearer …"; - reads standard input
    #[arg(long, value_name = "FILE", conflicts_with = "authorization_env")]
    authorization_file: Option<PathBuf>,
    /// Send it what this environment variable holds as Authorization
    #[arg(long, value_name = "VARIABLE")]
    authorization_env: Option<String>,
    /// Taken so that it can be refused with the reason.
    #[arg(long, hide = true, num_args = 0..=1, value_name = "VALUE")]
    authorization: Option<Option<String>>,
}

// A URL may be as good as a password, and so may what was given all the same.
impl fmt::Debug for New {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("New").field("name", &self.name).finish_non_exhaustive()
    }
}

impl New {
    /// Returns what is to be sent as Authorization, from where it was said to be.
    fn authorization(&self) -> Result<Option<McpAuthorization>, GuardianError> {
        if self.authorization.is_some() {
            return Err(GuardianError::Invalid(
                "what is sent as Authorization could be read by everybody on this machine in an argument, and stays in \
                 the shell's history; give it with --authorization-file or --authorization-env, and replace this one"
                    .to_owned(),
            ));
        }
        let what = "what is to be sent as Authorization";
        let (file, variable) =
            (self.authorization_file.as_deref(), self.authorization_env.as_deref());
        Ok(given::secret(what, file, variable)?.as_deref().map(McpAuthorization::from))
    }

    pub(super) async fn run(self, remote: &Remote) -> Result<(), GuardianError> {
        let client = remote.client()?;
        let mut options = RegisterMcpServerOptions::default();
        options.authorization = self.authorization()?;
        let request = RegisterMcpServerRequest {
            name: self.name,
            url: self.url,
            capabilities: Some(self.capabilities).filter(|given| !given.is_empty()),
        };
        let registered = client.mcp().register_server_with(&request, &options).await;
        let server = registered.map_err(failed)?;
        let address = address(&client, &server);
        if remote.json {
            return out::json(&with_address(&server, &address));
        }
        out::facts(&[
            ("server", server.id),
            ("name", server.name),
            ("behind it", server.url),
            ("point MCP clients at", address),
        ])
    }
}

/// Returns where MCP clients call a server through the Guardian.
fn address(client: &AgentTrustClient, server: &McpServer) -> String {
    format!("{}/mcp/{}", client.base_url(), server.id)
}

fn with_address(server: &McpServer, address: &str) -> serde_json::Value {
    let mut shown = json!(server);
    if let Some(shown) = shown.as_object_mut() {
        shown.insert("address".to_owned(), json!(address));
    }
    shown
}

pub(super) async fn list(remote: &Remote) -> Result<(), GuardianError> {
    let client = remote.client()?;
    let servers = client.mcp().list_servers().await.map_err(failed)?;
    if remote.json {
        let shown = servers.iter().map(|server| with_address(server, &address(&client, server)));
        return out::json(&shown.collect::<Vec<_>>());
    }
    if servers.is_empty() {
        return out::say("no MCP server is there; register one with `agenttrust mcp add`");
    }
    let row = |server: &McpServer| {
        let seen = match server.tools_seen_at {
            None => "not listed yet".to_owned(),
            at => out::when(at),
        };
        [server.name.clone(), server.url.clone(), address(&client, server), seen]
    };
    let rows: Vec<_> = servers.iter().map(row).collect();
    out::table(["NAME", "BEHIND IT", "POINT MCP CLIENTS AT", "TOOLS CHANGED"], &rows)
}

/// Returns the server that is meant: by its id, or by its name.
pub(super) async fn find(
    client: &AgentTrustClient,
    said: &str,
) -> Result<McpServer, GuardianError> {
    let servers = client.mcp().list_servers().await.map_err(failed)?;
    let by = |is: fn(&McpServer) -> &str| servers.iter().find(|server| is(server) == said);
    let found = by(|server| &server.id).or_else(|| by(|server| &server.name)).cloned();
    found.ok_or_else(|| {
        let said = out::harmless(said);
        GuardianError::Invalid(format!(
            "there is no MCP server of the id or name {said:?}; `agenttrust mcp list` shows those that are there"
        ))
    })
}

pub(super) async fn remove(said: &str, remote: &Remote) -> Result<(), GuardianError> {
    let client = remote.client()?;
    let server = find(&client, said).await?;
    client.mcp().remove_server(&server.id).await.map_err(failed)?;
    match remote.json {
        true => out::json(&json!({ "id": server.id, "name": server.name, "status": "removed" })),
        false => out::say(&format!("{} ({}) is removed", server.id, out::harmless(&server.name))),
    }
}
