//! What a message is to the layer: a call that it guards, or not.

use std::fmt;
use std::sync::Arc;

use http::HeaderMap;
use serde_json::Value;

use super::jsonrpc::{JsonRpc, invalid};
use super::kind::Kind;
use super::params::ParamHeaders;
use super::rpc::Rejection;

/// The kinds of calls that are guarded beside tools and updates of their tasks, which always are.
#[derive(Clone, Copy, Debug, Default)]
pub struct Scope {
    /// Whether reads of resources are.
    pub resources: bool,
    /// Whether prompts are.
    pub prompts: bool,
}

impl Scope {
    /// All kinds.
    pub const ALL: Self = Self { resources: true, prompts: true };

    fn holds(self, kind: Kind) -> bool {
        match kind {
            Kind::Tool | Kind::Update => true,
            Kind::Resource | Kind::Directory | Kind::Skill => self.resources,
            Kind::Prompt => self.prompts,
        }
    }
}

/// A call that is guarded.
#[derive(Clone, Debug)]
pub struct Call {
    /// The kind of the call.
    pub kind: Kind,
    /// The tool's or the prompt's name, the resource's URI, the task's id.
    pub name: String,
    /// Whether the client waits for a task and not for what the tool says (MCP 2025-11-25).
    pub as_task: bool,
    /// The members of `params`, without those that MCP has in `_meta`, and without the name of a tool: see
    /// [`Kind::input`].
    pub input: Value,
    /// The id of the request.
    pub id: Value,
}

impl Call {
    /// Returns the call that a message is, where it is one of those that `scope` holds.
    ///
    /// # Errors
    ///
    /// Returns -32600 for such a call without an id: a denial could not be told.
    pub fn of(message: JsonRpc, scope: Scope) -> Result<Option<Self>, Rejection> {
        let Some((kind, name)) = message.call().filter(|(kind, _)| scope.holds(*kind)) else {
            return Ok(None);
        };
        let Some(id) = message.id().cloned() else {
            let method = message.method().unwrap_or_default();
            return Err(invalid(format!("{method} is a request; send it with an id")));
        };
        let (name, as_task) = (name.to_owned(), message.as_task());
        // Taken and not copied: an input may be all of a message.
        let params = message.into_members().remove("params");
        Ok(Some(Self { kind, name, as_task, input: kind.input(params), id }))
    }
}

/// The meaning of a message for the guard. It travels in the extensions of the request that carries it.
#[derive(Clone, Debug)]
pub(super) enum Message {
    Guard(Call),
    Pass,
}

/// The known headers that repeat a tool's arguments, by the tool's name.
#[derive(Clone, Default)]
pub(super) struct Schemas(pub(super) Option<Arc<KnownOf>>);

pub(super) type KnownOf = dyn Fn(&str) -> Option<ParamHeaders> + Send + Sync;

impl Schemas {
    fn of(&self, message: &JsonRpc) -> Option<ParamHeaders> {
        let (Kind::Tool, name) = message.call()? else { return None };
        self.0.as_ref()?(name)
    }
}

impl fmt::Debug for Schemas {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Schemas").field(&self.0.is_some()).finish()
    }
}

/// The rules for reading a message: what is looked at, and how much of it there may be.
pub(super) struct Reading<'a> {
    /// The largest number of values.
    pub(super) most: usize,
    pub(super) scope: Scope,
    pub(super) schemas: &'a Schemas,
    /// The members of `_meta` that go on and are bound.
    pub(super) meta: &'a [String],
}

impl Reading<'_> {
    /// Reads one message; returns it written again, with its meaning.
    pub(super) fn parse(
        &self,
        text: &[u8],
        headers: &HeaderMap,
    ) -> Result<(Vec<u8>, Message), Rejection> {
        let mut message = JsonRpc::read(text, self.most)?;
        message.agree(headers)?;
        message.agree_on_params(headers, self.schemas.of(&message).as_ref())?;
        message.keep_meta(self.meta);
        let anew = message.write()?;
        let call = Call::of(message, self.scope)?;
        Ok((anew, call.map_or(Message::Pass, Message::Guard)))
    }
}
