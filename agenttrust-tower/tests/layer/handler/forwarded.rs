//! A request that is not guarded is the inner handler's own, and no Guardian is asked about it.

use std::borrow::Cow;
use std::sync::{Arc, Mutex};

use agenttrust_testkit::eventually;
use agenttrust_tower::rmcp::GuardedHandlerExt;
use rmcp::model::*;
use rmcp::service::{NotificationContext, RequestContext};
use rmcp::{ErrorData, RoleServer, ServerHandler};
use serde_json::json;

use crate::guardian::{Guardian, Script};
use crate::handler::server::{call, client_of_any, context};

/// Answers every request with an error that is the name of the method which it came by.
#[derive(Default)]
struct Named {
    notified: Mutex<Vec<&'static str>>,
}

macro_rules! named {
    ($($name:ident($($request:ty)?) -> $answer:ty),* $(,)?) => { $(
        async fn $name(
            &self,
            $(_: $request,)?
            _: RequestContext<RoleServer>,
        ) -> Result<$answer, ErrorData> {
            Err(ErrorData::internal_error(stringify!($name), None))
        }
    )* };
}

macro_rules! notified {
    ($($name:ident($($notification:ty)?)),* $(,)?) => { $(
        async fn $name(&self, $(_: $notification,)? _: NotificationContext<RoleServer>) {
            self.notified.lock().expect("no test panics while it holds it").push(stringify!($name));
        }
    )* };
}

#[expect(deprecated, reason = "older clients still use what is")]
impl ServerHandler for Named {
    named! {
        ping() -> (),
        initialize(InitializeRequestParams) -> InitializeResult,
        discover() -> DiscoverResult,
        complete(CompleteRequestParams) -> CompleteResult,
        set_level(SetLevelRequestParams) -> (),
        get_prompt(GetPromptRequestParams) -> GetPromptResponse,
        list_prompts(Option<PaginatedRequestParams>) -> ListPromptsResult,
        list_resources(Option<PaginatedRequestParams>) -> ListResourcesResult,
        list_resource_templates(Option<PaginatedRequestParams>) -> ListResourceTemplatesResult,
        read_resource(ReadResourceRequestParams) -> ReadResourceResponse,
        subscribe(SubscribeRequestParams) -> (),
        unsubscribe(UnsubscribeRequestParams) -> (),
        call_tool(CallToolRequestParams) -> CallToolResponse,
        list_tools(Option<PaginatedRequestParams>) -> ListToolsResult,
        on_custom_request(CustomRequest) -> CustomResult,
        get_task(GetTaskParams) -> GetTaskResult,
        update_task(UpdateTaskParams) -> (),
        cancel_task(CancelTaskParams) -> (),
        list_skills(Option<PaginatedRequestParams>) -> ListSkillsResult,
        get_skill(GetSkillRequestParams) -> GetSkillResult,
        read_resource_directory(ReadResourceDirectoryRequestParams) -> ReadResourceDirectoryResult,
    }

    notified! {
        on_cancelled(CancelledNotificationParam),
        on_progress(ProgressNotificationParam),
        on_initialized(),
        on_roots_list_changed(),
        on_custom_notification(CustomNotification),
    }

    fn negotiate_initialize(
        &self,
        _: &InitializeRequestParams,
    ) -> Result<InitializeResult, ErrorData> {
        Err(ErrorData::internal_error("negotiate_initialize", None))
    }

    fn supported_protocol_versions(&self) -> Cow<'static, [ProtocolVersion]> {
        Cow::Owned(vec![ProtocolVersion::V_2025_06_18])
    }

    fn get_info(&self) -> ServerConfig {
        ServerConfig::default().with_instructions("mine")
    }

    fn get_tool(&self, name: &str) -> Option<Tool> {
        Some(Tool::new(name.to_owned(), "mine", JsonObject::new()))
    }

    fn accepted_subscription_filter(
        &self,
        requested: &SubscriptionFilter,
    ) -> Option<SubscriptionFilter> {
        Some(requested.clone())
    }
}

/// Returns the error that a method of the inner handler answers with.
fn name_of<T: std::fmt::Debug>(answer: Result<T, ErrorData>) -> String {
    answer.expect_err("the inner handler answers with errors only").message.into_owned()
}

macro_rules! forwarded {
    ($handler:ident: $($name:ident($($params:expr)?)),* $(,)?) => { $(
        let answer = $handler.$name($($params,)? context()).await;
        assert_eq!(name_of(answer), stringify!($name));
    )* };
}

#[tokio::test]
#[expect(deprecated, reason = "older clients still use what is")]
async fn every_request_that_is_no_call_is_the_inner_handlers_without_asking() {
    let guardian = Guardian::new(Script::Deny);
    let handler = Named::default().guarded(guardian.guard());
    let uri = "file:///plan.md";
    let initialize = InitializeRequestParams::default();
    let negotiated = handler.negotiate_initialize(&initialize);
    assert_eq!(name_of(negotiated), "negotiate_initialize");
    let argument = ArgumentInfo::new("name", "p");
    let completed = CompleteRequestParams::new(Reference::for_prompt("greet"), argument);
    forwarded! { handler:
        ping(),
        initialize(initialize),
        discover(),
        complete(completed),
        set_level(SetLevelRequestParams::new(LoggingLevel::Debug)),
        get_prompt(GetPromptRequestParams::new("greet")),
        list_prompts(None),
        list_resources(None),
        list_resource_templates(None),
        read_resource(ReadResourceRequestParams::new(uri)),
        subscribe(SubscribeRequestParams::new(uri)),
        unsubscribe(UnsubscribeRequestParams::new(uri)),
        list_tools(None),
        on_custom_request(CustomRequest::new("files/defragment", None)),
        get_task(GetTaskParams::new("task_1")),
        cancel_task(CancelTaskParams::new("task_1")),
        list_skills(None),
        get_skill(GetSkillRequestParams::new("skill://one/SKILL.md")),
        read_resource_directory(ReadResourceDirectoryRequestParams::new(uri)),
    }
    assert_eq!(guardian.checks().len(), 0);
}

