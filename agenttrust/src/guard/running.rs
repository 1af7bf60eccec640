//! A permitted call that runs, as the calls inside of it see it. They see the approval that it used and, if a layer was
//! built to say so, the guard that they ask.
//!
//! A person who approved a request expects it to be made. If a guarded function inside is held once more, it takes a
//! second approval for what a user sees as one call. So its hold says which approval was used already, and how one can
//! serve both.

use std::fmt;
use std::sync::Arc;

use super::AgentTrustGuard;
use super::cover::Cover;
use super::permit::Permit;
use super::scope::{self, Entered};

/// A permitted call that runs, with the cover and the approval that hold on its thread.
pub struct Running {
    cover: Option<Cover>,
    approved: Option<Approved>,
}

impl Running {
    /// Creates a call under `permit`, with what its layer hands on; `None` where there is nothing to know.
    #[must_use]
    pub fn under(permit: &mut Permit, cover: Option<Cover>) -> Option<Self> {
        let cover = cover.map(|cover| cover.under(permit));
        let approved = Approved::by(permit);
        (cover.is_some() || approved.is_some()).then_some(Self { cover, approved })
    }

    /// Makes it known on this thread until what is returned is dropped.
    pub fn enter(&self) -> Entered {
        let guard = self.cover.as_ref().map(|cover| cover.guard().clone());
        Entered::new(guard, self.cover.clone(), self.approved.clone())
    }
}

impl fmt::Debug for Running {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Running").field("cover", &self.cover).finish_non_exhaustive()
    }
}

/// An approval that a running call used.
#[derive(Clone)]
pub(super) struct Approved(Arc<Inner>);

struct Inner {
    agent_id: String,
    tool: String,
    approval_id: String,
}

impl Approved {
    fn by(permit: &Permit) -> Option<Self> {
        let approval_id = permit.approval_id()?.to_owned();
        let (agent_id, tool) = (permit.agent_id().to_owned(), permit.tool().to_owned());
        Some(Self(Arc::new(Inner { agent_id, tool, approval_id })))
    }

    /// Returns the one that was used closest around a call of `guard`'s agent on this thread.
    pub(super) fn around(guard: &AgentTrustGuard) -> Option<Self> {
        scope::find_approved(|approved| approved.0.agent_id == guard.agent_id())
    }
}

/// The text ends the sentence that says what a call inside is held for.
impl fmt::Display for Approved {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Inner { tool, approval_id, .. } = &*self.0;
        write!(
            f,
            "; it is held inside of tool {tool:?}, which has just used approval {approval_id} and needs \
             another one to be retried: where the two are one call, give both one tool name and build the \
             layer around with `covers_inner(true)`, so that one approval serves both"
        )
    }
}
