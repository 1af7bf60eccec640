//! Approvals from both ends: bound to the input, waited for, and shown to the approver.

use std::time::{Duration, Instant};

use agenttrust::{
    AgentTrustClient, AgentTrustError, AgentTrustGuard, Approval, ApprovalFilter, ApprovalStatus,
    BoundTo, guarded,
};
use agenttrust_guardian::Role;
use agenttrust_tests::bounded::{in_a_runtime, until};
use agenttrust_tests::runs::Runs;
use agenttrust_tests::served::Serve;
use agenttrust_tests::test_guardian::{Deployment, Keys, TestAgent, TestGuardian, bot};
use anyhow::{Context, Result, bail};
use serde_json::json;
use tokio::task::JoinHandle;

use crate::AGENTTRUST;

/// Both deployments. What is shown here does not depend on who holds which key.
const DEPLOYMENTS: [Deployment; 2] = [Deployment::Embedded, Deployment::Served(AGENTTRUST)];

/// The time that a call that waits may take to go on once it is approved. The Guardian answers a
/// long poll at once; this leaves room for a slow machine, and none for sleeping through the half
/// minute.
const SOON: Duration = Duration::from_secs(15);

type Output = Result<(), AgentTrustError>;

#[guarded(effect = "destructive", skip(runs))]
async fn delete_file(path: &str, runs: &Runs) -> Output {
    runs.ran(path);
    Ok(())
}

#[guarded(
    effect = "destructive",
    tool = "delete_file",
    skip(runs),
    on_elevation = "wait",
    wait = "90s"
)]
async fn delete_file_once_approved(path: String, runs: Runs) -> Output {
    runs.ran(&path);
    Ok(())
}

/// Returns the approval that a call is held for.
fn held(output: Output) -> Result<String> {
    match output {
        Err(AgentTrustError::ElevationRequired { approval_id, .. }) => Ok(approval_id),
        other => bail!("not held: {other:?}"),
    }
}

/// Returns the one approval of this agent that waits for a decision, as its approver sees it.
async fn pending(approver: &AgentTrustClient, agent_id: &str) -> Result<Approval> {
    let filter = ApprovalFilter::default().status(ApprovalStatus::Pending).agent_id(agent_id);
    until("an approval to decide", async || Ok(approver.approvals().list(&filter).await?.pop()))
        .await
}

/// Returns a guard that keeps inputs to itself, wherever the Guardian is.
fn undisclosing(test_agent: &TestAgent) -> AgentTrustGuard {
    AgentTrustGuard::builder(test_agent.client.clone(), &test_agent.agent.id)
        .disclose_on_elevation(false)
        .build()
}

#[test]
fn an_approval_for_one_path_does_not_serve_another() -> Result<()> {
    in_a_runtime(async || {
        for deployment in DEPLOYMENTS {
            let guardian = TestGuardian::start(deployment, Keys::AgentAndOperator)?;
            let test_agent = guardian.test_agent(&["delete:file"]).await?;
            let guard = undisclosing(&test_agent);
            let runs = Runs::default();
            let delete = async |path| guard.scope(delete_file(path, &runs)).await;

            let approved = held(delete("drafts/a.txt").await)?;
            test_agent.approver.approvals().approve(&approved, "admin@company.com").await?;
            let other = held(delete("drafts/b.txt").await)?;
            assert_ne!(other, approved);
            assert!(runs.so_far().is_empty(), "{deployment:?}");
            delete("drafts/a.txt").await?;
            assert_eq!(runs.so_far(), ["drafts/a.txt"], "{deployment:?}");

            // Used up, and the other one is still nobody's.
            assert_ne!(held(delete("drafts/a.txt").await)?, approved);
            assert_eq!(held(delete("drafts/b.txt").await)?, other);
            assert_eq!(runs.so_far(), ["drafts/a.txt"], "{deployment:?}");

            let approval = test_agent.approver.approvals().get(&other).await?;
            assert_eq!(approval.bound_to, BoundTo::Input);
            // A guard that discloses nothing tells the Guardian the length alone.
            let said = approval.action_input_summary.context("a count")?;
            assert!(said.ends_with(" chars]") && !said.contains("drafts"), "{said}");
            assert_eq!(approval.input, None);
        }
        Ok(())
    })
}

