//! Functions of every shape, with arguments of every form, and what guards them.

use super::body::{Body, Exit, Place};
use super::output::Output;
use super::rng::Rng;
use super::scope::{Kind, Scope};

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Shape {
    Sync,
    Async,
    Boxed,
    ImplFuture,
}

impl Shape {
    /// Returns whether the body returns a future.
    fn is_deferred(self) -> bool {
        matches!(self, Self::Boxed | Self::ImplFuture)
    }
}

/// The `self` of a function, if it has one.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Owner {
    Nobody,
    ByRef,
    ByMut,
    ByValue,
    ByMutValue,
    ByBox,
    TraitDefault,
}

impl Owner {
    fn receiver(self, life: &str) -> Option<String> {
        match self {
            Self::Nobody => None,
            Self::ByRef | Self::TraitDefault => Some(format!("&{life}self")),
            Self::ByMut => Some(format!("&{life}mut self")),
            Self::ByValue => Some("self".to_owned()),
            Self::ByMutValue => Some("mut self".to_owned()),
            Self::ByBox => Some("self: Box<Self>".to_owned()),
        }
    }

    fn kind(self) -> Option<Kind> {
        match self {
            Self::Nobody => None,
            Self::ByRef => Some(Kind::Receiver),
            Self::TraitDefault => Some(Kind::ReceiverTrait),
            Self::ByMut => Some(Kind::ReceiverMut),
            Self::ByValue | Self::ByBox => Some(Kind::ReceiverOwned { mutable: false }),
            Self::ByMutValue => Some(Kind::ReceiverOwned { mutable: true }),
        }
    }

    fn borrows(self) -> bool {
        matches!(self, Self::ByRef | Self::ByMut | Self::TraitDefault)
    }
}

/// A parameter, and the value that it is given.
#[derive(Default)]
struct Argument {
    pattern: String,
    ty: String,
    generic: Option<String>,
    /// The names that the body sees, and whether each is `Serialize`.
    names: Vec<(String, Kind, bool)>,
    /// The statements before the call.
    setup: String,
    pass: String,
    /// A value that is lent and may be changed.
    lent: Option<String>,
    borrows: bool,
}

/// A function, written twice, and called in the same way.
pub(crate) struct Function {
    number: usize,
    shape: Shape,
    owner: Owner,
    output: Output,
    arguments: Vec<Argument>,
    /// References have the lifetime `'a`.
    is_named: bool,
    body: String,
    attribute: String,
}

impl Function {
    pub(crate) fn generate(number: usize, rng: &mut Rng) -> Self {
        use Output::{Borrow, BorrowMut, Int, Maybe, Opaque, Plain, Reply, Text, Unit};
        let shape = rng.pick(&[
            Shape::Sync,
            Shape::Sync,
            Shape::Async,
            Shape::Async,
            Shape::Async,
            Shape::Boxed,
            Shape::ImplFuture,
        ]);
        let output = if shape.is_deferred() {
            rng.pick(&[Int, Int, Int, Text, Unit, Maybe, Plain, Reply])
        } else {
            rng.pick(&[
                Int, Int, Int, Int, Text, Unit, Opaque, Borrow, BorrowMut, Maybe, Plain, Reply,
            ])
        };
        let owner = rng.pick(&[
            Owner::Nobody,
            Owner::Nobody,
            Owner::Nobody,
            Owner::ByRef,
            Owner::ByMut,
            Owner::ByValue,
            Owner::ByMutValue,
            Owner::ByBox,
            Owner::TraitDefault,
        ]);
        let mut scope = Scope::default();
        let arguments = arguments(rng, &mut scope, shape, owner, output);
        let borrows = owner.borrows() || arguments.iter().any(|argument| argument.borrows);
        let is_named = borrows && (shape == Shape::Boxed || matches!(output, Borrow | BorrowMut));
        let attribute = attribute(number, rng, owner, output, &arguments);
        if let Some(kind) = owner.kind() {
            scope.bind("self", kind);
        }
        let body = body(rng, scope, shape, output);
        Self { number, shape, owner, output, arguments, is_named, body, attribute }
    }

