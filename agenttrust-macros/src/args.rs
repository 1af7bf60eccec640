//! Second stage: what each parameter binds, because a body sees names and not parameters.
//!
//! A parameter `Parameters(Request { path, .. }): Parameters<Request>` gives the body `path` and
//! nothing else, so `path` is what is captured, skipped, and bound by an approval.

use proc_macro2::{Span, TokenTree};
use quote::ToTokens as _;
use syn::ext::IdentExt as _;
use syn::spanned::Spanned as _;
use syn::visit_mut::{self, VisitMut};
use syn::{
    Attribute, FnArg, GenericArgument, GenericParam, Generics, Ident, Meta, Pat, PatIdent,
    PatTupleStruct, PatType, PathArguments, Signature, Token, Type,
};

use crate::mention::find_word;

/// A parameter of the function other than `self`.
pub(crate) struct Argument {
    pub(crate) bindings: Vec<Binding>,
    /// The parameter's type as it is written: only the compiler knows which type that is.
    pub(crate) ty: Type,
    /// The place in the pattern where it binds names that cannot be seen from here.
    pub(crate) opaque: Option<Span>,
}

/// A name that a parameter's pattern gives to the body.
pub(crate) struct Binding {
    pub(crate) ident: Ident,
    pub(crate) mutability: Option<Token![mut]>,
    /// The type, where the pattern lets it be known.
    pub(crate) ty: Option<Type>,
    /// `#[cfg(..)]` of the parameter: whatever mentions the name must come and go with it.
    pub(crate) cfgs: Vec<Attribute>,
    /// Lint levels of the parameter, which are about the name the body sees.
    pub(crate) lints: Vec<Attribute>,
}

impl Binding {
    /// Returns the name without `r#`, as it is captured.
    pub(crate) fn name(&self) -> String {
        self.ident.unraw().to_string()
    }
}

/// Returns every parameter but `self`, in order.
pub(crate) fn arguments(sig: &Signature) -> Vec<Argument> {
    sig.inputs
        .iter()
        .filter_map(|argument| match argument {
            FnArg::Typed(typed) => Some(read_argument(typed)),
            FnArg::Receiver(_) => None,
        })
        .collect()
}

fn read_argument(typed: &PatType) -> Argument {
    let mut names = Names { bindings: Vec::new(), opaque: None, lints: lints_of(&typed.attrs) };
    names.bind_pattern(&typed.pat, Some(&typed.ty), &cfgs_of(&typed.attrs));
    Argument { bindings: names.bindings, ty: (*typed.ty).clone(), opaque: names.opaque }
}

struct Names {
    bindings: Vec<Binding>,
    opaque: Option<Span>,
    lints: Vec<Attribute>,
}

impl Names {
    fn bind_pattern(&mut self, pat: &Pat, ty: Option<&Type>, cfgs: &[Attribute]) {
        match pat {
            Pat::Ident(pat) => {
                self.bind(pat, ty, cfgs);
                if let Some((_, inner)) = &pat.subpat {
                    self.bind_pattern(inner, ty, cfgs);
                }
            }
            // Every case binds the same names.
            Pat::Or(pat) => {
                pat.cases.iter().take(1).for_each(|case| self.bind_pattern(case, ty, cfgs))
            }
            Pat::Guard(pat) => self.bind_pattern(&pat.pat, ty, cfgs),
            Pat::Paren(pat) => self.bind_pattern(&pat.pat, ty, cfgs),
            Pat::Reference(pat) => self.bind_pattern(&pat.pat, None, cfgs),
            Pat::Slice(pat) => {
                pat.elems.iter().for_each(|element| self.bind_pattern(element, None, cfgs))
            }
            Pat::Tuple(pat) => {
                pat.elems.iter().for_each(|element| self.bind_pattern(element, None, cfgs))
            }
            Pat::TupleStruct(pat) => {
                let inner = ty.and_then(|ty| extracted(ty, pat));
                pat.elems.iter().for_each(|element| self.bind_pattern(element, inner, cfgs));
            }
            Pat::Type(pat) => self.bind_pattern(&pat.pat, Some(&pat.ty), cfgs),
            Pat::Struct(pat) => {
                for field in &pat.fields {
                    let mut cfgs = cfgs.to_vec();
                    cfgs.extend(cfgs_of(&field.attrs));
                    self.bind_pattern(&field.pat, None, &cfgs);
                }
            }
            Pat::Macro(_) | Pat::Verbatim(_) => self.opaque = Some(pat.span()),
            // Constants, literals, paths, ranges, `..` and `_` bind nothing.
            _ => {}
        }
    }