#[test]
fn an_approval_does_not_serve_another_guard_of_another_session() -> Result<()> {
    in_a_runtime(async || {
        for deployment in DEPLOYMENTS {
            let guardian = TestGuardian::start(deployment, Keys::AgentAndOperator)?;
            let test_agent = guardian.test_agent(&["delete:file"]).await?;
            let runs = Runs::default();
            let (one, other) = (test_agent.guard(), test_agent.guard());
            let approved = held(one.scope(delete_file("a.txt", &runs)).await)?;
            test_agent.approver.approvals().approve(&approved, "admin@company.com").await?;
            assert_ne!(held(other.scope(delete_file("a.txt", &runs)).await)?, approved);
            assert!(runs.so_far().is_empty());
        }
        Ok(())
    })
}

/// Starts a call that waits for its approval.
fn start_waiting(guard: &AgentTrustGuard, runs: &Runs) -> JoinHandle<Output> {
    tokio::spawn(guard.scope(delete_file_once_approved("a.txt".to_owned(), runs.clone())))
}

#[test]
fn a_waiting_call_goes_on_soon_after_it_is_approved() -> Result<()> {
    in_a_runtime(async || {
        for deployment in DEPLOYMENTS {
            let guardian = TestGuardian::start(deployment, Keys::AgentAndOperator)?;
            let test_agent = guardian.test_agent(&["delete:file"]).await?;
            let (guard, runs) = (test_agent.guard(), Runs::default());
            let call = start_waiting(&guard, &runs);
            let approval = pending(&test_agent.approver, &test_agent.agent.id).await?;
            assert!(runs.so_far().is_empty());
            test_agent.approver.approvals().approve(&approval.id, "admin@company.com").await?;
            let decided = Instant::now();
            call.await??;
            assert!(decided.elapsed() < SOON, "{deployment:?}: {:?}", decided.elapsed());
            assert_eq!(runs.so_far(), ["a.txt"]);
        }
        Ok(())
    })
}

#[test]
fn a_waiting_call_is_refused_soon_after_it_is_denied_and_never_runs() -> Result<()> {
    in_a_runtime(async || {
        for deployment in DEPLOYMENTS {
            let guardian = TestGuardian::start(deployment, Keys::AgentAndOperator)?;
            let test_agent = guardian.test_agent(&["delete:file"]).await?;
            let (guard, runs) = (test_agent.guard(), Runs::default());
            let call = start_waiting(&guard, &runs);
            let approval = pending(&test_agent.approver, &test_agent.agent.id).await?;
            test_agent.approver.approvals().deny(&approval.id, "security@company.com").await?;
            let decided = Instant::now();
            let refused = call.await?;
            assert!(decided.elapsed() < SOON, "{deployment:?}: {:?}", decided.elapsed());
            match refused {
                Err(AgentTrustError::ActionDenied { message, .. }) => {
                    assert!(message.contains("security@company.com"), "{message}");
                }
                other => bail!("not denied: {other:?}"),
            }
            assert!(runs.so_far().is_empty());
        }
        Ok(())
    })
}

