//! What the endpoints that speak JSON-RPC take and send, as the document describes it.

use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;

/// A message of JSON-RPC 2.0.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = JsonRpcMessage)]
pub(super) struct Message {
    /// `2.0`.
    jsonrpc: String,
    /// Of a request and of an answer: a text or a number; `null` where a request could not be read.
    #[schema(value_type = Option<Value>)]
    id: Option<Value>,
    /// What is asked or told, such as `tools/call` or `SendMessage`.
    #[schema(nullable = false)]
    method: Option<String>,
    /// What is given to the method.
    #[schema(value_type = Option<Object>, nullable = false)]
    params: Option<Value>,
    /// What was answered.
    #[schema(value_type = Option<Object>, nullable = false)]
    result: Option<Value>,
    /// Why it was not.
    #[schema(value_type = Option<Object>, nullable = false)]
    error: Option<Value>,
}
