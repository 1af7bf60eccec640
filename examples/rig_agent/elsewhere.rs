//! Tools that know nothing of guards, as another crate or an MCP server brings them.

use rig_core::message::{EmptyToolName, ToolName};
use rig_core::rig_tool;
use rig_core::tool::{DynamicTool, ToolContext, ToolExecutionError, ToolOutput};
use serde_json::json;

use crate::room::{disk, folder_of};

/// Shreds a document of the folder.
#[rig_tool(params(name = "Such as plan.md"), required(name))]
pub(crate) async fn shred_file(
    #[rig(context)] context: &mut ToolContext,
    name: String,
) -> Result<String, ToolExecutionError> {
    folder_of(context)?.delete(&name).await.map_err(disk)?;
    Ok(format!("{name} is shredded"))
}

/// Returns a tool that the program meets only while it runs.
pub(crate) fn broadcast_file() -> Result<DynamicTool, EmptyToolName> {
    Ok(DynamicTool::new_with_context(
        ToolName::new("broadcast_file")?,
        "Puts a document where the world can read it.",
        json!({
            "type": "object",
            "properties": { "name": { "type": "string", "description": "Such as plan.md" } },
            "required": ["name"],
        }),
        |context, arguments| {
            Box::pin(async move {
                let Some(name) = arguments["name"].as_str() else {
                    return Err(ToolExecutionError::invalid_args("no name"));
                };
                folder_of(context)?.publish(name).await.map_err(disk)?;
                Ok(ToolOutput::text(format!("the world can read {name}")))
            })
        },
    ))
}
