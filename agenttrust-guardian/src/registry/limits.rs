//! How far a session or a floor lets an agent go: a mode and, if there is one, a ceiling.

use std::sync::Arc;

use agenttrust::model::SessionMode;
use serde_json::{Value, json};

use crate::audit::FactsDigest;
use agenttrust::model::{CapabilityError, CapabilitySet};

/// A mode and a ceiling.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Limits {
    mode: SessionMode,
    ceiling: Option<Ceiling>,
}

/// The names as they were given, and the set of them, which are the same names in memory.
#[derive(Clone, Debug, PartialEq)]
struct Ceiling {
    names: Arc<[String]>,
    set: CapabilitySet,
}

impl Limits {
    /// Returns the limits of `mode`; `None` is no ceiling, an empty ceiling allows nothing.
    pub(crate) fn new(
        mode: SessionMode,
        ceiling: Option<Arc<[String]>>,
    ) -> Result<Self, CapabilityError> {
        let ceiling = match ceiling {
            Some(names) => Some(Ceiling { set: CapabilitySet::share(Arc::clone(&names))?, names }),
            // Restricted is never more than its ceiling, so without one it is nothing at all.
            None if mode == SessionMode::Restricted => {
                Some(Ceiling { names: Arc::new([]), set: CapabilitySet::default() })
            }
            None => None,
        };
        Ok(Self { mode, ceiling })
    }

    pub(crate) fn mode(&self) -> SessionMode {
        self.mode
    }

    /// Returns the names of the ceiling; no names without a ceiling.
    pub(crate) fn ceiling(&self) -> &[String] {
        self.ceiling.as_ref().map_or(&[], |ceiling| &ceiling.names)
    }

    pub(crate) fn has_ceiling(&self) -> bool {
        self.ceiling.is_some()
    }

    /// Returns whether `name`, a tool or a scope, is within the ceiling.
    pub(crate) fn covers(&self, name: &str) -> bool {
        self.ceiling.as_ref().is_none_or(|ceiling| ceiling.set.covers(name))
    }

    /// Returns whether these allow something that `other` does not.
    pub(crate) fn is_looser_than(&self, other: &Self) -> bool {
        let reaches_further = match (&self.ceiling, &other.ceiling) {
            (_, None) => false,
            (None, Some(_)) => true,
            (Some(own), Some(_)) => other.first_uncovered(&own.set).is_some(),
        };
        strictness(self.mode) < strictness(other.mode) || reaches_further
    }

    /// Returns the first of `wanted` that the ceiling does not cover.
    pub(crate) fn first_uncovered<'a>(&self, wanted: &'a CapabilitySet) -> Option<&'a str> {
        self.ceiling.as_ref().and_then(|ceiling| ceiling.set.first_uncovered(wanted))
    }
}

/// Returns what a ceiling says, as the audit keeps it.
pub(crate) fn facts_of_ceiling(ceiling: &[String]) -> Value {
    json!({ "ceiling": ceiling })
}

/// Returns what the audit says of the ceiling of these limits, if they have one: see
/// [`facts_of_ceiling`].
pub(crate) fn ceiling_facts(org_id: &str, limits: &Limits) -> Option<FactsDigest> {
    let ceiling = limits.has_ceiling().then(|| facts_of_ceiling(limits.ceiling()))?;
    FactsDigest::compute(org_id, &ceiling)
}

/// Returns the stricter of two modes.
pub(crate) fn stricter(one: SessionMode, other: SessionMode) -> SessionMode {
    if strictness(one) >= strictness(other) { one } else { other }
}

/// Returns how strict a mode is. One that this version does not know is the strictest: it permits
/// nothing.
pub(crate) fn strictness(mode: SessionMode) -> u8 {
    match mode {
        SessionMode::Open => 0,
        SessionMode::Restricted => 1,
        SessionMode::Supervised => 2,
        _ => 3,
    }
}
