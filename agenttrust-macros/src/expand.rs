//! Last stage: the function with its whole body behind the check.
//!
//! Every path is rooted, every name of ours is `mixed_site` and so invisible to the body, and all
//! that is decided at run time is decided in `agenttrust::__private`. The names are long because a
//! constant around the function would be meant by a short one: `let` does not shadow constants.

use proc_macro2::{Delimiter, Group, Span, TokenStream};
use quote::{ToTokens as _, quote, quote_spanned};
use syn::spanned::Spanned as _;
use syn::{Ident, ReceiverKind, Result, Signature, Type};

use crate::args::{self, Argument, Binding};
use crate::attr::Attr;
use crate::ctxt::Ctxt;
use crate::function::{Body, Function};
use crate::mention::{mentions, uses};
use crate::shape::{Shape, nameable};
use crate::valid::{Guarded, validate};

/// Returns the guarded function, or what is wrong with it.
pub(crate) fn expand(arguments: TokenStream, item: TokenStream) -> Result<TokenStream> {
    let ctxt = Ctxt::new();
    let attr = Attr::parse(&ctxt, arguments);
    let guarded =
        Function::parse(&ctxt, item).and_then(|function| validate(&ctxt, attr, function, None));
    ctxt.check()?;
    Ok(guarded.map_or_else(TokenStream::new, |guarded| Expansion::new(guarded).function()))
}

/// A valid function on its way to tokens.
pub(crate) struct Expansion {
    pub(crate) guarded: Guarded,
    /// `::agenttrust::__private`, or where `crate = ..` says it is.
    pub(crate) private: TokenStream,
    /// The number of arguments that reach an async body as they are.
    captured_as_they_are: usize,
}

