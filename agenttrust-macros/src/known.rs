//! Second stage: what is surely known of a type by its name alone, because a macro sees no more of it.

use syn::{GenericArgument, Ident, PathArguments, Type};

use crate::shape::peel;

/// Types of the language that are `Serialize`.
const PLAIN: [&str; 18] = [
    "bool", "char", "str", "String", "u8", "u16", "u32", "u64", "u128", "usize", "i8", "i16",
    "i32", "i64", "i128", "isize", "f32", "f64",
];

/// Types of the standard library that are `Serialize` where their contents are.
const HOLDING: [&str; 5] = ["Option", "Vec", "Box", "BTreeMap", "HashMap"];

/// More types of the standard library that are `Serialize` where their contents are.
const OTHERS: [&str; 3] = ["Arc", "HashSet", "BTreeSet"];

/// Returns whether a name is one of the language or its library, and no type parameter's.
pub(crate) fn is_of_the_library(name: &Ident) -> bool {
    is_one_of(name, &PLAIN) || is_one_of(name, &HOLDING) || is_one_of(name, &OTHERS)
}

/// Returns whether a type is surely `Serialize`, going by its name: then the compiler need not be asked in words
/// of ours, which is what takes it longest. Should another type bear the name, it asks in its own.
pub(crate) fn serializes(ty: &Type) -> bool {
    match peel(ty) {
        Type::Reference(ty) => serializes(&ty.elem),
        Type::Slice(ty) => serializes(&ty.elem),
        Type::Path(ty) if ty.path.segments.len() == 1 => {
            let Some(segment) = ty.path.segments.first() else { return false };
            match &segment.arguments {
                PathArguments::None => is_one_of(&segment.ident, &PLAIN),
                PathArguments::AngleBracketed(of) => {
                    let is_known = |argument: &GenericArgument| matches!(argument, GenericArgument::Type(ty) if serializes(ty));
                    is_one_of(&segment.ident, &HOLDING) && of.args.iter().all(is_known)
                }
                PathArguments::Parenthesized(_) => false,
            }
        }
        _ => false,
    }
}

fn is_one_of(name: &Ident, names: &[&str]) -> bool {
    names.iter().any(|known| name == known)
}
