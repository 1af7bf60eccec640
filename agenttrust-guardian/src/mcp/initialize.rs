//! A session that begins: the server opens it, and the client is given a sealed name for it.

use axum::response::Response;
use http::{HeaderValue, StatusCode};
use serde_json::Value;

use super::answer_shares::{AnswerShares, ByteShare};
use super::era::{Era, LEGACY, SESSION, UNSUPPORTED_VERSION, known};
use super::pump::while_alive;
use super::refusal::{Refusal, json_answer};
use super::send;
use super::turn::Turn;
use super::upstream::{unreadable, wrong_era};

/// Opens a session with the server for this caller.
///
/// # Errors
///
/// Refuses where the server opens none, or one of a version that is not known.
pub(super) async fn initialize(turn: Turn) -> Result<Response, Refusal> {
    let requested = requested(&turn);
    let outward = turn.outward(None)?.body(written(&turn, &requested)?);
    let (proxy, server) = (&turn.proxy, &turn.server);
    let alive = turn.alive();
    let incoming = while_alive(&alive, &proxy.engine, send::send(proxy, server, outward)).await??;
    if !incoming.status.is_success() {
        let refused = send::unsuccessful(proxy, server, incoming, false).await;
        return refused_by(&turn, refused, &requested).await;
    }
    let upstream = send::session_of(&incoming.headers)?;
    let id = turn.message.id();
    let whole = while_alive(&alive, &proxy.engine, send::whole(proxy, server, incoming, id));
    let answer = whole.await??;
    if answer.get("result").is_none() {
        return refused_by(&turn, Ok((StatusCode::OK, answer)), &requested).await;
    }
    if answer.get("id") != id {
        return Err(Refusal::upstream("the MCP server answered another request"));
    }
    let said = answer.pointer("/result/protocolVersion").and_then(Value::as_str);
    let Some(version) = said.and_then(|said| known(&LEGACY, said)) else {
        return Err(Refusal::upstream(
            "the MCP server speaks no version of MCP that is known here",
        ));
    };
    let sealed = proxy.seal(server, &turn.subject, upstream, version)?;
    let (text, mut byte_share) =
        (answer.to_string(), ByteShare::new(proxy, &turn.subject.counted)?);
    byte_share.fit(text.len())?;
    let shares = AnswerShares::new(byte_share, turn.place.clone(), None);
    let mut response = json_answer(StatusCode::OK, String::new()).map(|_| shares.body(text));
    let sealed = HeaderValue::try_from(sealed).map_err(|_| unreadable())?;
    response.headers_mut().insert(SESSION, sealed);
    Ok(response)
}

/// Returns the version that the client asks for.
fn requested(turn: &Turn) -> String {
    let params = turn.message.params();
    let said = params.and_then(|params| params.get("protocolVersion")?.as_str());
    said.unwrap_or_default().to_owned()
}

/// Returns the message, with a version that is known here: as a server would answer with one that it knows.
fn written(turn: &Turn, requested: &str) -> Result<Vec<u8>, Refusal> {
    let mut members = turn.message.clone().into_members();
    if known(&LEGACY, requested).is_none()
        && let Some(Value::Object(params)) = members.get_mut("params")
    {
        let newest = LEGACY.first().copied().unwrap_or_default();
        params.insert("protocolVersion".to_owned(), newest.into());
    }
    serde_json::to_vec(&members).map_err(|_| unreadable())
}

/// Returns what a client is told whose session the server does not open: that it speaks no version with sessions, where
/// that is why.
async fn refused_by(
    turn: &Turn,
    refused: Result<(StatusCode, Value), Refusal>,
    requested: &str,
) -> Result<Response, Refusal> {
    let code =
        refused.as_ref().ok().and_then(|(_, message)| message.pointer("/error/code")?.as_i64());
    if code != Some(i64::from(UNSUPPORTED_VERSION))
        && let Ok(spoken) = turn.proxy.spoken(&turn.server).await
        && spoken.modern.is_some()
        && !spoken.versions.iter().any(|version| LEGACY.contains(version))
    {
        return Err(wrong_era(&spoken, Era::Legacy, requested));
    }
    let (status, mut message) = refused?;
    if message.get("error").is_none() {
        return Err(unreadable());
    }
    if let (Some(members), Some(id)) = (message.as_object_mut(), turn.message.id()) {
        members.insert("id".to_owned(), id.clone());
    }
    Ok(json_answer(status, message.to_string()))
}
