//! `#[tool]` of rmcp in a `#[tool_router]`: the tools of a real server, called by rmcp's own client.

use std::sync::LazyLock;

use agenttrust::{AgentTrustError, AgentTrustGuard, guarded};
use agenttrust_tests::bounded::in_a_runtime;
use anyhow::{Context, Result};
use rmcp::handler::server::common::{Extension, RequestId};
use rmcp::handler::server::wrapper::Parameters;
use rmcp::model::{
    CallToolRequestParams, CallToolResponse, CallToolResult, ContentBlock, RequestMetaObject,
    ServerConfig,
};
use rmcp::service::RequestContext;
use rmcp::{
    ErrorData, Json, RoleServer, ServerHandler, ServiceError, ServiceExt, schemars, tool,
    tool_handler, tool_router,
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::frameworks::contract::{
    Fixture, GuardedAgent, Input, Steps, Told, approval_in, guard_of, only_the_path,
};

#[derive(Deserialize, Serialize, JsonSchema)]
struct Request {
    path: String,
}

#[derive(Serialize, JsonSchema)]
struct Deleted {
    path: String,
}

/// The identity of a caller of this server.
#[derive(Clone, Serialize)]
struct Caller(&'static str);

static STRANGER: LazyLock<AgentTrustGuard> = LazyLock::new(|| guard_of(&["notes:read"]));

#[derive(Clone)]
struct Files {
    guard: AgentTrustGuard,
    steps: Steps,
}

impl Files {
    /// Deletes by the statements of an async body, an early return among them.
    async fn delete(&self, path: &str) -> bool {
        self.steps.step();
        tokio::task::yield_now().await;
        self.steps.step();
        !path.is_empty()
    }
}

fn done(path: &str) -> CallToolResult {
    CallToolResult::success(vec![ContentBlock::text(format!("deleted {path}"))])
}

#[tool_router]
impl Files {
    #[tool]
    #[guarded(tool = "file_delete", effect = "destructive", guard = self.guard, skip(self))]
    async fn above_destructured(
        &self,
        Parameters(Request { path }): Parameters<Request>,
    ) -> Result<CallToolResult, ErrorData> {
        self.steps.step();
        if self.delete(&path).await {
            return Ok(done(&path));
        }
        Err(ErrorData::invalid_params("no path", None))
    }

    #[guarded(tool = "file_delete", effect = "destructive", guard = self.guard, skip(self))]
    #[tool]
    async fn below_destructured(
        &self,
        Parameters(Request { path }): Parameters<Request>,
    ) -> Result<CallToolResult, ErrorData> {
        self.steps.step();
        if self.delete(&path).await {
            return Ok(done(&path));
        }
        Err(ErrorData::invalid_params("no path", None))
    }

    #[tool]
    #[guarded(tool = "file_delete", effect = "destructive", guard = self.guard, skip(self))]
    async fn above_request(&self, Parameters(request): Parameters<Request>) -> CallToolResult {
        self.steps.step();
        self.delete(&request.path).await;
        done(&request.path)
    }

    #[guarded(tool = "file_delete", effect = "destructive", guard = self.guard, skip(self))]
    #[tool]
    async fn below_request(&self, Parameters(request): Parameters<Request>) -> CallToolResponse {
        self.steps.step();
        self.delete(&request.path).await;
        done(&request.path).into()
    }

    #[tool]
    #[guarded(tool = "file_delete", effect = "destructive", guard = self.guard, skip(self))]
    async fn above_whole(
        &self,
        params: Parameters<Request>,
    ) -> Result<Json<Deleted>, AgentTrustError> {
        self.steps.step();
        self.delete(&params.0.path).await;
        Ok(Json(Deleted { path: params.0.path }))
    }

    #[guarded(tool = "file_delete", effect = "destructive", guard = self.guard, skip(self))]
    #[tool]
    async fn below_whole(&self, params: Parameters<Request>) -> Result<String, String> {
        self.steps.step();
        self.delete(&params.0.path).await;
        Ok(params.0.path)
    }

    #[tool]
    #[guarded(tool = "file_delete", effect = "destructive", guard = self.guard, skip(self))]
    #[expect(clippy::result_large_err, reason = "as large as rmcp makes its results")]
    fn above_sync(
        &self,
        Parameters(Request { path }): Parameters<Request>,
    ) -> Result<String, CallToolResult> {
        self.steps.step();
        self.steps.step();
        self.steps.step();
        Ok(path)
    }

    #[guarded(tool = "file_delete", effect = "destructive", guard = self.guard, skip(self))]
    #[tool]
    fn below_sync(
        &self,
        Parameters(Request { path }): Parameters<Request>,
    ) -> Result<CallToolResponse, ErrorData> {
        self.steps.step();
        self.steps.step();
        self.steps.step();
        Ok(done(&path).into())
    }

    // What the framework hands in is not asked for by anybody, and left out without a word.
    #[tool]
    #[guarded(tool = "file_delete", guard = self.guard)]
    async fn above_contexts(
        &self,
        context: RequestContext<RoleServer>,
        Extension(caller): Extension<Caller>,
        Parameters(Request { path }): Parameters<Request>,
    ) -> CallToolResult {
        self.steps.step();
        assert!(!context.ct.is_cancelled() && caller.0 == "ada");
        self.delete(&path).await;
        done(&path)
    }

    #[guarded(tool = "file_delete", guard = self.guard)]
    #[tool]
    async fn below_contexts(
        &self,
        Parameters(Request { path }): Parameters<Request>,
        context: RequestContext<RoleServer>,
        Extension(caller): Extension<Caller>,
    ) -> CallToolResult {
        self.steps.step();
        assert!(!context.ct.is_cancelled() && caller.0 == "ada");
        self.delete(&path).await;
        done(&path)
    }

    #[tool]
    #[guarded(tool = "file_delete", effect = "destructive", guard = self.guard, skip(self))]
    async fn above_protocol_error(
        &self,
        Parameters(Request { path }): Parameters<Request>,
    ) -> Result<Json<Deleted>, ErrorData> {
        self.steps.step();
        self.delete(&path).await;
        Ok(Json(Deleted { path }))
    }

    #[guarded(tool = "file_delete", effect = "destructive", guard = self.guard, skip(self))]
    #[tool]
    async fn below_protocol_error(
        &self,
        Parameters(Request { path }): Parameters<Request>,
    ) -> Result<String, ErrorData> {
        self.steps.step();
        self.delete(&path).await;
        Ok(path)
    }

    // Without a `self`, `#[tool]` makes the future `'static`.
    #[tool]
    #[guarded(tool = "file_delete", effect = "destructive", guard = *STRANGER)]
    async fn above_associated(Parameters(request): Parameters<Request>) -> CallToolResult {
        done(&request.path)
    }

    #[guarded(tool = "file_delete", effect = "destructive", guard = *STRANGER)]
    #[tool]
    async fn below_associated(Parameters(request): Parameters<Request>) -> CallToolResult {
        done(&request.path)
    }

    // Every call has others of these, so that no approval would ever be found again.
    #[guarded(
        tool = "file_delete",
        effect = "destructive",
        guard = self.guard,
        skip(self, id, meta)
    )]
    #[tool]
    async fn below_of_this_call(
        &self,
        RequestId(id): RequestId,
        meta: RequestMetaObject,
        Parameters(Request { path }): Parameters<Request>,
    ) -> CallToolResult {
        self.steps.step();
        assert!(!id.to_string().is_empty() && meta.get_progress_token().is_some());
        self.delete(&path).await;
        done(&path)
    }

    /// Runs, and says that it did not work.
    #[tool]
    #[guarded(tool = "file_read", effect = "read", guard = self.guard)]
    async fn fails_inside(
        &self,
        Parameters(Request { path }): Parameters<Request>,
    ) -> Result<CallToolResult, ErrorData> {
        Ok(CallToolResult::error(vec![ContentBlock::text(format!("no file {path}"))]))
    }
}

