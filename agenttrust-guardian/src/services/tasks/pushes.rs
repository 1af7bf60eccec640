//! Who is to be told when a task changes: asked for by who sees it, kept sealed, and seen by nobody else.

use http::HeaderValue;
use serde::{Deserialize, Serialize};

use super::{Caller, reading};
use crate::domain::task::{TaskError, Version};
use crate::domain::{Error, Sealer, Secret, ids};
use crate::engine::Engine;
use crate::services::sealed;
use crate::store::{SecretOf, TASK_PUSHES_MOST, TaskPushRow};

/// The longest secret that is sent along, in bytes.
const SECRET_MAX_BYTES: usize = 4_000;
/// The longest name of a scheme of authentication, in bytes.
const SCHEME_MAX_BYTES: usize = 64;

/// Someone who is to be told.
#[derive(Debug)]
pub(crate) struct NewPush {
    /// As its owner names it; one of the same name is told no more.
    pub(crate) id: Option<String>,
    pub(crate) url: String,
    /// By what the receiver knows that it is told what it asked for.
    pub(crate) token: Option<Secret>,
    /// How the credentials are sent, as in `Bearer`.
    pub(crate) scheme: Option<String>,
    pub(crate) credentials: Option<Secret>,
}

/// Someone who is told, without what is sent along.
#[derive(Clone, Debug)]
pub(crate) struct Push {
    pub(crate) id: String,
    pub(crate) task_id: String,
    pub(crate) url: String,
    pub(crate) scheme: Option<String>,
}

/// What is sent along, as it is sealed.
#[derive(Default, Serialize, Deserialize)]
struct Along {
    token: Option<String>,
    credentials: Option<String>,
}

/// What is sent along when something is told.
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

/// Has someone told of a task from now on; of how it stands now as well where `at_once` says so.
///
/// # Errors
///
/// Not found for a task that the caller does not see; invalid for who could not be told; too many where as many are told
/// as may be.
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
    let row = TaskPushRow {
        owner: caller.source().to_owned(),
        // Without a name there is one for each task, so that a message sent again has no one told twice.
        name: new.id.unwrap_or_else(|| task.id.clone()),
        version: version.as_str().to_owned(),
        url: new.url,
        scheme: new.scheme,
        secret: seal(&engine.sealer, &id, new.token, new.credentials)?,
        created_by: caller.key.id.clone(),
        created_at: engine.clock.now(),
        task_id: task.id,
        id,
    };
    let earliest = agenttrust::Timestamp::from_unix_micros(0);
    let told_at = earliest.filter(|_| at_once).unwrap_or(task.changed_at);
    if !engine.store.put_task_push(row.clone(), told_at).await? {
        return Err(Error::too_many(format!(
            "{TASK_PUSHES_MOST} are told of this task already, which is the most; delete one first"
        ))
        .into());
    }
    Ok(row.into())
}

/// Those that the caller has told of a task, the oldest first.
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

/// Has one told no more, by its name; one that is not there is told no more already.
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

/// What is sent along to this one.
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
