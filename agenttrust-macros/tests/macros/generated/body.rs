//! Bodies of functions: statements and expressions that compile, do things in an order, and leave in
//! every way that a body can be left.

use super::output::{Output, Tries};
use super::rng::Rng;
use super::scope::{Kind, Scope, Var};

/// The place of an expression.
#[derive(Clone)]
pub(crate) struct Place {
    pub(crate) awaits: bool,
    pub(crate) exit: Exit,
    loops: Vec<Loop>,
}

/// The value that `return` returns here.
#[derive(Clone, Copy)]
pub(crate) enum Exit {
    Function(Output),
    /// A boxed future of the output.
    Boxed(Output),
    /// `std::future::Ready` of the output.
    Ready(Output),
    /// The `Result<i64, Failure>` of an async block.
    Block,
    /// The `i64` of a closure.
    Closure,
    /// A function without a value to return.
    Nowhere,
}

#[derive(Clone)]
struct Loop {
    label: String,
    /// `break` carries a number.
    is_value: bool,
    /// A labelled block: nothing to continue.
    is_block: bool,
}

impl Place {
    pub(crate) fn new(awaits: bool, exit: Exit) -> Self {
        Self { awaits, exit, loops: Vec::new() }
    }

    fn tries(&self) -> Tries {
        match self.exit {
            Exit::Function(output) => output.tries(),
            Exit::Block => Tries::Result,
            Exit::Boxed(_) | Exit::Ready(_) | Exit::Closure | Exit::Nowhere => Tries::Nothing,
        }
    }

    fn inside(&self, is_value: bool, is_block: bool, label: &str) -> Self {
        let mut inside = self.clone();
        inside.loops.push(Loop { label: label.to_owned(), is_value, is_block });
        inside
    }
}

pub(crate) struct Body<'a> {
    pub(crate) rng: &'a mut Rng,
    pub(crate) scope: Scope,
    site: u32,
}

impl<'a> Body<'a> {
    pub(crate) fn new(rng: &'a mut Rng, scope: Scope) -> Self {
        // What is below is the arguments'.
        Self { rng, scope, site: 100 }
    }

    fn site(&mut self) -> u32 {
        self.site += 1;
        self.site
    }

    /// Returns statements of a block that has been entered.
    pub(crate) fn statements(&mut self, place: &Place, depth: usize, most: usize) -> String {
        let count = 1 + self.rng.below(most);
        (0..count).map(|_| self.statement(place, depth) + "\n").collect()
    }

    /// Returns a block that is worth a number.
    fn block(&mut self, place: &Place, depth: usize) -> String {
        let mark = self.scope.enter();
        let statements = self.statements(place, depth, 2);
        let tail = if self.rng.chance(1, 6) {
            format!("Noisy({}).value()", self.site())
        } else {
            self.int(place, depth)
        };
        self.scope.leave(mark);
        format!("{{\n{statements}{tail}\n}}")
    }

    /// Returns a block that is worth nothing.
    fn unit_block(&mut self, place: &Place, depth: usize) -> String {
        let mark = self.scope.enter();
        let statements = self.statements(place, depth, 3);
        self.scope.leave(mark);
        format!("{{\n{statements}}}")
    }

    fn statement(&mut self, place: &Place, depth: usize) -> String {
        let inner = depth.saturating_sub(1);
        match self.rng.below(if depth == 0 { 10 } else { 20 }) {
            0 | 1 => self.binding(place, inner),
            2 => self.shadowing(place, inner),
            3 | 4 => self.assignment(place, inner),
            5 => self.noisy(),
            6 => self.moving(),
            7 => self.leaving(place, inner),
            8 => format!("run_step({}, {});", self.site(), self.int(place, inner)),
            9 => self.failing(place),
            10 => format!("if {} {}", self.cond(place, inner), self.unit_block(place, inner)),
            11 => self.if_let(place, inner),
            12 => self.let_else(place, inner),
            13 => self.while_loop(place, inner),
            14 => self.for_loop(place, inner),
            15 => self.unit_loop(place, inner),
            16 => self.inner_item(),
            17 => self.matching(place, inner),
            _ => format!("let _ = {};", self.int(place, inner)),
        }
    }

