//! The services keep their promises: each is run as its reader would run it, in a folder whose files are
//! looked at afterwards.

use crate::transcript::Run;

/// Returns how often an example's last section has this report.
fn reported(run: &Run, report: &str) -> usize {
    let (_, reports) = run.printed.split_once("What was reported").expect("the last section");
    reports.lines().filter(|line| line.ends_with(report)).count()
}

#[tokio::test]
async fn the_notes_are_their_agents_by_token_and_deleted_when_approved() {
    let run = Run::of_example("axum_crud").await;
    run.shows(&[
        "nobody reads the notes → 401, Bearer realm=\"notes\"",
        "somebody with a made-up token → 401, Bearer realm=\"notes\", error=\"invalid_token\"",
        "editor writes a note → 201, note 1 of agt_",
        "reader reads it → 200",
        "reader overwrites it → 403 ACTION_DENIED: tool \"http/PUT/notes/{id}\" is denied",
        "outside the scope ceiling [\"http/GET/*\"]",
        "reader reads note 9 → 404",
        "editor deletes note 1 → 403 ELEVATION_REQUIRED, apr_",
        "operator approves it → apr_",
        "editor deletes note 2 → 403, apr_",
        "is for note 1 only, apr_",
        "editor deletes note 1 again → 204: the note is gone",
        "editor writes two more → 201, 201",
        "editor writes a fourth → 202, and reported as NoRoom",
        "editor reads with it → 40",
    ]);
    for (report, times) in [
        ("http/POST/notes: ok", 4),
        ("http/POST/notes: NoRoom", 1),
        ("http/GET/notes/{id}: ok", 1),
        ("http/GET/notes/{id}: http 404", 1),
        ("http/DELETE/notes/{id}: ok", 1),
        ("http/PUT/notes/{id}: ok", 0),
    ] {
        assert_eq!(reported(&run, report), times, "{report} in\n{}", run.printed);
    }
}

#[tokio::test]
async fn the_files_over_grpc_are_reported_at_their_end_and_deleted_when_approved() {
    let run = Run::of_example("tonic_files").await;
    run.shows(&[
        "archivist lists the files → allowed: draft.md, plan.md",
        "archivist downloads plan.md → 16 bytes so far, not reported",
        "... to its end → 65 bytes in 5 chunks, reported: ok after",
        "... and leaves after one chunk → reported: Cancelled",
        "archivist deletes draft.md → status 7, agenttrust-approval-id: apr_",
        "operator approves it → apr_",
        "archivist deletes draft.md again → allowed, as approved: the file is gone",
        "archivist downloads draft.md → status 5, reported: grpc NOT_FOUND",
        "guest lists the files → allowed: plan.md",
        "guest deletes plan.md → status 7: tool \"grpc/files.v1.Files/DeleteFile\" is denied",
        "has no capability that covers tool",
    ]);
    assert_eq!(run.files(), ["plan.md"]);
}

#[tokio::test]
async fn the_tools_of_tower_mcp_run_when_allowed_and_delete_when_approved() {
    let run = Run::of_example("tower_mcp_server").await;
    run.shows(&[
        "nobody connects → 401",
        "writer asks for the tools → delete, list, write",
        "writer lists the files → allowed: draft.md, old.md, plan.md",
        "writer writes summary.md → allowed: the file is on the disk",
        "writer deletes draft.md → held: apr_",
        "writer deletes plan.md → held: that is for draft.md only, apr_",
        "writer deletes draft.md again → allowed, as approved: the file is gone",
        "reader lists the files → allowed: old.md, plan.md, summary.md",
        "reader writes summary.md → tool \"files/write\" is denied",
        "This call was not made.",
        "writer lists the files → not asked about: old.md, plan.md, summary.md",
        "writer deletes old.md → held: apr_",
        "operator approves, again → allowed: the file is gone",
    ]);
    for (report, times) in [("files/list: ok", 2), ("files/write: ok", 1), ("files/delete: ok", 2)]
    {
        assert_eq!(reported(&run, report), times, "{report} in\n{}", run.printed);
    }
    assert_eq!(run.files(), ["plan.md", "summary.md"]);
    let summary = std::fs::read_to_string(run.folder.path().join("summary.md"));
    assert_eq!(summary.expect("a file"), "shelves first");
}
