//! A receiver of events by HTTP.

use std::collections::{BTreeMap, VecDeque};
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard};

use rustls::ServerConfig;
use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::TakenEvent;
use super::rules::{ReceiverRules, Reply};
use super::server::{Listener, Wire};

/// The vendor whose format a receiver takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Vendor {
    /// Splunk's HTTP Event Collector.
    Splunk,
    /// Datadog's logs, version 2.
    Datadog,
    /// Elastic's bulk requests.
    Elastic,
    /// Standard Webhooks.
    Webhook,
}

/// The answer of a receiver to a request that is as documented.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Mood {
    /// Takes it.
    Take,
    /// Takes nothing and answers this, with this `Retry-After`.
    Answer(u16, Option<String>),
    /// Takes nothing and says nothing.
    Stall,
    /// Takes nothing and resets the connection.
    Reset,
    /// Takes it and resets the connection before it answers.
    TakeAndReset,
    /// Refuses this event with 400: Elastic alone, the others with all that it came with.
    RefuseEvent(String),
    /// Elastic: answers 429 for this event, and takes the others.
    Busy(String),
}

/// A request that came.
#[derive(Clone, Debug)]
pub struct Request {
    /// The request's method.
    pub method: String,
    /// The request's path, with its query.
    pub path: String,
    /// The request's headers, by their names in lower case.
    pub headers: BTreeMap<String, String>,
    /// The request's body.
    pub body: String,
    /// The status of the answer; 0 for none.
    pub answered: u16,
}

#[derive(Debug)]
pub(super) struct State {
    pub(super) known: ReceiverRules,
    standing: Mood,
    next: VecDeque<Mood>,
    pub(super) taken: Vec<TakenEvent>,
    requests: Vec<Request>,
    wrong: Vec<String>,
}

/// A receiver of events by HTTP on a free port.
#[derive(Debug)]
pub struct HttpReceiver {
    state: Arc<Mutex<State>>,
    listener: Listener,
}

impl HttpReceiver {
    /// Takes the events of who has this token; for a webhook, who signs by this secret.
    pub fn start(vendor: Vendor, token: &str) -> Self {
        Self::begin(vendor, token, None)
    }

    /// Returns the same over TLS.
    pub fn start_tls(vendor: Vendor, token: &str, tls: Arc<ServerConfig>) -> Self {
        Self::begin(vendor, token, Some(tls))
    }

    fn begin(vendor: Vendor, token: &str, tls: Option<Arc<ServerConfig>>) -> Self {
        let state = State {
            known: ReceiverRules {
                vendor,
                token: token.to_owned(),
                acknowledges_after: None,
                asked: BTreeMap::new(),
            },
            standing: Mood::Take,
            next: VecDeque::new(),
            taken: Vec::new(),
            requests: Vec::new(),
            wrong: Vec::new(),
        };
        let state = Arc::new(Mutex::new(state));
        let listener = Listener::start(tls, &state, serve);
        Self { state, listener }
    }

    /// Makes Splunk acknowledge events, after it was asked so many times; with `u32::MAX`, never.
    #[must_use]
    pub fn acknowledging(self, after: u32) -> Self {
        self.state().known.acknowledges_after = Some(after);
        self
    }

    /// Closes every connection and lets none in.
    pub fn stop(&mut self) {
        self.listener.stop();
    }

    /// Listens again at the address that it had. What it took is still there.
    pub fn restart(&mut self) {
        self.listener.restart(&self.state, serve);
    }

    /// Returns its address.
    pub fn address(&self) -> SocketAddr {
        self.listener.address()
    }

    /// Returns the URL that an operator gives for it.
    pub fn url(&self) -> String {
        let origin = match self.listener.tls {
            Some(_) => format!("https://localhost:{}", self.address().port()),
            None => format!("http://{}", self.address()),
        };
        match self.state().known.vendor {
            Vendor::Splunk => format!("{origin}/services/collector"),
            Vendor::Datadog => format!("{origin}/api/v2/logs"),
            Vendor::Elastic => format!("{origin}/events"),
            Vendor::Webhook => format!("{origin}/hooks"),
        }
    }

    /// Returns whether it takes the format of this vendor.
    pub fn is_of(&self, vendor: Vendor) -> bool {
        self.state().known.vendor == vendor
    }

    /// Changes what it does from here on.
    pub fn mood(&self, mood: Mood) {
        self.state().standing = mood;
    }

    /// Sets the answer to the next request, after those that were set before.
    pub fn next(&self, mood: Mood) {
        self.state().next.push_back(mood);
    }

    /// Takes everything from here on, whatever was said before.
    pub fn calm(&self) {
        let mut state = self.state();
        state.standing = Mood::Take;
        state.next.clear();
    }

