//! The export of the audit: read as it comes in, however long it is, and never taken for whole when it is not.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use agenttrust::blocking;
use agenttrust::{AgentTrustClient, AgentTrustError, TransportErrorKind};
use bytes::Bytes;
use futures_util::{Stream, StreamExt, stream};
use http::{Request, Response};
use http_body::Frame;
use http_body_util::StreamBody;

type Piece = io::Result<String>;

/// Returns a client of a gateway that sends these pieces.
fn client<S>(pieces: impl Fn() -> S + Send + Sync + 'static) -> AgentTrustClient
where
    S: Stream<Item = Piece> + Send + 'static,
{
    let pieces = Arc::new(pieces);
    let service = tower::service_fn(move |request: Request<Bytes>| {
        let asked = format!("{} {}", request.method(), request.uri());
        assert!(asked.starts_with("GET http://guardian.test/api/v1/audit/export"), "{asked}");
        assert_eq!(request.headers()["accept"], "application/x-ndjson");
        assert_eq!(request.headers()["x-api-key"], "sk_test_1");
        let frames = pieces().map(|piece| piece.map(|piece| Frame::data(Bytes::from(piece))));
        async { Ok::<_, io::Error>(Response::new(StreamBody::new(Box::pin(frames)))) }
    });
    let builder = AgentTrustClient::builder().base_url("http://guardian.test").api_key("sk_test_1");
    builder.timeout(Duration::from_millis(200)).service(service).build().unwrap()
}

/// Returns a client of a gateway that sends these pieces and ends.
fn of(pieces: &[&str]) -> AgentTrustClient {
    let pieces: Vec<String> = pieces.iter().map(ToString::to_string).collect();
    client(move || stream::iter(pieces.clone()).map(Ok))
}

#[tokio::test]
async fn entries_are_read_whole_wherever_the_answer_is_cut() {
    let client = of(&[
        "{\"log\": \"one\", \"seq\": 1, \"at\": \"2026-01-02T03:04:05.000006Z\", \"kind\": \"deci",
        "sion\", \"org_id\": \"org\", \"agent_id\": \"agt_1\", \"actor\": \"key_1\", \"body\": {\"b\": 1}, ",
        "\"prev_hash\": \"00\", \"hash\": \"0a\", \"more\": 1}\n{\"seq\": 2}\n{\"se",
        "q\": 3}",
    ]);
    let mut export = client.audit().export().await.unwrap();
    let entry = export.next().await.unwrap().unwrap();
    assert_eq!((&*entry.log, entry.seq, &*entry.kind), ("one", 1, "decision"));
    assert_eq!((&*entry.at, &*entry.org_id), ("2026-01-02T03:04:05.000006Z", "org"));
    assert_eq!((entry.agent_id.as_deref(), entry.actor.as_deref()), (Some("agt_1"), Some("key_1")));
    assert_eq!(
        (entry.body.to_string(), &*entry.prev_hash, &*entry.hash),
        ("{\"b\":1}".to_owned(), "00", "0a")
    );
    assert_eq!(export.next().await.unwrap().unwrap().seq, 2);
    assert_eq!(export.next().await.unwrap().unwrap().seq, 3);
    assert!(export.next().await.is_none() && export.next().await.is_none());

    // As a stream, too.
    let export = client.audit().export().await.unwrap();
    let seqs: Vec<u64> = export.map(|entry| entry.unwrap().seq).collect().await;
    assert_eq!(seqs, [1, 2, 3]);
}

#[tokio::test]
async fn lines_are_handed_on_as_they_came() {
    let lines = ["{\"seq\":1,\"of\":\"a newer version\"}", "{ \"seq\": 2 }"];
    let client = of(&[lines[0], "\n", lines[1], "\r\n"]);
    let mut export = client.audit().export().await.unwrap();
    assert_eq!(export.next_line().await.unwrap().unwrap(), lines[0]);
    assert_eq!(export.next_line().await.unwrap().unwrap(), lines[1]);
    assert!(export.next_line().await.is_none());
}

/// Returns a hundred thousand entries, a piece each, some 50 MB in all; and how many pieces were taken so far.
fn long() -> (AgentTrustClient, Arc<AtomicUsize>) {
    let taken = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&taken);
    let client = client(move || {
        let counted = Arc::clone(&counted);
        stream::iter(1..=100_000_u64).map(move |seq| {
            counted.fetch_add(1, Ordering::Relaxed);
            Ok(format!("{{\"seq\": {seq}, \"body\": \"{}\"}}\n", "x".repeat(500)))
        })
    });
    (client, taken)
}

