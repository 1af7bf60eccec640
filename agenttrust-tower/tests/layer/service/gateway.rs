//! A gateway under control: what it says of tokens can wait on its way, and it tells of revocations.

use std::collections::HashSet;
use std::convert::Infallible;
use std::io;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use agenttrust::{AgentIdentity, AgentTrustClient};
use agenttrust_testkit::eventually;
use agenttrust_tower::AuthenticateLayer;
use bytes::Bytes;
use futures_util::stream;
use http::{Request, Response, StatusCode};
use http_body::Frame;
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt, Full, StreamBody};
use serde_json::{Value, json};
use tokio::sync::{mpsc, watch};
use tower::util::BoxCloneSyncService;
use tower::{Layer, ServiceExt, service_fn};

type Body = UnsyncBoxBody<Bytes, io::Error>;

/// `at_good…` works unless it was revoked, and is `agt_2`'s; no other token does.
#[derive(Clone)]
pub(crate) struct Gateway {
    state: Arc<State>,
}

struct State {
    /// Whether answers about tokens get through.
    open: watch::Sender<bool>,
    away: Mutex<bool>,
    revoked: Mutex<HashSet<String>>,
    introspections: AtomicUsize,
    sessions: AtomicUsize,
    stream: Mutex<Option<mpsc::UnboundedSender<String>>>,
}

impl Gateway {
    pub(crate) fn new() -> Self {
        let state = State {
            open: watch::Sender::new(true),
            away: Mutex::default(),
            revoked: Mutex::default(),
            introspections: AtomicUsize::default(),
            sessions: AtomicUsize::default(),
            stream: Mutex::default(),
        };
        Self { state: Arc::new(state) }
    }

    pub(crate) fn client(&self) -> AgentTrustClient {
        let gateway = self.clone();
        AgentTrustClient::builder()
            .base_url("http://guardian.test")
            .api_key("sk_test_of_the_gateway")
            .service(service_fn(move |request| gateway.clone().answer(request)))
            .build()
            .expect("the settings are right")
    }

    /// Returns a server that says in whose session a request came in.
    pub(crate) fn site(&self, set: impl FnOnce(AuthenticateLayer) -> AuthenticateLayer) -> Site {
        Site::new(set(AuthenticateLayer::new(self.client())).layer(visited()))
    }

    /// Holds back answers about tokens, made as they are asked for, from now on.
    pub(crate) fn hold_back(&self) {
        self.state.open.send_replace(false);
    }

    pub(crate) fn let_through(&self) {
        self.state.open.send_replace(true);
    }

    /// Sets whether the gateway is away: whether connections fail.
    pub(crate) fn is_away(&self, away: bool) {
        *locked(&self.state.away) = away;
    }

    /// Revokes a token without telling anybody.
    pub(crate) fn revoke(&self, token: &str) {
        locked(&self.state.revoked).insert(token.to_owned());
    }

    /// Sends a revocation to the layer that follows.
    pub(crate) async fn tell(&self, revocation: Value) {
        let told = format!("event: revocation\ndata: {revocation}\n\n");
        let stream = locked(&self.state.stream).clone();
        stream.expect("nobody follows").send(told).expect("nobody follows any more");
        heard().await;
    }

    pub(crate) async fn followed(&self) {
        eventually("nobody follows", async || locked(&self.state.stream).is_some()).await;
        heard().await;
    }

    /// Returns how often a token was asked about, and a session opened.
    pub(crate) fn asked(&self) -> (usize, usize) {
        let count = |of: &AtomicUsize| of.load(Ordering::SeqCst);
        (count(&self.state.introspections), count(&self.state.sessions))
    }

    pub(crate) async fn was_asked(&self, times: usize) {
        eventually("the gateway was not asked", async || self.asked().0 >= times).await;
    }

    async fn answer(self, request: Request<Bytes>) -> io::Result<Response<Body>> {
        let path = request.uri().path().to_owned();
        if path != "/api/v1/revocations/stream" && *locked(&self.state.away) {
            self.state.introspections.fetch_add(1, Ordering::SeqCst);
            return Err(io::ErrorKind::ConnectionRefused.into());
        }
        match path.as_str() {
            "/api/v1/agent-tokens/introspect" => {
                self.state.introspections.fetch_add(1, Ordering::SeqCst);
                let body: Value = serde_json::from_slice(request.body())?;
                let token = body["token"].as_str().unwrap_or_default();
                let active =
                    token.starts_with("at_good") && !locked(&self.state.revoked).contains(token);
                let mut open = self.state.open.subscribe();
                open.wait_for(|open| *open).await.map_err(io::Error::other)?;
                match token {
                    "at_refused" => json(400, &json!({ "error": "VALIDATION_ERROR" })),
                    _ if !active => json(200, &json!({ "active": false })),
                    _ => json(200, &json!({ "active": true, "agent_id": "agt_2" })),
                }
            }
            "/api/v1/agenttrust/api-sessions/init" => {
                let count = self.state.sessions.fetch_add(1, Ordering::SeqCst);
                json(200, &json!({ "session_id": format!("ats_{count}"), "agent_id": "agt_2" }))
            }
            "/api/v1/revocations/stream" => {
                let (tell, told) = mpsc::unbounded_channel();
                tell.send("event: ready\ndata: {}\n\n".to_owned()).map_err(io::Error::other)?;
                *locked(&self.state.stream) = Some(tell);
                let frames = stream::unfold(told, |mut told| async {
                    let said: String = told.recv().await?;
                    Some((Ok(Frame::data(Bytes::from(said))), told))
                });
                Ok(Response::new(StreamBody::new(Box::pin(frames)).boxed_unsync()))
            }
            unknown => panic!("the layer asked for {unknown}"),
        }
    }
}

/// Waits long enough for what was sent to arrive: nothing in between takes longer than a thread's
/// turn.
async fn heard() {
    tokio::time::sleep(Duration::from_millis(200)).await;
}

fn locked<T>(of: &Mutex<T>) -> MutexGuard<'_, T> {
    of.lock().expect("no test panics while it holds it")
}

fn json(status: u16, value: &Value) -> io::Result<Response<Body>> {
    let body = Full::from(value.to_string()).map_err(|never| match never {}).boxed_unsync();
    Response::builder().status(status).body(body).map_err(io::Error::other)
}

pub(crate) type Site = BoxCloneSyncService<Request<String>, Response<String>, Infallible>;

pub(crate) fn visited() -> Site {
    Site::new(service_fn(|request: Request<String>| async move {
        let identity = request.extensions().get::<AgentIdentity>().expect("an identity");
        Ok(Response::new(identity.session_id().to_owned()))
    }))
}

/// Returns the status, and the session or the problem.
pub(crate) async fn visit(site: &Site, token: &str) -> (StatusCode, String) {
    let response = site.clone().oneshot(request(token)).await.expect("infallible");
    (response.status(), response.into_body())
}

pub(crate) fn request(token: &str) -> Request<String> {
    Request::get("/")
        .header("authorization", format!("Bearer {token}"))
        .body(String::new())
        .expect("a request")
}
