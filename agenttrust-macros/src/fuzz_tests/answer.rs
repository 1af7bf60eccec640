//! What may come out of the macro, and nothing else.

use proc_macro2::{Delimiter, Group, TokenStream, TokenTree};
use proptest::prelude::*;
use proptest::test_runner::TestCaseError;
use quote::quote;
use syn::{Attribute, File, ImplItem, ItemImpl};

use crate::guarded::guarded;

/// The two outcomes that are allowed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Answer {
    /// An expansion whose whole body is behind the check.
    Expanded,
    /// Errors, and the item as it was.
    Refused,
}

/// Returns what the macro makes of the tokens, or how it broke its word.
pub(super) fn answer(attribute: &TokenStream, item: &TokenStream) -> Result<Answer, TestCaseError> {
    let expansion = guarded(attribute.clone(), item.clone());
    if flat(&expansion).iter().any(|token| token == "compile_error") {
        refused(&expansion, item)?;
        Ok(Answer::Refused)
    } else {
        expanded(&expansion, item)?;
        Ok(Answer::Expanded)
    }
}

fn refused(expansion: &TokenStream, item: &TokenStream) -> Result<(), TestCaseError> {
    let (tokens, whole) = (flat(expansion), flat(item));
    let untouched = if tokens.ends_with(&whole) { whole } else { flat(&unguarded(item)) };
    prop_assert!(tokens.ends_with(&untouched), "the item is not what it was:\n{expansion}");
    let errors = tokens.len() - untouched.len();
    let mut before = expansion.clone().into_iter().peekable();
    let mut errors_alone = TokenStream::new();
    while flat(&errors_alone).len() < errors {
        errors_alone.extend(before.next());
    }
    let errors_alone = errors_alone.to_string();
    prop_assert!(parses(&errors_alone.parse().unwrap()), "no errors before it: {errors_alone}");
    Ok(())
}

fn expanded(expansion: &TokenStream, item: &TokenStream) -> Result<(), TestCaseError> {
    // The parser looks through invisible groups, wherever they are.
    let (expansion, item) = (&visible(expansion), &visible(item));
    let tokens = flat(expansion);
    let functions = functions(item);
    prop_assert!(!functions.is_empty(), "nothing was guarded and nothing refused:\n{expansion}");
    let mut hollow = expansion.clone();
    for Function { attributes, body } in &functions {
        for attribute in attributes {
            let attribute = flat(attribute);
            prop_assert!(contains(&tokens, &attribute), "{attribute:?} is lost in\n{expansion}");
        }
        let body = flat(body);
        prop_assert!(contains(&tokens, &body), "{body:?} is lost or torn in\n{expansion}");
        hollow = without_body(hollow, &body);
    }
    // What is inside of a body is not the macro's to understand.
    prop_assert!(parses(&hollow), "this is no item:\n{hollow}");
    prop_assert!(parses(expansion) || !parses(item), "this is no item any more:\n{expansion}");
    Ok(())
}

/// The parts of a function that must not be lost.
struct Function {
    attributes: Vec<TokenStream>,
    body: TokenStream,
}

/// Returns the functions that an item holds: itself, or the methods of an `impl` block. By their tokens alone:
/// what is in a body need not make sense.
fn functions(item: &TokenStream) -> Vec<Function> {
    let tokens: Vec<TokenTree> = item.clone().into_iter().collect();
    let head = &tokens[attributes(&tokens).len() * 2..];
    let mut words = head.iter().filter(|token| !is_word(token, &["default", "unsafe"]));
    if !words.next().is_some_and(|token| is_word(token, &["impl"])) {
        return function(&tokens).into_iter().collect();
    }
    let Some(TokenTree::Group(block)) = tokens.last() else { return Vec::new() };
    let items: Vec<TokenTree> = block.stream().into_iter().collect();
    items.split_inclusive(ends_item).filter_map(function).collect()
}

fn ends_item(token: &TokenTree) -> bool {
    match token {
        TokenTree::Group(group) => group.delimiter() == Delimiter::Brace,
        token => is_mark(token, ';'),
    }
}

