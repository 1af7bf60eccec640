//! A stream of events on its way from the server to the caller. Events pass one at a time, as fast as the caller reads,
//! and for as long as the caller is allowed to. Dropping it hangs up on the server.

use std::convert::Infallible;
use std::pin::pin;
use std::time::{Duration, Instant};

use agenttrust::background;
use axum::body::Body;
use axum::response::Response;
use bytes::Bytes;
use futures_util::future::{Either, select};
use futures_util::stream;
use http::StatusCode;
use serde_json::Value;

use super::answer::{Expected, Reader, ServerMessage};
use super::answer_shares::{AnswerShares, piece};
use super::own_sessions::InUse;
use super::refusal::Refusal;
use super::report::{Outcome, Report};
use super::resumes::Resumes;
use super::sealed_ids::EVENT_ID_MAX_BYTES;
use super::send::{Answered, Outward, answered, broke_off, failed, send, unread};
use super::subject::Alive;
use super::unanswered::Listened;
use crate::outbound::events::{Event, Events, Piece};
use crate::outbound::{Error, Incoming};
pub(super) use crate::wire::events as events_answer;

/// The time after which it is looked again whether the caller still may.
const TICK: Duration = Duration::from_millis(500);
/// The silence after which the caller hears a comment: a caller that is gone is noticed then.
const BEAT: Duration = Duration::from_secs(15);
/// The longest that one call may take in all.
const CALL_MOST: Duration = Duration::from_secs(3_600);
/// The most bytes that a server may send to a caller that hears its answer alone.
const UNHEARD_MAX_BYTES: usize = 64 << 20;
const COMMENT: &[u8] = b": nothing new\n\n";

/// A stream that is handed on.
#[derive(Debug)]
pub(super) struct Pump {
    pub(super) incoming: Incoming,
    pub(super) reader: Reader,
    pub(super) alive: Alive,
    /// The report of the call, where the stream is of one.
    pub(super) report: Option<Report>,
    pub(super) shares: AnswerShares,
    /// The session of the proxy's own that it is in.
    pub(super) own: Option<InUse>,
    /// The mark that it is the stream which its session listens to.
    pub(super) _listened: Option<Listened>,
    /// The time that the server may be silent.
    pub(super) idle: Duration,
    pub(super) state: State,
}

/// The state of a stream.
#[derive(Debug)]
pub(super) struct State {
    events: Events,
    begun: Instant,
    heard_at: Instant,
    told_at: Instant,
    /// The time when it was last seen that the caller may.
    seen_at: Instant,
    /// The time when calls were last kept whose answers may come here.
    kept_at: Instant,
    /// The number of bytes that came.
    came: usize,
    /// Whether the caller was given an id to go on from.
    goes_on: bool,
    /// The place from which the proxy itself takes the stream up again, for a caller that hears the answer alone.
    resumes: Resumes,
    /// The answer may come on another stream that the caller listens to.
    elsewhere: bool,
    over: bool,
}

impl Default for State {
    fn default() -> Self {
        let now = Instant::now();
        Self {
            events: Events::default(),
            begun: now,
            heard_at: now,
            told_at: now,
            seen_at: now,
            kept_at: now,
            came: 0,
            goes_on: false,
            resumes: Resumes::default(),
            elsewhere: false,
            over: false,
        }
    }
}

/// The next thing that the caller is sent, or the end.
enum Next {
    Event(Event),
    /// The answer; nothing follows it.
    Last(Event),
    Beat,
    Failed(Refusal),
    End,
}

/// The event that ended a wait.
enum Waited {
    Bytes(Bytes),
    Beat,
    /// The Guardian ends.
    Farewell,
    Failed(Refusal),
    BrokeOff,
    End,
}

