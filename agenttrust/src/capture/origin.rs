//! Where an argument comes from: a caller asked for it, or a framework hands it in beside the input.
//!
//! What a framework hands in says who calls and by what request. It is another one each time, so that no
//! approval bound to it would ever be found again. These types are known by their path, under whatever name
//! they were imported; a type of the user's own that is called like one of them is not one.
//!
//! Of the frameworks that a feature brings in, the type system knows them ([`HandedIn`]), and so while the
//! program is built. Of the others the path is compared when the call is made ([`BY_PATH`]).

use std::any::type_name;
use std::fmt;
use std::marker::PhantomData;

use super::{Captured, Inexact};

/// Crates and names of what is handed in and may be `Serialize`, it or what a pattern takes out of it. All else
/// that these crates hand in is a handle without that.
const BY_PATH: [(&str, &str); 9] = [
    ("axum", "ConnectInfo"),
    ("axum", "Extension"),
    ("axum", "State"),
    ("rig_core", "ToolContext"),
    ("rmcp", "Extension"),
    ("rmcp", "RequestId"),
    ("rmcp", "RequestMetaObject"),
    ("tower_mcp", "Extension"),
    ("tower_mcp", "State"),
];

/// An argument that a framework hands to a function beside its input.
///
/// Implemented where the frameworks are, in `foreign`, and by reference.
pub trait HandedIn {}

impl<T: HandedIn + ?Sized> HandedIn for &T {}

impl<T: HandedIn + ?Sized> HandedIn for &mut T {}

/// Asks where a parameter comes from: `(&OriginProbe::<T>::new()).agenttrust_origin()`.
///
/// By its type, because of a parameter such as `State(db): State<Db>` there is no value to ask.
pub struct OriginProbe<T>(PhantomData<fn() -> T>);

impl<T> OriginProbe<T> {
    /// Creates a question about `T`.
    #[must_use]
    #[expect(clippy::new_without_default, reason = "only the expansion asks")]
    pub fn new() -> Self {
        Self(PhantomData)
    }
}

impl<T> fmt::Debug for OriginProbe<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("OriginProbe")
    }
}

/// The first candidate of method resolution: a framework hands the argument in.
pub trait OriginFramework {
    /// Says that a framework hands the argument in.
    fn agenttrust_origin(&self) -> FromFramework;
}

impl<T: HandedIn> OriginFramework for OriginProbe<T> {
    fn agenttrust_origin(&self) -> FromFramework {
        FromFramework
    }
}

/// The second candidate of method resolution: an argument as any other, unless its path says otherwise.
pub trait OriginCaller {
    /// Says that the argument is the caller's.
    fn agenttrust_origin(&self) -> FromCaller;
}

impl<T> OriginCaller for &OriginProbe<T> {
    fn agenttrust_origin(&self) -> FromCaller {
        FromCaller { path: type_name::<T>() }
    }
}

/// A framework hands it in.
#[derive(Clone, Copy, Debug)]
pub struct FromFramework;

impl FromFramework {
    /// Returns whether it is no part of the input.
    #[must_use]
    pub fn is_handed_in(self) -> bool {
        true
    }

    /// Returns a unit, which is captured without an error: the compiler is to report one mistake once.
    #[must_use]
    pub fn asked_for<T: ?Sized>(self, _: &T) -> &'static () {
        &()
    }
}

/// A caller asked for it, as far as the type system knows.
#[derive(Clone, Copy, Debug)]
pub struct FromCaller {
    path: &'static str,
}

impl FromCaller {
    /// Returns whether it is no part of the input.
    #[must_use]
    pub fn is_handed_in(self) -> bool {
        is_handed_in(self.path)
    }

    /// Returns what was asked for.
    #[must_use]
    pub fn asked_for<T: ?Sized>(self, value: &T) -> &T {
        value
    }
}

/// Returns what stands for an argument that is handed in where every argument must be captured: the call is not made.
#[must_use]
pub fn handed_in() -> Captured {
    Some(Err(Inexact::HandedIn))
}

/// Returns whether the path of a type, as the compiler writes it, is one of those that are handed in.
fn is_handed_in(path: &str) -> bool {
    let owned = path.trim_start_matches('&');
    let owned = owned.strip_prefix("mut ").unwrap_or(owned);
    let owned = owned.split('<').next().unwrap_or(owned);
    match (owned.split_once("::"), owned.rsplit_once("::")) {
        (Some((krate, _)), Some((_, name))) => BY_PATH.contains(&(krate, name)),
        _ => false,
    }
}

#[cfg(test)]
#[expect(clippy::needless_borrow, reason = "written as the expansion does, which knows no types")]
mod tests {
    use super::*;

    struct State<T>(T);

    impl<T> HandedIn for State<T> {}

    mod own {
        pub(super) struct State<T>(pub(super) T);
    }

    type Renamed = State<u8>;

    fn in_a_generic<T: Clone>() -> [bool; 2] {
        [
            (&OriginProbe::<State<T>>::new()).agenttrust_origin().is_handed_in(),
            (&OriginProbe::<T>::new()).agenttrust_origin().is_handed_in(),
        ]
    }

    #[test]
    fn a_type_is_handed_in_by_what_it_is_and_not_by_its_name() {
        assert!((&OriginProbe::<State<u8>>::new()).agenttrust_origin().is_handed_in());
        assert!((&OriginProbe::<Renamed>::new()).agenttrust_origin().is_handed_in());
        assert!((&OriginProbe::<&State<&str>>::new()).agenttrust_origin().is_handed_in());
        assert!((&OriginProbe::<&mut State<u8>>::new()).agenttrust_origin().is_handed_in());
        assert!(!(&OriginProbe::<own::State<u8>>::new()).agenttrust_origin().is_handed_in());
        assert!(!(&OriginProbe::<&u8>::new()).agenttrust_origin().is_handed_in());
        assert_eq!(in_a_generic::<u8>(), [true, false]);
        let (State(framework), own::State(own)) = (State(1), own::State(2));
        assert_eq!(framework + own, 3);
    }

    #[test]
    fn a_path_is_compared_by_its_crate_and_its_name() {
        for path in [
            "rig_core::tool::context::ToolContext",
            "&mut rig_core::tool::context::ToolContext",
            "&&axum::extract::state::State<my_app::Config>",
            "axum::extension::Extension<alloc::string::String>",
            "rmcp::handler::server::common::RequestId",
        ] {
            assert!(is_handed_in(path), "{path}");
        }
        for path in [
            "my_app::axum::State<u8>",
            "my_app::State<axum::extract::state::State<u8>>",
            "alloc::vec::Vec<axum::extract::state::State<u8>>",
            "axum::extract::path::Path<u8>",
            "axum",
            "State",
            "u8",
            "",
        ] {
            assert!(!is_handed_in(path), "{path}");
        }
    }
}
