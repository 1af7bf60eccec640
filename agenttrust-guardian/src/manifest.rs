//! What is known of an organisation's tools, and what changes it.
//!
//! Three words about one tool are kept apart, so that no key overwrites another's:
//!
//! - the effect that an operator or admin *set*: final;
//! - what an operator or admin *declared*: the latest declaration replaces the one before;
//! - the effect that each agent's keys *raised* it to: it only ever rises, and for that agent alone. A program that
//!   calls its own `frobnicate` a read is no more than a hint, and so is kept as nothing.
//!
//! Every change is a list of [`ToolChange`]s: the database keeps it, memory takes it over, the audit tells
//! of it.

mod observed;
mod pinned;
mod raised;
mod read;
#[cfg(test)]
mod tests;
mod unreadable;

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use agenttrust::Effect;
use serde::Serialize;
use serde_json::value::RawValue;

pub(crate) use self::observed::{
    Extent, KeptTool, Mark, Observed, PINNED_MAX_BYTES, ToolListChanges, observe, read_list,
    read_page,
};
pub(crate) use self::pinned::{ListedTool, PinnedTool, effect_hint};
pub(crate) use self::raised::Raised;
pub(crate) use self::read::{Sent, Tool, parse_tools};
pub(crate) use self::unreadable::without_unreadable;
use crate::classify::{Classification, ClassificationSource, Evidence, classify};

/// The largest number of tools that operators and admins have declared in one organisation ...
const DECLARED_MOST: usize = 10_000;
/// ... and how many bytes all of them have. They are in memory, and one answer lists them all.
const BYTES_MOST: usize = 6 << 20;
/// The largest number of tools that the keys of one agent have raised ...
const RAISED_BY_AGENT: usize = 1_000;
/// ... and those of all agents of one organisation, and of all organisations of a Guardian. They are in memory.
const RAISED_IN_ORGANISATION: usize = 20_000;
const RAISED_IN_ALL: usize = 100_000;

/// The declaration of one tool by an operator or admin.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Declared {
    pub(crate) effect: Option<Effect>,
    /// The scopes, ordered, none twice.
    pub(crate) scopes: Vec<String>,
    pub(crate) arguments: Json,
    pub(crate) places: Json,
}

impl Declared {
    fn bytes(&self, tool: &str) -> usize {
        let scopes: usize = self.scopes.iter().map(String::len).sum();
        tool.len() + scopes + self.arguments.as_str().len() + self.places.as_str().len()
    }

    /// Returns whether arguments and places are the same, which people read.
    fn describes_as(&self, other: &Self) -> bool {
        self.arguments == other.arguments && self.places == other.places
    }
}

/// JSON that is handed on as it is. As a tree of values it would take many times its length.
#[derive(Clone, Debug, Serialize)]
#[serde(transparent)]
pub(crate) struct Json(Box<RawValue>);

impl Json {
    /// Returns this text, if it is JSON.
    pub(crate) fn parse(text: String) -> Result<Self, serde_json::Error> {
        RawValue::from_string(text).map(Self)
    }

    fn from_value<T: Serialize>(value: &T) -> Result<Self, serde_json::Error> {
        serde_json::value::to_raw_value(value).map(Self)
    }

    pub(crate) fn as_str(&self) -> &str {
        self.0.get()
    }
}

impl PartialEq for Json {
    fn eq(&self, other: &Self) -> bool {
        self.as_str() == other.as_str()
    }
}

/// The facts about one tool: the effect that was set, and what was declared of it.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct ToolFacts {
    /// The effect that an operator or admin set.
    pub(crate) set: Option<Effect>,
    /// The declaration of an operator or admin.
    pub(crate) declared: Option<Arc<Declared>>,
    /// The effects that agents' keys raised it to.
    pub(crate) raised: Raised,
}

/// The effect that a key of some agents says one tool has.
#[derive(Clone, Debug)]
pub(crate) struct Said {
    pub(crate) tool: String,
    pub(crate) effect: Effect,
    /// The agents that may use it.
    pub(crate) agents: Vec<Arc<str>>,
}

impl ToolFacts {
    /// Returns the scopes that a check needs beside its own.
    pub(crate) fn scopes(&self) -> &[String] {
        self.declared.as_ref().map_or(&[], |declared| &declared.scopes)
    }

    /// Returns what a call of `tool` by this agent does, when its caller hints this.
    pub(crate) fn classify(&self, tool: &str, agent: &str, hint: Option<Effect>) -> Classification {
        self.classify_raised(tool, self.raised.of(agent), hint)
    }

    fn classify_raised(
        &self,
        tool: &str,
        raised: Option<Effect>,
        hint: Option<Effect>,
    ) -> Classification {
        classify(&Evidence {
            tool,
            operator: self.set,
            hint,
            manifest: self.declared.as_ref().and_then(|declared| declared.effect),
            raised,
            annotation: None,
        })
    }

