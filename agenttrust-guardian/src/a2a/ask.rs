//! What is asked of an agent: the methods of each version, and what is given to them.

use serde_json::{Map, Value};

use super::params::Params;
use super::refusal::{METHOD_NOT_FOUND, Refusal};
use crate::domain::task::{Message, ParseError, TaskState, Version, read};
use crate::services::tasks::TaskFilter;
use crate::services::tasks::pushes::NewPush;

/// The number of tasks in a list where the caller names no limit.
const PAGE: usize = 50;
/// The largest number of tasks on a page.
const PAGE_MOST: usize = 100;

/// The request, as its method and parameters say it.
#[derive(Debug)]
pub(super) enum Ask {
    Send(Box<Sending>),
    Stream(Box<Sending>),
    Get { id: String, history: Option<usize> },
    List(Listing),
    Cancel { id: String },
    Subscribe { id: String },
    SetPush { task_id: String, push: NewPush },
    GetPush { task_id: String, id: Option<String> },
    ListPushes { task_id: String },
    DeletePush { task_id: String, id: String },
    Card,
}

impl Ask {
    /// Takes the names of what was said and is skipped.
    pub(super) fn take_skipped(&mut self) -> Vec<String> {
        match self {
            Self::Send(sending) | Self::Stream(sending) => std::mem::take(&mut sending.skipped),
            _ => Vec::new(),
        }
    }
}

/// A message that is to be sent.
#[derive(Debug)]
pub(super) struct Sending {
    pub(super) message: Message,
    pub(super) metadata: Map<String, Value>,
    pub(super) accepted_output_modes: Vec<String>,
    /// Whether its sender waits until its task has ended, or waits for something.
    pub(super) waits: bool,
    /// The number of messages of the task's history that its sender wants; absent, it wants all.
    pub(super) history: Option<usize>,
    /// The address that the task is reported to, if one is given.
    pub(super) push: Option<NewPush>,
    /// The names of what was said beside, which is not known and is skipped.
    pub(super) skipped: Vec<String>,
}

/// The choice of tasks to list, and how much of each.
#[derive(Debug)]
pub(super) struct Listing {
    pub(super) filter: TaskFilter,
    pub(super) history: usize,
    pub(super) artifacts: bool,
}

/// Reads what is asked.
///
/// # Errors
///
/// Refuses a method that the version does not have, and parameters that are not as they must be.
pub(super) fn read(
    version: Version,
    method: &str,
    params: Map<String, Value>,
) -> Result<Ask, Refusal> {
    let mut params = Params::new(params);
    let ask = match version {
        Version::V1 => in_v1(method, &mut params),
        Version::V03 => in_v03(method, &mut params),
    };
    ask.ok_or_else(|| unknown(version, method))?.map_err(Refusal::from)
}

fn in_v1(method: &str, params: &mut Params) -> Option<Result<Ask, ParseError>> {
    Some(match method {
        "SendMessage" => sending(params, Version::V1).map(Ask::Send),
        "SendStreamingMessage" => sending(params, Version::V1).map(Ask::Stream),
        "GetTask" => get(params, Version::V1),
        "ListTasks" => listing(params).map(Ask::List),
        "CancelTask" => params.need_id("id").map(|id| Ask::Cancel { id }),
        "SubscribeToTask" => params.need_id("id").map(|id| Ask::Subscribe { id }),
        "CreateTaskPushNotificationConfig" => set_push(params),
        "GetTaskPushNotificationConfig" => task_and_push(params, "taskId", "id")
            .map(|(task_id, id)| Ask::GetPush { task_id, id: Some(id) }),
        "ListTaskPushNotificationConfigs" => {
            params.need_id("taskId").map(|task_id| Ask::ListPushes { task_id })
        }
        "DeleteTaskPushNotificationConfig" => task_and_push(params, "taskId", "id")
            .map(|(task_id, id)| Ask::DeletePush { task_id, id }),
        "GetExtendedAgentCard" => Ok(Ask::Card),
        _ => return None,
    })
}

