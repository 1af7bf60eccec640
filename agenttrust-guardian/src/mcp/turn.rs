//! One message of a client: read, told apart, and answered.

use std::sync::Arc;

use agenttrust::guard::digest::commit;
use agenttrust_tower::internal::mcp::{JsonRpc, ParamHeaders, is_notification, is_request};
use axum::body::Body;
use axum::response::{IntoResponse as _, Response};
use bytes::Bytes;
use http::header::ACCEPT;
use http::{HeaderMap, StatusCode};
use serde_json::{Value, json};

use super::era::{Era, LEGACY, Manner, UNSUPPORTED_VERSION, VERSION, known, only};
use super::refusal::Refusal;
use super::sealed_ids::SealedIds;
use super::session::Session;
use super::subject::{Alive, Subject};
use super::upstream::wrong_era;
use super::{Asked, Proxy, extension, guarded, initialize};
use crate::audit::Record;
use crate::domain::limits::Share;
use crate::domain::{Base, Error};
use crate::registry::McpServerEntry;

/// The largest number of values in a message, nested ones counted: each takes many times its text in memory.
const VALUES_MOST: usize = 64 << 10;
const METHOD_NOT_FOUND: i32 = -32601;
const CANCELLED: &str = "notifications/cancelled";

/// A message with all that it came with.
#[derive(Debug)]
pub(super) struct Turn {
    pub(super) proxy: Arc<Proxy>,
    pub(super) server: Arc<McpServerEntry>,
    pub(super) subject: Subject,
    pub(super) base: Base,
    pub(super) headers: HeaderMap,
    /// Its place among the requests, held until it is answered to the end.
    pub(super) place: Option<Arc<Share>>,
    pub(super) message: JsonRpc,
    pub(super) manner: Manner,
    pub(super) session: Option<Session>,
    /// The arguments of the tool that are repeated in headers.
    pub(super) params: Option<ParamHeaders>,
    /// The id by which the server knows it, where that is not the caller's.
    pub(super) sent: Option<Value>,
}

impl Turn {
    /// Reads a message and answers it.
    pub(super) async fn take(proxy: &Arc<Proxy>, asked: Asked, body: Bytes) -> Response {
        let message = match JsonRpc::read(&body, VALUES_MOST) {
            Ok(message) => message,
            Err(rejection) => return Refusal::from(rejection).into_response(),
        };
        drop(body);
        let Asked { server, subject, base, headers, place } = asked;
        let (id, named) = (message.id().cloned(), named(&message));
        let refused = (Arc::clone(proxy), Arc::clone(&server), subject.clone());
        let answered = async {
            // A call that is checked is refused by its check.
            if message.call().is_none() {
                let what = message.method().unwrap_or("an answer");
                proxy.need_session(&server, &subject, what)?;
            }
            let manner = match Manner::of(&headers, &message) {
                Err(refusal) if refusal.code() == UNSUPPORTED_VERSION => {
                    return Err(of_server(proxy, &server, refusal).await);
                }
                manner => manner?,
            };
            let session = match &manner {
                Manner::InSession(sealed) => Some(proxy.open(&server, &subject, sealed)?),
                _ => None,
            };
            let proxy = Arc::clone(proxy);
            let (params, sent) = (None, None);
            let turn = Self {
                proxy,
                server,
                subject,
                base,
                headers,
                place,
                message,
                manner,
                session,
                params,
                sent,
            };
            turn.answered().await
        };
        answered.await.unwrap_or_else(|refusal: Refusal| {
            let (proxy, server, subject) = refused;
            if let Some((method, name)) = named {
                proxy.tell_of_refusal(&server, &subject, (&method, &name), refusal.message());
            }
            refusal.id(id.as_ref()).into_response()
        })
    }

    async fn answered(mut self) -> Result<Response, Refusal> {
        let Some(method) = self.message.method().map(str::to_owned) else {
            return self.reply().await;
        };
        if !self.message.is_request() {
            return self.notification(&method).await;
        }
        if self.manner == Manner::Initialize {
            return initialize::initialize(self).await;
        }
        let era = self.era(&method).await?;
        if !is_request(&method, Some(era)) {
            let status = match self.manner {
                Manner::Modern(_) => StatusCode::NOT_FOUND,
                _ => StatusCode::OK,
            };
            let message =
                format!("the method {method:?} is not known here, so it is not handed on");
            return Err(Refusal::new(status, METHOD_NOT_FOUND, message));
        }
        if era == Era::Modern {
            extension::need_tasks(&self.manner, &self.message)?;
        }
        self.open_request(&method)?;
        self.message.keep_meta(&[]);
        match self.message.call().map(|(kind, name)| (kind, name.to_owned())) {
            Some((kind, name)) => guarded::call(self, era, kind, &name).await,
            None => self.forward(era, None).await,
        }
    }

