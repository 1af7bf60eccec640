//! What an agent may reach: capability names, what each covers, and narrowing one set by another.
//!
//! Only the SDK guide's notation is translated, everything else is compared byte for byte:
//!
//! | capability | covers |
//! |---|---|
//! | `a:b` | exactly `a:b` and `a_b` |
//! | `a:*` | what starts with `a:` or `a_` |
//! | `a/*` | what starts with `a/` |
//! | `*` | everything |
//! | any other name | exactly itself |
//!
//! A `*` anywhere else is an error. A name with more than one `:` is not the guide's notation, so it
//! is not translated: `a:b:c` covers only itself, `a:b:*` only what starts with `a:b:`.
//!
//! Token scopes, session ceilings and delegation scopes are sets of capabilities too; they only ever
//! narrow, which [`CapabilitySet::covers_all_of`] proves.

use std::collections::HashSet;
use std::fmt;
use std::sync::Arc;

/// The largest number of capabilities in one set: every check looks through all of them.
const MAX_CAPABILITIES: usize = 1_000;

/// The greatest length of a capability name, in bytes.
const MAX_NAME_BYTES: usize = 256;

/// A set of capabilities: an agent's, a token's scopes or a session's ceiling.
///
/// The empty set covers nothing. Two sets are equal when they hold the same names in any order.
///
/// ```
/// use agenttrust::model::CapabilitySet;
///
/// let agent = CapabilitySet::parse(&["web:search", "files:*"])?;
/// assert!(agent.covers("web_search"));
/// assert!(agent.covers("files:read"));
/// assert!(!agent.covers("db_delete"));
///
/// let token = CapabilitySet::parse(&["files:read"])?;
/// assert!(agent.covers_all_of(&token));
/// # Ok::<(), agenttrust::model::CapabilityError>(())
/// ```
#[derive(Clone, Debug)]
pub struct CapabilitySet {
    // Nothing but the names, and shared by every clone: thousands of tokens and sessions have the same.
    names: Arc<[String]>,
}

impl CapabilitySet {
    /// Reads a set from its names, keeping their order; a name given twice counts once.
    ///
    /// # Errors
    ///
    /// [`CapabilityError`] for a name that is empty, too long, holds a control character or has a
    /// `*` in the wrong place, for more than 1,000 names, and for `a:b` beside `a_b`.
    pub fn parse<S: AsRef<str>>(names: &[S]) -> Result<Self, CapabilityError> {
        let unique = unique(names)?;
        Ok(Self { names: unique.into_iter().map(str::to_owned).collect() })
    }

    /// Reads a set as [`parse`](Self::parse) does, and keeps these very names instead of a copy where
    /// none of them is given twice.
    ///
    /// # Errors
    ///
    /// As for [`parse`](Self::parse).
    pub fn share(names: Arc<[String]>) -> Result<Self, CapabilityError> {
        let unique = unique(&names)?;
        if unique.len() == names.len() {
            return Ok(Self { names });
        }
        Ok(Self { names: unique.into_iter().map(str::to_owned).collect() })
    }

    /// Returns whether one of the capabilities covers `tool` (or a scope, which is named alike).
    #[must_use]
    pub fn covers(&self, tool: &str) -> bool {
        // The look at the length first spares reading nearly all of them.
        let can = |name: &str| name.len() == tool.len() || name.ends_with('*');
        self.names().any(|name| can(name) && Capability::from_name(name).covers(tool))
    }

    /// Returns whether every capability of `other` is covered by this set.
    ///
    /// When true, everything that `other` covers is covered by this set too. So a token, a ceiling or
    /// a delegation that passes this can only narrow.
    #[must_use]
    pub fn covers_all_of(&self, other: &Self) -> bool {
        self.first_uncovered(other).is_none()
    }

