//! What programs declare of their tools, and how one declaration joins what was declared before.
//!
//! What an operator or admin declares of a tool replaces whatever manifests said of it. What an agent's
//! or a gateway's key declares can only raise: it adds scopes, and its effect counts where it is at
//! least what the Guardian finds without it. A program that calls its own `frobnicate` a read is no more
//! than a hint, and so is kept as nothing.

mod read;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use agenttrust::Effect;
use agenttrust::model::{ToolArgument, ToolDeclaration, ToolPlace};

pub(crate) use self::read::read;
use crate::classify::{Evidence, classify};
use crate::names::check_names;

/// How many tools one organisation has at most ...
const TOOLS_MOST: usize = 10_000;
/// ... and how many bytes all of them have as JSON. They are in memory, and one answer lists them all.
const BYTES_MOST: usize = 6 << 20;

/// Whose declaration it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Author {
    /// An operator or admin: it replaces what was declared before.
    Operator,
    /// An agent or gateway: it can only raise.
    Program,
}

/// What is declared of one tool.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Declared {
    pub(crate) effect: Option<Effect>,
    /// Ordered, none twice.
    pub(crate) scopes: Vec<String>,
    pub(crate) arguments: Vec<ToolArgument>,
    pub(crate) places: Vec<ToolPlace>,
    /// Whether an operator or admin declared it. Arguments and places are for people who write policies,
    /// and an agent shall not rewrite what an operator gave them.
    pub(crate) vouched: bool,
}

impl Declared {
    fn by_operator(said: &ToolDeclaration) -> Self {
        Self {
            effect: said.effect,
            scopes: said.scopes.clone(),
            arguments: said.arguments.clone(),
            places: said.places.clone(),
            vouched: true,
        }
    }

    fn by_program(stored: Option<&Self>, said: &ToolDeclaration) -> Result<Self, Full> {
        let before = stored.and_then(|stored| stored.effect);
        let found = classify(&Evidence {
            tool: &said.name,
            operator: None,
            hint: None,
            manifest: before,
            annotation: None,
        });
        let Some(stored) = stored else {
            let effect = said.effect.filter(|effect| *effect >= found.effect);
            return Ok(Self { effect, vouched: false, ..Self::by_operator(said) });
        };
        let scopes: BTreeSet<&String> = stored.scopes.iter().chain(&said.scopes).collect();
        let scopes: Vec<String> = scopes.into_iter().cloned().collect();
        check_names("scopes", &scopes).map_err(|_| Full::Scopes { tool: said.name.clone() })?;
        let describes = !stored.vouched;
        Ok(Self {
            effect: before.max(said.effect.filter(|effect| *effect >= found.effect)),
            scopes,
            arguments: latest(&stored.arguments, &said.arguments, describes),
            places: latest(&stored.places, &said.places, describes),
            vouched: stored.vouched,
        })
    }

    /// As it is answered, with the effect that is in force.
    pub(crate) fn as_declaration(&self, tool: &str, in_force: Option<Effect>) -> ToolDeclaration {
        let mut declaration = ToolDeclaration::new(tool);
        declaration.effect = in_force;
        declaration.scopes.clone_from(&self.scopes);
        declaration.arguments.clone_from(&self.arguments);
        declaration.places.clone_from(&self.places);
        declaration
    }

    fn bytes(&self, tool: &str) -> usize {
        // Names, words and schemas always serialise.
        serde_json::to_vec(&self.as_declaration(tool, self.effect)).map_or(0, |json| json.len())
    }
}

fn latest<T: Clone>(before: &[T], said: &[T], may_change: bool) -> Vec<T> {
    if may_change && !said.is_empty() { said.to_vec() } else { before.to_vec() }
}

/// Everything that is declared in one organisation, by the tool's name.
#[derive(Clone, Debug, Default)]
pub(crate) struct Manifest {
    tools: BTreeMap<String, Arc<Declared>>,
    bytes: usize,
}

impl Manifest {
    /// What is declared of this tool.
    pub(crate) fn get(&self, tool: &str) -> Option<&Arc<Declared>> {
        self.tools.get(tool)
    }

    /// Every tool, ordered by name.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (&str, &Declared)> {
        self.tools.iter().map(|(tool, declared)| (tool.as_str(), declared.as_ref()))
    }

    /// Puts a tool in, or in the place of what was declared of it.
    pub(crate) fn insert(&mut self, tool: String, declared: Declared) {
        self.remove(&tool);
        self.bytes = self.bytes.saturating_add(declared.bytes(&tool));
        self.tools.insert(tool, Arc::new(declared));
    }

    /// Takes a tool out; whether it was there.
    pub(crate) fn remove(&mut self, tool: &str) -> bool {
        let removed = self.tools.remove(tool);
        let bytes = removed.as_ref().map_or(0, |declared| declared.bytes(tool));
        self.bytes = self.bytes.saturating_sub(bytes);
        removed.is_some()
    }

    /// Takes in what was said of some tools; returns the names of those about which something changed.
    /// Every other tool stays as it is. After an error this manifest is of no use any more.
    pub(crate) fn declare(
        &mut self,
        said: &[ToolDeclaration],
        author: Author,
    ) -> Result<Vec<String>, Full> {
        let (tools, bytes) = (self.tools.len(), self.bytes);
        let mut changed = Vec::new();
        for said in said {
            let stored = self.tools.get(&said.name).map(Arc::as_ref);
            let declared = match author {
                Author::Operator => Declared::by_operator(said),
                Author::Program => Declared::by_program(stored, said)?,
            };
            if stored != Some(&declared) {
                self.insert(said.name.clone(), declared);
                changed.push(said.name.clone());
            }
        }
        if self.tools.len() > TOOLS_MOST.max(tools) {
            return Err(Full::Tools);
        }
        if self.bytes > BYTES_MOST.max(bytes) {
            return Err(Full::Bytes);
        }
        Ok(changed)
    }
}

/// Why a manifest does not fit beside what is declared already.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Full {
    #[error(
        "the organisation would have more than {TOOLS_MOST} tools declared, which is the most; \
         an operator can remove those that nobody uses, with DELETE /api/v1/tools/{{name}}"
    )]
    Tools,
    #[error(
        "what the organisation's tools are declared with would be more than {BYTES_MOST} bytes, which \
         is the most; leave out schemas, or have an operator remove tools that nobody uses, with \
         DELETE /api/v1/tools/{{name}}"
    )]
    Bytes,
    #[error(
        "tool {tool:?} would have more scopes than a check may, because these join those that are \
         declared already; have an operator declare the tool, which replaces them"
    )]
    Scopes { tool: String },
}
