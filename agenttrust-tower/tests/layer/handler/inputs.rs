//! What an approval of a call is for: its arguments, all of them and nothing else.

use agenttrust_tower::rmcp::{GuardedHandler, GuardedHandlerExt};
use rmcp::ServerHandler;
use rmcp::model::{
    CallToolRequestParams, InputResponses, ProgressToken, RequestMetaObject, RequestParamsMeta,
};
use serde_json::{Value, json};

use crate::guardian::{Guardian, Script};
use crate::handler::server::{Files, arguments, call, client, context};

fn handler() -> (Guardian, GuardedHandler<Files>) {
    let guardian = Guardian::new(Script::Allow);
    let handler = Files::default().guarded(guardian.guard());
    (guardian, handler)
}

/// Returns the digests that these calls are asked about with, one after the other by one guard.
async fn digests<const N: usize>(calls: [CallToolRequestParams; N]) -> [String; N] {
    let (guardian, handler) = handler();
    for call in calls {
        let _ = handler.call_tool(call, context()).await;
    }
    let digests: Vec<_> = guardian.checks().into_iter().map(|check| check.digest).collect();
    assert!(digests.iter().all(|digest| !digest.is_empty()), "nothing is bound");
    digests.try_into().expect("one check a call")
}

fn answers(value: Value) -> InputResponses {
    arguments(value).into_iter().collect()
}

#[tokio::test]
async fn the_same_arguments_are_the_same_call_whatever_meta_says() {
    let (guardian, handler) = handler();
    let client = client(handler).await;
    let mut meta = RequestMetaObject::new();
    meta.set_progress_token(ProgressToken(rmcp::model::NumberOrString::Number(7)));
    meta.0.0.insert("traceparent".to_owned(), json!("00-1-2-03"));
    for meta in [None, Some(meta)] {
        let mut call = call("read", json!({ "name": "plan.md" }));
        *call.meta_mut() = meta;
        client.call_tool(call).await.expect("a result");
    }
    let [plain, with_meta] = &guardian.checks()[..] else { panic!("one check a call") };
    assert_eq!(plain.digest, with_meta.digest);
    assert!(!plain.digest.is_empty(), "nothing is bound");
}

#[tokio::test]
async fn other_arguments_are_another_call() {
    let [plan, draft, more] = digests([
        call("read", json!({ "name": "plan.md" })),
        call("read", json!({ "name": "draft.md" })),
        call("read", json!({ "name": "plan.md", "lines": 3 })),
    ])
    .await;
    assert!(plan != draft && plan != more);
}

#[tokio::test]
async fn no_arguments_and_empty_ones_are_the_same_call() {
    let [none, empty] =
        digests([CallToolRequestParams::new("silent"), call("silent", json!({}))]).await;
    assert_eq!(none, empty);
}

#[tokio::test]
async fn the_answers_of_a_repeated_call_are_part_of_it() {
    let delete = || call("delete", json!({ "name": "plan.md" }));
    let yes = || answers(json!({ "sure": { "action": "accept" } }));
    let [first, repeated, otherwise, with_state, other_state, again] = digests([
        delete(),
        delete().with_input_responses(yes()),
        delete().with_input_responses(answers(json!({ "sure": { "action": "decline" } }))),
        delete().with_input_responses(yes()).with_request_state("one"),
        delete().with_input_responses(yes()).with_request_state("two"),
        delete().with_input_responses(yes()).with_request_state("one"),
    ])
    .await;
    let all = [&first, &repeated, &otherwise, &with_state, &other_state];
    for (place, one) in all.iter().enumerate() {
        assert!(!all[..place].contains(one), "call {place} is approved by another one's approval");
    }
    assert_eq!(with_state, again);
}

#[tokio::test]
async fn arguments_that_look_like_answers_are_still_arguments() {
    let given = json!({ "name": "plan.md" });
    let responses = json!({ "sure": true });
    let [repeated, named, listed] = digests([
        call("delete", given.clone()).with_input_responses(answers(responses.clone())),
        call("delete", json!({ "arguments": given, "input_responses": responses })),
        call("delete", json!({ "0": given, "1": responses, "2": null })),
    ])
    .await;
    assert!(repeated != named && repeated != listed);
}

#[tokio::test]
async fn arguments_stay_in_the_process() {
    let (guardian, handler) = handler();
    let call = call("read", json!({ "name": "plans-for-the-surprise-party.md" }));
    handler.call_tool(call, context()).await.expect("a result");
    let sent = &guardian.checks()[0].sent;
    assert!(!sent.contains("surprise"), "{sent}");
}
