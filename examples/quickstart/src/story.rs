//! The whole story in one program: `cargo run -p quickstart`.
//!
//! A librarian, which is an AI agent, works on a folder of real documents. A Guardian in this process
//! decides what it may do, an operator decides what it may not do alone, and the audit trail at the end
//! tells it all again. Nothing has to be running, and nothing has to be signed up for.
//!
//! Read this file from top to bottom: one function a section. `participants.rs` makes the Guardian, its agents and an
//! operator, `tools.rs` shows what it takes to guard a function, `web.rs` what it takes to guard a website. Everything
//! that is printed has been checked a line above; the program fails when it is not so.

use agenttrust::{AgentTrustClient, AgentTrustError, AgentTrustGuard};
use agenttrust::{InitSessionRequest, SessionMode};
use anyhow::{Context as _, ensure};
use serde_json::Value;

use crate::audit;
use crate::participants::Participants;
use crate::tools::{Tools, denial, held};
use crate::transcript::{section, short, step};
use crate::web;
use crate::{Folder, Served};

/// Tells the story, section by section.
///
/// # Errors
///
/// When something is not as the story has it.
pub async fn tell() -> anyhow::Result<()> {
    let folder = Folder::with_documents()?;
    let tools = Tools::new(folder.clone());
    let participants = Participants::assemble().await?;

    reading_is_allowed(&participants, &tools).await?;
    writing_is_allowed(&participants, &tools, &folder).await?;
    deleting_needs_an_approval(&participants, &tools, &folder).await?;
    a_missing_capability_is_a_denial(&participants, &tools, &folder).await?;
    a_session_has_a_ceiling(&participants, &tools, &folder).await?;
    the_website_is_guarded_too(&participants, &folder).await?;
    without_the_guardian_nothing_runs(&participants, &tools).await?;
    everything_was_written_down(&participants).await
}

async fn reading_is_allowed(participants: &Participants, tools: &Tools) -> anyhow::Result<()> {
    section("1. Reading is allowed");
    let guard = &participants.librarian.guard;

    let names = guard.scope(tools.list()).await?;
    ensure!(names.len() == 5, "the folder holds five documents, not {names:?}");
    step("librarian lists the folder", format!("allowed: {}", names.join(", ")));

    let plan = guard.scope(tools.read("plan.md")).await?;
    ensure!(plan.starts_with("# Plan for spring"), "plan.md reads {plan:?}");
    step("librarian reads plan.md", format!("allowed: {} characters", plan.len()));
    Ok(())
}

async fn writing_is_allowed(
    participants: &Participants,
    tools: &Tools,
    folder: &Folder,
) -> anyhow::Result<()> {
    section("2. Writing is allowed");
    let guard = &participants.librarian.guard;

    let summary = "Shelves first, then the reading room.\n";
    guard.scope(tools.write("summary.md", summary)).await?;
    ensure!(folder.read("summary.md").await? == summary, "summary.md is not what was written");
    step("librarian writes summary.md", "allowed: the file is on the disk");
    Ok(())
}

async fn deleting_needs_an_approval(
    participants: &Participants,
    tools: &Tools,
    folder: &Folder,
) -> anyhow::Result<()> {
    section("3. Deleting is held until an operator approves it, this file and no other");
    let (guard, operator) = (&participants.librarian.guard, &participants.operator.client);
    let delete = |name| guard.scope(tools.delete(name));

    let (draft, message) = held(delete("draft.md").await)?;
    ensure!(folder.holds("draft.md"), "draft.md was deleted before anybody approved it");
    step("librarian deletes draft.md", format!("held: {message}"));

    let own = participants.librarian.client.approvals().approve(&draft, "librarian").await;
    let refusal = own.err().context("the librarian approved its own request")?;
    ensure!(refusal.status() == Some(403), "not a 403: {refusal}");
    step("librarian approves it itself", format!("403: {refusal}"));

    operator.approvals().approve(&draft, "olga@reading-room.example").await?;
    step("operator approves it", format!("{} is approved", short(&draft)));

    let (contract, _) = held(delete("contract.txt").await)?;
    ensure!(contract != draft, "an approval for draft.md served contract.txt");
    ensure!(folder.holds("contract.txt"), "contract.txt is gone");
    let happened =
        format!("held: {} is for draft.md only, {} is new", short(&draft), short(&contract));
    step("librarian deletes contract.txt", happened);

    operator.approvals().deny(&contract, "olga@reading-room.example").await?;
    let denied = denial(delete("contract.txt").await)?;
    ensure!(folder.holds("contract.txt"), "contract.txt is gone");
    step("operator denies that", format!("blocked: {denied}"));

    delete("draft.md").await?;
    ensure!(!folder.holds("draft.md"), "draft.md is still there");
    step("librarian deletes draft.md", "allowed, as approved: the file is gone");
    Ok(())
}

async fn a_missing_capability_is_a_denial(
    participants: &Participants,
    tools: &Tools,
    folder: &Folder,
) -> anyhow::Result<()> {
    section(
        "4. An agent uses what it has a capability for, and no approver is asked about the rest",
    );
    let guard = &participants.trainee.guard;

    guard.scope(tools.read("plan.md")).await?;
    step("trainee reads plan.md", "allowed");

    let denied = denial(guard.scope(tools.delete("plan.md")).await)?;
    ensure!(denied.code() == "ACTION_DENIED", "not a denial: {denied}");
    ensure!(folder.holds("plan.md"), "plan.md is gone");
    step("trainee deletes plan.md", format!("blocked: {denied}"));
    Ok(())
}

