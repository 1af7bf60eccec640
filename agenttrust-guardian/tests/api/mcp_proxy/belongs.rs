//! What belongs to one caller does not reach another: answers, and the place in a stream that is gone on from. Whose
//! tasks are whose is in `tasks.rs`.

use agenttrust_testkit::eventually;
use axum::http::Method;
use futures_util::future::join_all;
use serde_json::{Value, json};

use super::legacy::begun;
use super::{Fixture, Said, Speaks, call, of_session, read};

const EVERY: [Speaks; 3] = [Speaks::Legacy, Speaks::LegacyStateless, Speaks::Modern];

/// The agent whose call it is, and the way in which its client speaks.
struct Caller<'a> {
    who: &'static str,
    fixture: &'a Fixture,
    session: Option<&'a str>,
    is_modern: bool,
}

impl<'a> Caller<'a> {
    /// Creates a client that knows nothing of MCP.
    fn plain(who: &'static str, fixture: &'a Fixture) -> Self {
        Self { who, fixture, session: None, is_modern: false }
    }

    /// Calls with an id that all of them have.
    async fn calls(&self) -> Said {
        let message = call("held", json!({ "who": self.who }));
        match self.session {
            Some(session) => self.fixture.in_session(session, message).await,
            None if self.is_modern => self.fixture.modern(message).await,
            None => self.fixture.plain(message).await,
        }
    }

    /// Returns the answer to it, as the server would give it.
    fn answer(&self) -> Value {
        let heard = self.fixture.upstream.heard();
        let mut calls = heard.iter().filter(|heard| heard.method() == "tools/call");
        let asked = calls.find(|call| call.body["params"]["arguments"]["who"] == self.who).unwrap();
        let content = json!([{ "type": "text", "text": format!("for {}", self.who) }]);
        let result = json!({ "content": content, "resultType": "complete" });
        json!({ "jsonrpc": "2.0", "id": asked.body["id"], "result": result })
    }
}

/// Waits until all of these are held, then answers each, the last one first, with what `answer` has for it.
async fn answered(callers: &[Caller<'_>], answer: impl Fn(usize) -> Value) -> Vec<Said> {
    let upstream = &callers[0].fixture.upstream;
    let answers = async {
        eventually("all are held", async || {
            upstream.inner.held.lock().unwrap().len() == callers.len()
        })
        .await;
        for (at, caller) in callers.iter().enumerate().rev() {
            let held = upstream.inner.held.lock().unwrap().remove(caller.who);
            held.unwrap().send(answer(at)).unwrap();
        }
    };
    tokio::join!(join_all(callers.iter().map(Caller::calls)), answers).0
}

#[tokio::test]
async fn answers_that_come_in_another_order_each_reach_their_own_caller() {
    for speaks in EVERY {
        let fixture = Fixture::of(speaks, &["held"]).await;
        let other = fixture.another().await;
        let mut callers = vec![
            Caller::plain("one", &fixture),
            Caller::plain("other", &other),
            Caller::plain("one again", &fixture),
        ];
        let is_modern = speaks == Speaks::Modern;
        let sessions = match is_modern {
            true => [None, None],
            false => [Some(fixture.session().await), Some(other.session().await)],
        };
        let [first, second] = sessions.each_ref().map(Option::as_deref);
        callers.push(Caller { who: "of MCP", fixture: &fixture, session: first, is_modern });
        callers.push(Caller { who: "other of MCP", fixture: &other, session: second, is_modern });
        let said = answered(&callers, |at| callers[at].answer()).await;
        for (caller, said) in callers.iter().zip(&said) {
            assert_eq!(said.text_of_tool(), format!("for {}", caller.who), "{speaks:?}");
            assert_eq!(said.answer()["id"], 1, "{speaks:?}: {said:?}");
        }
    }
}

#[tokio::test]
async fn answer_to_another_plain_call_of_the_same_id_reaches_nobody() {
    for speaks in EVERY {
        let fixture = Fixture::of(speaks, &["held"]).await;
        let other = fixture.another().await;
        let callers = [
            Caller::plain("one", &fixture),
            Caller::plain("other", &other),
            Caller::plain("one again", &fixture),
        ];
        let next = |at: usize| callers[(at + 1) % callers.len()].answer();
        for said in answered(&callers, next).await {
            said.refused(502, -32603, "answered another request");
            assert!(!said.text.contains("for o"), "{speaks:?}: {said:?}");
            assert_eq!(said.answer()["id"], 1);
        }
    }
}

#[tokio::test]
async fn stream_is_gone_on_with_from_an_event_of_its_own_session_and_no_other() {
    let fixture = Fixture::of(Speaks::Legacy, &["resumable"]).await;
    let other = fixture.another().await;
    let (session, second) = (fixture.session().await, fixture.session().await);
    let of_other = other.session().await;
    let (_own, own) = begun(&fixture, &session, "resumable").await;
    let (_second, of_second) = begun(&fixture, &second, "resumable").await;
    let (_other, of_other) = begun(&other, &of_other, "resumable").await;
    assert!(own != of_second && own != of_other && of_second != of_other);
    let heard = fixture.upstream.heard().len();
    for from in ["e4", "", &of_second, &of_other, &own[..own.len() - 1], &"x".repeat(4_000)] {
        let mut headers = of_session(&session).to_vec();
        headers.push(("last-event-id", from));
        let said = read(fixture.begin(Method::GET, &headers, None).await).await;
        said.refused(400, -32600, "Last-Event-ID was not given out");
    }
    assert_eq!(fixture.upstream.heard().len(), heard, "it was asked");
}
