//! The steps before the policies: what memory alone says about a check.

use std::sync::Arc;

use agenttrust::Timestamp;

use super::session::{self, Entered, SessionContext};
use super::{Check, ceiling, classify, identity, proof, scopes};
use crate::classify::Classification;
use crate::domain::Error;
use crate::engine::Engine;
use crate::registry::AgentEntry;

/// The facts of memory about a check, before the policies are asked.
#[derive(Debug)]
pub(super) struct Evaluation {
    pub(super) agent: Arc<AgentEntry>,
    pub(super) session: SessionContext,
    pub(super) class: Classification,
    pub(super) scopes: Vec<String>,
    /// The reason why it is denied whatever the policies say.
    pub(super) refused: Option<String>,
    pub(super) now: Timestamp,
    /// The number of times that memory had changed by then.
    pub(super) changed: u64,
}

/// Takes the steps before the policies. They read memory only.
pub(super) fn evaluate(engine: &Engine, check: &Check) -> Result<Evaluation, Error> {
    // Before anything is read: what changes from here on is looked at once more.
    let changed = engine.synced.changed();
    let now = engine.clock.now();
    let agent = identity::agent(engine, check)?;
    let (session, refused) = match session::enter(engine, check, &agent, now)? {
        Entered::In(session) => (session, None),
        Entered::Refused { session, reason } => (session, Some(reason)),
    };
    let known = engine.registry.tools.known(&check.key.org_id, &check.tool);
    let class = classify::classified(check, &known, session.chain());
    let scopes = scopes::needed(check, &known);
    let refused = out_of_touch(engine)
        .or_else(|| identity::standing(&agent))
        .or(refused)
        .or_else(|| proof::missing(engine, check, &agent, &session))
        .or_else(|| ceiling::outside(&check.tool, &scopes, &agent, &session));
    Ok(Evaluation { agent, session, class, scopes, refused, now, changed })
}

/// Returns why nothing at all is allowed at present.
fn out_of_touch(engine: &Engine) -> Option<String> {
    if let Some(why) = engine.ended() {
        return Some(why.to_owned());
    }
    (!engine.is_in_touch()).then(|| {
        "this Guardian is out of touch with its database, so it does not know what was revoked; \
         try again, or ask another replica"
            .to_owned()
    })
}
