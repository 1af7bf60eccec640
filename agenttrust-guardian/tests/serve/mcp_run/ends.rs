//! How it ends: with the client, with the server, when it is told to, when it is killed; and servers that do not let
//! go.

use std::os::unix::process::ExitStatusExt as _;
use std::time::{Duration, Instant};

use agenttrust_testkit::eventually_within;
use serde_json::{Value, json};

use super::client::{Client, runs, signal};
use super::server::CODE;
use crate::program::LONG;

/// Returns the processes that the server is, and that it has started.
async fn tree(client: &mut Client) -> Vec<u32> {
    let said = client.says("get_tree", json!({})).await;
    said.split(' ').map(|id| id.parse().unwrap()).collect()
}

async fn all_end(processes: &[u32]) {
    let gone = async || !processes.iter().any(|process| runs(*process));
    eventually_within(LONG, "the server lives on", gone).await;
}

#[tokio::test]
async fn what_was_sent_before_the_end_is_done_and_then_the_server_ends() {
    let mut client = Client::inside(&[]);
    let id = client.ask("tools/call", json!({ "name": "read_note" })).await;
    client.hang_up();
    assert_eq!(client.answer(&id).await["result"]["content"][0]["text"], "read_note null");
    assert_eq!(client.next().await, None);
    assert_eq!(client.ends().await.code(), Some(CODE));
}

#[tokio::test]
async fn server_that_does_not_end_is_ended() {
    let mut client = Client::start(&[], &[], "stays");
    let processes = tree(&mut client).await;
    client.hang_up();
    let begun = Instant::now();
    assert_eq!(client.ends().await.code(), Some(128 + 15));
    assert!(begun.elapsed() > Duration::from_secs(1), "it had time to end by itself");
    all_end(&processes).await;
}

#[tokio::test]
async fn told_to_stop_it_ends_the_server_and_what_that_has_started() {
    // The last is that its terminal was closed.
    for name in ["TERM", "INT", "HUP"] {
        let mut client = Client::start(&[], &[], "stays");
        let processes = tree(&mut client).await;
        signal(name, client.id());
        assert_eq!(client.ends().await.code(), Some(128 + 15), "{name}");
        all_end(&processes).await;
    }
}

#[tokio::test]
async fn told_to_stop_while_the_server_does_not_end_it_waits_no_longer() {
    let mut client = Client::start(&[], &[], "stays");
    let processes = tree(&mut client).await;
    client.hang_up();
    tokio::time::sleep(Duration::from_millis(300)).await;
    signal("TERM", client.id());
    let begun = Instant::now();
    assert_eq!(client.ends().await.code(), Some(128 + 15));
    assert!(begun.elapsed() < Duration::from_secs(2), "{:?}", begun.elapsed());
    all_end(&processes).await;
}

#[tokio::test]
async fn killed_it_takes_the_server_and_what_that_has_started_along() {
    let mut client = Client::start(&[], &[], "stays");
    let processes = tree(&mut client).await;
    assert!(processes.iter().all(|process| runs(*process)));
    signal("KILL", client.id());
    assert_eq!(client.ends().await.signal(), Some(9));
    all_end(&processes).await;
}

#[tokio::test]
async fn server_that_ends_by_itself_ends_it_with_its_exit_code_and_what_waits_is_told() {
    let mut client = Client::inside(&[]);
    let slow = client.ask("tools/call", json!({ "name": "slow_read" })).await;
    client.calls_reach(1).await;
    let processes = tree(&mut client).await;
    signal("KILL", processes[0]);
    let told = client.answer(&slow).await;
    assert_eq!(told["error"]["code"], -32603, "{told}");
    assert_eq!(client.ends().await.code(), Some(128 + 9));
    all_end(&processes).await;
}

#[tokio::test]
async fn flood_passes_in_its_order_and_takes_no_memory() {
    let mut client = Client::inside(&[]);
    let id = client.ask("tools/call", json!({ "name": "get_flood" })).await;
    // It is not read: the server waits, and nothing piles up.
    tokio::time::sleep(Duration::from_secs(1)).await;
    let answer = client.answer(&id).await;
    assert_eq!(answer["result"]["content"][0]["text"], "flooded");
    assert_eq!(client.beside.len(), 20_000);
    let in_order = client.beside.iter().enumerate().all(|(at, told)| told["params"]["data"] == at);
    assert!(in_order);
    let peak = peak_memory(client.id());
    assert!(peak < 150 << 10, "{peak} KiB");
}

#[tokio::test]
async fn what_is_no_message_does_not_reach_the_client_and_does_not_fill_the_log() {
    let mut client = Client::inside(&[]);
    assert_eq!(client.says("get_noise", json!({})).await, "quiet now");
    assert_eq!(client.beside, [] as [Value; 0]);
    let told = client.log().matches("wrote what is no message").count();
    assert!((1..=10).contains(&told), "{told} times");
}

#[tokio::test]
async fn line_without_an_end_ends_the_server_and_what_waits_is_told() {
    let mut client = Client::inside(&[]);
    let slow = client.ask("tools/call", json!({ "name": "slow_read" })).await;
    client.calls_reach(1).await;
    let processes = tree(&mut client).await;
    let endless = client.ask("tools/call", json!({ "name": "get_endless" })).await;
    let mut told = [client.next().await.unwrap(), client.next().await.unwrap()];
    told.sort_by_key(|told| told["id"].as_u64());
    assert_eq!([&told[0]["id"], &told[1]["id"]], [&slow, &endless]);
    assert!(told.iter().all(|told| told["error"]["code"] == -32603), "{told:?}");
    assert_eq!(client.next().await, None);
    assert_eq!(client.ends().await.code(), Some(1));
    client.logs("longer than 16777216 bytes").await;
    all_end(&processes).await;
}

#[tokio::test]
async fn cancelled_call_is_cancelled_at_the_server_and_not_answered() {
    let mut client = Client::inside(&[]);
    let slow = client.ask("tools/call", json!({ "name": "slow_read" })).await;
    client.calls_reach(1).await;
    let cancel = json!({ "requestId": slow, "reason": "enough" });
    let cancel = json!({ "jsonrpc": "2.0", "method": "notifications/cancelled", "params": cancel });
    client.send(&cancel).await;
    let reached = client.reached("notifications/cancelled").await;
    assert_eq!(reached, [cancel]);
    assert_eq!(client.beside, [] as [Value; 0]);
    // Its id may be another one's now.
    let again = json!({ "name": "read_note" });
    let again = json!({ "jsonrpc": "2.0", "id": slow, "method": "tools/call", "params": again });
    client.send(&again).await;
    assert_eq!(client.answer(&slow).await["result"]["content"][0]["text"], "read_note null");
}

/// Returns the most memory that a process had, in KiB.
fn peak_memory(process: u32) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{process}/status")).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
    line.split_whitespace().next().unwrap().parse().unwrap()
}
