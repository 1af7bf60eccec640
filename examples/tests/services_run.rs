//! The services keep their promises: each is run as its reader would run it, in a folder whose files are
//! looked at afterwards.
//!
//! `cargo test` builds the examples beside the tests; with `--test services_run` alone it does not, so
//! run `cargo build --examples` before.

use std::path::PathBuf;
use std::process::Stdio;
use std::time::Duration;

use tempfile::TempDir;
use tokio::process::Command;

const PATIENCE: Duration = Duration::from_secs(120);

/// An example that has run, and the folder that it worked in.
struct Run {
    printed: String,
    folder: TempDir,
}

impl Run {
    /// Runs the built example with no Guardian in its environment; it must end well.
    async fn of(name: &str) -> Self {
        let folder = TempDir::new().expect("a temporary folder");
        let mut path: PathBuf = std::env::current_exe().expect("a test has a path");
        path.pop();
        path.set_file_name("examples");
        path.push(format!("{name}{}", std::env::consts::EXE_SUFFIX));
        assert!(path.is_file(), "{} is not built; run `cargo build --examples`", path.display());
        let mut command = Command::new(path);
        for variable in
            ["AGENTTRUST_URL", "AGENTTRUST_BASE_URL", "AGENTTRUST_API_KEY", "AGENTTRUST_AGENT_ID"]
        {
            command.env_remove(variable);
        }
        // What is on loopback is not for a proxy of the environment.
        command.env("NO_PROXY", "127.0.0.1");
        command.arg(folder.path()).stdin(Stdio::null()).kill_on_drop(true);
        let output = tokio::time::timeout(PATIENCE, command.output()).await;
        let output = output.unwrap_or_else(|_| panic!("{name} did not end")).expect("it starts");
        let printed = String::from_utf8(output.stdout).expect("it prints text");
        let complained = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{name}: {}\n{printed}\n{complained}", output.status);
        for line in printed.lines() {
            assert!(line.chars().count() < 100, "too long for a README: {line}");
        }
        Self { printed, folder }
    }

    /// Each of these was printed, one after the other. Long lines are wrapped: the words are compared.
    fn promises(&self, steps: &[&str]) {
        let words = self.printed.split_whitespace().collect::<Vec<_>>().join(" ");
        let mut rest = words.as_str();
        for step in steps {
            let Some((_, after)) = rest.split_once(step) else {
                panic!("no {step:?}, or not in its place, in\n{}", self.printed);
            };
            rest = after;
        }
    }

    fn files(&self) -> Vec<String> {
        let entries = std::fs::read_dir(self.folder.path()).expect("the folder is there");
        let name = |entry: std::io::Result<std::fs::DirEntry>| {
            entry.expect("a file").file_name().to_string_lossy().into_owned()
        };
        let mut files: Vec<_> = entries.map(name).collect();
        files.sort();
        files
    }

    /// How often this was reported.
    fn reported(&self, report: &str) -> usize {
        let (_, reports) = self.printed.split_once("What was reported").expect("the last scene");
        reports.lines().filter(|line| line.ends_with(report)).count()
    }
}

#[tokio::test]
async fn the_notes_are_their_agents_by_token_and_deleted_when_approved() {
    let run = Run::of("axum_crud").await;
    run.promises(&[
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
        assert_eq!(run.reported(report), times, "{report} in\n{}", run.printed);
    }
}

#[tokio::test]
async fn the_files_over_grpc_are_reported_at_their_end_and_deleted_when_approved() {
    let run = Run::of("tonic_files").await;
    run.promises(&[
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
    let run = Run::of("tower_mcp_server").await;
    run.promises(&[
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
        assert_eq!(run.reported(report), times, "{report} in\n{}", run.printed);
    }
    assert_eq!(run.files(), ["plan.md", "summary.md"]);
    let summary = std::fs::read_to_string(run.folder.path().join("summary.md"));
    assert_eq!(summary.expect("a file"), "shelves first");
}
