//! A Guardian in the program that it guards, asked by 1, 8 and 64 tasks: how many checks a second, how many
//! denied.
//!
//! The allocator is that of the `agenttrust` program. A row of the audit is made on the caller's thread and let go on
//! the writer's. With the allocator of glibc, threads wait for each other there, and 8 tasks on two cores make about
//! half as many checks.
//!
//! `cargo bench -p agenttrust-guardian --bench embedded [-- CHECKS]`; 100,000 checks of each kind by default.

use std::time::{Duration, Instant};

use agenttrust::{Action, AgentTrustGuard, CreateAgentRequest, Effect};
use agenttrust_guardian::{Guardian, Role};

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

const CHECKS: usize = 100_000;

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let checks = std::env::args().find_map(|word| word.parse().ok()).unwrap_or(CHECKS);
    let folder = tempfile::tempdir()?;
    let file = folder.path().join("guardian.db");
    println!(
        "{:8} {:5} {:>9} {:>9} {:>9} {:>11}",
        "database", "tasks", "checks/s", "p50", "p99", "not allowed"
    );
    let mut denied = 0;
    for (name, database) in [("memory", "memory"), ("file", file.to_str().ok_or("a path")?)] {
        for tasks in [1, 8, 64] {
            let guardian = Guardian::builder().database(database).build().await?;
            denied += ask(&guardian, name, tasks, checks).await?;
            guardian.close().await;
        }
    }
    if denied > 0 {
        return Err(format!("{denied} checks were not allowed").into());
    }
    Ok(())
}

/// Has so many tasks make so many checks in all; returns how many of them were not allowed.
async fn ask(
    guardian: &Guardian,
    database: &str,
    tasks: usize,
    checks: usize,
) -> Result<usize, Box<dyn std::error::Error>> {
    let request = CreateAgentRequest {
        name: "reader".to_owned(),
        capabilities: vec!["files:*".to_owned()],
        ..Default::default()
    };
    let agent = guardian.client().agents().create(&request).await?.id;
    let key = guardian.create_key(Role::Agent, &[&agent]).await?;
    let guard = AgentTrustGuard::builder(guardian.client_with_key(&key)?, &agent).build();

    let begun = Instant::now();
    let asking: Vec<_> = (0..tasks)
        .map(|_| {
            let guard = guard.clone();
            tokio::spawn(async move {
                let (mut took, mut denied) = (Vec::with_capacity(checks / tasks), 0);
                for n in 0..checks / tasks {
                    let action = Action::new("files_read").effect(Effect::Read).input(&n);
                    let asked = Instant::now();
                    match guard.authorize(action).await {
                        Ok(permit) => permit.finish(&Ok::<_, std::io::Error>(())),
                        Err(_) => denied += 1,
                    }
                    took.push(asked.elapsed());
                }
                (took, denied)
            })
        })
        .collect();
    let (mut took, mut denied) = (Vec::with_capacity(checks), 0);
    for task in asking {
        let (of_task, denied_to_it) = task.await?;
        took.extend(of_task);
        denied += denied_to_it;
    }
    let all = begun.elapsed();
    guard.close().await?;
    took.sort_unstable();
    let at = |share: usize| took.get(took.len() * share / 100).copied().unwrap_or(Duration::ZERO);
    println!(
        "{database:8} {tasks:5} {:9.0} {:>9.1?} {:>9.1?} {denied:11}",
        took.len() as f64 / all.as_secs_f64(),
        at(50),
        at(99),
    );
    Ok(denied)
}
