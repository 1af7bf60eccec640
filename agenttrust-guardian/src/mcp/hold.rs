//! Waiting for an approval, for as long as the operator lets held calls wait.

use std::time::{Duration, Instant};

use agenttrust::model::ApprovalStatus;

use super::Proxy;
use super::who::Who;
use crate::domain::{Error, Permission};
use crate::services::approvals;

/// How often a caller hears that its call still waits.
const BEAT: Duration = Duration::from_secs(2);

/// Waits until the approval is decided, or the time is over; returns whether anything has come of it. `beat` is called
/// now and then, and says whether anyone still waits.
///
/// # Errors
///
/// Too many where as many wait as may.
pub(super) async fn decided(
    proxy: &Proxy,
    who: &Who,
    approval_id: &str,
    mut beat: impl FnMut(Duration) -> bool,
) -> Result<bool, Error> {
    let engine = &proxy.engine;
    let hold = engine.settings.mcp.hold;
    let begun = Instant::now();
    // It waits with others that do, and is counted as they are.
    let _waiting = engine.limits.waiting.take(&who.key, 1)?;
    while let Some(left) = hold.checked_sub(begun.elapsed()).filter(|left| !left.is_zero()) {
        if !beat(begun.elapsed()) {
            return Ok(false);
        }
        let reach = who.reach(Permission::ReadApprovals);
        let wait = left.min(BEAT);
        let approval = approvals::wait_for(engine, reach, approval_id, wait, || Ok(())).await?;
        if approval.status != ApprovalStatus::Pending {
            return Ok(true);
        }
        if *engine.closing().borrow() {
            return Ok(false);
        }
    }
    Ok(false)
}
