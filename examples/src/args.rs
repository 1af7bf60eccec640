//! What is asked of a program before anything else.

/// Returns whether the command line asks how the program is used: `--help` or `-h`, wherever it
/// stands.
#[must_use]
pub fn asks_for_help() -> bool {
    std::env::args_os().skip(1).any(|arg| arg == "--help" || arg == "-h")
}
