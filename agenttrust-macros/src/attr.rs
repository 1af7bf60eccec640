//! First stage: the keys between the parentheses of `#[guarded(..)]`, each at most once.
//!
//! Only what can be said of a key by itself is said here; what keys mean together, and for the
//! function below them, is `valid.rs`.

use proc_macro2::{Span, TokenStream, TokenTree};
use syn::ext::IdentExt as _;
use syn::parse::{Parse, ParseStream, Parser as _};
use syn::punctuated::Punctuated;
use syn::{Error, Expr, Ident, LitStr, Path, Result, Token, token};

use crate::ctxt::Ctxt;
use crate::duration;
use crate::suggest::did_you_mean;

/// The keys as the user set them.
#[derive(Clone, Default)]
pub(crate) struct Attr {
    pub(crate) effect: Option<Effect>,
    pub(crate) tool: Option<Expr>,
    pub(crate) guard: Option<Expr>,
    pub(crate) skip: Option<Names>,
    pub(crate) skip_all: Option<Span>,
    pub(crate) input: Option<Names>,
    pub(crate) scopes: Option<Vec<LitStr>>,
    pub(crate) on_elevation: Option<OnElevation>,
    pub(crate) wait: Option<Wait>,
    pub(crate) on_denied: Option<Expr>,
    pub(crate) krate: Option<Path>,
}

/// The effect of a tool, from the weakest to the strongest.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Effect {
    Read,
    Mutating,
    Destructive,
    Admin,
}

/// The answer to a call whose approval is pending.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum OnElevation {
    Fail,
    Wait,
}

/// `wait = "5m"`.
#[derive(Clone, Copy)]
pub(crate) struct Wait {
    pub(crate) key: Span,
    pub(crate) seconds: u64,
}

/// `skip(a, b)` or `input(a, b)`.
#[derive(Clone)]
pub(crate) struct Names {
    pub(crate) key: Span,
    pub(crate) idents: Vec<Ident>,
}

impl Names {
    /// Returns whether `name` is in the list, raw or not.
    pub(crate) fn contains(&self, name: &Ident) -> bool {
        self.idents.iter().any(|ident| ident.unraw() == name.unraw())
    }
}

impl Effect {
    const NAMES: [(&'static str, Self); 4] = [
        ("read", Self::Read),
        ("mutating", Self::Mutating),
        ("destructive", Self::Destructive),
        ("admin", Self::Admin),
    ];

    fn from_literal(literal: &LitStr) -> Result<Self> {
        let text = literal.value();
        if let Some((_, effect)) = Self::NAMES.iter().find(|(name, _)| *name == text) {
            return Ok(*effect);
        }
        let nearest = if text == "write" {
            "; did you mean `mutating`?".to_owned()
        } else {
            did_you_mean(&text, Self::NAMES.map(|(name, _)| name))
        };
        Err(Error::new(
            literal.span(),
            format!(
                "unknown effect `{text}`: expected `read`, `mutating`, `destructive` or \
                 `admin`{nearest}"
            ),
        ))
    }

    /// Returns the word the user writes.
    pub(crate) fn as_str(self) -> &'static str {
        Self::NAMES.iter().find(|(_, effect)| *effect == self).map_or("", |(name, _)| name)
    }

    /// Returns whether an approval for this effect must bind every argument.
    pub(crate) fn binds_every_argument(self) -> bool {
        matches!(self, Self::Destructive | Self::Admin)
    }
}

pub(crate) struct Key {
    pub(crate) name: &'static str,
    usage: &'static str,
}

pub(crate) const KEYS: [Key; 11] = [
    Key { name: "effect", usage: "effect = \"read\"" },
    Key { name: "tool", usage: "tool = \"db_delete\"" },
    Key { name: "guard", usage: "guard = self.guard" },
    Key { name: "skip", usage: "skip(db)" },
    Key { name: "skip_all", usage: "skip_all" },
    Key { name: "input", usage: "input(path)" },
    Key { name: "scopes", usage: "scopes(\"db:write\")" },
    Key { name: "on_elevation", usage: "on_elevation = \"wait\"" },
    Key { name: "wait", usage: "wait = \"5m\"" },
    Key { name: "on_denied", usage: "on_denied = |error| Reply::refused(error)" },
    Key { name: "crate", usage: "crate = my_crate::agenttrust" },
];

