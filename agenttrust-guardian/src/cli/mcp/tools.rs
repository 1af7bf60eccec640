//! `agenttrust mcp tools|accept`: what is pinned of the tools of an MCP server, what they are changed to, and taking
//! that.

use std::io::{self, BufRead, IsTerminal};
use std::process::ExitCode;

use agenttrust::model::{McpServer, McpTool, McpToolState};
use agenttrust::{AgentTrustClient, AgentTrustError};

use super::difference::{difference, lines};
use super::servers::find;
use crate::cli::out;
use crate::cli::remote::{Remote, failed};
use crate::domain::GuardianError;

/// Lists the tools of a server with what differs in those that are changed; of one tool, all that is pinned.
pub(super) async fn show(
    server: &str,
    tool: Option<&str>,
    remote: &Remote,
) -> Result<(), GuardianError> {
    let client = remote.client()?;
    let server = find(&client, server).await?;
    let mut tools = tools(&client, &server).await?;
    if let Some(name) = tool {
        tools = vec![named(tools, &server, name)?];
    }
    if remote.json {
        return out::json(&tools);
    }
    if tools.is_empty() {
        return out::say(
            "none of its tools is known; they are pinned when an MCP client first asks for them or calls one",
        );
    }
    let row = |it: &McpTool| {
        let effect = it.effect_hint.map(|effect| effect.to_string()).unwrap_or_default();
        [it.name.clone(), it.state.to_string(), effect, out::when(it.first_seen_at)]
    };
    let rows: Vec<_> = tools.iter().map(row).collect();
    out::table(["TOOL", "STATE", "EFFECT AT LEAST", "FIRST SEEN"], &rows)?;
    for it in &tools {
        if it.state == McpToolState::Changed {
            out::say("")?;
            show_change(&server, it)?;
        } else if tool.is_some() {
            out::say("")?;
            out::say(&lines(&it.definition).join("\n"))?;
        }
    }
    Ok(())
}

async fn tools(
    client: &AgentTrustClient,
    server: &McpServer,
) -> Result<Vec<McpTool>, GuardianError> {
    client.mcp().tools(&server.id).await.map_err(failed)
}

fn named(tools: Vec<McpTool>, server: &McpServer, name: &str) -> Result<McpTool, GuardianError> {
    let found = tools.into_iter().find(|tool| tool.name == name);
    found.ok_or_else(|| {
        let (name, server) = (out::harmless(name), out::harmless(&server.name));
        GuardianError::Invalid(format!(
            "no tool {name:?} of MCP server {server:?} is known; `agenttrust mcp tools` shows those that are"
        ))
    })
}

/// Prints what differs between a tool as it is pinned and as it is now.
fn show_change(server: &McpServer, tool: &McpTool) -> Result<(), GuardianError> {
    // Those who may accept a tool see whole URLs, and all that a tool is changed to.
    let sees_all = !server.url.ends_with("/…");
    let (server, name) = (out::harmless(&server.name), out::harmless(&tool.name));
    let changed = tool.changed.as_ref().and_then(|changed| changed.definition.as_ref());
    let Some(changed) = changed else {
        let why = match sees_all {
            true => "too long to be shown, or there are two of its name",
            false => {
                "what it is now is not shown to this key; ask with the key of an operator or an admin, who may accept it"
            }
        };
        return out::say(&format!("{server}/{name} is another tool by now: {why}"));
    };
    out::say(&format!("{server}/{name} is another tool by now:"))?;
    out::say(&difference(&tool.definition, changed).join("\n"))
}

/// Shows what a tool is changed to and takes it, once a person says so or `yes` does.
pub(super) async fn accept(
    (server, tool): (&str, &str),
    yes: bool,
    remote: &Remote,
) -> Result<ExitCode, GuardianError> {
    let client = remote.client()?;
    let server = find(&client, server).await?;
    let tool = named(tools(&client, &server).await?, &server, tool)?;
    let Some(changed) = &tool.changed else {
        match remote.json {
            true => out::json(&tool)?,
            false => out::say("there is nothing to accept: the tool is as it is pinned")?,
        }
        return Ok(ExitCode::SUCCESS);
    };
    if !remote.json {
        show_change(&server, &tool)?;
    }
    if !yes && !is_meant()? {
        out::say("nothing is accepted")?;
        return Ok(ExitCode::FAILURE);
    }
    let accepted = client.mcp().accept_tool(&server.id, &tool.name, &changed.digest).await;
    let accepted = accepted.map_err(|error| match error {
        AgentTrustError::Api { status: 409, .. } => {
            let why = out::harmless(&error.to_string());
            GuardianError::Invalid(format!("nothing is accepted: {why}"))
        }
        error => failed(error),
    })?;
    match remote.json {
        true => out::json(&accepted)?,
        false => {
            let (server, name) = (out::harmless(&server.name), out::harmless(&accepted.name));
            out::say(&format!("{server}/{name} is accepted as it is now"))?;
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// Asks the person at the terminal.
fn is_meant() -> Result<bool, GuardianError> {
    if !io::stdin().is_terminal() {
        return Err(GuardianError::Invalid(
            "nothing is accepted: there is no terminal to ask at; look at the difference, then say --yes".to_owned(),
        ));
    }
    out::say("Accept it as it is now? [y/N]")?;
    let mut answer = String::new();
    let read = io::stdin().lock().read_line(&mut answer);
    read.map_err(|error| GuardianError::Unavailable(format!("nothing was answered: {error}")))?;
    Ok(matches!(answer.trim().to_ascii_lowercase().as_str(), "y" | "yes"))
}
