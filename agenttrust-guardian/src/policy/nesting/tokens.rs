//! What of a policy's text can nest, told apart as Cedar's grammar does it.

use std::iter::Peekable;
use std::str::CharIndices;

/// A piece of text, as far as it matters to depth.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Token {
    /// A token that cannot nest by itself.
    Word,
    /// An operator, or the dot before a member.
    Operator,
    /// `&&` or `||`.
    Link,
    If,
    /// `then` or `else`.
    Branch,
    Comma,
    Open,
    Close,
    /// The semicolon that ends a policy.
    End,
}

/// Returns the tokens of a text as they are written, without what lies between them.
pub(in crate::policy) fn written(text: &str) -> impl Iterator<Item = &str> {
    let mut tokens = Tokens::of(text);
    std::iter::from_fn(move || {
        let (begins, _) = tokens.next()?;
        text.get(begins..tokens.reached())
    })
}

/// The tokens of a text, each with the byte at which it begins, without whitespace and comments.
pub(super) struct Tokens<'a> {
    text: &'a str,
    chars: Peekable<CharIndices<'a>>,
}

impl<'a> Tokens<'a> {
    pub(super) fn of(text: &'a str) -> Self {
        Self { text, chars: text.char_indices().peekable() }
    }

    /// Returns where what was not read yet begins.
    fn reached(&mut self) -> usize {
        self.chars.peek().map_or(self.text.len(), |(at, _)| *at)
    }

    /// Takes the next character if it is this one.
    fn follows(&mut self, wanted: char) -> bool {
        self.chars.next_if(|(_, next)| *next == wanted).is_some()
    }

    /// Takes the rest of a string, whose quote was read.
    fn skip_string(&mut self) {
        while let Some((_, inside)) = self.chars.next() {
            match inside {
                '"' => break,
                '\\' => drop(self.chars.next()),
                _ => {}
            }
        }
    }

    /// Takes the rest of a word that begins here, and says what it is.
    fn word(&mut self, begins: usize) -> Token {
        while self.chars.next_if(|(_, c)| c.is_ascii_alphanumeric() || *c == '_').is_some() {}
        let ends = self.reached();
        match self.text.get(begins..ends).unwrap_or_default() {
            "if" => Token::If,
            "then" | "else" => Token::Branch,
            "in" | "has" | "like" | "is" => Token::Operator,
            _ => Token::Word,
        }
    }
}

impl Iterator for Tokens<'_> {
    type Item = (usize, Token);

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            let (at, current) = self.chars.next()?;
            let token = match current {
                // A comment ends with its line, and a line with either.
                '/' if self.follows('/') => {
                    while self.chars.next_if(|(_, c)| !matches!(c, '\n' | '\r')).is_some() {}
                    continue;
                }
                '"' => {
                    self.skip_string();
                    Token::Word
                }
                '&' | '|' => {
                    self.follows(current);
                    Token::Link
                }
                '=' | '!' | '<' | '>' => {
                    self.follows('=');
                    Token::Operator
                }
                '+' | '-' | '*' | '/' | '%' | '.' => Token::Operator,
                '(' | '[' | '{' => Token::Open,
                ')' | ']' | '}' => Token::Close,
                ',' => Token::Comma,
                ';' => Token::End,
                'a'..='z' | 'A'..='Z' | '_' => self.word(at),
                _ if current.is_whitespace() => continue,
                _ => Token::Word,
            };
            return Some((at, token));
        }
    }
}
