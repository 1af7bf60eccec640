//! Second stage: when the body of the function runs, which its signature alone decides.
//!
//! A function that returns a future has two lives: its own body, and the future's. Both are the
//! user's, so both run behind the check: the whole function moves into the future that is returned.

use proc_macro2::Span;
use syn::punctuated::Punctuated;
use syn::spanned::Spanned as _;
use syn::visit::{self, Visit};
use syn::visit_mut::{self, VisitMut};
use syn::{
    FnArg, GenericArgument, ParenthesizedGenericArguments, Pat, Path, PathArguments, PathSegment,
    ReceiverKind, ReturnType, Signature, Token, Type, TypeFnPtr, TypeInfer, TypeParamBound,
    TypeReference,
};

/// The time and the place at which the body of a function runs.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Shape {
    /// `fn`: now, on this thread.
    Sync,
    /// `async fn`: when the future is polled.
    Async,
    /// `fn .. -> Pin<Box<dyn Future>>`, as `#[async_trait]` leaves behind.
    Boxed,
    /// `fn .. -> impl Future`.
    ImplFuture,
}

/// The type that a function returns, seen from its caller.
pub(crate) struct Returns {
    pub(crate) shape: Shape,
    /// The type that the body returns; `None` for `()`.
    pub(crate) body: Option<Type>,
    /// The type that the caller gets in the end, which must be able to carry a denial; `None` for
    /// `()`.
    pub(crate) output: Option<Type>,
    /// The returned future may outlive everything borrowed.
    pub(crate) is_static: bool,
}

impl Returns {
    /// Reads the return type of `sig`.
    pub(crate) fn from_signature(sig: &Signature) -> Self {
        let body = match &sig.output {
            ReturnType::Default => None,
            ReturnType::Type(_, ty) => Some(peel(ty).clone()).filter(|ty| !is_unit(ty)),
        };
        if sig.asyncness.is_some() {
            return Self { shape: Shape::Async, output: body.clone(), body, is_static: false };
        }
        match body.as_ref().and_then(future_of) {
            Some(future) => Self {
                shape: future.shape,
                is_static: future.is_static,
                output: Some(peel(&future.output).clone()).filter(|ty| !is_unit(ty)),
                body,
            },
            None => Self { shape: Shape::Sync, output: body.clone(), body, is_static: false },
        }
    }

    /// Returns where the output is written, for errors about it.
    pub(crate) fn output_span(&self, sig: &Signature) -> Span {
        self.output.as_ref().map_or_else(|| sig.ident.span(), syn::spanned::Spanned::span)
    }
}

struct Future {
    shape: Shape,
    output: Type,
    is_static: bool,
}

/// Returns the future that `ty` is, in one of the forms whose whole body can be deferred.
fn future_of(ty: &Type) -> Option<Future> {
    match ty {
        Type::ImplTrait(ty) => Some(Future {
            shape: Shape::ImplFuture,
            output: future_output(&ty.bounds)?,
            is_static: ty.bounds.iter().any(is_static_bound),
        }),
        Type::Path(ty) => {
            let segment = ty.path.segments.last()?;
            if segment.ident == "BoxFuture" || segment.ident == "LocalBoxFuture" {
                return alias(segment);
            }
            let inner = only_type(segment, "Pin")?;
            let Type::Path(inner) = peel(inner) else { return None };
            let Type::TraitObject(object) = peel(only_type(inner.path.segments.last()?, "Box")?)
            else {
                return None;
            };
            let named = object.bounds.iter().find_map(|bound| match bound {
                TypeParamBound::Lifetime(lifetime) => Some(lifetime),
                _ => None,
            });
            Some(Future {
                shape: Shape::Boxed,
                output: future_output(&object.bounds)?,
                // Inside a `Box`, a `dyn` without a lifetime is `'static`.
                is_static: named.is_none_or(|lifetime| lifetime.ident == "static"),
            })
        }
        _ => None,
    }
}

/// Reads `BoxFuture<'a, T>` and `LocalBoxFuture<'a, T>` of the futures crate.
fn alias(segment: &PathSegment) -> Option<Future> {
    let PathArguments::AngleBracketed(arguments) = &segment.arguments else { return None };
    let output = arguments.args.iter().find_map(as_type)?.clone();
    let is_static = arguments.args.iter().any(
        |argument| matches!(argument, GenericArgument::Lifetime(life) if life.ident == "static"),
    );
    Some(Future { shape: Shape::Boxed, output, is_static })
}

