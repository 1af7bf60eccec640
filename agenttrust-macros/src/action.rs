//! Last stage: what is asked. The keys and the arguments of a call, as an `Action`.

use proc_macro2::{Span, TokenStream};
use quote::{ToTokens as _, quote, quote_spanned};
use syn::ext::IdentExt as _;
use syn::spanned::Spanned as _;
use syn::{Expr, Lit, LitStr};

use crate::args;
use crate::attr::{Attr, Effect, OnElevation};
use crate::expand::{Expansion, allow_underscore};
use crate::input::{Demand, Field, Generic, Input};
use crate::known::serializes;

/// The longest time that `on_elevation = "wait"` waits without a `wait`, in seconds: as long as an approval is open by
/// default.
const DEFAULT_WAIT_SECONDS: u64 = 300;

impl Expansion {
    /// Returns the call as an `Action`, with its input captured.
    pub(crate) fn action(&self) -> TokenStream {
        let private = &self.private;
        let scopes = self.scopes();
        let tool = self.tool();
        let effect =
            self.effect().map(|effect| quote_spanned!(Span::mixed_site()=> .effect(#effect)));
        let waits = self.on_elevation();
        let input = self.captures().then(|| {
            // Kept where it is compared with later.
            let input = if self.compares() {
                quote_spanned!(Span::mixed_site()=> ::core::clone::Clone::clone(&agenttrust_input))
            } else {
                quote_spanned!(Span::mixed_site()=> agenttrust_input)
            };
            quote_spanned!(Span::mixed_site()=> .captured(#input))
        });
        quote_spanned! {Span::mixed_site()=>
            #private::Action::new(#tool) #effect #(.scope(#scopes))* #waits #input
        }
    }

    /// Returns the effect that the user set, as a path.
    pub(crate) fn effect(&self) -> Option<TokenStream> {
        let private = &self.private;
        self.guarded.attr.effect.map(|effect| {
            let variant = match effect {
                Effect::Read => quote!(Read),
                Effect::Mutating => quote!(Mutating),
                Effect::Destructive => quote!(Destructive),
                Effect::Admin => quote!(Admin),
            };
            quote_spanned!(Span::mixed_site()=> #private::Effect::#variant)
        })
    }

    /// Returns the scopes that the user set.
    pub(crate) fn scopes(&self) -> &[LitStr] {
        self.guarded.attr.scopes.as_deref().unwrap_or_default()
    }

    /// Returns whether anything of the call is captured.
    pub(crate) fn captures(&self) -> bool {
        let Input { fields, generics, .. } = &self.guarded.input;
        !fields.is_empty() || !generics.is_empty()
    }

    /// Returns whether what was checked is compared with what is about to run: an argument may change meanwhile,
    /// and what a function is generic over cannot.
    pub(crate) fn compares(&self) -> bool {
        !self.guarded.input.fields.is_empty()
    }

    fn on_elevation(&self) -> Option<TokenStream> {
        let Attr { on_elevation, wait, .. } = &self.guarded.attr;
        let private = &self.private;
        (*on_elevation == Some(OnElevation::Wait)).then(|| {
            let seconds = wait.as_ref().map_or(DEFAULT_WAIT_SECONDS, |wait| wait.seconds);
            quote_spanned! {Span::mixed_site()=>
                .on_elevation(#private::OnElevation::Wait(
                    ::core::time::Duration::from_secs(#seconds)
                ))
            }
        })
    }

    /// Returns the tool's name: a literal as it is, a constant expression checked while the program is built.
    fn tool(&self) -> TokenStream {
        self.tool_name(&quote_spanned! {Span::mixed_site()=>
            const _: () = ::core::assert!(!AGENTTRUST_TOOL.is_empty(), "the name of a tool is empty");
        })
    }

    /// Returns the tool's name, as an expression that is constant; `check` may speak of it as `AGENTTRUST_TOOL`.
    pub(crate) fn tool_name(&self, check: &TokenStream) -> TokenStream {
        match &self.guarded.attr.tool {
            None => {
                let ident = &self.guarded.function.sig.ident;
                LitStr::new(&ident.unraw().to_string(), ident.span()).into_token_stream()
            }
            Some(Expr::Lit(literal)) if matches!(literal.lit, Lit::Str(_)) => {
                literal.into_token_stream()
            }
            Some(tool) => {
                let place = Span::mixed_site().located_at(tool.span());
                quote_spanned! {place=>
                    {
                        const AGENTTRUST_TOOL: &'static ::core::primitive::str = #tool;
                        #check
                        AGENTTRUST_TOOL
                    }
                }
            }
        }
    }

    // before:
    //     path: &str, T
    // after:
    //     {
    //         use the traits of the probes;
    //         let mut capture = InputCapture::new();
    //         capture.add("path", (&&&CaptureProbe(&path)).agenttrust_capture());
    //         capture.add_type("<T>", type_name::<T>());
    //         capture
    //     }
    pub(crate) fn capture(&self, demanding: bool) -> TokenStream {
        let private = &self.private;
        let Input { fields, generics, .. } = &self.guarded.input;
        let adds = fields.iter().map(|field| self.add(field, demanding));
        let generics = generics.iter().map(|generic| self.add_generic(generic));
        quote_spanned! {Span::mixed_site()=>
            {
                #[allow(unused_imports)]
                use #private::{
                    CaptureExtractor as _, CaptureOpaque as _, CaptureSerialize as _,
                    OriginCaller as _, OriginFramework as _
                };
                #[allow(unused_mut)]
                let mut agenttrust_capture = #private::InputCapture::new();
                #(#adds)*
                #(#generics)*
                agenttrust_capture
            }
        }
    }

    fn add_generic(&self, generic: &Generic) -> TokenStream {
        let private = &self.private;
        match generic {
            Generic::Type(ident) => {
                let name = format!("<{}>", ident.unraw());
                quote_spanned! {Span::mixed_site()=>
                    #private::InputCapture::add_type(&mut agenttrust_capture, #name, ::core::any::type_name::<#ident>());
                }
            }
            Generic::SelfType => quote_spanned! {Span::mixed_site()=>
                #private::InputCapture::add_type(
                    &mut agenttrust_capture, "<Self>", ::core::any::type_name::<Self>()
                );
            },
            Generic::TypeOf(ident) => {
                let name = format!("<{}>", ident.unraw());
                quote_spanned! {Span::mixed_site()=>
                    #private::InputCapture::add_type(
                        &mut agenttrust_capture, #name, ::core::any::type_name_of_val(&#ident)
                    );
                }
            }
            Generic::Const(ident) => {
                let name = format!("<{}>", ident.unraw());
                quote_spanned! {Span::mixed_site()=>
                    #private::InputCapture::add(&mut agenttrust_capture, #name, (&&&#private::CaptureProbe(&#ident)).agenttrust_capture());
                }
            }
        }
    }

    // before:
    //     State(db): State<Db>
    // after:
    //     {
    //         must be captured (only where it must);
    //         let handed_in = (&OriginProbe::<State<Db>>::new()).agenttrust_origin().is_handed_in();
    //         capture.add("db", if handed_in { None } else { (&&&CaptureProbe(&db)).agenttrust_capture() });
    //     }
    fn add(&self, field: &Field, demanding: bool) -> TokenStream {
        let private = &self.private;
        let Field { ident, name, ty, cfgs, parameter, demand } = field;
        let known = demand.is_some() && ty.as_ref().is_some_and(serializes);
        let extractor = ty.as_ref().is_some_and(|ty| args::extractor(ty).is_some());
        let mut value = if known {
            // There, should another type bear the name of one that is known.
            let place = Span::mixed_site().located_at(ident.span());
            let exact = quote_spanned!(place=> #private::exact(&#ident));
            quote_spanned!(Span::mixed_site()=> ::core::option::Option::Some(#exact))
        } else {
            let deref = (extractor && demand.is_none())
                .then(|| quote_spanned!(Span::mixed_site()=> use #private::CaptureDeref as _;));
            let capture = quote_spanned! {Span::mixed_site()=>
                (&&&#private::CaptureProbe(&#ident)).agenttrust_capture()
            };
            deref.map_or(capture.clone(), |deref| quote!({ #deref #capture }))
        };
        if let Some(ty) = parameter {
            // What the compiler knows to be handed in is an error already; the rest is known by its path.
            let handed_in = match demand {
                Some(_) => quote_spanned!(Span::mixed_site()=> #private::handed_in()),
                None => quote_spanned!(Span::mixed_site()=> ::core::option::Option::None),
            };
            value = quote_spanned! {Span::mixed_site()=>
                if (&#private::OriginProbe::<#ty>::new()).agenttrust_origin().is_handed_in() {
                    #handed_in
                } else {
                    #value
                }
            };
        }
        let demand = demand.filter(|_| demanding).map(|demand| self.demand(field, demand, known));
        let unused = allow_underscore(ident);
        quote_spanned! {Span::mixed_site()=>
            #(#cfgs)* #unused
            {
                #demand
                #private::InputCapture::add(&mut agenttrust_capture, #name, #value);
            }
        }
    }

    // before:
    //     State(db): State<Db>
    // after:
    //     let origin = (&OriginProbe::<State<Db>>::new()).agenttrust_origin();
    //     { origin must be a caller }
    //     { origin.asked_for(&db) must be `Serialize` }
    fn demand(&self, field: &Field, demand: Demand, known: bool) -> TokenStream {
        let private = &self.private;
        let Field { ident, parameter, .. } = field;
        let place = Span::mixed_site().located_at(ident.span());
        let value = quote_spanned!(place=> &#ident);
        let (Some(ty), Demand::Approval(effect)) = (parameter, demand) else {
            return if known { TokenStream::new() } else { self.serialize(field, demand, &value) };
        };
        // Not in the block of a trait of ours, whose name might be that of the type.
        let origin = quote_spanned! {Span::mixed_site()=>
            let agenttrust_origin = (&#private::OriginProbe::<#ty>::new()).agenttrust_origin();
        };
        let asked_for = self.asked_for(field, effect);
        let value = quote_spanned!(place=> agenttrust_origin.asked_for(#value));
        let serialize = (!known).then(|| self.serialize(field, demand, &value));
        quote!(#origin #asked_for #serialize)
    }

    /// Checks that no framework hands it in, in words of ours.
    fn asked_for(&self, field: &Field, effect: Effect) -> TokenStream {
        let private = &self.private;
        let Field { ident, name, .. } = field;
        let message = format!(
            "`{name}` is handed in by a framework beside the input, and an approval for \
             `effect = \"{}\"` binds every argument",
            effect.as_str()
        );
        let label =
            format!("add `skip({name})` to leave it out; named in `input(..)` it is captured");
        let place = Span::mixed_site().located_at(ident.span());
        let origin = quote_spanned!(place=> agenttrust_origin);
        quote_spanned! {Span::mixed_site()=>
            {
                #[diagnostic::on_unimplemented(message = #message, label = #label)]
                trait AskedFor {}
                impl AskedFor for #private::FromCaller {}
                fn agenttrust_must_be_asked_for<T: AskedFor>(_: T) {}
                agenttrust_must_be_asked_for(#origin);
            }
        }
    }

    // A trait of its own for every argument, because only the trait's attribute can put the name of
    // the argument into the compiler's message.
    fn serialize(&self, field: &Field, demand: Demand, value: &TokenStream) -> TokenStream {
        let private = &self.private;
        let Field { name, ty, .. } = field;
        let (message, mut label) = match demand {
            Demand::Approval(effect) => (
                format!(
                    "`{name}` cannot be captured, and an approval for `effect = \"{}\"` binds every \
                     argument",
                    effect.as_str()
                ),
                format!(
                    "add `skip({name})` to leave it out, or implement `Serialize` for `{{Self}}`"
                ),
            ),
            Demand::Named => (
                format!("`{name}` is named in `input(..)` and cannot be captured"),
                "remove it from `input(..)`, or implement `Serialize` for `{Self}`".to_owned(),
            ),
        };
        if let Some((extractor, _)) = ty.as_ref().and_then(args::extractor) {
            label = format!(
                "write `{extractor}({name}): {extractor}<..>` to capture what is inside of it, if that \
                 is `Serialize`, or add `skip({name})`"
            );
        }
        quote_spanned! {Span::mixed_site()=>
            {
                #[diagnostic::on_unimplemented(message = #message, label = #label)]
                trait Serialize {}
                #[diagnostic::do_not_recommend]
                impl<T: #private::Serialize + ?::core::marker::Sized> Serialize for T {}
                fn agenttrust_must_be_captured<T: Serialize + ?::core::marker::Sized>(_: &T) {}
                agenttrust_must_be_captured(#value);
            }
        }
    }
}
