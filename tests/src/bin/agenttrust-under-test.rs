//! The `agenttrust` program.

fn main() -> std::process::ExitCode {
    agenttrust_guardian::cli::main()
}
