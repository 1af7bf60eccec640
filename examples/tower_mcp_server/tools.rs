//! The tools: files of one folder, over MCP. Of guards, one of them can be given its own.

use std::io;
use std::path::{Path, PathBuf};

use agenttrust::{AgentTrustGuard, Effect};
use agenttrust_tower::GuardLayer;
use serde::Deserialize;
use tower_mcp::schemars::{self, JsonSchema};
use tower_mcp::{CallToolResult, McpRouter, NoParams, Tool, ToolBuilder};

#[derive(Debug, Deserialize, JsonSchema)]
struct Named {
    /// The plain name of a file.
    name: String,
}

#[derive(Debug, Deserialize, JsonSchema)]
struct Written {
    /// The plain name of a file.
    name: String,
    /// The text of the document, all of it.
    text: String,
}

/// Returns a server with all the tools and no guard: the layer of its transport guards them all.
pub(crate) fn all(folder: &Path) -> McpRouter {
    McpRouter::new()
        .server_info("files", "1.0.0")
        .tool(list(folder))
        .tool(write(folder))
        .tool(delete(folder, None))
}

/// Returns a server whose one dangerous tool is guarded, and no other.
pub(crate) fn with_delete_guarded(folder: &Path, guard: AgentTrustGuard) -> McpRouter {
    McpRouter::new()
        .server_info("files", "1.0.0")
        .tool(list(folder))
        .tool(delete(folder, Some(guard)))
}

fn list(folder: &Path) -> Tool {
    let folder = folder.to_owned();
    ToolBuilder::new("list")
        .description("Lists the files")
        .read_only()
        .handler(move |_: NoParams| {
            let folder = folder.clone();
            async move { Ok(answer(names(&folder).await)) }
        })
        .build()
}

fn write(folder: &Path) -> Tool {
    let folder = folder.to_owned();
    ToolBuilder::new("write")
        .description("Writes a file")
        .non_destructive()
        .handler(move |Written { name, text }: Written| {
            let path = path_of(&folder, &name);
            async move {
                let written = async { tokio::fs::write(path?, text).await }.await;
                Ok(answer(written.map(|()| format!("{name} is written"))))
            }
        })
        .build()
}

/// Says nothing of itself, so that it is destructive, as MCP has it.
fn delete(folder: &Path, guard: Option<AgentTrustGuard>) -> Tool {
    let folder = folder.to_owned();
    let tool = ToolBuilder::new("delete").description("Deletes a file").handler(
        move |Named { name }: Named| {
            let path = path_of(&folder, &name);
            async move {
                let deleted = async { tokio::fs::remove_file(path?).await }.await;
                Ok(answer(deleted.map(|()| format!("{name} is deleted"))))
            }
        },
    );
    match guard {
        None => tool.build(),
        // A tool's own requests do not say what it is called, nor what it does.
        Some(guard) => tool
            .layer(GuardLayer::mcp_tool(guard, "files/delete").effect(Effect::Destructive))
            .build(),
    }
}

async fn names(folder: &Path) -> io::Result<String> {
    let mut names = Vec::new();
    let mut entries = tokio::fs::read_dir(folder).await?;
    while let Some(entry) = entries.next_entry().await? {
        names.push(entry.file_name().to_string_lossy().into_owned());
    }
    names.sort();
    Ok(names.join(", "))
}

/// Returns the path of a file in the folder. A guard says who may call; that `../..` leads out of
/// the folder is still for us to refuse.
fn path_of(folder: &Path, name: &str) -> io::Result<PathBuf> {
    if Path::new(name).file_name() != Some(name.as_ref()) {
        let problem = format!("{name:?} is no plain name of a file");
        return Err(io::Error::new(io::ErrorKind::InvalidInput, problem));
    }
    Ok(folder.join(name))
}

/// Returns the result of a tool. A tool's own failure is for the model to read, as a denial is.
fn answer(result: io::Result<String>) -> CallToolResult {
    match result {
        Ok(text) => CallToolResult::text(text),
        Err(error) => CallToolResult::error(error.to_string()),
    }
}
