//! The docs of items in a source, read off its tokens: what stands in a string or a comment is not one.

use std::str::FromStr as _;

use proc_macro2::{Delimiter, Group, LexError, TokenStream, TokenTree};
use syn::{Expr, ExprLit, Lit, Meta};

/// The doc of one item.
pub(super) struct Doc {
    /// The line where it begins, from 1.
    pub(super) line: usize,
    /// The lines, with their numbers.
    lines: Vec<(usize, String)>,
    /// The name of the function that it is of, unless others than programmers read it.
    pub(super) function: Option<String>,
}

/// The text of a doc, as one line, without its examples.
pub(super) struct Prose {
    pub(super) text: String,
    /// The place where each word begins in `text`, and the line that it is in.
    words: Vec<(usize, usize)>,
}

impl Prose {
    /// Returns the line of what is at this place of the text.
    pub(super) fn line_at(&self, at: usize) -> usize {
        let later = self.words.partition_point(|(begin, _)| *begin <= at);
        self.words[later.saturating_sub(1)].1
    }
}

impl Doc {
    /// Returns what it says, words apart by one space wherever the lines are broken.
    pub(super) fn prose(&self) -> Prose {
        let mut prose = Prose { text: String::new(), words: Vec::new() };
        let mut is_example = false;
        for (line, text) in &self.lines {
            if text.trim_start().starts_with("```") {
                is_example = !is_example;
            } else if !is_example {
                for word in text.split_whitespace() {
                    if !prose.text.is_empty() {
                        prose.text.push(' ');
                    }
                    prose.words.push((prose.text.len(), *line));
                    prose.text.push_str(word);
                }
            }
        }
        prose
    }
}

/// Returns the docs in a source, in the order of their lines.
///
/// # Errors
///
/// When the text is not made of Rust's tokens.
pub(super) fn docs(text: &str) -> Result<Vec<Doc>, LexError> {
    let mut found = Vec::new();
    walk(TokenStream::from_str(text)?, &mut found);
    found.sort_by_key(|doc: &Doc| doc.line);
    Ok(found)
}

/// Collects the docs among these tokens, and in what is between their brackets.
fn walk(tokens: TokenStream, found: &mut Vec<Doc>) {
    let tokens: Vec<TokenTree> = tokens.into_iter().collect();
    let mut at = 0;
    while at < tokens.len() {
        let (attributes, behind) = attributes(&tokens, at);
        if let Some(doc) = doc(&attributes, &tokens[behind..]) {
            found.push(doc);
        }
        if behind > at {
            at = behind;
        } else {
            if let TokenTree::Group(group) = &tokens[at] {
                walk(group.stream(), found);
            }
            at += 1;
        }
    }
}

/// Returns the outer attributes from here on, and where they end.
fn attributes(tokens: &[TokenTree], begin: usize) -> (Vec<&Group>, usize) {
    let mut found = Vec::new();
    let mut at = begin;
    while let (Some(TokenTree::Punct(mark)), Some(TokenTree::Group(group))) =
        (tokens.get(at), tokens.get(at + 1))
    {
        if mark.as_char() != '#' || group.delimiter() != Delimiter::Bracket {
            break;
        }
        found.push(group);
        at += 2;
    }
    (found, at)
}

/// Returns the doc in these attributes, of what the tokens behind them are.
fn doc(attributes: &[&Group], item: &[TokenTree]) -> Option<Doc> {
    let mut lines = Vec::new();
    let mut others = Vec::new();
    for attribute in attributes {
        match said(attribute) {
            Some(text) => {
                let line = attribute.span_open().start().line;
                lines.extend(text.lines().enumerate().map(|(n, said)| (line + n, said.to_owned())));
            }
            None => others.push(attribute.stream().to_string().replace(' ', "")),
        }
    }
    let (line, _) = *lines.first()?;
    let has_readers_of_its_own = others.iter().any(|attribute| {
        let path = attribute.split('(').next().unwrap_or_default();
        // The summary of an endpoint, the description of a tool, the promise of a test.
        path == "utoipa::path" || path.split("::").any(|word| word == "tool" || word == "test")
    });
    let function = function(item).filter(|_| !has_readers_of_its_own);
    Some(Doc { line, lines, function })
}

/// Returns the text of an attribute that is a doc.
fn said(attribute: &Group) -> Option<String> {
    let Ok(Meta::NameValue(doc)) = syn::parse2(attribute.stream()) else { return None };
    match doc.value {
        Expr::Lit(ExprLit { lit: Lit::Str(text), .. }) if doc.path.is_ident("doc") => {
            Some(text.value())
        }
        _ => None,
    }
}

/// Returns the name of the function that begins here.
fn function(item: &[TokenTree]) -> Option<String> {
    let mut tokens = item.iter();
    loop {
        match tokens.next()? {
            TokenTree::Ident(word) if word == "fn" => break,
            TokenTree::Ident(word)
                if ["pub", "default", "const", "async", "unsafe", "extern"]
                    .iter()
                    .any(|known| word == known) => {}
            // `pub(crate)` and `extern "C"`.
            TokenTree::Group(group) if group.delimiter() == Delimiter::Parenthesis => {}
            TokenTree::Literal(_) => {}
            _ => return None,
        }
    }
    match tokens.next()? {
        TokenTree::Ident(name) => Some(name.to_string()),
        _ => Some("$name".to_owned()),
    }
}
