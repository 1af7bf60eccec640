//! Last stage: what the program says of itself. Every guarded function is known from the moment the
//! program is linked, called or not.
//!
//! A registration is an item, and an item cannot name the generics of the function around it. So arguments whose type
//! mentions these are registered by their name alone.

use proc_macro2::{Span, TokenStream};
use quote::quote_spanned;
use syn::visit::{self, Visit};
use syn::visit_mut::{self, VisitMut};
use syn::{BoundLifetimes, Ident, Lifetime, Path, Type, TypeImplTrait, TypeInfer, TypeMacro};

use crate::args;
use crate::expand::Expansion;
use crate::input::Field;
use crate::known::is_of_the_library;

impl Expansion {
    // before:
    //     #[guarded(effect = "read")]
    //     fn list(folder: String) { .. }
    // after, as the first item of the body:
    //     inventory::submit! {
    //         GuardedFunction { tool: "list", effect: Some(Read), arguments: &["folder"], .. }
    //     }
    pub(crate) fn registration(&self) -> TokenStream {
        let private = &self.private;
        let tool = self.tool_name(&TokenStream::new());
        let effect = match self.effect() {
            Some(effect) => {
                quote_spanned!(Span::mixed_site()=> ::core::option::Option::Some(#effect))
            }
            None => quote_spanned!(Span::mixed_site()=> ::core::option::Option::None),
        };
        let scopes = self.scopes();
        let arguments = self.guarded.input.fields.iter().map(|field| self.argument(field));
        // Its own line, where `line!()` would say that of the attribute, which a whole block shares.
        let line = u32::try_from(self.guarded.function.sig.ident.span().start().line).unwrap_or(0);
        quote_spanned! {Span::mixed_site()=>
            #private::inventory::submit! {
                #private::GuardedFunction {
                    tool: #tool,
                    effect: #effect,
                    scopes: &[#(#scopes),*],
                    arguments: &[#(#arguments),*],
                    module: ::core::module_path!(),
                    file: ::core::file!(),
                    line: #line,
                }
            }
        }
    }

    fn argument(&self, field: &Field) -> TokenStream {
        let private = &self.private;
        let Field { name, cfgs, .. } = field;
        let schema = self.schema(field);
        quote_spanned! {Span::mixed_site()=>
            #(#cfgs)* #private::GuardedArgument { name: #name, schema: #schema }
        }
    }

    // A macro, because whether there are schemas is for the crate that collects them to say: with
    // features of our own the two could be built to disagree.
    fn schema(&self, field: &Field) -> TokenStream {
        let private = &self.private;
        match field.ty.as_ref().and_then(|ty| self.nameable_in_an_item(ty)) {
            Some(ty) => quote_spanned!(Span::mixed_site()=> #private::schema!(#ty)),
            None => quote_spanned!(Span::mixed_site()=> ::core::option::Option::None),
        }
    }

    /// Returns the type as an item inside of the function may write it; `None` where it may not.
    fn nameable_in_an_item(&self, ty: &Type) -> Option<Type> {
        let own = args::generics(&self.guarded.function.sig.generics);
        let mut unnameable = Unnameable {
            generics: own.iter().chain(self.guarded.outer_generics.iter().flatten()).collect(),
            block_is_seen: self.guarded.outer_generics.is_some(),
            is_method: args::speaks_of_self(&self.guarded.function.sig),
            found: false,
        };
        unnameable.visit_type(ty);
        (!unnameable.found).then(|| {
            let mut ty = ty.clone();
            Anonymous.visit_type_mut(&mut ty);
            ty
        })
    }
}

/// Looks for what only the function around an item can name.
struct Unnameable<'a> {
    generics: Vec<&'a Ident>,
    block_is_seen: bool,
    is_method: bool,
    found: bool,
}

impl Unnameable<'_> {
    fn is_generic(&self, path: &Path) -> bool {
        let Some(first) = path.segments.first().filter(|_| path.leading_colon.is_none()) else {
            return false;
        };
        let ident = &first.ident;
        if *ident == "Self" || self.generics.contains(&ident) {
            return true;
        }
        if self.block_is_seen {
            return false;
        }
        // The attribute of a method does not see the block around it, so of a method only what cannot
        // be a type parameter is taken, and of a function what is not spelled like one.
        let text = ident.to_string();
        if self.is_method {
            let in_a_module =
                path.segments.len() > 1 && text.starts_with(|c: char| c.is_ascii_lowercase());
            return !(in_a_module || is_of_the_library(ident));
        }
        text.chars().all(|c| c.is_ascii_uppercase() || c.is_ascii_digit())
    }
}

impl<'ast> Visit<'ast> for Unnameable<'_> {
    fn visit_path(&mut self, path: &'ast Path) {
        self.found |= self.is_generic(path);
        visit::visit_path(self, path);
    }

    fn visit_type_impl_trait(&mut self, _: &'ast TypeImplTrait) {
        self.found = true;
    }

    fn visit_type_infer(&mut self, _: &'ast TypeInfer) {
        self.found = true;
    }

    fn visit_type_macro(&mut self, _: &'ast TypeMacro) {
        self.found = true;
    }

    fn visit_bound_lifetimes(&mut self, _: &'ast BoundLifetimes) {
        self.found = true;
    }
}

/// Takes the names off lifetimes, which an item cannot name either and need not.
struct Anonymous;

impl VisitMut for Anonymous {
    fn visit_lifetime_mut(&mut self, lifetime: &mut Lifetime) {
        if lifetime.ident != "static" {
            lifetime.ident = Ident::new("_", lifetime.ident.span());
        }
        visit_mut::visit_lifetime_mut(self, lifetime);
    }
}
