//! The session and the key of a guard, which its approvals are bound by: where they come from.

use std::env;
use std::ffi::OsString;
use std::path::PathBuf;

use super::state::GuardState;
use crate::hex;
use crate::model::name::NAME_MAX_BYTES;

/// The session and the key that were given to the builder.
pub(super) struct Given {
    pub(super) session_id: Option<String>,
    pub(super) binding_key: Option<[u8; 32]>,
}

/// The session and the key by which the approvals of a guard are bound.
pub(super) struct BoundBy {
    pub(super) session_id: String,
    pub(super) session_is_generated: bool,
    pub(super) binding_key: [u8; 32],
    pub(super) key_is_random: bool,
}

impl BoundBy {
    /// Returns what a guard has that makes no call.
    pub(super) fn nothing() -> Self {
        Self {
            session_id: made_up_session(),
            session_is_generated: true,
            binding_key: [0; 32],
            key_is_random: true,
        }
    }
}

impl Given {
    /// Adds what was not said: from the state file, from the environment, from a file that it names, and
    /// else at random.
    pub(super) fn complete(
        self,
        state_file: Option<PathBuf>,
        agent_id: &str,
    ) -> Result<BoundBy, String> {
        let mut session_id = self.session_id.filter(|id| !id.is_empty());
        let mut binding_key = self.binding_key;
        let mut add = |session: Option<String>, key: Option<[u8; 32]>| {
            session_id = session_id.take().or(session);
            binding_key = binding_key.or(key);
            session_id.is_some() && binding_key.is_some()
        };
        let kept = |path: PathBuf| GuardState::load_or_create(&path, agent_id, generated);
        // Looked at whoever else says something: one that others can reach is told of.
        let of_file = state_file.map(kept).transpose()?;
        let mut is_complete = add(None, None);
        if !is_complete {
            is_complete = add(session_of_environment()?, key_of_environment()?);
        }
        if let Some(kept) = of_file {
            is_complete = add(Some(kept.session_id), Some(kept.binding_key));
        }
        if !is_complete && let Some(path) = variable("AGENTTRUST_STATE") {
            let kept = kept(path.into())?;
            add(Some(kept.session_id), Some(kept.binding_key));
        }
        let (session_is_generated, key_is_random) = (session_id.is_none(), binding_key.is_none());
        if session_id.as_ref().is_some_and(|id| id.len() > NAME_MAX_BYTES) {
            return Err(format!(
                "the guard's session id is longer than {NAME_MAX_BYTES} bytes, which is the most; give a \
                 shorter one"
            ));
        }
        Ok(BoundBy {
            session_id: session_id.unwrap_or_else(made_up_session),
            session_is_generated,
            binding_key: binding_key.map_or_else(random_key, Ok)?,
            key_is_random,
        })
    }
}

/// Returns a session and a key at random, for a state file that is not there yet.
fn generated() -> Result<GuardState, String> {
    Ok(GuardState { session_id: made_up_session(), binding_key: random_key()? })
}

fn made_up_session() -> String {
    uuid::Uuid::new_v4().to_string()
}

fn random_key() -> Result<[u8; 32], String> {
    let mut key = [0; 32];
    getrandom::fill(&mut key).map_err(|error| {
        format!("the system gave no random numbers for the guard's key: {error}")
    })?;
    Ok(key)
}

fn variable(name: &str) -> Option<OsString> {
    env::var_os(name).filter(|value| !value.is_empty())
}

fn session_of_environment() -> Result<Option<String>, String> {
    let text = |session: OsString| {
        session.into_string().map_err(|_| "AGENTTRUST_SESSION_ID is not UTF-8".to_owned())
    };
    variable("AGENTTRUST_SESSION_ID").map(text).transpose()
}

fn key_of_environment() -> Result<Option<[u8; 32]>, String> {
    let key = |key: OsString| {
        key.to_str().and_then(hex::decode).ok_or_else(|| {
            "AGENTTRUST_BINDING_KEY is not 64 hexadecimal digits; make one with `openssl rand -hex 32`"
                .to_owned()
        })
    };
    variable("AGENTTRUST_BINDING_KEY").map(key).transpose()
}
