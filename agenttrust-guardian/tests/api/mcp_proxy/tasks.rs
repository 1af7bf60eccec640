//! Tasks: known to the agent that was given them, in both eras, and to clients that know tasks.

use agenttrust_testkit::eventually;
use axum::http::Method;
use serde_json::{Value, json};

use super::{Fixture, Said, Speaks, call, knowing_tasks, modern, next, of_session, request};

const RELATED: &str = "io.modelcontextprotocol/related-task";
/// The server's name for the first task.
const PLAIN: &str = "t-1";

/// An agent at a server, and its session where the era has them.
struct Agent {
    fixture: Fixture,
    session: Option<String>,
}

impl Agent {
    async fn of(fixture: Fixture, speaks: Speaks) -> Self {
        let session = match speaks {
            Speaks::Modern => None,
            _ => Some(fixture.session().await),
        };
        Self { fixture, session }
    }

    async fn asks(&self, message: Value) -> Said {
        match &self.session {
            Some(session) => self.fixture.in_session(session, message).await,
            None => self.fixture.modern(knowing_tasks(message)).await,
        }
    }

    /// Begins a task; returns its id as the agent knows it.
    async fn task(&self) -> String {
        let mut asked = call("job", json!({}));
        if self.session.is_some() {
            asked["params"]["task"] = json!({ "ttl": 1_000 });
        }
        let said = self.asks(asked).await;
        let result = &said.answer()["result"];
        let id = result["task"]["taskId"].as_str().or(result["taskId"].as_str());
        let id = id.unwrap_or_else(|| panic!("no task: {said:?}")).to_owned();
        assert!(!id.starts_with("t-"), "{id}");
        id
    }
}

/// Returns two agents at a server of this era.
async fn two(speaks: Speaks) -> (Agent, Agent) {
    let fixture = Fixture::of(speaks, &["job", "echo", "ask"]).await;
    let other = fixture.another().await;
    (Agent::of(fixture, speaks).await, Agent::of(other, speaks).await)
}

fn of_task(method: &str, task: &str) -> Value {
    let mut params = json!({ "taskId": task });
    if method == "tasks/update" {
        params["inputResponses"] = json!({ "a": {} });
    }
    request(1, method, params)
}

fn related(mut message: Value, task: &str) -> Value {
    message["params"]["_meta"] = json!({ RELATED: { "taskId": task } });
    message
}

#[tokio::test]
async fn task_of_one_agent_is_none_to_another_by_either_of_its_ids() {
    for (speaks, methods) in [
        (Speaks::Legacy, ["tasks/get", "tasks/result", "tasks/cancel"]),
        (Speaks::LegacyStateless, ["tasks/get", "tasks/result", "tasks/cancel"]),
        (Speaks::Modern, ["tasks/get", "tasks/update", "tasks/cancel"]),
    ] {
        let (one, other) = two(speaks).await;
        let task = one.task().await;
        let heard = one.fixture.upstream.heard().len();
        for id in [&*task, PLAIN] {
            for method in methods {
                let said = other.asks(of_task(method, id)).await;
                said.refused(200, -32602, "no such task");
                if speaks != Speaks::Modern {
                    let said = other.fixture.plain(of_task(method, id)).await;
                    said.refused(200, -32602, "no such task");
                }
            }
            let calls =
                [call("echo", json!({})), request(1, "resources/read", json!({ "uri": "a:b" }))];
            let lists =
                [request(1, "tools/list", json!({})), request(1, "prompts/list", json!({}))];
            for message in calls.into_iter().chain(lists) {
                let said = other.asks(related(message, id)).await;
                said.refused(200, -32602, "no such task");
            }
        }
        // Not by its agent either, who was told of no such id.
        one.asks(of_task("tasks/get", PLAIN)).await.refused(200, -32602, "no such task");
        assert_eq!(one.fixture.upstream.heard().len(), heard, "{speaks:?}: the server was asked");
        let decided = one.fixture.api.audit("decision").await;
        assert_eq!(decided.len(), 1, "nothing of it was checked: {decided:?}");

        let said = one.asks(of_task("tasks/get", &task)).await;
        assert_eq!(said.answer()["result"]["taskId"], *task, "{said:?}");
        assert_eq!(one.fixture.upstream.last("tasks/get").body["params"]["taskId"], PLAIN);
        one.asks(related(call("echo", json!({})), &task)).await.text_of_tool();
        let heard = one.fixture.upstream.last("tools/call");
        assert_eq!(heard.body["params"]["_meta"][RELATED]["taskId"], PLAIN);
    }
}