    /// Returns the era that the message is handed on in: the caller's, which has to be the server's too.
    async fn era(&self, method: &str) -> Result<Era, Refusal> {
        match self.manner {
            Manner::Initialize | Manner::InSession(_) => Ok(Era::Legacy),
            Manner::Modern(version) => {
                let spoken = self.proxy.spoken(&self.server).await?;
                match spoken.modern {
                    Some(_) => Ok(Era::Modern),
                    None => Err(wrong_era(&spoken, Era::Modern, version)),
                }
            }
            // What neither era knows is refused before anyone is asked.
            Manner::Plain if !is_request(method, None) => Ok(Era::Legacy),
            Manner::Plain => match self.proxy.spoken(&self.server).await?.modern {
                Some(_) => Ok(Era::Modern),
                None => Ok(Era::Legacy),
            },
        }
    }

    /// Opens what the request names of what its caller was given.
    fn open_request(&mut self, method: &str) -> Result<(), Refusal> {
        let sealed_ids = SealedIds::of(&self.proxy, &self.server.row.id, &self.subject.agent_id);
        let opened = sealed_ids.open_request(&mut self.message);
        if let Err(refusal) = &opened
            && self.message.call().is_none()
        {
            self.proxy.tell_of_refusal(
                &self.server,
                &self.subject,
                (method, ""),
                refusal.message(),
            );
        }
        opened
    }

    /// Hands on an answer to what the server asked.
    async fn reply(mut self) -> Result<Response, Refusal> {
        match self.manner {
            Manner::InSession(_) => {
                self.record_answer().await?;
                self.hand_on().await
            }
            _ => Err(Refusal::invalid(
                "only in a session is there anything to answer; a client sends no answers otherwise",
            )),
        }
    }

    /// Keeps in the audit that a question was answered: a call that runs may go by the answer, and no check is made of
    /// it. What was answered stays out of it, as inputs do; its digest tells it from another answer.
    ///
    /// # Errors
    ///
    /// Refuses where the audit cannot be written: then nothing is handed on.
    async fn record_answer(&mut self) -> Result<(), Refusal> {
        let engine = &self.proxy.engine;
        let Some(answer) = self.message.result_mut().cloned() else { return Ok(()) };
        let key = engine.mcp_keys.binding_of(&self.server.row.id, "");
        let commitment = commit(&key, &Value::Object(answer));
        let digest = commitment.map_err(|error| Refusal::invalid(error.to_string()))?.digest;
        let body = json!({
            "agent_id": self.subject.agent_id,
            "server_id": self.server.row.id,
            "server": self.server.row.name,
            "session_id": self.subject.session_id,
            "request_id": self.message.id(),
            "digest": digest,
        });
        let record =
            Record::new("mcp.answered", &self.subject.key.org_id).actor(&self.subject.key.id);
        engine.audit.append(record.body(body)).await.map(drop).map_err(|_| {
            Refusal::from(Error::unavailable(
                "the audit log cannot be written, so the answer was not handed on; try again later",
            ))
        })
    }

    /// Hands on what the client tells.
    async fn notification(self, method: &str) -> Result<Response, Refusal> {
        let known = |era| is_notification(method, era);
        let era = match &self.manner {
            // The proxy is the client of the server: what such a caller tells is nobody's.
            Manner::Plain if known(None) => return Ok(accepted()),
            Manner::Initialize | Manner::InSession(_) | Manner::Plain => Era::Legacy,
            Manner::Modern(_) => Era::Modern,
        };
        if !known(Some(era)) {
            let message =
                format!("the notification {method:?} is not known here, so it is not handed on");
            return Err(Refusal::new(StatusCode::BAD_REQUEST, METHOD_NOT_FOUND, message));
        }
        // In the modern era a client closes the answer's stream. To the server all clients are one, whose ids are not
        // told apart.
        if method == CANCELLED && matches!(self.manner, Manner::Modern(_)) {
            return Ok(accepted());
        }
        if let (CANCELLED, Some(session)) = (method, &self.session)
            && let Some(id) = self.message.params().and_then(|params| params.get("requestId"))
        {
            // The server has not heard of a call that waits.
            if self.proxy.open_calls.cancel(session, id) {
                return Ok(accepted());
            }
            self.proxy.unanswered.cancelled(session, id);
        }
        self.hand_on().await
    }

