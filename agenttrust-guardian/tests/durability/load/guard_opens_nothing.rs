//! A guard that fails open, of an agent that has nothing to do with a flood of connections: it opens nothing.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, Ordering};

use agenttrust::{Action, AgentTrustClient, AgentTrustError, AgentTrustGuard, Effect};

use crate::load::organisation::{Organisation, connected};
use crate::program::Program;

/// Asks over and over until `over`, by a new connection each time, so that each has to get in: how often it was
/// allowed, how often blocked, and how often the guard opened.
async fn asked(guard: impl Fn() -> AgentTrustGuard, over: &AtomicBool) -> (u32, u32, u64) {
    let (mut allowed, mut blocked, mut opened) = (0, 0, 0);
    while !over.load(Ordering::SeqCst) {
        let guard = guard();
        let read = Action::new("search").effect(Effect::Read);
        match guard.run(read, async { Ok::<_, AgentTrustError>(()) }).await {
            Ok(()) => allowed += 1,
            Err(_) => blocked += 1,
        }
        let delete = Action::new("db_delete").effect(Effect::Destructive);
        let held = guard.run(delete, async { Ok::<_, AgentTrustError>(()) }).await;
        assert!(held.is_err(), "it ran");
        opened += guard.stats().failed_open;
    }
    (allowed, blocked, opened)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn unauthenticated_flood_of_connections_opens_no_fail_open_guard() {
    let program = Program::serve_with_files(256, &["--dev", "--listen", "127.0.0.1:0"]).await;
    let organisation = Organisation::new(&program, "org_other").await;
    let guard = || {
        let client =
            AgentTrustClient::builder().base_url(program.url("")).api_key(&organisation.key);
        AgentTrustGuard::builder(client.build().unwrap(), &organisation.agent)
            .fail_open(true)
            .build()
    };
    for sent in [b"".as_slice(), b"G", b"GET / HTTP/1.1\r\nHost: x\r\n", b"\x16\x03\x01\x02\x00"] {
        let over = AtomicBool::new(false);
        let flood = async {
            let mut open = VecDeque::new();
            for _ in 0..2_000 {
                open.extend(connected(&program, sent).await.ok());
                if open.len() > 500 {
                    open.pop_front();
                }
            }
            over.store(true, Ordering::SeqCst);
        };
        let ((), (allowed, blocked, opened)) = tokio::join!(flood, asked(guard, &over));
        println!("{allowed} allowed, {blocked} blocked, {opened} opened");
        assert_eq!(opened, 0);
        assert!(allowed > 0);
    }
}
