//! The first way: tools that were written for this agent, as `#[rig_tool]` functions with `#[guarded]`.
//!
//! Each asks the guard of the process (`set_global_fallback`) before its body and reports after it. Not
//! `guard.scope(agent.prompt(..))`: runs that share a rig agent also poll each other's tools, and a scope belongs to
//! the run that polls.

use agenttrust::guarded;
use rig_core::rig_tool;
use rig_core::tool::{ToolContext, ToolExecutionError};

use crate::refused::refused;
use crate::room::{disk, folder_of};

/// Reads a document of the folder.
#[rig_tool(params(name = "Such as plan.md"), required(name))]
#[guarded(effect = "read", on_denied = |denial| Err(refused(denial)))]
pub(crate) async fn read_file(
    #[rig(context)] context: &mut ToolContext,
    name: String,
) -> Result<String, ToolExecutionError> {
    folder_of(context)?.read(&name).await.map_err(disk)
}

/// Deletes a document of the folder for good.
#[rig_tool(params(name = "Such as plan.md"), required(name))]
#[guarded(effect = "destructive", skip(context), on_denied = |denial| Err(refused(denial)))]
pub(crate) async fn delete_file(
    #[rig(context)] context: &mut ToolContext,
    name: String,
) -> Result<String, ToolExecutionError> {
    folder_of(context)?.delete(&name).await.map_err(disk)?;
    Ok(format!("{name} is gone"))
}

/// Puts a document where the world can read it.
#[rig_tool(params(name = "Such as plan.md"), required(name))]
#[guarded(effect = "mutating", on_denied = |denial| Err(refused(denial)))]
pub(crate) async fn publish_file(
    #[rig(context)] context: &mut ToolContext,
    name: String,
) -> Result<String, ToolExecutionError> {
    folder_of(context)?.publish(&name).await.map_err(disk)?;
    Ok(format!("the world can read {name}"))
}
