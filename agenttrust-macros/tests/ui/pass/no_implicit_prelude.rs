//! A module without the prelude: every path of the expansion begins at the root.

#![deny(warnings)]

use counting::{run, steps};

mod bare {
    #![no_implicit_prelude]

    use ::counting::step;

    type Output<T> = ::core::result::Result<T, ::agenttrust::AgentTrustError>;

    #[::agenttrust::guarded(effect = "mutating", on_elevation = "wait", wait = "1s")]
    pub(crate) async fn spun(number: u8) -> Output<u8> {
        step();
        ::core::result::Result::Ok(number)
    }

    #[::agenttrust::guarded(effect = "read", tool = ::core::concat!("sy", "nc"))]
    pub(crate) fn sync<T: ::agenttrust::__private::Serialize>(value: T) -> Output<T> {
        step();
        ::core::result::Result::Ok(value)
    }

    #[::agenttrust::guarded(on_denied = |error| ::core::result::Result::Err(error))]
    pub(crate) fn boxed(
        number: u8,
    ) -> ::core::pin::Pin<::std::boxed::Box<dyn ::core::future::Future<Output = Output<u8>>>> {
        step();
        ::std::boxed::Box::pin(async move { ::core::result::Result::Ok(number) })
    }
}

pub(super) fn main() {
    assert_eq!(steps(1).of(|| run(bare::spun(1))), 1);
    assert_eq!(steps(1).of(|| bare::sync(1)), 1);
    assert_eq!(steps(1).of(|| run(bare::boxed(1))), 1);
}
