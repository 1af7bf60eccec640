//! File descriptors: how many this process may open, and how many connections that makes.

use crate::domain::GuardianError;

/// Connections at most, unless the settings say otherwise.
const MOST: usize = 10_000;
/// A number of descriptors that is larger than any machine has.
const ABSURD: usize = 1_000_000;
/// Descriptors kept for the database, files and calls that leave, and for connections that are refused because there
/// is no room.
const RESERVE: usize = 128;
/// Connections that a process has at least, however few descriptors it may open.
const LEAST: usize = 16;

/// Returns how many connections there may be: as many as `told` says, or as the process has room for.
///
/// # Errors
///
/// [`GuardianError::Invalid`] for a number that cannot be read, or one that the process has no room for.
pub(super) fn connections(told: Option<usize>) -> Result<usize, GuardianError> {
    most(told, raised())
}

fn most(told: Option<usize>, descriptors: usize) -> Result<usize, GuardianError> {
    let room = descriptors.saturating_sub(RESERVE).max(descriptors / 4);
    let Some(told) = told else {
        if room < LEAST {
            return Err(GuardianError::Invalid(format!(
                "this process may open {descriptors} files, which leaves no room for connections; raise the \
                 limit, for example with ulimit -n 4096"
            )));
        }
        return Ok(room.min(MOST));
    };
    if !(LEAST..=ABSURD).contains(&told) {
        return Err(GuardianError::Invalid(format!(
            "max-connections is {told}; give a number from {LEAST} to {ABSURD}"
        )));
    }
    if told > room {
        return Err(GuardianError::Invalid(format!(
            "max-connections is {told}, and this process may open {descriptors} files, of which it needs some \
             itself; give {room} at most, or raise the limit, for example with ulimit -n {}",
            told + RESERVE
        )));
    }
    Ok(told)
}

/// Returns how many descriptors this process may open, after it was allowed as many as it can be.
#[cfg(unix)]
fn raised() -> usize {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

    let before = getrlimit(Resource::Nofile);
    let raised = Rlimit { current: before.maximum, ..before };
    if let Err(error) = setrlimit(Resource::Nofile, raised) {
        tracing::warn!(%error, "the limit of open files could not be raised");
    }
    let now = getrlimit(Resource::Nofile).current;
    now.map_or(usize::MAX, |most| usize::try_from(most).unwrap_or(usize::MAX))
}

#[cfg(not(unix))]
fn raised() -> usize {
    MOST + RESERVE
}

/// Returns whether an error says that there are no more descriptors, here or on the machine.
pub(super) fn are_used_up(error: &std::io::Error) -> bool {
    #[cfg(unix)]
    {
        use rustix::io::Errno;

        let used_up = [Errno::MFILE, Errno::NFILE].map(Errno::raw_os_error);
        error.raw_os_error().is_some_and(|number| used_up.contains(&number))
    }
    #[cfg(not(unix))]
    {
        let _ = error;
        false
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn connections_leave_room_for_everything_else() {
        assert_eq!(most(None, 256).unwrap(), 128);
        assert_eq!(most(None, 1_024).unwrap(), 896);
        assert_eq!(most(None, 1 << 20).unwrap(), MOST);
        assert_eq!(most(None, usize::MAX).unwrap(), MOST);
        assert_eq!(most(None, 64).unwrap(), 16);
        assert_eq!(most(Some(100), 256).unwrap(), 100);
        assert_eq!(most(Some(20_000), 1 << 20).unwrap(), 20_000);
    }

    #[test]
    fn absurd_number_of_connections_is_refused_with_what_to_do() {
        for (told, descriptors, says) in [
            (Some(0), 1_024, "max-connections is 0; give a number from 16"),
            (Some(15), 1_024, "give a number from 16"),
            (Some(1_000_001), usize::MAX, "give a number from 16"),
            (Some(1_000), 1_024, "give 896 at most, or raise the limit"),
            (None, 10, "raise the limit"),
        ] {
            let error = most(told, descriptors).unwrap_err().to_string();
            assert!(error.contains(says), "{error}");
        }
    }
}
