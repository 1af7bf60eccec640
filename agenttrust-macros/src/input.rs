//! Second stage: which arguments are the input that is checked, digested, and bound by an approval.

use syn::ext::IdentExt as _;
use syn::visit::Visit;
use syn::{Attribute, GenericParam, Ident, Receiver, Signature, Type, TypeImplTrait};

use crate::args::{self, Argument, Binding};
use crate::attr::{Attr, Effect, Names};
use crate::ctxt::Ctxt;
use crate::known::serializes;
use crate::shape::peel;
use crate::suggest::did_you_mean;

/// The input that one call is checked with. With `skip_all` it is empty, and the call is checked by its name alone.
#[derive(Default)]
pub(crate) struct Input {
    /// The captured arguments, in the order of the parameters.
    pub(crate) fields: Vec<Field>,
    /// The parameters that the function is generic over.
    pub(crate) generics: Vec<Generic>,
}

/// A type or a constant that the caller chooses: `drop_table::<Users>()` is another call than
/// `drop_table::<Drafts>()`.
pub(crate) enum Generic {
    Type(Ident),
    Const(Ident),
    /// The parameters that the `impl` block or the trait around a method is generic over.
    SelfType,
    /// The type that is behind an `impl Trait`, by the value.
    TypeOf(Ident),
}

/// A captured argument.
pub(crate) struct Field {
    pub(crate) ident: Ident,
    pub(crate) name: String,
    /// The type, where the pattern lets it be known.
    pub(crate) ty: Option<Type>,
    pub(crate) cfgs: Vec<Attribute>,
    /// The type of the whole parameter, where a framework may be who hands it in.
    pub(crate) parameter: Option<Type>,
    /// The reason why the argument must be `Serialize`; `None` = it is left out when it is not.
    pub(crate) demand: Option<Demand>,
}

/// The reason why an argument has to be captured.
#[derive(Clone, Copy)]
pub(crate) enum Demand {
    /// An approval for this effect binds every argument.
    Approval(Effect),
    /// The user named it in `input(..)`.
    Named,
}

impl Input {
    /// Decides for every argument; an argument that nothing decides for is an error in `ctxt`.
    /// `block` is what the guarded `impl` block around the function is generic over, if there is one.
    pub(crate) fn plan(
        ctxt: &Ctxt,
        attr: &Attr,
        sig: &Signature,
        arguments: &[Argument],
        block: Option<&[Ident]>,
    ) -> Self {
        names_exist(ctxt, "skip", attr.skip.as_ref(), arguments);
        names_exist(ctxt, "input", attr.input.as_ref(), arguments);
        keys_agree(ctxt, attr);
        let strict = attr.effect.filter(|effect| effect.binds_every_argument());
        self_is_decided(ctxt, attr, strict, sig.receiver());
        if let Some(span) = attr.skip_all {
            if let Some(effect) = strict {
                let instead = if arguments.iter().any(|argument| !argument.bindings.is_empty()) {
                    format!("name them, {}", skip_of(arguments))
                } else {
                    "remove it".to_owned()
                };
                let message = format!(
                    "`skip_all` would also leave out what is added later, and an approval for \
                     `effect = \"{}\"` binds every argument: {instead}",
                    effect.as_str(),
                );
                ctxt.error(span, message);
            }
            return Self::default();
        }
        let choice = Choice { ctxt, attr, strict };
        let fields = arguments.iter().flat_map(|argument| choice.fields(argument)).collect();
        // `input(..)` on the weaker effects is all that is captured.
        let chosen = attr.input.is_some() && strict.is_none();
        let mut generics = if chosen { Vec::new() } else { generics(sig) };
        if strict.is_some() {
            generics.extend(self_type_may_vary(sig, block).then_some(Generic::SelfType));
            let opaque = bindings(arguments).filter(|binding| is_opaque(binding));
            generics.extend(opaque.map(|binding| Generic::TypeOf(binding.ident.clone())));
        }
        Self { fields, generics }
    }
}

struct Choice<'a> {
    ctxt: &'a Ctxt,
    attr: &'a Attr,
    strict: Option<Effect>,
}

impl Choice<'_> {
    fn fields(&self, argument: &Argument) -> Vec<Field> {
        if let (Some(span), Some(effect)) = (argument.opaque, self.strict) {
            self.ctxt.error(
                span,
                format!(
                    "the names that this pattern binds cannot be seen, and an approval for \
                     `effect = \"{}\"` binds every argument: take the argument by a name and \
                     destructure it in the body",
                    effect.as_str()
                ),
            );
        }
        argument.bindings.iter().filter_map(|binding| self.field(argument, binding)).collect()
    }

    fn field(&self, argument: &Argument, binding: &Binding) -> Option<Field> {
        let lists = |names: &Option<Names>| {
            names.as_ref().is_some_and(|names| names.contains(&binding.ident))
        };
        if lists(&self.attr.skip) {
            return None;
        }
        let named = lists(&self.attr.input);
        if self.attr.input.is_some() && !named {
            self.undecided(binding);
            return None;
        }
        let demand = match self.strict {
            // Who names an argument has it, whatever it is.
            _ if named => Some(Demand::Named),
            strict => strict.map(Demand::Approval),
        };
        Some(Field {
            ident: binding.ident.clone(),
            name: binding.name(),
            ty: binding.ty.clone(),
            cfgs: binding.cfgs.clone(),
            parameter: may_be_handed_in(&argument.ty).filter(|_| !named).cloned(),
            demand,
        })
    }

    fn undecided(&self, binding: &Binding) {
        let Some(effect) = self.strict else { return };
        let name = binding.name();
        self.ctxt.error(
            binding.ident.span(),
            format!(
                "`{name}` is neither in `input(..)` nor in `skip(..)`, and an approval for \
                 `effect = \"{}\"` binds every argument: add it to `input(..)`, or add `skip({name})`",
                effect.as_str()
            ),
        );
    }
}

