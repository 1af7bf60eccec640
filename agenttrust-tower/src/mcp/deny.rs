//! Denials that a model can read, and outcomes by the server's answer.

use agenttrust::Permit;
use agenttrust::{DenialReason, DenialResponse};
use http::{Request, Response, StatusCode};
use serde_json::{Map, Value, json};

use super::headers;
use super::kind::Kind;
use super::message::Message;
use super::rpc::{INTERNAL_ERROR, INVALID_REQUEST, answer};
use crate::http::finish::{finish, hand_over};
use crate::http::{FollowBody, HttpContext, MakeBody, StringBody};
use crate::judge::reply::judge;
use crate::judge::unanswered::{UnansweredCall, UnansweredCalls};
use crate::{Denial, DenyWith};

/// Answers a denied call of a tool with a result that the model can read, and whatever else is denied with
/// an error of JSON-RPC: see [`mcp`](crate::mcp).
#[derive(Clone, Debug, Default)]
pub struct McpDeny<M = StringBody> {
    pub(super) body: M,
    /// Calls that may be answered on another stream than their own.
    pub(super) unanswered: UnansweredCalls,
}

/// The context of an MCP answer: the facts about its request that it needs.
#[derive(Clone, Debug)]
pub struct McpContext {
    id: Value,
    /// Whether the client waits for what a tool says, and reads a result as that.
    tool: bool,
    result_types: bool,
    /// The call, if its answer may come on another stream as well.
    call: Option<UnansweredCall>,
    asked: HttpContext,
}

impl<R, B, Err, M> DenyWith<Request<R>, Response<B>, Err> for McpDeny<M>
where
    M: MakeBody<B>,
    B: FollowBody,
{
    type Context = McpContext;

    fn context(&self, request: &Request<R>) -> McpContext {
        let (id, tool) = match request.extensions().get::<Message>() {
            Some(Message::Guard(call)) => {
                (call.id.clone(), call.kind == Kind::Tool && !call.as_task)
            }
            _ => (Value::Null, false),
        };
        let result_types = headers::are_modern(request.headers());
        let call = self.unanswered.call(request.headers(), &id);
        McpContext { id, tool, result_types, call, asked: HttpContext::from_request(request) }
    }

    fn deny(&self, denial: Denial, context: McpContext) -> Result<Response<B>, Err> {
        let problem = DenialResponse::from(denial);
        let outcome = match context.tool {
            true => ("result", denied_result(&problem, context.result_types)),
            false => ("error", denied_error(&problem)),
        };
        let members = [("jsonrpc", "2.0".into()), ("id", context.id), outcome];
        let members = members.map(|(name, value)| (name.to_owned(), value));
        let body = Value::Object(Map::from_iter(members));
        Ok(answer(StatusCode::OK, body, |json| self.body.make_body(json)))
    }

    fn permitted(&self, request: &mut Request<R>, permit: &mut Permit) {
        // The action has it: no input is kept twice for as long as a tool runs.
        request.extensions_mut().remove::<Message>();
        hand_over(request, permit);
    }

    fn finish(
        &self,
        result: Result<Response<B>, Err>,
        permit: Permit,
        context: McpContext,
    ) -> Result<Response<B>, Err> {
        finish(result, permit, context.asked, |response| judge(response, context.call))
    }
}

/// Returns a denial as the result of a tool, which the model reads. `result_types` is whether results say
/// that they are some, which they do from 2026-07-28 on.
#[must_use]
pub fn denied_result(problem: &DenialResponse, result_types: bool) -> Value {
    let mut result = json!({
        "content": [{ "type": "text", "text": problem.to_model_text() }],
        "isError": true,
        "_meta": { DenialResponse::META: problem.to_data() },
    });
    if result_types && let Some(result) = result.as_object_mut() {
        result.insert("resultType".to_owned(), "complete".into());
    }
    result
}

/// Returns a denial as an error of JSON-RPC.
#[must_use]
pub fn denied_error(problem: &DenialResponse) -> Value {
    let code = match problem.reason() {
        DenialReason::Unavailable | DenialReason::Misconfigured => INTERNAL_ERROR,
        _ => INVALID_REQUEST,
    };
    json!({ "code": code, "message": problem.to_model_text(), "data": problem.to_data() })
}
