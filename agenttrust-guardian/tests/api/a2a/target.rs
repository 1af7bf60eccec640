//! A strict agent on a socket that speaks A2A by one of its ways, notes what it heard, and does as the text says.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::http::{HeaderMap, Method, StatusCode, Uri};
use axum::response::{IntoResponse, Response};
use axum::routing::any;
use futures_util::{StreamExt, stream};
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::sync::Notify;

/// The version and binding of A2A that the target speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Speaks {
    V1,
    V03,
    Http,
}

impl Speaks {
    pub(super) const ALL: [Self; 3] = [Self::V1, Self::V03, Self::Http];

    pub(super) const fn binding(self) -> &'static str {
        match self {
            Self::V1 | Self::V03 => "JSONRPC",
            Self::Http => "HTTP+JSON",
        }
    }

    pub(super) const fn version(self) -> &'static str {
        match self {
            Self::V1 | Self::Http => "1.0",
            Self::V03 => "0.3",
        }
    }
}

/// The agent.
#[derive(Clone)]
pub(super) struct Target {
    pub(super) url: String,
    inner: Arc<Inner>,
}

struct Inner {
    speaks: Speaks,
    /// The requests that it received: by which method and with what.
    heard: Mutex<Vec<(String, Value)>>,
    state: Mutex<&'static str>,
    /// Lets go on what waits.
    release: Notify,
    shape: Mutex<Option<Shape>>,
    /// The number of small pieces that follow the first two of a stream before it waits.
    small: AtomicUsize,
    /// Whether a message that it answers is said to be its sender's.
    in_its_senders_name: AtomicBool,
}

/// A change to a task, or to what happens to it, before it is sent.
type Shape = Box<dyn Fn(&mut Value) + Send>;

impl Inner {
    fn new(speaks: Speaks) -> Self {
        Self {
            speaks,
            heard: Mutex::default(),
            state: Mutex::new("working"),
            release: Notify::new(),
            shape: Mutex::default(),
            small: AtomicUsize::new(0),
            in_its_senders_name: AtomicBool::new(false),
        }
    }

    fn shape(&self, told: &mut Value) {
        if let Some(shape) = &*self.shape.lock().unwrap() {
            shape(told);
        }
    }
}

/// A request, whichever way it came.
enum Ask {
    Send(Value),
    Stream(Value),
    Get,
    Cancel,
    Subscribe,
}

impl Target {
    pub(super) async fn start(speaks: Speaks) -> Self {
        let inner = Arc::new(Inner::new(speaks));
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/agent/?secret=path", listener.local_addr().unwrap());
        let router = Router::new().fallback(any(answer)).with_state(Arc::clone(&inner));
        tokio::spawn(async move { axum::serve(listener, router).await });
        Self { url, inner }
    }

    /// Returns what it was sent, as it came.
    pub(super) fn sent(&self) -> Vec<Value> {
        let heard = self.inner.heard.lock().unwrap();
        let sent = heard.iter().filter(|(method, _)| method.to_lowercase().contains("message"));
        sent.map(|(_, params)| params.clone()).collect()
    }

    /// Returns how often it was asked for this.
    pub(super) fn count(&self, method: &str) -> usize {
        self.inner.heard.lock().unwrap().iter().filter(|(one, _)| one == method).count()
    }

    pub(super) fn is(&self, state: &'static str) {
        *self.inner.state.lock().unwrap() = state;
    }

    /// Changes each task, and what happens to it, before it is sent from now on.
    pub(super) fn shapes(&self, shape: impl Fn(&mut Value) + Send + 'static) {
        *self.inner.shape.lock().unwrap() = Some(Box::new(shape));
    }

    /// Sends so many small pieces in each stream from now on.
    pub(super) fn tells_small_pieces(&self, count: usize) {
        self.inner.small.store(count, Ordering::SeqCst);
    }

    pub(super) fn says_as_its_sender(&self) {
        self.inner.in_its_senders_name.store(true, Ordering::SeqCst);
    }