    /// Returns what a call of `tool` counts as when its caller says nothing, as far as anything does: one by that of
    /// these agents for which it is most, or by an agent of which nothing is known.
    pub(crate) fn in_force(&self, tool: &str, agents: &[Arc<str>]) -> Option<Effect> {
        let raised = agents.iter().filter_map(|agent| self.raised.by(agent));
        let raised = raised.max().max(self.raised.for_everybody());
        let found = self.classify_raised(tool, raised, None);
        (found.basis != ClassificationSource::Default).then_some(found.effect)
    }

    /// Returns whether `GET /api/v1/tools` lists it: an effect that was only set is no declaration.
    pub(crate) fn is_listed(&self) -> bool {
        self.declared.is_some() || !self.raised.is_empty()
    }

    /// Returns whether `effect` says more than what a call by this agent counts as whose caller hints that it reads.
    fn is_raised_by(&self, tool: &str, agent: &str, effect: Effect) -> bool {
        // Under an effect that was set, which may be taken back.
        let found = Self { set: None, ..self.clone() }.classify(tool, agent, Some(Effect::Read));
        effect > found.effect
    }
}

/// A change of the facts about one tool.
#[derive(Clone, Debug)]
pub(crate) struct ToolChange {
    pub(crate) tool: String,
    pub(crate) before: ToolFacts,
    pub(crate) after: ToolFacts,
}

impl ToolChange {
    /// Returns what calls of the tool count as by now, each with the other effect that such a call would have. A caller
    /// may hint anything, and hints count where no effect is set.
    ///
    /// A stronger one only where an operator or admin says something else: agents' keys may raise what is theirs.
    pub(crate) fn moved(&self) -> Vec<(Effect, Effect)> {
        let Self { tool, before, after } = self;
        let is_said_anew = before.set != after.set || before.declared != after.declared;
        let everybody = (before.raised.for_everybody(), after.raised.for_everybody());
        let each = before.raised.by_agents();
        let each = each.map(|(agent, _)| (before.raised.of(agent), after.raised.of(agent)));
        let raised: BTreeSet<_> = std::iter::once(everybody).chain(each).collect();
        let mut moved = Vec::new();
        for (was, is) in raised {
            for hint in std::iter::once(None).chain(Effect::ALL.map(Some)) {
                let from = before.classify_raised(tool, was, hint).effect;
                let to = after.classify_raised(tool, is, hint).effect;
                let is_moved = to < from || (is_said_anew && to > from);
                moved.extend(is_moved.then_some((from, to)));
            }
        }
        moved
    }

    /// Returns what was declared of the tool, before and after.
    pub(crate) fn declared(&self) -> (Option<&Declared>, Option<&Declared>) {
        (self.before.declared.as_deref(), self.after.declared.as_deref())
    }

    /// Returns whether arguments or places changed.
    pub(crate) fn describes_anew(&self) -> bool {
        match self.declared() {
            (Some(before), Some(after)) => !before.describes_as(after),
            (None, Some(after)) => {
                after.arguments.as_str() != "[]" || after.places.as_str() != "[]"
            }
            (_, None) => false,
        }
    }
}

/// The tools of one organisation and what is known of each, by name.
#[derive(Debug, Default)]
pub(crate) struct Manifest {
    tools: BTreeMap<String, ToolFacts>,
}

impl Manifest {
    /// Returns what is known of this tool.
    pub(crate) fn get(&self, tool: &str) -> ToolFacts {
        self.tools.get(tool).cloned().unwrap_or_default()
    }

