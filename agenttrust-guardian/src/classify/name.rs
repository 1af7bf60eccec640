//! What a tool's name says: the rule of the [module](super), word by word.

use agenttrust::Effect;

use super::confusables::has_confusables;
use super::http_method;
use super::verbs::{self, Word};
use super::words::{oddly_cased, words};

/// The effect that a name tells. `None` orders below every effect.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Said {
    /// The effect that it tells beside other evidence.
    pub(super) beside_others: Option<Effect>,
    /// The effect that it tells where there is no other evidence.
    pub(super) alone: Option<Effect>,
}

impl Said {
    const fn only(effect: Effect) -> Self {
        Self { beside_others: Some(effect), alone: Some(effect) }
    }

    fn raise(&mut self, other: Self) {
        self.beside_others = self.beside_others.max(other.beside_others);
        self.alone = self.alone.max(other.alone);
    }
}

/// Reads a tool's name.
pub(super) fn read_tool_name(tool: &str) -> Said {
    match http_method(tool) {
        Some("GET" | "HEAD" | "OPTIONS") => return Said::only(Effect::Read),
        Some("DELETE") => return Said::only(Effect::Destructive),
        Some(_) => return Said::only(Effect::Mutating),
        None => {}
    }
    let (before, last) = tool.rsplit_once('/').unwrap_or(("", tool));
    let last = Part::parse(last, Reads::default());
    let (mut said, mut rights) = (last.said, last.rights);
    // The read of the last part stands for the whole name: the `comment` of `comment/list` is a thing.
    for part in before.split('/') {
        let part = Part::parse(part, last.reads);
        said.raise(part.said);
        rights |= part.rights;
    }
    for effect in oddly_cased(tool).filter_map(verbs::hidden_in) {
        said.raise(Said::only(effect));
    }
    if rights && said.alone.is_some() {
        said.raise(Said::only(Effect::Admin));
    }
    if last.reads.any {
        said.raise(Said::only(Effect::Read));
    }
    // A server of that name, or a method that is none: its verbs count, and nothing lowers it to a read.
    if before.starts_with("http/") || has_confusables(tool) {
        said.raise(Said::only(Effect::Mutating));
    }
    said
}

/// The reads that stand before a word.
#[derive(Clone, Copy, Debug, Default)]
struct Reads {
    any: bool,
    /// Whether there is a word that is no noun.
    plain: bool,
}

impl Reads {
    /// Adds a word that is no noun, in this part.
    fn add_plain(&mut self, found: &mut Part) {
        (self.any, self.plain) = (true, true);
        (found.reads.any, found.reads.plain) = (true, true);
    }
}

/// A part of a path.
#[derive(Debug, Default)]
struct Part {
    /// The effect of its verbs that are stronger than a read.
    said: Said,
    /// Its reads.
    reads: Reads,
    /// Whether it names who may do what.
    rights: bool,
}

impl Part {
    /// Reads the words of a part that `governing` reads stand over.
    fn parse(part: &str, mut governing: Reads) -> Self {
        let mut found = Self::default();
        let mut before = Reads::default();
        let (mut first, mut listing, mut running) = (true, false, false);
        let mut words = words(part).peekable();
        while let Some(word) = words.next() {
            let next = words.peek();
            match next.and_then(|next| verbs::pair(word, next)) {
                Some(Effect::Read) => before.add_plain(&mut found),
                Some(effect) => found.said.raise(Said::only(effect)),
                None => {}
            }
            match verbs::known(word) {
                Some(Word::Read) => before.add_plain(&mut found),
                Some(Word::ReadOrThing) => {
                    before.any = true;
                    listing |= first && word.eq_ignore_ascii_case("list");
                    found.reads.any = true;
                }
                Some(Word::Verb(effect)) => found.said.raise(Said::only(effect)),
                Some(Word::VerbOrThing(effect)) => {
                    if !before.any && !governing.any {
                        found.said.raise(Said::only(effect));
                    }
                }
                Some(Word::VerbOrEvent(effect)) => {
                    let listed = listing && next.is_some();
                    if !before.plain && !governing.plain && !listed {
                        found.said.raise(Said::only(effect));
                    }
                }
                Some(Word::Power) => found.said.raise(power(before)),
                Some(Word::Program) if running => found.said.raise(power(before)),
                Some(Word::Joint) => {
                    (before, governing) = (Reads::default(), Reads::default());
                    (listing, running) = (false, false);
                }
                Some(Word::Rights) => found.rights = true,
                Some(Word::Program) | None => {}
            }
            // Behind a read, a run is a thing: a program that follows it says no more.
            running |= !before.any && verbs::runs(word);
            first = false;
        }
        found
    }
}

/// Returns what a verb of money or execution says behind these reads.
fn power(before: Reads) -> Said {
    let alone = if before.any { Effect::Mutating } else { Effect::Destructive };
    Said { beside_others: Some(Effect::Mutating), alone: Some(alone) }
}
