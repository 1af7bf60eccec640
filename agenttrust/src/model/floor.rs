//! Floors: what an operator lets every session of an agent have at most.

use serde::{Deserialize, Serialize};

use super::session::SessionMode;

/// Limits for every session of an agent, whatever the session itself has.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[non_exhaustive]
pub struct Floor {
    /// The least strict mode.
    #[serde(default = "unknown")]
    pub mode: SessionMode,
    /// The most that any session allows; `None` for no ceiling.
    #[serde(default)]
    pub scope_ceiling: Option<Vec<String>>,
}

/// Returns the mode of a floor that names none: unknown, so that it is never taken for open.
fn unknown() -> SessionMode {
    SessionMode::Unknown
}

/// The floor that an agent is to have.
///
/// ```
/// use agenttrust::model::{SessionMode, SetFloorRequest};
///
/// let request = SetFloorRequest::new(SessionMode::Restricted).scope_ceiling(["files:read"]);
/// assert_eq!(
///     serde_json::to_string(&request)?,
///     r#"{"mode":"restricted","scope_ceiling":["files:read"]}"#,
/// );
/// # Ok::<(), serde_json::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct SetFloorRequest {
    /// The least strict mode. `open` alone takes the whole floor away.
    pub mode: SessionMode,
    /// The most that any session allows; `Some(None)` for no ceiling, and `None` where nothing is said of it,
    /// which is refused for an agent that has one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub scope_ceiling: Option<Option<Vec<String>>>,
}

impl SetFloorRequest {
    /// Creates a floor of this mode that says nothing of the ceiling.
    #[must_use]
    pub fn new(mode: SessionMode) -> Self {
        Self { mode, scope_ceiling: None }
    }

    /// Sets the most that any session allows.
    #[must_use]
    pub fn scope_ceiling<S: Into<String>>(mut self, scopes: impl IntoIterator<Item = S>) -> Self {
        self.scope_ceiling = Some(Some(scopes.into_iter().map(Into::into).collect()));
        self
    }

    /// Takes the ceiling away, where there was one.
    #[must_use]
    pub fn no_scope_ceiling(mut self) -> Self {
        self.scope_ceiling = Some(None);
        self
    }
}