impl Pump {
    /// Returns the stream as an answer.
    pub(super) fn into_response(mut self) -> Response {
        self.keep_unheard();
        let begun = (Some(self), Bytes::new(), AnswerShares::default());
        events_answer(Body::from_stream(stream::unfold(begun, |(pump, said, shares)| async {
            let (mut pump, mut said, mut shares) = (pump, said, shares);
            loop {
                if let Some(piece) = piece(&mut said) {
                    return Some((Ok::<_, Infallible>(piece), (pump, said, shares)));
                }
                let mut going = pump.take()?;
                said = going.next_bytes().await?;
                match going.state.over {
                    // The server is hung up on with the last word, and not once that was read.
                    true => shares = std::mem::take(&mut going.shares),
                    false => pump = Some(going),
                }
            }
        })))
    }

    /// Returns what is written next; `None` at the end.
    async fn next_bytes(&mut self) -> Option<Bytes> {
        let said = match self.next().await {
            Next::Event(event) => event.write(),
            Next::Beat => Bytes::from_static(COMMENT),
            Next::Last(event) => {
                self.state.over = true;
                event.write()
            }
            Next::Failed(refusal) => {
                self.state.over = true;
                // Who listens for whatever comes has asked nothing that could be answered.
                let id = self.id()?;
                Event::of(refusal.id(Some(&id)).to_json().to_string()).write()
            }
            Next::End => {
                self.state.over = true;
                return None;
            }
        };
        self.state.told_at = Instant::now();
        if self.state.kept_at.elapsed() >= BEAT {
            self.keep_unheard();
        }
        Some(said)
    }

    /// Sees that calls of the session are waited for whose answers may come here.
    fn keep_unheard(&mut self) {
        self.state.kept_at = Instant::now();
        if let (None, Some(session)) = (self.id(), &self.reader.session) {
            self.reader.proxy.unanswered.heard(session);
        }
    }

    /// Returns the answer alone, for a caller that hears nothing else, and what it holds.
    ///
    /// # Errors
    ///
    /// Refuses where none comes.
    pub(super) async fn answer(mut self) -> Result<(String, AnswerShares), Refusal> {
        loop {
            match self.next().await {
                Next::Last(event) => {
                    return Ok((event.data.unwrap_or_default(), std::mem::take(&mut self.shares)));
                }
                Next::Event(_) | Next::Beat => self.state.told_at = Instant::now(),
                Next::Failed(refusal) => return Err(refusal),
                Next::End => return Err(broke_off()),
            }
        }
    }

    fn id(&self) -> Option<Value> {
        match &self.reader.expected {
            Expected::To { id, .. } => Some(id.clone()),
            Expected::Nothing => None,
        }
    }

    fn fail(&mut self, refusal: Refusal, error_type: &'static str) -> Next {
        if let Some(report) = self.report.take() {
            report.finish(Outcome::Failure(error_type));
        }
        Next::Failed(refusal)
    }

    /// Returns whether the caller may go on from an event that it heard, in its session and by another stream.
    fn goes_on(&self) -> bool {
        self.state.goes_on && self.reader.session.is_some()
    }

    /// Returns whether the answer may come on another stream, which the caller listens to at present.
    fn may_be_answered_elsewhere(&self) -> bool {
        let session = self.reader.session.as_ref().filter(|_| self.reader.listens);
        self.report.is_some()
            && session.is_some_and(|it| self.reader.proxy.unanswered.is_listened_to(it))
    }

    /// Goes on from the last event, on a stream of its own, where the server gave that an id and the caller would not
    /// do so itself; returns whether it does.
    async fn resume(&mut self) -> bool {
        let is_over = self.state.begun.elapsed() > CALL_MOST;
        if self.reader.listens || !self.reader.expected.is_call() || is_over {
            return false;
        }
        let own = self.own.as_deref().map(|own| (own.version.as_str(), own.id.as_ref()));
        let session = self.reader.session.as_ref();
        let session = own.or(session.map(|it| (it.version.as_str(), it.upstream.as_ref())));
        let Some((version, Some(id))) = session else { return false };
        let outward = Outward::legacy(version, Some(id.clone()));
        let Some(outward) = self.state.resumes.outward(outward) else { return false };
        let pause = self.state.resumes.pause().min(self.idle);
        let (proxy, server) = (&self.reader.proxy, &self.reader.server);
        let going_on = async {
            background::sleep(pause).await;
            send(proxy, server, outward).await
        };
        let Ok(Ok(incoming)) = while_alive(&self.alive, &proxy.engine, going_on).await else {
            return false;
        };
        let is_stream = incoming.status.is_success()
            && answered(&incoming).is_ok_and(|answered| answered == Answered::Events);
        if is_stream {
            (self.incoming, self.state.events) = (incoming, Events::default());
            // For so long it was silent because it said so.
            self.state.heard_at += pause;
        }
        is_stream
    }