#[tokio::test]
async fn list_of_tasks_has_those_of_its_agent() {
    for speaks in [Speaks::Legacy, Speaks::LegacyStateless] {
        let (one, other) = two(speaks).await;
        let tasks = [one.task().await, other.task().await, one.task().await];
        for (agent, own) in [(&one, &[&tasks[0], &tasks[2]][..]), (&other, &[&tasks[1]])] {
            let list = request(1, "tasks/list", json!({}));
            for said in [agent.asks(list.clone()).await, agent.fixture.plain(list).await] {
                let listed = said.answer()["result"]["tasks"].as_array().unwrap().clone();
                let listed: Vec<_> = listed.iter().map(|task| task["taskId"].as_str()).collect();
                let own: Vec<_> = own.iter().map(|task| Some(task.as_str())).collect();
                assert_eq!(listed, own, "{speaks:?}");
                assert!(!said.text.contains("\"t-"), "{said:?}");
            }
        }
    }
}

#[tokio::test]
async fn what_a_client_tells_or_answers_names_no_task_of_another_agent() {
    let (one, other) = two(Speaks::Legacy).await;
    let task = one.task().await;
    let session = other.session.as_deref().unwrap();
    let asked = other.fixture.begin_in(session, call("ask", json!({}))).await;
    let mut asked = asked.into_body();
    assert!(next(&mut asked).await.contains("\"q1\""));
    let heard = one.fixture.upstream.heard().len();
    let meta = |id: &str| json!({ RELATED: { "taskId": id } });
    let told = |id: &str| {
        let progress = json!({ "progressToken": 1, "progress": 1, "_meta": meta(id) });
        let status = json!({ "taskId": id, "status": "failed" });
        let answer = json!({ "action": "accept", "_meta": meta(id) });
        [
            json!({ "jsonrpc": "2.0", "method": "notifications/progress", "params": progress }),
            json!({ "jsonrpc": "2.0", "method": "notifications/tasks/status", "params": status }),
            json!({ "jsonrpc": "2.0", "id": "q1", "result": answer }),
        ]
    };
    for id in [&*task, PLAIN] {
        for message in told(id) {
            other.asks(message).await.refused(400, -32602, "no such task");
        }
    }
    assert_eq!(one.fixture.upstream.heard().len(), heard, "the server was told");
    // What is known as nobody's may be a task of the client's own.
    for message in told("own") {
        assert_eq!(other.asks(message).await.status, 202);
    }
    assert!(next(&mut asked).await.contains("accept"));
}

#[tokio::test]
async fn server_tells_of_a_task_to_its_agent_alone() {
    let (one, other) = two(Speaks::Legacy).await;
    let task = one.task().await;
    let mut streams = Vec::new();
    for agent in [&one, &other] {
        let headers = of_session(agent.session.as_deref().unwrap());
        streams.push(agent.fixture.begin(Method::GET, &headers, None).await.into_body());
    }
    let says = &one.fixture.upstream.inner.says;
    eventually("both listen", async || says.receiver_count() == 2).await;
    let status = json!({ "taskId": PLAIN, "status": "working" });
    for (method, params) in [
        ("notifications/tasks/status", status),
        ("notifications/resources/list_changed", json!({})),
    ] {
        says.send(json!({ "jsonrpc": "2.0", "method": method, "params": params })).unwrap();
    }
    let [mut of_one, mut of_other] = <[_; 2]>::try_from(streams).unwrap();
    let heard = next(&mut of_one).await;
    assert!(heard.contains("tasks/status") && heard.contains(&task), "{heard}");
    let heard = next(&mut of_other).await;
    assert!(heard.contains("resources/list_changed"), "{heard}");
}

