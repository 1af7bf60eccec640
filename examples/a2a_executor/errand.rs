//! What a task is about: read strictly, and the same for as long as the task lives.

use std::io;

use a2a::Message;
use a2a_server::ExecutorContext;
use agenttrust::{Action, Effect};
use agenttrust_examples::Folder;
use serde::Serialize;

/// A verb: something to do to a document.
#[derive(Clone, Copy, Debug)]
enum Verb {
    Read,
    Delete,
    Publish,
}

/// A verb and its document.
#[derive(Debug)]
pub(crate) struct Errand {
    verb: Verb,
    document: Document,
}

#[derive(Debug, Serialize)]
struct Document {
    name: String,
}

/// A message that is no errand; the client reads why.
#[derive(Debug, thiserror::Error)]
#[error("{said:?} is nothing that can be done here; say `read`, `delete` or `publish` and a name")]
pub(crate) struct NotUnderstood {
    said: String,
}

impl Errand {
    /// Returns what the *first* message of the task says. A later one continues the task and cannot
    /// turn it into another.
    pub(crate) fn from_context(context: &ExecutorContext) -> Result<Self, NotUnderstood> {
        let history = context.stored_task.as_ref().and_then(|task| task.history.as_deref());
        let first = history.and_then(<[Message]>::first).or(context.message.as_ref());
        let said = first.and_then(Message::text).unwrap_or_default();
        Self::parse(said).ok_or_else(|| NotUnderstood { said: said.to_owned() })
    }

    fn parse(said: &str) -> Option<Self> {
        let (verb, name) = said.split_once(' ')?;
        let verb = match verb {
            "read" => Verb::Read,
            "delete" => Verb::Delete,
            "publish" => Verb::Publish,
            _ => return None,
        };
        Some(Self { verb, document: Document { name: name.to_owned() } })
    }

    /// Returns what is about to happen, as the Guardian is asked.
    pub(crate) fn action(&self) -> Action {
        let (tool, effect) = match self.verb {
            Verb::Read => ("files_read", Effect::Read),
            Verb::Delete => ("files_delete", Effect::Destructive),
            Verb::Publish => ("files_publish", Effect::Mutating),
        };
        Action::new(tool).effect(effect).input(&self.document)
    }

    /// Does it, and returns what is handed to the client.
    pub(crate) async fn run(&self, folder: &Folder) -> io::Result<String> {
        let name = &self.document.name;
        match self.verb {
            Verb::Read => folder.read(name).await,
            Verb::Delete => folder.delete(name).await.map(|()| format!("{name} is gone")),
            Verb::Publish => {
                folder.publish(name).await.map(|()| format!("the world can read {name}"))
            }
        }
    }
}
