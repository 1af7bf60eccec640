//! A message on its way to the server, and its answer on the way back.

use std::sync::Arc;

use axum::response::Response;
use http::StatusCode;
use serde_json::{Value, json};

use super::answer::{Expected, LISTEN, Reader, ServerMessage};
use super::answer_shares::{AnswerShares, ByteShare};
use super::era::{Era, MODERN, Manner};
use super::own_sessions::{InUse, OwnSession};
use super::pump::{Pump, State, while_alive};
use super::refusal::{Refusal, json_answer};
use super::report::{Outcome, Report};
use super::send::{self, ANSWER_MAX_BYTES, Answered, Outward, QUIET_MOST, answered};
use super::trace;
use super::turn::Turn;
use super::upstream::{add_meta, next_id, unreadable};
use crate::outbound::{self, Incoming};

impl Turn {
    /// Hands a request on, and its answer back as it comes.
    ///
    /// # Errors
    ///
    /// Refuses where the server does not answer as it must.
    pub(super) async fn forward(
        mut self,
        era: Era,
        report: Option<Report>,
    ) -> Result<Response, Refusal> {
        let alive = self.alive();
        let engine = Arc::clone(&self.proxy.engine);
        // Callers that know nothing of MCP share a session, and each may begin to count with 1.
        self.sent = (self.manner == Manner::Plain).then(|| next_id().into());
        let mut report = report;
        let sent = while_alive(&alive, &engine, self.send(era)).await.and_then(|sent| sent);
        let (incoming, own) = match sent {
            Ok(sent) => sent,
            Err(refusal) => return Err(failed(&mut report, refusal)),
        };
        let in_session = self.session.as_ref().is_some_and(|session| session.upstream.is_some());
        if !incoming.status.is_success() {
            let unsuccessful =
                send::unsuccessful(&self.proxy, &self.server, incoming, in_session).await;
            let (status, message) = unsuccessful.map_err(|refusal| failed(&mut report, refusal))?;
            finish(&mut report, Outcome::Failure("JsonRpcError"));
            return Ok(json_answer(status, self.with_own_id(message)));
        }
        match answered(&incoming).map_err(|refusal| failed(&mut report, refusal))? {
            Answered::Nothing => {
                let refusal = Refusal::upstream("the MCP server gave no answer to a question");
                Err(failed(&mut report, refusal))
            }
            Answered::Json => {
                let whole = self.plain(era, incoming);
                let whole = while_alive(&alive, &engine, whole).await.and_then(|whole| whole);
                let (text, outcome, byte_share) =
                    whole.map_err(|refusal| failed(&mut report, refusal))?;
                finish(&mut report, outcome);
                let shares = AnswerShares::new(byte_share, self.place.clone(), None);
                Ok(json_answer(StatusCode::OK, String::new()).map(|_| shares.body(text)))
            }
            Answered::Events => self.events(era, (incoming, own), report).await,
        }
    }

    /// Sends it in the era, in a session of the proxy's own where the caller has none.
    async fn send(&self, era: Era) -> Result<(Incoming, Option<InUse>), Refusal> {
        if self.manner != Manner::Plain || era == Era::Modern {
            let outward = self.outward(Some(era))?;
            let incoming = send::send(&self.proxy, &self.server, outward).await?;
            return Ok((incoming, None));
        }
        let in_own = |own: &OwnSession| self.in_own(own);
        let (sessions, agent_id) = (&self.proxy.sessions, &self.subject.agent_id);
        let (incoming, own) = sessions.send(&self.proxy, &self.server, agent_id, in_own).await?;
        Ok((incoming, Some(own)))
    }

    /// Returns the message as it goes to the server: what was read of it, and nothing else.
    pub(super) fn outward(&self, era: Option<Era>) -> Result<Outward, Refusal> {
        let message = &self.message;
        let method = message.method();
        let mut outward = match (&self.manner, era) {
            (Manner::Modern(version), _) => Outward::modern(version, method.unwrap_or_default()),
            (Manner::Plain, Some(Era::Modern)) => {
                let newest = MODERN.first().copied().unwrap_or_default();
                Outward::modern(newest, method.unwrap_or_default())
            }
            _ => {
                let session = self.session.as_ref();
                let upstream = session.and_then(|session| session.upstream.clone());
                match self.version()? {
                    Some(version) => Outward::legacy(version, upstream),
                    None => Outward::initialize(),
                }
            }
        };
        let is_modern = matches!(self.manner, Manner::Modern(_)) || era == Some(Era::Modern);
        if is_modern {
            self.add_params(&mut outward);
            if let Some(name) = about(message) {
                outward.about(name);
            }
        }
        outward.headers.extend(trace::headers(message, &self.headers));
        Ok(outward.body(self.written(era)?))
    }

    /// Returns the message as it is sent. Where the proxy speaks for a caller that knows nothing of MCP, it has an id
    /// of the proxy's, and `_meta` says so.
    fn written(&self, era: Option<Era>) -> Result<Vec<u8>, Refusal> {
        let Some(sent) = &self.sent else { return Ok(self.message.write()?) };
        let mut message = self.message.clone();
        message.set_id(sent.clone());
        let meta = message.params_mut().and_then(|params| params.get_mut("_meta"));
        if let Some(token) = meta.and_then(|meta| meta.get_mut("progressToken")) {
            *token = sent.clone();
        }
        if era != Some(Era::Modern) {
            return Ok(message.write()?);
        }
        let mut members = message.into_members();
        let params = members.entry("params").or_insert_with(|| Value::Object(Default::default()));
        let newest = MODERN.first().copied().unwrap_or_default();
        add_meta(params.as_object_mut().ok_or_else(unreadable)?, newest, json!({}));
        serde_json::to_vec(&members).map_err(|_| unreadable())
    }