    fn binding(&mut self, place: &Place, depth: usize) -> String {
        let value = self.int(place, depth);
        match self.rng.below(5) {
            0 => {
                let name = self.scope.fresh("text");
                self.scope.bind(&name, Kind::Text);
                format!("let {name} = format!(\"{{}}\", {value});")
            }
            1 => {
                let name = self.scope.fresh("list");
                self.scope.bind(&name, Kind::List { mutable: true });
                format!("let mut {name} = vec![{value}, 4];")
            }
            2 => {
                let name = self.scope.fresh("int");
                self.scope.bind(&name, Kind::Int { mutable: false });
                format!("let {name} = {value};")
            }
            _ => {
                let name = self.scope.fresh("int");
                self.scope.bind(&name, Kind::Int { mutable: true });
                format!("let mut {name} = {value};")
            }
        }
    }

    fn shadowing(&mut self, place: &Place, depth: usize) -> String {
        let is_int = |var: &Var| matches!(var.kind, Kind::Int { .. });
        let Some(name) = self.any(is_int) else { return self.binding(place, depth) };
        let value = self.int(place, depth);
        self.scope.bind(&name, Kind::Int { mutable: false });
        format!("let {name} = {name}.wrapping_add({value});")
    }

    fn assignment(&mut self, place: &Place, depth: usize) -> String {
        let writable = |var: &Var| {
            matches!(
                var.kind,
                Kind::Int { mutable: true }
                    | Kind::List { mutable: true }
                    | Kind::IntMut
                    | Kind::ListMut
                    | Kind::ReceiverMut
                    | Kind::ReceiverOwned { mutable: true }
            )
        };
        let vars: Vec<Var> = self.scope.visible().into_iter().filter(writable).collect();
        if vars.is_empty() {
            return self.binding(place, depth);
        }
        let Var { name, kind, .. } = self.rng.pick(&vars);
        let value = self.int(place, depth);
        match kind {
            Kind::Int { .. } if self.rng.chance(1, 2) => format!("{name} = {value};"),
            Kind::Int { .. } => format!("{name} ^= {value};"),
            Kind::IntMut => format!("*{name} = {value};"),
            Kind::List { .. } | Kind::ListMut => {
                format!("{{ let pushed = {value}; {name}.push(pushed); }}")
            }
            _ if self.rng.chance(1, 2) => format!("self.base = {value};"),
            _ => format!("{{ let pushed = {value}; self.items.push(pushed); }}"),
        }
    }

    fn noisy(&mut self) -> String {
        let site = self.site();
        match self.rng.below(4) {
            0 => format!("let _ = Noisy({site});"),
            1 => format!("Noisy({site});"),
            2 => format!("let _noisy{site} = Noisy({site});"),
            _ => {
                let name = self.scope.fresh("noisy");
                self.scope.bind(&name, Kind::Noisy);
                format!("let {name} = Noisy({site});")
            }
        }
    }

    fn moving(&mut self) -> String {
        let movable = self.scope.movable();
        if movable.is_empty() {
            return self.noisy();
        }
        let Var { name, kind, .. } = self.rng.pick(&movable);
        self.scope.remove(&name);
        match self.rng.below(3) {
            0 => format!("drop({name});"),
            1 => format!("consume({}, {name});", self.site()),
            _ => {
                let moved = self.scope.fresh("moved");
                self.scope.bind(&moved, kind);
                let mutable = if matches!(kind, Kind::List { .. }) { "mut " } else { "" };
                format!("let {mutable}{moved} = {name};")
            }
        }
    }

    /// Returns `return`, `break` or `continue`, sometimes.
    fn leaving(&mut self, place: &Place, depth: usize) -> String {
        let Some(exit) = self.exit(place, depth) else {
            return format!("run_step({}, {});", self.site(), self.int(place, depth));
        };
        format!("if {} {{ {exit}; }}", self.cond(place, 0))
    }

