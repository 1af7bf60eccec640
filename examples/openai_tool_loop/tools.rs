//! What the model may ask for: read strictly, asked for as an action, and only then run.

use std::io;

use agenttrust::{Action, AgentTrustError, AgentTrustGuard, Effect};
use agenttrust_examples::Folder;
use async_openai::types::chat::{
    ChatCompletionTool, ChatCompletionTools, FunctionCall, FunctionObject,
};
use serde::{Deserialize, Serialize};
use serde_json::json;

/// The arguments of a tool. Unknown fields are refused, and serde refuses one that comes twice: of
/// arguments that can be read in two ways, one would be checked and the other would run.
#[derive(Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Document {
    name: String,
}

/// A call that was understood.
#[derive(Debug)]
pub(crate) enum Call {
    Read(Document),
    Delete(Document),
    Publish(Document),
}

/// The reason why a tool did not do its work; the model reads it.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ToolError {
    #[error("there is no tool {0:?}")]
    Unknown(String),
    #[error("the arguments of {tool:?} cannot be read, so it did not run: {why}")]
    Arguments { tool: String, why: serde_json::Error },
    /// `From<AgentTrustError>` is all that `guard.run` needs.
    #[error(transparent)]
    NotAllowed(#[from] AgentTrustError),
    #[error(transparent)]
    Disk(#[from] io::Error),
}

impl Call {
    /// Reads what the model wrote.
    pub(crate) fn parse(function: &FunctionCall) -> Result<Self, ToolError> {
        let call = match function.name.as_str() {
            "read_file" => Self::Read,
            "delete_file" => Self::Delete,
            "publish_file" => Self::Publish,
            other => return Err(ToolError::Unknown(other.to_owned())),
        };
        match serde_json::from_str(&function.arguments) {
            Ok(document) => Ok(call(document)),
            Err(why) => Err(ToolError::Arguments { tool: function.name.clone(), why }),
        }
    }

    /// Asks, runs it where it is allowed, and reports how it went.
    pub(crate) async fn run(
        &self,
        guard: &AgentTrustGuard,
        folder: &Folder,
    ) -> Result<String, ToolError> {
        guard.run(self.action(), self.work(folder)).await
    }

    /// Returns what is about to happen. The input is what was read, not what was written: `work`
    /// gets the very same, so that what is approved is what runs.
    fn action(&self) -> Action {
        match self {
            Self::Read(document) => Action::new("read_file").effect(Effect::Read).input(document),
            Self::Delete(document) => {
                Action::new("delete_file").effect(Effect::Destructive).input(document)
            }
            Self::Publish(document) => {
                Action::new("publish_file").effect(Effect::Mutating).input(document)
            }
        }
    }

    async fn work(&self, folder: &Folder) -> Result<String, ToolError> {
        match self {
            Self::Read(Document { name }) => Ok(folder.read(name).await?),
            Self::Delete(Document { name }) => {
                folder.delete(name).await?;
                Ok(format!("{name} is gone"))
            }
            Self::Publish(Document { name }) => {
                folder.publish(name).await?;
                Ok(format!("the world can read {name}"))
            }
        }
    }
}

/// Returns the tools as the model sees them.
pub(crate) fn offered() -> Vec<ChatCompletionTools> {
    [
        ("read_file", "Reads a document of the folder."),
        ("delete_file", "Deletes a document of the folder for good."),
        ("publish_file", "Puts a document where the world can read it."),
    ]
    .map(|(name, description)| {
        ChatCompletionTools::Function(ChatCompletionTool {
            function: FunctionObject {
                name: name.to_owned(),
                description: Some(description.to_owned()),
                parameters: Some(json!({
                    "type": "object",
                    "properties": {
                        "name": { "type": "string", "description": "Such as plan.md" },
                    },
                    "required": ["name"],
                    "additionalProperties": false,
                })),
                strict: Some(true),
            },
        })
    })
    .into()
}
