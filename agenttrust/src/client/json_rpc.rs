//! JSON-RPC 2.0, as requests to MCP servers and to agents are made.

use serde::{Deserialize, Serialize};
use serde_json::Value;

/// A request.
#[derive(Serialize)]
pub(super) struct Request<'a, P> {
    jsonrpc: &'static str,
    id: u64,
    method: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    params: Option<P>,
}

impl<'a, P> Request<'a, P> {
    /// Returns the only request of its exchange, so that its id tells it from no other.
    pub(super) fn new(method: &'a str, params: Option<P>) -> Self {
        Self { jsonrpc: "2.0", id: 1, method, params }
    }
}

/// An error of JSON-RPC.
#[derive(Deserialize)]
pub(super) struct Fault {
    #[serde(default)]
    pub(super) code: Value,
    #[serde(default)]
    message: String,
}

impl Fault {
    /// Returns what the other side says, else that it failed; `of` is whose errors these are.
    pub(super) fn message(&self, of: &str) -> String {
        match self.message.as_str() {
            "" => format!("error {} of {of}", self.code),
            said => said.to_owned(),
        }
    }
}

/// An answer.
pub(super) enum Reply {
    Result(Value),
    Fault(Fault),
    /// A body that is not an answer of JSON-RPC, or has neither a result nor an error.
    Other(Value),
}

impl Reply {
    pub(super) fn of(mut answer: Value) -> Self {
        if let Some(result) = answer.get_mut("result") {
            return Self::Result(result.take());
        }
        match answer.get("error").map(Fault::deserialize) {
            Some(Ok(fault)) => Self::Fault(fault),
            _ => Self::Other(answer),
        }
    }
}

/// Returns the number of the error in an answer, where it is one of JSON-RPC.
pub(super) fn fault_code(body: &[u8]) -> Option<i64> {
    #[derive(Deserialize)]
    struct Answer {
        error: Code,
    }
    #[derive(Deserialize)]
    struct Code {
        code: i64,
    }
    serde_json::from_slice::<Answer>(body).ok().map(|answer| answer.error.code)
}
