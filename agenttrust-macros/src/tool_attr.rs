//! First stage: what a `#[tool(..)]` or `#[rig_tool(..)]` that can still be seen says of the function.
//!
//! The attribute belongs to another crate, so it is read and left as it is. What cannot be read is for that crate to
//! complain about. Above `#[guarded]` the attribute has already run and is gone.

use proc_macro2::Span;
use syn::parse::Parser as _;
use syn::punctuated::Punctuated;
use syn::spanned::Spanned as _;
use syn::{Attribute, Expr, Lit, LitBool, LitStr, Meta, Token};

use crate::attr::Effect;
use crate::ctxt::Ctxt;

/// The name and the effect that such attributes on the function declare, all of them together.
#[derive(Default)]
pub(crate) struct ToolAttr {
    /// `name = ".."`: what the tool is called by those who call it.
    pub(crate) name: Option<LitStr>,
    read_only: Option<LitBool>,
    destructive: Option<LitBool>,
    /// A hint whose value is not one that can be read here.
    unreadable: Option<Span>,
}

impl ToolAttr {
    pub(crate) fn from_attributes(attrs: &[Attribute]) -> Self {
        let mut found = Self::default();
        for attr in attrs {
            let is_tool = attr
                .path()
                .segments
                .last()
                .is_some_and(|segment| segment.ident == "tool" || segment.ident == "rig_tool");
            if is_tool && let Meta::List(list) = &attr.meta {
                found.read_keys(&metas(list));
            }
        }
        found
    }

    fn read_keys(&mut self, keys: &[Meta]) {
        for meta in keys {
            match meta {
                Meta::NameValue(pair) => {
                    let Expr::Lit(value) = &pair.value else { continue };
                    if let Lit::Str(name) = &value.lit
                        && pair.path.is_ident("name")
                    {
                        self.name = Some(name.clone());
                    }
                }
                Meta::List(list) if list.path.is_ident("annotations") => {
                    self.read_hints(&metas(list));
                }
                _ => {}
            }
        }
    }

    fn read_hints(&mut self, keys: &[Meta]) {
        for meta in keys {
            match meta {
                Meta::NameValue(pair) => match as_bool(&pair.value) {
                    Some(hint) => self.hint(&pair.path, hint),
                    None if is_hint(&pair.path) => self.unreadable = Some(pair.value.span()),
                    None => {}
                },
                // A flag alone is `true`.
                Meta::Path(path) => self.hint(path, LitBool::new(true, path.span())),
                Meta::List(_) => {}
            }
        }
    }

    fn hint(&mut self, path: &syn::Path, hint: LitBool) {
        if path.is_ident("read_only_hint") {
            self.read_only = Some(hint);
        } else if path.is_ident("destructive_hint") {
            self.destructive = Some(hint);
        }
    }

    /// Returns the effect that the annotations say; an error in `ctxt` where they contradict each other, or
    /// `explicit`, which is what the user set.
    pub(crate) fn effect(&self, ctxt: &Ctxt, explicit: Option<Effect>) -> Option<Effect> {
        if let Some(span) = self.unreadable {
            ctxt.error(
                span,
                "this hint is part of what the tool's effect is: write `true` or `false`",
            );
        }
        let value = |hint: &Option<LitBool>| hint.as_ref().map(LitBool::value);
        let contradiction = |hint: &Option<LitBool>, message: &str| {
            ctxt.error(hint.as_ref().map_or_else(Span::call_site, LitBool::span), message);
            None
        };
        match (value(&self.read_only), value(&self.destructive), explicit) {
            (Some(true), Some(true), _) => contradiction(
                &self.destructive,
                "`destructive_hint = true` contradicts `read_only_hint = true`: remove the one that \
                 is wrong",
            ),
            (Some(true), _, Some(effect)) if effect != Effect::Read => {
                let message = format!(
                    "`read_only_hint = true` tells callers that this tool changes nothing, and \
                     `effect = \"{}\"` says that it does: correct the one that is wrong",
                    effect.as_str()
                );
                contradiction(&self.read_only, &message)
            }
            (Some(false), _, Some(Effect::Read)) => contradiction(
                &self.read_only,
                "`read_only_hint = false` tells callers that this tool changes something, and \
                 `effect = \"read\"` says that it does not: correct the one that is wrong",
            ),
            (_, Some(true), Some(effect @ (Effect::Read | Effect::Mutating))) => {
                let message = format!(
                    "`destructive_hint = true` tells callers that this tool may destroy something, \
                     and `effect = \"{}\"` says that it does not: correct the one that is wrong",
                    effect.as_str()
                );
                contradiction(&self.destructive, &message)
            }
            (_, Some(false), Some(Effect::Destructive)) => contradiction(
                &self.destructive,
                "`destructive_hint = false` tells callers that this tool destroys nothing, and \
                 `effect = \"destructive\"` says that it does: correct the one that is wrong",
            ),
            (_, _, Some(_)) => None,
            (_, _, None) => self.stated(),
        }
    }

    /// Returns the effect that the annotations say, contradictions aside.
    pub(crate) fn stated(&self) -> Option<Effect> {
        if self.read_only.as_ref().is_some_and(LitBool::value) {
            return Some(Effect::Read);
        }
        let destroys = self.destructive.as_ref()?.value();
        Some(if destroys { Effect::Destructive } else { Effect::Mutating })
    }
}

/// Returns the keys of an attribute's list; none where it is not a list of keys.
fn metas(list: &syn::MetaList) -> Vec<Meta> {
    let keys = Punctuated::<Meta, Token![,]>::parse_terminated;
    keys.parse2(list.tokens.clone()).map_or_else(|_| Vec::new(), |keys| keys.into_iter().collect())
}

fn is_hint(path: &syn::Path) -> bool {
    path.is_ident("read_only_hint") || path.is_ident("destructive_hint")
}

/// Reads `true`, or `"true"`, which the framework takes for the same.
fn as_bool(value: &Expr) -> Option<LitBool> {
    let Expr::Lit(value) = value else { return None };
    match &value.lit {
        Lit::Bool(value) => Some(value.clone()),
        Lit::Str(text) => text.value().parse().ok().map(|value| LitBool::new(value, text.span())),
        _ => None,
    }
}