fn in_v03(method: &str, params: &mut Params) -> Option<Result<Ask, ParseError>> {
    Some(match method {
        "message/send" => sending(params, Version::V03).map(Ask::Send),
        "message/stream" => sending(params, Version::V03).map(Ask::Stream),
        "tasks/get" => get(params, Version::V03),
        "tasks/cancel" => params.need_id("id").map(|id| Ask::Cancel { id }),
        "tasks/resubscribe" => params.need_id("id").map(|id| Ask::Subscribe { id }),
        "tasks/pushNotificationConfig/set" => set_push_in_v03(params),
        "tasks/pushNotificationConfig/get" => get_push_in_v03(params),
        "tasks/pushNotificationConfig/list" => {
            params.need_id("id").map(|task_id| Ask::ListPushes { task_id })
        }
        "tasks/pushNotificationConfig/delete" => {
            task_and_push(params, "id", "pushNotificationConfigId")
                .map(|(task_id, id)| Ask::DeletePush { task_id, id })
        }
        "agent/getAuthenticatedExtendedCard" => Ok(Ask::Card),
        _ => return None,
    })
}

/// Returns the refusal of a method, with what to do where the other version has it.
fn unknown(version: Version, method: &str) -> Refusal {
    let mut none = Params::new(Map::new());
    let other = match version {
        Version::V1 => in_v03(method, &mut none).map(|_| Version::V03),
        Version::V03 => in_v1(method, &mut none).map(|_| Version::V1),
    };
    let shown: String = method.chars().filter(|it| !it.is_control()).take(100).collect();
    let message = match other {
        Some(other) => format!(
            "the method {shown:?} is one of A2A {other}, and this request is of A2A {version}; send the header \
             A2A-Version: {other}",
            other = other.as_str(),
            version = version.as_str(),
        ),
        None => format!("A2A {} has no method {shown:?}", version.as_str()),
    };
    Refusal::new(METHOD_NOT_FOUND, message)
}

fn sending(params: &mut Params, version: Version) -> Result<Box<Sending>, ParseError> {
    let message = read::message(params.need("message")?, version, "message")?;
    let metadata = params.map("metadata")?;
    let mut sending = Sending {
        message,
        metadata,
        accepted_output_modes: Vec::new(),
        waits: version == Version::V1,
        history: None,
        push: None,
        skipped: Vec::new(),
    };
    let said = params.inner("configuration")?;
    // Nothing hangs on it: there are no tenants.
    params.take("tenant");
    sending.skipped.extend(params.left());
    let Some(mut said) = said else { return Ok(Box::new(sending)) };
    sending.accepted_output_modes = said.texts("acceptedOutputModes")?;
    sending.history = history(&mut said, version)?;
    match version {
        Version::V1 => {
            sending.waits = !said.truth("returnImmediately")?.unwrap_or_default();
            let push = said.inner("taskPushNotificationConfig")?;
            sending.push = push.map(|mut push| new_push(&mut push, version)).transpose()?;
        }
        Version::V03 => {
            sending.waits = said.truth("blocking")?.unwrap_or_default();
            let push = said.inner("pushNotificationConfig")?;
            sending.push = push.map(|mut push| new_push(&mut push, version)).transpose()?;
        }
    }
    sending.skipped.extend(said.left());
    Ok(Box::new(sending))
}

fn get(params: &mut Params, version: Version) -> Result<Ask, ParseError> {
    Ok(Ask::Get { id: params.need_id("id")?, history: history(params, version)? })
}

/// Returns how many messages of a history are wanted. In 0.3 none means all.
fn history(params: &mut Params, version: Version) -> Result<Option<usize>, ParseError> {
    let count = params.count("historyLength")?;
    Ok(count.filter(|count| version == Version::V1 || *count > 0))
}

fn listing(params: &mut Params) -> Result<Listing, ParseError> {
    let limit = params.count("pageSize")?.unwrap_or(PAGE);
    if !(1..=PAGE_MOST).contains(&limit) {
        return Err(params.wrong("pageSize", format!("is no number from 1 to {PAGE_MOST}")));
    }
    let state = params.text("status")?.filter(|state| state != "TASK_STATE_UNSPECIFIED");
    let state = state.map(|state| {
        let known = serde_json::from_value::<TaskState>(Value::String(state));
        known.map_err(|_| params.wrong("status", "is no state of A2A, such as TASK_STATE_WORKING"))
    });
    let filter = TaskFilter {
        target_agent_id: None,
        context_id: None,
        state: state.transpose()?,
        since: params.time("statusTimestampAfter")?,
        cursor: params.text("pageToken")?,
        limit,
    };
    Ok(Listing {
        filter: TaskFilter { context_id: params.id("contextId")?, ..filter },
        // A list of many would be long with all that was said.
        history: params.count("historyLength")?.unwrap_or_default(),
        artifacts: params.truth("includeArtifacts")?.unwrap_or_default(),
    })
}