#[tokio::test]
async fn what_a_server_says_of_itself_is_the_inner_handlers() {
    let handler = Named::default().guarded(Guardian::new(Script::Deny).guard());
    assert_eq!(*handler.supported_protocol_versions(), [ProtocolVersion::V_2025_06_18]);
    assert_eq!(handler.get_info().instructions.as_deref(), Some("mine"));
    assert_eq!(handler.get_tool("x").and_then(|tool| tool.description).as_deref(), Some("mine"));
    assert!(handler.accepted_subscription_filter(&SubscriptionFilter::default()).is_some());
}

#[tokio::test]
async fn notifications_are_the_inner_handlers() {
    let (guardian, named) = (Guardian::new(Script::Deny), Arc::new(Named::default()));
    let client = client_of_any(named.clone().guarded(guardian.guard()));
    let token = ProgressToken(NumberOrString::Number(1));
    let sent: [ClientNotification; 5] = [
        CancelledNotification::new(CancelledNotificationParam::new(None, None)).into(),
        ProgressNotification::new(ProgressNotificationParam::new(token, 0.5)).into(),
        InitializedNotification::default().into(),
        RootsListChangedNotification::default().into(),
        CustomNotification::new("files/changed", None).into(),
    ];
    for notification in sent {
        client.send_notification(notification).await.expect("it is sent");
    }
    let notified = || named.notified.lock().expect("nobody panics").clone();
    eventually("a notification is lost", async || notified().len() == 5).await;
    let mut notified = notified();
    // Each is handled by a task of its own.
    notified.sort_unstable();
    let mut all = [
        "on_cancelled",
        "on_progress",
        "on_initialized",
        "on_roots_list_changed",
        "on_custom_notification",
    ];
    all.sort_unstable();
    assert_eq!(notified, all);
    assert_eq!(guardian.checks().len(), 0);
}

#[tokio::test]
async fn resources_and_prompts_are_guarded_where_that_is_asked_for() {
    let denying = Guardian::new(Script::Deny);
    let handler = Named::default().guarded(denying.guard()).resources(true).prompts(true);
    let uri = "file:///plan.md";
    let prompt = || {
        let given = json!({ "whom": "you" });
        GetPromptRequestParams::new("greet")
            .with_arguments(crate::handler::server::arguments(given))
    };
    let file = || ReadResourceRequestParams::new(uri);
    let directory = || ReadResourceDirectoryRequestParams::new(uri);
    let answers = [
        name_of(handler.read_resource(file(), context()).await),
        name_of(handler.read_resource_directory(directory(), context()).await),
        name_of(handler.get_prompt(prompt(), context()).await),
    ];
    for denial in answers {
        assert!(denial.contains("call was not made"), "the inner handler answered: {denial}");
    }
    let asked: Vec<_> =
        denying.checks().into_iter().map(|check| (check.tool, check.effect)).collect();
    let read = |tool: &str| (tool.to_owned(), "read".to_owned());
    assert_eq!(
        asked,
        [read("mcp/resources/read"), read("mcp/resources/directory/read"), read("mcp/prompts/get")]
    );

    let allowing = Guardian::new(Script::Allow);
    let guard = allowing.guard();
    let handler = handler.into_inner().guarded(guard.clone()).resources(true).prompts(true);
    assert_eq!(name_of(handler.read_resource(file(), context()).await), "read_resource");
    let listed = handler.read_resource_directory(directory(), context()).await;
    assert_eq!(name_of(listed), "read_resource_directory");
    assert_eq!(name_of(handler.get_prompt(prompt(), context()).await), "get_prompt");
    let other = ReadResourceRequestParams::new("file:///draft.md");
    assert_eq!(name_of(handler.read_resource(other, context()).await), "read_resource");
    assert_eq!(allowing.events(&guard).await.len(), 4);
    let digests: Vec<_> = allowing.checks().into_iter().map(|check| check.digest).collect();
    assert_ne!(digests[0], digests[3], "an approval of one file is one of another");
}

#[tokio::test]
async fn a_guarded_handler_gives_back_the_one_inside_and_prints_without_it() {
    let mut handler = Named::default().guarded(Guardian::new(Script::Allow).guard());
    handler.get_mut().notified = Mutex::new(vec!["mine"]);
    let printed = format!("{handler:?}");
    assert!(printed.contains("agt_1"), "{printed}");
    assert_eq!(name_of(handler.call_tool(call("x", json!({})), context()).await), "call_tool");
    assert_eq!(handler.into_inner().notified.into_inner().expect("nobody panics"), ["mine"]);
}

#[test]
fn a_guarded_handler_is_a_handler_like_any_other() {
    fn serves<H: ServerHandler + Clone + std::fmt::Debug>(_: H) {}
    let guard = Guardian::new(Script::Allow).guard();
    serves(crate::handler::server::Files::default().guarded(guard.clone()));
    serves(Arc::new(Named::default()).guarded(guard.clone()).guarded(guard));
}
