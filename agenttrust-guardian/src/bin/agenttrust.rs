//! The `agenttrust` program.

/// The allocator of the program. What one thread takes, another gives back: the writers of the audit and of the
/// reports. The allocator of glibc makes them wait for each other (`benches/embedded.rs`).
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> std::process::ExitCode {
    agenttrust_guardian::cli::main()
}