    fn exit(&mut self, place: &Place, depth: usize) -> Option<String> {
        if let Some(around) = place.loops.last().cloned()
            && self.rng.chance(2, 3)
        {
            let outer = self.rng.pick(&place.loops);
            return Some(match self.rng.below(4) {
                0 if !around.is_block => "continue".to_owned(),
                1 if !outer.is_block => format!("continue {}", outer.label),
                2 if !outer.is_value => format!("break {}", outer.label),
                2 => format!("break {} ({})", outer.label, self.int(place, depth)),
                _ if around.is_value => {
                    format!("break {} ({})", around.label, self.int(place, depth))
                }
                _ => format!("break {}", around.label),
            });
        }
        let value = |body: &mut Self, output: Output| {
            if body.rng.chance(2, 5)
                && let Some(failure) = output.failure(&body.int(place, 0))
            {
                return failure;
            }
            let value = body.int(place, depth);
            output.success(&value)
        };
        match place.exit {
            Exit::Function(output) => Some(format!("return ({})", value(self, output))),
            Exit::Boxed(output) => Some(format!("return {}", self.boxed(output, 0))),
            Exit::Ready(output) => {
                Some(format!("return std::future::ready({})", value(self, output)))
            }
            Exit::Block if self.rng.chance(1, 3) => {
                Some(format!("return Err::<i64, Failure>(Failure::Own({}))", self.int(place, 0)))
            }
            Exit::Block => Some(format!("return Ok::<i64, Failure>({})", self.int(place, depth))),
            Exit::Closure => Some(format!("return ({})", self.int(place, depth))),
            Exit::Nowhere => None,
        }
    }

    fn failing(&mut self, place: &Place) -> String {
        let (site, value) = (self.site(), self.int(place, 0));
        match place.tries() {
            Tries::Result if self.rng.chance(1, 8) => {
                format!("if {} {{ Err::<(), Small>(Small({value}))?; }}", self.cond(place, 0))
            }
            Tries::Result => format!("fallible({site}, {value})?;"),
            Tries::Option => format!("maybe({site}, {value})?;"),
            Tries::Nothing => format!("let _ = fallible({site}, {value});"),
        }
    }

    fn if_let(&mut self, place: &Place, depth: usize) -> String {
        let (site, value) = (self.site(), self.int(place, depth));
        let mark = self.scope.enter();
        let name = self.scope.fresh("found");
        self.scope.bind(&name, Kind::Int { mutable: false });
        let then = self.unit_block(place, depth);
        self.scope.leave(mark);
        let otherwise = self.unit_block(place, depth);
        format!("if let Some({name}) = maybe({site}, {value}) {then} else {otherwise}")
    }

    fn let_else(&mut self, place: &Place, depth: usize) -> String {
        let (site, value) = (self.site(), self.int(place, depth));
        let Some(exit) = self.exit(place, 0) else { return self.if_let(place, depth) };
        let name = self.scope.fresh("given");
        self.scope.bind(&name, Kind::Int { mutable: false });
        format!("let Some({name}) = maybe({site}, {value}) else {{ {exit}; }};")
    }

    fn while_loop(&mut self, place: &Place, depth: usize) -> String {
        let (turn, label) = (self.scope.fresh("turn"), self.scope.fresh("'loop"));
        let inside = place.inside(false, false, &label);
        if self.rng.chance(1, 2) {
            let rest = self.scope.fresh("rest");
            let values = [self.int(place, 0), self.int(place, 0)];
            let mark = self.scope.enter();
            self.scope.bind(&turn, Kind::Int { mutable: false });
            let block = self.unit_block(&inside, depth);
            self.scope.leave(mark);
            return format!(
                "let mut {rest} = vec![{}];\n{label}: while let Some({turn}) = {rest}.pop() {block}",
                values.join(", ")
            );
        }
        let condition = self.cond(place, 0);
        let block = self.unit_block(&inside, depth);
        format!(
            "let mut {turn} = 0;\n{label}: while {turn} < 3 && ({turn} == 0 || {condition}) {{ {turn} += 1; {block} }}"
        )
    }

