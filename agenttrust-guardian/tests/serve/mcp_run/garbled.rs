//! Answers of the server that cannot be read, or are to nothing that was asked: who waits hears so.

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::client::{Client, text_of};

#[tokio::test]
async fn answer_that_cannot_be_read_is_an_error_to_who_waits_for_it() {
    let mut client = Client::inside(&[]);
    let slow = client.ask("tools/call", json!({ "name": "slow_read" })).await;
    client.calls_reach(1).await;
    for (how, says) in [
        ("nan", "cannot be read"),
        ("cut", "cannot be read"),
        ("twice", "cannot be read"),
        ("version", "cannot be read"),
        ("bytes", "cannot be read"),
        ("text", "answered the id"),
    ] {
        let answer = client.call("get_garbled", json!({ "how": how })).await;
        assert_eq!(answer["error"]["code"], -32603, "{how}: {answer}");
        let message = answer["error"]["message"].as_str().unwrap();
        assert!(message.contains(says), "{how}: {answer}");
    }
    client.logs("wrote what is no message").await;
    // Another call waits on.
    assert_eq!(client.beside, [] as [Value; 0]);
    for how in ["nameless", "batch"] {
        let waits = match how {
            "nameless" => slow.clone(),
            _ => {
                let calls = client.reached("tools/call").await.len();
                let waits = client.ask("tools/call", json!({ "name": "slow_read" })).await;
                client.calls_reach(calls + 1).await;
                waits
            }
        };
        let call = json!({ "name": "get_garbled", "arguments": { "how": how } });
        let asked = client.ask("tools/call", call).await;
        let mut ended = [client.next().await.unwrap(), client.next().await.unwrap()];
        ended.sort_by_key(|ended| ended["id"].as_u64());
        assert_eq!([&ended[0]["id"], &ended[1]["id"]], [&waits, &asked], "{how}");
        assert!(ended.iter().all(|it| it["error"]["code"] == -32603), "{how}: {ended:?}");
    }
    assert_eq!(client.says("read_note", json!({})).await, "read_note {}");
}

#[tokio::test]
async fn answer_to_nothing_that_was_asked_is_left_out_and_told() {
    let mut client = Client::inside(&[]);
    for how in ["stray", "told"] {
        assert_eq!(client.says("get_garbled", json!({ "how": how })).await, "after it");
    }
    assert_eq!(client.beside, [] as [Value; 0]);
    client.logs("answered what was not asked").await;
    client.logs("wrote what is no message").await;
}

#[tokio::test]
async fn list_of_tools_that_cannot_be_read_is_an_error_and_nothing_waits_for_it() {
    let begun = Instant::now();
    let mut client = Client::start(&[], &[], "nan list");
    let list = client.request("tools/list", json!({})).await;
    assert_eq!(list["error"]["code"], -32603, "{list}");
    let refused = client.call("read_note", json!({})).await;
    assert_eq!(refused["error"]["code"], -32603, "{refused}");
    assert!(refused.to_string().contains("cannot be read"), "{refused}");
    assert!(begun.elapsed() < Duration::from_secs(8), "{:?}", begun.elapsed());
    assert_eq!(client.beside, [] as [Value; 0]);
}

#[tokio::test]
async fn tool_that_cannot_be_read_is_none_and_the_others_are_shown_and_called() {
    let mut client = Client::start(&[], &[], "half a character");
    let list = client.request("tools/list", json!({})).await;
    let tools = list["result"]["tools"].as_array().unwrap_or_else(|| panic!("{list}"));
    assert_eq!((tools.len(), &tools[0]["name"]), (14, &json!("read_note")), "{list}");
    assert_eq!(client.says("read_note", json!({})).await, "read_note {}");
    let refused = client.call("read_half", json!({})).await;
    assert_eq!(refused["error"]["code"], -32602, "{refused}");
    let called = client.call("list_asked", json!({})).await;
    assert!(!text_of(&called).contains("read_half"), "{called}");
}
