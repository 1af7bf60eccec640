//! AuthZEN: access evaluations in the words of the standard, and approvals by its draft profile for requesting access.
//!
//! Any policy enforcement point that speaks AuthZEN 1.0 can ask these questions; here `client.access()` does. The
//! profile is experimental, as its draft is.

use agenttrust::model::{
    AccessAction, AccessEvaluation, AccessEvaluations, AccessRequest, AccessResource,
    AccessSubject, AccessTaskStatus, EvaluationsSemantic,
};
use agenttrust::{AgentTrustClient, AgentTrustError, blocking};
use agenttrust_examples::bot;

fn main() -> anyhow::Result<()> {
    agenttrust_examples::run(asynchronous, blocking)
}

async fn asynchronous(client: AgentTrustClient) -> Result<(), AgentTrustError> {
    let agent = client.agents().create(&bot(&["files:*"])).await?;
    let access = client.access();
    let pdp = access.configuration().await?;
    println!("  Evaluations at {}", pdp.access_evaluation_endpoint);

    // May this agent read that file?
    let reads = may(&agent.id, "files_read", "plan.md");
    assert!(access.evaluate(&reads).await?.decision);

    // Several at once, up to the first that is denied
    let decided = access.evaluations(&in_turn(&agent.id)).await?.evaluations;
    println!("  Decisions: {:?}", decided.iter().map(|one| one.decision).collect::<Vec<_>>());
    assert_eq!(decided.len(), 2, "the third one is not asked any more");

    // Denied, and a person may approve it: request that
    let deletes = may(&agent.id, "files_delete", "draft.md");
    let denied = access.evaluate(&deletes).await?;
    assert!(!denied.decision);
    let request = AccessRequest::of(&deletes, &denied).expect("it can be requested");
    let task = access.request(&request.justified_by("a duplicate of plan.md")).await?.task;
    println!("  Task {}: {}", task.id, task.status);
    assert_eq!(task.status, AccessTaskStatus::Pending);

    // The person, at whichever face of the Guardian
    client.approvals().approve(&task.id, "admin@company.com").await?;

    // The same evaluation once more, with the approval, which is for nothing else
    let told = access.task(&task.id).await?;
    let approval = told.approval().expect("it is approved");
    let others = may(&agent.id, "files_delete", "plan.md").with_approval(approval);
    assert!(!access.evaluate(&others).await?.decision);
    assert!(access.evaluate(&deletes.with_approval(approval)).await?.decision);
    println!("  Approved until {}", approval.approved_until.expect("a time"));
    Ok(())
}

fn blocking(client: blocking::AgentTrustClient) -> Result<(), AgentTrustError> {
    let agent = client.agents().create(&bot(&["files:*"]))?;
    let access = client.access();
    let pdp = access.configuration()?;
    println!("  Evaluations at {}", pdp.access_evaluation_endpoint);

    // May this agent read that file?
    let reads = may(&agent.id, "files_read", "plan.md");
    assert!(access.evaluate(&reads)?.decision);

    // Several at once, up to the first that is denied
    let decided = access.evaluations(&in_turn(&agent.id))?.evaluations;
    println!("  Decisions: {:?}", decided.iter().map(|one| one.decision).collect::<Vec<_>>());
    assert_eq!(decided.len(), 2, "the third one is not asked any more");

    // Denied, and a person may approve it: request that
    let deletes = may(&agent.id, "files_delete", "draft.md");
    let denied = access.evaluate(&deletes)?;
    assert!(!denied.decision);
    let request = AccessRequest::of(&deletes, &denied).expect("it can be requested");
    let task = access.request(&request.justified_by("a duplicate of plan.md"))?.task;
    println!("  Task {}: {}", task.id, task.status);
    assert_eq!(task.status, AccessTaskStatus::Pending);

    // The person, at whichever face of the Guardian
    client.approvals().approve(&task.id, "admin@company.com")?;

    // The same evaluation once more, with the approval, which is for nothing else
    let told = access.task(&task.id)?;
    let approval = told.approval().expect("it is approved");
    let others = may(&agent.id, "files_delete", "plan.md").with_approval(approval);
    assert!(!access.evaluate(&others)?.decision);
    assert!(access.evaluate(&deletes.with_approval(approval))?.decision);
    println!("  Approved until {}", approval.approved_until.expect("a time"));
    Ok(())
}

/// Returns the question whether the agent may call this tool on this file.
fn may(agent_id: &str, tool: &str, file: &str) -> AccessEvaluation {
    AccessEvaluation::new(
        AccessSubject::agent(agent_id),
        AccessAction::new(tool),
        AccessResource::new("file", file),
    )
}

fn in_turn(agent_id: &str) -> AccessEvaluations {
    let each = ["files_read", "db_read", "files_list"].map(|tool| may(agent_id, tool, "plan.md"));
    AccessEvaluations::new(each).semantic(EvaluationsSemantic::DenyOnFirstDeny)
}