impl Expansion {
    pub(crate) fn new(guarded: Guarded) -> Self {
        let private = match &guarded.attr.krate {
            Some(path) => quote!(#path::__private),
            None => quote!(::agenttrust::__private),
        };
        let captured_as_they_are = captured_as_they_are(&guarded);
        Self { guarded, private, captured_as_they_are }
    }

    // before:
    //     #[attribute]
    //     async fn delete(mut path: String) -> Result<(), Error> { #![inner] body }
    // after:
    //     #[attribute]
    //     async fn delete(path: String) -> Result<(), Error> { #![inner] checked body }
    pub(crate) fn function(&self) -> TokenStream {
        let Function { attrs, vis, defaultness, sig, .. } = &self.guarded.function;
        let Body { inner_attrs, .. } = &self.guarded.body;
        let mut sig: Signature = sig.clone();
        args::plain_parameters(&mut sig, self.captured_as_they_are);
        let checked = match self.guarded.returns.shape {
            Shape::Sync | Shape::Async => self.checked(),
            Shape::Boxed => self.boxed(),
            Shape::ImplFuture => self.deferred(),
        };
        let registration = self.registration();
        // The tail of the function is ours, where it is a future of ours.
        let tail = matches!(self.guarded.returns.shape, Shape::Boxed | Shape::ImplFuture)
            .then(|| quote_spanned!(Span::mixed_site()=> #[allow(clippy::implicit_return)]));
        let mut block =
            Group::new(Delimiter::Brace, quote!(#(#inner_attrs)* #registration #tail #checked));
        // Diagnostics about the whole function point at it, and not at the attribute.
        block.set_span(self.guarded.body.block.span());
        let allow = (self.guarded.returns.shape == Shape::ImplFuture)
            .then(|| quote_spanned!(Span::mixed_site()=> #[allow(clippy::manual_async_fn)]));
        quote!(#(#attrs)* #allow #vis #defaultness #sig #block)
    }

    // before:
    //     fn delete(..) -> impl Future<Output = O> { body }
    // after:
    //     fn delete(..) -> impl Future<Output = O> { async move { checked body } }
    fn deferred(&self) -> TokenStream {
        let checked = self.checked();
        quote_spanned!(Span::mixed_site()=> async move { #checked })
    }

    // before:
    //     fn delete(..) -> Pin<Box<dyn Future<Output = O> + '_>> { body }
    // after:
    //     fn delete(..) -> Pin<Box<dyn Future<Output = O> + '_>> { Box::pin(async move { checked body }) }
    fn boxed(&self) -> TokenStream {
        let deferred = self.deferred();
        quote_spanned!(Span::mixed_site()=> ::std::boxed::Box::pin(#deferred))
    }

    // before:
    //     body
    // after:
    //     let decision = {                   // in a block: nothing of the asking is kept for the body
    //         let guard = None;
    //         let input = the arguments;
    //         let action = Action::new("delete").effect(..).captured(input.clone());
    //         let decision = authorize(guard, action).await;
    //         unchanged(decision, &input, || the arguments)    // where there are any
    //     };
    //     let permit = match decision {
    //         Ok(permit) => permit,
    //         Err(error) => return O::from_denial(error),
    //     };
    //     let output: O = body;
    //     permit.finish_with(how the output says it went);
    //     output
    fn checked(&self) -> TokenStream {
        let private = &self.private;
        let decision = self.decision();
        let body = self.run();
        let denied = self.denied();
        let output_type = annotation(self.guarded.returns.output.as_ref());
        // Of the function Clippy says it already; a body that is no async block becomes a closure.
        let once = (self.guarded.returns.shape != Shape::Async)
            .then(|| quote_spanned!(Span::mixed_site()=> #[allow(clippy::result_large_err)]));
        quote_spanned! {Span::mixed_site()=>
            let agenttrust_permit = match #decision {
                ::core::result::Result::Ok(agenttrust_permit) => agenttrust_permit,
                ::core::result::Result::Err(agenttrust_error) => return #denied,
            };
            #once
            let agenttrust_output #output_type = #body;
            let agenttrust_outcome = {
                use #private::{OutcomeAssumed as _, OutcomeKnown as _};
                (&#private::OutcomeProbe(&agenttrust_output)).agenttrust_outcome()
            };
            #private::Permit::finish_with(agenttrust_permit, agenttrust_outcome);
            #[allow(clippy::implicit_return)]
            agenttrust_output
        }
    }

    /// Returns the block that asks whether the call may run: one of its own, so that nothing of the asking is kept
    /// while it runs.
    fn decision(&self) -> TokenStream {
        let private = &self.private;
        let action = self.action();
        let guard = self.guard();
        let asked = match self.guarded.returns.shape {
            Shape::Sync => quote_spanned! {Span::mixed_site()=>
                #private::authorize_blocking(agenttrust_guard, agenttrust_action)
            },
            Shape::Async | Shape::Boxed | Shape::ImplFuture => quote_spanned! {Span::mixed_site()=>
                #private::authorize(agenttrust_guard, agenttrust_action).await
            },
        };
        let input = self.captures().then(|| {
            let capture = self.capture(true);
            quote_spanned!(Span::mixed_site()=> let agenttrust_input = #capture;)
        });
        // An argument may be shared (a `&Mutex`, a handle with state) and change while the check is on its
        // way, or a person makes up their mind: what was checked must be what runs, whatever the effect.
        let decision = if self.compares() {
            let capture = self.capture(false);
            quote_spanned! {Span::mixed_site()=>
                let agenttrust_decision = #asked;
                #private::unchanged(agenttrust_decision, &agenttrust_input, || #capture)
            }
        } else {
            asked
        };
        quote_spanned! {Span::mixed_site()=>
            {
                let agenttrust_guard = #guard;
                #input
                let agenttrust_action = #action;
                #decision
            }
        }
    }

    /// Returns the body, run.
    fn run(&self) -> TokenStream {
        match self.guarded.returns.shape {
            Shape::Sync => self.run_sync(),
            Shape::Async => self.run_async(),
            Shape::Boxed | Shape::ImplFuture => self.run_future(),
        }
    }

    // before:
    //     { statements }
    // after:
    //     call_once(move || -> O { let mut path = path; let output: O = { statements }; output })
    fn run_sync(&self) -> TokenStream {
        let private = &self.private;
        let returns = self.guarded.returns.body.as_ref().map(|ty| {
            let ty = nameable(ty);
            quote_spanned!(Span::mixed_site()=> -> #ty)
        });
        let block = self.block();
        quote_spanned!(Span::mixed_site()=> #private::call_once(move || #returns { #block }))
    }

    // before:
    //     { statements that return a future }
    // after:
    //     { let future = call_once(move || -> F { .. }); future.await }
    fn run_future(&self) -> TokenStream {
        let future = self.run_sync();
        quote_spanned! {Span::mixed_site()=>
            {
                let agenttrust_future = #future;
                agenttrust_future.await
            }
        }
    }

    // before:
    //     { statements }
    // after:
    //     async move {
    //         if let Some(output) = None::<O> { return output; }   // `return` and `?` know their type
    //         let _ = (&last, &first);                             // captured whole, and in this order
    //         let output: O = { statements };
    //         output
    //     }.await
    fn run_async(&self) -> TokenStream {
        let output = named(self.guarded.returns.body.as_ref());
        let block = self.block();
        let place = self.output_place();
        let returns = (!matches!(self.guarded.returns.body, Some(Type::ImplTrait(_)))).then(|| {
            quote_spanned! {place=>
                if let ::core::option::Option::Some(agenttrust_output) =
                    ::core::option::Option::None::<#output>
                {
                    return agenttrust_output;
                }
            }
        });
        // What a future captures is dropped in the order in which it is first spoken of, and the
        // parameters of a function are dropped from the last to the first.
        let captured = self.guarded.arguments.iter().take(self.captured_as_they_are);
        let captured = captured.flat_map(|argument| &argument.bindings).rev();
        let captured = captured.map(|Binding { ident, cfgs, .. }| {
            let unused = allow_underscore(ident);
            quote_spanned!(Span::mixed_site()=> #(#cfgs)* #unused let _ = &#ident;)
        });
        quote_spanned!(Span::mixed_site()=> async move { #returns #(#captured)* #block }.await)
    }

    // before:
    //     { statements }
    // after:
    //     let mut path = path;                // dropped after the body, in the order of parameters
    //     let output: O = { statements };     // a value of its own, so that temporaries go first
    //     output
    fn block(&self) -> TokenStream {
        let receiver = self.owned_receiver();
        let rebound = self.guarded.arguments.iter().skip(self.captured_as_they_are);
        let bindings = rebound.flat_map(|argument| {
            rebind(argument).chain(argument.bindings.iter().filter_map(|it| self.used_before(it)))
        });
        let block = &self.guarded.body.block;
        let body_type = annotation(self.guarded.returns.body.as_ref());
        // A body that ends in `panic!` or `todo!` makes neither lint's sense in the bare function.
        quote_spanned! {Span::mixed_site()=>
            #receiver
            #(#bindings)*
            #[allow(clippy::diverging_sub_expression)]
            let agenttrust_output #body_type = #block;
            #[allow(unreachable_code, clippy::implicit_return)]
            agenttrust_output
        }
    }

    /// Returns an argument of which only `guard = ..` or `on_denied = ..` speaks is not an unused one.
    fn used_before(&self, binding: &Binding) -> Option<TokenStream> {
        let Attr { guard, on_denied, .. } = &self.guarded.attr;
        let Binding { ident, cfgs, .. } = binding;
        let mut before = guard.iter().chain(on_denied);
        let is_used = before.any(|expr| uses(&expr.to_token_stream(), ident));
        let unused = allow_underscore(ident);
        is_used.then(|| quote_spanned!(Span::mixed_site()=> #(#cfgs)* #unused let _ = &#ident;))
    }

    // before:
    //     fn delete(self, ..)
    // after:
    //     let _ = &self;                      // captured whole, and not by the fields that are used
    fn owned_receiver(&self) -> Option<TokenStream> {
        let Guarded { returns, function, body, .. } = &self.guarded;
        let receiver = function.sig.receiver()?;
        let is_owned = !matches!(receiver.kind, ReceiverKind::Reference(..));
        // An async body keeps `self` in its future anyway; a returned one drops it at the call.
        let is_deferred = matches!(returns.shape, Shape::Boxed | Shape::ImplFuture);
        let this = Ident::from(receiver.self_token);
        let is_kept = is_deferred || uses(&body.block.stream(), &this);
        (is_owned && is_kept).then(|| quote_spanned!(Span::mixed_site()=> let _ = &#this;))
    }

    // before:
    //     on_denied = |error| reply(error)
    // after:
    //     deny_with::<O, _>(error, |error| reply(error))
    // and without it, at the place of the return type, where a missing implementation is shown:
    //     <O as FromDenial>::from_denial(error)
    fn denied(&self) -> TokenStream {
        let private = &self.private;
        let returns = &self.guarded.returns;
        let output = named(returns.output.as_ref());
        let error = quote_spanned!(Span::mixed_site()=> agenttrust_error);
        if let Some(on_denied) = &self.guarded.attr.on_denied {
            let place = Span::mixed_site().located_at(on_denied.span());
            return quote_spanned!(place=> #private::deny_with::<#output, _>(#error, #on_denied));
        }
        let place = self.output_place();
        quote_spanned!(place=> <#output as #private::FromDenial>::from_denial(#error))
    }

    /// Returns where the return type is written, for what the compiler has to say about it.
    fn output_place(&self) -> Span {
        let Guarded { returns, function, .. } = &self.guarded;
        Span::mixed_site().located_at(returns.output_span(&function.sig))
    }

    // before:
    //     guard = self.guard
    // after, for a guard, a reference to one, and an `Arc` of one alike:
    //     Some(<AgentTrustGuard as Clone>::clone(&self.guard))
    fn guard(&self) -> TokenStream {
        let private = &self.private;
        let Some(guard) = &self.guarded.attr.guard else {
            return quote_spanned!(Span::mixed_site()=> ::core::option::Option::None);
        };
        let place = Span::mixed_site().located_at(guard.span());
        quote_spanned! {place=>
            // A `match`, so that an `if` or a `?` in the expression knows no type but its own, and what
            // it borrows for a moment lives until the guard is cloned.
            match &#guard {
                agenttrust_asked => ::core::option::Option::Some(
                    <#private::AgentTrustGuard as ::core::clone::Clone>::clone(agenttrust_asked)
                ),
            }
        }
    }
}

/// Returns how many of the arguments reach the body as they are: the first ones, as far as the body speaks of
/// them. An async body keeps them in its future already, and a second binding would keep them there
/// twice. The others are bound again, all that follow, so that they are dropped in the order of
/// parameters.
fn captured_as_they_are(guarded: &Guarded) -> usize {
    if guarded.returns.shape != Shape::Async {
        return 0;
    }
    let body = guarded.body.block.stream();
    let is_spoken_of = |argument: &&Argument| {
        let plainly =
            |binding: &Binding| binding.mutability.is_none() && mentions(&body, &binding.ident);
        argument.bindings.iter().all(plainly)
    };
    guarded.arguments.iter().take_while(is_spoken_of).count()
}

// before:
//     #[cfg(unix)] #[allow(unused)] mut path: String      // a parameter
// after:
//     #[cfg(unix)] #[allow(unused)] let mut path = path;  // inside, so that the body's use of it counts
fn rebind(argument: &Argument) -> impl Iterator<Item = TokenStream> {
    argument.bindings.iter().map(|Binding { ident, mutability, cfgs, lints, .. }| {
        let (minds, value) = match allow_underscore(ident) {
            // On our use of the name alone: the body's is for Clippy to mind.
            Some(unused) => (
                Some(quote_spanned!(Span::mixed_site()=> #[allow(clippy::no_effect_underscore_binding)])),
                quote_spanned!(Span::mixed_site()=> { #unused #ident }),
            ),
            None => (None, ident.to_token_stream()),
        };
        quote_spanned! {Span::mixed_site()=>
            #(#cfgs)* #(#lints)* #minds
            #[allow(clippy::shadow_same)]
            let #mutability #ident = #value;
        }
    })
}

/// Returns what quiets Clippy about the use of a name with an underscore: the use is ours and not the user's.
pub(crate) fn allow_underscore(ident: &Ident) -> Option<TokenStream> {
    ident.to_string().starts_with('_').then(|| {
        quote_spanned! {Span::mixed_site()=>
            #[allow(clippy::used_underscore_binding, clippy::no_effect_underscore_binding)]
        }
    })
}

/// Returns `: O`, with `_` for what only inference can name.
fn annotation(ty: Option<&Type>) -> TokenStream {
    let ty = named(ty);
    quote_spanned!(Span::mixed_site()=> : #ty)
}

fn named(ty: Option<&Type>) -> TokenStream {
    ty.map_or_else(|| quote!(()), |ty| nameable(ty).into_token_stream())
}
