//! From files to rules: parse, name, read annotations, validate — all or nothing.

use std::collections::HashMap;
use std::path::Path;
use std::str::FromStr;

use agenttrust::internal::hex;
use cedar_policy::ffi::DetailedError;
use cedar_policy::{Effect, Policy, PolicyId, ValidationMode, ValidationWarning};

use super::annotations::Annotations;
use super::decide::PolicyAttributes;
use super::error::{Places, PolicyError, Position};
use super::facts::Vocabulary;
use super::forbids::Forbid;
use super::nesting::Piece;
use super::principal::PrincipalScope;
use super::{About, Inner, files, nesting};
use crate::domain::digest_of_parts;

/// The policy that is part of every set, so that no folder can lift what a supervised session promises.
const SUPERVISED: Source<'static> = Source {
    file: "supervised.cedar (built in)",
    text: include_str!("../../policies/supervised.cedar"),
};

/// The largest number of policies of a set, without the built-in one.
pub(super) const MOST_POLICIES: usize = 10_000;

/// Loads every `*.cedar` file of a folder, sorted by name.
pub(super) fn folder(folder: &Path) -> Result<Inner, PolicyError> {
    texts(&files::read_folder(folder)?)
}

/// Loads policies from (file, text) pairs, the built-in one first.
pub(super) fn texts(sources: &[(String, String)]) -> Result<Inner, PolicyError> {
    texts_seen(sources, |_| ()).map(|(inner, ())| inner)
}

/// Loads policies as [`texts`] does; returns also what `see` finds in them, so that nothing is parsed twice.
pub(super) fn texts_seen<T: Send>(
    sources: &[(String, String)],
    see: impl FnOnce(&[LoadedPolicy<'_>]) -> T + Send,
) -> Result<(Inner, T), PolicyError> {
    let file = sources.first().map_or("", |(file, _)| file);
    if sources.is_empty() {
        return Err(PolicyError::in_file(
            file,
            "there is no policy here, so everything would be denied; write one",
        ));
    }
    let build = || {
        let loader = Loader::read(sources)?;
        let seen = see(&loader.policies);
        loader.finish(sha256_of(sources)).map(|inner| (inner, seen))
    };
    nesting::with_room(build).map_err(|problem| PolicyError::in_file(file, problem))?
}

/// Returns the SHA-256 of a set of these files, in hexadecimal: of their names and texts, the built-in one first.
pub(super) fn sha256_of<'s>(sources: impl IntoIterator<Item = &'s (String, String)>) -> String {
    let files = std::iter::once(SUPERVISED).chain(of_files(sources));
    let parts = files.flat_map(|Source { file, text }| [file_name(file), text]);
    hex::encode(&digest_of_parts(parts.map(str::as_bytes)))
}

fn of_files<'s>(
    sources: impl IntoIterator<Item = &'s (String, String)>,
) -> impl Iterator<Item = Source<'s>> {
    sources.into_iter().map(|(file, text)| Source { file, text: without_mark(text) })
}

/// Returns the text without the byte-order mark that some editors begin a file with.
pub(crate) fn without_mark(text: &str) -> &str {
    text.strip_prefix('\u{feff}').unwrap_or(text)
}

#[derive(Default)]
struct Loader<'s> {
    policies: Vec<LoadedPolicy<'s>>,
    /// The number of policies that no file has.
    built_in: usize,
    /// The place where each id was given first.
    places: HashMap<String, String>,
}

/// A policy of a file, parsed and validated, with its place in the file.
pub(super) struct LoadedPolicy<'s> {
    /// The file, and the byte of it where the policy begins.
    #[cfg_attr(
        not(any(feature = "cli", test)),
        expect(dead_code, reason = "the program alone warns of a policy by its place")
    )]
    pub(super) place: (Source<'s>, usize),
    pub(super) text: &'s str,
    pub(super) policy: Policy,
    attributes: PolicyAttributes,
    about: About,
}

/// A file of policies: its name, and its text without a byte-order mark.
#[derive(Clone, Copy)]
pub(super) struct Source<'s> {
    pub(super) file: &'s str,
    pub(super) text: &'s str,
}

/// The policies of a file, apart from each other, or the reason why they cannot be told apart.
type Pieces<'s> = Result<Vec<Piece<'s>>, PolicyError>;

/// Refuses more policies than a set has, before any of them is parsed.
fn ensure_few(files: &[(Source<'_>, Pieces<'_>)]) -> Result<(), PolicyError> {
    let pieces = || {
        files.iter().flat_map(|(source, pieces)| {
            pieces.iter().flatten().map(move |piece| (source, piece.offset))
        })
    };
    let Some((Source { file, text }, offset)) = pieces().nth(MOST_POLICIES) else { return Ok(()) };
    let problem = format!(
        "the set has {} policies, and {MOST_POLICIES} is the most, which this one is beyond; take some out, or have \
         one speak of many names, as in `[\"a\", \"b\"].contains(resource.name)`",
        pieces().count()
    );
    Err(PolicyError::at(file, text, offset, problem))
}

impl<'s> Loader<'s> {
    fn read(sources: &'s [(String, String)]) -> Result<Self, PolicyError> {
        let apart = |source: Source<'s>| (source, nesting::pieces(source.file, source.text));
        let files: Vec<_> = of_files(sources).map(apart).collect();
        ensure_few(&files)?;
        let mut loader = Self::default();
        let (supervised, pieces) = apart(SUPERVISED);
        loader.add(supervised, &pieces?)?;
        loader.built_in = loader.policies.len();
        for (source, pieces) in files {
            loader.add(source, &pieces?)?;
        }
        Ok(loader)
    }

