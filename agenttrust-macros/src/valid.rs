//! Second stage: what the keys mean together and for this function. Pure: it reads, and reports.
//!
//! The rule behind the rules: a function that is accepted runs wholly behind the check. What cannot
//! is an error that says why, and what to write instead.

use proc_macro2::Span;
use quote::ToTokens as _;
use syn::spanned::Spanned as _;
use syn::visit::{self, Visit};
use syn::{Expr, ExprLit, Ident, Lit, LitStr, Signature, Type};

use crate::args::{self, Argument};
use crate::attr::{Attr, OnElevation};
use crate::ctxt::Ctxt;
use crate::function::{Body, Function};
use crate::input::Input;
use crate::mention::{find_word, uses};
use crate::shape::{self, Returns};
use crate::tool_attr::ToolAttr;

/// A guarded function with everything that the expansion needs to know, and nothing left to decide.
pub(crate) struct Guarded {
    pub(crate) attr: Attr,
    pub(crate) function: Function,
    pub(crate) body: Body,
    pub(crate) arguments: Vec<Argument>,
    pub(crate) input: Input,
    pub(crate) returns: Returns,
    /// The parameters that the guarded `impl` block around the function is generic over; `None` outside of one.
    pub(crate) outer_generics: Option<Vec<Ident>>,
}

/// Applies every rule; what comes back may be expanded only if `ctxt` stayed without errors.
///
/// `block` is what the guarded `impl` block around the function is generic over, if there is one.
pub(crate) fn validate(
    ctxt: &Ctxt,
    mut attr: Attr,
    mut function: Function,
    block: Option<&[Ident]>,
) -> Option<Guarded> {
    let neighbour = ToolAttr::from_attributes(&function.attrs);
    attr.effect = attr.effect.or(neighbour.effect(ctxt, attr.effect));
    attr.tool = attr.tool.or_else(|| neighbour.name.map(string));
    let returns = Returns::from_signature(&function.sig);
    let arguments = args::arguments(&function.sig);
    let input = Input::plan(ctxt, &attr, &function.sig, &arguments, block);
    wait_needs_on_elevation(ctxt, &attr);
    tool_is_a_fixed_name(ctxt, &attr, &function.sig, &arguments, block.unwrap_or_default());
    function_can_be_wrapped(ctxt, &function);
    output_can_carry_a_denial(ctxt, &attr, &function.sig, &returns, block.is_some());
    future_can_hold_the_arguments(ctxt, &function.sig, &returns);
    let body = function.body.take();
    if body.is_none() {
        ctxt.error(
            function.sig.ident.span(),
            "a function without a body has nothing to guard: put `#[guarded]` on each \
             implementation, or give the method a default body",
        );
    }
    let outer_generics = block.map(<[Ident]>::to_vec);
    Some(Guarded { attr, function, body: body?, arguments, input, returns, outer_generics })
}

fn string(text: LitStr) -> Expr {
    Expr::Lit(ExprLit { attrs: Vec::new(), lit: Lit::Str(text) })
}

fn wait_needs_on_elevation(ctxt: &Ctxt, attr: &Attr) {
    let Some(wait) = &attr.wait else { return };
    if attr.on_elevation != Some(OnElevation::Wait) {
        ctxt.error(
            wait.key,
            "`wait` says how long to wait for an approval, and nothing waits here: add \
             `on_elevation = \"wait\"`, or remove `wait`",
        );
    }
}

fn tool_is_a_fixed_name(
    ctxt: &Ctxt,
    attr: &Attr,
    sig: &Signature,
    arguments: &[Argument],
    of_block: &[Ident],
) {
    let Some(tool) = &attr.tool else { return };
    if let Expr::Lit(literal) = tool {
        match &literal.lit {
            Lit::Str(name) if name.value().trim().is_empty() => ctxt.error(
                name.span(),
                "the name of a tool is empty: name it, or remove `tool` to use the function's name",
            ),
            Lit::Str(name) if name.value().contains(char::is_control) => ctxt.error(
                name.span(),
                "the name of a tool holds a control character: write it in printable characters",
            ),
            Lit::Str(_) => {}
            other => ctxt.error(
                other.span(),
                "`tool` takes the name of the tool as a string: write `tool = \"db_delete\"`",
            ),
        }
        return;
    }
    if let Some((span, what)) = made_at_run_time(tool, sig, arguments, of_block) {
        ctxt.error(
            span,
            format!(
                "the name of a tool is fixed when the program is built, and {what}: write a string \
                 or a `const`, and use `guard.run(Action::new(name), ..)` for a name made at run time"
            ),
        );
    }
}