    /// Returns every tool of which anything is known, ordered by name.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (&String, &ToolFacts)> {
        self.tools.iter()
    }

    /// Returns what changes when an operator or admin declares these tools, each of them once.
    pub(crate) fn declare(&self, sent: Vec<Sent>) -> Result<Vec<ToolChange>, Full> {
        let (mut tools, mut bytes) = (0, 0);
        for (tool, known) in &self.tools {
            if let Some(declared) = &known.declared {
                tools += 1;
                bytes += declared.bytes(tool);
            }
        }
        let (tools_before, bytes_before) = (tools, bytes);
        let mut changes = Vec::new();
        for Sent { tool, declared } in sent {
            let before = self.get(&tool);
            tools += usize::from(before.declared.is_none());
            bytes += declared.bytes(&tool);
            bytes -= before.declared.as_ref().map_or(0, |declared| declared.bytes(&tool));
            if before.declared.as_deref() != Some(&declared) {
                let after = ToolFacts { declared: Some(Arc::new(declared)), ..before.clone() };
                changes.push(ToolChange { tool, before, after });
            }
        }
        // What is there already may always change to less.
        if tools > DECLARED_MOST.max(tools_before) {
            return Err(Full::Declared);
        }
        if bytes > BYTES_MOST.max(bytes_before) {
            return Err(Full::Bytes);
        }
        Ok(changes)
    }

    /// Returns what changes when the key of some agents says what these tools, each of them once, do: for each of these
    /// agents and no other. All organisations together have raised so many tools, these among them.
    pub(crate) fn raise(&self, said: Vec<Said>, in_all: usize) -> Result<Vec<ToolChange>, Full> {
        let mut of_agents: HashMap<Arc<str>, usize> = HashMap::new();
        let (mut new, mut grown) = (0, HashMap::new());
        for (agent, _) in self.tools.values().flat_map(|known| known.raised.by_agents()) {
            *of_agents.entry(Arc::clone(agent)).or_default() += 1;
        }
        let before: usize = of_agents.values().sum();
        let mut changes = Vec::new();
        for Said { tool, effect, agents } in said {
            let before = self.get(&tool);
            let mut after = before.clone();
            for agent in agents {
                if !before.is_raised_by(&tool, &agent, effect) {
                    continue;
                }
                if before.raised.by(&agent).is_none() {
                    *grown.entry(Arc::clone(&agent)).or_insert(0_usize) += 1;
                    new += 1;
                }
                after.raised.raise(agent, effect);
            }
            if after != before {
                changes.push(ToolChange { tool, before, after });
            }
        }
        let of_agent = |agent: &Arc<str>| of_agents.get(agent).copied().unwrap_or(0);
        let full = grown.iter().find(|(agent, more)| of_agent(agent) + **more > RAISED_BY_AGENT);
        if let Some((agent, _)) = full {
            return Err(Full::RaisedByAgent(agent.to_string()));
        }
        if new > 0 && (before + new > RAISED_IN_ORGANISATION || in_all + new > RAISED_IN_ALL) {
            return Err(Full::RaisedInAll);
        }
        Ok(changes)
    }

    /// Returns how many tools agents have raised, each counted by its own.
    pub(crate) fn raised(&self) -> usize {
        self.tools.values().map(|known| known.raised.iter().count()).sum()
    }

    /// Forgets what this agent raised; returns how much.
    pub(crate) fn forget_agent(&mut self, agent: &str) -> usize {
        let mut forgotten = 0;
        for known in self.tools.values_mut() {
            forgotten += usize::from(known.raised.forget(agent));
        }
        self.tools.retain(|_, known| known.set.is_some() || known.is_listed());
        forgotten
    }

    /// Returns what changes when everything that was declared of a tool is forgotten; `None` when nothing was.
    pub(crate) fn remove(&self, tool: &str) -> Option<ToolChange> {
        let before = self.get(tool);
        let after = ToolFacts { set: before.set, ..ToolFacts::default() };
        before.is_listed().then(|| ToolChange { tool: tool.to_owned(), before, after })
    }

    /// Returns what changes when an operator or admin sets the effect of a tool, or takes it back.
    pub(crate) fn set(&self, tool: &str, effect: Option<Effect>) -> ToolChange {
        let before = self.get(tool);
        let after = ToolFacts { set: effect, ..before.clone() };
        ToolChange { tool: tool.to_owned(), before, after }
    }

    /// Takes in one more word about a tool.
    pub(crate) fn join(&mut self, tool: String, more: ToolFacts) {
        let known = self.tools.entry(tool).or_default();
        known.set = known.set.or(more.set);
        known.declared = known.declared.take().or(more.declared);
        known.raised.join(&more.raised);
    }
}

/// The reason why a declaration does not fit beside those that are there already.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Full {
    #[error(
        "the organisation would have more than {DECLARED_MOST} tools declared, which is the most; \
         remove those that are not in use, with DELETE /api/v1/tools/{{name}}"
    )]
    Declared,
    #[error(
        "what the organisation's tools are declared with would be more than {BYTES_MOST} bytes, which \
         is the most; leave out schemas, or remove tools that are not in use, with \
         DELETE /api/v1/tools/{{name}}"
    )]
    Bytes,
    #[error(
        "the keys of agent {0:?} would have raised the effect of more than {RAISED_BY_AGENT} tools, which is the most \
         for one agent; have an operator declare these tools, or remove those that are not in use, with \
         DELETE /api/v1/tools/{{name}}"
    )]
    RaisedByAgent(String),
    #[error(
        "the keys of agents would have raised the effects of more tools than there is room for, which is \
         {RAISED_IN_ORGANISATION} for all agents of an organisation and {RAISED_IN_ALL} for all organisations; have \
         an operator declare these tools, or remove those that are not in use, with DELETE /api/v1/tools/{{name}}"
    )]
    RaisedInAll,
}
