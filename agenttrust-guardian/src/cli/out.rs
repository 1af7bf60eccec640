//! What the program prints, at once: somebody may wait for the line, and what is shown once is not lost.

use std::io::{self, StdoutLock, Write};

use crate::domain::GuardianError;

/// Prints what is written.
pub(super) fn print(
    write: impl FnOnce(&mut StdoutLock<'static>) -> io::Result<()>,
) -> Result<(), GuardianError> {
    let mut out = io::stdout().lock();
    write(&mut out)
        .and_then(|()| out.flush())
        .map_err(|error| GuardianError::Unavailable(format!("standard output is closed: {error}")))
}

/// Prints a line.
pub(super) fn say(line: &str) -> Result<(), GuardianError> {
    print(|out| writeln!(out, "{line}"))
}
