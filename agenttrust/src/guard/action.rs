//! [`Action`]: what is about to happen.

use std::borrow::Cow;
use std::fmt;
use std::time::Duration;

use serde::Serialize;
use serde_json::Value;

use super::identity::AgentIdentity;
use crate::capture::{self, InputCapture};
use crate::model::{Binds, Effect};

/// The way on when an action is held for approval.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum OnElevation {
    /// Return [`ElevationRequired`](crate::AgentTrustError::ElevationRequired) at once.
    #[default]
    Fail,
    /// Wait for the decision, at most this long, then return as `Fail` does.
    Wait(Duration),
}

/// A call that is about to happen: a tool, its effect and its input.
///
/// ```
/// use agenttrust::{Action, Effect};
///
/// let action = Action::new("db_delete")
///     .effect(Effect::Destructive)
///     .scope("db:write")
///     .input(&serde_json::json!({ "table": "users" }));
/// // Inputs stay out of logs.
/// assert!(!format!("{action:?}").contains("users"));
/// ```
#[derive(Clone)]
#[must_use = "an action does nothing until a guard authorizes it"]
pub struct Action {
    pub(crate) tool: Cow<'static, str>,
    pub(crate) effect: Option<Effect>,
    pub(crate) input: Input,
    /// The part of the call that the input is, where it is not the whole call.
    pub(crate) binds: Option<Binds>,
    pub(crate) summary: Option<String>,
    pub(crate) scopes: Vec<Cow<'static, str>>,
    pub(crate) on_elevation: OnElevation,
    pub(crate) principal: Option<AgentIdentity>,
}

/// The captured input.
#[derive(Clone)]
pub(crate) enum Input {
    /// No input was captured: an approval is bound to the summary, or to the name alone.
    None,
    /// The whole input.
    Captured(Value),
    /// An input without a JSON form; the action is not authorized.
    Unreadable(String),
}

impl Action {
    /// Creates a call of `tool`, about which nothing else is known.
    pub fn new(tool: impl Into<Cow<'static, str>>) -> Self {
        Self {
            tool: tool.into(),
            effect: None,
            input: Input::None,
            binds: None,
            summary: None,
            scopes: Vec::new(),
            on_elevation: OnElevation::Fail,
            principal: None,
        }
    }

    /// Sets what the call does. The Guardian may find it stronger, never weaker; without it, it goes by
    /// the tool's name.
    pub fn effect(mut self, effect: Effect) -> Self {
        self.effect = Some(effect);
        self
    }

    /// Sets the input of the call, all of it. It stays in this process: an approval is bound to its digest, and only
    /// its length travels.
    ///
    /// An input that no JSON can hold apart from others (keys that are not strings or come twice, a number that is
    /// `NaN` or infinite, `Some(None)`) makes an action that is not authorized. Two things cannot be seen here: fields
    /// that their type skips are not bound, and a `HashSet` has a new order, and so a new digest, each time.
    pub fn input(mut self, input: &(impl Serialize + ?Sized)) -> Self {
        self.input = match capture::exact(input) {
            Ok(value) => Input::Captured(value),
            Err(error) => Input::Unreadable(error.to_string()),
        };
        self
    }

    /// Says that [`input`](Self::input) is only a part of what the call is given: the head of an HTTP
    /// request without its body, or a gRPC method without its messages.
    ///
    /// The approver is shown that part as what the approval is bound to (`bound_to`), and the approval
    /// serves once. Without this, an approval is bound to the whole input, and says so. For extractors of
    /// one's own; those of `agenttrust-tower` do it themselves.
    ///
    /// ```
    /// use agenttrust::{Action, Binds};
    ///
    /// fn extract<B>(request: &http::Request<B>) -> Action {
    ///     Action::new("files_write").input(request.uri().path()).binds(Binds::Request)
    /// }
    /// ```
    pub fn binds(mut self, part: Binds) -> Self {
        self.binds = Some(part);
        self
    }

    /// Sets what the caller chooses to say about the input; its first 200 characters are sent.
    pub fn summary(mut self, summary: impl Into<String>) -> Self {
        self.summary = Some(summary.into());
        self
    }

    /// Adds a scope that the tool needs beside its own name, such as `db:write`.
    ///
    /// An action with a scope that would be read as another one on its way, because it is empty, has a comma in
    /// it, or begins or ends with white space, is not authorized.
    pub fn scope(mut self, scope: impl Into<Cow<'static, str>>) -> Self {
        self.scopes.push(scope.into());
        self
    }

    /// Adds scopes that the tool needs beside its own name, each as [`scope`](Self::scope) takes it.
    pub fn scopes<S: Into<Cow<'static, str>>>(
        mut self,
        scopes: impl IntoIterator<Item = S>,
    ) -> Self {
        self.scopes.extend(scopes.into_iter().map(Into::into));
        self
    }

    /// Sets what to do when the call is held for approval.
    pub fn on_elevation(mut self, on_elevation: OnElevation) -> Self {
        self.on_elevation = on_elevation;
        self
    }

    /// Asks as this agent, in its session, instead of the guard's own: see
    /// [`acting_for`](crate::AgentTrustGuard::acting_for).
    ///
    /// With `None`, where no agent is known, the action is asked as before.
    pub fn on_behalf_of(mut self, identity: impl Into<Option<AgentIdentity>>) -> Self {
        self.principal = identity.into().or(self.principal);
        self
    }

    /// Asks as the agent that a layer outside left in a request's extensions, if it left one: see
    /// [`AgentIdentity`]. For extractors of one's own; those of `agenttrust-tower` do it themselves.
    ///
    /// ```
    /// use agenttrust::Action;
    ///
    /// fn extract(request: &http::Request<Vec<u8>>) -> Action {
    ///     Action::new("files_write").input(request.body()).principal_in(request.extensions())
    /// }
    /// ```
    pub fn principal_in(self, extensions: &http::Extensions) -> Self {
        self.on_behalf_of(extensions.get::<AgentIdentity>().cloned())
    }

    /// Returns the agent that is asked for, where it is not the guard's own.
    #[must_use]
    pub fn principal(&self) -> Option<&AgentIdentity> {
        self.principal.as_ref()
    }

    /// Gives the action another tool's name.
    pub fn with_tool(mut self, tool: impl Into<Cow<'static, str>>) -> Self {
        self.tool = tool.into();
        self
    }

    /// Sets the input as the macro captured it, argument by argument.
    #[doc(hidden)]
    pub fn captured(mut self, capture: InputCapture) -> Self {
        self.input = match capture.into_parts() {
            Ok(map) if map.is_empty() => Input::None,
            Ok(map) => Input::Captured(Value::Object(map)),
            Err(error) => Input::Unreadable(error),
        };
        self
    }

    /// Puts the captured input into what a layer has read beside it; the two are the whole input.
    #[doc(hidden)]
    pub fn enclosed(mut self, whole: impl FnOnce(Value) -> Value) -> Self {
        self.input = match self.input {
            Input::None => Input::Captured(whole(Value::Null)),
            Input::Captured(part) => Input::Captured(whole(part)),
            Input::Unreadable(why) => Input::Unreadable(why),
        };
        self.binds = None;
        self
    }

    /// Returns the tool's name.
    #[must_use]
    pub fn tool(&self) -> &str {
        &self.tool
    }
}

impl fmt::Debug for Action {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Action")
            .field("tool", &self.tool)
            .field("effect", &self.effect)
            .field("scopes", &self.scopes)
            .field("on_elevation", &self.on_elevation)
            .field("principal", &self.principal)
            .finish_non_exhaustive()
    }
}
