//! The action of a message that was read.

use std::fmt;

use agenttrust::{Action, Effect};
use http::Request;

use super::kind::Kind;
use super::message::{Call, Message};
use crate::mcp_call::Effects;
use crate::{ExtractAction, Extracted};

/// Makes an action of a message that [`McpHttpLayer`](crate::McpHttpLayer) has read, and refuses every
/// request that did not come by it.
#[derive(Clone, Default)]
pub struct McpExtract {
    pub(super) server: Option<String>,
    pub(super) effects: Option<Effects>,
    pub(super) tasks: Option<Effect>,
}

impl McpExtract {
    fn action(&self, call: &Call) -> Result<Action, &'static str> {
        let effect = match call.kind {
            Kind::Tool => self.effects.as_ref().and_then(|effects| effects(&call.name)),
            Kind::Update => self.tasks.or(call.kind.effect()),
            kind => kind.effect(),
        };
        let tool = call.kind.tool(self.server.as_deref(), &call.name)?;
        let action = Action::new(tool).input(&call.input);
        Ok(match effect {
            Some(effect) => action.effect(effect),
            None => action,
        })
    }
}

impl<B> ExtractAction<Request<B>> for McpExtract {
    fn extract(&self, request: &Request<B>) -> Extracted {
        match request.extensions().get::<Message>() {
            Some(Message::Guard(call)) => match self.action(call) {
                Ok(action) => action.principal_in(request.extensions()).into(),
                Err(reason) => Extracted::refuse(reason),
            },
            Some(Message::Pass) => Extracted::Pass,
            None => Extracted::refuse("the request was not read by the MCP layer"),
        }
    }
}

impl fmt::Debug for McpExtract {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("McpExtract").field("server", &self.server).finish_non_exhaustive()
    }
}
