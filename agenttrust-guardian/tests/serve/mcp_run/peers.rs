//! The official server `server-everything`, where npm's packages are there.

use std::path::PathBuf;

use serde_json::json;

use super::client::{Client, text_of};

fn server() -> Option<String> {
    let peers = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../examples/tests/peers");
    let script = peers.join("node_modules/@modelcontextprotocol/server-everything/dist/index.js");
    script.exists().then(|| script.to_str().unwrap().to_owned())
}

#[tokio::test]
async fn official_server_is_guarded_on_standard_input_and_output() {
    let Some(server) = server() else {
        eprintln!("skipped: run `npm ci` in examples/tests/peers");
        return;
    };
    let mut client = Client::of(&["--server", "everything", "--", "node", &server, "stdio"], &[]);
    let begin = json!({
        "protocolVersion": "2025-11-25", "capabilities": { "roots": {}, "elicitation": {} },
        "clientInfo": { "name": "test", "version": "1" },
    });
    let begun = client.request("initialize", begin).await;
    assert_eq!(begun["result"]["protocolVersion"], "2025-11-25", "{begun}");
    client.send(&json!({ "jsonrpc": "2.0", "method": "notifications/initialized" })).await;
    let listed = client.request("tools/list", json!({})).await;
    assert!(listed["result"]["tools"].as_array().is_some_and(|tools| tools.len() > 5), "{listed}");
    let said = client.call("echo", json!({ "message": "hi" })).await;
    assert_eq!(text_of(&said), "Echo: hi");
    let long = json!({
        "name": "trigger-long-running-operation", "arguments": { "duration": 1, "steps": 2 },
        "_meta": { "progressToken": "p" },
    });
    let long = client.request("tools/call", long).await;
    assert!(text_of(&long).contains("completed"), "{long}");
    let told = client.beside.iter().filter(|told| told["method"] == "notifications/progress");
    assert_eq!(told.count(), 2, "{:?}", client.beside);
    let resources = client.request("resources/list", json!({})).await;
    let uri = &resources["result"]["resources"][0]["uri"];
    let read = client.request("resources/read", json!({ "uri": uri })).await;
    assert_eq!(read["result"]["contents"][0]["uri"], *uri, "{read}");
    let unknown = client.call("delete-everything", json!({})).await;
    assert_eq!(unknown["error"]["code"], -32602, "{unknown}");
    client.hang_up();
    // It does not look at the end of its input, and is asked to end.
    assert_eq!(client.ends().await.code(), Some(128 + 15));
}