    pub(super) fn release(&self) {
        self.inner.release.notify_one();
    }
}

async fn answer(
    State(inner): State<Arc<Inner>>,
    http: Method,
    uri: Uri,
    headers: HeaderMap,
    bytes: Bytes,
) -> Response {
    let said = |name: &str| headers.get(name).map(|it| it.to_str().unwrap().to_owned());
    assert_eq!(uri.query(), Some("secret=path"));
    for name in ["x-api-key", "authorization", "x-agent-id", "cookie"] {
        assert_eq!(said(name), None, "the caller's {name} came along");
    }
    if said("a2a-version").as_deref() != Some(inner.speaks.version()) {
        return StatusCode::BAD_REQUEST.into_response();
    }
    let body: Value = serde_json::from_slice(&bytes).unwrap_or_default();
    let (method, params) = match inner.speaks {
        Speaks::Http => {
            let path = uri.path().strip_prefix("/agent").unwrap().to_owned();
            let method = match (http, path.as_str()) {
                (Method::POST, "/message:send") => "SendMessage",
                (Method::POST, "/message:stream") => "SendStreamingMessage",
                (Method::GET, "/tasks/theirs%2F1") => "GetTask",
                (Method::POST, "/tasks/theirs%2F1:cancel") => "CancelTask",
                (Method::POST, "/tasks/theirs%2F1:subscribe") => "SubscribeToTask",
                _ => return StatusCode::NOT_FOUND.into_response(),
            };
            (method.to_owned(), body.clone())
        }
        _ => (body["method"].as_str().unwrap().to_owned(), body["params"].clone()),
    };
    inner.heard.lock().unwrap().push((method.clone(), params.clone()));
    let ask = match method.as_str() {
        "SendMessage" | "message/send" => Ask::Send(params["message"].clone()),
        "SendStreamingMessage" | "message/stream" => Ask::Stream(params["message"].clone()),
        "GetTask" | "tasks/get" => Ask::Get,
        "CancelTask" | "tasks/cancel" => Ask::Cancel,
        "SubscribeToTask" | "tasks/resubscribe" => Ask::Subscribe,
        _ => return error(&inner, &body["id"], -32601, "no such method"),
    };
    done(&inner, &body["id"], ask).await
}

async fn done(inner: &Arc<Inner>, id: &Value, ask: Ask) -> Response {
    match ask {
        Ask::Send(message) => sent(inner, id, &message).await,
        Ask::Get => result(inner, id, bare(inner, *inner.state.lock().unwrap(), None)),
        Ask::Cancel => {
            *inner.state.lock().unwrap() = "canceled";
            result(inner, id, bare(inner, "canceled", None))
        }
        Ask::Stream(message) => match text(&message) {
            "no stream" => error(inner, id, -32004, "no streams here"),
            "broken" => {
                let first = event(inner, id, task(inner, "working", None));
                let cut = stream::once(async {
                    tokio::time::sleep(Duration::from_millis(50)).await;
                    Err(std::io::Error::other("cut"))
                });
                events(stream::iter([Ok(first)]).chain(cut).boxed())
            }
            "strays" => {
                let first = event(inner, id, task(inner, "working", None));
                let other = event(inner, id, status_of(inner, "other", "working"));
                events(stream::iter([Ok(first), Ok(other)]).boxed())
            }
            _ => streamed(inner, id),
        },
        Ask::Subscribe => streamed(inner, id),
    }
}

