//! The layer: the guard, and how messages are taken in.

use std::borrow::Cow;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use agenttrust::{AgentTrustGuard, Effect, OnElevation};
use tower::Layer;

use super::deny::McpDeny;
use super::extract::McpExtract;
use super::message::{Schemas, Scope};
use super::params::ParamHeaders;
use super::service::{Intake, McpHttp};
use crate::http::StringBody;
use crate::intake::Bounds;
use crate::{GuardLayer, Guarded};

/// Guards the tools of an MCP server over streamable HTTP: see [`mcp`](crate::mcp).
///
/// It is a [`GuardLayer`] behind a reader of messages, so readiness, cancellation and limits are as for
/// that one; the readiness of the inner service is also given back where a body takes long to come.
///
/// The inner service takes requests of the same type as come in: a body that can be made from `Bytes`
/// (axum's `Body`, `Full<Bytes>`).
///
/// Each call is checked as the agent that makes it. Two things that pass are not: **an MCP session is not
/// bound to the agent that opened it**, so that another one who knows its id can read its streams, answer
/// in its name and end it, unless the server behind or something in front of it looks; and what a client
/// answers to the server's own requests (`sampling/createMessage`, `elicitation/create`, `roots/list`)
/// passes unchecked, though the tool that asked acts on it.
#[derive(Clone)]
pub struct McpHttpLayer<M = StringBody> {
    guard: GuardLayer<McpExtract, McpDeny<M>>,
    intake: Intake,
    body: M,
}

impl McpHttpLayer {
    /// Guards `tools/call` and `tasks/update`; bodies of up to 1 MiB, which come within 30 seconds.
    pub fn new(guard: AgentTrustGuard) -> Self {
        let deny = McpDeny::default();
        let unanswered = deny.unanswered.clone();
        let guard = GuardLayer::new(guard).extract(McpExtract::default()).deny_with(deny);
        let bounds = Bounds { limit: 1024 * 1024, within: Duration::from_secs(30) };
        let (scope, schemas, meta) = (Scope::default(), Schemas::default(), Arc::default());
        let intake = Intake { bounds, scope, schemas, meta, unanswered };
        Self { guard, intake, body: StringBody }
    }
}

impl<M> McpHttpLayer<M> {
    /// Names the tools as `name/tool`, so that those of several servers are told apart.
    pub fn server(self, name: impl Into<String>) -> Self {
        self.extract(|extract| extract.server = Some(name.into()))
    }

    /// Sets what the tools do, by name. For those it says nothing of, the Guardian goes by what was declared
    /// of the tool, else by its name.
    pub fn effects(self, effects: impl Fn(&str) -> Option<Effect> + Send + Sync + 'static) -> Self {
        self.extract(|extract| extract.effects = Some(Arc::new(effects)))
    }

    /// Sets what `tasks/update` does, which is guarded as the tool `mcp/tasks/update`: the answers in it let a
    /// tool go on that asked for more. Destructive, where nothing is said here.
    pub fn tasks(self, effect: Effect) -> Self {
        self.extract(|extract| extract.tasks = Some(effect))
    }

    /// Sets whether `resources/read`, `resources/directory/read` and `skills/get` are guarded as well, as reads of
    /// the tools `mcp/resources/read`, `mcp/resources/directory/read` and `mcp/skills/get`; they are not by
    /// default.
    pub fn resources(mut self, guarded: bool) -> Self {
        self.intake.scope.resources = guarded;
        self
    }

    /// Sets whether `prompts/get` is guarded as well, as a read of the tool `mcp/prompts/get`; it is not by
    /// default.
    pub fn prompts(mut self, guarded: bool) -> Self {
        self.intake.scope.prompts = guarded;
        self
    }

