//! A call that is checked: of a tool that the server has, as it was accepted, by a caller that may make it.

use std::sync::Arc;
use std::time::Duration;

use agenttrust::{AgentTrustError, DenialResponse};
use agenttrust_tower::internal::mcp::{
    INVALID_PARAMS, Kind, ParamHeaders, denied_error, denied_result,
};
use axum::body::Body;
use axum::response::{IntoResponse as _, Response};
use bytes::Bytes;
use futures_util::stream;
use http::StatusCode;
use http::header::CONTENT_TYPE;
use http_body_util::BodyExt as _;
use serde_json::{Value, json};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

use super::answer_shares::piece;
use super::check::{Call, Checked};
use super::era::{Era, Manner};
use super::hold::{self, OpenCall};
use super::pump::events_answer;
use super::refusal::{Refusal, json_answer};
use super::report::Report;
use super::tools;
use super::turn::Turn;
use crate::manifest::PinnedTool;
use crate::outbound::events::Event;
use crate::registry::Callable;

/// The comment that tells a caller without a token for progress that its call waits.
const WAITS: &[u8] = b": waiting for an approval\n\n";

/// Checks a call and hands it on, where it may be made.
///
/// # Errors
///
/// Refuses a tool that is not asked about, and a caller that may not ask.
pub(super) async fn call(
    mut turn: Turn,
    era: Era,
    kind: Kind,
    name: &str,
) -> Result<Response, Refusal> {
    let mut pinned = None;
    if kind == Kind::Tool {
        pinned = looked_at(&mut turn, name).await?;
        if pinned.is_none() {
            return Ok(changed(&turn, name));
        }
    }
    let action = kind.tool(Some(&turn.server.row.name), name);
    let action =
        action.map_err(|why| Refusal::new(StatusCode::BAD_REQUEST, INVALID_PARAMS, why))?;
    let (server, message) = ((&*turn.server, pinned.as_deref()), (&turn.message, &turn.headers));
    let call = Call::of(&turn.proxy, server, message, (kind, action))?;
    let open = OpenCall::begin(&turn.proxy, turn.session.as_ref(), turn.message.id());
    match call.ask(&turn.proxy, &turn.subject, turn.place.clone()).await? {
        Checked::Allowed(check_id) => made(turn, era, &call, (open, check_id)).await,
        Checked::Denied(denial) => Ok(denied(&turn, &call, &denial)),
        Checked::Held(approval_id, denial) => {
            let hold = turn.proxy.engine.settings.mcp.hold;
            if hold.is_zero() {
                return Ok(refused(&turn, &denial));
            }
            let reads_events = turn.reads_events();
            let held = HeldCall { turn, era, call, denial, approval_id, open };
            match reads_events {
                true => Ok(late(held)),
                false => held.wait(|_| true).await,
            }
        }
    }
}

/// Returns the tool as it was accepted, where the server has it and describes it so at present; `None` where it is
/// another one.
///
/// # Errors
///
/// Refuses a tool that the server does not have, and a message whose headers say something else than its arguments.
async fn looked_at(turn: &mut Turn, name: &str) -> Result<Option<Arc<PinnedTool>>, Refusal> {
    turn.server = tools::fresh(&turn.proxy, &turn.server).await?;
    match turn.server.callable(name) {
        Callable::Yes(pinned) => {
            turn.params = params_of(&pinned);
            turn.message.agree_on_params(&turn.headers, turn.params.as_ref())?;
            Ok(Some(pinned))
        }
        Callable::Changed => Ok(None),
        Callable::Unknown => {
            let message = format!("MCP server {:?} has no tool {name:?}", turn.server.row.name);
            Err(Refusal::new(StatusCode::OK, INVALID_PARAMS, message))
        }
    }
}

/// Returns which arguments of a tool are repeated in headers. A schema that is not valid is one that clients of MCP do
/// not call by; then whatever is repeated has to be some argument.
fn params_of(pinned: &PinnedTool) -> Option<ParamHeaders> {
    ParamHeaders::of(pinned.definition.get("inputSchema").unwrap_or(&Value::Null)).ok()
}

