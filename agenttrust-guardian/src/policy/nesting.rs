//! How deep a policy may nest, found before Cedar parses it.
//!
//! Cedar makes a tree of each policy, and parses, validates, evaluates and drops it by recursion. Text that nests deep
//! enough, in whichever way, ends the whole process with a stack overflow, or is taken without having been validated.
//! So its depth is bounded here, and nothing deep is ever made. What is left is parsed and validated on a stack with
//! room for it, and may be asked and dropped on any.

mod tokens;

pub(super) use self::tokens::written;
use self::tokens::{Token, Tokens};
use super::error::{PolicyError, Position};

/// The number of operators, dots, brackets and `if`s that may lie inside of one another. People write fewer than ten;
/// a chain of `||` or `&&` has one for each of its links.
const MAX_DEPTH: usize = 256;

/// The number of brackets and `if`s that a policy may open. Where it is not well formed, Cedar may put more of them
/// inside of one another than their ends tell; no more is sure than their number.
const MAX_OPENED: usize = 1_024;

/// The largest length of a policy, in bytes. Cedar looks through all of its text again for each fault in it.
const MAX_BYTES: usize = 64 << 10;

/// The size of the stack: enough for both in a build without optimisation. Only touched pages cost memory.
const STACK_BYTES: usize = 128 << 20;

/// The text of one policy.
#[derive(Debug)]
pub(super) struct Piece<'a> {
    pub(super) text: &'a str,
    /// The place in the text of its file where it begins.
    pub(super) offset: usize,
}

/// Takes a text apart into its policies.
///
/// # Errors
///
/// [`PolicyError`] for one that nests too deep or is too long.
pub(super) fn pieces<'a>(file: &str, text: &'a str) -> Result<Vec<Piece<'a>>, PolicyError> {
    let mut pieces = Vec::new();
    let mut policy = Policy::default();
    for (at, token) in Tokens::of(text) {
        policy.take(at, token);
        if let Some(problem) = policy.problem(at) {
            let line = Position::at_offset(text, policy.begins.unwrap_or(at)).line;
            let problem = format!("the policy that begins in line {line} {problem}");
            return Err(PolicyError::at(file, text, at, problem));
        }
        if token == Token::End {
            pieces.extend(policy.piece(text, at + 1));
            policy = Policy::default();
        }
    }
    pieces.extend(policy.piece(text, text.len()));
    Ok(pieces)
}

/// The part of a policy that was read.
#[derive(Default)]
struct Policy {
    begins: Option<usize>,
    opened: usize,
    /// The levels around the bracket that is open, the outermost first.
    outer: Vec<Level>,
    level: Level,
}

impl Policy {
    fn take(&mut self, at: usize, token: Token) {
        self.begins.get_or_insert(at);
        match token {
            Token::Word | Token::End => {}
            Token::Operator => self.level.operators += 1,
            Token::Link => self.level.link(),
            Token::If => {
                self.level.link();
                self.opened += 1;
            }
            Token::Branch => self.level.end_operand(),
            Token::Comma => self.level.end_item(),
            Token::Open => {
                self.level.operators += 1;
                self.outer.push(std::mem::take(&mut self.level));
                self.opened += 1;
            }
            Token::Close => {
                if let Some(outer) = self.outer.pop() {
                    let inner = std::mem::replace(&mut self.level, outer).depth();
                    self.level.inner = self.level.inner.max(inner);
                }
            }
        }
    }

    /// Returns what is too much of it, up to here.
    fn problem(&self, at: usize) -> Option<String> {
        if self.depth() > MAX_DEPTH {
            return Some(format!(
                "nests too deep here: {MAX_DEPTH} operators, dots, brackets and `if`s inside of one another are the \
                 most; split it into several policies, or compare with a list, as in \
                 `[\"a\", \"b\"].contains(resource.name)`"
            ));
        }
        if self.opened > MAX_OPENED {
            return Some(format!(
                "opens more than {MAX_OPENED} brackets, which is the most; split it into several policies"
            ));
        }
        let is_long = self.begins.is_some_and(|begins| at - begins > MAX_BYTES);
        is_long.then(|| {
            format!("is longer than {MAX_BYTES} bytes, which is the most; split it into several policies")
        })
    }

    fn piece<'a>(&self, text: &'a str, ends: usize) -> Option<Piece<'a>> {
        let offset = self.begins?;
        Some(Piece { text: text.get(offset..ends)?, offset })
    }

    /// Returns the least depth of the nesting. An outer level counts once the level inside of it has ended.
    fn depth(&self) -> usize {
        self.outer.len() + self.level.depth()
    }
}

/// The text between two brackets, without what their own brackets hold. Of a chain each link may be inside of all
/// others, and one of its operands inside of all links.
#[derive(Default)]
struct Level {
    /// The depth of the deepest item before a comma.
    items: usize,
    /// `&&`, `||` and `if`s of this item.
    links: usize,
    /// The depth of the deepest operand before a link of this item.
    operands: usize,
    /// The depth of this operand: what is between brackets counts as deep as the deepest of it.
    operators: usize,
    inner: usize,
}

impl Level {
    fn depth(&self) -> usize {
        self.items.max(self.links + self.operands.max(self.operators + self.inner))
    }

    fn end_operand(&mut self) {
        self.operands = self.operands.max(self.operators + self.inner);
        (self.operators, self.inner) = (0, 0);
    }

    fn link(&mut self) {
        self.end_operand();
        self.links += 1;
    }

    fn end_item(&mut self) {
        *self = Self { items: self.depth(), ..Self::default() };
    }
}

/// Runs `work` on a stack with room for every policy of [`pieces`].
///
/// # Errors
///
/// A sentence, when there is no thread to be had or `work` panicked.
pub(super) fn with_room<T: Send>(work: impl FnOnce() -> T + Send) -> Result<T, String> {
    std::thread::scope(|scope| {
        std::thread::Builder::new()
            .name("agenttrust-policies".to_owned())
            .stack_size(STACK_BYTES)
            .spawn_scoped(scope, work)
            .map_err(|error| {
                format!("the policies cannot be read without a thread ({error}); free some memory")
            })?
            .join()
            .map_err(|_| "the policies made the parser panic; report them as a bug".to_owned())
    })
}

#[cfg(test)]
mod tests;