    /// Returns the module with both functions and both calls.
    pub(crate) fn module(&self) -> String {
        let Self { number, owner, attribute, .. } = self;
        let (bare, guarded) = (self.function("bare"), self.function("guarded"));
        let guarded = format!("#[guarded({attribute})]\n{guarded}");
        let functions = match owner {
            Owner::Nobody => format!("{bare}\n{guarded}"),
            Owner::TraitDefault => format!(
                "trait Works: Send + Sync {{\nfn base(&self) -> i64;\n{bare}\n{guarded}\n}}\n\
                 impl Works for Tool {{ fn base(&self) -> i64 {{ run_step(3, self.base) }} }}"
            ),
            _ => format!("impl Tool {{\n{bare}\n{guarded}\n}}"),
        };
        let (setup, lent) = (self.setup(), self.lent());
        format!(
            "mod case_{number} {{\nuse super::*;\n{functions}\n{}\n{}\n\
             pub(super) fn lent(i: i64) -> String {{\n{setup}format!(\"{{:?}}\", {lent})\n}}\n}}\n",
            self.call("bare"),
            self.call("guarded"),
        )
    }

    /// Returns the entry in the table of cases.
    pub(crate) fn case(&self) -> String {
        let number = self.number;
        format!(
            "Case {{ name: \"case_{number}, {:?} {:?} {:?}\", \
             bare: |i| Box::pin(case_{number}::call_bare(i)), \
             guarded: |i| Box::pin(case_{number}::call_guarded(i)), lent: case_{number}::lent }},\n",
            self.shape, self.owner, self.output
        )
    }

    fn function(&self, prefix: &str) -> String {
        let Self { number, shape, owner, output, arguments, is_named, body, .. } = self;
        let life = if *is_named { "'a " } else { "" };
        let mut generics: Vec<String> = is_named.then(|| "'a".to_owned()).into_iter().collect();
        let bound = match (shape, is_named) {
            (Shape::Boxed, true) => " + 'a",
            (Shape::Boxed, false) => " + 'static",
            _ => "",
        };
        let mut parameters: Vec<String> = owner.receiver(life).into_iter().collect();
        for Argument { pattern, ty, generic, .. } in arguments {
            let ty = ty.replace("'a ", life).replace("+ 'bound", bound);
            parameters.push(format!("{pattern}: {ty}"));
            generics.extend(generic.iter().map(|generic| generic.replace("+ 'bound", bound)));
        }
        let generics =
            if generics.is_empty() { String::new() } else { format!("<{}>", generics.join(", ")) };
        let (asyncness, ty) = match shape {
            Shape::Sync => ("", output.ty().to_owned()),
            Shape::Async => ("async ", output.ty().to_owned()),
            Shape::Boxed => {
                let end = if *is_named { " + 'a" } else { "" };
                let future = format!("Future<Output = {}> + Send{end}", output.ty());
                ("", format!("Pin<Box<dyn {future}>>"))
            }
            Shape::ImplFuture => ("", format!("impl Future<Output = {}> + Send", output.ty())),
        };
        format!(
            "{asyncness}fn {prefix}_{number}{generics}({}) -> {ty} {{\n{body}\n}}",
            parameters.join(", ")
        )
    }

    fn setup(&self) -> String {
        let mut setup = String::from("let mut tool = Tool::new(i);\n");
        if self.owner == Owner::Nobody {
            setup.clear();
        }
        for argument in &self.arguments {
            setup.push_str(&argument.setup);
        }
        setup
    }

    fn lent(&self) -> String {
        let mut lent = String::from("(");
        if self.owner.borrows() {
            lent.push_str("tool.base, tool.items.clone(), ");
        }
        for argument in self.arguments.iter().filter_map(|argument| argument.lent.as_ref()) {
            lent.push_str(&format!("{argument}.clone(), "));
        }
        lent + ")"
    }