    fn for_loop(&mut self, place: &Place, depth: usize) -> String {
        let (turn, label) = (self.scope.fresh("turn"), self.scope.fresh("'loop"));
        let is_list =
            |var: &Var| matches!(var.kind, Kind::List { .. } | Kind::Slice | Kind::ListMut);
        let over = match self.any(is_list) {
            Some(list) if self.rng.chance(2, 3) => format!("{list}.to_vec()"),
            _ => "0..3_i64".to_owned(),
        };
        let inside = place.inside(false, false, &label);
        let mark = self.scope.enter();
        self.scope.bind(&turn, Kind::Int { mutable: false });
        let block = self.unit_block(&inside, depth);
        self.scope.leave(mark);
        format!("{label}: for {turn} in {over} {block}")
    }

    fn unit_loop(&mut self, place: &Place, depth: usize) -> String {
        let (turn, label) = (self.scope.fresh("turn"), self.scope.fresh("'loop"));
        let block = self.unit_block(&place.inside(false, false, &label), depth);
        format!(
            "let mut {turn} = 0;\n{label}: loop {{ {turn} += 1; if {turn} > 2 {{ break; }} {block} }}"
        )
    }

    fn inner_item(&mut self) -> String {
        let (name, site) = (self.scope.fresh("inner"), self.site());
        let value = self.scope.fresh("int");
        self.scope.bind(&value, Kind::Int { mutable: false });
        match self.rng.below(3) {
            0 => format!(
                "fn {name}(n: i64) -> Result<i64, Small> {{ Ok(fallible({site}, n)?.wrapping_add(1)) }}\n\
                 let {value} = {name}(5).unwrap_or(0);"
            ),
            1 => format!(
                "macro_rules! {name} {{ ($value:expr) => {{ run_step({site}, $value) }}; }}\n\
                 let {value} = {name}!(6);"
            ),
            _ => format!(
                "struct Holds{name}(Noisy);\nlet {value} = Holds{name}(Noisy({site})).0.value();"
            ),
        }
    }

    fn matching(&mut self, place: &Place, depth: usize) -> String {
        let value = self.int(place, depth);
        let (one, other) = (self.unit_block(place, depth), self.unit_block(place, depth));
        let guard = self.cond(place, 0);
        format!(
            "match ({value}).rem_euclid(3) {{\n0 => {one}\n1 if {guard} => {other}\n_ => {{}}\n}}"
        )
    }

    pub(crate) fn cond(&mut self, place: &Place, depth: usize) -> String {
        let value = self.int(place, depth);
        match self.rng.below(4) {
            0 => format!("{{ {value} }} > 3"),
            1 => format!("{{ {value} }} < 40 && {{ {} }} != 1", self.int(place, 0)),
            _ => format!("({value}).rem_euclid(3) == 1"),
        }
    }

    /// Returns an expression that is worth an `i64`.
    pub(crate) fn int(&mut self, place: &Place, depth: usize) -> String {
        if depth == 0 || self.rng.chance(1, 4) {
            return self.leaf(place);
        }
        let inner = depth - 1;
        match self.rng.below(if place.awaits { 17 } else { 12 }) {
            0 => format!("({}).wrapping_add({})", self.int(place, inner), self.int(place, inner)),
            1 => format!("run_step({}, {})", self.site(), self.int(place, inner)),
            2 => {
                let cond = self.cond(place, inner);
                format!("if {cond} {} else {}", self.block(place, inner), self.block(place, inner))
            }
            3 => format!(
                "match ({}).rem_euclid(3) {{ 0 => {}, 1 if {} => {}, _ => {} }}",
                self.int(place, inner),
                self.block(place, inner),
                self.cond(place, 0),
                self.block(place, inner),
                self.leaf(place)
            ),
            4 => self.loop_value(place, inner),
            5 => {
                let label = self.scope.fresh("'block");
                let inside = place.inside(true, true, &label);
                format!("{label}: {}", self.block(&inside, inner))
            }
            6 | 7 => self.tried(place, inner),
            8 | 9 => self.closure(place, inner),
            10 => self.borrowing(place, inner),
            11 => format!(
                "match Noisy({}).value() {{ 2 => {}, other => other }}",
                self.site(),
                self.leaf(place)
            ),
            12 => format!("pause({}, {}).await", self.site(), self.int(place, inner)),
            13 | 14 => self.async_block(place, inner, false),
            15 => self.async_block(place, inner, true),
            _ => self.async_closure(place, inner),
        }
    }

