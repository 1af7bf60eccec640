//! What a server gives out and a caller brings back: the ids of tasks and of events, and the state of a question. To
//! the server every agent is the one client that the Guardian is, so that only here can be told whose they are. Each
//! is sealed to its agent on the way out and opened on the way in, as sessions are: every replica can, and what one
//! agent was given another has no use for.

use agenttrust_tower::internal::mcp::{INVALID_PARAMS, JsonRpc};
use http::StatusCode;
use serde_json::{Map, Value, json};

use super::Proxy;
use super::answer::LISTEN;
use super::refusal::Refusal;
use super::session::Session;
use crate::domain::{Error, Sealer, Secret};

/// The longest state that a server gives out and its client brings back.
pub(super) const STATE_MAX_BYTES: usize = longest(64 << 10);
/// The longest id of an event that is gone on from.
pub(super) const EVENT_ID_MAX_BYTES: usize = 1_024;
/// The member of `_meta` that says to which task a message belongs (MCP 2025-11-25).
const RELATED: &str = "io.modelcontextprotocol/related-task";
/// The members of `params` that are opened, and those that hold others to open.
const OF_PARAMS: [&str; 4] = ["_meta", "notifications", "requestState", "taskId"];

/// Returns how long a text of so many bytes is at most once it is sealed.
pub(super) const fn longest(bytes: usize) -> usize {
    64 + (bytes + 40).div_ceil(3) * 4
}

/// The kind of what is sealed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum SealedKind {
    Task,
    State,
    Event,
}

/// The tasks, states and events that one server gave to one agent.
#[derive(Clone, Copy)]
pub(super) struct SealedIds<'a> {
    proxy: &'a Proxy,
    server_id: &'a str,
    agent_id: &'a str,
}

impl<'a> SealedIds<'a> {
    pub(super) fn of(proxy: &'a Proxy, server_id: &'a str, agent_id: &'a str) -> Self {
        Self { proxy, server_id, agent_id }
    }

    /// Returns what the seal is about: a list, so that no two are written alike.
    fn about(&self, kind: SealedKind, session: &str) -> String {
        let kind = match kind {
            SealedKind::Task => "mcp_task",
            SealedKind::State => "mcp_state",
            SealedKind::Event => "mcp_event",
        };
        json!([kind, self.server_id, self.agent_id, session]).to_string()
    }

    /// Seals a text, which looks the same each time: clients compare the ids of tasks.
    fn seal(&self, kind: SealedKind, session: &str, text: &str) -> Result<String, Error> {
        let secret = Secret::from(text.to_owned());
        let sealer = &self.proxy.engine.mcp_keys.sessions;
        sealer.seal_alike(&self.about(kind, session), &secret)
    }

    fn open(&self, kind: SealedKind, session: &str, sealed: &str) -> Option<String> {
        let sealer = &self.proxy.engine.mcp_keys.sessions;
        let opened = sealer.open(&self.about(kind, session), sealed).ok()?;
        Some(opened.expose().to_owned())
    }

    /// Seals the id of an event to the session in which it may be gone on from.
    ///
    /// # Errors
    ///
    /// Unavailable where it cannot be sealed.
    pub(super) fn seal_event(&self, session: Option<&Session>, id: &str) -> Result<String, Error> {
        self.seal(SealedKind::Event, upstream(session), id)
    }

    /// Opens the id of an event that was given out in this session.
    pub(super) fn open_event(&self, session: &Session, sealed: &str) -> Option<String> {
        let fits = sealed.len() <= longest(EVENT_ID_MAX_BYTES);
        self.open(SealedKind::Event, upstream(Some(session)), sealed).filter(|_| fits)
    }

    fn remember(&self, task: &str) {
        self.proxy.tasks.remember(self.server_id, self.agent_id, task);
    }

    fn has(&self, task: &str) -> bool {
        self.proxy.tasks.has(self.server_id, self.agent_id, task)
    }
}

/// Returns what the server calls a session.
fn upstream(session: Option<&Session>) -> &str {
    session.and_then(|session| session.upstream.as_deref()).unwrap_or_default()
}

