//! A connection to PostgreSQL that is lost in the middle of a COMMIT: the Guardian cannot know whether it was done,
//! and the audit says what is true all the same.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use agenttrust_guardian::Guardian;
use agenttrust_testkit::postgres::Fresh;
use agenttrust_testkit::{ADMIN, eventually};
use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use crate::support::Api;

/// The fate of the next COMMIT of the audit's connection.
#[derive(Default)]
struct Trap {
    armed: AtomicBool,
    /// Whether the server hears of it.
    arrives: AtomicBool,
}

/// Returns a proxy whose trap cuts the audit's connection at a COMMIT.
async fn proxy(server: String, trap: Arc<Trap>) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((near, _)) = listener.accept().await {
            tokio::spawn(carry(near, server.clone(), Arc::clone(&trap)));
        }
    });
    address
}

async fn carry(mut near: TcpStream, server: String, trap: Arc<Trap>) {
    let Ok(mut far) = TcpStream::connect(server).await else { return };
    let (mut up, mut down) = (vec![0; 64 << 10], vec![0; 64 << 10]);
    let mut writes_audit = false;
    loop {
        tokio::select! {
            read = near.read(&mut up) => {
                let Ok(read @ 1..) = read else { return };
                let bytes = &up[..read];
                let has = |word: &[u8]| bytes.windows(word.len()).any(|part| part == word);
                writes_audit |= has(b"INSERT INTO audit ");
                if writes_audit && has(b"COMMIT") && trap.armed.swap(false, Ordering::SeqCst) {
                    if trap.arrives.load(Ordering::SeqCst) {
                        far.write_all(bytes).await.unwrap();
                        // Its answer is read here, and goes no further.
                        assert_ne!(far.read(&mut down).await.unwrap(), 0, "the server hung up");
                    }
                    return;
                }
                if far.write_all(bytes).await.is_err() { return }
            }
            read = far.read(&mut down) => {
                let Ok(read @ 1..) = read else { return };
                if near.write_all(&down[..read]).await.is_err() { return }
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn rows_are_in_the_audit_once_whatever_became_of_the_commit() {
    let Some(database) = Fresh::or_skip() else { return };
    let trap = Arc::new(Trap::default());
    let url = database.url_by(proxy(database.address(), Arc::clone(&trap)).await);
    let builder = Guardian::builder().database(url).replica("one").admin_key(ADMIN);
    let guardian = builder.build().await.unwrap();
    let api = Api::new(guardian, Guardian::router);
    let agent = api.agent(&["*"]).await;
    for arrives in [true, false, true, false] {
        let before = api.audit("decision").await.len();
        trap.arrives.store(arrives, Ordering::SeqCst);
        trap.armed.store(true, Ordering::SeqCst);
        let check = |tool: &str| {
            let body = json!({ "agent_id": agent, "session_id": "s", "action_name": tool });
            api.post("/api/v1/agenttrust/check", ADMIN, body)
        };
        // One that waits for its row, and one that does not.
        let (held, read) = tokio::join!(check("send_mail"), check("search"));
        assert_eq!(held.body["allowed"], false, "{held:?}");
        let read = read.body;
        let healthy = async || api.get("/health", "").await.body["status"] == "healthy";
        eventually("it does not heal", healthy).await;
        let rows = api.audit("decision").await;
        let of = |id: &serde_json::Value| {
            rows.iter().filter(|row| row["body"]["check_id"] == *id).count()
        };
        if read["allowed"] == true {
            assert_eq!(of(&read["check_id"]), 1, "{rows:?}");
        }
        let resumed = api.audit("audit.resumed").await;
        let resumed = &resumed.last().unwrap()["body"];
        assert_eq!(resumed["written_unanswered"].is_object(), arrives, "{resumed}");
        // The row of a call that was denied because nobody knew is told apart.
        if arrives {
            let (first, last) =
                (&resumed["written_unanswered"]["first"], &resumed["written_unanswered"]["last"]);
            let within = rows.iter().filter(|row| {
                row["seq"].as_u64() >= first.as_u64() && row["seq"].as_u64() <= last.as_u64()
            });
            assert!(within.count() > 0 && rows.len() > before);
        }
        api.audit_rows().await;
    }
}
