//! [`CountingGuardian`]: a Guardian whose listener counts the requests for each path.

use std::collections::HashMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use agenttrust::{Agent, AgentTrustClient, IssueTokenRequest, Token};
use agenttrust_guardian::{Guardian, Role};
use agenttrust_tests::admin::Admin;
use agenttrust_tests::socket::Socket;
use agenttrust_tests::test_guardian::bot;
use anyhow::Result;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::Response;
use http_body_util::BodyExt;

const ADMIN_KEY: &str = "sk_live_admin_counted";

/// A Guardian on a socket that counts its requests.
pub(crate) struct CountingGuardian {
    guardian: Guardian,
    socket: Option<Socket>,
    url: String,
    seen: Seen,
}

/// The number of times that each path was asked for.
#[derive(Clone, Default)]
struct Seen {
    times: Arc<Mutex<HashMap<String, usize>>>,
    open: Arc<AtomicUsize>,
}

const STREAM: &str = "/api/v1/revocations/stream";

impl CountingGuardian {
    pub(crate) fn open() -> Result<Self> {
        let guardian = Guardian::builder().admin_key(ADMIN_KEY).build_blocking()?;
        let seen = Seen::default();
        let counted = guardian.router().layer(from_fn_with_state(seen.clone(), count));
        let socket = Socket::serve(counted)?;
        Ok(Self { guardian, url: socket.url(), socket: Some(socket), seen })
    }

    /// Closes the socket: from now on no Guardian answers there.
    pub(crate) fn shut(&mut self) {
        self.socket = None;
    }

    pub(crate) fn admin(&self) -> Admin {
        Admin::inside(self.guardian.router(), ADMIN_KEY)
    }

    /// Returns an admin's client, which is not counted.
    pub(crate) fn client(&self) -> Result<AgentTrustClient> {
        Ok(self.guardian.client_with_key(ADMIN_KEY)?)
    }

    /// Returns a client over the socket, with this key.
    pub(crate) fn client_with_key(&self, key: &str) -> Result<AgentTrustClient> {
        Ok(AgentTrustClient::builder().base_url(&self.url).api_key(key).build()?)
    }

    /// Returns a client over the socket, with a gateway's key.
    pub(crate) async fn gateway(&self) -> Result<AgentTrustClient> {
        self.client_with_key(&self.admin().create_key(Role::Gateway, &[]).await?)
    }

    pub(crate) async fn agent(&self, capabilities: &[&str]) -> Result<Agent> {
        Ok(self.client()?.agents().create(&bot(capabilities)).await?)
    }

    pub(crate) async fn token(
        &self,
        agent: &Agent,
        scopes: &[&str],
        audience: &[&str],
        ttl: u64,
    ) -> Result<Token> {
        let owned = |names: &[&str]| names.iter().map(ToString::to_string).collect();
        Ok(self
            .client()?
            .tokens()
            .issue(&IssueTokenRequest {
                agent_id: agent.id.clone(),
                scope: owned(scopes),
                audience: owned(audience),
                ttl,
            })
            .await?)
    }

    /// Returns how often tokens were looked into, and sessions made from them.
    pub(crate) fn asked(&self) -> (usize, usize) {
        let looked = self.seen.times("/api/v1/agent-tokens/introspect");
        (looked, self.seen.times("/api/v1/agenttrust/api-sessions/init"))
    }

    /// Returns how often revocations were asked for.
    pub(crate) fn streams(&self) -> usize {
        self.seen.times(STREAM)
    }

    /// Returns how many answers of the Guardian are still being read.
    pub(crate) fn read_now(&self) -> usize {
        self.seen.open.load(Ordering::SeqCst)
    }
}

impl Seen {
    fn times(&self, path: &str) -> usize {
        let times = self.times.lock().unwrap_or_else(PoisonError::into_inner);
        times.get(path).copied().unwrap_or_default()
    }
}

async fn count(State(seen): State<Seen>, request: Request, next: Next) -> Response {
    let path = request.uri().path().to_owned();
    *seen.times.lock().unwrap_or_else(PoisonError::into_inner).entry(path).or_default() += 1;
    let reading = Reading::begin(&seen);
    next.run(request).await.map(|body| {
        Body::new(body.map_frame(move |frame| {
            let _reading = &reading;
            frame
        }))
    })
}

/// An answer that is being read.
struct Reading(Arc<AtomicUsize>);

impl Reading {
    fn begin(seen: &Seen) -> Self {
        seen.open.fetch_add(1, Ordering::SeqCst);
        Self(Arc::clone(&seen.open))
    }
}

impl Drop for Reading {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::SeqCst);
    }
}