#[tokio::test]
async fn subscription_is_to_tasks_of_its_agent() {
    let (one, other) = two(Speaks::Modern).await;
    let task = one.task().await;
    for (agent, left) in [(&other, json!([])), (&one, json!([PLAIN]))] {
        let wanted = json!({ "notifications": { "taskIds": [task, PLAIN] } });
        let listen = knowing_tasks(request("l", "subscriptions/listen", wanted));
        let (headers, listen) = modern(listen);
        let headers: Vec<_> = headers.iter().map(|(name, it)| (*name, it.as_str())).collect();
        let body = agent.fixture.begin(Method::POST, &headers, Some(listen)).await.into_body();
        next(&mut { body }).await;
        let heard = one.fixture.upstream.last("subscriptions/listen");
        assert_eq!(heard.body["params"]["notifications"]["taskIds"], left);
    }
}

#[tokio::test]
async fn request_of_tasks_is_for_clients_that_know_them_whatever_it_names() {
    let (one, _) = two(Speaks::Modern).await;
    let task = one.task().await;
    let heard = one.fixture.upstream.heard().len();
    let listen = json!({ "notifications": { "taskIds": [task] } });
    let mut asked = vec![request(1, "subscriptions/listen", listen)];
    for id in [&*task, "unknown"] {
        let methods = ["tasks/get", "tasks/update", "tasks/cancel"];
        asked.extend(methods.map(|method| of_task(method, id)));
    }
    asked.push(request(1, "tasks/get", json!({})));
    for message in asked {
        for can in [json!({}), json!({ "extensions": {} }), json!({ "tasks": {} })] {
            let mut message = message.clone();
            message["params"]["_meta"]["io.modelcontextprotocol/clientCapabilities"] = can;
            let said = one.fixture.modern(message).await;
            said.refused(400, -32021, "io.modelcontextprotocol/tasks");
            let required = json!({ "extensions": { "io.modelcontextprotocol/tasks": {} } });
            let data = &said.answer()["error"]["data"];
            assert_eq!(*data, json!({ "requiredCapabilities": required }));
        }
        // For one that knows nothing of MCP the proxy speaks, which knows no tasks.
        if message["method"] != "subscriptions/listen" {
            one.fixture.plain(message).await.refused(400, -32021, "clientCapabilities");
        }
    }
    assert_eq!(one.fixture.upstream.heard().len(), heard, "the server was asked");
    assert_eq!(one.fixture.api.audit("decision").await.len(), 1, "something was checked");
}

#[tokio::test]
async fn tasks_are_polled_freely_and_answered_with_an_approval() {
    let (one, _) = two(Speaks::Modern).await;
    let task = one.task().await;
    let said = one.asks(of_task("tasks/get", &task)).await;
    assert_eq!(said.answer()["result"]["status"], "working");
    assert_eq!(one.fixture.upstream.last("tasks/get").header("mcp-name"), PLAIN);
    let update = of_task("tasks/update", &task);
    let said = one.asks(update.clone()).await;
    let data = &said.answer()["error"]["data"];
    assert_eq!(data["code"], "ELEVATION_REQUIRED", "{said:?}");
    one.fixture.approve(data["approval_id"].as_str().unwrap()).await;
    let said = one.asks(update).await;
    assert!(said.answer()["result"].is_object(), "{said:?}");
    one.asks(request(3, "resources/read", json!({ "uri": "file:///a" }))).await;
    let decided = one.fixture.api.audit("decision").await;
    let tools: Vec<_> = decided.iter().map(|row| &row["body"]["tool"]).collect();
    assert!(tools.contains(&&json!("files/mcp/tasks/update")), "{tools:?}");
    assert!(tools.contains(&&json!("files/mcp/resources/read")), "{tools:?}");
}
