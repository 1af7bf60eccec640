//! Second stage: does the body speak of a name? Asked of tokens, since the body is never parsed.
//!
//! The answer decides only how an argument reaches the body: one that is plainly used is captured as it
//! is, any other is bound again, which costs a copy and keeps the compiler's word about unused names. So
//! "no" is a safe answer.

use proc_macro2::{TokenStream, TokenTree};
use syn::Ident;
use syn::ext::IdentExt as _;

/// Whether `body` plainly uses the variable `name`, and gives the name to nothing else.
pub(crate) fn mentions(body: &TokenStream, name: &Ident) -> bool {
    uses(body, name) && !binds(body, &name.unraw(), false)
}

/// Whether `body` speaks of `name` as of a variable, in code or in a format string.
pub(crate) fn uses(body: &TokenStream, name: &Ident) -> bool {
    let name = name.unraw();
    mentions_in(body, &name, &format!("{{{name}"))
}

/// Whether `name` may be a new name somewhere in `body`, as in `for name in ..`, `|name|` or
/// `Some(name) =>`: then a use of it need not be one of the variable.
fn binds(body: &TokenStream, name: &Ident, in_pattern: bool) -> bool {
    let tokens: Vec<_> = body.clone().into_iter().collect();
    tokens.iter().enumerate().any(|(at, token)| {
        let before = at.checked_sub(1).and_then(|at| tokens.get(at));
        let in_pattern = in_pattern || is_pattern(before, tokens.get(at + 1..).unwrap_or_default());
        match token {
            TokenTree::Ident(ident) => in_pattern && ident.unraw() == *name,
            TokenTree::Group(group) => binds(&group.stream(), name, in_pattern),
            TokenTree::Literal(_) | TokenTree::Punct(_) => false,
        }
    })
}

/// Whether what stands between these may be a pattern. An assignment looks like one.
fn is_pattern(before: Option<&TokenTree>, after: &[TokenTree]) -> bool {
    let is_word = |token: &TokenTree, words: &[&str]| matches!(token, TokenTree::Ident(word) if words.iter().any(|known| word == known));
    let is = |token: Option<&TokenTree>, mark: char| matches!(token, Some(TokenTree::Punct(punct)) if punct.as_char() == mark);
    let opens = is(before, '|') || before.is_some_and(|token| is_word(token, &["let", "for"]));
    let is_equal = is(after.first(), '=') && !is(after.get(1), '=');
    let closes = is_equal
        || is(after.first(), '|')
        || is(after.first(), '@')
        || after.first().is_some_and(|token| is_word(token, &["in", "if"]));
    opens || closes
}

fn mentions_in(body: &TokenStream, name: &Ident, formatted: &str) -> bool {
    let tokens: Vec<_> = body.clone().into_iter().collect();
    tokens.iter().enumerate().any(|(at, token)| match token {
        TokenTree::Ident(ident) => {
            ident.unraw() == *name && is_variable(tokens.get(..at), tokens.get(at + 1))
        }
        TokenTree::Group(group) => mentions_in(&group.stream(), name, formatted),
        TokenTree::Literal(literal) => literal.to_string().contains(formatted),
        TokenTree::Punct(_) => false,
    })
}

/// Whether a word between these is a variable, and no field, method, path or new name.
fn is_variable(before: Option<&[TokenTree]>, after: Option<&TokenTree>) -> bool {
    let is = |token: Option<&TokenTree>, punct: char| matches!(token, Some(TokenTree::Punct(p)) if p.as_char() == punct);
    let mut before = before.unwrap_or_default().iter().rev();
    let (last, last_but_one) = (before.next(), before.next());
    let follows_a_dot = is(last, '.') && !is(last_but_one, '.');
    let is_new = matches!(
        last, Some(TokenTree::Ident(word)) if *word == "let" || *word == "mut" || *word == "ref"
    );
    // `&mut name` is a use, `let mut name` is not.
    let is_new = is_new && !is(last_but_one, '&');
    !follows_a_dot && !is_new && !is(after, ':')
}

#[cfg(test)]
mod tests {
    use super::*;
    use quote::{format_ident, quote};

    fn mentioned(body: &TokenStream) -> bool {
        mentions(body, &format_ident!("path"))
    }

    #[test]
    fn a_plain_use_is_found_wherever_it_is() {
        for body in [
            quote!(path),
            quote!(open(&path).await?),
            quote!(open(&mut path)),
            quote!({
                loop {
                    [0..path]
                }
            }),
            quote!(path.len()),
            quote!(println!("{path:?}")),
            quote!(r#path + 1),
            quote!(Request { path }),
            quote!(Request { to: path }),
        ] {
            assert!(mentioned(&body), "{body}");
        }
    }

    #[test]
    fn another_thing_of_that_name_is_not_a_use() {
        for body in [
            quote!(),
            quote!(request.path),
            quote!(let path = 1;),
            quote!(let mut path = 1;),
            quote!(path::open()),
            quote!(Request { path: 1 }),
            quote!(paths.map(|path| path.len())),
            quote!(paths.map(|(at, path)| at + path.len())),
            quote!(paths.fold(0, |sum, path| sum + path.len())),
            quote!(for path in paths {
                open(path);
            }),
            quote!(if let Some(path) = paths.next() {
                open(path);
            }),
            quote!(match request {
                Request { path } => open(path),
            }),
            quote!("path"),
            quote!(paths),
        ] {
            assert!(!mentioned(&body), "{body}");
        }
    }
}
