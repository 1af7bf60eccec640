//! A thousand posts that are sent and hung up on.

use std::time::Duration;

use serde_json::json;

use crate::load::organisation::{Organisation, connected};
use crate::program::Program;

/// Ten times what a caller is promised who has nothing to do with a flood.
const ANSWERED: Duration = Duration::from_secs(20);
const POSTS: usize = 1_000;

#[tokio::test]
async fn thousand_posts_sent_and_hung_up_take_a_bounded_room_and_delay_nobody() {
    let folder = tempfile::tempdir().unwrap();
    let database = folder.path().join("at.db").to_str().unwrap().to_owned();
    let program = Program::serve(&["--database", &database], &[]).await;
    let admin = program.first_key();
    let flooding = Organisation::with_admin_key(&program, &admin, "org_flood").await;
    let other = Organisation::with_admin_key(&program, &admin, "org_other").await;
    let event = json!({ "event_type": "tool_end", "tool_name": "t".repeat(180),
                        "error_type": "e".repeat(180), "success": false });
    let body =
        json!({ "agent_id": flooding.agent, "session_id": "s", "events": vec![event; 1_000] });
    let body = body.to_string();
    let post = format!(
        "POST /api/v1/telemetry/report HTTP/1.1\r\nHost: localhost\r\nX-API-Key: {}\r\n\
         Content-Length: {}\r\n\r\n{body}",
        flooding.key,
        body.len()
    );
    let before = program.status("VmHWM:");
    let flood = async {
        for _ in 0..POSTS / 50 {
            let posts = (0..50).map(|_| connected(&program, post.as_bytes()));
            drop(futures_util::future::join_all(posts).await);
        }
    };
    let asks = async {
        let mut slowest = Duration::ZERO;
        for _ in 0..40 {
            slowest = slowest.max(other.is_answered(&program).await);
        }
        slowest
    };
    let ((), slowest) = tokio::join!(flood, asks);
    let revoke = format!("/api/v1/agents/{}/revoke", flooding.agent);
    let (status, answer) =
        program.post(&revoke, &flooding.admin, &json!({ "reason": "it floods" })).await;
    assert_eq!(status, 200, "{answer}");
    let more = (program.status("VmHWM:") - before) / 1_024;
    println!(
        "{POSTS} posts of {} KiB hung up on: {more} MiB more, the slowest answer to others {slowest:?}",
        body.len() / 1_024
    );
    assert!(slowest < ANSWERED, "{slowest:?}");
    // 1.4 GB were seen before there was a limit.
    assert!(more < 500, "{more} MiB");
}