    async fn next(&mut self) -> Next {
        loop {
            match self.state.events.next() {
                Err(why) => return self.fail(unread(why), "NoReply"),
                Ok(Some(Piece::Comment)) => {}
                Ok(Some(Piece::Event(event))) => {
                    if let Some(next) = self.hear(event).await {
                        return next;
                    }
                    if !self.reader.listens && self.state.came > UNHEARD_MAX_BYTES {
                        let refusal =
                            failed(&self.reader.server, &Error::TooLong(UNHEARD_MAX_BYTES));
                        return self.fail(refusal, "NoReply");
                    }
                }
                Ok(None) => match self.wait().await {
                    Waited::Bytes(bytes) => {
                        self.state.heard_at = Instant::now();
                        self.state.came = self.state.came.saturating_add(bytes.len());
                        self.state.events.push(&bytes);
                        if let Err(refusal) = self.shares.fit(self.state.events.held()) {
                            return self.fail(refusal, "NoReply");
                        }
                    }
                    Waited::Beat => return Next::Beat,
                    Waited::Farewell => {
                        let said = self.reader.expected.farewell();
                        return said.map_or(Next::End, |it| Next::Last(Event::of(it.to_string())));
                    }
                    Waited::Failed(refusal) => return self.fail(refusal, "NoReply"),
                    // The server may close a stream and say the rest on the next one.
                    Waited::End | Waited::BrokeOff if self.goes_on() => return Next::End,
                    Waited::End | Waited::BrokeOff if self.resume().await => {}
                    Waited::End if self.may_be_answered_elsewhere() => {
                        self.state.elsewhere = true;
                        return Next::End;
                    }
                    Waited::BrokeOff => return self.fail(broke_off(), "NoReply"),
                    Waited::End if self.id().is_some() && self.report.is_some() => {
                        return self.fail(broke_off(), "NoReply");
                    }
                    Waited::End => return Next::End,
                },
            }
            // What only the server hears of itself does not keep a caller that is gone.
            if self.state.told_at.elapsed() >= BEAT {
                return Next::Beat;
            }
            // A flood would look as often as it says something.
            if self.state.seen_at.elapsed() >= TICK {
                self.state.seen_at = Instant::now();
                if let Some(why) = self.alive.over(&self.reader.proxy.engine) {
                    return self.fail(ended(why), "Ended");
                }
            }
        }
    }

    /// Returns what becomes of one event; `None` where the caller hears nothing of it.
    async fn hear(&mut self, mut event: Event) -> Option<Next> {
        let is_message = event.name.as_deref().is_none_or(|name| name == "message");
        self.state.resumes.observe(&event);
        event.id = event.id.take().and_then(|id| self.sealed(id));
        let has_id = event.id.as_deref().is_some_and(|id| !id.is_empty());
        self.state.goes_on |= has_id && self.reader.listens;
        let data = match event.data.take() {
            Some(data) if !data.is_empty() && is_message => data,
            data => {
                // An id to go on from, or how long to wait before that.
                let empty = Event { name: None, data, ..event };
                let says = self.reader.listens && is_message;
                return says.then_some(Next::Event(empty));
            }
        };
        match self.reader.hear(data).await {
            ServerMessage::Pass(text) => Some(Next::Event(Event { data: Some(text), ..event })),
            ServerMessage::Drop => None,
            ServerMessage::Last(text, outcome) => {
                if let Some(report) = self.report.take() {
                    report.finish(outcome);
                }
                Some(Next::Last(Event { data: Some(text), ..event }))
            }
            // Nothing that was asked hangs on it: servers say again what they had to begin a stream with.
            ServerMessage::Broken(what) if self.id().is_none() => {
                tracing::debug!(server = self.reader.server.row.id, what, "an event is left out");
                None
            }
            ServerMessage::Broken(what) => {
                let refusal = Refusal::upstream(format!("the MCP server {what}"));
                Some(self.fail(refusal, "NoReply"))
            }
        }
    }