// The default, which builds its router anew for every call.
#[tool_handler]
impl ServerHandler for Files {}

/// A handler around a server that hands something in.
struct WithCaller(Files);

impl ServerHandler for WithCaller {
    async fn call_tool(
        &self,
        request: CallToolRequestParams,
        mut context: RequestContext<RoleServer>,
    ) -> Result<CallToolResponse, ErrorData> {
        context.extensions.insert(Caller("ada"));
        self.0.call_tool(request, context).await
    }

    fn get_info(&self) -> ServerConfig {
        self.0.get_info()
    }
}

/// Serves the files to `guarded_agent`, and calls one tool over the wire.
async fn call(guarded_agent: &GuardedAgent, tool: &'static str, path: &str) -> Answer {
    let files = Files { guard: guarded_agent.guard.clone(), steps: guarded_agent.steps.clone() };
    call_on(WithCaller(files), tool, path).await
}

/// The result that a client of rmcp gets.
type Answer = Result<CallToolResult, ServiceError>;

/// Calls one tool of a server over the wire.
pub(crate) async fn call_on(server: impl ServerHandler, tool: &'static str, path: &str) -> Answer {
    let (here, there) = tokio::io::duplex(4096);
    let serving = async { server.serve(there).await.expect("a server").waiting().await };
    let server = tokio::spawn(serving);
    let client = ().serve(here).await.expect("a client");
    let Value::Object(arguments) = json!({ "path": path }) else { unreachable!() };
    let answer = client.call_tool(CallToolRequestParams::new(tool).with_arguments(arguments)).await;
    client.cancel().await.expect("a client that ends");
    server.await.expect("a server that ends").expect("a server that ends well");
    answer
}