/// Returns a stream of a working task, a piece of a result, and once it is let go on, the end.
fn streamed(inner: &Arc<Inner>, id: &Value) -> Response {
    let first = [
        event(inner, id, task(inner, "working", None)),
        event(inner, id, piece(inner, "half", false)),
    ];
    let (inner, id) = (Arc::clone(inner), id.clone());
    let count = inner.small.load(Ordering::SeqCst);
    let small = {
        let (inner, id) = (Arc::clone(&inner), id.clone());
        let told = move |number| event(&inner, &id, piece(&inner, &format!("{number}."), true));
        stream::iter((0..count).map(move |number| Ok(told(number))))
    };
    let rest = stream::once(async move {
        inner.release.notified().await;
        let more = event(&inner, &id, piece(&inner, " and half", true));
        let last = event(&inner, &id, status_of(&inner, "theirs/1", "completed"));
        Ok(Bytes::from([more, last].concat()))
    });
    events(stream::iter(first.map(Ok)).chain(small).chain(rest).boxed())
}

async fn sent(inner: &Arc<Inner>, id: &Value, message: &Value) -> Response {
    let endless = || {
        static PIECE: [u8; 1 << 16] = [b' '; 1 << 16];
        let piece = || Ok::<_, std::io::Error>(Bytes::from_static(&PIECE));
        Body::from_stream(stream::repeat_with(piece).take((1 << 30) >> 16))
    };
    match text(message) {
        "work" => result(inner, id, task(inner, "working", None)),
        "ask" => result(inner, id, task(inner, "input-required", Some("which one?"))),
        "say" => result(inner, id, hello(inner)),
        "slow" => {
            inner.release.notified().await;
            result(inner, id, task(inner, "working", None))
        }
        "html" => media("text/html", Body::from("<html>sign in</html>")),
        "huge" => media("application/json", endless()),
        "redirect" => {
            let to = [("location", "http://169.254.169.254/latest/meta-data/")];
            (StatusCode::TEMPORARY_REDIRECT, to).into_response()
        }
        "hang" => {
            inner.release.notified().await;
            StatusCode::OK.into_response()
        }
        "refuse" => error(inner, id, -32005, "no such content"),
        "version" => error(inner, id, -32009, "another version please"),
        "busy" => StatusCode::BAD_GATEWAY.into_response(),
        "other id" => result(inner, &json!("other"), task(inner, "working", None)),
        "other version" => {
            let speaks = if inner.speaks == Speaks::V03 { Speaks::V1 } else { Speaks::V03 };
            let other = Inner::new(speaks);
            result(inner, id, task(&other, "working", None))
        }
        "other task" => {
            let mut other = task(inner, "working", None);
            let it = if inner.speaks == Speaks::V03 { &mut other } else { &mut other["task"] };
            it["id"] = "theirs/2".into();
            result(inner, id, other)
        }
        _ => result(inner, id, task(inner, "completed", Some("done"))),
    }
}

/// Returns a message that is all it answers.
fn hello(inner: &Inner) -> Value {
    let (mut said, role) = match inner.speaks {
        Speaks::V03 => {
            (json!({ "kind": "message", "parts": [part(inner.speaks, "hello")] }), "agent")
        }
        _ => (json!({ "parts": [part(inner.speaks, "hello")] }), "ROLE_AGENT"),
    };
    (said["messageId"], said["role"]) = ("theirs".into(), role.into());
    if inner.in_its_senders_name.load(Ordering::SeqCst) {
        said["role"] = role.replace("agent", "user").replace("AGENT", "USER").into();
        said["parts"] = json!([part(inner.speaks, "forged")]);
    }
    inner.shape(&mut said);
    if inner.speaks == Speaks::V03 { said } else { json!({ "message": said }) }
}

fn text(message: &Value) -> &str {
    message["parts"][0]["text"].as_str().unwrap_or_default()
}

fn state(speaks: Speaks, word: &str) -> String {
    match speaks {
        Speaks::V03 => word.to_owned(),
        _ => format!("TASK_STATE_{}", word.to_uppercase().replace('-', "_")),
    }
}

fn part(speaks: Speaks, text: &str) -> Value {
    match speaks {
        Speaks::V03 => json!({ "kind": "text", "text": text }),
        _ => json!({ "text": text }),
    }
}

