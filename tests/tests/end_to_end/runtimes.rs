//! One guard, called from any runtime, and when that runtime is gone or never was. There is no deadlock, no lost
//! report, and no error from a connection that no runtime drives any more.

use std::sync::Arc;
use std::thread;

use agenttrust::{
    AgentTrustClient, AgentTrustError, AgentTrustGuard, CreateAgentRequest, blocking, guarded,
};
use agenttrust_guardian::Guardian;
use agenttrust_tests::bounded::{in_a_runtime, on_a_plain_thread, one_thread, threads};
use agenttrust_tests::observed::{Intake, Observed};
use agenttrust_tests::test_guardian::{Deployment, Keys, TestAgent, TestGuardian, bot};
use anyhow::Result;

use crate::AGENTTRUST;

#[guarded(effect = "read")]
async fn read_note(name: &str) -> Result<String, AgentTrustError> {
    tokio::task::yield_now().await;
    Ok(format!("the text of {name}"))
}

#[guarded(effect = "read")]
fn read_note_now(name: &str) -> Result<String, AgentTrustError> {
    Ok(format!("the text of {name}"))
}

/// The capabilities that cover the two tools above.
const NOTES: [&str; 2] = ["read:note", "read_note_now"];

/// Checks that every report came in once, was believed, and is a success.
fn all_arrived(intake: &Intake, guard: &AgentTrustGuard, count: usize) {
    let taken = intake.all();
    assert_eq!(taken.len(), count, "{taken:?}");
    assert!(taken.iter().all(|taken| taken.event.success), "{taken:?}");
    let mut checks: Vec<_> = taken.iter().map(|taken| taken.check_id.clone().unwrap()).collect();
    checks.sort();
    checks.dedup();
    assert_eq!(checks.len(), count, "each report names its own check");
    let stats = guard.stats();
    assert_eq!(
        (stats.reports_waiting, stats.reports_dropped, stats.reports_undelivered),
        (0, 0, 0)
    );
}

/// Calls twice from each of three runtimes, each gone before the next one is there; then from none.
fn from_three_runtimes(client: AgentTrustClient, agent_id: &str) -> Result<AgentTrustGuard> {
    let guard = AgentTrustGuard::new(client, agent_id);
    for runtime in [threads(2), one_thread(), threads(1)] {
        runtime.block_on(guard.scope(async {
            read_note("one").await?;
            read_note("two").await
        }))?;
    }
    guard.scope_sync(|| read_note_now("three"))?;
    blocking::AgentTrustGuard::from(guard.clone()).close()?;
    Ok(guard)
}

#[test]
fn one_guard_serves_three_runtimes_one_after_another_over_a_real_socket() -> Result<()> {
    on_a_plain_thread(|| {
        let observed = Observed::start()?;
        let agent = observed.agent(&NOTES)?;
        let (_socket, client) = observed.socket()?;
        let guard = from_three_runtimes(client, &agent.id)?;
        all_arrived(observed.intake(), &guard, 7);
        Ok(())
    })
}

#[test]
fn one_guard_serves_three_runtimes_one_after_another_with_an_embedded_guardian() -> Result<()> {
    on_a_plain_thread(|| {
        let observed = Observed::start()?;
        let agent = observed.agent(&NOTES)?;
        let guard = from_three_runtimes(observed.client()?, &agent.id)?;
        all_arrived(observed.intake(), &guard, 7);
        Ok(())
    })
}

#[test]
fn one_guard_serves_three_runtimes_one_after_another_with_agenttrust_serve() -> Result<()> {
    on_a_plain_thread(|| {
        let guardian = TestGuardian::start(Deployment::Served(AGENTTRUST), Keys::AgentAndOperator)?;
        let TestAgent { agent, client, .. } = threads(1).block_on(guardian.test_agent(&NOTES))?;
        from_three_runtimes(client, &agent.id)?;
        let outcomes = one_thread().block_on(guardian.admin().audited(&agent.id, "outcome"))?;
        assert_eq!(outcomes.len(), 7, "{outcomes:?}");
        Ok(())
    })
}