/// The way in.
impl SealedIds<'_> {
    /// Opens what a request names.
    ///
    /// # Errors
    ///
    /// Refuses a task that is not known as this agent's, and a state that it was not given.
    pub(super) fn open_request(&self, message: &mut JsonRpc) -> Result<(), Refusal> {
        let listens = message.method() == Some(LISTEN);
        let Some(params) = message.params_mut() else { return Ok(()) };
        alike(params, &OF_PARAMS)?;
        if let Some(id) = params.get_mut("taskId") {
            self.open_task(id)?;
        }
        if let Some(state) = params.get_mut("requestState").filter(|state| !state.is_null()) {
            self.open_state(state)?;
        }
        if let Some(Value::Object(meta)) = params.get_mut("_meta") {
            alike_or_other(meta, &[RELATED])?;
            if let Some(related) = meta.get_mut(RELATED) {
                let mut id = related.get("taskId").cloned().unwrap_or_default();
                self.open_task(&mut id)?;
                *related = json!({ "taskId": id });
            }
        }
        let told = params.get_mut("notifications").filter(|_| listens);
        if let Some(Value::Object(told)) = told {
            alike(told, &["taskIds"])?;
            if let Some(ids) = told.get_mut("taskIds") {
                let Value::Array(ids) = ids else { return Err(no_task()) };
                // A server, too, leaves out those that it does not know.
                ids.retain_mut(|id| self.open_task(id).is_ok());
            }
        }
        Ok(())
    }

    /// Opens what an answer to a question of the server, or what is told it, belongs to. What is no task of the server
    /// stays: it may be one of the client's own.
    ///
    /// # Errors
    ///
    /// Refuses a task that is known as another agent's, and one that was given to another.
    pub(super) fn open_told(&self, message: &mut JsonRpc) -> Result<(), Refusal> {
        let (told, tells) = match message.method() {
            Some(_) => (message.params_mut(), true),
            None => (message.result_mut(), false),
        };
        let Some(told) = told else { return Ok(()) };
        if let Some(id) = told.get("taskId").filter(|_| tells) {
            self.need_no_others(id)?;
        }
        let related = told.get_mut("_meta").and_then(|meta| meta.get_mut(RELATED));
        let Some(id) = related.and_then(|related| related.get_mut("taskId")) else { return Ok(()) };
        match self.open_task(id) {
            Ok(()) => Ok(()),
            Err(_) => self.need_no_others(id),
        }
    }

    /// Refuses a task of the server that is not this agent's.
    fn need_no_others(&self, id: &Value) -> Result<(), Refusal> {
        let Some(id) = id.as_str() else { return Ok(()) };
        let is_others = self.proxy.tasks.is_anothers(self.server_id, self.agent_id, id);
        match is_others || Sealer::is_sealed(id) {
            true => Err(no_task().status(StatusCode::BAD_REQUEST)),
            false => Ok(()),
        }
    }

    fn open_task(&self, id: &mut Value) -> Result<(), Refusal> {
        let opened = id.as_str().and_then(|sealed| self.open(SealedKind::Task, "", sealed));
        let opened = opened.ok_or_else(no_task)?;
        self.remember(&opened);
        *id = opened.into();
        Ok(())
    }

    fn open_state(&self, state: &mut Value) -> Result<(), Refusal> {
        let problem = match state.as_str() {
            None => "params.requestState is no text; send it back as the server sent it".to_owned(),
            Some(text) if text.len() > STATE_MAX_BYTES => {
                let length = text.len();
                format!("params.requestState is {length} bytes long; {STATE_MAX_BYTES} is the most")
            }
            Some(text) => match self.open(SealedKind::State, "", text) {
                Some(opened) => {
                    *state = opened.into();
                    return Ok(());
                }
                None => "params.requestState was not given to this agent by this server; send it \
                         back as the server sent it, or begin again without it"
                    .to_owned(),
            },
        };
        Err(Refusal::new(StatusCode::BAD_REQUEST, INVALID_PARAMS, problem))
    }
}

/// Returns a task that is not there, or another agent's: an id tells nothing about whose it is.
fn no_task() -> Refusal {
    let message = "there is no such task; name it by the id that its call was answered with";
    Refusal::new(StatusCode::OK, INVALID_PARAMS, message)
}

/// Refuses what some reader takes for one of these and another does not: `TaskId` for `taskId`, and names that are not
/// written in ASCII.
fn alike(members: &Map<String, Value>, known: &[&str]) -> Result<(), Refusal> {
    match members.keys().all(|key| key.bytes().all(|byte| byte.is_ascii_graphic())) {
        true => alike_or_other(members, known),
        false => Err(unlike()),
    }
}

/// Checks the same, and lets names of any kind stand beside.
fn alike_or_other(members: &Map<String, Value>, known: &[&str]) -> Result<(), Refusal> {
    let other =
        |key: &String| known.iter().all(|known| key == known || !key.eq_ignore_ascii_case(known));
    if members.keys().all(other) { Ok(()) } else { Err(unlike()) }
}

