//! The handler's methods: four kinds go through the guard, all others are the inner handler's.
//!
//! Every method is here. One that were not would answer with rmcp's default instead of the inner
//! handler's own; a test compares this file with the trait.

use std::borrow::Cow;

use rmcp::model::*;
use rmcp::service::{NotificationContext, RequestContext, SubscriptionContext};
use rmcp::{ErrorData, RoleServer, ServerHandler};

use super::call::{of_caller, unreadable};
use super::handler::GuardedHandler;

type Context = RequestContext<RoleServer>;
type Notified = NotificationContext<RoleServer>;
type Page = Option<PaginatedRequestParams>;
type Answered<T> = Result<T, ErrorData>;

impl<H: ServerHandler> ServerHandler for GuardedHandler<H> {
    // Guarded.

    async fn call_tool(
        &self,
        request: CallToolRequestParams,
        context: Context,
    ) -> Answered<CallToolResponse> {
        let (action, ct) = (of_caller(self.tool_call(&request)?, &context), context.ct.clone());
        self.guard(action, ct.cancelled(), || self.inner.call_tool(request, context)).await
    }

    async fn read_resource(
        &self,
        request: ReadResourceRequestParams,
        context: Context,
    ) -> Answered<ReadResourceResponse> {
        if !self.resources {
            return self.inner.read_resource(request, context).await;
        }
        let (action, ct) = (of_caller(self.resource_read(&request)?, &context), context.ct.clone());
        self.guard(action, ct.cancelled(), || self.inner.read_resource(request, context)).await
    }

    async fn read_resource_directory(
        &self,
        request: ReadResourceDirectoryRequestParams,
        context: Context,
    ) -> Answered<ReadResourceDirectoryResult> {
        if !self.resources {
            return self.inner.read_resource_directory(request, context).await;
        }
        let (action, ct) =
            (of_caller(self.directory_read(&request)?, &context), context.ct.clone());
        let read = || self.inner.read_resource_directory(request, context);
        self.guard(action, ct.cancelled(), read).await
    }

    async fn get_prompt(
        &self,
        request: GetPromptRequestParams,
        context: Context,
    ) -> Answered<GetPromptResponse> {
        if !self.prompts {
            return self.inner.get_prompt(request, context).await;
        }
        let (action, ct) = (of_caller(self.prompt_get(&request)?, &context), context.ct.clone());
        self.guard(action, ct.cancelled(), || self.inner.get_prompt(request, context)).await
    }

    async fn update_task(&self, request: UpdateTaskParams, context: Context) -> Answered<()> {
        let (action, ct) = (of_caller(self.task_update(&request)?, &context), context.ct.clone());
        self.guard(action, ct.cancelled(), || self.inner.update_task(request, context)).await
    }

    // What rmcp cannot read as a request of a guarded method comes here, and a handler that reads it
    // after all would run a tool that nobody asked about.

    async fn on_custom_request(
        &self,
        request: CustomRequest,
        context: Context,
    ) -> Answered<CustomResult> {
        if self.checks(&request.method) {
            return Err(unreadable(&request));
        }
        self.inner.on_custom_request(request, context).await
    }

    async fn on_custom_notification(&self, notification: CustomNotification, context: Notified) {
        if self.checks(&notification.method) {
            tracing::warn!(
                method = notification.method,
                "dropped a notification of a method that is a guarded request"
            );
            return;
        }
        self.inner.on_custom_notification(notification, context).await;
    }

    // The inner handler's.

    async fn ping(&self, context: Context) -> Answered<()> {
        self.inner.ping(context).await
    }

    async fn initialize(
        &self,
        request: InitializeRequestParams,
        context: Context,
    ) -> Answered<InitializeResult> {
        self.inner.initialize(request, context).await
    }

    fn negotiate_initialize(
        &self,
        request: &InitializeRequestParams,
    ) -> Answered<InitializeResult> {
        self.inner.negotiate_initialize(request)
    }

    fn supported_protocol_versions(&self) -> Cow<'static, [ProtocolVersion]> {
        self.inner.supported_protocol_versions()
    }

    async fn discover(&self, context: Context) -> Answered<DiscoverResult> {
        self.inner.discover(context).await
    }

    fn get_info(&self) -> ServerConfig {
        self.inner.get_info()
    }

    fn get_tool(&self, name: &str) -> Option<Tool> {
        self.inner.get_tool(name)
    }

    async fn list_tools(&self, request: Page, context: Context) -> Answered<ListToolsResult> {
        self.inner.list_tools(request, context).await
    }

    async fn list_prompts(&self, request: Page, context: Context) -> Answered<ListPromptsResult> {
        self.inner.list_prompts(request, context).await
    }

    async fn list_resources(
        &self,
        request: Page,
        context: Context,
    ) -> Answered<ListResourcesResult> {
        self.inner.list_resources(request, context).await
    }

    async fn list_resource_templates(
        &self,
        request: Page,
        context: Context,
    ) -> Answered<ListResourceTemplatesResult> {
        self.inner.list_resource_templates(request, context).await
    }

    async fn list_skills(&self, request: Page, context: Context) -> Answered<ListSkillsResult> {
        self.inner.list_skills(request, context).await
    }

    async fn get_skill(
        &self,
        request: GetSkillRequestParams,
        context: Context,
    ) -> Answered<GetSkillResult> {
        self.inner.get_skill(request, context).await
    }

    async fn complete(
        &self,
        request: CompleteRequestParams,
        context: Context,
    ) -> Answered<CompleteResult> {
        self.inner.complete(request, context).await
    }

    #[expect(deprecated, reason = "older clients still set it")]
    async fn set_level(&self, request: SetLevelRequestParams, context: Context) -> Answered<()> {
        self.inner.set_level(request, context).await
    }

    fn accepted_subscription_filter(
        &self,
        requested: &SubscriptionFilter,
    ) -> Option<SubscriptionFilter> {
        self.inner.accepted_subscription_filter(requested)
    }

    async fn listen(&self, context: SubscriptionContext) -> Answered<()> {
        self.inner.listen(context).await
    }

    #[expect(deprecated, reason = "older clients still subscribe by it")]
    async fn subscribe(&self, request: SubscribeRequestParams, context: Context) -> Answered<()> {
        self.inner.subscribe(request, context).await
    }

    #[expect(deprecated, reason = "as `subscribe`")]
    async fn unsubscribe(
        &self,
        request: UnsubscribeRequestParams,
        context: Context,
    ) -> Answered<()> {
        self.inner.unsubscribe(request, context).await
    }

    async fn get_task(&self, request: GetTaskParams, context: Context) -> Answered<GetTaskResult> {
        self.inner.get_task(request, context).await
    }

    async fn cancel_task(&self, request: CancelTaskParams, context: Context) -> Answered<()> {
        self.inner.cancel_task(request, context).await
    }

    async fn on_cancelled(&self, notification: CancelledNotificationParam, context: Notified) {
        self.inner.on_cancelled(notification, context).await;
    }

    async fn on_progress(&self, notification: ProgressNotificationParam, context: Notified) {
        self.inner.on_progress(notification, context).await;
    }

    async fn on_initialized(&self, context: Notified) {
        self.inner.on_initialized(context).await;
    }

    async fn on_roots_list_changed(&self, context: Notified) {
        self.inner.on_roots_list_changed(context).await;
    }
}