fn set_push(params: &mut Params) -> Result<Ask, ParseError> {
    let task_id = params.need_id("taskId")?;
    Ok(Ask::SetPush { task_id, push: new_push(params, Version::V1)? })
}

fn set_push_in_v03(params: &mut Params) -> Result<Ask, ParseError> {
    let task_id = params.need_id("taskId")?;
    let push = params.inner("pushNotificationConfig")?;
    let mut push =
        push.ok_or_else(|| params.wrong("pushNotificationConfig", "is missing; give it a value"))?;
    Ok(Ask::SetPush { task_id, push: new_push(&mut push, Version::V03)? })
}

fn get_push_in_v03(params: &mut Params) -> Result<Ask, ParseError> {
    let task_id = params.need_id("id")?;
    Ok(Ask::GetPush { task_id, id: params.id("pushNotificationConfigId")? })
}

fn task_and_push(
    params: &mut Params,
    task: &str,
    push: &str,
) -> Result<(String, String), ParseError> {
    Ok((params.need_id(task)?, params.need_id(push)?))
}

fn new_push(params: &mut Params, version: Version) -> Result<NewPush, ParseError> {
    let url =
        params.text("url")?.ok_or_else(|| params.wrong("url", "is missing; say whom to tell"))?;
    let (id, token) = (params.id("id")?, params.text("token")?.map(Into::into));
    let Some(mut said) = params.inner("authentication")? else {
        return Ok(NewPush { id, url, token, scheme: None, credentials: None });
    };
    let scheme = match version {
        Version::V1 => said.text("scheme")?,
        Version::V03 => said.texts("schemes")?.into_iter().next(),
    };
    let credentials = said.text("credentials")?.map(Into::into);
    if scheme.is_none() && credentials.is_some() {
        return Err(
            said.wrong("scheme", "is missing; say how the credentials are sent, as in Bearer")
        );
    }
    Ok(NewPush { id, url, token, scheme, credentials })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn asked(version: Version, method: &str, params: Value) -> Result<Ask, Refusal> {
        let Value::Object(params) = params else { panic!("{params}") };
        read(version, method, params)
    }

    fn v1(method: &str, params: Value) -> Result<Ask, Refusal> {
        asked(Version::V1, method, params)
    }

    fn v03(method: &str, params: Value) -> Result<Ask, Refusal> {
        asked(Version::V03, method, params)
    }

    #[test]
    fn sender_waits_where_its_version_says_so() {
        let new = json!({ "messageId": "m", "role": "ROLE_USER", "parts": [{ "text": "x" }] });
        let old =
            json!({ "messageId": "m", "role": "user", "parts": [{ "kind": "text", "text": "x" }] });
        let waits = |asked: Result<Ask, Refusal>| match asked {
            Ok(Ask::Send(sending)) => (sending.waits, sending.history),
            other => panic!("{other:?}"),
        };
        let of =
            |message: &Value, said: Value| json!({ "message": message, "configuration": said });
        assert_eq!(waits(v1("SendMessage", json!({ "message": new }))), (true, None));
        let at_once = of(&new, json!({ "returnImmediately": true, "historyLength": 0 }));
        assert_eq!(waits(v1("SendMessage", at_once)), (false, Some(0)));
        assert_eq!(waits(v03("message/send", json!({ "message": old }))), (false, None));
        let waiting = of(&old, json!({ "blocking": true, "historyLength": 0 }));
        assert_eq!(waits(v03("message/send", waiting)), (true, None));
    }

    #[test]
    fn method_of_the_other_version_is_refused_with_what_to_send() {
        for (version, method, says) in [
            (Version::V1, "message/send", "A2A-Version: 0.3"),
            (Version::V03, "SendMessage", "A2A-Version: 1.0"),
            (Version::V03, "tasks/list", "A2A 0.3 has no method \"tasks/list\""),
            (Version::V1, "sendMessage", "A2A 1.0 has no method"),
            (Version::V1, "", "has no method"),
        ] {
            let refusal = asked(version, method, json!({})).unwrap_err();
            assert_eq!(refusal.code(), METHOD_NOT_FOUND);
            assert!(refusal.message().contains(says), "{refusal:?}");
        }
    }

    #[test]
    fn parameter_at_fault_is_named() {
        let message = json!({ "messageId": "m", "role": "ROLE_USER", "parts": [{ "text": "x" }] });
        for (method, params, field) in [
            ("SendMessage", json!({}), "message"),
            ("SendMessage", json!({ "message": [] }), "message"),
            ("SendMessage", json!({ "message": message, "configuration": [] }), "configuration"),
            (
                "SendMessage",
                json!({ "message": message, "configuration": { "historyLength": -1 } }),
                "configuration.historyLength",
            ),
            (
                "SendMessage",
                json!({ "message": message, "configuration": { "taskPushNotificationConfig": {} } }),
                "configuration.taskPushNotificationConfig.url",
            ),
            ("SendMessage", json!({ "message": message, "metadata": 1 }), "metadata"),
            ("GetTask", json!({}), "id"),
            ("GetTask", json!({ "id": "a\u{0}" }), "id"),
            ("GetTask", json!({ "id": 1 }), "id"),
            ("GetTask", json!({ "id": "t", "historyLength": 1.5 }), "historyLength"),
            ("ListTasks", json!({ "pageSize": 0 }), "pageSize"),
            ("ListTasks", json!({ "pageSize": 101 }), "pageSize"),
            ("ListTasks", json!({ "status": "TASK_STATE_RUNNING" }), "status"),
            ("ListTasks", json!({ "statusTimestampAfter": "soon" }), "statusTimestampAfter"),
            ("ListTasks", json!({ "includeArtifacts": "yes" }), "includeArtifacts"),
            ("CreateTaskPushNotificationConfig", json!({ "taskId": "t" }), "url"),
            (
                "CreateTaskPushNotificationConfig",
                json!({ "taskId": "t", "url": "u", "authentication": { "credentials": "c" } }),
                "authentication.scheme",
            ),
            ("DeleteTaskPushNotificationConfig", json!({ "taskId": "t" }), "id"),
        ] {
            let refusal = v1(method, params.clone()).unwrap_err().to_json();
            let data = &refusal["error"]["data"][0]["fieldViolations"][0];
            assert_eq!(refusal["error"]["code"], -32602, "{params}");
            assert_eq!(data["field"], field, "{params}: {refusal}");
            let message = refusal["error"]["message"].as_str().unwrap();
            assert!(message.starts_with(&format!("{field} ")), "{params}: {refusal}");
            assert!(!message.contains(&format!("{field} {field}")), "{params}: {refusal}");
        }
    }

    #[test]
    fn list_is_read_as_it_is_written_and_without_a_word_has_fifty() {
        let Ok(Ask::List(listing)) = v1("ListTasks", json!({})) else { panic!() };
        assert_eq!((listing.filter.limit, listing.history, listing.artifacts), (50, 0, false));
        let said = json!({
            "contextId": "c", "status": "TASK_STATE_FAILED", "pageSize": 100.0, "pageToken": "p",
            "historyLength": "3", "statusTimestampAfter": "2026-01-02T03:04:05Z",
            "includeArtifacts": true, "tenant": "", "unknown": 1,
        });
        let Ok(Ask::List(listing)) = v1("ListTasks", said) else { panic!() };
        let filter = listing.filter;
        assert_eq!(filter.context_id.as_deref(), Some("c"));
        assert_eq!(filter.cursor.as_deref(), Some("p"));
        assert_eq!((filter.state, filter.limit), (Some(TaskState::Failed), 100));
        assert_eq!((listing.history, listing.artifacts), (3, true));
        assert_eq!(filter.since.unwrap().to_string(), "2026-01-02T03:04:05Z");
    }

    #[test]
    fn whom_to_tell_is_the_same_in_both_versions() {
        let new = json!({
            "taskId": "t", "url": "https://x", "token": "k",
            "authentication": { "scheme": "Bearer", "credentials": "c" },
        });
        let old = json!({ "taskId": "t", "pushNotificationConfig": {
            "url": "https://x", "token": "k",
            "authentication": { "schemes": ["Bearer", "Basic"], "credentials": "c" },
        } });
        let asked = [
            v1("CreateTaskPushNotificationConfig", new),
            v03("tasks/pushNotificationConfig/set", old),
        ];
        for asked in asked {
            let Ok(Ask::SetPush { task_id, push }) = asked else { panic!("{asked:?}") };
            assert_eq!((&*task_id, &*push.url), ("t", "https://x"));
            assert_eq!(push.scheme.as_deref(), Some("Bearer"));
            assert!(push.token.is_some() && push.credentials.is_some());
        }
    }
}