/// Returns what of the expression is there only at run time, or for one caller only, and where it is.
fn made_at_run_time(
    tool: &Expr,
    sig: &Signature,
    arguments: &[Argument],
    of_block: &[Ident],
) -> Option<(Span, String)> {
    let params = args::generics(&sig.generics);
    let is_open = |word: &Ident| {
        word == "self" || word == "Self" || params.contains(word) || of_block.contains(word)
    };
    let tokens = tool.to_token_stream();
    if let Some(word) = find_word(tokens.clone(), &is_open) {
        return Some((tool.span(), format!("`{word}` is not")));
    }
    let mut names = arguments.iter().flat_map(|argument| &argument.bindings);
    // What a macro is given is its own affair: `concat!("http/GET/files/", "{path}")` is constant.
    let is_macro = matches!(tool, Expr::Macro(_));
    if let Some(name) = names.find(|binding| !is_macro && uses(&tokens, &binding.ident)) {
        return Some((tool.span(), format!("`{}` is an argument of each call", name.name())));
    }
    let mut running = Running(None);
    running.visit_expr(tool);
    running.0
}

/// Looks for what is surely run, or may be: of a call the compiler would say that it is not constant, and not
/// what to do about it.
struct Running(Option<(Span, String)>);

impl<'ast> Visit<'ast> for Running {
    fn visit_expr(&mut self, expr: &'ast Expr) {
        let what = match expr {
            // Says itself that it is constant, and the compiler checks that.
            Expr::Const(_) => return,
            Expr::Macro(call)
                if call.mac.path.segments.last().is_some_and(|it| it.ident == "format") =>
            {
                "`format!` makes one at run time (`concat!` joins constants)"
            }
            Expr::Call(_) | Expr::MethodCall(_) => {
                "a call is made at run time (one of a `const fn` goes into `const { .. }`)"
            }
            Expr::Async(_) | Expr::Await(_) | Expr::Closure(_) | Expr::Try(_) => "this is run",
            _ => return visit::visit_expr(self, expr),
        };
        self.0.get_or_insert_with(|| (expr.span(), what.to_owned()));
    }
}

fn function_can_be_wrapped(ctxt: &Ctxt, function: &Function) {
    let sig = &function.sig;
    if let Some(constness) = &sig.constness {
        ctxt.error(
            constness.span,
            "a `const fn` can run while the program is being built, when no Guardian can be asked: \
             remove `const`",
        );
    }
    if let Some(span) = args::find_attribute(&function.attrs, "track_caller") {
        ctxt.error(
            span,
            "`#[track_caller]` would name a place inside `#[guarded]` instead of the caller: remove \
             it, or take a `&'static Location<'static>` as an argument",
        );
    }
    if let Some(span) = args::find_attribute(&function.attrs, "guarded") {
        ctxt.error(
            span,
            "the function is guarded twice, and every call would be checked and reported twice: \
             merge the two attributes into one",
        );
    }
    if let Some(variadic) = &sig.variadic {
        ctxt.error(
            variadic.span(),
            "C-variadic arguments cannot be captured: take a slice instead",
        );
    }
}

fn output_can_carry_a_denial(
    ctxt: &Ctxt,
    attr: &Attr,
    sig: &Signature,
    returns: &Returns,
    in_block: bool,
) {
    let span = returns.output_span(sig);
    let leave_out = if in_block {
        "; a method that is no tool is left out with `#[guarded(skip)]`"
    } else {
        ""
    };
    if let Some(Expr::Lit(literal)) = &attr.on_denied {
        ctxt.error(
            literal.span(),
            "`on_denied` makes the output from the denial: write `on_denied = |error| ..`",
        );
    }
    let Some(output) = &returns.output else {
        if attr.on_denied.is_none() {
            ctxt.error(
                span,
                format!(
                    "a function that returns nothing cannot tell its caller that the call was not \
                     allowed: return `Result<(), AgentTrustError>`, or say what to do with \
                     `on_denied = |error| ..`{leave_out}"
                ),
            );
        }
        return;
    };
    if in_block && attr.on_denied.is_none() && is_bare_self(output) {
        ctxt.error(
            span,
            format!(
                "`Self` cannot carry a denial: return `Result<Self, AgentTrustError>`, or say what to \
                 do with `on_denied = |error| ..`{leave_out}"
            ),
        );
    }
    if matches!(shape::peel(output), Type::Never(_)) {
        ctxt.error(
            span,
            "a function that never returns cannot carry a denial: return a `Result`, and diverge in \
             its caller",
        );
    }
    if let Some(span) = shape::future_inside(output) {
        ctxt.error(
            span,
            "the future inside this return type would run after the call was reported: make the \
             function `async`, or return `Pin<Box<dyn Future<Output = ..> + Send + '_>>` or \
             `impl Future<Output = ..>`",
        );
    }
}

/// Returns whether this is `Self` or a reference to it: what a constructor or a builder's step returns.
fn is_bare_self(ty: &Type) -> bool {
    match shape::peel(ty) {
        Type::Reference(ty) => is_bare_self(&ty.elem),
        Type::Path(ty) => ty.path.is_ident("Self"),
        _ => false,
    }
}

fn future_can_hold_the_arguments(ctxt: &Ctxt, sig: &Signature, returns: &Returns) {
    if !returns.is_static {
        return;
    }
    if let Some(span) = shape::borrowed(sig) {
        ctxt.error(
            span,
            "the whole body runs inside the returned future, which is `'static` and cannot borrow: \
             take an owned value here (`self: Arc<Self>` for `&self`), or give the future a \
             lifetime (`+ '_`)",
        );
    }
}