/// Returns what a model would read.
pub(crate) fn read_answer(answer: Answer) -> Told {
    match answer {
        Ok(result) => {
            let texts = result.content.iter().filter_map(ContentBlock::as_text);
            let text: Vec<&str> = texts.map(|text| text.text.as_str()).collect();
            match result.is_error {
                Some(true) => Told::No(text.join("\n")),
                _ => Told::Done,
            }
        }
        Err(error) => Told::No(error.to_string()),
    }
}

#[test]
fn a_tool_runs_behind_the_check_in_both_orders() -> Result<()> {
    in_a_runtime(async || {
        let fixture = Fixture::start()?;
        let request = |path: &str| json!({ "request": { "path": path } });
        let params = |path: &str| json!({ "params": { "path": path } });
        let tools: [(&'static str, Input); 13] = [
            ("above_destructured", only_the_path),
            ("below_destructured", only_the_path),
            ("above_request", request),
            ("below_request", request),
            ("above_whole", params),
            ("below_whole", params),
            ("above_sync", only_the_path),
            ("below_sync", only_the_path),
            ("above_contexts", only_the_path),
            ("below_contexts", only_the_path),
            ("below_of_this_call", only_the_path),
            ("above_protocol_error", only_the_path),
            ("below_protocol_error", only_the_path),
        ];
        for (tool, input) in tools {
            let call = async |guarded_agent: &GuardedAgent, path: &str| {
                Ok(read_answer(call(guarded_agent, tool, path).await))
            };
            fixture.asks_first(tool, input, call).await?;
        }
        Ok(())
    })
}

#[test]
fn a_tool_without_a_server_of_its_own_runs_behind_the_check_in_both_orders() -> Result<()> {
    in_a_runtime(async || {
        let fixture = Fixture::start()?;
        let (guarded_agent, _) = fixture.guarded_agent(&["file:*"]).await?;
        for tool in ["above_associated", "below_associated"] {
            let told = read_answer(call(&guarded_agent, tool, "plan.txt").await);
            assert!(matches!(&told, Told::No(text) if text.contains("is denied")), "{told:?}");
        }
        Ok(())
    })
}

#[test]
fn a_model_is_told_how_to_go_on_and_a_program_by_a_code() -> Result<()> {
    in_a_runtime(async || {
        let fixture = Fixture::start()?;
        let (guarded_agent, _) = fixture.guarded_agent(&["file:*"]).await?;
        let result = call(&guarded_agent, "above_destructured", "plan.txt").await?;
        assert_eq!(result.is_error, Some(true));
        // Clients refuse structured content that is not what the tool's own schema says.
        assert_eq!(result.structured_content, None);
        let meta = Value::from(result.meta.clone().context("no `_meta`")?.0);
        let Told::No(text) = read_answer(Ok(result)) else { unreachable!() };
        assert!(text.contains("do not retry until it is approved"), "{text}");
        let denial = json!({ "code": "ELEVATION_REQUIRED", "approval_id": approval_in(&text)? });
        assert_eq!(meta, json!({ "agenttrust/denial": denial }));

        let (stranger, _) = fixture.guarded_agent(&["notes:read"]).await?;
        let result = call(&stranger, "above_destructured", "plan.txt").await?;
        let meta = Value::from(result.meta.context("no `_meta`")?.0);
        assert_eq!(meta["agenttrust/denial"]["code"], "ACTION_DENIED");
        assert!(meta["agenttrust/denial"]["check_id"].is_string(), "{meta}");
        Ok(())
    })
}

#[test]
fn an_output_that_cannot_say_it_failed_is_an_error_with_the_same_words() -> Result<()> {
    in_a_runtime(async || {
        let fixture = Fixture::start()?;
        let (guarded_agent, _) = fixture.guarded_agent(&["file:*"]).await?;
        for tool in ["above_protocol_error", "below_protocol_error"] {
            let answer = call(&guarded_agent, tool, "plan.txt").await;
            let Err(ServiceError::McpError(error)) = answer else {
                panic!("{tool} answered {answer:?}")
            };
            assert!(error.message.contains("do not retry until it is approved"), "{error:?}");
            let id = approval_in(&error.message)?;
            let data = json!({ "code": "ELEVATION_REQUIRED", "approval_id": id });
            assert_eq!(error.data, Some(data));
        }
        Ok(())
    })
}

#[test]
fn a_result_that_says_it_is_an_error_is_reported_as_one() -> Result<()> {
    in_a_runtime(async || {
        let fixture = Fixture::start()?;
        let (guarded_agent, _) = fixture.guarded_agent(&["file:*"]).await?;
        let result = call(&guarded_agent, "fails_inside", "plan.txt").await?;
        assert_eq!(result.is_error, Some(true));
        let outcomes = fixture.outcomes(&guarded_agent).await?;
        assert_eq!(outcomes.len(), 1, "{outcomes:?}");
        assert_eq!(outcomes[0]["error_type"], "ToolError");
        Ok(())
    })
}