impl Attr {
    /// Reads every key it can; what it cannot read is an error in `ctxt`.
    pub(crate) fn parse(ctxt: &Ctxt, tokens: TokenStream) -> Self {
        let mut attr = Self::default();
        let keys = |input: ParseStream<'_>| attr.parse_keys(ctxt, input);
        if let Err(error) = keys.parse2(tokens) {
            ctxt.push(error);
        }
        attr
    }

    fn parse_keys(&mut self, ctxt: &Ctxt, input: ParseStream<'_>) -> Result<()> {
        let mut seen: Vec<&'static str> = Vec::new();
        while !input.is_empty() {
            if let Err(error) = self.parse_key(&mut seen, input) {
                ctxt.push(error);
                skip_to_comma(input)?;
            } else if !input.is_empty() && !input.peek(Token![,]) {
                ctxt.error(input.span(), "expected `,` before the next key");
                skip_to_comma(input)?;
            }
            input.parse::<Option<Token![,]>>()?;
        }
        Ok(())
    }

    fn parse_key(&mut self, seen: &mut Vec<&'static str>, input: ParseStream<'_>) -> Result<()> {
        let ident = input.call(Ident::parse_any).map_err(|error| {
            Error::new(error.span(), "expected a key, as in `effect = \"read\"`")
        })?;
        let name = ident.to_string();
        let Some(key) = KEYS.iter().find(|key| key.name == name) else {
            let nearest = if name == "name" {
                "; did you mean `tool`?".to_owned()
            } else if Effect::NAMES.iter().any(|(effect, _)| *effect == name) {
                format!("; did you mean `effect = \"{name}\"`?")
            } else {
                did_you_mean(&name, KEYS.iter().map(|key| key.name))
            };
            let known: Vec<_> = KEYS.iter().map(|key| format!("`{}`", key.name)).collect();
            return Err(Error::new(
                ident.span(),
                format!("unknown key `{name}`{nearest} (known keys: {})", known.join(", ")),
            ));
        };
        if seen.contains(&key.name) {
            return Err(Error::new(
                ident.span(),
                format!("duplicate key `{name}`: it is set above, remove one of the two"),
            ));
        }
        seen.push(key.name);
        self.parse_value(key, ident.span(), input)
    }

    fn parse_value(&mut self, key: &Key, span: Span, input: ParseStream<'_>) -> Result<()> {
        match key.name {
            "effect" => self.effect = Some(Effect::from_literal(&string(key, span, input)?)?),
            "tool" => self.tool = Some(expr(key, span, input)?),
            "guard" => self.guard = Some(expr(key, span, input)?),
            "on_denied" => self.on_denied = Some(expr(key, span, input)?),
            "skip" => self.skip = Some(names(key, span, input)?),
            "input" => self.input = Some(names(key, span, input)?),
            "skip_all" => self.skip_all = Some(flag(key, span, input)?),
            "scopes" => self.scopes = Some(scopes(key, span, input)?),
            "on_elevation" => {
                self.on_elevation = Some(on_elevation(&string(key, span, input)?)?);
            }
            "wait" => {
                let literal = string(key, span, input)?;
                let seconds = duration::parse_seconds(&literal.value())
                    .map_err(|message| Error::new(literal.span(), message))?;
                self.wait = Some(Wait { key: span, seconds });
            }
            _ => self.krate = Some(crate_path(key, span, input)?),
        }
        Ok(())
    }
}

/// Leaves the rest of a key that could not be read, so that the next one still is.
fn skip_to_comma(input: ParseStream<'_>) -> Result<()> {
    while !input.is_empty() && !input.peek(Token![,]) {
        input.parse::<TokenTree>()?;
    }
    Ok(())
}

fn usage(span: Span, key: &Key, problem: &str) -> Error {
    Error::new(span, format!("`{}` {problem}: write `{}`", key.name, key.usage))
}

fn equals(key: &Key, span: Span, input: ParseStream<'_>) -> Result<()> {
    if !input.peek(Token![=]) {
        return Err(usage(span, key, "needs a value"));
    }
    input.parse::<Token![=]>()?;
    if input.is_empty() || input.peek(Token![,]) {
        return Err(usage(span, key, "needs a value"));
    }
    Ok(())
}

