//! What is told no in words of the protocol: a code of JSON-RPC or of A2A, a sentence, and what a program may read.

use std::borrow::Cow;

use agenttrust::Timestamp;
use serde_json::{Map, Value, json};

use crate::domain::task::{ParseError, TaskError, Version};
use crate::domain::{Error, ErrorKind};

pub(super) const PARSE_ERROR: i32 = -32700;
pub(super) const INVALID_REQUEST: i32 = -32600;
pub(super) const METHOD_NOT_FOUND: i32 = -32601;
pub(super) const INVALID_PARAMS: i32 = -32602;
pub(super) const INTERNAL_ERROR: i32 = -32603;
pub(super) const TASK_NOT_FOUND: i32 = -32001;
pub(super) const TASK_NOT_CANCELABLE: i32 = -32002;
pub(super) const UNSUPPORTED_OPERATION: i32 = -32004;
pub(super) const CARD_NOT_CONFIGURED: i32 = -32007;
pub(super) const VERSION_NOT_SUPPORTED: i32 = -32009;

/// The domain that the reasons are of.
const DOMAIN: &str = "a2a-protocol.org";
const ERROR_INFO: &str = "type.googleapis.com/google.rpc.ErrorInfo";
const BAD_REQUEST: &str = "type.googleapis.com/google.rpc.BadRequest";

/// An error of the protocol.
#[derive(Clone, Debug)]
pub(super) struct Refusal(Box<Said>);

/// The content of a refusal. Boxed, because nearly everything here hands it on.
#[derive(Clone, Debug)]
struct Said {
    code: i32,
    message: Cow<'static, str>,
    /// The member at fault, and what is wrong with it.
    violation: Option<(String, String)>,
    /// The details that are told beside the reason.
    metadata: Map<String, Value>,
    /// The id of the request, where it could be read; else null, as JSON-RPC has it.
    id: Value,
}

impl Refusal {
    pub(super) fn new(code: i32, message: impl Into<Cow<'static, str>>) -> Self {
        let (message, metadata) = (message.into(), Map::new());
        Self(Box::new(Said { code, message, violation: None, metadata, id: Value::Null }))
    }

    /// Returns the error for a version that is spoken by none here.
    pub(super) fn version(said: &str) -> Self {
        let said: String = said.chars().take(40).collect();
        let known = Version::ALL.map(Version::as_str).join(", ");
        let message = format!("A2A {said:?} is not spoken here; send A2A-Version: 1.0 or 0.3");
        let mut refusal = Self::new(VERSION_NOT_SUPPORTED, message);
        refusal.0.metadata.insert("supportedVersions".to_owned(), known.into());
        refusal
    }

    /// Returns the same, to the request of this id.
    pub(super) fn id(mut self, id: &Value) -> Self {
        self.0.id.clone_from(id);
        self
    }

    pub(super) fn code(&self) -> i32 {
        self.0.code
    }

    pub(super) fn message(&self) -> &str {
        &self.0.message
    }

    /// Returns the answer.
    pub(super) fn to_json(&self) -> Value {
        let Said { code, message, violation, metadata, id } = &*self.0;
        let mut data = Vec::new();
        if let Some((field, description)) = violation {
            let violation = json!([{ "field": field, "description": description }]);
            data.push(json!({ "@type": BAD_REQUEST, "fieldViolations": violation }));
        }
        if let Some(reason) = reason(*code) {
            let mut metadata = metadata.clone();
            metadata.insert("timestamp".to_owned(), Timestamp::now().to_string().into());
            let info = json!({
                "@type": ERROR_INFO, "reason": reason, "domain": DOMAIN, "metadata": metadata,
            });
            data.push(info);
        }
        let mut error = json!({ "code": code, "message": message });
        if let Some(error) = error.as_object_mut()
            && !data.is_empty()
        {
            error.insert("data".to_owned(), data.into());
        }
        json!({ "jsonrpc": "2.0", "id": id, "error": error })
    }
}

/// Returns the name of an error of A2A's own.
fn reason(code: i32) -> Option<&'static str> {
    Some(match code {
        TASK_NOT_FOUND => "TASK_NOT_FOUND",
        TASK_NOT_CANCELABLE => "TASK_NOT_CANCELABLE",
        UNSUPPORTED_OPERATION => "UNSUPPORTED_OPERATION",
        CARD_NOT_CONFIGURED => "EXTENDED_AGENT_CARD_NOT_CONFIGURED",
        VERSION_NOT_SUPPORTED => "VERSION_NOT_SUPPORTED",
        _ => return None,
    })
}

impl From<ParseError> for Refusal {
    fn from(error: ParseError) -> Self {
        let mut refusal = Self::new(INVALID_PARAMS, error.to_string());
        refusal.0.violation = Some((error.field, error.problem));
        refusal
    }
}

/// The reason why something is not done: an error of the protocol, or one that HTTP has a status for.
#[derive(Debug)]
pub(super) enum Failure {
    Protocol(Refusal),
    Other(Box<Error>),
}

impl From<Refusal> for Failure {
    fn from(refusal: Refusal) -> Self {
        Self::Protocol(refusal)
    }
}

impl From<ParseError> for Failure {
    fn from(error: ParseError) -> Self {
        Self::Protocol(error.into())
    }
}

impl From<Error> for Failure {
    /// Returns the refusal. A fault of the request is told as the protocol does; a caller that may not come, and a
    /// Guardian that is full or away, are told as everywhere here: clients look at the status first.
    fn from(error: Error) -> Self {
        let code = match error.kind() {
            ErrorKind::Invalid | ErrorKind::Conflict => INVALID_PARAMS,
            ErrorKind::Held => UNSUPPORTED_OPERATION,
            _ => return Self::Other(Box::new(error)),
        };
        let (message, _) = error.into_parts();
        Self::Protocol(Refusal::new(code, message))
    }
}

impl From<TaskError> for Failure {
    fn from(error: TaskError) -> Self {
        let code = match error {
            TaskError::NotFound(_) | TaskError::Elsewhere { .. } => TASK_NOT_FOUND,
            TaskError::NotCancelable { .. }
            | TaskError::BeingSent(_)
            | TaskError::NotTold { .. } => TASK_NOT_CANCELABLE,
            TaskError::Unsupported(_) => UNSUPPORTED_OPERATION,
            TaskError::Invalid(_) => INVALID_PARAMS,
            TaskError::Other(error) => return (*error).into(),
        };
        let mut refusal = Refusal::new(code, error.to_string());
        if let TaskError::NotFound(id)
        | TaskError::Elsewhere { id, .. }
        | TaskError::NotCancelable { id, .. }
        | TaskError::NotTold { id, .. }
        | TaskError::BeingSent(id) = error
        {
            refusal.0.metadata.insert("taskId".to_owned(), id.into());
        }
        Self::Protocol(refusal)
    }
}
