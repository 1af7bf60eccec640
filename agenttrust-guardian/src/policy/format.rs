//! Policies in the one usual form.

use std::path::{Path, PathBuf};

use cedar_policy_formatter::{Config, policies_str_to_pretty};

use super::error::PolicyError;
use super::{files, load, nesting};

/// A file, as it is and as it should be.
#[derive(Debug)]
pub(crate) struct Formatted {
    pub(crate) path: PathBuf,
    pub(crate) before: String,
    pub(crate) after: String,
}

/// Formats every policy file of a folder that [`PolicySet::load_dir`](super::PolicySet::load_dir) takes.
///
/// # Errors
///
/// [`PolicyError`] for a file that cannot be read or formatted.
pub(crate) fn format_dir(folder: &Path) -> Result<Vec<Formatted>, PolicyError> {
    files::paths(folder)?.into_iter().map(format_file).collect()
}

fn format_file(path: PathBuf) -> Result<Formatted, PolicyError> {
    let (name, before) = files::read_file(&path)?;
    let text = load::without_mark(&before);
    nesting::pieces(&name, text)?;
    let formatted = nesting::with_room(|| {
        policies_str_to_pretty(text, &Config::default()).map_err(|error| error.to_string())
    });
    let after = formatted.and_then(|formatted| formatted).map_err(|problem| {
        PolicyError::in_file(&name, format!("the file cannot be formatted: {problem}"))
    })?;
    Ok(Formatted { path, before, after })
}
