//! What is valid in a policy, and yet cannot be what its author meant.

use std::collections::{BTreeSet, HashMap};
use std::path::Path;

use cedar_policy::EntityUid;

use super::error::{Places, PolicyError};
use super::load::{LoadedPolicy, Source};
use super::{PolicySet, files, load};
use crate::domain::ids;
use crate::domain::spelling::nearest;

/// The number of names that no tool has that are compared with those of the tools.
const MOST_COMPARED: usize = 100;

/// Reads a folder as [`PolicySet::load_dir`] does; returns its set, and what to look at in it. `tools` are those that
/// there are, where that is known.
///
/// # Errors
///
/// As for [`PolicySet::load_dir`].
pub(crate) fn check_dir(
    folder: &Path,
    tools: Option<&BTreeSet<String>>,
) -> Result<(PolicySet, Vec<PolicyError>), PolicyError> {
    let sources = files::read_folder(folder)?;
    let (inner, warnings) = load::texts_seen(&sources, |policies| {
        let mut meant = Meant::of(tools);
        let files = policies.chunk_by(|one, next| one.place.0.file == next.place.0.file);
        files.flat_map(|file| of_file(file, &mut meant)).collect()
    })?;
    Ok((PolicySet::new(inner), warnings))
}

/// Returns the warnings about the policies of one file.
fn of_file(policies: &[LoadedPolicy<'_>], meant: &mut Meant<'_>) -> Vec<PolicyError> {
    let Some(LoadedPolicy { place: (Source { file, text }, _), .. }) = policies.first() else {
        return Vec::new();
    };
    let mut warnings = BTreeSet::new();
    for policy in policies {
        for named in policy.policy.entity_literals() {
            if let Some(problem) = of_name(&named, meant) {
                let at = policy.place.1 + policy.text.find(&named.to_string()).unwrap_or(0);
                warnings.insert((at, format!("warning: {problem}")));
            }
        }
    }
    let mut places = Places::of(text);
    let warnings = warnings.into_iter();
    warnings.map(|(at, problem)| PolicyError::placed(file, places.at(at), problem)).collect()
}

/// The tools that there are, and those that names without a tool may mean: each name is compared with all of them
/// once, and no more names than people read warnings.
struct Meant<'t> {
    tools: Option<&'t BTreeSet<String>>,
    found: HashMap<String, Option<&'t str>>,
}

impl<'t> Meant<'t> {
    fn of(tools: Option<&'t BTreeSet<String>>) -> Self {
        Self { tools, found: HashMap::new() }
    }

    /// Returns the tool that a name means; `None` where no tool is near.
    fn by(&mut self, id: &str) -> Option<&'t str> {
        if let Some(found) = self.found.get(id) {
            return *found;
        }
        if self.found.len() >= MOST_COMPARED {
            return None;
        }
        let found = nearest(id, self.tools?.iter().map(String::as_str));
        self.found.insert(id.to_owned(), found);
        found
    }
}

/// Returns why nothing has this name.
fn of_name(named: &EntityUid, meant: &mut Meant<'_>) -> Option<String> {
    let id: &str = named.id().as_ref();
    match named.type_name().to_string().as_str() {
        "Agent" if !ids::is_of_agent(id) => Some(format!(
            "{named} is no agent, for the id of one looks like {}0198c5…; `agenttrust agents list` has the ids, and \
             `principal.name == {id:?}` compares names",
            ids::AGENT_PREFIX
        )),
        "Tool" => {
            if meant.tools?.contains(id) {
                return None;
            }
            let meant = meant
                .by(id)
                .map(|meant| format!("; did you mean {meant:?}?"))
                .unwrap_or_else(|| "; correct the name, or name its manifest too".to_owned());
            Some(format!("no manifest has the tool {id:?}{meant}"))
        }
        _ => None,
    }
}
