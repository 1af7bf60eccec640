//! rmcp's client, in both eras of the protocol, behind the Guardian.

#![expect(
    deprecated,
    reason = "sampling and roots are in use for as long as the protocol has them"
)]

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use agenttrust_tests::bounded::{in_a_runtime, until};
use anyhow::{Context, Result, ensure};
use rmcp::model::{
    CallToolRequestParams, CallToolResponse, CallToolResult, ClientConfig,
    CreateMessageRequestParams, CreateMessageResult, ElicitRequestParams, ElicitResult,
    ElicitationAction, ErrorData, GetTaskParams, Implementation, ListRootsResult,
    ProgressNotificationParam, ProtocolVersion, ReadResourceRequestParams, Root, SamplingMessage,
    SubscriptionFilter, UpdateTaskParams,
};
use rmcp::service::{NotificationContext, RequestContext, RoleClient, RunningService};
use rmcp::transport::StreamableHttpClientTransport;
use rmcp::transport::streamable_http_client::StreamableHttpClientTransportConfig;
use rmcp::{ClientHandler, ClientLifecycleMode, ClientServiceExt};
use serde_json::{Value, json};

use super::guardian_with_agent::GuardianWithAgent;
use super::peers::{Peer, node};

/// The questions and steps that the other side sent.
#[derive(Clone, Debug, Default)]
struct Person {
    asked: Arc<Mutex<Vec<&'static str>>>,
    steps: Arc<Mutex<Vec<(f64, Instant)>>>,
}

impl Person {
    fn was_asked(&self, kind: &'static str) {
        self.asked.lock().unwrap_or_else(PoisonError::into_inner).push(kind);
    }