    fn add(&mut self, source: Source<'s>, pieces: &[Piece<'s>]) -> Result<(), PolicyError> {
        let Source { file, text } = source;
        if pieces.is_empty() {
            // It may be one that is being written, or was cut where a disk is full: that lifts nothing of what it said.
            return Err(PolicyError::in_file(
                file,
                "there is no policy here; write one, or remove the file to take back those that it had",
            ));
        }
        let mut places = Places::of(text);
        for (number, piece) in (1_usize..).zip(pieces) {
            let place = places.at(piece.offset);
            let policy = self.load_policy(source, number, piece, place).map_err(|fault| {
                PolicyError::at(file, text, piece.offset + fault.offset, fault.problem)
            })?;
            self.policies.push(policy);
        }
        Ok(())
    }

    /// Parses and validates one policy of a file.
    fn load_policy(
        &mut self,
        source: Source<'s>,
        number: usize,
        piece: &Piece<'s>,
        place: Position,
    ) -> Result<LoadedPolicy<'s>, Fault> {
        let Source { file, .. } = source;
        let policy = parse(piece.text)?;
        let Annotations { id, reason, terms, limit, shadow } =
            Annotations::parse(policy.effect(), policy.annotations()).map_err(Fault::of_policy)?;
        let id = id.unwrap_or_else(|| format!("{}#{number}", file_name(file)));
        let Position { line, column } = place;
        if let Some(first) = self.places.insert(id.clone(), format!("{file}:{line}:{column}")) {
            return Err(Fault::of_policy(format!(
                "the id `{id}` is already given at {first}; give each policy its own @id"
            )));
        }
        // Cedar's own ids are numbers that start anew in every text.
        let policy = policy.new_id(PolicyId::new(&id));
        let of_evaluations = validate(file, &policy)?;
        let about = About {
            place: format!("{}:{line}:{column}", file_name(file)),
            permits: policy.effect() == Effect::Permit,
            reason: reason.clone(),
            terms,
            limit: limit.map(|rate| rate.to_limit(&id)),
            shadow,
            id,
        };
        let attributes = PolicyAttributes { reason, terms, limit, of_evaluations };
        let Piece { text, offset } = *piece;
        Ok(LoadedPolicy { place: (source, offset), text, policy, attributes, about })
    }

    fn finish(self, sha256: String) -> Result<Inner, PolicyError> {
        let mut inner = Inner { sha256, built_in: self.built_in, ..Inner::default() };
        for LoadedPolicy { policy, text, attributes, about, .. } in self.policies {
            let rules = if about.shadow {
                inner.shadow.get_or_insert_default()
            } else {
                &mut inner.enforced
            };
            rules
                .add(&policy, attributes)
                .map_err(|problem| PolicyError::in_file(&about.place, sentence(&problem)))?;
            inner.forbids.push(Forbid::of(&policy, text, &about));
            inner.listed.push(about);
            inner.principals.push(PrincipalScope::of(&policy));
        }
        Ok(inner)
    }
}

/// The fault of a policy, and its place in the text.
struct Fault {
    offset: usize,
    problem: String,
}

impl Fault {
    /// Creates one of the policy as a whole.
    fn of_policy(problem: String) -> Self {
        Self { offset: 0, problem }
    }
}

/// Parses the text of one policy.
fn parse(text: &str) -> Result<Policy, Fault> {
    let set = cedar_policy::PolicySet::from_str(text).map_err(|errors| {
        let first = errors.iter().map(located).min_by_key(|(offset, _)| *offset);
        let (offset, problem) = first.unwrap_or_else(|| (None, errors.to_string()));
        Fault { offset: offset.unwrap_or(0), problem }
    })?;
    set.policies().next().cloned().ok_or_else(|| {
        Fault::of_policy(
            "this policy has a slot such as `?principal`, and nothing here fills slots; write the entity".to_owned(),
        )
    })
}

/// Validates a policy; returns whether it applies to nothing but evaluations of AuthZEN.
fn validate(file: &str, policy: &Policy) -> Result<bool, Fault> {
    let alone = cedar_policy::PolicySet::from_policies([policy.clone()])
        .map_err(|error| Fault::of_policy(sentence(&error.to_string())))?;
    let vocabulary = Vocabulary::get().map_err(Fault::of_policy)?;
    let result = vocabulary.validator.validate(&alone, ValidationMode::Strict);
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
    if let Some((offset, mut problem)) = error.or_else(idle) {
        // What many look for first, and what Cedar has another guess at.
        if problem.contains("attribute `input`") {
            problem.push_str(
                "; policies see no arguments of a call, only the length of its input: `context has input_chars && \
                 context.input_chars < 100`",
            );
        }
        return Err(Fault { offset: offset.unwrap_or(0), problem });
    }
    for warning in result.validation_warnings() {
        tracing::warn!(file, %warning, "a policy was loaded with a warning");
    }
    // A name that is not there is not asked for.
    if !policy.to_string().contains("access") {
        return Ok(false);
    }
    // Where there is no `context.access`, one of evaluations alone is wrong or can never apply.
    let result = vocabulary.without_access.validate(&alone, ValidationMode::Strict);
    let never =
        |warning: &ValidationWarning| matches!(warning, ValidationWarning::ImpossiblePolicy(_));
    Ok(!result.validation_passed() || result.validation_warnings().any(never))
}

/// Returns where a fault of Cedar's is, and what it says in one line.
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
