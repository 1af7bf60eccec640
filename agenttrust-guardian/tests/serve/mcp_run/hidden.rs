//! What a run knows is not its server's to read, which runs as the same user.

use std::fs::{Permissions, copy, hard_link, metadata, set_permissions};
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::path::Path;

use serde_json::json;
use tokio::process::Command;

use super::client::Client;
use super::server;

/// A user that may read nothing that is another's.
const NOBODY: u32 = 65_534;

/// Puts a program where every user can run it.
fn put(program: &str, folder: &Path, name: &str) -> String {
    let to = folder.join(name);
    // Onto another file system it cannot be linked.
    hard_link(program, &to).or_else(|_| copy(program, &to).map(drop)).unwrap();
    to.to_str().unwrap().to_owned()
}

#[tokio::test]
async fn variables_and_memory_of_a_run_are_not_its_servers_to_read() {
    let mut program = env!("CARGO_BIN_EXE_agenttrust").to_owned();
    let mut server = server::command();
    let folder = tempfile::tempdir().unwrap();
    // Nothing is hidden from root.
    let is_root = metadata("/proc/self").unwrap().uid() == 0;
    if is_root {
        set_permissions(folder.path(), Permissions::from_mode(0o755)).unwrap();
        program = put(&program, folder.path(), "agenttrust");
        server[0] = put(&server[0], folder.path(), "server");
    }
    let mut command = Command::new(program);
    command.args(["mcp", "run", "--server", "notes", "--"]).args(server).env_clear();
    command.env(server::IS_SERVER, "").env("AGENTTRUST_SECRET_KEY", "S3cret").kill_on_drop(true);
    command.current_dir(folder.path());
    if is_root {
        command.uid(NOBODY).gid(NOBODY);
    }
    let mut client = Client::spawn(command);
    let said = client.says("read_env", json!({ "of": client.id() })).await;
    assert_eq!(said, "environment Err(PermissionDenied), memory Err(PermissionDenied), own true");
}