async fn a_session_has_a_ceiling(
    participants: &Participants,
    tools: &Tools,
    folder: &Folder,
) -> anyhow::Result<()> {
    section("5. A restricted session stops at its ceiling");
    let librarian = &participants.librarian;
    let request = InitSessionRequest {
        agent_id: librarian.id.clone(),
        server_id: "reading-room".to_string(),
        mode: Some(SessionMode::Restricted),
        scope_ceiling: Some(vec!["files:list".to_string(), "files:read".to_string()]),
    };
    let session = librarian.client.sessions().init_session_with(&request).await?;
    let guard = AgentTrustGuard::builder(librarian.client.clone(), &librarian.id)
        .session_id(&session.session_id)
        .build();

    guard.scope(tools.read("visitors.log")).await?;
    step("librarian reads visitors.log", "allowed");

    let denied = denial(guard.scope(tools.write("visitors.log", "")).await)?;
    ensure!(denied.code() == "ACTION_DENIED", "not a denial: {denied}");
    ensure!(!folder.read("visitors.log").await?.is_empty(), "visitors.log was overwritten");
    step("librarian writes visitors.log", format!("blocked: {denied}"));

    let session = librarian.client.sessions().get_session(&session.session_id).await?;
    let (total, denied) = (session.total_calls, session.denied_calls);
    ensure!((total, denied) == (2, 1), "the session counted {total} calls, {denied} denied");
    step("the session's own count", format!("{total} calls, {denied} denied"));
    guard.close().await?;
    Ok(())
}

async fn the_website_is_guarded_too(
    participants: &Participants,
    folder: &Folder,
) -> anyhow::Result<()> {
    section("6. The same folder over HTTP, behind one tower layer");
    let website = web::website(folder.clone(), participants.website.guard.clone());
    let served = Served::on_loopback(website).await?;
    let browser = reqwest::Client::builder().no_proxy().build()?;
    let invoice = format!("{}/files/invoice-2026-03.csv", served.url());

    let answer = browser.get(&invoice).send().await?;
    ensure!(answer.status() == 200, "GET answered {}", answer.status());
    step("GET /files/invoice-2026-03.csv", format!("200, {} bytes", answer.bytes().await?.len()));

    let answer = browser.delete(&invoice).send().await?;
    ensure!(answer.status() == 403, "DELETE answered {}", answer.status());
    let problem: Value = serde_json::from_str(&answer.text().await?)?;
    let approval_id = problem["approval_id"].as_str().context("the problem names no approval")?;
    ensure!(folder.holds("invoice-2026-03.csv"), "the invoice was deleted unapproved");
    let happened = format!("403 {}, \"approval_id\": \"{approval_id}\"", problem["code"]);
    step("DELETE, the same path", happened);

    participants
        .operator
        .client
        .approvals()
        .approve(approval_id, "olga@reading-room.example")
        .await?;
    let answer = browser.delete(&invoice).send().await?;
    ensure!(answer.status() == 204, "the approved DELETE answered {}", answer.status());
    ensure!(!folder.holds("invoice-2026-03.csv"), "the invoice is still there");
    step("operator approves, DELETE again", "204: the file is gone");
    served.stop().await
}

async fn without_the_guardian_nothing_runs(
    participants: &Participants,
    tools: &Tools,
) -> anyhow::Result<()> {
    section("7. The Guardian goes away");
    let guardian = Served::on_loopback(participants.guardian.router()).await?;
    let librarian = &participants.librarian;
    let client =
        AgentTrustClient::builder().base_url(guardian.url()).api_key(&librarian.key).build()?;
    let closed = AgentTrustGuard::new(client.clone(), &librarian.id);
    let open = AgentTrustGuard::builder(client.clone(), &librarian.id).fail_open(true).build();

    closed.scope(tools.read("plan.md")).await?;
    closed.close().await?;
    step("librarian reads plan.md", "allowed by the Guardian at 127.0.0.1");

    guardian.stop().await?;
    // A connection that was kept open shows that the other side is gone once it is used.
    ensure!(client.health().await.is_err(), "it answers although it was stopped");
    let blocked = denial(closed.scope(tools.read("plan.md")).await)?;
    ensure!(matches!(blocked, AgentTrustError::GuardianUnavailable { .. }), "not that: {blocked}");
    step("Guardian stopped, reads again", format!("blocked: {blocked}"));

    open.scope(tools.read("plan.md")).await?;
    ensure!(open.stats().failed_open == 1, "it was not counted as failed open");
    step("... with fail_open(true)", "allowed unchecked, counted and logged as such");
    Ok(())
}

async fn everything_was_written_down(participants: &Participants) -> anyhow::Result<()> {
    section("8. The audit trail of all of it (calls while the Guardian was away never reached it)");
    for agent in participants.agents() {
        agent.guard.close().await?;
        ensure!(agent.guard.stats().reports_undelivered == 0, "reports of {} are lost", agent.name);
    }
    let trail = audit::read_trail(participants).await?;
    trail.print(participants);
    ensure!(trail.count("files_delete", "hold") == 2, "two deletions were held");
    ensure!(trail.count("files_delete", "allow") == 1, "one deletion was allowed");
    ensure!(trail.count("files_delete", "deny") == 2, "two deletions were denied");
    let chain = audit::verify(participants).await?;
    ensure!(chain.rows >= trail.len(), "{} rows verified of {}", chain.rows, trail.len());
    println!("\n  hash chain whole: {} rows, head {}", chain.rows, chain.head);
    participants.guardian.close().await;
    Ok(())
}