fn unlike() -> Refusal {
    let message = "a member of params is written almost like one of MCP's; write it as MCP does";
    Refusal::new(StatusCode::BAD_REQUEST, INVALID_PARAMS, message)
}

/// The way out.
impl SealedIds<'_> {
    /// Seals what a result gives out, to a request of this method; where that is not known, by its looks. Of a list of
    /// tasks those stay that are known as this agent's.
    ///
    /// # Errors
    ///
    /// Unavailable where it cannot be sealed.
    pub(super) fn seal_result(
        &self,
        method: Option<&str>,
        result: &mut Value,
    ) -> Result<(), Error> {
        let Some(result) = result.as_object_mut() else { return Ok(()) };
        let is_method = |one: &str| method.is_none_or(|method| method == one);
        if let Some(Value::Array(tasks)) = result.get_mut("tasks")
            && is_method("tasks/list")
        {
            tasks.retain(|task| id_of(task).is_some_and(|id| self.has(id)));
            tasks.iter_mut().try_for_each(|task| self.seal_task(task))?;
        }
        let begun = result.get("resultType").is_some_and(|it| it == "task");
        if begun && let Some(id) = result.get("taskId").and_then(Value::as_str) {
            self.remember(id);
        }
        if let Some(task) = result.get_mut("task")
            && is_method("tools/call")
        {
            id_of(task).into_iter().for_each(|id| self.remember(id));
            self.seal_task(task)?;
        }
        let of_tasks = method.is_none_or(|method| method.starts_with("tasks/"));
        if begun || of_tasks {
            self.seal_member(result, "taskId")?;
        }
        if let Some(Value::String(state)) = result.get_mut("requestState") {
            *state = self.seal(SealedKind::State, "", state)?;
        }
        self.seal_related(result)?;
        // What a task came to is an answer in the answer.
        match result.get_mut("result") {
            Some(Value::Object(inner)) if of_tasks => self.seal_related(inner),
            _ => Ok(()),
        }
    }

    /// Seals what a question or a notification of the server names; returns whether the agent may hear of it.
    ///
    /// # Errors
    ///
    /// Unavailable where it cannot be sealed.
    pub(super) fn seal_told(&self, message: &mut Value) -> Result<bool, Error> {
        let method = message.get("method").and_then(Value::as_str).unwrap_or_default().to_owned();
        let Some(Value::Object(params)) = message.get_mut("params") else { return Ok(true) };
        // A task that the server asks for is the client's.
        if method.starts_with("tasks/") {
            return Ok(true);
        }
        if is_of_task(&method) {
            let id = params.get("taskId").and_then(Value::as_str);
            if !id.is_some_and(|id| self.has(id)) {
                return Ok(false);
            }
            self.seal_member(params, "taskId")?;
            if let Some(Value::Object(result)) = params.get_mut("result") {
                self.seal_related(result)?;
            }
        }
        if let Some(Value::Array(ids)) =
            params.get_mut("notifications").and_then(|told| told.get_mut("taskIds"))
        {
            for id in ids {
                self.seal_id(id)?;
            }
        }
        self.seal_related(params)?;
        Ok(true)
    }

    fn seal_task(&self, task: &mut Value) -> Result<(), Error> {
        task.as_object_mut().map_or(Ok(()), |task| self.seal_member(task, "taskId"))
    }

    fn seal_related(&self, members: &mut Map<String, Value>) -> Result<(), Error> {
        let related = members.get_mut("_meta").and_then(|meta| meta.get_mut(RELATED));
        related.map_or(Ok(()), |related| self.seal_task(related))
    }

    fn seal_member(&self, members: &mut Map<String, Value>, member: &str) -> Result<(), Error> {
        members.get_mut(member).map_or(Ok(()), |id| self.seal_id(id))
    }

    fn seal_id(&self, id: &mut Value) -> Result<(), Error> {
        if let Value::String(id) = id {
            *id = self.seal(SealedKind::Task, "", id)?;
        }
        Ok(())
    }
}

fn id_of(task: &Value) -> Option<&str> {
    task.get("taskId")?.as_str()
}

/// Returns whether a notification is about one task.
fn is_of_task(method: &str) -> bool {
    matches!(method, "notifications/tasks" | "notifications/tasks/status")
}

/// Returns whether what is said to a question or in a notification of this method may name what is sealed.
pub(super) fn may_name(method: &str, params: &str) -> bool {
    is_of_task(method) || names_task(params) || params.contains("\"taskIds\"")
}

/// Returns whether a text says to which task it belongs. One that says so in another spelling names a task by an id
/// that is of no use to its reader.
pub(super) fn names_task(text: &str) -> bool {
    text.contains(RELATED)
}
