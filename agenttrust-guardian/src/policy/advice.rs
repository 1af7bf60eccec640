//! What is valid in a policy, and yet cannot be what its author meant.

use std::collections::BTreeSet;
use std::path::Path;

use cedar_policy::EntityUid;

use super::error::PolicyError;
use super::{PolicySet, files, load, nesting};
use crate::domain::ids;
use crate::domain::spelling::nearest;

/// Reads a folder as [`PolicySet::load_dir`] does; returns its set, and what to look at in it. `tools` are those that there
/// are, where that is known.
///
/// # Errors
///
/// As for [`PolicySet::load_dir`].
pub(crate) fn check_dir(
    folder: &Path,
    tools: Option<&BTreeSet<String>>,
) -> Result<(PolicySet, Vec<PolicyError>), PolicyError> {
    let sources = files::read_folder(folder)?;
    let set = load::texts(&sources).map(PolicySet::new)?;
    let name = folder.display().to_string();
    let warnings = nesting::with_room(|| {
        let warnings = sources.iter().map(|(file, text)| of_file(file, text, tools));
        warnings.collect::<Result<Vec<_>, _>>()
    })
    .map_err(|problem| PolicyError::in_file(&name, problem))?;
    Ok((set, warnings?.into_iter().flatten().collect()))
}

fn of_file(
    file: &str,
    text: &str,
    tools: Option<&BTreeSet<String>>,
) -> Result<Vec<PolicyError>, PolicyError> {
    let text = load::without_mark(text);
    let mut warnings = BTreeSet::new();
    for piece in nesting::pieces(file, text)? {
        let policy = load::parse(piece.text).map_err(|fault| {
            PolicyError::at(file, text, piece.offset + fault.offset, fault.problem)
        })?;
        for named in policy.entity_literals() {
            if let Some(problem) = of_name(&named, tools) {
                let at = piece.offset + piece.text.find(&named.to_string()).unwrap_or(0);
                warnings.insert((at, format!("warning: {problem}")));
            }
        }
    }
    let warnings = warnings.into_iter();
    Ok(warnings.map(|(at, problem)| PolicyError::at(file, text, at, problem)).collect())
}

/// Why nothing has this name.
fn of_name(named: &EntityUid, tools: Option<&BTreeSet<String>>) -> Option<String> {
    let id: &str = named.id().as_ref();
    match named.type_name().to_string().as_str() {
        "Agent" if !ids::is_of_agent(id) => Some(format!(
            "{named} is no agent, for the id of one looks like {}0198c5…; `agenttrust agents list` has the ids, and \
             `principal.name == {id:?}` compares names",
            ids::AGENT_PREFIX
        )),
        "Tool" => {
            let tools = tools?;
            if tools.contains(id) {
                return None;
            }
            let meant = nearest(id, tools.iter().map(String::as_str))
                .map(|meant| format!("; did you mean {meant:?}?"))
                .unwrap_or_else(|| "; correct the name, or name its manifest too".to_owned());
            Some(format!("no manifest has the tool {id:?}{meant}"))
        }
        _ => None,
    }
}
