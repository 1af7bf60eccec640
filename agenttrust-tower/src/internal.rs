//! What our own crates share beside the public API, and others should not use. No stability between
//! versions.

pub use crate::intake::unread_body::read_away;

/// MCP as the layer reads it: what is read, what is asked about, and how it is told no.
#[cfg(feature = "mcp-http")]
pub mod mcp {
    pub use crate::mcp::deny::{denied_error, denied_result};
    pub use crate::mcp::headers::is_modern;
    pub use crate::mcp::json::{Text, parse};
    pub use crate::mcp::jsonrpc::JsonRpc;
    pub use crate::mcp::kind::Kind;
    pub use crate::mcp::message::{Call, Scope};
    pub use crate::mcp::methods::{Era, is_notification, is_request};
    pub use crate::mcp::params::{InvalidParamHeaders, ParamHeaders};
    pub use crate::mcp::rpc::{
        HEADER_MISMATCH, INTERNAL_ERROR, INVALID_PARAMS, INVALID_REQUEST, PARSE_ERROR, Rejection,
    };
}