#[test]
fn a_guard_whose_runtime_ended_mid_call_still_works_from_the_next_one() -> Result<()> {
    on_a_plain_thread(|| {
        let observed = Observed::start()?;
        let agent = observed.agent(&NOTES)?;
        let (_socket, client) = observed.socket()?;
        let guard = AgentTrustGuard::new(client, &agent.id);
        let runtime = threads(2);
        for name in ["one", "two", "three"] {
            runtime.spawn(guard.scope(read_note(name)));
        }
        // With requests under way on pooled connections, or not sent yet, or answered.
        drop(runtime);
        let last = threads(1).block_on(guard.scope(read_note("four")));
        assert_eq!(last?, "the text of four");
        Ok(())
    })
}

#[test]
fn a_sync_tool_on_a_current_thread_runtime_with_an_embedded_guardian_does_not_deadlock()
-> Result<()> {
    on_a_plain_thread(|| {
        one_thread().block_on(async {
            // Everything on this one thread: the Guardian is started here, and asked from a function
            // that blocks it.
            let guardian = Guardian::in_memory().await?;
            let client = guardian.client();
            let agent = client.agents().create(&bot(&NOTES)).await?;
            let guard = AgentTrustGuard::new(client, &agent.id);
            guard.scope(async { read_note_now("one") }).await?;
            guard
                .scope(async { tokio::spawn(guard.scope(async { read_note_now("two") })).await })
                .await??;
            guard.close().await?;
            assert_eq!(guard.stats().reports_undelivered, 0);
            guardian.close().await;
            Ok(())
        })
    })
}

#[test]
fn sync_tools_that_block_every_thread_of_a_runtime_do_not_deadlock_and_lose_no_report() -> Result<()>
{
    on_a_plain_thread(|| {
        let observed = Observed::start()?;
        let agent = observed.agent(&NOTES)?;
        let (_socket, client) = observed.socket()?;
        for (round, client) in [observed.client()?, client].into_iter().enumerate() {
            let guard = AgentTrustGuard::new(client, &agent.id);
            threads(2).block_on(async {
                let calls: Vec<_> = (0..8)
                    .map(|_| tokio::spawn(guard.scope(async { read_note_now("one") })))
                    .collect();
                for call in calls {
                    call.await??;
                }
                guard.close().await?;
                anyhow::Ok(())
            })?;
            all_arrived(observed.intake(), &guard, 8 * (round + 1));
        }
        Ok(())
    })
}

#[test]
fn one_guard_serves_many_plain_threads_at_once() -> Result<()> {
    on_a_plain_thread(|| {
        let observed = Observed::start()?;
        let agent = observed.agent(&NOTES)?;
        let (_socket, client) = observed.socket()?;
        let guard = AgentTrustGuard::new(client, &agent.id);
        thread::scope(|scope| {
            let calls: Vec<_> =
                (0..8).map(|_| scope.spawn(|| guard.scope_sync(|| read_note_now("one")))).collect();
            calls.into_iter().try_for_each(|call| call.join().unwrap().map(drop))
        })?;
        blocking::AgentTrustGuard::from(guard.clone()).close()?;
        all_arrived(observed.intake(), &guard, 8);
        Ok(())
    })
}

#[test]
fn a_guard_dropped_on_a_plain_thread_has_reported_when_the_drop_returns() -> Result<()> {
    on_a_plain_thread(|| {
        let observed = Observed::start()?;
        let agent = observed.agent(&NOTES)?;
        let (_socket, client) = observed.socket()?;
        let guard = AgentTrustGuard::new(client, &agent.id);
        guard.scope_sync(|| read_note_now("one"))?;
        drop(guard);
        assert_eq!(observed.intake().all().len(), 1);
        Ok(())
    })
}

