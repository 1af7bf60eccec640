//! `#[guarded(..)]` on an `impl` block: every method guarded by the block's keys, or by its own.
//!
//! "Every" is the point: what is inside the block and not guarded has to say so, and what cannot be
//! seen, because a macro makes it, is refused.

use proc_macro2::{Delimiter, Group, Span, TokenStream, TokenTree};
use quote::{ToTokens as _, quote};
use syn::parse::{ParseStream, Parser as _};
use syn::spanned::Spanned as _;
use syn::{
    Attribute, Error, Ident, ImplItem, ItemImpl, Meta, Path, Result, ReturnType, Signature, Token,
    Type,
};

use crate::args;
use crate::attr::Attr;
use crate::ctxt::Ctxt;
use crate::expand::Expansion;
use crate::function::{self, Function};
use crate::inherit;
use crate::shape::peel;
use crate::valid::validate;

/// An `impl` block, taken apart as far as its functions.
struct Block {
    /// The tokens before the brace.
    head: TokenStream,
    inner_attrs: Vec<Attribute>,
    items: Vec<Item>,
    brace: Span,
    /// Types and constants that the block is generic over.
    generics: Vec<Ident>,
}

enum Item {
    /// Behind the check, with the keys that the method sets itself.
    Guarded(Box<Function>, Box<Attr>),
    /// A function that stays as it was written.
    Plain(TokenStream),
}

/// Returns whether `item` is an `impl` block.
pub(crate) fn is_block(item: &TokenStream) -> bool {
    let starts_block = |input: ParseStream<'_>| {
        input.call(Attribute::parse_outer)?;
        input.parse::<Option<Token![default]>>()?;
        input.parse::<Option<Token![unsafe]>>()?;
        let is_block = input.peek(Token![impl]);
        input.parse::<TokenStream>()?;
        Ok(is_block)
    };
    starts_block.parse2(item.clone()).unwrap_or(false)
}

