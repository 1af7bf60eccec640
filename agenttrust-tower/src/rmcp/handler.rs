//! [`GuardedHandler`]: a handler behind a guard, and how it is told what to ask.

use std::borrow::Cow;
use std::fmt;
use std::sync::Arc;

use agenttrust::{AgentTrustGuard, Effect, OnElevation};
use rmcp::ServerHandler;

use crate::mcp_call::{EFFECT_OF_AN_UPDATE, Effects};

/// Puts a guard around a handler: [`guarded`](Self::guarded).
pub trait GuardedHandlerExt: ServerHandler {
    /// Returns this handler, with every `tools/call` checked before it runs and reported after it ran.
    ///
    /// ```
    /// use agenttrust::AgentTrustGuard;
    /// use agenttrust_tower::rmcp::GuardedHandlerExt;
    /// use rmcp::{ServerHandler, ServiceExt};
    ///
    /// async fn serve(
    ///     files: impl ServerHandler,
    ///     guard: AgentTrustGuard,
    /// ) -> Result<(), Box<dyn std::error::Error>> {
    ///     let (_client, transport) = tokio::io::duplex(4096);
    ///     let running = files.guarded(guard).serve(transport).await?;
    ///     running.waiting().await?;
    ///     Ok(())
    /// }
    /// ```
    fn guarded(self, guard: AgentTrustGuard) -> GuardedHandler<Self> {
        GuardedHandler::new(self, guard)
    }
}

impl<H: ServerHandler> GuardedHandlerExt for H {}

/// A handler whose tools are checked before they run and reported after they ran; everything else is
/// the inner handler's own. See the [module](crate::rmcp) for what is asked, and of what.
///
/// # Clone
///
/// Clones share the guard, its reports and its breaker with it.
#[derive(Clone)]
#[must_use = "a handler guards nothing until it is served; serve this one, not the one inside"]
pub struct GuardedHandler<H> {
    pub(super) inner: H,
    pub(super) guard: AgentTrustGuard,
    pub(super) server: Option<Cow<'static, str>>,
    pub(super) effects: Option<Effects>,
    pub(super) on_elevation: OnElevation,
    pub(super) resources: bool,
    pub(super) prompts: bool,
    pub(super) tasks: Effect,
}

impl<H> GuardedHandler<H> {
    /// Creates a handler with `inner` behind `guard`; as [`GuardedHandlerExt::guarded`].
    pub fn new(inner: H, guard: AgentTrustGuard) -> Self {
        Self {
            inner,
            guard,
            server: None,
            effects: None,
            on_elevation: OnElevation::Fail,
            resources: false,
            prompts: false,
            tasks: EFFECT_OF_AN_UPDATE,
        }
    }

    /// Sets the name that this server goes by: its tool `read` is asked about as `files/read`, which is what
    /// a Guardian that proxies a server named `files` calls it. Without it, tools keep their names.
    pub fn server(mut self, name: impl Into<Cow<'static, str>>) -> Self {
        self.server = Some(name.into());
        self
    }

    /// Sets what each tool does, by its name without the server's. `None` leaves it to the tool's
    /// annotations, and without those it is destructive.
    ///
    /// For handlers that do not implement [`get_tool`](ServerHandler::get_tool), and for tools whose
    /// annotations you cannot change:
    ///
    /// ```
    /// use agenttrust::Effect;
    /// use agenttrust_tower::rmcp::GuardedHandler;
    ///
    /// # fn example<H: rmcp::ServerHandler>(handler: GuardedHandler<H>) -> GuardedHandler<H> {
    /// handler.effects(|tool| match tool {
    ///     "search" | "fetch" => Some(Effect::Read),
    ///     "set_permissions" => Some(Effect::Admin),
    ///     _ => None,
    /// })
    /// # }
    /// ```
    pub fn effects<F>(mut self, effects: F) -> Self
    where
        F: Fn(&str) -> Option<Effect> + Send + Sync + 'static,
    {
        self.effects = Some(Arc::new(effects));
        self
    }

    /// Sets what a call does that needs an approval: answer with its id at once ([`OnElevation::Fail`], the
    /// default), or wait for the decision.
    ///
    /// A client has a time-out of its own for a call, often of a minute; one that gives up cancels the
    /// call, which then does not run.
    pub fn on_elevation(mut self, on_elevation: OnElevation) -> Self {
        self.on_elevation = on_elevation;
        self
    }

    /// Sets whether `resources/read` and `resources/directory/read` are guarded as well; they are not by
    /// default. They are reads, of the tools `mcp/resources/read` and `mcp/resources/directory/read`,
    /// and their input is `{"uri": ..}`.
    ///
    /// A denial is a protocol error with the code and the approval's id as its data: a resource has no
    /// other way to say that it was not read.
    pub fn resources(mut self, guarded: bool) -> Self {
        self.resources = guarded;
        self
    }

    /// Sets whether `prompts/get` is guarded as well; it is not by default. It is a read, of the tool
    /// `mcp/prompts/get`, and its input is `{"name": .., "arguments": {..}}`. A denial is a protocol
    /// error, as for [`resources`](Self::resources).
    pub fn prompts(mut self, guarded: bool) -> Self {
        self.prompts = guarded;
        self
    }

    /// Sets what `tasks/update` does, which is guarded as the tool `mcp/tasks/update`; destructive, where
    /// nothing is said here. The answers in it let a tool go on that asked for more, and are its input:
    /// `{"taskId": .., "inputResponses": {..}}`. A denial is a protocol error, as for
    /// [`resources`](Self::resources).
    pub fn tasks(mut self, effect: Effect) -> Self {
        self.tasks = effect;
        self
    }

    crate::inner::inner!(H, "inner handler", "Calls made on it directly are not checked.");
}

// Written out, because handlers mostly have no `Debug`, and a closure never has.
impl<H> fmt::Debug for GuardedHandler<H> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("GuardedHandler")
            .field("guard", &self.guard)
            .field("server", &self.server)
            .field("on_elevation", &self.on_elevation)
            .field("resources", &self.resources)
            .field("prompts", &self.prompts)
            .field("tasks", &self.tasks)
            .finish_non_exhaustive()
    }
}
