//! Second stage: the keys of a method inside a guarded `impl` block, its own before the block's.

use syn::ext::IdentExt as _;
use syn::spanned::Spanned as _;
use syn::{Ident, Signature};

use crate::args;
use crate::attr::{Attr, Effect, Names, OnElevation};
use crate::ctxt::Ctxt;
use crate::function::Function;
use crate::suggest::did_you_mean;
use crate::tool_attr::ToolAttr;

/// Refuses what the block's own keys may not say, seen from all of its methods.
pub(crate) fn check_block<'a>(
    ctxt: &Ctxt,
    keys: &Attr,
    methods: impl Iterator<Item = (&'a Signature, &'a Attr)>,
) {
    if let Some(tool) = &keys.tool {
        ctxt.error(
            tool.span(),
            "`tool` names one tool, and here it would name every method: remove it, and name the \
             methods that need it with `#[guarded(tool = \"..\")]` of their own",
        );
    }
    if let Some(input) = &keys.input {
        ctxt.error(
            input.key,
            "`input(..)` names the arguments of one function: put it on the method that has them",
        );
    }
    let mut known: Vec<String> = Vec::new();
    let mut count = 0;
    let mut waits = keys.on_elevation == Some(OnElevation::Wait);
    for (sig, own) in methods {
        count += 1;
        waits |= own.on_elevation == Some(OnElevation::Wait);
        known.extend(sig.receiver().map(|_| "self".to_owned()));
        let arguments = args::arguments(sig);
        known.extend(arguments.iter().flat_map(|argument| &argument.bindings).map(|b| b.name()));
    }
    if count == 0 {
        ctxt.error(
            proc_macro2::Span::call_site(),
            "nothing in this `impl` block is guarded: put the methods that are tools into it, or \
             remove `#[guarded]`",
        );
        return;
    }
    if let Some(wait) = keys.wait.filter(|_| !waits) {
        ctxt.error(
            wait.key,
            "`wait` says how long to wait for an approval, and no method of this block waits: add \
             `on_elevation = \"wait\"`, or remove `wait`",
        );
    }
    for ident in keys.skip.iter().flat_map(|names| &names.idents) {
        let name = ident.unraw().to_string();
        if !known.contains(&name) {
            let nearest = did_you_mean(&name, known.iter().map(String::as_str));
            ctxt.error(
                ident.span(),
                format!(
                    "`skip({name})` names nothing: no guarded method of this block has an argument \
                     called `{name}`{nearest}"
                ),
            );
        }
    }
}

/// Returns the keys that hold for `function`: each its own if it sets it, else the block's where it
/// means something for this function.
pub(crate) fn merge(own: Attr, block: &Attr, function: &Function) -> Attr {
    let effect = own.effect.or(block.effect);
    let on_elevation = own.on_elevation.or(block.on_elevation);
    let strict = effect
        .or_else(|| ToolAttr::from_attributes(&function.attrs).stated())
        .is_some_and(Effect::binds_every_argument);
    // What a method says of its input replaces what the block says of it, except that an approval
    // needs both halves: `input(..)` beside the `skip(..)` of the block.
    let says_nothing = own.skip.is_none() && own.skip_all.is_none() && own.input.is_none();
    let says_half = strict && own.skip.is_none() && own.skip_all.is_none();
    let skip = block.skip.as_ref().filter(|_| says_nothing || says_half);
    let skip = skip.and_then(|names| applicable(names, strict, &own, &function.sig));
    Attr {
        effect,
        on_elevation,
        wait: own.wait.or_else(|| block.wait.filter(|_| on_elevation == Some(OnElevation::Wait))),
        tool: own.tool,
        guard: own.guard.or_else(|| block.guard.clone()),
        skip: own.skip.or(skip),
        skip_all: own.skip_all.or_else(|| block.skip_all.filter(|_| says_nothing)),
        input: own.input,
        scopes: own.scopes.or_else(|| block.scopes.clone()),
        on_denied: own.on_denied.or_else(|| block.on_denied.clone()),
        krate: own.krate.or_else(|| block.krate.clone()),
    }
}

/// Returns the names of the block's `skip(..)` that this function has, and does not itself ask for.
fn applicable(names: &Names, strict: bool, own: &Attr, sig: &Signature) -> Option<Names> {
    let arguments = args::arguments(sig);
    let has = |name: &Ident| {
        if name == "self" {
            // Elsewhere `self` is never captured anyway.
            return strict && sig.receiver().is_some();
        }
        if own.input.as_ref().is_some_and(|input| input.contains(name)) {
            return false;
        }
        let mut bindings = arguments.iter().flat_map(|argument| &argument.bindings);
        bindings.any(|binding| binding.ident.unraw() == name.unraw())
    };
    let idents: Vec<_> = names.idents.iter().filter(|name| has(name)).cloned().collect();
    (!idents.is_empty()).then_some(Names { key: names.key, idents })
}
