//! The ways around `tools/call` that a client might try, and that lead nowhere.

use std::sync::{Arc, Mutex};

use agenttrust_testkit::eventually;
use agenttrust_tower::rmcp::GuardedHandlerExt;
use rmcp::model::{
    ClientNotification, ClientRequest, CustomNotification, CustomRequest, CustomResult, ErrorCode,
    ServerResult,
};
use rmcp::service::{NotificationContext, RequestContext, ServiceError};
use rmcp::{ErrorData, RoleServer, ServerHandler};
use serde_json::{Value, json};

use crate::guardian::{Guardian, Script};
use crate::handler::server::client;

/// A handler that does what custom messages say, whatever their name is.
#[derive(Clone, Default)]
struct Obliging {
    did: Arc<Mutex<Vec<String>>>,
}

impl Obliging {
    fn did(&self) -> Vec<String> {
        self.did.lock().expect("no test panics while it holds it").clone()
    }

    fn oblige(&self, method: String) {
        self.did.lock().expect("no test panics while it holds it").push(method);
    }
}

impl ServerHandler for Obliging {
    async fn on_custom_request(
        &self,
        request: CustomRequest,
        _: RequestContext<RoleServer>,
    ) -> Result<CustomResult, ErrorData> {
        self.oblige(request.method);
        Ok(CustomResult::new(json!("done")))
    }

    async fn on_custom_notification(
        &self,
        notification: CustomNotification,
        _: NotificationContext<RoleServer>,
    ) {
        self.oblige(notification.method);
    }
}

/// Returns parameters that rmcp does not read as those of a guarded method.
fn malformed() -> [Option<Value>; 4] {
    [
        None,
        Some(json!({ "name": 5 })),
        Some(json!({ "name": "delete", "arguments": ["plan.md"] })),
        Some(json!(["delete", "plan.md"])),
    ]
}

const GUARDED: [&str; 5] =
    ["tools/call", "resources/read", "resources/directory/read", "prompts/get", "tasks/update"];

#[tokio::test]
async fn a_malformed_request_of_a_guarded_method_never_reaches_the_handler() {
    let (guardian, obliging) = (Guardian::new(Script::Allow), Obliging::default());
    let handler = obliging.clone().guarded(guardian.guard()).resources(true).prompts(true);
    let client = client(handler).await;
    for method in GUARDED {
        for params in malformed() {
            let request = CustomRequest::new(method, params.clone());
            let answer = client.send_request(ClientRequest::CustomRequest(request)).await;
            let Err(ServiceError::McpError(error)) = answer else {
                panic!("{method} {params:?}: {answer:?}");
            };
            assert_eq!(error.code, ErrorCode::INVALID_PARAMS);
            assert!(error.message.contains(method), "{error}");
        }
    }
    assert_eq!(obliging.did(), [""; 0]);
}

#[tokio::test]
async fn a_guarded_method_sent_as_a_notification_never_reaches_the_handler() {
    let (guardian, obliging) = (Guardian::new(Script::Allow), Obliging::default());
    let client = client(obliging.clone().guarded(guardian.guard())).await;
    let params = json!({ "name": "delete", "arguments": { "name": "plan.md" } });
    for method in ["tools/call", "files/changed"] {
        let notification = CustomNotification::new(method, Some(params.clone()));
        let sent = ClientNotification::CustomNotification(notification);
        client.send_notification(sent).await.expect("it is sent");
    }
    // Each is handled by a task of its own; the first has had its time when the second is done.
    eventually("no notification arrived", async || !obliging.did().is_empty()).await;
    tokio::time::sleep(std::time::Duration::from_millis(100)).await;
    assert_eq!(obliging.did(), ["files/changed"]);
}

#[tokio::test]
async fn methods_of_the_servers_own_pass_and_so_does_what_is_not_guarded() {
    let (guardian, obliging) = (Guardian::new(Script::Deny), Obliging::default());
    let client = client(obliging.clone().guarded(guardian.guard())).await;
    for method in ["files/defragment", "resources/read", "prompts/get"] {
        let request = CustomRequest::new(method, None);
        let answer = client.send_request(ClientRequest::CustomRequest(request)).await;
        assert!(matches!(answer, Ok(ServerResult::CustomResult(_))), "{method}: {answer:?}");
    }
    assert_eq!(obliging.did(), ["files/defragment", "resources/read", "prompts/get"]);
    assert_eq!(guardian.checks().len(), 0);
}
