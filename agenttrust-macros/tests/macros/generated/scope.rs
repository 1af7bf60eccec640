//! The names that a generated body can use, and how.

/// The value that a name is bound to.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Kind {
    /// `i64`
    Int { mutable: bool },
    /// `String`
    Text,
    /// `Vec<i64>`
    List { mutable: bool },
    /// `Noisy`
    Noisy,
    /// `Both`
    Both,
    /// `&i64`
    IntRef,
    /// `&mut i64`
    IntMut,
    /// `&str`
    TextRef,
    /// `&[i64]`, `[i64; N]`
    Slice,
    /// `&mut Vec<i64>`
    ListMut,
    /// `impl Fn(i64) -> i64`
    Callable,
    /// `T: Into<i64> + Copy`
    Generic,
    /// `&self`
    Receiver,
    /// `&mut self`
    ReceiverMut,
    /// `self`, or a box of it
    ReceiverOwned { mutable: bool },
    /// `&self` of a trait, of which only `base()` is known
    ReceiverTrait,
}

impl Kind {
    /// Returns whether it may be used inside of an `async move` block and after it.
    pub(crate) fn is_copy(self) -> bool {
        matches!(
            self,
            Self::Int { .. }
                | Self::IntRef
                | Self::TextRef
                | Self::Slice
                | Self::Generic
                | Self::Receiver
                | Self::ReceiverTrait
        )
    }

    /// Returns whether it may be given away.
    pub(crate) fn is_movable(self) -> bool {
        matches!(self, Self::Text | Self::List { .. } | Self::Noisy | Self::Both)
    }
}

#[derive(Clone, Debug)]
pub(crate) struct Var {
    pub(crate) name: String,
    pub(crate) kind: Kind,
    /// The number of blocks around the one it was made in.
    pub(crate) level: usize,
    /// Borrows from a local, so that it cannot leave the function.
    pub(crate) is_local_borrow: bool,
}

/// Names, the innermost last.
#[derive(Default)]
pub(crate) struct Scope {
    vars: Vec<Var>,
    level: usize,
    count: usize,
}

impl Scope {
    pub(crate) fn fresh(&mut self, prefix: &str) -> String {
        self.count += 1;
        format!("{prefix}{}", self.count)
    }

    pub(crate) fn bind(&mut self, name: &str, kind: Kind) {
        self.push(name, kind, false);
    }

    pub(crate) fn bind_local_borrow(&mut self, name: &str, kind: Kind) {
        self.push(name, kind, true);
    }

    fn push(&mut self, name: &str, kind: Kind, is_local_borrow: bool) {
        let var = Var { name: name.to_owned(), kind, level: self.level, is_local_borrow };
        self.vars.push(var);
    }

    /// Enters a block; what it returns leaves it again.
    pub(crate) fn enter(&mut self) -> usize {
        self.level += 1;
        self.vars.len()
    }

    pub(crate) fn leave(&mut self, mark: usize) {
        self.level -= 1;
        self.vars.truncate(mark);
    }

    /// Returns everything that is not shadowed.
    pub(crate) fn visible(&self) -> Vec<Var> {
        let shadowed = |at: usize| {
            let name = &self.vars[at].name;
            self.vars[at + 1..].iter().any(|later| later.name == *name)
        };
        (0..self.vars.len()).filter(|at| !shadowed(*at)).map(|at| self.vars[at].clone()).collect()
    }

    /// Returns what was made in this very block and can be given away here.
    pub(crate) fn movable(&self) -> Vec<Var> {
        let here = |var: &Var| var.level == self.level && var.kind.is_movable();
        self.visible().into_iter().filter(here).collect()
    }

    pub(crate) fn remove(&mut self, name: &str) {
        self.vars.retain(|var| var.name != name);
    }

    /// Takes out what `keep` does not want, until it is put back.
    pub(crate) fn hide(&mut self, keep: impl Fn(&Var) -> bool) -> Vec<Var> {
        let all = self.vars.clone();
        self.vars = self.visible().into_iter().filter(keep).collect();
        all
    }

    pub(crate) fn restore(&mut self, all: Vec<Var>) {
        self.vars = all;
    }
}
