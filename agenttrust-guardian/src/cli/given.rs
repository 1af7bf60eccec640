//! What is given by a file, standard input or the environment: texts that are long, and secrets for others, which
//! everybody on the machine could read in an argument.

use std::env;
use std::fs::File;
use std::io::stdin;
use std::path::Path;

use super::out;
use crate::domain::GuardianError;
use crate::domain::file::read_text_of;

/// The most that is read, in bytes: more than any of them is long, with what stands around it in a file.
const MOST: u64 = 16 << 10;

/// Returns what this file (`-` is standard input) or this environment variable holds, without the spaces around it;
/// `None` where neither was named. `what` is what it is of, as an error begins.
pub(super) fn secret(
    what: &str,
    file: Option<&Path>,
    variable: Option<&str>,
) -> Result<Option<String>, GuardianError> {
    let invalid = |why: String| GuardianError::Invalid(why);
    let text = match (file, variable) {
        (Some(path), _) => text(path, MOST)?,
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

/// Returns the text in this file, `-` is standard input, of at most so many bytes.
pub(super) fn text(file: &Path, most: u64) -> Result<String, GuardianError> {
    let (read, shown) = match file.as_os_str() == "-" {
        true => (read_text_of(stdin().lock(), most), "standard input".to_owned()),
        false => {
            let opened = File::open(file).map_err(Into::into);
            (opened.and_then(|opened| read_text_of(opened, most)), file.display().to_string())
        }
    };
    read.map_err(|error| GuardianError::Invalid(format!("{shown} cannot be read: {error}")))
}
