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
    /// The id of a request and of its answer: a text or a number; `null` where a request could not
    /// be read.
    #[schema(value_type = Option<Value>)]
    id: Option<Value>,
    /// The name of the method that is called or notified, such as `tools/call` or `SendMessage`.
    #[schema(nullable = false)]
    method: Option<String>,
    /// The parameters of the method.
    #[schema(value_type = Option<Object>, nullable = false)]
    params: Option<Value>,
    /// The result of the method.
    #[schema(value_type = Option<Object>, nullable = false)]
    result: Option<Value>,
    /// The error, where the method has no result.
    #[schema(value_type = Option<Object>, nullable = false)]
    error: Option<Value>,
}