    /// Returns the first capability of `other` that this set does not cover entirely, to name in an error.
    #[must_use]
    pub fn first_uncovered<'a>(&self, other: &'a Self) -> Option<&'a str> {
        other.names().find(|name| !self.covers_whole(name))
    }

    /// Returns what this set and `other` have in common: never more than either of them covers, and all of it wherever
    /// capabilities can say that.
    ///
    /// ```
    /// use agenttrust::model::CapabilitySet;
    ///
    /// let before = CapabilitySet::parse(&["files:*", "web:search"])?;
    /// let after = CapabilitySet::parse(&["files:read", "db:*"])?;
    /// assert_eq!(before.in_common_with(&after).as_slice(), ["files:read"]);
    /// # Ok::<(), agenttrust::model::CapabilityError>(())
    /// ```
    #[must_use]
    pub fn in_common_with(&self, other: &Self) -> Self {
        let mine = self.names().filter(|name| other.covers_whole(name));
        let theirs = other.names().filter(|name| self.covers_whole(name));
        // Of two of which one covers the other, the wider: the same list may hold `a:b` and `a_b` otherwise.
        let mut kept: Vec<&str> = Vec::new();
        for name in mine.chain(theirs) {
            if kept.iter().any(|wider| covers(wider, name)) {
                continue;
            }
            kept.retain(|narrower| !covers(name, narrower));
            kept.push(name);
        }
        kept.truncate(MAX_CAPABILITIES);
        Self { names: kept.into_iter().map(str::to_owned).collect() }
    }

    /// Returns whether the set is empty and so covers nothing.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.names.is_empty()
    }

    /// Returns the names, in the order in which they were given.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.names.iter().map(String::as_str)
    }

    /// Returns the names as a slice, in the order in which they were given.
    #[must_use]
    pub fn as_slice(&self) -> &[String] {
        &self.names
    }

    fn covers_whole(&self, name: &str) -> bool {
        let covers = |tool: &str| self.covers(tool);
        let covers_prefix = |prefix: &str| {
            self.names.iter().any(|name| Capability::from_name(name).covers_prefix(prefix))
        };
        Capability::from_name(name).is_whole_in(name, covers, covers_prefix)
    }
}

/// Returns whether the capability `wide` covers all of the capability `narrow`.
fn covers(wide: &str, narrow: &str) -> bool {
    let wide = Capability::from_name(wide);
    let covers_prefix = |prefix: &str| wide.covers_prefix(prefix);
    Capability::from_name(narrow).is_whole_in(narrow, |tool| wide.covers(tool), covers_prefix)
}

impl Default for CapabilitySet {
    fn default() -> Self {
        Self { names: Arc::new([]) }
    }
}

impl PartialEq for CapabilitySet {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.names, &other.names)
            || self.names().collect::<HashSet<_>>() == other.names().collect::<HashSet<_>>()
    }
}

impl Eq for CapabilitySet {}

/// Returns the names of a set, each once, if they are those of one.
fn unique<S: AsRef<str>>(names: &[S]) -> Result<Vec<&str>, CapabilityError> {
    let mut seen = HashSet::with_capacity(names.len());
    let mut unique = Vec::with_capacity(names.len().min(MAX_CAPABILITIES));
    for name in names {
        let name = name.as_ref();
        if !seen.insert(name) {
            continue;
        }
        if unique.len() == MAX_CAPABILITIES {
            return Err(CapabilityError::new(name, Problem::TooMany));
        }
        check(name)?;
        unique.push(name);
    }
    for name in &unique {
        if let Capability::Name { twin: Some((before, after)), .. } = Capability::from_name(name) {
            let twin = format!("{before}_{after}");
            if seen.contains(twin.as_str()) {
                return Err(CapabilityError::new(name, Problem::Conflict { twin }));
            }
        }
    }
    Ok(unique)
}

/// Refuses a name that is no capability.
fn check(name: &str) -> Result<(), CapabilityError> {
    let refuse = |problem| Err(CapabilityError::new(name, problem));
    if name.is_empty() {
        return refuse(Problem::Empty);
    }
    if name.len() > MAX_NAME_BYTES {
        return refuse(Problem::TooLong);
    }
    if name.chars().any(char::is_control) {
        return refuse(Problem::Control);
    }
    match name.strip_suffix('*') {
        Some("") => Ok(()),
        Some(prefix) => match prefix.strip_suffix([':', '/']) {
            Some(stem) if !stem.is_empty() && !stem.contains('*') => Ok(()),
            _ => refuse(Problem::Star),
        },
        None if name.contains('*') => refuse(Problem::Star),
        None if name.starts_with(':') || name.ends_with(':') => refuse(Problem::Half),
        None => Ok(()),
    }
}

/// The set of names that one capability covers. It is read from the capability each time, which is cheaper than to keep
/// it.
#[derive(Clone, Copy, Debug)]
enum Capability<'a> {
    /// `*`.
    Everything,
    /// The name itself, and for `a:b` its twin `a_b`, here as `a` and `b`.
    Name { name: &'a str, twin: Option<(&'a str, &'a str)> },
    /// The names with a prefix, and for `a:*` those with its twin `a_`, here as `a`.
    Prefix { prefix: &'a str, twin: Option<&'a str> },
}

impl<'a> Capability<'a> {
    fn from_name(name: &'a str) -> Self {
        // A name with several `:` is not the guide's notation and has no twin.
        match name.strip_suffix('*') {
            Some("") => Self::Everything,
            Some(prefix) => {
                let twin = prefix.strip_suffix(':').filter(|stem| !stem.contains(':'));
                Self::Prefix { prefix, twin }
            }
            None => {
                let twin = name.split_once(':').filter(|(_, after)| !after.contains(':'));
                Self::Name { name, twin }
            }
        }
    }