    fn bind(&mut self, pat: &PatIdent, ty: Option<&Type>, cfgs: &[Attribute]) {
        self.bindings.push(Binding {
            ident: pat.ident.clone(),
            mutability: pat.mutability.filter(|_| pat.by_ref.is_none()),
            ty: ty.cloned(),
            cfgs: cfgs.to_vec(),
            lints: self.lints.clone(),
        });
    }
}

/// Returns `T` of `Parameters(request): Parameters<T>`, and of the extractors that are made the same way.
fn extracted<'a>(ty: &'a Type, pat: &PatTupleStruct) -> Option<&'a Type> {
    let (extractor, inner) = extractor(ty)?;
    let is_itself = pat.path.segments.last().is_some_and(|last| last.ident == *extractor);
    (is_itself && pat.elems.len() == 1).then_some(inner)
}

/// Returns the name of an extractor, and what it extracts: `Json` and `File` of `Json<File>`.
pub(crate) fn extractor(ty: &Type) -> Option<(&Ident, &Type)> {
    const EXTRACTORS: [&str; 5] = ["Parameters", "Json", "Path", "Query", "Form"];
    let Type::Path(ty) = ty else { return None };
    let segment = ty.path.segments.last()?;
    let is_extractor = EXTRACTORS.iter().any(|name| segment.ident == name);
    let PathArguments::AngleBracketed(arguments) = &segment.arguments else { return None };
    let mut arguments = arguments.args.iter();
    match (arguments.next(), arguments.next()) {
        (Some(GenericArgument::Type(inner)), None) if is_extractor => Some((&segment.ident, inner)),
        _ => None,
    }
}

/// Returns `cfg`, and a `cfg_attr` that may become one.
fn cfgs_of(attrs: &[Attribute]) -> Vec<Attribute> {
    attrs.iter().filter(|attr| is_or_becomes(attr, "cfg")).cloned().collect()
}

fn is_lint(attr: &Attribute) -> bool {
    ["allow", "expect", "warn", "deny", "forbid"].iter().any(|level| attr.path().is_ident(level))
}

fn lints_of(attrs: &[Attribute]) -> Vec<Attribute> {
    attrs.iter().filter(|attr| is_lint(attr)).cloned().collect()
}

/// Takes `mut` and lint levels off the parameters, but for the first `kept`: their names are bound
/// again, right before the body, and both are about that second binding.
pub(crate) fn plain_parameters(sig: &mut Signature, kept: usize) {
    let typed = sig.inputs.iter_mut().filter_map(|argument| match argument {
        FnArg::Typed(typed) => Some(typed),
        FnArg::Receiver(_) => None,
    });
    for typed in typed.skip(kept) {
        typed.attrs.retain(|attr| !is_lint(attr));
        DropMut.visit_pat_mut(&mut typed.pat);
    }
}

struct DropMut;

impl VisitMut for DropMut {
    fn visit_pat_ident_mut(&mut self, pat: &mut PatIdent) {
        if pat.by_ref.is_none() {
            pat.mutability = None;
        }
        visit_mut::visit_pat_ident_mut(self, pat);
    }

    // A pattern holds no other pattern in its expressions that is a parameter's.
    fn visit_expr_mut(&mut self, _: &mut syn::Expr) {}
}

/// Returns the types and constants that something is generic over.
pub(crate) fn generics(generics: &Generics) -> Vec<Ident> {
    generics
        .params
        .iter()
        .filter_map(|param| match param {
            GenericParam::Type(param) => Some(param.ident.clone()),
            GenericParam::Const(param) => Some(param.ident.clone()),
            GenericParam::Lifetime(_) => None,
        })
        .collect()
}

/// Returns whether a signature has a `self`, or says `Self`: whether it stands in an `impl` block or a trait.
pub(crate) fn speaks_of_self(sig: &Signature) -> bool {
    find_word(sig.to_token_stream(), &|word| word == "self" || word == "Self").is_some()
}

/// Returns where the attribute `name` is among `attrs`, or one that may become it.
pub(crate) fn find_attribute(attrs: &[Attribute], name: &str) -> Option<Span> {
    attrs.iter().find(|attr| is_or_becomes(attr, name)).map(|attr| attr.path().span())
}

/// Returns whether `attr` is `name`, or a `cfg_attr` that may become it.
pub(crate) fn is_or_becomes(attr: &Attribute, name: &str) -> bool {
    match &attr.meta {
        Meta::List(list) if list.path.is_ident("cfg_attr") => {
            let mut tokens = list.tokens.clone().into_iter();
            tokens.any(|token| matches!(token, TokenTree::Ident(ident) if ident == name))
        }
        meta => meta.path().segments.last().is_some_and(|segment| segment.ident == name),
    }
}