fn string(key: &Key, span: Span, input: ParseStream<'_>) -> Result<LitStr> {
    equals(key, span, input)?;
    input.parse().map_err(|error| usage(error.span(), key, "takes a string in quotes"))
}

fn expr(key: &Key, span: Span, input: ParseStream<'_>) -> Result<Expr> {
    equals(key, span, input)?;
    Expr::parse(input)
}

fn crate_path(key: &Key, span: Span, input: ParseStream<'_>) -> Result<Path> {
    equals(key, span, input)?;
    if input.peek(LitStr) {
        return Err(usage(input.span(), key, "takes a path without quotes"));
    }
    Path::parse_mod_style(input).map_err(|error| usage(error.span(), key, "takes a path"))
}

fn flag(key: &Key, span: Span, input: ParseStream<'_>) -> Result<Span> {
    if input.is_empty() || input.peek(Token![,]) {
        return Ok(span);
    }
    Err(usage(input.span(), key, "takes no value"))
}

fn list<T: Parse>(key: &Key, span: Span, input: ParseStream<'_>, of: &str) -> Result<Vec<T>> {
    if !input.peek(token::Paren) {
        if key.name == "skip" && input.is_empty() {
            return Err(Error::new(
                span,
                "`skip` takes names of arguments in parentheses: write `skip(db)` (alone, in \
                 `#[guarded(skip)]`, it leaves a method out of a guarded `impl` block)",
            ));
        }
        return Err(usage(span, key, &format!("takes {of} in parentheses")));
    }
    let content;
    syn::parenthesized!(content in input);
    if content.is_empty() {
        return Err(usage(span, key, "is empty, which says nothing"));
    }
    let items = Punctuated::<T, Token![,]>::parse_terminated(&content);
    // What is left unread would be an error of its own.
    content.parse::<TokenStream>()?;
    let items = items.map_err(|error| usage(error.span(), key, &format!("takes {of}")))?;
    Ok(items.into_iter().collect())
}

/// `self` is a keyword, and a person who writes it deserves a better answer than "expected identifier".
struct AnyIdent(Ident);

impl Parse for AnyIdent {
    fn parse(input: ParseStream<'_>) -> Result<Self> {
        input.call(Ident::parse_any).map(Self)
    }
}

fn names(key: &Key, span: Span, input: ParseStream<'_>) -> Result<Names> {
    let mut idents: Vec<Ident> = Vec::new();
    for AnyIdent(ident) in list(key, span, input, "names of arguments")? {
        if ident == "self" && key.name != "skip" {
            return Err(Error::new(
                ident.span(),
                format!("`self` is never captured: remove it from `{}(..)`", key.name),
            ));
        }
        if idents.contains(&ident) {
            return Err(Error::new(ident.span(), format!("`{ident}` is named twice: remove one")));
        }
        idents.push(ident);
    }
    Ok(Names { key: span, idents })
}

fn scopes(key: &Key, span: Span, input: ParseStream<'_>) -> Result<Vec<LitStr>> {
    let mut scopes: Vec<LitStr> = Vec::new();
    for scope in list::<LitStr>(key, span, input, "strings in quotes")? {
        let text = scope.value();
        if text.is_empty()
            || text.contains(|c: char| c.is_whitespace() || c.is_control() || c == ',')
        {
            return Err(usage(
                scope.span(),
                key,
                "takes one scope a string, without spaces and commas",
            ));
        }
        if scopes.iter().any(|known| known.value() == text) {
            return Err(Error::new(scope.span(), format!("`{text}` is named twice: remove one")));
        }
        scopes.push(scope);
    }
    Ok(scopes)
}

fn on_elevation(literal: &LitStr) -> Result<OnElevation> {
    match literal.value().as_str() {
        "fail" => Ok(OnElevation::Fail),
        "wait" => Ok(OnElevation::Wait),
        other => Err(Error::new(
            literal.span(),
            format!(
                "unknown answer to an elevation `{other}`: expected `fail` or `wait`{}",
                did_you_mean(other, ["fail", "wait"])
            ),
        )),
    }
}