    /// Returns whether all that this capability, which is written as `name`, covers is covered by what covers these
    /// names and what begins with these.
    fn is_whole_in(
        self,
        name: &str,
        covers: impl Fn(&str) -> bool,
        covers_prefix: impl Fn(&str) -> bool,
    ) -> bool {
        match self {
            Self::Everything => covers_prefix(""),
            Self::Name { twin, .. } => {
                covers(name)
                    && twin.is_none_or(|(before, after)| covers(&format!("{before}_{after}")))
            }
            Self::Prefix { prefix, twin } => {
                covers_prefix(prefix) && twin.is_none_or(|stem| covers_prefix(&format!("{stem}_")))
            }
        }
    }

    fn covers(self, tool: &str) -> bool {
        match self {
            Self::Everything => true,
            Self::Name { name, twin } => {
                tool == name
                    || tool.len() == name.len()
                        && twin.is_some_and(|(before, after)| {
                            let rest = tool.strip_prefix(before);
                            rest.and_then(|rest| rest.strip_prefix('_')) == Some(after)
                        })
            }
            Self::Prefix { .. } => self.covers_prefix(tool),
        }
    }

    /// Returns whether everything that starts with `start` is covered. Exact names never cover a prefix,
    /// which has endlessly many names.
    fn covers_prefix(self, start: &str) -> bool {
        match self {
            Self::Everything => true,
            Self::Name { .. } => false,
            Self::Prefix { prefix, twin } => {
                let is_twin =
                    |stem| start.strip_prefix(stem).is_some_and(|rest: &str| rest.starts_with('_'));
                start.starts_with(prefix) || twin.is_some_and(is_twin)
            }
        }
    }
}

/// A list of capabilities that cannot be registered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CapabilityError {
    name: String,
    problem: Problem,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Problem {
    Empty,
    TooLong,
    TooMany,
    Control,
    Star,
    Half,
    Conflict { twin: String },
}

impl CapabilityError {
    fn new(name: &str, problem: Problem) -> Self {
        // An error travels in an answer and in logs: an over-long name is cut, never inside a character.
        Self { name: name.chars().take(MAX_NAME_BYTES).collect(), problem }
    }

    /// Returns the capability at fault, cut to 256 characters.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Returns whether two names of the list stand in each other's way (409), rather than one being
    /// malformed (400).
    #[must_use]
    pub fn is_conflict(&self) -> bool {
        matches!(self.problem, Problem::Conflict { .. })
    }
}

impl fmt::Display for CapabilityError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = &self.name;
        match &self.problem {
            Problem::Empty => f.write_str(
                "a capability has no name; give it one such as `files:read` or `files:*`, or leave it out",
            ),
            Problem::TooLong => {
                let start: String = name.chars().take(40).collect();
                write!(
                    f,
                    "the capability that starts with {start:?} is longer than {MAX_NAME_BYTES} bytes; \
                     shorten it"
                )
            }
            Problem::TooMany => write!(
                f,
                "more than {MAX_CAPABILITIES} capabilities, the first too many is {name:?}; cover \
                 several at once with `name:*` or `name/*`"
            ),
            Problem::Control => {
                write!(f, "the capability {name:?} holds a control character; remove it")
            }
            Problem::Star => write!(
                f,
                "the capability {name:?} has a `*` where none can be; `*` stands alone or ends \
                 `name:*` or `name/*`{}",
                Spelling(name)
            ),
            Problem::Half => write!(
                f,
                "the capability {name:?} has nothing on one side of its `:`; write `name:action` or \
                 `name:*`{}",
                Spelling(name)
            ),
            Problem::Conflict { twin } => write!(
                f,
                "the capabilities {name:?} and {twin:?} name the same tool; register one of them"
            ),
        }
    }
}

/// The capability that a faulty one may have been meant as, which begins with the same name.
struct Spelling<'a>(&'a str);

impl fmt::Display for Spelling<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let begin = self.0.split('*').next().unwrap_or_default();
        // A route is one tool for each method, whose part of the name stands before the path.
        let stem = begin.trim_end_matches(['_', '-', '.', ':', '/', ' ']);
        if stem.is_empty() || stem.starts_with(':') {
            return Ok(());
        }
        if begin == "http/" {
            return f.write_str(", such as `http/GET/*` for every route with this method");
        }
        let spelling = format!("{stem}{}*", if begin.contains('/') { '/' } else { ':' });
        match check(&spelling) {
            Ok(()) => write!(f, ", such as {spelling:?}"),
            Err(_) => Ok(()),
        }
    }
}

impl std::error::Error for CapabilityError {}

#[cfg(test)]
mod tests;
