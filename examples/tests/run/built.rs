//! The built examples, as their readers would run them.

use std::path::PathBuf;

use tokio::process::Command;

/// The variables that an example might find in the environment, and is to find nowhere.
const NOT_GIVEN: [&str; 11] = [
    "AGENTTRUST_URL",
    "AGENTTRUST_BASE_URL",
    "AGENTTRUST_API_KEY",
    "AGENTTRUST_AGENT_ID",
    "AGENTTRUST_STATE",
    "AGENTTRUST_SESSION_ID",
    "AGENTTRUST_BINDING_KEY",
    "AGENTTRUST_CONFIG",
    "OPENAI_BASE_URL",
    "OPENAI_API_KEY",
    "OPENAI_MODEL",
];

/// Returns the built example, with no Guardian and no model in its environment.
pub(crate) fn example(name: &str) -> Command {
    built(&["examples", name])
}

/// Returns the built program, as the example is.
pub(crate) fn program(name: &str) -> Command {
    built(&[name])
}

fn built(place: &[&str]) -> Command {
    let mut path: PathBuf = std::env::current_exe().expect("a test has a path");
    path.pop();
    path.pop();
    path.extend(place);
    path.set_extension(std::env::consts::EXE_EXTENSION);
    assert!(
        path.is_file(),
        "{} is not built; run `cargo build --workspace --examples --bins`",
        path.display()
    );
    let mut command = Command::new(path);
    for variable in NOT_GIVEN {
        command.env_remove(variable);
    }
    // What is on loopback is not for a proxy of the environment.
    command.env("NO_PROXY", "127.0.0.1").kill_on_drop(true);
    command
}
