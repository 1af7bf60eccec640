//! What a session has beside its messages: the stream on which the server speaks by itself and on which a broken one
//! goes on, and its end.

use std::sync::Arc;

use axum::body::Body;
use axum::response::Response;
use http::{HeaderValue, Method, StatusCode};

use super::answer::{Expected, Reader};
use super::answer_shares::{AnswerShares, ByteShare};
use super::era::{Era, LEGACY, MODERN, SESSION, VERSION, known, only};
use super::pump::{Pump, State, while_alive};
use super::refusal::Refusal;
use super::resumes::LAST_EVENT_ID;
use super::sealed_ids::SealedIds;
use super::send::{self, Answered, Outward, QUIET_MOST, answered};
use super::session::Session;
use super::subject::Alive;
use super::unanswered::Listened;
use super::{Asked, Proxy};

/// Returns the stream of a session.
///
/// # Errors
///
/// Refuses where there is no session, or the server has no such stream.
pub(super) async fn listen(proxy: &Arc<Proxy>, asked: Asked) -> Result<Response, Refusal> {
    let (session, version) = session_of(proxy, &asked)?;
    let streams = &proxy.engine.limits.mcp_streams;
    let place = streams.take(&asked.subject.counted, 1).map_err(crate::domain::Error::from)?;
    let mut outward = Outward::legacy(&version, session.upstream.clone());
    outward.method = Method::GET;
    if let Some(last) = only(&asked.headers, &LAST_EVENT_ID)? {
        let sealed_ids = SealedIds::of(proxy, &asked.server.row.id, &asked.subject.agent_id);
        let last = sealed_ids.open_event(&session, last);
        let last = last.and_then(|last| HeaderValue::from_bytes(last.as_bytes()).ok());
        let last = last.ok_or_else(|| {
            Refusal::invalid(
                "Last-Event-ID was not given out in this session; listen without it, or send the id of an \
                 event that came in this session",
            )
        })?;
        outward.headers.insert(LAST_EVENT_ID, last);
    }
    let Asked { server, subject, .. } = asked;
    let alive = Alive { subject: subject.clone(), server_id: server.row.id.clone() };
    let sent = send::send(proxy, &server, outward);
    let incoming = while_alive(&alive, &proxy.engine, sent).await??;
    if incoming.status == StatusCode::METHOD_NOT_ALLOWED {
        return Err(Refusal::wrong_method("this MCP server has no stream of its own"));
    }
    if !incoming.status.is_success() {
        let in_session = session.upstream.is_some();
        let (status, message) = send::unsuccessful(proxy, &server, incoming, in_session).await?;
        return Ok(super::refusal::json_answer(status, message.to_string()));
    }
    if answered(&incoming)? != Answered::Events {
        return Err(Refusal::upstream("the MCP server answered with no stream"));
    }
    let expected = Expected::Nothing;
    let proxy = Arc::clone(proxy);
    let session = Some(session).filter(|session| session.upstream.is_some());
    let era = Era::Legacy;
    let reader = Reader { proxy, server, subject, era, listens: true, expected, session };
    let byte_share = ByteShare::new(&reader.proxy, &reader.subject.counted)?;
    let (report, state, idle) = (None, State::default(), QUIET_MOST);
    let shares = AnswerShares::new(byte_share, None, Some(place));
    let (own, listened) =
        (None, reader.session.as_ref().map(|it| Listened::begin(&reader.proxy, it)));
    let pump =
        Pump { incoming, reader, alive, report, shares, own, _listened: listened, idle, state };
    Ok(pump.into_response())
}

/// Ends a session.
///
/// # Errors
///
/// Refuses a session that is not open, and a server that ends no sessions.
pub(super) async fn end(proxy: &Arc<Proxy>, asked: Asked) -> Result<Response, Refusal> {
    let (session, version) = session_of(proxy, &asked)?;
    let unending = || Refusal::wrong_method("this MCP server has no sessions that could be ended");
    if session.upstream.is_none() {
        return Err(unending());
    }
    let outward = Outward::legacy(&version, session.upstream.clone());
    let outward = Outward { method: Method::DELETE, ..outward };
    let incoming = send::send(proxy, &asked.server, outward).await?;
    match incoming.status {
        status if status.is_success() => {
            proxy.unanswered.ended(&session);
            Ok(Response::new(Body::empty()))
        }
        StatusCode::METHOD_NOT_ALLOWED => Err(unending()),
        _ => {
            let unsuccessful = send::unsuccessful(proxy, &asked.server, incoming, true).await;
            let (status, message) = unsuccessful?;
            Ok(super::refusal::json_answer(status, message.to_string()))
        }
    }
}

/// Returns the session that is meant, and the version to go on in.
fn session_of(proxy: &Proxy, asked: &Asked) -> Result<(Session, String), Refusal> {
    proxy.need_session(&asked.server, &asked.subject, "a stream")?;
    let said = only(&asked.headers, &VERSION)?;
    let is_modern = said.is_some_and(|said| known(&MODERN, said).is_some());
    let sealed = only(&asked.headers, &SESSION)?.filter(|_| !is_modern);
    let Some(sealed) = sealed else {
        return Err(match said {
            Some(_) if !is_modern => Refusal::invalid(
                "a stream is of a session; open one with initialize, and send its Mcp-Session-Id",
            ),
            _ => Refusal::wrong_method("MCP without sessions has POST and nothing else"),
        });
    };
    let session = proxy.open(&asked.server, &asked.subject, sealed)?;
    let said = said.filter(|said| known(&LEGACY, said).is_some());
    let version = said.unwrap_or(&session.version).to_owned();
    Ok((session, version))
}