    fn call(&self, prefix: &str) -> String {
        let Self { number, shape, owner, .. } = self;
        let passed: Vec<_> = self.arguments.iter().map(|argument| argument.pass.clone()).collect();
        let receiver = match owner {
            Owner::Nobody => "",
            Owner::ByBox => "Box::new(tool).",
            _ => "tool.",
        };
        let call = format!("{receiver}{prefix}_{number}({})", passed.join(", "));
        let call = match (shape, owner) {
            (Shape::Sync, _) => call,
            (_, Owner::TraitDefault) => format!("{call}.await"),
            _ => format!("sent({call}).await"),
        };
        let (setup, lent) = (self.setup(), self.lent());
        format!(
            "pub(super) async fn call_{prefix}(i: i64) -> Shown {{\n{setup}\
             let shown = Shown::of(&{call});\nshown.lending(&{lent})\n}}"
        )
    }
}

fn arguments(
    rng: &mut Rng,
    scope: &mut Scope,
    shape: Shape,
    owner: Owner,
    output: Output,
) -> Vec<Argument> {
    let count = rng.below(5);
    let mut arguments: Vec<Argument> = (0..count)
        .map(|at| {
            let is_first = at == 0 && owner == Owner::Nobody;
            argument(rng, scope, shape, is_first, 10 + at)
        })
        .collect();
    let lent = |ty: &str, kind: Kind, pass: &str| Argument {
        pattern: "lent".to_owned(),
        ty: ty.to_owned(),
        names: vec![("lent".to_owned(), kind, true)],
        setup: "let mut lent = i.wrapping_add(1);\n".to_owned(),
        pass: pass.to_owned(),
        lent: Some("lent".to_owned()),
        borrows: true,
        ..Argument::default()
    };
    match output {
        Output::Borrow => arguments.push(lent("&'a i64", Kind::IntRef, "&lent")),
        Output::BorrowMut => arguments.push(lent("&'a mut i64", Kind::IntMut, "&mut lent")),
        _ => {}
    }
    for (name, kind, _) in arguments.iter().flat_map(|argument| &argument.names) {
        scope.bind(name, *kind);
    }
    arguments
}

fn argument(
    rng: &mut Rng,
    scope: &mut Scope,
    shape: Shape,
    is_first: bool,
    site: usize,
) -> Argument {
    let given = Given::fresh(rng, scope);
    let is_dropped_last = is_first && !shape.is_deferred();
    match rng.below(23) {
        which @ 0..=9 => given.by_its_name(which),
        which @ 10..=14 => given.taken_apart(which),
        15 if is_dropped_last => given.taken_apart(15),
        // Only where it is dropped last anyway: what no name is bound to never enters the body.
        17 if is_dropped_last => given.nameless(),
        which @ 15..=19 => given.dropped(which, site),
        20 => given.callable(site),
        21 => given.generic(rng),
        _ => given.of_any_length(),
    }
}

/// The names that an argument binds.
struct Given {
    name: String,
    other: String,
    mutable: bool,
}

impl Given {
    fn fresh(rng: &mut Rng, scope: &mut Scope) -> Self {
        let (name, other) = (scope.fresh("given"), scope.fresh("given"));
        Self { name, other, mutable: rng.chance(1, 2) }
    }

