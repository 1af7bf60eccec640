//! A gRPC service behind the guard: `cargo run --example tonic_files`.
//!
//! `files.rs` is the service, compiled from `proto/files.proto`; `serving.rs` shows both places where
//! the guard goes. The rest of this file is tonic's client, calling over a socket. Everything that is
//! printed has been checked a line above; the program fails when it is not so. It works in the
//! empty folder of its argument, or in a temporary one.
//!
//! The layer sees which method is called and not with which message, so an approval is for one call of
//! `DeleteFile`, whatever the file. Where it has to be for this file and no other, guard the function
//! that deletes, as `quickstart/tools.rs` does.

mod files;
mod serving;

use std::path::PathBuf;
use std::time::Duration;

use agenttrust::{AgentTrustGuard, CreateAgentRequest};
use agenttrust_examples::transcript::{section, short, step};
use agenttrust_examples::{Outcome, outcomes};
use agenttrust_guardian::{Guardian, Role};
use anyhow::{Context as _, ensure};
use tempfile::TempDir;
use tonic::transport::Channel;
use tonic::{Code, Status};

use self::files::Folder;
use self::files::proto::files_client::FilesClient;
use self::files::proto::{DeleteFileRequest, DownloadRequest, ListFilesRequest};
use self::serving::Serving;

/// The time that a chunk takes, so that a download takes time.
const PACE: Duration = Duration::from_millis(25);

const PLAN: &str = "ship the reading room, order shelves, and then the lamps for them";

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let temporary = TempDir::with_prefix("files-")?;
    let path = std::env::args_os().nth(1);
    let path = path.map_or_else(|| temporary.path().to_owned(), PathBuf::from);
    for (name, text) in [("draft.md", "a draft"), ("plan.md", PLAN)] {
        std::fs::write(path.join(name), text)?;
    }
    let folder = Folder::new(&path, PACE);

    let guardian = Guardian::in_memory().await?;
    let archivist = register(&guardian, "archivist", &["grpc/files.v1.Files/*"]).await?;
    let guest = register(&guardian, "guest", &["grpc/files.v1.Files/ListFiles"]).await?;

    let served = Serving::all_guarded(folder.clone(), archivist.clone()).await?;
    let mut client = FilesClient::connect(served.url.clone()).await?;
    listing_is_allowed(&mut client).await?;
    a_download_is_reported_when_it_ends(&guardian, &archivist, &mut client).await?;
    deleting_is_held(&guardian, &folder, &mut client).await?;
    a_status_is_an_outcome(&guardian, &archivist, &mut client).await?;

    let served = Serving::one_guarded(folder.clone(), guest.clone()).await?;
    let mut client = FilesClient::connect(served.url.clone()).await?;
    without_a_capability_nothing_runs(&folder, &mut client).await?;

    archivist.close().await?;
    guest.close().await?;
    guardian.close().await;
    Ok(())
}

async fn listing_is_allowed(client: &mut FilesClient<Channel>) -> anyhow::Result<()> {
    section("1. Listing is a read, as its name says");
    let names = client.list_files(ListFilesRequest {}).await?.into_inner().names;
    ensure!(names == ["draft.md", "plan.md"], "the folder holds {names:?}");
    step("archivist lists the files", format!("allowed: {}", names.join(", ")));
    Ok(())
}

async fn a_download_is_reported_when_it_ends(
    guardian: &Guardian,
    guard: &AgentTrustGuard,
    client: &mut FilesClient<Channel>,
) -> anyhow::Result<()> {
    section("2. A download is reported when its stream ends");
    let request = || DownloadRequest { name: "plan.md".to_string() };

    let mut chunks = client.download(request()).await?.into_inner();
    let first = chunks.message().await?.context("the plan is empty")?;
    ensure!(reported(guardian, guard, "Download").await?.is_empty(), "reported at its head");
    step("archivist downloads plan.md", format!("{} bytes so far, not reported", first.data.len()));

    let mut text = first.data;
    let mut count = 1;
    while let Some(chunk) = chunks.message().await? {
        text.extend(chunk.data);
        count += 1;
    }
    ensure!(text == PLAN.as_bytes(), "plan.md is not what was sent");
    let download = eventually(guardian, guard, "Download", 1).await?;
    let streamed = u64::try_from(PACE.as_millis())? * (count - 1);
    ensure!(download.success && download.duration_ms >= streamed, "reported as {download:?}");
    let happened = format!(
        "{} bytes in {count} chunks, reported: ok after {} ms",
        text.len(),
        download.duration_ms
    );
    step("... to its end", happened);

    let mut chunks = client.download(request()).await?.into_inner();
    chunks.message().await?.context("the plan is empty")?;
    drop(chunks);
    let download = eventually(guardian, guard, "Download", 2).await?;
    ensure!(download.error_type.as_deref() == Some("Cancelled"), "reported as {download:?}");
    step("... and leaves after one chunk", "reported: Cancelled");
    Ok(())
}