#[tokio::test]
async fn long_export_is_read_piece_by_piece() {
    let (client, taken) = long();
    let mut export = client.audit().export().await.unwrap();
    for seq in 1..=100_000 {
        assert_eq!(export.next().await.unwrap().unwrap().seq, seq);
        assert_eq!(taken.load(Ordering::Relaxed) as u64, seq);
    }
    assert!(export.next().await.is_none());
}

#[test]
fn long_export_is_read_piece_by_piece_without_a_runtime() {
    let (client, taken) = long();
    let client = blocking::AgentTrustClient::from(client);
    let mut export = client.audit().export().unwrap();
    for seq in 1..=1_000 {
        assert_eq!(export.next().unwrap().unwrap().seq, seq);
        assert_eq!(taken.load(Ordering::Relaxed) as u64, seq);
    }
    drop(export);
    let client =
        blocking::AgentTrustClient::from(of(&["{\"seq\": 1}\n{\"seq\": 2}\n", "{\"seq\": 3}\n"]));
    let seqs: Vec<u64> = client.audit().export().unwrap().map(|entry| entry.unwrap().seq).collect();
    assert_eq!(seqs, [1, 2, 3]);
    let mut export = client.audit().export_log("one").unwrap();
    assert_eq!(export.next_line().unwrap().unwrap(), "{\"seq\": 1}");
    assert_eq!(export.nth(1).unwrap().unwrap().seq, 3);
    assert!(export.next_line().is_none() && export.next().is_none());
}

/// Returns what must end by itself, long before this.
async fn soon<F: Future>(future: F) -> F::Output {
    tokio::time::timeout(Duration::from_secs(30), future).await.expect("it ends")
}

/// Returns the error after the first entry, in both forms; after it there is nothing.
async fn error(client: AgentTrustClient) -> AgentTrustError {
    let mut export = client.audit().export().await.unwrap();
    assert_eq!(export.next().await.unwrap().unwrap().seq, 1);
    let error = soon(export.next()).await.unwrap().unwrap_err();
    assert!(export.next().await.is_none() && export.next_line().await.is_none());
    let code = error.code().to_owned();
    let blocked = tokio::task::spawn_blocking(move || {
        let client = blocking::AgentTrustClient::from(client);
        let mut export = client.audit().export().unwrap();
        assert_eq!(export.next().unwrap().unwrap().seq, 1);
        let error = export.next().unwrap().unwrap_err();
        assert!(export.next().is_none() && export.next_line().is_none());
        error
    });
    assert_eq!(blocked.await.unwrap().code(), code);
    error
}

fn kind(error: AgentTrustError) -> TransportErrorKind {
    let AgentTrustError::Network(error) = error else { panic!("{error:?}") };
    error.kind()
}

#[tokio::test]
async fn export_that_is_not_whole_ends_with_an_error() {
    let cut = of(&["{\"seq\": 1}\n{\"seq\": 2"]);
    let said = error(cut).await;
    assert!(said.to_string().contains("in the middle of an entry"), "{said}");
    assert_eq!(kind(said), TransportErrorKind::Broken);

    let broken = client(|| {
        let reset = || Err(io::ErrorKind::ConnectionReset.into());
        stream::iter([Ok("{\"seq\": 1}\n{\"seq\": 2}".to_owned()), reset()])
    });
    assert_eq!(kind(error(broken).await), TransportErrorKind::Broken);

    let silent =
        client(|| stream::iter([Ok("{\"seq\": 1}\n".to_owned())]).chain(stream::pending()));
    assert_eq!(kind(error(silent).await), TransportErrorKind::Timeout);

    let endless = client(|| {
        let line = stream::repeat_with(|| Ok("x".repeat(64 << 10)));
        stream::iter([Ok("{\"seq\": 1}\n".to_owned())]).chain(line)
    });
    let said = error(endless).await;
    assert!(said.to_string().contains("longer than 1048576 bytes"), "{said}");

    assert_eq!(error(of(&["{\"seq\": 1}\n<html>\n{\"seq\": 2}\n"])).await.code(), "JSON_ERROR");
}