#[test]
fn a_waiting_call_survives_a_guardian_that_is_killed_and_comes_back() -> Result<()> {
    in_a_runtime(async || {
        let folder = tempfile::tempdir()?;
        let database = folder.path().join("guardian.db").display().to_string();
        let serve = Serve::new(AGENTTRUST).database(&database);
        let served = serve.clone().start()?;
        let url = served.url();
        let client = |key: &str| AgentTrustClient::builder().base_url(&url).api_key(key).build();
        let agent = client(served.admin_key())?.agents().create(&bot(&["delete:file"])).await?;
        let agent_key = served.admin().create_key(Role::Agent, &[&agent.id]).await?;
        let operator_key = served.admin().create_key(Role::Operator, &[]).await?;
        let approver = client(&operator_key)?;
        let guard = AgentTrustGuard::builder(client(&agent_key)?, &agent.id)
            .disclose_on_elevation(true)
            .build();
        let runs = Runs::default();
        let call = start_waiting(&guard, &runs);
        let approval = pending(&approver, &agent.id).await?;
        // The guard discloses when it has its answer; a Guardian killed before that would have left
        // it without one, and the call blocked.
        until("the input that the call waits with", async || {
            Ok(approver.approvals().get(&approval.id).await?.input)
        })
        .await?;

        let address = served.address();
        served.kill()?;
        let away = guard.check("delete_file", "a.txt").await;
        assert!(matches!(away, Err(AgentTrustError::GuardianUnavailable { .. })), "{away:?}");
        let served = serve.listen(address).start()?;

        // The same one: nothing was lost, nothing was opened anew.
        assert_eq!(pending(&approver, &agent.id).await?.id, approval.id);
        if call.is_finished() {
            bail!("it did not wait: {:?}", call.await?);
        }
        assert!(runs.so_far().is_empty());
        approver.approvals().approve(&approval.id, "admin@company.com").await?;
        let decided = Instant::now();
        call.await??;
        assert!(decided.elapsed() < SOON, "{:?}", decided.elapsed());
        assert_eq!(runs.so_far(), ["a.txt"]);

        // The report names a check of the Guardian that is back, and is believed.
        guard.close().await?;
        let outcomes = served.admin().audited(&agent.id, "outcome").await?;
        assert_eq!(outcomes.len(), 1, "{outcomes:?}");
        Ok(())
    })
}

#[test]
fn the_approver_is_shown_the_input_until_the_decision_and_not_after_it() -> Result<()> {
    in_a_runtime(async || {
        for deployment in DEPLOYMENTS {
            let guardian = TestGuardian::start(deployment, Keys::AgentAndOperator)?;
            let test_agent = guardian.test_agent(&["delete:file"]).await?;
            let guard = AgentTrustGuard::builder(test_agent.client.clone(), &test_agent.agent.id)
                .disclose_on_elevation(true)
                .build();
            let runs = Runs::default();
            let approvals = test_agent.approver.approvals();
            for approve in [true, false] {
                let path = if approve { "drafts/a.txt" } else { "drafts/b.txt" };
                let id = held(guard.scope(delete_file(path, &runs)).await)?;
                let shown = approvals.get(&id).await?;
                assert_eq!(shown.input, Some(json!({ "path": path })), "{deployment:?}");
                assert_eq!(shown.bound_to, BoundTo::Input);
                if approve {
                    approvals.approve(&id, "admin@company.com").await?;
                } else {
                    approvals.deny(&id, "security@company.com").await?;
                }
                assert_eq!(approvals.get(&id).await?.input, None, "{deployment:?}");
            }
            guard.scope(delete_file("drafts/a.txt", &runs)).await?;
            assert_eq!(runs.so_far(), ["drafts/a.txt"]);

            // Nor does it stay in what is kept for good.
            let audit =
                serde_json::to_string(&guardian.admin().audit(&test_agent.agent.id).await?)?;
            assert!(!audit.contains("drafts"), "{deployment:?}: the audit has the input");
        }
        Ok(())
    })
}

#[test]
fn without_disclosure_the_approver_is_shown_no_input() -> Result<()> {
    in_a_runtime(async || {
        for deployment in DEPLOYMENTS {
            let guardian = TestGuardian::start(deployment, Keys::AgentAndOperator)?;
            let test_agent = guardian.test_agent(&["delete:file"]).await?;
            let (guard, runs) = (undisclosing(&test_agent), Runs::default());
            let id = held(guard.scope(delete_file("drafts/a.txt", &runs)).await)?;
            let shown = test_agent.approver.approvals().get(&id).await?;
            assert_eq!((shown.input, shown.bound_to), (None, BoundTo::Input), "{deployment:?}");
        }
        Ok(())
    })
}