async fn deleting_is_held(
    guardian: &Guardian,
    folder: &Folder,
    client: &mut FilesClient<Channel>,
) -> anyhow::Result<()> {
    section("3. Deleting is held until an operator approves it");
    let request = || DeleteFileRequest { name: "draft.md".to_string() };

    let held = client.delete_file(request()).await.err().context("draft.md was deleted")?;
    ensure!(held.code() == Code::PermissionDenied, "not held: {held}");
    ensure!(metadata(&held, "agenttrust-code")? == "ELEVATION_REQUIRED", "not held: {held:?}");
    let approval_id = metadata(&held, "agenttrust-approval-id")?;
    ensure!(folder.holds("draft.md"), "draft.md was deleted before anybody approved it");
    let happened = format!("status 7, agenttrust-approval-id: {}", short(&approval_id));
    step("archivist deletes draft.md", happened);

    let operator = guardian.client_with_key(&guardian.create_key(Role::Operator, &[]).await?)?;
    operator.approvals().approve(&approval_id, "olga@files.example").await?;
    step("operator approves it", format!("{} is approved", short(&approval_id)));

    client.delete_file(request()).await?;
    ensure!(!folder.holds("draft.md"), "draft.md is still there");
    step("archivist deletes draft.md again", "allowed, as approved: the file is gone");
    Ok(())
}

async fn a_status_is_an_outcome(
    guardian: &Guardian,
    guard: &AgentTrustGuard,
    client: &mut FilesClient<Channel>,
) -> anyhow::Result<()> {
    section("4. The status of a call is how it went");
    let request = DownloadRequest { name: "draft.md".to_string() };
    let missing = client.download(request).await.err().context("a file that is gone was sent")?;
    ensure!(missing.code() == Code::NotFound, "not that: {missing}");
    let download = eventually(guardian, guard, "Download", 3).await?;
    ensure!(download.error_type.as_deref() == Some("grpc NOT_FOUND"), "reported as {download:?}");
    step("archivist downloads draft.md", "status 5, reported: grpc NOT_FOUND");
    Ok(())
}

async fn without_a_capability_nothing_runs(
    folder: &Folder,
    client: &mut FilesClient<Channel>,
) -> anyhow::Result<()> {
    section("5. The guard around one service, for an agent that may only list");
    let names = client.list_files(ListFilesRequest {}).await?.into_inner().names;
    step("guest lists the files", format!("allowed: {}", names.join(", ")));

    let request = DeleteFileRequest { name: "plan.md".to_string() };
    let denied = client.delete_file(request).await.err().context("plan.md was deleted")?;
    ensure!(denied.code() == Code::PermissionDenied, "not denied: {denied}");
    ensure!(metadata(&denied, "agenttrust-code")? == "ACTION_DENIED", "not denied: {denied:?}");
    ensure!(folder.holds("plan.md"), "plan.md is gone");
    step("guest deletes plan.md", format!("status 7: {}", denied.message()));
    Ok(())
}

async fn register(
    guardian: &Guardian,
    name: &str,
    capabilities: &[&str],
) -> anyhow::Result<AgentTrustGuard> {
    let request = CreateAgentRequest {
        name: name.to_string(),
        capabilities: capabilities.iter().map(ToString::to_string).collect(),
        ..Default::default()
    };
    let id = guardian.client().agents().create(&request).await?.id;
    let key = guardian.create_key(Role::Agent, &[&id]).await?;
    Ok(AgentTrustGuard::new(guardian.client_with_key(&key)?, &id))
}

fn metadata(status: &Status, key: &str) -> anyhow::Result<String> {
    let value = status.metadata().get(key).with_context(|| format!("no {key} in {status:?}"))?;
    Ok(value.to_str()?.to_owned())
}

/// Returns the calls of a method that have been reported so far.
async fn reported(
    guardian: &Guardian,
    guard: &AgentTrustGuard,
    method: &str,
) -> anyhow::Result<Vec<Outcome>> {
    guard.flush().await?;
    let tool = format!("grpc/files.v1.Files/{method}");
    Ok(outcomes(guardian).await?.into_iter().filter(|outcome| outcome.tool == tool).collect())
}

/// Returns the latest of `count` reports, once there are so many: the server learns of an end a moment after
/// its client.
async fn eventually(
    guardian: &Guardian,
    guard: &AgentTrustGuard,
    method: &str,
    count: usize,
) -> anyhow::Result<Outcome> {
    for _ in 0..200 {
        let mut reported = reported(guardian, guard, method).await?;
        if reported.len() >= count {
            ensure!(reported.len() == count, "reported more than once: {reported:?}");
            return reported.pop().context("none was waited for");
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    anyhow::bail!("{method} was never reported")
}
