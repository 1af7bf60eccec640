//! First stage: a function, as the item below the attribute or inside of a guarded `impl` block.
//!
//! The body stays a token group: nothing in it has to be understood, because all of it moves behind
//! the check, and what is not parsed keeps its spans and cannot be lost.

use proc_macro2::{Delimiter, Group, TokenStream, TokenTree};
use quote::{ToTokens, TokenStreamExt as _};
use syn::ext::IdentExt as _;
use syn::parse::{ParseStream, Parser as _};
use syn::{Attribute, Error, Ident, LitStr, Result, Signature, Token, Visibility};

use crate::ctxt::Ctxt;

/// A function of any kind: free, a method, a trait's default.
pub(crate) struct Function {
    pub(crate) attrs: Vec<Attribute>,
    pub(crate) vis: Visibility,
    pub(crate) defaultness: Option<Token![default]>,
    pub(crate) sig: Signature,
    pub(crate) body: Option<Body>,
}

/// The tokens between the braces of the function.
pub(crate) struct Body {
    /// `#![..]`, which belong to the function and stay in front.
    pub(crate) inner_attrs: Vec<Attribute>,
    /// The function's block without those attributes, braces included.
    pub(crate) block: Group,
}

impl Function {
    /// Returns the function, or nothing but an error in `ctxt` saying what the item is instead.
    pub(crate) fn parse(ctxt: &Ctxt, item: TokenStream) -> Option<Self> {
        match parse.parse2(item) {
            Ok(function) => Some(function),
            Err(error) => {
                ctxt.push(error);
                None
            }
        }
    }
}

/// The function as it was written.
impl ToTokens for Function {
    fn to_tokens(&self, tokens: &mut TokenStream) {
        let Self { attrs, vis, defaultness, sig, body } = self;
        tokens.append_all(attrs);
        vis.to_tokens(tokens);
        defaultness.to_tokens(tokens);
        sig.to_tokens(tokens);
        match body {
            Some(body) => body.to_tokens(tokens),
            None => <Token![;]>::default().to_tokens(tokens),
        }
    }
}

impl ToTokens for Body {
    fn to_tokens(&self, tokens: &mut TokenStream) {
        let mut inside = TokenStream::new();
        inside.append_all(&self.inner_attrs);
        inside.extend(self.block.stream());
        let mut block = Group::new(Delimiter::Brace, inside);
        block.set_span(self.block.span());
        tokens.append(block);
    }
}

/// Returns whether the next item is a function, with or without a body.
pub(crate) fn is_next(input: ParseStream<'_>) -> bool {
    let ahead = input.fork();
    ahead.call(Attribute::parse_outer).is_ok()
        && ahead.parse::<Visibility>().is_ok()
        && ahead.parse::<Option<Token![default]>>().is_ok()
        && starts_function(&ahead)
}

/// Returns the next item, which must be a function.
pub(crate) fn parse(input: ParseStream<'_>) -> Result<Function> {
    let attrs = input.call(Attribute::parse_outer)?;
    let vis = input.parse()?;
    let defaultness = input.parse()?;
    if !starts_function(input) {
        return Err(not_a_function(input));
    }
    let sig = input.parse()?;
    let body = parse_body(input)?;
    Ok(Function { attrs, vis, defaultness, sig, body })
}

/// Returns whether `fn` follows after the words that may stand before it.
fn starts_function(input: ParseStream<'_>) -> bool {
    let ahead = input.fork();
    // Word by word: a `macro_rules!` may have passed the whole function on as one group.
    let step = |ahead: ParseStream<'_>| -> Result<bool> {
        let words = [
            ahead.parse::<Option<Token![const]>>()?.is_some(),
            ahead.parse::<Option<Token![async]>>()?.is_some(),
            ahead.parse::<Option<Token![unsafe]>>()?.is_some(),
            ahead.parse::<Option<Token![extern]>>()?.is_some(),
            ahead.parse::<Option<LitStr>>()?.is_some(),
        ];
        Ok(words.contains(&true))
    };
    while step(&ahead).unwrap_or(false) {}
    ahead.peek(Token![fn])
}

fn not_a_function(input: ParseStream<'_>) -> Error {
    let span = input.span();
    let word = input.fork().call(Ident::parse_any).map(|word| word.to_string()).unwrap_or_default();
    let message = match word.as_str() {
        "trait" => {
            "`#[guarded]` guards functions and `impl` blocks, and not a whole `trait`: put it \
                    on each method with a default body, and on the `impl` blocks of the trait"
                .to_owned()
        }
        "struct" | "enum" | "union" | "type" | "mod" | "static" | "const" | "use"
        | "macro_rules" | "extern" | "let" | "unsafe" => format!(
            "`#[guarded]` guards functions, methods and `impl` blocks, and this is `{word}`: put it on \
             the function that does the work"
        ),
        _ => {
            "`#[guarded]` guards functions, methods and `impl` blocks: put it on the function that \
              does the work"
                .to_owned()
        }
    };
    Error::new(span, message)
}

fn parse_body(input: ParseStream<'_>) -> Result<Option<Body>> {
    if input.peek(Token![;]) {
        input.parse::<Token![;]>()?;
        return Ok(None);
    }
    let span = input.span();
    let block = match input.parse()? {
        TokenTree::Group(group) => braced(group),
        _ => None,
    };
    let Some(block) = block else {
        return Err(Error::new(span, "expected the body of the function"));
    };
    let (inner_attrs, rest) = split_inner_attrs.parse2(block.stream())?;
    if inner_attrs.is_empty() {
        return Ok(Some(Body { inner_attrs, block }));
    }
    let mut without = Group::new(Delimiter::Brace, rest);
    without.set_span(block.span());
    Ok(Some(Body { inner_attrs, block: without }))
}

/// Returns the group in braces, also when a `macro_rules!` passed the block on as `$body`.
fn braced(group: Group) -> Option<Group> {
    match group.delimiter() {
        Delimiter::Brace => Some(group),
        Delimiter::None => {
            let mut inside = group.stream().into_iter();
            match (inside.next(), inside.next()) {
                (Some(TokenTree::Group(inner)), None) => braced(inner),
                _ => None,
            }
        }
        _ => None,
    }
}

fn split_inner_attrs(input: ParseStream<'_>) -> Result<(Vec<Attribute>, TokenStream)> {
    Ok((input.call(Attribute::parse_inner)?, input.parse()?))
}