/// Makes the call, unless its client wants it no more. What comes of it is reported, whatever that is.
async fn made(
    turn: Turn,
    era: Era,
    call: &Call,
    (open, check_id): (OpenCall, Option<String>),
) -> Result<Response, Refusal> {
    // Dropped, it reports the call as cancelled.
    let report = Report::begin(&turn.proxy.engine, &turn.subject, call.action.clone(), check_id);
    if open.is_cancelled() {
        return Err(Refusal::invalid("the client cancelled the call before it was made"));
    }
    // From now on the server is told, which has the request.
    drop(open);
    let id = turn.message.id().cloned();
    let answered = turn.forward(era, Some(report)).await;
    Ok(answered.unwrap_or_else(|refusal| refusal.id(id.as_ref()).into_response()))
}

/// Returns the answer to a call of a tool that is another one than was accepted.
fn changed(turn: &Turn, name: &str) -> Response {
    let server = &turn.server.row;
    let message = format!(
        "tool {name:?} of MCP server {:?} is described otherwise by its server than when it was accepted; an operator \
         looks at the difference and accepts it with `agenttrust mcp accept {} {name}`",
        server.name, server.name
    );
    let is_told =
        turn.proxy.tell_of_refusal(&turn.server, &turn.subject, ("tools/call", name), &message);
    // As often as the audit has a row of it.
    if is_told {
        tracing::warn!(
            server = server.name,
            tool = name,
            agent_id = turn.subject.agent_id,
            "a call of a tool was refused: its MCP server describes it otherwise than when it was accepted; look at \
             the difference with `agenttrust mcp tools`"
        );
    }
    let denial = AgentTrustError::ActionDenied { message, check_id: None };
    refused(turn, &DenialResponse::from_error(denial))
}

/// Returns the answer to a call that was denied: to a token that does not reach as far, how to come by one that does.
fn denied(turn: &Turn, call: &Call, denial: &DenialResponse) -> Response {
    let challenge = beyond_token(turn, call);
    let Some(challenge) = challenge else { return refused(turn, denial) };
    let refusal = Refusal::invalid(denial.detail().to_owned()).status(StatusCode::FORBIDDEN);
    let refusal = refusal.data(Value::Object(denial.to_data())).challenge(challenge);
    refusal.id(turn.message.id()).into_response()
}

/// Returns what a token would need for this call, where the caller's lacks it and another one could have it.
fn beyond_token(turn: &Turn, call: &Call) -> Option<String> {
    let engine = &turn.proxy.engine;
    let known = engine.registry.tools.known(&turn.subject.key.org_id, &call.action);
    let needed: Vec<&str> = std::iter::once(call.action.as_str())
        .chain(known.scopes().iter().map(String::as_str))
        .collect();
    if turn.subject.token_covers(engine, &needed) {
        return None;
    }
    if !may_have(turn, &needed) {
        return None;
    }
    turn.base.insufficient(&turn.server.row.id, &needed)
}

/// Returns whether a token with these scopes could be issued to the caller, for what it does as it is now: under a
/// delegation it has what that gives, and nothing of its own.
fn may_have(turn: &Turn, scopes: &[&str]) -> bool {
    let (engine, subject) = (&turn.proxy.engine, &turn.subject);
    if !subject.token_may_cover(scopes) {
        return false;
    }
    let (registry, org_id) = (&engine.registry, &subject.key.org_id);
    let session = subject.session_id.as_deref().and_then(|id| registry.sessions.get(org_id, id));
    let delegation = session.and_then(|session| session.row.delegation_id.clone());
    let Some(delegation) = delegation else {
        let agent = registry.agents.get(org_id, &subject.agent_id);
        return agent.is_some_and(|agent| scopes.iter().all(|it| agent.capabilities.covers(it)));
    };
    let chain = registry.chain(org_id, &delegation, engine.clock.now());
    chain.is_ok_and(|chain| scopes.iter().all(|scope| chain.carries(scope)))
}

/// Returns the answer to a call that was not made, which a model can read.
fn refused(turn: &Turn, denial: &DenialResponse) -> Response {
    let is_tool = matches!(turn.message.call(), Some((Kind::Tool, _))) && !turn.message.as_task();
    let outcome = match is_tool {
        true => ("result", denied_result(denial, matches!(turn.manner, Manner::Modern(_)))),
        false => ("error", denied_error(denial)),
    };
    let id = turn.message.id().cloned().unwrap_or_default();
    let mut body = json!({ "jsonrpc": "2.0", "id": id });
    if let Some(members) = body.as_object_mut() {
        members.insert(outcome.0.to_owned(), outcome.1);
    }
    json_answer(StatusCode::OK, body.to_string())
}

