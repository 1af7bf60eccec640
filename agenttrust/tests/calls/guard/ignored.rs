//! What a Guardian does not know of a request and skips: said, and once.

use agenttrust::{ActionCheckRequest, AgentTrustClient};
use serde_json::json;

use super::two_effects::warnings;
use crate::scripted::{SIGNED, Say, Scripted};

#[test]
fn what_a_guardian_skipped_is_said_once_by_each_client() {
    let headers = vec![("agenttrust-ignored", "trace_id, zzz"), SIGNED];
    let scripted = Scripted::says([Say::Answer(200, headers, json!({ "allowed": true }))]);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let ask = |client: &AgentTrustClient| {
        let request = ActionCheckRequest {
            agent_id: "agent-1".to_owned(),
            action: "tool_call".to_owned(),
            tool_name: "t".to_owned(),
            tool_input_summary: String::new(),
            session_id: String::new(),
            action_effect: None,
        };
        assert!(runtime.block_on(client.actions().check(&request)).unwrap().allowed);
    };
    let client = scripted.client();
    let said = warnings(|| {
        ask(&client);
        ask(&client.clone());
    });
    let [once] = &said[..] else { panic!("{said:?}") };
    assert!(once.contains("trace_id, zzz") && once.contains("/api/v1/agenttrust/check"), "{once}");
    assert_eq!(warnings(|| ask(&scripted.client())).len(), 1);
    let quiet = Scripted::says([Say::allowed()]).client();
    assert_eq!(warnings(|| ask(&quiet)), Vec::<String>::new());
}