    fn tried(&mut self, place: &Place, depth: usize) -> String {
        let (site, value) = (self.site(), self.int(place, depth));
        match (place.tries(), self.rng.below(4)) {
            (Tries::Result, 0..3) => format!("fallible({site}, {value})?"),
            (Tries::Option, 0..3) => format!("maybe({site}, {value})?"),
            (_, 3) => format!(
                "match fallible({site}, {value}) {{ Ok(value) => value, Err(error) => error.0 }}"
            ),
            _ => format!("fallible({site}, {value}).unwrap_or(8)"),
        }
    }

    fn loop_value(&mut self, place: &Place, depth: usize) -> String {
        let (turn, label) = (self.scope.fresh("turn"), self.scope.fresh("'loop"));
        let inside = place.inside(true, false, &label);
        let last = self.int(place, depth);
        let block = self.unit_block(&inside, depth);
        let (cond, value) = (self.cond(&inside, 0), self.int(&inside, 0));
        format!(
            "{{ let mut {turn} = 0_i64; {label}: loop {{ {turn} += 1; if {turn} > 3 {{ break ({last}); }} \
             {block} if {cond} {{ break {label} ({value}); }} }} }}"
        )
    }

    fn closure(&mut self, place: &Place, depth: usize) -> String {
        let given = self.int(place, depth);
        let (name, bound) = (self.scope.fresh("arg"), self.scope.fresh("call"));
        let mark = self.scope.enter();
        self.scope.bind(&name, Kind::Int { mutable: false });
        let inside = Place::new(false, Exit::Closure);
        let block = self.block(&inside, depth);
        self.scope.leave(mark);
        if self.rng.chance(1, 2) {
            return format!("{{ let given = {given}; (|{name}: i64| -> i64 {block})(given) }}");
        }
        format!(
            "{{ let given = {given}; let mut {bound} = |{name}: i64| -> i64 {block}; \
             {bound}(given).wrapping_sub({bound}(2)) }}"
        )
    }

    fn borrowing(&mut self, place: &Place, depth: usize) -> String {
        let is_int = |var: &Var| matches!(var.kind, Kind::Int { mutable: false });
        let Some(name) = self.any(is_int) else { return self.leaf(place) };
        let (one, other) = (self.scope.fresh("borrow"), self.scope.fresh("borrow"));
        let mark = self.scope.enter();
        self.scope.bind_local_borrow(&one, Kind::IntRef);
        self.scope.bind_local_borrow(&other, Kind::IntRef);
        let block = self.block(place, depth);
        self.scope.leave(mark);
        format!("{{ let {one} = &{name}; let {other} = &*{one}; {block} }}")
    }

    fn async_block(&mut self, place: &Place, depth: usize, moves: bool) -> String {
        let hidden = moves.then(|| self.scope.hide(|var| var.kind.is_copy()));
        let inside = Place::new(true, Exit::Block);
        let mark = self.scope.enter();
        let statements = self.statements(&inside, depth, 3);
        let tail = self.int(&inside, depth);
        self.scope.leave(mark);
        if let Some(all) = hidden {
            self.scope.restore(all);
        }
        let keyword = if moves { "async move" } else { "async" };
        let block = format!("{keyword} {{\n{statements}Ok::<i64, Failure>({tail})\n}}.await");
        match place.tries() {
            Tries::Result if self.rng.chance(1, 2) => format!("{block}?"),
            _ => format!("match {block} {{ Ok(value) => value, Err(error) => error.code() }}"),
        }
    }

    fn async_closure(&mut self, place: &Place, depth: usize) -> String {
        let given = self.int(place, depth);
        let name = self.scope.fresh("arg");
        let mark = self.scope.enter();
        self.scope.bind(&name, Kind::Int { mutable: false });
        let inside = Place::new(true, Exit::Block);
        let block = self.unit_block(&inside, depth);
        self.scope.leave(mark);
        format!(
            "{{ let given = {given}; let mut called = async |{name}: i64| {{ {block} Ok::<i64, Failure>({name}) }}; \
             called(given).await.unwrap_or(9) }}"
        )
    }