fn future_output(bounds: &Punctuated<TypeParamBound, Token![+]>) -> Option<Type> {
    bounds.iter().find_map(|bound| match bound {
        TypeParamBound::Trait(bound) => output_binding(&bound.path),
        _ => None,
    })
}

fn output_binding(path: &Path) -> Option<Type> {
    let segment = path.segments.last().filter(|segment| segment.ident == "Future")?;
    let PathArguments::AngleBracketed(arguments) = &segment.arguments else { return None };
    arguments.args.iter().find_map(|argument| match argument {
        GenericArgument::AssocType(assoc) if assoc.ident == "Output" => Some(assoc.ty.clone()),
        _ => None,
    })
}

fn is_static_bound(bound: &TypeParamBound) -> bool {
    matches!(bound, TypeParamBound::Lifetime(lifetime) if lifetime.ident == "static")
}

fn only_type<'a>(segment: &'a PathSegment, name: &str) -> Option<&'a Type> {
    if segment.ident != name {
        return None;
    }
    let PathArguments::AngleBracketed(arguments) = &segment.arguments else { return None };
    arguments.args.iter().find_map(as_type)
}

fn as_type(argument: &GenericArgument) -> Option<&Type> {
    match argument {
        GenericArgument::Type(ty) => Some(ty),
        _ => None,
    }
}

/// Returns the type without the parentheses and invisible groups around it.
pub(crate) fn peel(ty: &Type) -> &Type {
    match ty {
        Type::Paren(ty) => peel(&ty.elem),
        Type::Group(ty) => peel(&ty.elem),
        ty => ty,
    }
}

fn is_unit(ty: &Type) -> bool {
    matches!(ty, Type::Tuple(tuple) if tuple.elems.is_empty())
}

/// Returns a type as it may be written inside a body: `impl Trait` becomes `_`, the rest stays.
pub(crate) fn nameable(ty: &Type) -> Type {
    struct Infer;
    impl VisitMut for Infer {
        fn visit_type_mut(&mut self, ty: &mut Type) {
            if let Type::ImplTrait(opaque) = ty {
                let underscore_token = Token![_](opaque.impl_token.span);
                *ty = Type::Infer(TypeInfer { attrs: Vec::new(), underscore_token });
            } else {
                visit_mut::visit_type_mut(self, ty);
            }
        }
    }
    let mut ty = ty.clone();
    Infer.visit_type_mut(&mut ty);
    ty
}

