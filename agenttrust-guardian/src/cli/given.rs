//! Secrets for others, given by a file, standard input or the environment: in an argument everybody on the machine could
//! read them.

use std::env;
use std::fs::File;
use std::io::{Read, stdin};
use std::path::Path;

use super::out;
use crate::domain::GuardianError;
use crate::domain::file::read_text_of;

/// The most that is read, in bytes: more than any of them is long, with what stands around it in a file.
const MOST: u64 = 16 << 10;

/// What this file (`-` is standard input) or this environment variable holds, without the spaces around it; `None` where
/// neither was named. `what` is what it is of, as an error begins.
pub(super) fn secret(
    what: &str,
    file: Option<&Path>,
    variable: Option<&str>,
) -> Result<Option<String>, GuardianError> {
    let invalid = |why: String| GuardianError::Invalid(why);
    let text = match (file, variable) {
        (Some(path), _) if path.as_os_str() == "-" => {
            let mut text = String::new();
            let read = stdin().lock().take(MOST).read_to_string(&mut text);
            read.map_err(|error| invalid(format!("standard input cannot be read: {error}")))?;
            text
        }
        (Some(path), _) => {
            let read = File::open(path).map_err(Into::into);
            let read = read.and_then(|file| read_text_of(file, MOST));
            let shown = path.display();
            read.map_err(|error| invalid(format!("{shown} cannot be read: {error}")))?
        }
        (None, Some(name)) => env::var(name).map_err(|_| {
            let name = out::harmless(name);
            invalid(format!("the environment variable {name} is not set, or is no text"))
        })?,
        (None, None) => return Ok(None),
    };
    match text.trim() {
        "" => Err(invalid(format!("{what} is empty"))),
        text => Ok(Some(text.to_owned())),
    }
}