    /// Returns how it says whether what it binds may change.
    fn word(&self) -> &'static str {
        if self.mutable { "mut " } else { "" }
    }

    fn owned(&self, pattern: String, ty: &str, kind: Kind, pass: String) -> Argument {
        Argument {
            pattern,
            ty: ty.to_owned(),
            names: vec![(self.name.clone(), kind, true)],
            pass,
            ..Argument::default()
        }
    }

    /// Returns whose type is no JSON.
    fn handle(&self, name: String, ty: &str, kind: Kind, pass: String) -> Argument {
        Argument { names: vec![(name.clone(), kind, false)], ..self.owned(name, ty, kind, pass) }
    }

    fn two(&self, pattern: String, ty: &str, kinds: [Kind; 2], pass: &str) -> Argument {
        Argument {
            names: vec![(self.name.clone(), kinds[0], true), (self.other.clone(), kinds[1], true)],
            ..self.owned(pattern, ty, kinds[0], pass.to_owned())
        }
    }

    fn borrowed(&self, ty: &str, kind: Kind, value: &str) -> Argument {
        let name = &self.name;
        let is_mutable = ty.contains("mut ");
        let lend = if is_mutable { "&mut " } else { "&" };
        Argument {
            setup: format!("let mut {name} = {value};\n"),
            lent: is_mutable.then(|| name.clone()),
            borrows: true,
            ..self.owned(name.clone(), ty, kind, format!("{lend}{name}"))
        }
    }

    /// Returns a value or a reference that has one name.
    fn by_its_name(&self, which: usize) -> Argument {
        let Self { name, mutable, .. } = self;
        let mutable = *mutable;
        let maybe_mut = format!("{}{name}", self.word());
        match which {
            0 | 1 => {
                self.owned(maybe_mut, "i64", Kind::Int { mutable }, "i.wrapping_mul(3)".to_owned())
            }
            2 => self.owned(name.clone(), "String", Kind::Text, "format!(\"text {i}\")".to_owned()),
            3 => self.owned(maybe_mut, "Vec<i64>", Kind::List { mutable }, "vec![i, 5]".to_owned()),
            4 => self.borrowed("&'a i64", Kind::IntRef, "i.wrapping_sub(2)"),
            5 => self.borrowed("&'a str", Kind::TextRef, "format!(\"lent {i}\")"),
            6 => self.borrowed("&'a [i64]", Kind::Slice, "vec![i, 6, 7]"),
            7 | 8 => self.borrowed("&'a mut i64", Kind::IntMut, "i"),
            _ => self.borrowed("&'a mut Vec<i64>", Kind::ListMut, "vec![i]"),
        }
    }

    /// Returns a pattern that takes the value apart.
    fn taken_apart(&self, which: usize) -> Argument {
        let (Self { name, other, mutable }, word) = (self, self.word());
        let int = Kind::Int { mutable: *mutable };
        let fixed = Kind::Int { mutable: false };
        match which {
            10 => {
                self.two(format!("({name}, {word}{other})"), "(i64, i64)", [fixed, int], "(i, 8)")
            }
            11 => self.two(
                format!("Pair {{ left: {word}{name}, right: {other} }}"),
                "Pair",
                [int, fixed],
                "Pair { left: i, right: 9 }",
            ),
            12 => self.two(
                format!("[{name}, .., {word}{other}]"),
                "[i64; 3]",
                [fixed, int],
                "[i, 1, 2]",
            ),
            13 => self.owned(format!("{name} @ _"), "i64", fixed, "i.wrapping_add(4)".to_owned()),
            14 => Argument {
                pattern: format!("&{name}"),
                ..self.borrowed("&'a i64", fixed, "i.wrapping_sub(5)")
            },
            _ => self.two(
                format!("(ref {name}, {word}{other})"),
                "(String, i64)",
                [Kind::TextRef, int],
                "(i.to_string(), 3)",
            ),
        }
    }

    /// Returns what tells when it is dropped, and where.
    fn dropped(&self, which: usize, site: usize) -> Argument {
        let name = &self.name;
        match which {
            15 | 16 => self.handle(name.clone(), "Noisy", Kind::Noisy, format!("Noisy({site})")),
            17 | 18 => {
                self.handle(format!("_{name}"), "Noisy", Kind::Noisy, format!("Noisy({site})"))
            }
            _ => {
                let pass = format!("Both {{ first: Noisy({site}), second: Noisy({}) }}", site + 10);
                self.handle(name.clone(), "Both", Kind::Both, pass)
            }
        }
    }

    fn nameless(&self) -> Argument {
        Argument {
            names: Vec::new(),
            ..self.owned("_".to_owned(), "Noisy", Kind::Noisy, "Noisy(9)".to_owned())
        }
    }

    fn callable(&self, site: usize) -> Argument {
        let ty = "impl Fn(i64) -> i64 + Send + Sync + 'bound";
        self.handle(self.name.clone(), ty, Kind::Callable, format!("move |n| run_step({site}, n)"))
    }

    fn generic(&self, rng: &mut Rng) -> Argument {
        let Self { name, mutable, .. } = self;
        let serialize = if *mutable { "serde::Serialize + " } else { "" };
        let pass = if rng.chance(1, 2) { "7_i32".to_owned() } else { "i > 0".to_owned() };
        Argument {
            names: vec![(name.clone(), Kind::Generic, *mutable)],
            generic: Some(format!("T{name}: Into<i64> + {serialize}Copy + Send + Sync + 'bound")),
            ..self.owned(name.clone(), &format!("T{name}"), Kind::Generic, pass)
        }
    }

    fn of_any_length(&self) -> Argument {
        let name = &self.name;
        let (ty, pass) = (format!("[i64; N{name}]"), "[i, 3, 1, 4]".to_owned());
        Argument {
            generic: Some(format!("const N{name}: usize")),
            ..self.handle(name.clone(), &ty, Kind::Slice, pass)
        }
    }
}