/// Returns where `ty` holds a future that its caller would still have to run.
pub(crate) fn future_inside(ty: &Type) -> Option<Span> {
    struct Find(Option<Span>);
    impl<'ast> Visit<'ast> for Find {
        fn visit_path_segment(&mut self, segment: &'ast PathSegment) {
            let is_future =
                ["Future", "BoxFuture", "LocalBoxFuture"].iter().any(|name| segment.ident == name);
            if is_future && self.0.is_none() {
                self.0 = Some(segment.ident.span());
            }
            visit::visit_path_segment(self, segment);
        }
        fn visit_type_fn_ptr(&mut self, _: &'ast TypeFnPtr) {}
        fn visit_parenthesized_generic_arguments(
            &mut self,
            _: &'ast ParenthesizedGenericArguments,
        ) {
        }
    }
    let mut find = Find(None);
    find.visit_type(ty);
    find.0
}

/// Returns where the parameters of `sig` borrow from the caller.
pub(crate) fn borrowed(sig: &Signature) -> Option<Span> {
    sig.inputs.iter().find_map(|argument| match argument {
        FnArg::Receiver(receiver) => match &receiver.kind {
            ReceiverKind::Value => None,
            ReceiverKind::Reference(..) => Some(receiver.span()),
            ReceiverKind::Typed(_, ty) => borrow_in(ty),
            // A form of `self` that is newer than this crate: most forms borrow.
            _ => Some(receiver.span()),
        },
        // Never moved into the future.
        FnArg::Typed(typed) if matches!(*typed.pat, Pat::Wild(_)) => None,
        FnArg::Typed(typed) => borrow_in(&typed.ty),
    })
}

fn borrow_in(ty: &Type) -> Option<Span> {
    struct Find(Option<Span>);
    impl<'ast> Visit<'ast> for Find {
        fn visit_type_reference(&mut self, reference: &'ast TypeReference) {
            if reference.lifetime.as_ref().is_none_or(|lifetime| lifetime.ident != "static") {
                self.0.get_or_insert(reference.span());
            }
            visit::visit_type_reference(self, reference);
        }
        fn visit_lifetime(&mut self, lifetime: &'ast syn::Lifetime) {
            if lifetime.ident != "static" {
                self.0.get_or_insert(lifetime.span());
            }
        }
        // Lifetimes in the signature of a callback borrow nothing here.
        fn visit_type_fn_ptr(&mut self, _: &'ast TypeFnPtr) {}
        fn visit_bound_lifetimes(&mut self, _: &'ast syn::BoundLifetimes) {}
        fn visit_parenthesized_generic_arguments(
            &mut self,
            _: &'ast ParenthesizedGenericArguments,
        ) {
        }
    }
    let mut find = Find(None);
    find.visit_type(ty);
    find.0
}

#[cfg(test)]
mod tests {
    use super::*;
    use syn::parse_quote;

    fn shape(sig: &Signature) -> Shape {
        Returns::from_signature(sig).shape
    }

    #[test]
    fn every_form_of_a_future_is_recognised() {
        assert_eq!(
            shape(&parse_quote!(async fn f() -> Pin<Box<dyn Future<Output = u8>>>)),
            Shape::Async
        );
        assert_eq!(
            shape(
                &parse_quote!(fn f() -> ::core::pin::Pin<Box<dyn ::core::future::Future<Output = u8> + Send + 'a>>)
            ),
            Shape::Boxed
        );
        assert_eq!(
            shape(&parse_quote!(fn f() -> Pin<Box<(dyn Send + Future<Output = u8>)>>)),
            Shape::Boxed
        );
        assert_eq!(shape(&parse_quote!(fn f() -> BoxFuture<'_, u8>)), Shape::Boxed);
        assert_eq!(
            shape(&parse_quote!(fn f() -> (impl Future<Output = u8> + Send))),
            Shape::ImplFuture
        );
        assert_eq!(shape(&parse_quote!(fn f() -> impl Iterator<Item = u8>)), Shape::Sync);
        assert_eq!(shape(&parse_quote!(fn f() -> Pin<Box<dyn Stream<Item = u8>>>)), Shape::Sync);
    }

    #[test]
    fn a_boxed_future_without_a_lifetime_is_static() {
        let is_static = |sig: Signature| Returns::from_signature(&sig).is_static;
        assert!(is_static(parse_quote!(fn f() -> Pin<Box<dyn Future<Output = u8> + Send>>)));
        assert!(is_static(parse_quote!(fn f() -> BoxFuture<'static, u8>)));
        assert!(is_static(parse_quote!(fn f() -> impl Future<Output = u8> + 'static)));
        assert!(!is_static(parse_quote!(fn f() -> Pin<Box<dyn Future<Output = u8> + '_>>)));
        assert!(!is_static(parse_quote!(fn f() -> impl Future<Output = u8>)));
    }

    #[test]
    fn a_borrow_is_found_wherever_it_hides_and_nowhere_else() {
        assert!(borrowed(&parse_quote!(fn f(&self))).is_some());
        assert!(borrowed(&parse_quote!(fn f(self: Pin<&mut Self>))).is_some());
        assert!(borrowed(&parse_quote!(fn f(a: Option<&str>))).is_some());
        assert!(borrowed(&parse_quote!(fn f(a: Row<'a>))).is_some());
        assert!(
            borrowed(&parse_quote!(fn f(self: Arc<Self>, a: &'static str, b: fn(&u8)))).is_none()
        );
        assert!(borrowed(&parse_quote!(fn f(a: Box<dyn Fn(&str) -> bool>))).is_none());
    }

    #[test]
    fn only_impl_trait_is_inferred() {
        let ty = nameable(&parse_quote!(Result<impl Display, &'a str>));
        assert_eq!(quote::quote!(#ty).to_string(), "Result < _ , & 'a str >");
    }
}