    /// Returns what it took, in its order; one that was sent again is there again, but with Elastic.
    pub fn taken(&self) -> Vec<TakenEvent> {
        self.state().taken.clone()
    }

    /// Returns the ids of what it took, in its order.
    pub fn ids(&self) -> Vec<String> {
        self.state().taken.iter().map(|event| event.id.clone()).collect()
    }

    /// Returns every request that came.
    pub fn requests(&self) -> Vec<Request> {
        self.state().requests.clone()
    }

    /// Returns what was not as the vendor documents it. Wrong tokens do not count.
    pub fn wrong(&self) -> Vec<String> {
        self.state().wrong.clone()
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap()
    }
}

/// The next step with a connection after a request.
enum Then {
    Answer(Reply),
    Stall,
    Reset,
}

impl State {
    fn receive(&mut self, mut request: Request) -> Then {
        let came_by = self.requests.len();
        let mood = match self.known.is_of_acknowledgements(&request) {
            true => Mood::Take,
            false => self.next.pop_front().unwrap_or_else(|| self.standing.clone()),
        };
        let then = match self.known.read(&request) {
            Err(refused) => {
                if !matches!(refused.reply.status, 401 | 403) {
                    self.wrong.push(refused.why);
                }
                Then::Answer(refused.reply)
            }
            Ok(events) => self.act(mood, events, &request, came_by),
        };
        if let Then::Answer(reply) = &then {
            request.answered = reply.status;
        }
        self.requests.push(request);
        then
    }

    fn act(
        &mut self,
        mood: Mood,
        events: Vec<(String, Value)>,
        request: &Request,
        came_by: usize,
    ) -> Then {
        match mood {
            Mood::Answer(status, retry_after) => {
                Then::Answer(Reply { status, retry_after, body: String::new() })
            }
            Mood::Stall => Then::Stall,
            Mood::Reset => Then::Reset,
            Mood::RefuseEvent(id)
                if self.known.vendor != Vendor::Elastic
                    && events.iter().any(|(event, _)| *event == id) =>
            {
                Then::Answer(self.known.refuses())
            }
            mood => {
                let odd = match &mood {
                    Mood::RefuseEvent(id) => Some((id.as_str(), 400)),
                    Mood::Busy(id) => Some((id.as_str(), 429)),
                    _ => None,
                };
                let mut there = |id: &str| self.taken.iter().any(|event| event.id == id);
                let (reply, kept) = self.known.takes(request, &events, odd, &mut there);
                let kept = events.into_iter().zip(kept).filter(|(_, kept)| *kept);
                let kept = kept.map(|((id, json), _)| TakenEvent { id, json, came_by });
                self.taken.extend(kept);
                if mood == Mood::TakeAndReset { Then::Reset } else { Then::Answer(reply) }
            }
        }
    }
}

async fn serve(mut wire: Box<dyn Wire>, state: Arc<Mutex<State>>) {
    let mut read = Vec::new();
    while let Some(request) = receive(&mut wire, &mut read).await {
        let then = state.lock().unwrap().receive(request);
        match then {
            Then::Answer(reply) => {
                if wire.write_all(reply.text().as_bytes()).await.is_err() {
                    return;
                }
                let _ = wire.flush().await;
            }
            Then::Stall => std::future::pending().await,
            Then::Reset => {
                let _ = wire.socket().set_zero_linger();
                return;
            }
        }
    }
}

/// Returns the next request; `None` at the end of the connection.
async fn receive(wire: &mut Box<dyn Wire>, read: &mut Vec<u8>) -> Option<Request> {
    let end = loop {
        if let Some(at) = read.windows(4).position(|four| four == b"\r\n\r\n") {
            break at;
        }
        more(wire, read).await?;
    };
    let head = String::from_utf8(read[..end].to_vec()).unwrap();
    let mut lines = head.lines();
    let mut first = lines.next()?.split(' ').map(str::to_owned);
    let (method, path) = (first.next()?, first.next()?);
    let headers: BTreeMap<_, _> = lines
        .filter_map(|line| line.split_once(": "))
        .map(|(name, value)| (name.to_lowercase(), value.to_owned()))
        .collect();
    let length: usize = headers.get("content-length").map_or(0, |text| text.parse().unwrap());
    let (from, to) = (end + 4, end + 4 + length);
    while read.len() < to {
        more(wire, read).await?;
    }
    let body = String::from_utf8(read[from..to].to_vec()).unwrap();
    read.drain(..to);
    Some(Request { method, path, headers, body, answered: 0 })
}

async fn more(wire: &mut Box<dyn Wire>, read: &mut Vec<u8>) -> Option<()> {
    let mut piece = [0; 16 << 10];
    let count = wire.read(&mut piece).await.ok().filter(|count| *count > 0)?;
    read.extend_from_slice(&piece[..count]);
    Some(())
}