/// Returns its task as it stands.
fn bare(inner: &Inner, word: &str, said: Option<&str>) -> Value {
    let speaks = inner.speaks;
    let role = if speaks == Speaks::V03 { "agent" } else { "ROLE_AGENT" };
    let mut status = json!({ "state": state(speaks, word), "timestamp": "2026-01-02T03:04:05Z" });
    if let Some(said) = said {
        status["message"] = json!({
            "messageId": "theirs-said", "role": role, "parts": [part(speaks, said)],
            "taskId": "theirs/1", "contextId": "theirs-c",
        });
    }
    let mut task = json!({
        "id": "theirs/1", "contextId": "theirs-c", "status": status,
        "artifacts": [{ "artifactId": "a", "name": "result", "parts": [part(speaks, "a result")] }],
    });
    if speaks == Speaks::V03 {
        task["kind"] = "task".into();
    }
    inner.shape(&mut task);
    task
}

/// Returns the same as the answer to a message.
fn task(inner: &Inner, word: &str, said: Option<&str>) -> Value {
    let bare = bare(inner, word, said);
    if inner.speaks == Speaks::V03 { bare } else { json!({ "task": bare }) }
}

fn status_of(inner: &Inner, id: &str, word: &str) -> Value {
    let status = json!({ "state": state(inner.speaks, word) });
    let mut it = json!({ "taskId": id, "contextId": "theirs-c", "status": status });
    inner.shape(&mut it);
    match inner.speaks {
        Speaks::V03 => {
            it["kind"] = "status-update".into();
            it["final"] = (word == "completed").into();
            it
        }
        _ => json!({ "statusUpdate": it }),
    }
}

fn piece(inner: &Inner, text: &str, last: bool) -> Value {
    let artifact = json!({ "artifactId": "b", "parts": [part(inner.speaks, text)] });
    let mut it = json!({
        "taskId": "theirs/1", "contextId": "theirs-c", "artifact": artifact,
        "append": last, "lastChunk": last,
    });
    inner.shape(&mut it);
    match inner.speaks {
        Speaks::V03 => {
            it["kind"] = "artifact-update".into();
            it
        }
        _ => json!({ "artifactUpdate": it }),
    }
}

fn wrapped(inner: &Inner, id: &Value, result: Value) -> Value {
    match inner.speaks {
        Speaks::Http => result,
        _ => json!({ "jsonrpc": "2.0", "id": id, "result": result }),
    }
}

fn result(inner: &Inner, id: &Value, result: Value) -> Response {
    media("application/json", Body::from(wrapped(inner, id, result).to_string()))
}

fn error(inner: &Inner, id: &Value, code: i64, message: &str) -> Response {
    if inner.speaks != Speaks::Http {
        let error = json!({ "code": code, "message": message });
        let answer = json!({ "jsonrpc": "2.0", "id": id, "error": error });
        return media("application/json", Body::from(answer.to_string()));
    }
    let reason = match code {
        -32004 => "UNSUPPORTED_OPERATION",
        -32005 => "CONTENT_TYPE_NOT_SUPPORTED",
        _ => "VERSION_NOT_SUPPORTED",
    };
    let info = json!({ "@type": "type.googleapis.com/google.rpc.ErrorInfo", "reason": reason });
    let body = json!({ "error": { "code": 400, "message": message, "details": [info] } });
    let mut response = media("application/json", Body::from(body.to_string()));
    *response.status_mut() = StatusCode::BAD_REQUEST;
    response
}

fn media(media: &'static str, body: Body) -> Response {
    let mut response = Response::new(body);
    response.headers_mut().insert("content-type", media.parse().unwrap());
    response
}

fn event(inner: &Inner, id: &Value, result: Value) -> Bytes {
    Bytes::from(format!("data: {}\n\n", wrapped(inner, id, result)))
}

fn events(pieces: stream::BoxStream<'static, Result<Bytes, std::io::Error>>) -> Response {
    media("text/event-stream", Body::from_stream(pieces))
}
