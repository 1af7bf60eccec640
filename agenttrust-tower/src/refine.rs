//! What a layer says of every call, whatever its extractor found.

use std::borrow::Cow;

use agenttrust::{Action, Effect, OnElevation};

#[derive(Clone, Debug, Default)]
pub(crate) struct Refine {
    pub(crate) tool: Option<Cow<'static, str>>,
    pub(crate) effect: Option<Effect>,
    pub(crate) scopes: Vec<Cow<'static, str>>,
    pub(crate) on_elevation: Option<OnElevation>,
    pub(crate) covers_inner: bool,
}

impl Refine {
    pub(crate) fn apply(&self, mut action: Action) -> Action {
        if let Some(tool) = &self.tool {
            action = action.with_tool(tool.clone());
        }
        if let Some(effect) = self.effect {
            action = action.effect(effect);
        }
        if let Some(on_elevation) = self.on_elevation {
            action = action.on_elevation(on_elevation);
        }
        if self.scopes.is_empty() { action } else { action.scopes(self.scopes.iter().cloned()) }
    }
}
