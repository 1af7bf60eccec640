//! What passes between the client and the server, and what does not.

use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::time::Duration;

use agenttrust_tower::internal::mcp::{
    Call, INTERNAL_ERROR, INVALID_REQUEST, JsonRpc, Kind, Rejection, Scope, is_modern,
    is_notification, is_request,
};
use serde_json::{Map, Value};
use tokio::sync::{Semaphore, watch};
use tokio::task::JoinSet;

use super::guardian::GuardianClient;
use super::lines::{Gone, LINE_MAX_BYTES, Line, Out};
use super::pending::{PendingRequests, Refused, Waiting};
use super::tools::Tools;

/// The number of values that a message may hold, as over HTTP.
pub(super) const VALUES_MOST: usize = LINE_MAX_BYTES / 16;
/// The size of the calls that may be asked about at a time, in KiB.
const CHECKED_MOST: u32 = 64 << 10;
/// JSON-RPC: there is no such method.
const METHOD_NOT_FOUND: i32 = -32601;
/// The begin of members of results that only requests of 2026-07-28 have.
const OF_MODERN: &str = "io.modelcontextprotocol/";

const TOOLS_LIST: &str = "tools/list";
pub(super) const TOOLS_CHANGED: &str = "notifications/tools/list_changed";
const CANCELLED: &str = "notifications/cancelled";

/// The two sides and what is known of them.
pub(super) struct Relay {
    pub(super) server: String,
    pub(super) asked: GuardianClient,
    pub(super) hold: Option<Duration>,
    pub(super) to_client: Out,
    pub(super) to_server: Out,
    pub(super) pending: PendingRequests,
    pub(super) tools: Tools,
    /// The lock under which one task at a time asks the server for its tools.
    pub(super) listing: tokio::sync::Mutex<()>,
    pub(super) room: Arc<Semaphore>,
    /// Whether nothing waits for an approval any more.
    pub(super) ending: watch::Sender<bool>,
    /// The number of times that the server wrote what is no message.
    pub(super) noise: AtomicU64,
    /// The number of times that it answered what was not asked.
    pub(super) strays: AtomicU64,
}

/// The parts of a call that are not part of its input.
pub(super) struct About {
    /// Whether it is of 2026-07-28 or later.
    pub(super) modern: bool,
    /// The token by which the client knows progress.
    pub(super) token: Option<Value>,
    /// The members that each request of that era has about its client.
    pub(super) meta: Map<String, Value>,
}

impl About {
    fn of(message: &JsonRpc) -> Self {
        let meta = message.params().and_then(|params| params.get("_meta")?.as_object());
        let token = meta.and_then(|meta| meta.get("progressToken"));
        let token = token.filter(|token| token.is_string() || token.is_i64() || token.is_u64());
        let of_modern = meta.into_iter().flatten().filter(|(name, _)| name.starts_with(OF_MODERN));
        Self {
            modern: message.version().is_some_and(is_modern),
            token: token.cloned(),
            meta: of_modern.map(|(name, value)| (name.clone(), value.clone())).collect(),
        }
    }
}

/// The reason why no line of the server passes any more.
#[derive(Debug)]
pub(super) enum Stop {
    /// The server sent what cannot be looked at.
    Unreadable,
    /// The client takes no more lines.
    ClientGone,
}

impl From<Gone> for Stop {
    fn from(_: Gone) -> Self {
        Self::ClientGone
    }
}

impl Relay {
    pub(super) fn new(
        (server, tools): (String, Tools),
        asked: GuardianClient,
        hold: Option<Duration>,
        (to_client, to_server): (Out, Out),
    ) -> Self {
        Self {
            tools,
            server,
            asked,
            hold,
            to_client,
            to_server,
            pending: PendingRequests::new(),
            listing: tokio::sync::Mutex::default(),
            room: Arc::new(Semaphore::new(CHECKED_MOST as usize)),
            ending: watch::Sender::new(false),
            noise: AtomicU64::new(0),
            strays: AtomicU64::new(0),
        }
    }