    fn in_own(&self, own: &OwnSession) -> Result<Outward, Refusal> {
        let mut outward = Outward::legacy(&own.version, own.id.clone());
        outward.headers.extend(trace::headers(&self.message, &self.headers));
        Ok(outward.body(self.written(None)?))
    }

    /// Adds the arguments that are repeated in headers, as the body has them.
    fn add_params(&self, outward: &mut Outward) {
        let arguments =
            self.message.params().and_then(|params| params.get("arguments")?.as_object());
        let repeated = self.params.iter().flat_map(|params| params.repeated(arguments));
        for (header, value) in repeated {
            match value {
                Value::String(text) => outward.says(header.clone(), text),
                other => outward.says(header.clone(), &other.to_string()),
            }
        }
    }

    fn reader(&self, era: Era, listens: bool) -> Reader {
        let message = &self.message;
        let id = message.id().cloned().unwrap_or_default();
        let sent = self.sent.clone().unwrap_or_else(|| id.clone());
        let method = message.method().unwrap_or_default().to_owned();
        let expected = Expected::To { id, sent, method };
        let (proxy, server) = (Arc::clone(&self.proxy), Arc::clone(&self.server));
        let session = self.session.clone().filter(|session| session.upstream.is_some());
        Reader { proxy, server, subject: self.subject.clone(), era, listens, expected, session }
    }

    /// Returns an answer that is one message, and the share that it takes.
    async fn plain(
        &self,
        era: Era,
        mut incoming: Incoming,
    ) -> Result<(String, Outcome, ByteShare), Refusal> {
        let timeout = self.proxy.engine.settings.mcp.timeout;
        let mut byte_share = ByteShare::new(&self.proxy, &self.subject.counted)?;
        let read = async {
            let mut whole = Vec::new();
            let told = |error| send::failed(&self.server, &error);
            while let Some(piece) = incoming.chunk(timeout).await.map_err(told)? {
                let length = whole.len() + piece.len();
                if length > ANSWER_MAX_BYTES {
                    return Err(told(outbound::Error::TooLong(ANSWER_MAX_BYTES)));
                }
                byte_share.fit(length)?;
                whole.extend_from_slice(&piece);
            }
            Ok(whole)
        };
        let whole = agenttrust::background::timeout(timeout, read).await;
        let whole = whole.unwrap_or_else(|_| Err(send::broke_off()))?;
        let text = String::from_utf8(whole).map_err(|_| unreadable())?;
        match self.reader(era, false).hear(text).await {
            ServerMessage::Last(text, outcome) => Ok((text, outcome, byte_share)),
            ServerMessage::Broken(what) => Err(Refusal::upstream(format!("the MCP server {what}"))),
            ServerMessage::Pass(_) | ServerMessage::Drop => {
                Err(Refusal::upstream("the MCP server answered with a question"))
            }
        }
    }

    /// Returns an answer that is a stream.
    async fn events(
        self,
        era: Era,
        (incoming, own): (Incoming, Option<InUse>),
        report: Option<Report>,
    ) -> Result<Response, Refusal> {
        let listens = self.reads_events();
        let settings = &self.proxy.engine.settings;
        let (idle, place, stream) = match self.message.method() {
            Some(LISTEN) => {
                let streams = &self.proxy.engine.limits.mcp_streams;
                let stream = streams.take(&self.subject.counted, 1);
                let stream = stream.map_err(crate::domain::Error::from)?;
                // Not among the requests, of which there is an end.
                (QUIET_MOST, None, Some(stream))
            }
            _ => (settings.mcp.timeout, self.place.clone(), None),
        };
        let byte_share = ByteShare::new(&self.proxy, &self.subject.counted)?;
        let pump = Pump {
            shares: AnswerShares::new(byte_share, place, stream),
            own,
            _listened: None,
            incoming,
            reader: self.reader(era, listens),
            alive: self.alive(),
            report,
            idle,
            state: State::default(),
        };
        match listens {
            true => Ok(pump.into_response()),
            false => {
                let (text, shares) = pump.answer().await?;
                Ok(json_answer(StatusCode::OK, String::new()).map(|_| shares.body(text)))
            }
        }
    }

    /// Returns an error of the server's with the id of the request that it is about.
    fn with_own_id(&self, mut message: Value) -> String {
        if let (Some(members), Some(id)) = (message.as_object_mut(), self.message.id()) {
            members.insert("id".to_owned(), id.clone());
        }
        message.to_string()
    }
}

/// Returns what `Mcp-Name` repeats of a message.
fn about(message: &agenttrust_tower::internal::mcp::JsonRpc) -> Option<&str> {
    if let Some((_, name)) = message.call() {
        return Some(name);
    }
    message.params()?.get("taskId")?.as_str()
}

fn finish(report: &mut Option<Report>, outcome: Outcome) {
    if let Some(report) = report.take() {
        report.finish(outcome);
    }
}

fn failed(report: &mut Option<Report>, refusal: Refusal) -> Refusal {
    finish(report, Outcome::Failure("NoReply"));
    refusal
}