fn attribute(
    number: usize,
    rng: &mut Rng,
    owner: Owner,
    output: Output,
    arguments: &[Argument],
) -> String {
    let names: Vec<_> = arguments.iter().flat_map(|argument| &argument.names).collect();
    let mut keys: Vec<String> = Vec::new();
    let effect = rng.pick(&["", "read", "mutating", "destructive", "admin"]);
    if !effect.is_empty() {
        keys.push(format!("effect = \"{effect}\""));
    }
    if matches!(effect, "destructive" | "admin") {
        let handles = names.iter().filter(|(_, _, serialize)| !serialize);
        let mut skipped: Vec<String> = handles.map(|(name, ..)| name.clone()).collect();
        skipped.extend((owner != Owner::Nobody).then(|| "self".to_owned()));
        if !skipped.is_empty() {
            keys.push(format!("skip({})", skipped.join(", ")));
        }
    } else if !names.is_empty() {
        let (name, _, serialize) = rng.pick(&names);
        match rng.below(5) {
            0 => keys.push("skip_all".to_owned()),
            1 => keys.push(format!("skip({name})")),
            2 if *serialize => keys.push(format!("input({name})")),
            _ => {}
        }
    }
    if rng.chance(1, 4) {
        keys.push(format!("tool = \"tool_{number}\""));
    }
    if rng.chance(1, 6) {
        keys.push("scopes(\"files:write\")".to_owned());
    }
    if rng.chance(1, 6) {
        keys.push("on_elevation = \"wait\", wait = \"1s\"".to_owned());
    }
    keys.extend(output.on_denied().map(|on_denied| format!("on_denied = {on_denied}")));
    keys.join(", ")
}

fn body(rng: &mut Rng, scope: Scope, shape: Shape, output: Output) -> String {
    let is_ready = rng.chance(1, 3);
    let mut body = Body::new(rng, scope);
    match shape {
        Shape::Sync | Shape::Async => {
            let place = Place::new(shape == Shape::Async, Exit::Function(output));
            let statements = body.statements(&place, 2, 5);
            let tail = body.tail(&place, output, 2);
            statements + &tail
        }
        Shape::Boxed => {
            let place = Place::new(false, Exit::Boxed(output));
            let statements = body.statements(&place, 1, 3);
            statements + &body.boxed(output, 2)
        }
        Shape::ImplFuture if is_ready => {
            let place = Place::new(false, Exit::Ready(output));
            let statements = body.statements(&place, 2, 4);
            let value = body.int(&place, 1);
            format!("{statements}std::future::ready({})", output.success(&value))
        }
        Shape::ImplFuture => {
            let place = Place::new(false, Exit::Nowhere);
            let statements = body.statements(&place, 1, 3);
            statements + &body.future(output, 2)
        }
    }
}
