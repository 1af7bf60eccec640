//! The addresses that are told when a task changes: asked for by a caller that sees the task, kept sealed, and seen by
//! no other caller.

use agenttrust::model::AgentStatus;
use http::HeaderValue;
use serde::{Deserialize, Serialize};

use super::{Caller, reading};
use crate::domain::ids::{self, SESSION_PREFIX};
use crate::domain::task::{Task, TaskError, Version};
use crate::domain::{Error, Role, Sealer, Secret};
use crate::engine::Engine;
use crate::services::{sealed, sessions};
use crate::store::{LeasedPush, SecretOf, TASK_PUSHES_MOST, TaskPushRow};

/// The longest secret that is sent along, in bytes.
const SECRET_MAX_BYTES: usize = 4_000;
/// The longest name of a scheme of authentication, in bytes.
const SCHEME_MAX_BYTES: usize = 64;

/// An address that a task is to be reported to.
#[derive(Debug)]
pub(crate) struct NewPush {
    /// The id that its owner gives it; an earlier one of the same id is told no more.
    pub(crate) id: Option<String>,
    pub(crate) url: String,
    /// The token by which the receiver knows that it asked for the news.
    pub(crate) token: Option<Secret>,
    /// The scheme by which the credentials are sent, as in `Bearer`.
    pub(crate) scheme: Option<String>,
    pub(crate) credentials: Option<Secret>,
}

/// An address that a task is reported to, without the secrets that are sent along.
#[derive(Clone, Debug)]
pub(crate) struct Push {
    pub(crate) id: String,
    pub(crate) task_id: String,
    pub(crate) url: String,
    pub(crate) scheme: Option<String>,
}

/// The secrets that are sent along, as they are sealed.
#[derive(Default, Serialize, Deserialize)]
struct Along {
    token: Option<String>,
    credentials: Option<String>,
}

/// The secrets that are sent along with each piece of news.
pub(crate) struct Proof {
    pub(crate) token: Option<Secret>,
    pub(crate) credentials: Option<Secret>,
}

impl From<TaskPushRow> for Push {
    fn from(row: TaskPushRow) -> Self {
        let TaskPushRow { name: id, task_id, url, scheme, .. } = row;
        Self { id, task_id, url, scheme }
    }
}

impl NewPush {
    /// Refuses where nothing could be told.
    ///
    /// # Errors
    ///
    /// Invalid, with the member at fault.
    pub(crate) fn check(&self, engine: &Engine) -> Result<(), Error> {
        engine.target_of("url", &self.url)?;
        if let Some(scheme) = &self.scheme {
            let is_token = |it: u8| it.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&it);
            if scheme.len() > SCHEME_MAX_BYTES || !scheme.bytes().all(is_token) {
                let problem = "is no name of a scheme; send one as in Bearer";
                return Err(Error::invalid("authentication.scheme", problem));
            }
        }
        for (field, secret) in
            [("token", &self.token), ("authentication.credentials", &self.credentials)]
        {
            let Some(secret) = secret else { continue };
            let text = secret.expose();
            let travels = text.is_ascii() && HeaderValue::from_str(text).is_ok();
            if text.len() > SECRET_MAX_BYTES || !travels {
                let problem = "is longer than 4000 bytes, or holds what no header carries";
                return Err(Error::invalid(field, problem));
            }
        }
        Ok(())
    }
}

/// Sets an address that a task is reported to from now on; how it stands now is reported as well where `at_once` says
/// so.
///
/// # Errors
///
/// Not found for a task that the caller does not see; invalid for an address that could not be told; too many where as
/// many are told as may be.
pub(crate) async fn set(
    engine: &Engine,
    caller: &Caller,
    (target, task_id): (Option<&str>, &str),
    new: NewPush,
    (version, at_once): (Version, bool),
) -> Result<Push, TaskError> {
    let task = reading::visible(engine, caller, target, task_id).await?;
    new.check(engine)?;
    let id = ids::new("psh_");
    let earliest = agenttrust::Timestamp::from_unix_micros(0);
    let row = TaskPushRow {
        owner: caller.source().to_owned(),
        // Without a name there is one for each task, so that a message sent again has no one told twice.
        name: new.id.unwrap_or_else(|| task.id.clone()),
        version: version.as_str().to_owned(),
        url: new.url,
        scheme: new.scheme,
        secret: seal(&engine.sealer, &id, new.token, new.credentials)?,
        created_by: caller.key.id.clone(),
        session_id: caller.session_id.clone(),
        created_at: engine.clock.now(),
        told_at: earliest.filter(|_| at_once).unwrap_or(task.changed_at),
        task_id: task.id,
        id,
    };
    if !engine.store.put_task_push(row.clone()).await? {
        return Err(Error::too_many(format!(
            "this task has {TASK_PUSHES_MOST} receivers of notifications, which is the most; delete one first"
        ))
        .into());
    }
    Ok(row.into())
}

