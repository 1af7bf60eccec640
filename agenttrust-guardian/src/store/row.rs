//! A struct out of a row.

/// Makes the struct out of the columns that are named like its fields, as sqlx's derive does. That one would
/// compile sqlx and SQLite a second time, to run inside the compiler.
macro_rules! from_row {
    (
        $(#[$attribute:meta])*
        $visibility:vis struct $name:ident { $($field_visibility:vis $field:ident: $kind:ty,)* }
    ) => {
        $(#[$attribute])*
        $visibility struct $name { $($field_visibility $field: $kind,)* }

        impl<'r, R: sqlx::Row> sqlx::FromRow<'r, R> for $name
        where
            &'static str: sqlx::ColumnIndex<R>,
            $($kind: sqlx::Decode<'r, R::Database> + sqlx::Type<R::Database>,)*
        {
            fn from_row(row: &'r R) -> Result<Self, sqlx::Error> {
                Ok(Self { $($field: row.try_get(stringify!($field))?,)* })
            }
        }
    };
}

pub(crate) use from_row;