fn function(item: &[TokenTree]) -> Option<Function> {
    let [before @ .., TokenTree::Group(body)] = item else { return None };
    if !before.iter().any(|token| is_word(token, &["fn"])) {
        return None;
    }
    let (inner, body) = split_inner(body.stream());
    let outer = attributes(before).into_iter().filter(|attribute| !is_guarded_tokens(attribute));
    let body = Group::new(Delimiter::Brace, body);
    Some(Function { attributes: outer.chain(inner).collect(), body: quote!(#body) })
}

/// Returns the `#[..]` in front of an item.
fn attributes(item: &[TokenTree]) -> Vec<TokenStream> {
    let is_attribute = |pair: &&[TokenTree]| {
        let bracket = |group: &Group| group.delimiter() == Delimiter::Bracket;
        matches!(pair, [pound, TokenTree::Group(group)] if is_mark(pound, '#') && bracket(group))
    };
    let pairs = item.chunks(2).take_while(is_attribute);
    pairs.map(|pair| pair.iter().cloned().collect()).collect()
}

fn is_guarded_tokens(attribute: &TokenStream) -> bool {
    let Some(TokenTree::Group(group)) = attribute.clone().into_iter().nth(1) else { return false };
    let meta: Vec<TokenTree> = group.stream().into_iter().collect();
    let path = meta.split(|token| matches!(token, TokenTree::Group(_))).next().unwrap_or_default();
    path.last().is_some_and(|token| is_word(token, &["guarded"]))
}

fn is_word(token: &TokenTree, words: &[&str]) -> bool {
    matches!(token, TokenTree::Ident(ident) if words.iter().any(|word| ident == word))
}

fn is_mark(token: &TokenTree, mark: char) -> bool {
    matches!(token, TokenTree::Punct(punct) if punct.as_char() == mark)
}

fn split_inner(body: TokenStream) -> (Vec<TokenStream>, TokenStream) {
    let tokens: Vec<TokenTree> = body.into_iter().collect();
    let mut attributes = Vec::new();
    let mut rest = &tokens[..];
    while let [pound, bang, TokenTree::Group(group), after @ ..] = rest
        && is_mark(pound, '#')
        && is_mark(bang, '!')
        && group.delimiter() == Delimiter::Bracket
    {
        attributes.push(rest[..3].iter().cloned().collect());
        rest = after;
    }
    (attributes, rest.iter().cloned().collect())
}

fn is_guarded(attribute: &Attribute) -> bool {
    attribute.path().segments.last().is_some_and(|segment| segment.ident == "guarded")
}

/// Returns the `impl` block without its methods' own attributes, which have been answered with it.
fn unguarded(item: &TokenStream) -> TokenStream {
    let Ok(mut block) = syn::parse2::<ItemImpl>(item.clone()) else { return item.clone() };
    for item in &mut block.items {
        if let ImplItem::Fn(method) = item {
            method.attrs.retain(|attribute| !is_guarded(attribute));
        }
    }
    quote!(#block)
}

/// Returns the first group that is `body`, with nothing in it.
fn without_body(tokens: TokenStream, body: &[String]) -> TokenStream {
    let mut found = false;
    let hollow = |token: TokenTree| match token {
        TokenTree::Group(group) if !found => {
            let inner = if flat(&TokenTree::from(group.clone()).into()) == body {
                found = true;
                TokenStream::new()
            } else {
                let inner = without_body(group.stream(), body);
                found = flat(&inner).len() != flat(&group.stream()).len();
                inner
            };
            Group::new(group.delimiter(), inner).into()
        }
        token => token,
    };
    tokens.into_iter().map(hollow).collect()
}

/// Returns whether the tokens are items, of a file or of a block.
fn parses(tokens: &TokenStream) -> bool {
    let places = [quote!(#tokens), quote!(impl Tools { #tokens }), quote!(trait Tools { #tokens })];
    places.into_iter().any(|place| syn::parse2::<File>(place).is_ok())
}

fn contains(tokens: &[String], part: &[String]) -> bool {
    part.is_empty() || tokens.windows(part.len()).any(|window| window == part)
}

/// Returns the tokens without the invisible groups that a `macro_rules!` leaves around what it passes on.
fn visible(tokens: &TokenStream) -> TokenStream {
    let open = |token: TokenTree| match token {
        TokenTree::Group(group) => match (group.delimiter(), visible(&group.stream())) {
            (Delimiter::None, inner) => inner,
            (delimiter, inner) => TokenTree::from(Group::new(delimiter, inner)).into(),
        },
        token => token.into(),
    };
    tokens.clone().into_iter().map(open).collect()
}

/// Returns the tokens one by one, groups opened: what they are, whatever stands between them.
fn flat(tokens: &TokenStream) -> Vec<String> {
    let mut all = Vec::new();
    push(tokens.clone(), &mut all);
    all
}

fn push(tokens: TokenStream, all: &mut Vec<String>) {
    for token in tokens {
        match token {
            TokenTree::Group(group) => {
                let (open, close) = match group.delimiter() {
                    Delimiter::Parenthesis => ("(", ")"),
                    Delimiter::Brace => ("{", "}"),
                    Delimiter::Bracket => ("[", "]"),
                    Delimiter::None => ("«", "»"),
                };
                all.push(open.to_owned());
                push(group.stream(), all);
                all.push(close.to_owned());
            }
            token => all.push(token.to_string()),
        }
    }
}
