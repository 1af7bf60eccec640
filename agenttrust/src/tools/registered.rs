//! What `#[guarded]` leaves behind for [`tools`](crate::tools): one entry a function, collected when the
//! program is linked.

use crate::model::Effect;

pub use inventory;

/// A guarded function, as its attribute describes it.
#[derive(Clone, Copy, Debug)]
pub struct GuardedFunction {
    /// The tool's name.
    pub tool: &'static str,
    /// The effect of a call by the attribute.
    pub effect: Option<Effect>,
    /// The scopes that a call needs by the attribute.
    pub scopes: &'static [&'static str],
    /// The captured arguments of a call.
    pub arguments: &'static [GuardedArgument],
    /// The function's module.
    pub module: &'static str,
    /// The function's source file.
    pub file: &'static str,
    /// The function's line, from 1.
    pub line: u32,
}

inventory::collect!(GuardedFunction);

/// A captured argument.
#[derive(Clone, Copy, Debug)]
pub struct GuardedArgument {
    /// The argument's name.
    pub name: &'static str,
    /// The JSON Schema of its type, made when it is asked for.
    pub schema: Option<fn() -> Option<serde_json::Value>>,
}

/// The schema of a type, when there are schemas.
#[cfg(feature = "schemars")]
#[doc(hidden)]
#[macro_export]
macro_rules! __schema {
    ($ty:ty) => {
        ::core::option::Option::Some(|| {
            #[allow(unused_imports)]
            use $crate::__private::{SchemaKnown as _, SchemaUnknown as _};
            (&$crate::__private::SchemaProbe::<$ty>::new()).agenttrust_schema()
        })
    };
}

/// No schema, in a build without schemas.
#[cfg(not(feature = "schemars"))]
#[doc(hidden)]
#[macro_export]
macro_rules! __schema {
    ($ty:ty) => {
        ::core::option::Option::None
    };
}

pub use __schema as schema;

#[cfg(feature = "schemars")]
mod probe {
    use std::fmt;
    use std::marker::PhantomData;

    use schemars::{JsonSchema, SchemaGenerator};
    use serde_json::Value;

    /// Asks whether a type has a schema: `(&SchemaProbe::<T>::new()).agenttrust_schema()`.
    pub struct SchemaProbe<T>(PhantomData<fn() -> T>);

    impl<T> SchemaProbe<T> {
        /// Creates a question about `T`.
        #[must_use]
        #[expect(clippy::new_without_default, reason = "only the expansion asks")]
        pub fn new() -> Self {
            Self(PhantomData)
        }
    }

    impl<T> fmt::Debug for SchemaProbe<T> {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("SchemaProbe")
        }
    }

    /// The first candidate of method resolution: the type is `JsonSchema`.
    pub trait SchemaKnown {
        /// Returns the schema of the type.
        fn agenttrust_schema(&self) -> Option<Value>;
    }

    impl<T: JsonSchema> SchemaKnown for SchemaProbe<T> {
        fn agenttrust_schema(&self) -> Option<Value> {
            Some(SchemaGenerator::default().into_root_schema_for::<T>().to_value())
        }
    }

    /// The second candidate of method resolution: nothing is known of the type.
    pub trait SchemaUnknown {
        /// Returns `None`.
        fn agenttrust_schema(&self) -> Option<Value>;
    }

    impl<T> SchemaUnknown for &SchemaProbe<T> {
        fn agenttrust_schema(&self) -> Option<Value> {
            None
        }
    }
}

#[cfg(feature = "schemars")]
pub use self::probe::{SchemaKnown, SchemaProbe, SchemaUnknown};
