//! With `install_fallback` parts of a program are other agents: what `guard.spawn` and `guard.spawn_blocking` spawn
//! stays that agent, and what is spawned otherwise is the one of the process.

#![deny(warnings)]

use std::io;
use std::sync::{Arc, Mutex};

use agenttrust::{AgentTrustClient, AgentTrustError, AgentTrustGuard, guarded};
use bytes::Bytes;
use http::{Request, Response};
use http_body_util::Full;

#[guarded(effect = "read")]
async fn tool() -> Result<&'static str, AgentTrustError> {
    Ok("ran")
}

#[guarded(tool = "tool", effect = "read")]
fn blocking_tool() -> Result<&'static str, AgentTrustError> {
    Ok("ran")
}

#[tokio::main(flavor = "current_thread")]
pub(super) async fn main() {
    let asked: Arc<Mutex<Vec<String>>> = Arc::default();
    let told: Arc<Mutex<Vec<String>>> = Arc::default();
    let (noted, reported) = (Arc::clone(&asked), Arc::clone(&told));
    let allow = move |request: Request<Bytes>| {
        let body: serde_json::Value = serde_json::from_slice(request.body()).unwrap();
        if request.uri().path().ends_with("/report") {
            reported.lock().unwrap().push(body["agent_id"].as_str().unwrap().to_owned());
        }
        if request.uri().path().ends_with("/check") {
            noted.lock().unwrap().push(body["agent_id"].as_str().unwrap().to_owned());
        }
        let answer = Response::new(Full::<Bytes>::from(r#"{"allowed":true,"check_id":"chk_1"}"#));
        async { Ok::<_, io::Error>(answer) }
    };
    let client = AgentTrustClient::builder()
        .base_url("http://guardian.test")
        .service(tower::service_fn(allow))
        .build()
        .unwrap();
    let reports = AgentTrustGuard::new(client.clone(), "shopbot").install_fallback().unwrap();
    let helper = AgentTrustGuard::new(client, "helper");
    let inner = helper.clone();
    helper
        .scope(async move {
            tool().await.unwrap();
            inner.spawn(tool()).await.unwrap().unwrap();
            inner.spawn_blocking(blocking_tool).await.unwrap().unwrap();
            tokio::spawn(tool()).await.unwrap().unwrap();
        })
        .await;
    assert_eq!(*asked.lock().unwrap(), ["helper", "helper", "helper", "shopbot"]);
    drop(reports);
    assert!(told.lock().unwrap().contains(&"shopbot".to_owned()));
}