/// Returns the type, unless it is known to be one of the language, or can be written nowhere but in a signature.
fn may_be_handed_in(ty: &Type) -> Option<&Type> {
    struct Find(bool);
    impl<'ast> Visit<'ast> for Find {
        fn visit_type_impl_trait(&mut self, _: &'ast TypeImplTrait) {
            self.0 = true;
        }
    }
    let mut opaque = Find(false);
    opaque.visit_type(ty);
    (!opaque.0 && !serializes(ty)).then_some(ty)
}

/// Returns whether one method may be called on several types: one of a generic block, of a trait, or of a block
/// that cannot be seen.
fn self_type_may_vary(sig: &Signature, block: Option<&[Ident]>) -> bool {
    match block {
        Some(generics) => !generics.is_empty(),
        None => args::speaks_of_self(sig),
    }
}

fn is_opaque(binding: &Binding) -> bool {
    binding.ty.as_ref().is_some_and(|ty| matches!(peel(ty), Type::ImplTrait(_)))
}

fn generics(sig: &Signature) -> Vec<Generic> {
    let generic = |param: &GenericParam| match param {
        GenericParam::Type(param) => Some(Generic::Type(param.ident.clone())),
        GenericParam::Const(param) => Some(Generic::Const(param.ident.clone())),
        GenericParam::Lifetime(_) => None,
    };
    sig.generics.params.iter().filter_map(generic).collect()
}

/// Refuses a `self` that is not skipped by name where an approval binds every argument, since `self` is never
/// captured.
fn self_is_decided(ctxt: &Ctxt, attr: &Attr, strict: Option<Effect>, receiver: Option<&Receiver>) {
    let named = attr.skip.iter().flat_map(|names| &names.idents).find(|name| *name == "self");
    match (strict, receiver, named) {
        (_, None, Some(name)) => {
            ctxt.error(name.span(), "`skip(self)` names nothing: the function takes no `self`");
        }
        (None, Some(_), Some(name)) => ctxt.error(
            name.span(),
            "`self` is never captured, so `skip(self)` does nothing here: remove it",
        ),
        (Some(effect), Some(receiver), None) => ctxt.error(
            receiver.self_token.span,
            format!(
                "`self` is never captured, and an approval for `effect = \"{}\"` binds every \
                 argument: add `skip(self)`, and take what tells one `self` from another as an \
                 argument",
                effect.as_str()
            ),
        ),
        (_, None, None) | (None, Some(_), None) | (Some(_), Some(_), Some(_)) => {}
    }
}

fn keys_agree(ctxt: &Ctxt, attr: &Attr) {
    if let (Some(span), Some(_)) = (attr.skip_all, &attr.input) {
        ctxt.error(span, "`skip_all` contradicts `input(..)`: remove one of the two");
    }
    if let (Some(span), Some(_)) = (attr.skip_all, &attr.skip) {
        ctxt.error(
            span,
            "`skip_all` leaves nothing for `skip(..)` to leave out: remove one of the two",
        );
    }
    let (Some(input), Some(skip)) = (&attr.input, &attr.skip) else { return };
    let both: Vec<_> = skip.idents.iter().filter(|name| input.contains(name)).collect();
    for name in &both {
        ctxt.error(
            name.span(),
            format!("`{name}` is in `input(..)` and in `skip(..)`: remove it from one of the two"),
        );
    }
    let strict = attr.effect.is_some_and(Effect::binds_every_argument);
    if both.is_empty() && !strict {
        ctxt.error(
            skip.key,
            "`input(..)` already names all that is captured, so `skip(..)` does nothing here: \
             remove it",
        );
    }
}

fn names_exist(ctxt: &Ctxt, key: &str, names: Option<&Names>, arguments: &[Argument]) {
    let known: Vec<String> = bindings(arguments).map(Binding::name).collect();
    for ident in names.iter().flat_map(|names| &names.idents) {
        let name = ident.unraw().to_string();
        if known.iter().filter(|known| **known == name).count() > 1 {
            ctxt.error(
                ident.span(),
                format!(
                    "`{key}({name})` names two arguments, which a macro gave one name: give them two"
                ),
            );
        }
        if known.contains(&name) || ident == "self" {
            continue;
        }
        let nearest = did_you_mean(&name, known.iter().map(String::as_str));
        let problem = if known.is_empty() {
            "the function has no arguments to name".to_owned()
        } else {
            format!("no argument is called `{name}`{nearest}")
        };
        ctxt.error(ident.span(), format!("`{key}({name})` names nothing: {problem}"));
    }
}

fn bindings(arguments: &[Argument]) -> impl Iterator<Item = &Binding> {
    arguments.iter().flat_map(|argument| &argument.bindings)
}

fn skip_of(arguments: &[Argument]) -> String {
    let names: Vec<_> = bindings(arguments).map(Binding::name).collect();
    format!("`skip({})`", names.join(", "))
}
