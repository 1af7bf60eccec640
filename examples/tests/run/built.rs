//! The built examples, as their readers would run them.

use std::path::PathBuf;

use tokio::process::Command;

/// What an example might find in the environment, and is to find nowhere.
const NOT_GIVEN: [&str; 7] = [
    "AGENTTRUST_URL",
    "AGENTTRUST_BASE_URL",
    "AGENTTRUST_API_KEY",
    "AGENTTRUST_AGENT_ID",
    "OPENAI_BASE_URL",
    "OPENAI_API_KEY",
    "OPENAI_MODEL",
];

/// The built example, with no Guardian and no model in its environment.
pub(crate) fn example(name: &str) -> Command {
    let mut path: PathBuf = std::env::current_exe().expect("a test has a path");
    path.pop();
    path.set_file_name("examples");
    path.push(format!("{name}{}", std::env::consts::EXE_SUFFIX));
    assert!(path.is_file(), "{} is not built; run `cargo build --examples`", path.display());
    let mut command = Command::new(path);
    for variable in NOT_GIVEN {
        command.env_remove(variable);
    }
    // What is on loopback is not for a proxy of the environment.
    command.env("NO_PROXY", "127.0.0.1").kill_on_drop(true);
    command
}
