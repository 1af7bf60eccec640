//! Second stage: does the body speak of a name? Asked of tokens, since the body is never parsed.
//!
//! For the body, the answer decides only how an argument reaches it. One that is plainly used is captured as it is. Any
//! other is bound again, which costs a copy and keeps the compiler's warning about unused names. So "no" is a safe
//! answer.

use proc_macro2::{TokenStream, TokenTree};
use syn::Ident;
use syn::ext::IdentExt as _;

/// Returns whether `body` plainly uses the variable `name`, and gives the name to nothing else.
pub(crate) fn mentions(body: &TokenStream, name: &Ident) -> bool {
    uses(body, name) && !binds(body, &name.unraw(), false)
}

/// Returns whether `body` speaks of `name` as of a variable, in code or in a format string.
pub(crate) fn uses(body: &TokenStream, name: &Ident) -> bool {
    let name = name.unraw();
    mentions_in(body, &name, &format!("{{{name}"))
}

/// Returns the first word that is `wanted`, however deep inside of groups.
pub(crate) fn find_word(tokens: TokenStream, wanted: &impl Fn(&Ident) -> bool) -> Option<Ident> {
    tokens.into_iter().find_map(|token| match token {
        TokenTree::Ident(word) => wanted(&word).then_some(word),
        TokenTree::Group(group) => find_word(group.stream(), wanted),
        _ => None,
    })
}

/// Returns whether `name` may be a new name somewhere in `body`, as in `for name in ..`, `|name|` or
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

/// Returns whether what stands between these may be a pattern. An assignment looks like one.
fn is_pattern(before: Option<&TokenTree>, after: &[TokenTree]) -> bool {
    let next = after.first();
    let opens = is_mark(before, '|') || is_word(before, &["let", "for"]);
    let is_equal = is_mark(next, '=') && !is_mark(after.get(1), '=');
    opens || is_equal || is_mark(next, '|') || is_mark(next, '@') || is_word(next, &["in", "if"])
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

/// Returns whether a word between these is a variable, and no field, method, path or new name.
fn is_variable(before: Option<&[TokenTree]>, after: Option<&TokenTree>) -> bool {
    let mut before = before.unwrap_or_default().iter().rev();
    let (last, last_but_one) = (before.next(), before.next());
    let follows_a_dot = is_mark(last, '.') && !is_mark(last_but_one, '.');
    // `&mut name` is a use, `let mut name` is not.
    let is_new = is_word(last, &["let", "mut", "ref"]) && !is_mark(last_but_one, '&');
    !follows_a_dot && !is_new && !is_mark(after, ':')
}

fn is_mark(token: Option<&TokenTree>, mark: char) -> bool {
    matches!(token, Some(TokenTree::Punct(punct)) if punct.as_char() == mark)
}

fn is_word(token: Option<&TokenTree>, words: &[&str]) -> bool {
    matches!(token, Some(TokenTree::Ident(word)) if words.iter().any(|known| word == known))
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