    /// Returns a future in a box, which may take everything along but borrows of locals.
    pub(crate) fn boxed(&mut self, output: Output, depth: usize) -> String {
        format!("Box::pin({})", self.future(output, depth))
    }

    /// Returns the same, without the box.
    pub(crate) fn future(&mut self, output: Output, depth: usize) -> String {
        let all = self.scope.hide(|var| !var.is_local_borrow);
        let inside = Place::new(true, Exit::Function(output));
        let mark = self.scope.enter();
        let statements = self.statements(&inside, depth, 4);
        let tail = self.tail(&inside, output, depth);
        self.scope.leave(mark);
        self.scope.restore(all);
        format!("async move {{\n{statements}{tail}\n}}")
    }

    /// Returns the end of a body.
    pub(crate) fn tail(&mut self, place: &Place, output: Output, depth: usize) -> String {
        let value = self.int(place, depth);
        let success = output.success(&value);
        match (self.rng.below(7), output.tries(), output) {
            (0, ..) => format!("return ({success});"),
            (1, ..) => {
                let otherwise = output.failure(&self.int(place, 0)).unwrap_or(success.clone());
                format!("if {} {{ {success} }} else {{ {otherwise} }}", self.cond(place, 0))
            }
            (2, Tries::Result, Output::Int) => {
                format!("fallible({}, {value}).map_err(Failure::from)", self.site())
            }
            (2, Tries::Result, Output::Unit) => {
                format!("fallible({}, {value}).map(drop)", self.site())
            }
            (3, Tries::Option, _) => format!("maybe({}, {value})", self.site()),
            (4, ..) => {
                let label = self.scope.fresh("'tail");
                format!(
                    "{label}: {{ if {} {{ break {label} ({success}); }} {success} }}",
                    self.cond(place, 0)
                )
            }
            (5, _, Output::Plain) => format!("Noisy({}).value()", self.site()),
            (5, _, Output::Int) => format!("Ok(Noisy({}).value())", self.site()),
            _ => success,
        }
    }

    fn any(&mut self, wanted: impl Fn(&Var) -> bool) -> Option<String> {
        let vars: Vec<Var> = self.scope.visible().into_iter().filter(wanted).collect();
        (!vars.is_empty()).then(|| self.rng.pick(&vars).name)
    }

    fn leaf(&mut self, _place: &Place) -> String {
        let vars = self.scope.visible();
        if vars.is_empty() || self.rng.chance(1, 4) {
            return format!("{}_i64", self.rng.below(9));
        }
        let Var { name, kind, .. } = self.rng.pick(&vars);
        let owner = self.rng.below(4);
        match kind {
            Kind::Int { .. } => name,
            Kind::IntRef | Kind::IntMut => format!("(*{name})"),
            Kind::Text | Kind::TextRef => format!("({name}.len() as i64)"),
            Kind::List { .. } | Kind::Slice | Kind::ListMut if owner < 2 => {
                format!("({name}.len() as i64)")
            }
            Kind::List { .. } | Kind::Slice | Kind::ListMut => {
                format!("{name}.first().copied().unwrap_or(3)")
            }
            Kind::Noisy => format!("{name}.value()"),
            Kind::Both if owner < 2 => format!("{name}.first.value()"),
            Kind::Both => format!("{name}.second.value()"),
            Kind::Callable => format!("{name}({})", self.rng.below(9)),
            Kind::Generic => format!("Into::<i64>::into({name})"),
            Kind::ReceiverTrait => "self.base()".to_owned(),
            Kind::Receiver | Kind::ReceiverMut | Kind::ReceiverOwned { .. } => match owner {
                0 => "self.base".to_owned(),
                1 => "(self.items.len() as i64)".to_owned(),
                2 => "self.first.value()".to_owned(),
                _ => "self.second.value()".to_owned(),
            },
        }
    }
}
