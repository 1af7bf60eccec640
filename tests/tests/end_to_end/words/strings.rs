//! The texts in a source that people read while it runs: what stands between quotes, and is neither a doc nor a test's.

use std::str::FromStr as _;

use proc_macro2::{Delimiter, Group, LexError, TokenStream, TokenTree};

/// A text, and the line where it begins, from 1.
pub(super) type Text = (usize, String);

/// Returns the texts in a source, words apart by one space, in the order of their lines.
///
/// # Errors
///
/// When the source is not made of Rust's tokens.
pub(super) fn strings(source: &str) -> Result<Vec<Text>, LexError> {
    let mut found = Vec::new();
    walk(TokenStream::from_str(source)?, &mut found);
    found.sort_by_key(|(line, _)| *line);
    Ok(found)
}

/// Collects the texts among these tokens, and in what is between their brackets.
fn walk(tokens: TokenStream, found: &mut Vec<Text>) {
    let mut tokens = tokens.into_iter().peekable();
    while let Some(token) = tokens.next() {
        match token {
            TokenTree::Punct(mark) if mark.as_char() == '#' => {
                // `#![…]` is one of the file.
                tokens.next_if(
                    |next| matches!(next, TokenTree::Punct(mark) if mark.as_char() == '!'),
                );
                match tokens.next_if(is_attribute) {
                    Some(TokenTree::Group(attribute)) if is_of_tests(&attribute) => {
                        skip_item(&mut tokens);
                    }
                    Some(TokenTree::Group(attribute)) if !is_doc(&attribute) => {
                        walk(attribute.stream(), found);
                    }
                    _ => {}
                }
            }
            TokenTree::Group(group) => walk(group.stream(), found),
            TokenTree::Literal(literal) => {
                if let Ok(text) = syn::parse_str::<syn::LitStr>(&literal.to_string()) {
                    let words: Vec<_> =
                        text.value().split_whitespace().map(str::to_owned).collect();
                    found.push((literal.span().start().line, words.join(" ")));
                }
            }
            TokenTree::Punct(_) | TokenTree::Ident(_) => {}
        }
    }
}

/// Returns whether a token may be an attribute behind its `#`.
fn is_attribute(token: &TokenTree) -> bool {
    matches!(token, TokenTree::Group(group) if group.delimiter() == Delimiter::Bracket)
}

fn is_doc(attribute: &Group) -> bool {
    attribute.stream().to_string().starts_with("doc ")
}

fn is_of_tests(attribute: &Group) -> bool {
    attribute.stream().to_string().replace(' ', "") == "cfg(test)"
}

/// Skips the item that an attribute stands before: up to its body or its semicolon.
fn skip_item(tokens: &mut impl Iterator<Item = TokenTree>) {
    for token in tokens {
        let is_end = match token {
            TokenTree::Group(group) => group.delimiter() == Delimiter::Brace,
            TokenTree::Punct(mark) => mark.as_char() == ';',
            _ => false,
        };
        if is_end {
            return;
        }
    }
}