    /// Sets which headers repeat arguments of the tools, by name, so that `Mcp-Param-*` are compared with what they
    /// repeat: see [`mcp`](crate::mcp#headers-that-repeat-arguments).
    ///
    /// ```
    /// # use agenttrust_tower::{McpHttpLayer, mcp::{InvalidParamHeaders, ParamHeaders}};
    /// # use serde_json::json;
    /// # fn layer(guard: agenttrust::AgentTrustGuard) -> Result<McpHttpLayer, InvalidParamHeaders> {
    /// let query = ParamHeaders::of(&json!({ "type": "object", "properties": {
    ///     "region": { "type": "string", "x-mcp-header": "Region" },
    /// }}))?;
    /// let layer = McpHttpLayer::new(guard)
    ///     .param_headers(move |tool| (tool == "query").then(|| query.clone()));
    /// # Ok(layer)
    /// # }
    /// ```
    pub fn param_headers(
        mut self,
        known: impl Fn(&str) -> Option<ParamHeaders> + Send + Sync + 'static,
    ) -> Self {
        self.intake.schemas = Schemas(Some(Arc::new(known)));
        self
    }

    /// Sets members of `_meta` that the server goes by beside those of MCP itself: they are handed on, and are part of
    /// what an approval is bound to. Without this, they are left out of guarded calls: see
    /// [`mcp`](crate::mcp#what-the-server-gets).
    ///
    /// Name none that changes with every call, such as an id: each call would be another one.
    pub fn bind_meta<T: Into<String>>(mut self, members: impl IntoIterator<Item = T>) -> Self {
        self.intake.meta = members.into_iter().map(Into::into).collect();
        self
    }

    /// Sets how long a message may be, in bytes. It may hold one JSON value for every 16 of them, and 1,024 in
    /// any case, nested ones counted.
    ///
    /// While a message is read and asked about it takes three to four times its length, and at worst,
    /// where it is made of nothing but short lists, thirty times this limit. How many there are at a time
    /// is for a limit outside of the layer.
    pub fn max_body_bytes(mut self, bytes: usize) -> Self {
        self.intake.bounds.limit = bytes;
        self
    }

    /// Sets how long a message may take to come.
    pub fn body_timeout(mut self, within: Duration) -> Self {
        self.intake.bounds.within = within;
        self
    }

    /// Adds scopes that every call needs: [`GuardLayer::scopes`].
    pub fn scopes<T: Into<Cow<'static, str>>>(
        mut self,
        scopes: impl IntoIterator<Item = T>,
    ) -> Self {
        self.guard = self.guard.scopes(scopes);
        self
    }

    /// Sets what a held call does: [`GuardLayer::on_elevation`].
    pub fn on_elevation(mut self, on_elevation: OnElevation) -> Self {
        self.guard = self.guard.on_elevation(on_elevation);
        self
    }

    /// Sets whether a guarded function inside runs without asking again: [`GuardLayer::covers_inner`].
    pub fn covers_inner(mut self, covers: bool) -> Self {
        self.guard = self.guard.covers_inner(covers);
        self
    }

    /// Makes the bodies of refusals and denials with `make`, for body types that are not
    /// `From<String>`.
    pub fn body_with<F: Clone>(self, make: F) -> McpHttpLayer<F> {
        let unanswered = self.intake.unanswered.clone();
        let guard = self.guard.deny_with(McpDeny { body: make.clone(), unanswered });
        McpHttpLayer { guard, intake: self.intake, body: make }
    }

    fn extract(mut self, change: impl FnOnce(&mut McpExtract)) -> Self {
        self.guard = self.guard.map_extract(|mut extract| {
            change(&mut extract);
            extract
        });
        self
    }
}

impl<S, M: Clone> Layer<S> for McpHttpLayer<M> {
    type Service = McpHttp<Guarded<S, McpExtract, McpDeny<M>>, M>;

    fn layer(&self, inner: S) -> Self::Service {
        McpHttp::new(self.guard.layer(inner), self.intake.clone(), self.body.clone())
    }
}

impl<M> fmt::Debug for McpHttpLayer<M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("McpHttpLayer")
            .field("guard", &self.guard)
            .field("intake", &self.intake)
            .finish_non_exhaustive()
    }
}
