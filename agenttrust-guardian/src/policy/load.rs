//! From files to rules: parse, name, read annotations, validate — all or nothing.

use std::collections::{HashMap, HashSet};
use std::path::{Path, PathBuf};
use std::str::FromStr;

use agenttrust::internal::hex;
use cedar_policy::ffi::DetailedError;
use cedar_policy::{Effect, Policy, PolicyId, ValidationMode, ValidationWarning, Validator};

use sha2::{Digest, Sha256};

use super::annotations::Annotations;
use super::decide::Note;
use super::error::{PolicyError, Position};
use super::facts::Vocabulary;
use super::whom::Whom;
use super::{About, Inner, nesting};
use crate::domain::file::{ReadError, read_at_most};

/// How long one policy file is at most, in bytes.
const MAX_FILE_BYTES: u64 = 1 << 20;

/// Part of every set, so that no folder can lift what a supervised session promises.
const SUPERVISED: (&str, &str) =
    ("supervised.cedar (built in)", include_str!("../../policies/supervised.cedar"));

/// Loads every `*.cedar` file of a folder, sorted by name.
pub(super) fn folder(folder: &Path) -> Result<Inner, PolicyError> {
    let sources =
        paths(folder)?.iter().map(|path| read_file(path)).collect::<Result<Vec<_>, _>>()?;
    texts(&sources)
}

/// The `*.cedar` files of a folder, sorted by name.
pub(super) fn paths(folder: &Path) -> Result<Vec<PathBuf>, PolicyError> {
    let name = folder.display().to_string();
    let unreadable = |error: std::io::Error| {
        PolicyError::in_file(
            &name,
            format!("the policy folder cannot be read ({error}); name a readable folder"),
        )
    };
    let mut paths = Vec::new();
    for entry in std::fs::read_dir(folder).map_err(unreadable)? {
        let path = entry.map_err(unreadable)?.path();
        if is_policy_file(&path) {
            paths.push(path);
        }
    }
    if paths.is_empty() {
        return Err(PolicyError::in_file(
            &name,
            "the policy folder holds no *.cedar file, so everything would be denied; put one there",
        ));
    }
    paths.sort();
    Ok(paths)
}

/// Whether this is one of `*.cedar`: like a shell, without what begins with a dot, where editors keep what
/// is not saved yet.
pub(super) fn is_policy_file(path: &Path) -> bool {
    let hidden = path.file_name().is_none_or(|name| name.as_encoded_bytes().starts_with(b"."));
    !hidden && path.extension().is_some_and(|extension| extension == "cedar")
}

/// The name and the text of a policy file.
pub(super) fn read_file(path: &Path) -> Result<(String, String), PolicyError> {
    let name = path.display().to_string();
    let unreadable = |error: std::io::Error| {
        PolicyError::in_file(
            &name,
            format!("the file cannot be read ({error}); mend it or remove it"),
        )
    };
    // Looked at before it is opened, which may be enough to set a device going ...
    only_a_file(&name, &std::fs::metadata(path).map_err(unreadable)?)?;
    let file = open_nonblocking(path).map_err(unreadable)?;
    // ... and once more, because it may be another one by now.
    only_a_file(&name, &file.metadata().map_err(unreadable)?)?;
    let bytes = read_at_most(file, MAX_FILE_BYTES).map_err(|error| match error {
        ReadError::TooLarge(most) => {
            PolicyError::in_file(&name, format!("the file is longer than {most} bytes; split it"))
        }
        ReadError::Io(error) => unreadable(error),
    })?;
    match String::from_utf8(bytes) {
        Ok(text) => Ok((name, text)),
        Err(error) => {
            let valid = String::from_utf8_lossy(error.as_bytes());
            let at = error.utf8_error().valid_up_to();
            Err(PolicyError::at(
                &name,
                &valid,
                at,
                "the file is not UTF-8 text here; save it as UTF-8",
            ))
        }
    }
}

/// Refuses what may never end, or never begin.
fn only_a_file(name: &str, about: &std::fs::Metadata) -> Result<(), PolicyError> {
    if about.is_file() {
        return Ok(());
    }
    let what = if about.is_dir() { "a folder" } else { "a pipe, a device or a socket" };
    let problem = format!(
        "this is {what} and no file of policies; move it out of the policy folder, or name it without \
         `.cedar`"
    );
    Err(PolicyError::in_file(name, problem))
}