    /// Takes a line of the client; `calls` are those that are being asked about.
    pub(super) async fn from_client(
        self: &Arc<Self>,
        line: Line,
        calls: &mut JoinSet<()>,
    ) -> Result<(), Gone> {
        let Line::Text(text) = line else {
            let message = format!("a message is at most {LINE_MAX_BYTES} bytes long");
            return self.refuse(Rejection::new(INVALID_REQUEST, message)).await;
        };
        if text.trim_ascii().is_empty() {
            return Ok(());
        }
        let mut message = match JsonRpc::read(&text, VALUES_MOST) {
            Ok(message) => message,
            Err(rejection) => return self.refuse(rejection).await,
        };
        message.keep_meta(&[]);
        let anew = match message.write() {
            Ok(anew) => anew,
            Err(rejection) => return self.refuse(rejection).await,
        };
        let (method, id) = (message.method(), message.id());
        match (method, id) {
            (Some(method), Some(id)) if !is_request(method, None) => {
                let message = "agenttrust does not know the method in MCP; it was not handed on";
                let rejection = Rejection::new(METHOD_NOT_FOUND, message);
                self.refuse(rejection.id(id.clone())).await
            }
            (Some(method), Some(id)) => {
                let (method, id) = (method.to_owned(), id.clone());
                self.request(message, anew, (&method, id), calls).await
            }
            (Some(CANCELLED), None) => self.cancelled(&message, anew).await,
            (Some(method), None) if !is_notification(method, None) => {
                tracing::warn!(method, "a notification that MCP does not have is not handed on");
                Ok(())
            }
            _ => self.to_server.write(anew).await,
        }
    }

    async fn request(
        self: &Arc<Self>,
        message: JsonRpc,
        anew: Vec<u8>,
        (method, id): (&str, Value),
        calls: &mut JoinSet<()>,
    ) -> Result<(), Gone> {
        let about = About::of(&message);
        let first = message.params().is_none_or(|params| !params.contains_key("cursor"));
        let call = match Call::of(message, Scope::ALL) {
            Ok(call) => call,
            Err(rejection) => return self.refuse(rejection).await,
        };
        let Some(call) = call else {
            let waiting = match method {
                TOOLS_LIST => {
                    self.asked.look().await;
                    Waiting::Listing { first }
                }
                _ => Waiting::Passing,
            };
            return match self.pending.begin(&id, waiting) {
                Ok(()) => self.to_server.write(anew).await,
                Err(refused) => self.refuse(cannot_wait(refused).id(id)).await,
            };
        };
        let kib = u32::try_from(anew.len() / 1024 + 1).unwrap_or(CHECKED_MOST);
        let Ok(room) = Arc::clone(&self.room).try_acquire_many_owned(kib) else {
            return self.refuse(cannot_wait(Refused::TooMany).id(id)).await;
        };
        let ticket = match self.pending.check(&id) {
            Ok(ticket) => ticket,
            Err(refused) => return self.refuse(cannot_wait(refused).id(id)).await,
        };
        let relay = Arc::clone(self);
        calls.spawn(async move {
            relay.call(call, about, anew, ticket).await;
            drop(room);
        });
        Ok(())
    }

    /// Ends the request that a cancellation names, and notifies the server where it was asked.
    async fn cancelled(&self, message: &JsonRpc, anew: Vec<u8>) -> Result<(), Gone> {
        let id = message.params().and_then(|params| params.get("requestId"));
        match id.map(|id| self.pending.cancel(id)) {
            // Nothing was sent yet, and the one that asks leaves off.
            Some(Some(Waiting::Checking(_))) => Ok(()),
            // A permit that is dropped reports its call as cancelled.
            _ => self.to_server.write(anew).await,
        }
    }

    /// Tells the client why a message went no further.
    pub(super) async fn refuse(&self, rejection: Rejection) -> Result<(), Gone> {
        self.tell(&rejection.into_message()).await
    }

    /// Tells the client something that is not the server's.
    pub(super) async fn tell(&self, message: &Value) -> Result<(), Gone> {
        self.to_client.write(message.to_string().into_bytes()).await
    }

    /// Begins to shut the relay down: calls that wait for an approval end now.
    pub(super) fn begin_shutdown(&self) {
        self.ending.send_replace(true);
    }

    /// Tells of everything that waits that no answer comes.
    pub(super) async fn end(&self) {
        for id in self.pending.end() {
            let rejection =
                Rejection::new(INTERNAL_ERROR, "the MCP server ended without an answer");
            if self.refuse(rejection.id(id)).await.is_err() {
                return;
            }
        }
    }
}

fn cannot_wait(refused: Refused) -> Rejection {
    match refused {
        Refused::SameId => {
            Rejection::new(INVALID_REQUEST, "another request with this id waits; give each its own")
        }
        Refused::TooMany => Rejection::new(
            INTERNAL_ERROR,
            "too many requests wait for an answer; send it again once some are answered",
        ),
    }
}

/// Returns whether a denial of it is a result that the model reads.
pub(super) fn is_read_by_a_model(call: &Call) -> bool {
    call.kind == Kind::Tool && !call.as_task
}