/// Returns the addresses of the caller that a task is reported to, the oldest first.
///
/// # Errors
///
/// Not found for a task that the caller does not see.
pub(crate) async fn list(
    engine: &Engine,
    caller: &Caller,
    (target, task_id): (Option<&str>, &str),
) -> Result<Vec<Push>, TaskError> {
    let task = reading::visible(engine, caller, target, task_id).await?;
    let rows = engine.reading_store.task_pushes(task.id, caller.source().to_owned()).await?;
    Ok(rows.into_iter().map(Push::from).collect())
}

/// Removes an address that a task is reported to, by its name. Removing one that is not there is no error.
///
/// # Errors
///
/// Not found for a task that the caller does not see.
pub(crate) async fn delete(
    engine: &Engine,
    caller: &Caller,
    (target, task_id): (Option<&str>, &str),
    name: String,
) -> Result<(), TaskError> {
    let task = reading::visible(engine, caller, target, task_id).await?;
    engine.store.delete_task_push(task.id, caller.source().to_owned(), name).await?;
    Ok(())
}

fn seal(
    sealer: &Sealer,
    id: &str,
    token: Option<Secret>,
    credentials: Option<Secret>,
) -> Result<Option<String>, Error> {
    if token.is_none() && credentials.is_none() {
        return Ok(None);
    }
    let plain = |secret: Option<Secret>| secret.map(|secret| secret.expose().to_owned());
    let along = Along { token: plain(token), credentials: plain(credentials) };
    // Two texts always can be written.
    let text = Secret::from(serde_json::to_string(&along).unwrap_or_default());
    sealer.seal(&SecretOf::TaskPush.about(id), &text).map(Some)
}

/// The content of a push: the task as its receiver may see it, or why nothing is pushed.
#[derive(Debug)]
pub(crate) enum PushContent {
    Task(Box<Task>),
    /// No change that the receiver may see since the last push.
    Nothing,
    /// The owner of the push may see nothing at the moment.
    Later,
    /// The owner may see the task no more, or is gone.
    Gone,
}

/// Returns the content of this push now: what its owner may see.
pub(crate) fn push_content(engine: &Engine, leased: &LeasedPush) -> PushContent {
    let push = &leased.push;
    let owner = match owner(engine, push) {
        Owner::Here(owner) => owner,
        Owner::Away => return PushContent::Later,
        Owner::Gone => return PushContent::Gone,
    };
    match owner.view(leased.task.clone()) {
        None => PushContent::Gone,
        Some(seen) if seen.changed_at <= push.told_at => PushContent::Nothing,
        Some(seen) => PushContent::Task(Box::new(seen.task)),
    }
}

/// The owner of an address, and whether it could ask for the task now.
enum Owner {
    Here(Caller),
    /// An owner that may not ask at the moment.
    Away,
    /// An owner that may never ask again.
    Gone,
}

/// Returns the owner of an address, as things are now: one that may ask for nothing any more is told nothing any more.
fn owner(engine: &Engine, push: &TaskPushRow) -> Owner {
    let Some(key) = engine.registry.keys.of_id(&push.created_by) else { return Owner::Gone };
    let session_id = push.session_id.clone().filter(|id| id.starts_with(SESSION_PREFIX));
    let is_open = |id: &String| sessions::open_session(engine, &key.org_id, id).is_some();
    let is_gateway = key.role == Role::Gateway;
    // A gateway speaks for no one outside of a session.
    if session_id.as_ref().map_or(is_gateway, |id| !is_open(id)) {
        return Owner::Gone;
    }
    let agent_id = (push.owner != key.id).then(|| push.owner.clone());
    let owner = Caller { key, agent_id, session_id };
    // Those who look after agents see what became of one.
    let speaks = is_gateway || owner.key.role == Role::Agent;
    let Some(agent_id) = owner.agent_id.as_ref().filter(|_| speaks) else {
        return Owner::Here(owner);
    };
    let agent = engine.registry.agents.get(&owner.key.org_id, agent_id);
    match agent.map(|entry| entry.agent.status) {
        Some(AgentStatus::Active) if is_gateway || owner.key.is_bound_to(agent_id) => {
            Owner::Here(owner)
        }
        Some(AgentStatus::Suspended) => Owner::Away,
        _ => Owner::Gone,
    }
}

/// Returns what is sent along to this one.
///
/// # Errors
///
/// Unavailable where it was sealed by a key that is not here.
pub(crate) fn proof(engine: &Engine, row: &TaskPushRow) -> Result<Proof, Error> {
    let along = match &row.secret {
        None => Along::default(),
        Some(text) => {
            let text = sealed::open(&engine.sealer, SecretOf::TaskPush, &row.id, text)?;
            serde_json::from_str(text.expose()).unwrap_or_default()
        }
    };
    let secret = |text: Option<String>| text.map(Secret::from);
    Ok(Proof { token: secret(along.token), credentials: secret(along.credentials) })
}