/// A call that waits for its approval.
struct HeldCall {
    turn: Turn,
    era: Era,
    call: Call,
    denial: DenialResponse,
    approval_id: String,
    open: OpenCall,
}

impl HeldCall {
    /// Waits, and makes the call once it may be made.
    async fn wait(self, mut beat: impl FnMut(Duration) -> bool) -> Result<Response, Refusal> {
        let Self { mut turn, era, call, denial, approval_id, open } = self;
        let beat = |waited| !open.is_cancelled() && beat(waited);
        let decided = hold::decided(&turn.proxy, &turn.subject, &approval_id, beat).await?;
        // What is approved is for another call then, and stays unused.
        if !decided || open.is_cancelled() {
            return Ok(refused(&turn, &denial));
        }
        // Whoever waited may be no longer who may.
        if let Some(why) = turn.alive().over(&turn.proxy.engine) {
            return Err(super::pump::ended(why));
        }
        // So may what is called: what was approved is the tool as it was described then.
        if let Some(name) = tool_of(&turn)
            && looked_at(&mut turn, &name).await?.is_none()
        {
            return Ok(changed(&turn, &name));
        }
        match call.ask(&turn.proxy, &turn.subject, turn.place.clone()).await? {
            Checked::Allowed(check_id) => made(turn, era, &call, (open, check_id)).await,
            Checked::Denied(denial) => Ok(denied(&turn, &call, &denial)),
            Checked::Held(_, denial) => Ok(refused(&turn, &denial)),
        }
    }
}

/// Returns the tool that is called, where it is a tool.
fn tool_of(turn: &Turn) -> Option<String> {
    let (kind, name) = turn.message.call()?;
    (kind == Kind::Tool).then(|| name.to_owned())
}

/// A piece of work that ends when the caller that waits for it is gone.
struct Working(JoinHandle<()>);

impl Drop for Working {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// Returns the answer to a held call whose caller hears that it waits: of its progress where it gave a token, else a
/// comment, for clients that take a silent connection for a dead one.
fn late(held: HeldCall) -> Response {
    let (said, heard) = mpsc::channel::<Bytes>(8);
    let id = held.turn.message.id().cloned();
    let token = held.turn.message.meta("progressToken").cloned();
    let token = token.filter(|token| token.is_string() || token.is_number());
    let reason = format!("waiting for approval {}", held.approval_id);
    let working = agenttrust::background::spawn(async move {
        let beat = |waited: Duration| {
            let event = match &token {
                Some(token) => progress(token, waited, &reason),
                None => Bytes::from_static(WAITS),
            };
            !matches!(said.try_send(event), Err(mpsc::error::TrySendError::Closed(_)))
        };
        let answered = held.wait(beat).await;
        let response = answered.unwrap_or_else(|refusal| refusal.id(id.as_ref()).into_response());
        hand_over(response, &said).await;
    });
    let parts = stream::unfold((heard, Working(working)), |(mut heard, working)| async {
        let bytes = heard.recv().await?;
        Some((Ok::<_, std::convert::Infallible>(bytes), (heard, working)))
    });
    events_answer(Body::from_stream(parts))
}

/// Sends an answer that came late as events.
async fn hand_over(response: Response, said: &mpsc::Sender<Bytes>) {
    let media = response.headers().get(CONTENT_TYPE).cloned();
    let is_stream = media.is_some_and(|media| media.as_bytes() == b"text/event-stream");
    let mut body = response.into_body();
    let mut whole = Vec::new();
    while let Some(Ok(frame)) = body.frame().await {
        let Ok(bytes) = frame.into_data() else { continue };
        if !is_stream {
            whole.extend_from_slice(&bytes);
        } else if said.send(bytes).await.is_err() {
            return;
        }
    }
    if !is_stream && let Ok(text) = String::from_utf8(whole) {
        let mut event = Event::of(text).write();
        while let Some(piece) = piece(&mut event) {
            // That the reader is gone is no error.
            if said.send(piece).await.is_err() {
                break;
            }
        }
    }
    // What the answer holds is given back with its body: only now.
    drop(body);
}

/// Tells a caller that its call still waits. In steps so small that whatever the tool says of itself is more.
fn progress(token: &Value, waited: Duration, reason: &str) -> Bytes {
    let message = json!({
        "jsonrpc": "2.0",
        "method": "notifications/progress",
        "params": {
            "progressToken": token,
            "progress": waited.as_secs_f64() / 1e6 + 1e-9,
            "message": reason,
        },
    });
    Event::of(message.to_string()).write()
}