/// Opens a file to read it; a pipe without a writer is opened at once as well.
fn open_nonblocking(path: &Path) -> std::io::Result<std::fs::File> {
    let mut options = std::fs::OpenOptions::new();
    options.read(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::custom_flags(&mut options, libc::O_NONBLOCK);
    options.open(path)
}

/// Loads policies from (file, text) pairs, the built-in one first.
pub(super) fn texts(sources: &[(String, String)]) -> Result<Inner, PolicyError> {
    for (file, text) in sources {
        if let Some(offset) = nesting::too_deep(text) {
            let problem = "the policy nests too deep here; split it into several policies";
            return Err(PolicyError::at(file, text, offset, problem));
        }
    }
    let file = sources.first().map_or("", |(file, _)| file);
    nesting::with_room(|| build(sources)).map_err(|problem| PolicyError::in_file(file, problem))?
}

fn build(sources: &[(String, String)]) -> Result<Inner, PolicyError> {
    let mut loader = Loader::default();
    loader.add(SUPERVISED.0, SUPERVISED.1)?;
    loader.built_in = loader.found.len();
    for (file, text) in sources {
        loader.add(file, text)?;
    }
    if loader.found.len() == loader.built_in {
        let file = sources.first().map_or("", |(file, _)| file);
        return Err(PolicyError::in_file(
            file,
            "there is no policy here, so everything would be denied; write one",
        ));
    }
    loader.finish()
}

#[derive(Default)]
struct Loader {
    /// Of all the files, each with its length before it.
    hash: Sha256,
    found: Vec<Found>,
    /// How many of them no file has.
    built_in: usize,
    /// Where each id was given first.
    places: HashMap<String, String>,
}

struct Found {
    policy: Policy,
    note: Note,
    about: About,
}

impl Loader {
    fn add(&mut self, file: &str, text: &str) -> Result<(), PolicyError> {
        for part in [file_name(file), text] {
            self.hash.update((part.len() as u64).to_be_bytes());
            self.hash.update(part);
        }
        let parsed = parse(file, text)?;
        let mut renamed = cedar_policy::PolicySet::new();
        for (number, Parsed { policy, offset }) in (1_usize..).zip(parsed) {
            let annotations = Annotations::parse(policy.effect(), policy.annotations())
                .map_err(|problem| PolicyError::at(file, text, offset, problem))?;
            let id =
                annotations.id.clone().unwrap_or_else(|| format!("{}#{number}", file_name(file)));
            let Position { line, column } = Position::at_offset(text, offset);
            let place = format!("{file}:{line}:{column}");
            let about = About {
                id: id.clone(),
                place: format!("{}:{line}:{column}", file_name(file)),
                permits: policy.effect() == Effect::Permit,
                reason: annotations.reason.clone(),
                terms: annotations.terms,
                limit: annotations.limit.map(|rate| rate.to_limit(&id)),
                shadow: annotations.shadow,
            };
            if let Some(first) = self.places.insert(id.clone(), place) {
                let problem = format!(
                    "the id `{id}` is already given at {first}; give each policy its own @id"
                );
                return Err(PolicyError::at(file, text, offset, problem));
            }
            // Cedar's own ids are numbers that start anew in every file.
            let policy = policy.new_id(PolicyId::new(&id));
            renamed.add(policy.clone()).map_err(|error| {
                PolicyError::at(file, text, offset, sentence(&error.to_string()))
            })?;
            let Annotations { reason, terms, limit, .. } = annotations;
            let note = Note { reason, terms, limit, of_evaluations: false };
            self.found.push(Found { policy, note, about });
        }
        validate(file, text, &renamed)?;
        let of_evaluations =
            of_evaluations(&renamed).map_err(|problem| PolicyError::in_file(file, problem))?;
        for found in self.found.iter_mut().filter(|it| of_evaluations.contains(it.policy.id())) {
            found.note.of_evaluations = true;
        }
        Ok(())
    }

    fn finish(self) -> Result<Inner, PolicyError> {
        let sha256 = hex::encode(&self.hash.finalize());
        let mut inner = Inner { sha256, built_in: self.built_in, ..Inner::default() };
        for Found { policy, note, about } in self.found {
            let rules = if about.shadow {
                inner.shadow.get_or_insert_default()
            } else {
                &mut inner.enforced
            };
            rules
                .add(&policy, note)
                .map_err(|problem| PolicyError::in_file(&about.place, sentence(&problem)))?;
            inner.listed.push(about);
            inner.whom.push(Whom::of(&policy));
        }
        Ok(inner)
    }
}

/// A policy and where its text starts.
struct Parsed {
    policy: Policy,
    offset: usize,
}

/// Parses one file; the policies come in the order of the text.
fn parse(file: &str, text: &str) -> Result<Vec<Parsed>, PolicyError> {
    let set = cedar_policy::PolicySet::from_str(text).map_err(|errors| {
        let first = errors.iter().map(located).min_by_key(|(offset, _)| *offset);
        let (offset, problem) = first.unwrap_or_else(|| (None, errors.to_string()));
        PolicyError::at(file, text, offset.unwrap_or(0), problem)
    })?;
    if let Some(template) = set.templates().next() {
        let offset = text.find(&template.to_string()).unwrap_or(0);
        let problem = "this policy has a slot such as `?principal`, and nothing here fills slots; write the entity";
        return Err(PolicyError::at(file, text, offset, problem));
    }
    let mut policies: Vec<Policy> = set.policies().cloned().collect();
    // Cedar numbers them `policy0`, `policy1`, … in the order of the text, and lists them in none.
    policies.sort_by_key(|policy| {
        let id: &str = policy.id().as_ref();
        id.trim_start_matches("policy").parse::<usize>().unwrap_or(usize::MAX)
    });
    let mut searched = 0;
    Ok(policies
        .into_iter()
        .map(|policy| {
            let source = policy.to_string();
            let found = text.get(searched..).and_then(|rest| rest.find(&source));
            let offset = searched + found.unwrap_or(0);
            searched = found.map_or(searched, |_| offset + source.len());
            Parsed { policy, offset }
        })
        .collect())
}

fn validate(file: &str, text: &str, policies: &cedar_policy::PolicySet) -> Result<(), PolicyError> {
    let schema =
        Vocabulary::get().map_err(|problem| PolicyError::in_file(file, problem))?.schema.clone();
    let result = Validator::new(schema).validate(policies, ValidationMode::Strict);
    let error = result.validation_errors().map(located).min();
    // A policy that can never apply guards nothing, whatever its author believes.
    let idle = || {
        let warnings = result.validation_warnings().filter(|warning| {
            matches!(
                warning,
                ValidationWarning::ImpossiblePolicy(_)
                    | ValidationWarning::InvalidActionApplication(_)
            )
        });
        let (offset, problem) = warnings.map(located).min()?;
        Some((offset, format!("{problem}; correct it or remove it")))
    };
    if let Some((offset, problem)) = error.or_else(idle) {
        return Err(PolicyError::at(file, text, offset.unwrap_or(0), problem));
    }
    for warning in result.validation_warnings() {
        tracing::warn!(file, %warning, "a policy was loaded with a warning");
    }
    Ok(())
}

/// Those of these policies that apply to nothing but evaluations of AuthZEN: where there is no `context.access`, they are
/// wrong or can never apply.
fn of_evaluations(policies: &cedar_policy::PolicySet) -> Result<HashSet<PolicyId>, String> {
    // A name that is not there is not asked for.
    if !policies.policies().any(|policy| policy.to_string().contains("access")) {
        return Ok(HashSet::new());
    }
    let without = Vocabulary::get()?.without_access.clone();
    let result = Validator::new(without).validate(policies, ValidationMode::Strict);
    let wrong = result.validation_errors().map(|error| error.policy_id().clone());
    let never = result
        .validation_warnings()
        .filter(|warning| matches!(warning, ValidationWarning::ImpossiblePolicy(_)))
        .map(|warning| warning.policy_id().clone());
    Ok(wrong.chain(never).collect())
}

/// Where a fault of Cedar's is, and what it says in one line.
fn located<'a, E>(error: &'a E) -> (Option<usize>, String)
where
    DetailedError: From<&'a E>,
{
    let detail = DetailedError::from(error);
    let first = detail.source_locations.iter().min_by_key(|label| label.loc.start);
    let mut problem = sentence(&detail.message);
    let hint =
        first.and_then(|label| label.label.as_deref()).into_iter().chain(detail.help.as_deref());
    for hint in hint {
        problem.push_str("; ");
        problem.push_str(&sentence(hint));
    }
    (first.map(|label| label.loc.start), problem)
}

fn sentence(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

fn file_name(file: &str) -> &str {
    Path::new(file).file_name().and_then(|name| name.to_str()).unwrap_or(file)
}
