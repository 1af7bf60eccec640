//! Servers to guard, and a client of theirs.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use rmcp::handler::server::wrapper::Parameters;
use rmcp::model::{
    CallToolRequestParams, CallToolResult, ContentBlock, JsonObject, NumberOrString, ServerConfig,
};
use rmcp::service::{RequestContext, RunningService, serve_directly};
use rmcp::{
    ErrorData, Peer, RoleClient, RoleServer, ServerHandler, ServiceExt, schemars, serde, tool,
    tool_handler, tool_router,
};
use serde_json::{Value, json};

#[derive(Debug, serde::Deserialize, schemars::JsonSchema)]
#[serde(crate = "rmcp::serde")]
#[schemars(crate = "rmcp::schemars")]
pub(crate) struct File {
    name: String,
}

/// A server as people write them: `#[tool_handler]` and nothing else, and so with a new router
/// for each call.
#[derive(Clone, Default)]
pub(crate) struct Files {
    runs: Arc<AtomicUsize>,
}

impl Files {
    /// Returns how often a tool of it has run.
    pub(crate) fn runs(&self) -> usize {
        self.runs.load(Ordering::SeqCst)
    }

    fn run(&self, file: &File) -> String {
        self.runs.fetch_add(1, Ordering::SeqCst);
        file.name.clone()
    }
}

#[tool_router]
impl Files {
    #[tool(annotations(read_only_hint = true))]
    async fn read(&self, Parameters(file): Parameters<File>) -> String {
        self.run(&file)
    }

    #[tool(annotations(destructive_hint = false))]
    async fn write(&self, Parameters(file): Parameters<File>) -> String {
        self.run(&file)
    }

    #[tool(annotations(destructive_hint = true))]
    async fn delete(&self, Parameters(file): Parameters<File>) -> String {
        self.run(&file)
    }

    #[tool]
    async fn silent(&self) -> String {
        self.run(&File { name: "nothing is said of it".to_owned() })
    }

    #[tool(annotations(read_only_hint = false))]
    async fn not_only_reading(&self) -> String {
        self.run(&File { name: "it may do anything".to_owned() })
    }

    #[tool(annotations(read_only_hint = true))]
    async fn no_such_file(&self) -> CallToolResult {
        CallToolResult::error(vec![ContentBlock::text("secret.txt is not there")])
    }

    #[tool(annotations(read_only_hint = true))]
    async fn breaks(&self) -> Result<String, ErrorData> {
        Err(ErrorData::internal_error("the disk is on fire", None))
    }
}

#[tool_handler]
impl ServerHandler for Files {}

/// Returns a client of `handler`, over a pipe, after the handshake.
pub(crate) async fn client(handler: impl ServerHandler) -> RunningService<RoleClient, ()> {
    let (server, client) = tokio::io::duplex(64 * 1024);
    tokio::spawn(async move {
        let running = handler.serve(server).await.expect("the handshake");
        running.waiting().await.expect("the server ends well")
    });
    ().serve(client).await.expect("the handshake")
}

/// Returns a client as [`client`] does, without a handshake: for handlers that would not answer it.
pub(crate) fn client_of_any(handler: impl ServerHandler) -> RunningService<RoleClient, ()> {
    let (server, client) = tokio::io::duplex(64 * 1024);
    let server = serve_directly(handler, server, None);
    tokio::spawn(server.waiting());
    serve_directly((), client, None)
}

/// Returns a context for calling a handler's methods directly.
pub(crate) fn context() -> RequestContext<RoleServer> {
    RequestContext::new(NumberOrString::Number(1), peer())
}

/// Returns a peer without an answering side.
pub(crate) fn peer() -> Peer<RoleServer> {
    struct Nobody;
    impl ServerHandler for Nobody {
        fn get_info(&self) -> ServerConfig {
            ServerConfig::default()
        }
    }
    let (server, _client) = tokio::io::duplex(64);
    serve_directly(Nobody, server, None).peer().clone()
}

pub(crate) fn arguments(arguments: Value) -> JsonObject {
    let Value::Object(arguments) = arguments else { panic!("{arguments} is no object") };
    arguments
}

pub(crate) fn call(tool: &'static str, given: Value) -> CallToolRequestParams {
    CallToolRequestParams::new(tool).with_arguments(arguments(given))
}

/// Returns the call of `tool` for one file.
pub(crate) fn of_file(tool: &'static str) -> CallToolRequestParams {
    call(tool, json!({ "name": "plan.md" }))
}

pub(crate) fn text(result: &CallToolResult) -> &str {
    let [content] = &result.content[..] else { panic!("{result:?}") };
    &content.as_text().expect("it is text").text
}