#[test]
fn a_guard_dropped_inside_a_runtime_reports_all_the_same() -> Result<()> {
    on_a_plain_thread(|| {
        let observed = Observed::start()?;
        let agent = observed.agent(&NOTES)?;
        let (_socket, client) = observed.socket()?;
        let guard = AgentTrustGuard::new(client, &agent.id);
        one_thread().block_on(async move {
            guard.scope(read_note("one")).await?;
            drop(guard);
            anyhow::Ok(())
        })?;
        // That runtime is gone; the report is sent from elsewhere.
        assert_eq!(one_thread().block_on(observed.intake().reaches(1)).len(), 1);
        Ok(())
    })
}

/// Does everything that a blocking client and its guard do, on whatever thread this is.
fn block_here(client: &blocking::AgentTrustClient) -> Result<()> {
    let agent = client.agents().create(&CreateAgentRequest {
        name: "research-bot".to_string(),
        capabilities: vec!["web:search".to_string()],
        ..Default::default()
    })?;
    let guard = blocking::AgentTrustGuard::new(client.clone(), &agent.id);
    guard.check_with_effect("web_search", "AI news", "read")?;
    guard.report("web_search", true, 1);
    guard.close()?;
    assert_eq!(guard.stats().reports_undelivered, 0);
    Ok(())
}

fn block_everywhere(client: AgentTrustClient) -> Result<()> {
    let client = Arc::new(blocking::AgentTrustClient::from(client));
    block_here(&client)?;
    one_thread().block_on(async { block_here(&client) })?;
    let runtime = threads(2);
    runtime.block_on(async {
        // More of them than threads, on the runtime's own threads.
        let calls: Vec<_> = (0..4)
            .map(|_| {
                let client = Arc::clone(&client);
                tokio::spawn(async move { block_here(&client) })
            })
            .collect();
        for call in calls {
            call.await??;
        }
        anyhow::Ok(())
    })?;
    runtime.block_on(async { block_here(&client) })?;
    drop(runtime);
    block_here(&client)
}

#[test]
fn a_blocking_client_works_in_no_runtime_and_in_both_kinds_over_a_real_socket() -> Result<()> {
    on_a_plain_thread(|| {
        let guardian = TestGuardian::start(Deployment::Served(AGENTTRUST), Keys::OneClient)?;
        block_everywhere(guardian.admin_client()?)
    })
}

#[test]
fn a_blocking_client_works_in_no_runtime_and_in_both_kinds_with_an_embedded_guardian() -> Result<()>
{
    on_a_plain_thread(|| {
        let guardian = TestGuardian::start(Deployment::Embedded, Keys::OneClient)?;
        block_everywhere(guardian.admin_client()?)
    })
}

#[test]
fn a_guardian_started_on_one_runtime_serves_the_next() -> Result<()> {
    on_a_plain_thread(|| {
        let guardian = threads(1).block_on(Guardian::in_memory())?;
        let client = guardian.client();
        let agent = one_thread().block_on(client.agents().create(&bot(&NOTES)))?;
        let guard = AgentTrustGuard::new(client, &agent.id);
        guard.scope_sync(|| read_note_now("one"))?;
        threads(2).block_on(guard.scope(read_note("two")))?;
        Ok(())
    })
}

#[test]
fn an_async_client_is_used_from_tasks_of_one_runtime_at_once() -> Result<()> {
    in_a_runtime(async || {
        let guardian = TestGuardian::start(Deployment::Served(AGENTTRUST), Keys::OneClient)?;
        let TestAgent { agent, client, .. } = guardian.test_agent(&NOTES).await?;
        let guard = AgentTrustGuard::new(client, &agent.id);
        let calls: Vec<_> = (0..16).map(|_| tokio::spawn(guard.scope(read_note("one")))).collect();
        for call in calls {
            call.await??;
        }
        guard.close().await?;
        assert_eq!(guardian.admin().audited(&agent.id, "outcome").await?.len(), 16);
        Ok(())
    })
}