    fn asked(&self) -> Vec<&'static str> {
        self.asked.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn steps(&self) -> Vec<(f64, Instant)> {
        self.steps.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl ClientHandler for Person {
    fn get_info(&self) -> ClientConfig {
        let tasks = json!({ "io.modelcontextprotocol/tasks": {} });
        let capabilities = json!({ "sampling": {}, "elicitation": { "form": {} }, "roots": {}, "extensions": tasks });
        let capabilities = serde_json::from_value(capabilities).expect("capabilities");
        ClientConfig::new(capabilities, Implementation::new("rmcp", "1"))
    }

    async fn create_elicitation(
        &self,
        request: ElicitRequestParams,
        _context: RequestContext<RoleClient>,
    ) -> Result<ElicitResult, ErrorData> {
        self.was_asked("elicitation");
        let request = serde_json::to_value(&request).unwrap_or_default();
        let properties =
            request["requestedSchema"]["properties"].as_object().cloned().unwrap_or_default();
        let (name, about) = properties.into_iter().next().unwrap_or_default();
        let answer = if about["type"] == "boolean" { json!(true) } else { json!("Ada") };
        let mut result = ElicitResult::new(ElicitationAction::Accept);
        result.content = Some(json!({ name: answer }));
        Ok(result)
    }

    async fn create_message(
        &self,
        _params: CreateMessageRequestParams,
        _context: RequestContext<RoleClient>,
    ) -> Result<CreateMessageResult, ErrorData> {
        self.was_asked("sampling");
        Ok(CreateMessageResult::new(SamplingMessage::assistant_text("Paris"), "none".to_owned()))
    }

    async fn list_roots(
        &self,
        _context: RequestContext<RoleClient>,
    ) -> Result<ListRootsResult, ErrorData> {
        self.was_asked("roots");
        Ok(ListRootsResult::new(vec![Root::new("file:///srv/plans").with_name("plans")]))
    }

    async fn on_progress(
        &self,
        params: ProgressNotificationParam,
        _context: NotificationContext<RoleClient>,
    ) {
        self.steps
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .push((params.progress, Instant::now()));
    }
}

type Client = RunningService<RoleClient, Person>;

/// Returns a client of a server, as it is reached behind the Guardian.
async fn connected(
    guardian: &GuardianWithAgent,
    server_id: &str,
    mode: ClientLifecycleMode,
) -> Result<(Client, Person)> {
    let config = StreamableHttpClientTransportConfig::with_uri(guardian.proxied(server_id));
    let transport =
        StreamableHttpClientTransport::from_config(config.custom_headers(guardian.header_map()?));
    let person = Person::default();
    let client =
        person.clone().serve_with_lifecycle(transport, mode).await.context("the handshake")?;
    Ok((client, person))
}

fn params(tool: &'static str, given: &Value) -> CallToolRequestParams {
    CallToolRequestParams::new(tool).with_arguments(given.as_object().cloned().unwrap_or_default())
}

/// Returns what a result says, all of it.
fn said(result: &CallToolResult) -> String {
    serde_json::to_string(&result.content).unwrap_or_default()
}

/// Calls a tool, which has to answer with these words.
async fn answers(client: &Client, tool: &'static str, given: Value, words: &str) -> Result<()> {
    let result = client.call_tool(params(tool, &given)).await.with_context(|| tool.to_owned())?;
    ensure!(
        result.is_error != Some(true) && said(&result).contains(words),
        "{tool}: {}",
        said(&result)
    );
    Ok(())
}

#[test]
fn it_calls_every_tool_by_the_protocol_up_to_2025_11_25() -> Result<()> {
    let Some(node) = node() else { return Ok(()) };
    in_a_runtime(async move || {
        let (peer, guardian) = (Peer::everything(&node).await?, GuardianWithAgent::start().await?);
        let server_id = guardian.register("everything", &peer.url).await?;
        let (client, person) =
            connected(&guardian, &server_id, ClientLifecycleMode::Initialize).await?;
        let version = client.peer().peer_info().map(|info| info.protocol_version.clone());
        ensure!(version == Some(ProtocolVersion::V_2025_11_25), "{version:?}");
        until("the server asks for the roots", async || {
            Ok(person.asked().contains(&"roots").then_some(()))
        })
        .await?;
        // It adds tools by what the client can do, a moment after it has said so.
        until("the tools are all there", async || {
            let tools = client.list_all_tools().await?;
            Ok(tools.iter().any(|tool| tool.name == "trigger-elicitation-request").then_some(()))
        })
        .await?;
        for (tool, given, words) in [
            ("echo", json!({ "message": "größe 😀" }), "Echo: größe 😀"),
            ("get-annotated-message", json!({ "messageType": "debug" }), "Debug"),
            ("get-env", json!({}), "AS_IF_SECRET"),
            ("get-resource-links", json!({ "count": 2 }), "resource_link"),
            ("get-resource-reference", json!({ "resourceType": "Blob", "resourceId": 3 }), "blob"),
            ("get-structured-content", json!({ "location": "Chicago" }), "temperature"),
            ("get-sum", json!({ "a": 2, "b": 40 }), "42"),
            ("get-tiny-image", json!({}), "image/png"),
            (
                "gzip-file-as-resource",
                json!({ "data": "data:text/plain,a", "outputType": "resource" }),
                "gzip",
            ),
            ("toggle-simulated-logging", json!({}), "Started"),
            ("toggle-subscriber-updates", json!({}), "Started"),
            ("get-roots-list", json!({}), "plans"),
            ("trigger-sampling-request", json!({ "prompt": "?" }), "Paris"),
            ("trigger-elicitation-request", json!({}), "Ada"),
        ] {
            answers(&client, tool, given, words).await?;
        }
        ensure!(
            ["sampling", "elicitation"].iter().all(|kind| person.asked().contains(kind)),
            "{:?}",
            person.asked()
        );
        let wrong = client.call_tool(params("echo", &json!({ "message": 7 }))).await?;
        ensure!(wrong.is_error == Some(true), "the tool's own error is its own: {wrong:?}");
        let slow = ("trigger-long-running-operation", json!({ "duration": 2, "steps": 4 }));
        tells_its_progress(&client, &person, slow, &[1.0, 2.0, 3.0, 4.0]).await?;
        let slow = json!({ "duration": 60, "steps": 60 });
        is_given_up(&client, params("trigger-long-running-operation", &slow)).await?;
        client.cancel().await?;
        Ok(())
    })
}

#[test]
fn it_calls_the_tools_by_the_protocol_of_2026_07_28() -> Result<()> {
    let Some(node) = node() else { return Ok(()) };
    in_a_runtime(async move || {
        let (peer, guardian) = (Peer::conformant(&node).await?, GuardianWithAgent::start().await?);
        let server_id = guardian.register("conformant", &peer.url).await?;
        let preferred_versions = vec![ProtocolVersion::V_2026_07_28];
        let mode = ClientLifecycleMode::Discover { preferred_versions };
        let (client, person) = connected(&guardian, &server_id, mode).await?;
        ensure!(client.list_all_tools().await?.len() > 30);
        for (tool, given, words) in [
            ("test_simple_text", json!({}), "simple text"),
            ("test_image_content", json!({}), "image/png"),
            ("test_multiple_content_types", json!({}), "mixed-content"),
            ("test_x_mcp_header", json!({ "region": "größe ", "level": 3 }), "region=größe "),
            (
                "json_schema_2020_12_tool",
                json!({ "email": "a@b", "contactMethod": "email" }),
                "a@b",
            ),
            ("greet", json!({ "name": "Ada" }), "Hello, Ada!"),
            ("test_input_required_result_elicitation", json!({}), "Hello, Ada!"),
            ("test_input_required_result_sampling", json!({}), "Paris"),
            ("test_input_required_result_list_roots", json!({}), "plans"),
            ("test_input_required_result_request_state", json!({}), "state-ok"),
            ("test_input_required_result_multi_round", json!({}), "Ada likes Ada"),
        ] {
            answers(&client, tool, given, words).await?;
        }
        let asked = person.asked();
        ensure!(
            ["elicitation", "sampling", "roots"].iter().all(|kind| asked.contains(kind)),
            "{asked:?}"
        );
        let failed = client.call_tool(params("test_error_handling", &json!({}))).await?;
        ensure!(failed.is_error == Some(true), "{failed:?}");
        tells_its_progress(
            &client,
            &person,
            ("test_tool_with_progress", json!({})),
            &[0.0, 50.0, 100.0],
        )
        .await?;
        is_given_up(&client, params("test_tool_with_logging", &json!({}))).await?;
        let read =
            client.read_resource(ReadResourceRequestParams::new("test://template/7/data")).await?;
        ensure!(serde_json::to_string(&read)?.contains("Data for ID: 7"), "{read:?}");
        hears_of_changes(&client).await?;
        runs_a_task(&client).await?;
        client.cancel().await?;
        Ok(())
    })
}

/// Progress comes while the tool runs, all of it.
async fn tells_its_progress(
    client: &Client,
    person: &Person,
    (tool, given): (&'static str, Value),
    expected: &[f64],
) -> Result<()> {
    let begun = Instant::now();
    let result = client.call_tool(params(tool, &given)).await?;
    ensure!(result.is_error != Some(true), "{}", said(&result));
    let told = async || Ok((person.steps().len() >= expected.len()).then(|| person.steps()));
    let steps = until("the progress", told).await?;
    ensure!(steps.iter().map(|(step, _)| *step).eq(expected.iter().copied()), "{steps:?}");
    let (first, took) = (steps[0].1 - begun, begun.elapsed());
    ensure!(
        first < took - Duration::from_millis(50),
        "the first step came {first:?} into {took:?}"
    );
    Ok(())
}

/// Checks that a call that is dropped is cancelled, and the next one is answered.
async fn is_given_up(client: &Client, slow: CallToolRequestParams) -> Result<()> {
    let given_up = tokio::time::timeout(Duration::from_millis(40), client.call_tool(slow)).await;
    ensure!(given_up.is_err(), "it was quick: {given_up:?}");
    ensure!(!client.list_all_tools().await?.is_empty());
    Ok(())
}

/// Checks that a change of the tools comes on the stream that is open for it.
async fn hears_of_changes(client: &Client) -> Result<()> {
    let filter: SubscriptionFilter = serde_json::from_value(json!({ "toolsListChanged": true }))?;
    let mut changes = client.listen(filter).await?;
    answers(client, "test_trigger_tool_change", json!({}), "changed").await?;
    let heard = tokio::time::timeout(Duration::from_secs(20), changes.next()).await;
    let heard = heard.context("no change was told")??;
    ensure!(format!("{heard:?}").contains("ToolListChanged"), "{heard:?}");
    changes.cancel().await?;
    Ok(())
}

/// Calls a tool that answers with a task, which asks and is answered.
async fn runs_a_task(client: &Client) -> Result<()> {
    let response =
        client.call_tool_once(params("confirm_delete", &json!({ "filename": "a" }))).await?;
    let CallToolResponse::Task(created) = response else {
        anyhow::bail!("no task: {response:?}");
    };
    let id = created.task.task_id;
    let of_task = async || -> Result<Value> {
        Ok(serde_json::to_value(client.get_task(GetTaskParams::new(&id)).await?)?)
    };
    let waits = async || Ok((of_task().await?["status"] == "input_required").then_some(()));
    until("the task asks", waits).await?;
    let answer = json!({ "confirm": { "action": "accept", "content": { "confirm": true } } });
    client.update_task(UpdateTaskParams::new(&id, serde_json::from_value(answer)?)).await?;
    let over = async || {
        let task = of_task().await?;
        Ok((task["status"] == "completed").then_some(task))
    };
    let task = until("the task is over", over).await?;
    ensure!(task.to_string().contains("deleted a"), "{task}");
    Ok(())
}