    /// Sends on what is not answered.
    async fn hand_on(mut self) -> Result<Response, Refusal> {
        let sealed_ids = SealedIds::of(&self.proxy, &self.server.row.id, &self.subject.agent_id);
        if let Err(refusal) = sealed_ids.open_told(&mut self.message) {
            let what = self.message.method().unwrap_or("an answer");
            self.proxy.tell_of_refusal(&self.server, &self.subject, (what, ""), refusal.message());
            return Err(refusal);
        }
        let outward = self.outward(None)?;
        let incoming = super::send::send(&self.proxy, &self.server, outward).await?;
        if incoming.status.is_success() {
            return Ok(accepted());
        }
        let in_session = self.session.is_some();
        let (status, message) =
            super::send::unsuccessful(&self.proxy, &self.server, incoming, in_session).await?;
        Ok(super::refusal::json_answer(status, message.to_string()))
    }

    /// Returns whether the caller reads streams of events.
    pub(super) fn reads_events(&self) -> bool {
        let mut accepted = self.headers.get_all(ACCEPT).iter().filter_map(|it| it.to_str().ok());
        self.manner != Manner::Plain
            && accepted.any(|list| {
                let mut types = list.split(',').map(|it| it.split(';').next().unwrap_or_default());
                types.any(|it| it.trim().eq_ignore_ascii_case("text/event-stream"))
            })
    }

    /// Returns by what it goes on.
    pub(super) fn alive(&self) -> Alive {
        Alive { subject: self.subject.clone(), server_id: self.server.row.id.clone() }
    }

    /// Returns the version that the message is of; of one without any, that of the session.
    pub(super) fn version(&self) -> Result<Option<&str>, Refusal> {
        match &self.manner {
            Manner::Modern(version) => Ok(Some(version)),
            Manner::Initialize | Manner::Plain => Ok(None),
            Manner::InSession(_) => {
                let said = only(&self.headers, &VERSION)?;
                let of_session = self.session.as_ref().map(|session| session.version.as_str());
                Ok(said.filter(|said| known(&LEGACY, said).is_some()).or(of_session))
            }
        }
    }
}

/// Returns the same refusal of a version, with those that the server speaks and not all that are known here.
async fn of_server(proxy: &Arc<Proxy>, server: &Arc<McpServerEntry>, refusal: Refusal) -> Refusal {
    match (proxy.spoken(server).await, refusal.datum("requested")) {
        (Ok(spoken), Some(requested)) => wrong_era(&spoken, Era::Modern, requested),
        _ => refusal,
    }
}

/// Returns what a message names, where that is looked at.
fn named(message: &JsonRpc) -> Option<(String, String)> {
    let (_, name) = message.call()?;
    let name: String = name.chars().take(200).collect();
    Some((message.method().unwrap_or_default().to_owned(), name))
}

fn accepted() -> Response {
    let mut response = Response::new(Body::empty());
    *response.status_mut() = StatusCode::ACCEPTED;
    response
}

impl Proxy {
    /// Sees that a caller may act in the session that it names, before anything of it goes to the server.
    ///
    /// # Errors
    ///
    /// Forbidden in a session that is over, not known or another agent's.
    pub(super) fn need_session(
        &self,
        server: &McpServerEntry,
        subject: &Subject,
        what: &str,
    ) -> Result<(), Refusal> {
        subject.need_session(&self.engine).map_err(|error| {
            self.tell_of_refusal(server, subject, (what, ""), error.message());
            Refusal::from(error)
        })
    }

    /// Tells the audit of a call that was refused and not checked; returns whether that has a row of its own. Where one
    /// caller is refused often, the rest of it is counted.
    pub(super) fn tell_of_refusal(
        &self,
        server: &McpServerEntry,
        subject: &Subject,
        (method, name): (&str, &str),
        why: &str,
    ) -> bool {
        let why: String = why.chars().take(500).collect();
        let mut has_row = false;
        self.engine.refused_of("mcp.refused", &subject.key, &subject.counted.id, || {
            has_row = true;
            json!({
                "agent_id": subject.agent_id,
                "server_id": server.row.id,
                "server": server.row.name,
                "session_id": subject.session_id,
                "method": method,
                "name": name,
                "reason": why,
            })
        });
        has_row
    }
}