// before:
//     #[guarded(effect = "read")]
//     impl Files { fn list(..) { body } #[guarded(skip)] fn new() -> Self { body } }
// after:
//     impl Files { fn list(..) { checked body } fn new() -> Self { body } }
/// Returns the block with its methods guarded, or the errors and the block without any guard.
pub(crate) fn guarded(arguments: TokenStream, item: TokenStream) -> TokenStream {
    let ctxt = Ctxt::new();
    let keys = Attr::parse(&ctxt, arguments);
    let expanded = match Block::parse(&ctxt, &keys, item.clone()) {
        Ok(block) => block.expand(&ctxt, &keys),
        Err(error) => {
            ctxt.push(error);
            TokenStream::new()
        }
    };
    match ctxt.check() {
        Ok(()) => expanded,
        Err(error) => {
            let errors = error.into_compile_error();
            let item = without_guards(item);
            quote!(#errors #item)
        }
    }
}

impl Block {
    fn parse(ctxt: &Ctxt, keys: &Attr, item: TokenStream) -> Result<Self> {
        let mut head: Vec<TokenTree> = item.into_iter().collect();
        let body = match head.pop() {
            Some(TokenTree::Group(body)) if body.delimiter() == Delimiter::Brace => body,
            other => {
                let span = other.map_or_else(Span::call_site, |token| token.span());
                return Err(Error::new(span, "expected the body of the `impl` block"));
            }
        };
        let head: TokenStream = head.into_iter().collect();
        // With nothing in its body, so that what cannot be read is read item by item below.
        let header: ItemImpl = syn::parse2(quote!(#head {}))?;
        if let Some(span) = args::find_attribute(&header.attrs, "guarded") {
            ctxt.error(
                span,
                "the block is guarded twice, and every call would be checked and reported twice: \
                 merge the two attributes into one",
            );
        }
        let items = |input: ParseStream<'_>| {
            let inner_attrs = input.call(Attribute::parse_inner)?;
            let mut items = Vec::new();
            while !input.is_empty() {
                items.push(read_item(ctxt, keys, input)?);
            }
            Ok((inner_attrs, items))
        };
        let (inner_attrs, items) = items.parse2(body.stream())?;
        let generics = args::generics(&header.generics);
        Ok(Self { head, inner_attrs, items, brace: body.span(), generics })
    }

    fn expand(self, ctxt: &Ctxt, keys: &Attr) -> TokenStream {
        inherit::check_block(ctxt, keys, self.items.iter().filter_map(Item::guarded));
        let Self { head, inner_attrs, items, brace, generics } = self;
        let items = items.into_iter().map(|item| match item {
            Item::Plain(tokens) => tokens,
            Item::Guarded(function, own) => {
                let attr = inherit::merge(*own, keys, &function);
                validate(ctxt, attr, *function, Some(&generics))
                    .map_or_else(TokenStream::new, |guarded| Expansion::new(guarded).function())
            }
        });
        let mut body = Group::new(Delimiter::Brace, quote!(#(#inner_attrs)* #(#items)*));
        body.set_span(brace);
        quote!(#head #body)
    }
}

impl Item {
    fn guarded(&self) -> Option<(&Signature, &Attr)> {
        match self {
            Self::Guarded(function, own) => Some((&function.sig, own)),
            Self::Plain(_) => None,
        }
    }
}

fn read_item(ctxt: &Ctxt, keys: &Attr, input: ParseStream<'_>) -> Result<Item> {
    if function::is_next(input) {
        return Ok(read_method(ctxt, keys, function::parse(input)?));
    }
    let item: ImplItem = input.parse()?;
    match &item {
        ImplItem::Const(_) | ImplItem::Type(_) => {}
        ImplItem::Macro(call) => ctxt.error(
            call.mac.path.span(),
            "the methods that this macro makes cannot be seen, and would not be guarded: move the \
             call into an `impl` block of its own, with `#[guarded]` inside the macro",
        ),
        other => ctxt.error(
            other.span(),
            "this item cannot be read, so whether it has to be guarded is not known: move it into an \
             `impl` block of its own",
        ),
    }
    Ok(Item::Plain(item.into_token_stream()))
}

fn read_method(ctxt: &Ctxt, block: &Attr, mut function: Function) -> Item {
    let (own, rest): (Vec<_>, Vec<_>) =
        function.attrs.drain(..).partition(|attr| args::is_or_becomes(attr, "guarded"));
    function.attrs = rest;
    if let Some(second) = own.get(1) {
        ctxt.error(
            second.path().span(),
            "the method has two `#[guarded]`: merge the two attributes into one",
        );
    }
    let keys = match own.first() {
        None if makes_the_router(&function.sig) => {
            return Item::Plain(function.into_token_stream());
        }
        None => TokenStream::new(),
        Some(own) if !is_ours(own, block) => {
            ctxt.error(
                own.path().span(),
                "whose `guarded` this is cannot be seen from here: write `#[guarded(..)]`",
            );
            TokenStream::new()
        }
        Some(own) => match &own.meta {
            Meta::Path(_) => TokenStream::new(),
            Meta::List(list) if !list.path.is_ident("cfg_attr") => list.tokens.clone(),
            _ => {
                ctxt.error(
                    own.path().span(),
                    "a method's own keys cannot come and go inside a guarded `impl` block: write \
                     `#[guarded(..)]` without a condition, or move the method to another block",
                );
                TokenStream::new()
            }
        },
    };
    if is_skip(&keys) {
        return Item::Plain(function.into_token_stream());
    }
    let own = Attr::parse(ctxt, keys);
    Item::Guarded(Box::new(function), Box::new(own))
}

/// Returns whether these keys are `skip` and nothing else, as in `#[guarded(skip)]`.
fn is_skip(keys: &TokenStream) -> bool {
    let mut keys = keys.clone().into_iter();
    let first = keys.next();
    keys.next().is_none() && matches!(first, Some(TokenTree::Ident(word)) if word == "skip")
}

/// Returns whether the attribute is plainly ours: `#[guarded]`, `#[agenttrust::guarded]`, or by the way that
/// `crate = ..` of the block names. A `#[cfg_attr(..)]` is told apart later.
fn is_ours(attr: &Attribute, block: &Attr) -> bool {
    let path = words(attr.path());
    let by_crate = block
        .krate
        .as_ref()
        .is_some_and(|krate| path.split_last().is_some_and(|(_, before)| before == words(krate)));
    matches!(path.as_slice(), [_]) || path == ["agenttrust", "guarded"] || by_crate
}

/// Returns whether this is the method that `#[tool_router]` or `#[prompt_router]` adds to the block when it stands
/// above: it lists the tools and runs none. All of that path is only ever written by those macros.
fn makes_the_router(sig: &Signature) -> bool {
    let ReturnType::Type(_, output) = &sig.output else { return false };
    let Type::Path(output) = peel(output) else { return false };
    let path = words(&output.path);
    let is_router = path == ["rmcp", "handler", "server", "router", "tool", "ToolRouter"]
        || path == ["rmcp", "handler", "server", "router", "prompt", "PromptRouter"];
    is_router && sig.inputs.is_empty() && sig.asyncness.is_none()
}

fn words(path: &Path) -> Vec<String> {
    path.segments.iter().map(|segment| segment.ident.to_string()).collect()
}

/// Returns the block as it was, but for the methods' own `#[guarded(..)]`, which would be expanded next and
/// complain of what was already said.
fn without_guards(item: TokenStream) -> TokenStream {
    let Ok(mut block) = syn::parse2::<ItemImpl>(item.clone()) else { return item };
    for item in &mut block.items {
        if let ImplItem::Fn(method) = item {
            method.attrs.retain(|attr| !args::is_or_becomes(attr, "guarded"));
        }
    }
    block.into_token_stream()
}