#[tokio::test]
async fn slow_export_that_says_something_goes_on() {
    let client = client(|| {
        let pieces = ["{\"seq\"", ": 1}", "\n", "{\"seq\": 2}\n"].map(ToString::to_string);
        stream::iter(pieces).then(async |piece| {
            tokio::time::sleep(Duration::from_millis(80)).await;
            Ok(piece)
        })
    });
    let mut export = client.audit().export().await.unwrap();
    assert_eq!(export.next().await.unwrap().unwrap().seq, 1);
    assert_eq!(export.next().await.unwrap().unwrap().seq, 2);
    assert!(export.next().await.is_none());
}

#[tokio::test]
async fn read_that_was_given_up_loses_nothing() {
    let client = client(|| {
        let pieces = ["{\"seq\": 1", "}\n{\"seq\": 2}\n"].map(ToString::to_string);
        stream::iter(pieces).then(async |piece| {
            tokio::time::sleep(Duration::from_millis(50)).await;
            Ok(piece)
        })
    });
    let mut export = client.audit().export().await.unwrap();
    let mut given_up = 0;
    let mut seqs = Vec::new();
    while seqs.len() < 2 {
        match tokio::time::timeout(Duration::from_millis(5), export.next()).await {
            Ok(entry) => seqs.push(entry.unwrap().unwrap().seq),
            Err(_) => given_up += 1,
        }
    }
    assert_eq!(seqs, [1, 2]);
    assert!(given_up > 2, "{given_up}");
}

#[tokio::test]
async fn refusal_comes_before_any_entry_and_so_does_the_end_of_patience() {
    let refusing = tower::service_fn(|request: Request<Bytes>| async move {
        assert_eq!(request.uri().query(), Some("log=one%26two"));
        let body = r#"{"error": "TOO_MANY", "message": "one at a time"}"#.to_owned();
        Ok::<_, io::Error>(Response::builder().status(429).body(body).unwrap())
    });
    let client = AgentTrustClient::builder().service(refusing).build().unwrap();
    let error = client.audit().export_log("one&two").await.unwrap_err();
    assert_eq!((error.status(), error.to_string()), (Some(429), "one at a time".to_owned()));

    let silent = tower::service_fn(|_: Request<Bytes>| {
        std::future::pending::<Result<Response<String>, io::Error>>()
    });
    let client = AgentTrustClient::builder().timeout(Duration::from_millis(50)).service(silent);
    let error = soon(client.build().unwrap().audit().export()).await.unwrap_err();
    assert_eq!(kind(error), TransportErrorKind::Timeout);
}

#[tokio::test]
async fn export_that_nobody_waits_for_any_more_is_not_opened() {
    struct Told(tokio::sync::mpsc::UnboundedSender<&'static str>);
    impl Drop for Told {
        fn drop(&mut self) {
            // The test may be over.
            let _ = self.0.send("dropped");
        }
    }
    let (told, mut tells) = tokio::sync::mpsc::unbounded_channel();
    let silent = tower::service_fn(move |_: Request<Bytes>| {
        told.send("asked").unwrap();
        let told = Told(told.clone());
        async move {
            let _told = told;
            std::future::pending::<Result<Response<String>, io::Error>>().await
        }
    });
    let client = AgentTrustClient::builder().service(silent).build().unwrap();
    let audit = client.audit();
    let mut export = Box::pin(audit.export());
    tokio::select! {
        _ = &mut export => panic!("nobody answers"),
        said = soon(tells.recv()) => assert_eq!(said, Some("asked")),
    }
    drop(export);
    assert_eq!(soon(tells.recv()).await, Some("dropped"));
}
