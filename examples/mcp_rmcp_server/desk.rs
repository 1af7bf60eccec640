//! The operator's desk: shows what is held, and approves it where that is wanted.

use std::collections::HashSet;
use std::io::{self, Write as _};
use std::time::Duration;

use agenttrust::{AgentTrustClient, AgentTrustError, Approval, ApprovalFilter, ApprovalStatus};
use serde_json::Value;
use tempfile::NamedTempFile;
use tokio::task::JoinHandle;

/// The pause between two looks.
const PAUSE: Duration = Duration::from_millis(200);

/// Watches for approvals until it is dropped.
pub(crate) struct Desk {
    watching: JoinHandle<()>,
}

impl Desk {
    /// Starts the desk. With `approve`, everything that is held is approved once it was shown: for trying things out
    /// alone. Without it, the command that approves is shown instead.
    pub(crate) fn start(
        operator: AgentTrustClient,
        url: &str,
        key: &str,
        approve: bool,
    ) -> io::Result<Self> {
        let how = How { url: url.to_owned(), key: header_file(key)?, approve };
        Ok(Self { watching: tokio::spawn(watch(operator, how)) })
    }
}

impl Drop for Desk {
    fn drop(&mut self) {
        self.watching.abort();
    }
}

struct How {
    url: String,
    /// The header that makes its sender an operator, for `curl -H @FILE`.
    key: NamedTempFile,
    approve: bool,
}

/// Returns the operator's key in a file of its own, which only our account can read, and not in the log. A client keeps
/// the log of its servers (stderr), and the agent that is guarded here may well be able to read that, and would approve
/// its own calls.
///
/// A program that can read the file can approve, and so could an agent that runs programs as the same account. In
/// earnest, the operator's key is on another machine, or another account's, and one approves from there.
fn header_file(key: &str) -> io::Result<NamedTempFile> {
    // It is made with the mode 0600, and removed at the end.
    let mut file = NamedTempFile::with_prefix("operator-")?;
    writeln!(file, "X-API-Key: {key}")?;
    Ok(file)
}

async fn watch(operator: AgentTrustClient, how: How) {
    let mut shown = HashSet::new();
    loop {
        if let Err(error) = look(&operator, &how, &mut shown).await {
            eprintln!("what is held cannot be read: {error}");
        }
        tokio::time::sleep(PAUSE).await;
    }
}

async fn look(
    operator: &AgentTrustClient,
    how: &How,
    shown: &mut HashSet<String>,
) -> Result<(), AgentTrustError> {
    let pending = ApprovalFilter::default().status(ApprovalStatus::Pending);
    for approval in operator.approvals().list(&pending).await? {
        if shown.contains(&approval.id) {
            continue;
        }
        // A list has no arguments; and they come a moment after the approval. Until then it is not
        // shown: nobody approves what nobody has seen.
        let approval = operator.approvals().get(&approval.id).await?;
        if let Some(input) = &approval.input {
            shown.insert(approval.id.clone());
            decide(operator, how, &approval, input).await;
        }
    }
    Ok(())
}

async fn decide(operator: &AgentTrustClient, how: &How, approval: &Approval, input: &Value) {
    let Approval { id, action_name, .. } = approval;
    eprintln!("held: {action_name} {input}");
    if !how.approve {
        let How { url, key, .. } = how;
        eprintln!(
            "  to approve it:\n  curl -X POST -H '@{}' -H 'Content-Type: application/json' \
             -d '{{\"decided_by\":\"me\"}}' {url}/mcp/approvals/{id}/approve",
            key.path().display()
        );
        return;
    }
    match operator.approvals().approve(id, "--approve").await {
        Ok(()) => eprintln!("  approved {id}, because of --approve"),
        Err(error) => eprintln!("  {id} is not approved: {error}"),
    }
}
