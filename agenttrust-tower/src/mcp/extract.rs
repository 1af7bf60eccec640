//! The action of a message that was read.

use std::borrow::Cow;
use std::fmt;
use std::sync::Arc;

use agenttrust::{Action, Effect};
use http::Request;

use super::message::{Call, Kind, Message};
use crate::http::extract::as_identified;
use crate::{ExtractAction, Extracted};

/// Makes an action of a message that [`McpHttpLayer`](crate::McpHttpLayer) has read, and refuses every
/// request that did not come by it.
#[derive(Clone, Default)]
pub struct McpExtract {
    pub(super) server: Option<String>,
    pub(super) effects: Option<Effects>,
}

/// Says what a tool does.
pub(super) type Effects = Arc<dyn Fn(&str) -> Option<Effect> + Send + Sync>;

impl McpExtract {
    fn action(&self, call: &Call) -> Action {
        let name: Cow<'static, str> = match call.kind {
            Kind::Tool => call.name.clone().into(),
            Kind::Resource => "resources/read".into(),
            Kind::Prompt => "prompts/get".into(),
        };
        let tool = match &self.server {
            Some(server) => format!("{server}/{name}").into(),
            None => name,
        };
        let action = Action::new(tool).input(&call.input);
        let effect = match call.kind {
            Kind::Tool => self.effects.as_ref().and_then(|effects| effects(&call.name)),
            Kind::Resource | Kind::Prompt => Some(Effect::Read),
        };
        match effect {
            Some(effect) => action.effect(effect),
            None => action,
        }
    }
}

impl<B> ExtractAction<Request<B>> for McpExtract {
    fn extract(&self, request: &Request<B>) -> Extracted {
        match request.extensions().get::<Message>() {
            Some(Message::Guard(call)) => as_identified(self.action(call), request).into(),
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