    /// Returns the id of an event as its caller may go on from it; `None` where no caller could.
    fn sealed(&self, id: String) -> Option<String> {
        match id.len() {
            0 => Some(id),
            1..=EVENT_ID_MAX_BYTES => {
                let sealed_ids = self.reader.sealed_ids();
                sealed_ids.seal_event(self.reader.session.as_ref(), &id).ok()
            }
            _ => None,
        }
    }

    /// Waits for more of the stream.
    async fn wait(&mut self) -> Waited {
        let Self { incoming, reader, alive, idle, state, .. } = self;
        let Some(left) = idle.checked_sub(state.heard_at.elapsed()) else { return silent() };
        let is_call = reader.expected.is_call();
        let mut chunk = pin!(incoming.chunk(left));
        loop {
            // Calls under way have the time that the Guardian takes to stop; what is listened to has no end.
            if !is_call && *reader.proxy.engine.closing().borrow() {
                return Waited::Farewell;
            }
            if let Some(why) = alive.over(&reader.proxy.engine) {
                return Waited::Failed(ended(why));
            }
            if is_call && state.begun.elapsed() > CALL_MOST {
                return silent();
            }
            if state.told_at.elapsed() >= BEAT {
                return Waited::Beat;
            }
            let tick = pin!(background::sleep(TICK));
            match select(chunk.as_mut(), tick).await {
                Either::Left((Ok(Some(bytes)), _)) => return Waited::Bytes(bytes),
                Either::Left((Ok(None), _)) => return Waited::End,
                Either::Left((Err(Error::NoAnswer(why)), _)) => {
                    tracing::warn!(server = reader.server.row.id, why, "an MCP server broke off");
                    return Waited::BrokeOff;
                }
                Either::Left((Err(error), _)) => {
                    return Waited::Failed(failed(&reader.server, &error));
                }
                Either::Right(_) => {}
            }
        }
    }
}

impl Drop for Pump {
    fn drop(&mut self) {
        let may_come = self.goes_on() || self.state.elsewhere;
        let Some(report) = self.report.take().filter(|_| may_come) else { return };
        if let (Some(session), Some(id)) = (&self.reader.session, self.id()) {
            self.reader.proxy.keep_unheard(session, &id, report);
        }
    }
}

fn silent() -> Waited {
    Waited::Failed(broke_off().status(StatusCode::GATEWAY_TIMEOUT))
}

/// Returns a call that goes on no longer because its caller may not, or its server is gone.
pub(super) fn ended(why: &'static str) -> Refusal {
    Refusal::upstream(why).status(StatusCode::SERVICE_UNAVAILABLE)
}

/// Waits for `work`, for as long as the caller may.
///
/// # Errors
///
/// Says why the caller may not any more.
pub(super) async fn while_alive<T>(
    alive: &Alive,
    engine: &crate::engine::Engine,
    work: impl Future<Output = T>,
) -> Result<T, Refusal> {
    let mut work = pin!(work);
    loop {
        let tick = pin!(background::sleep(TICK));
        if let Either::Left((done, _)) = select(work.as_mut(), tick).await {
            return Ok(done);
        }
        if let Some(why) = alive.over(engine) {
            return Err(ended(why));
        }
    }
}
