//! What has the shape of an object in a body: a JSON object and nothing else, of members that are known.
//!
//! serde takes a list for the members of a struct, in their order, and an object of one member for the word of an enum.
//! It also skips what a struct does not know. So it reads through [`Shaped`], which lets neither pass. Which members
//! are known, and what becomes of others, the type says: one that derives `deny_unknown_fields` takes none. Of one that
//! does not, as of a body that the published clients send, what looks like a known member is refused, and the rest is
//! noted. What such a body holds inside is not looked at: telemetry events take anything.

use std::borrow::Cow;
use std::cell::RefCell;
use std::collections::BTreeSet;
use std::fmt;

use serde::de::value::{CowStrDeserializer, StrDeserializer};
use serde::de::{
    DeserializeSeed, Deserializer, Error, IntoDeserializer, MapAccess, SeqAccess, Unexpected,
    Visitor,
};

use crate::domain::spelling::member_meant;

/// The findings on the way through a body.
#[derive(Debug, Default)]
pub(super) struct Seen {
    /// The fault of the member at which reading ended.
    refused: RefCell<Option<String>>,
    /// The members of the outermost object that are not known, and were skipped.
    ignored: RefCell<Vec<String>>,
}

impl Seen {
    /// Returns what is wrong with the member at which reading ended, if it is that which ended it.
    pub(super) fn refusal(&self) -> Option<String> {
        self.refused.borrow().clone()
    }

    pub(super) fn into_ignored(self) -> Vec<String> {
        self.ignored.into_inner()
    }

    /// Looks at a member that is not known, of an object that takes none such or skips them.
    fn unknown<E: Error>(
        &self,
        member: &str,
        known: &[&str],
        outermost: bool,
        closed: bool,
    ) -> Result<(), E> {
        let meant = member_meant(member, known.iter().copied()).filter(|_| outermost || closed);
        let refused = match meant {
            Some(meant) => format!("is not known; did you mean {meant:?}?"),
            None if closed && known.is_empty() => "is not known; leave it out".to_owned(),
            None if closed => {
                format!("is not known; there is {}, so leave it out", known.join(", "))
            }
            None => {
                if outermost {
                    self.ignored.borrow_mut().push(member.to_owned());
                }
                return Ok(());
            }
        };
        let error = E::custom(&refused);
        *self.refused.borrow_mut() = Some(refused);
        Err(error)
    }
}

/// A deserializer through which objects have the shape of objects.
pub(super) struct Shaped<'a, D> {
    inner: D,
    seen: &'a Seen,
    outermost: bool,
}

impl<'a, D> Shaped<'a, D> {
    /// Reads a whole body from `inner`.
    pub(super) fn new(inner: D, seen: &'a Seen) -> Self {
        Self { inner, seen, outermost: true }
    }
}

/// The methods for values that hold no struct, which are read as they are.
macro_rules! as_it_is {
    ($($method:ident($($argument:ident: $type:ty),*);)*) => {$(
        fn $method<V: Visitor<'de>>(self, $($argument: $type,)* visitor: V) -> Result<V::Value, D::Error> {
            self.inner.$method($($argument,)* visitor)
        }
    )*};
}

/// The methods for values that may hold a struct, which is looked into.
macro_rules! looked_into {
    ($($method:ident($($argument:ident: $type:ty),*);)*) => {$(
        fn $method<V: Visitor<'de>>(self, $($argument: $type,)* visitor: V) -> Result<V::Value, D::Error> {
            let Self { inner, seen, outermost } = self;
            inner.$method($($argument,)* Into { visitor, seen, outermost })
        }
    )*};
}

impl<'de, D: Deserializer<'de>> Deserializer<'de> for Shaped<'_, D> {
    type Error = D::Error;

    // What asks for anything takes it in any shape: an input that is shown, metadata.
    as_it_is! {
        deserialize_any();
        deserialize_ignored_any();
        deserialize_bool();
        deserialize_i8();
        deserialize_i16();
        deserialize_i32();
        deserialize_i64();
        deserialize_i128();
        deserialize_u8();
        deserialize_u16();
        deserialize_u32();
        deserialize_u64();
        deserialize_u128();
        deserialize_f32();
        deserialize_f64();
        deserialize_char();
        deserialize_str();
        deserialize_string();
        deserialize_bytes();
        deserialize_byte_buf();
        deserialize_unit();
        deserialize_unit_struct(name: &'static str);
        deserialize_identifier();
    }

    looked_into! {
        deserialize_option();
        deserialize_newtype_struct(name: &'static str);
        deserialize_seq();
        deserialize_tuple(len: usize);
        deserialize_tuple_struct(name: &'static str, len: usize);
        deserialize_map();
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        name: &'static str,
        known: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, D::Error> {
        let Self { inner, seen, outermost } = self;
        inner.deserialize_struct(name, known, Object { visitor, known, seen, outermost })
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _: &'static str,
        _: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, D::Error> {
        self.inner.deserialize_str(Word(visitor))
    }

    fn is_human_readable(&self) -> bool {
        self.inner.is_human_readable()
    }
}

/// A value somewhere below.
struct Below<'a, S> {
    seed: S,
    seen: &'a Seen,
}

impl<'de, S: DeserializeSeed<'de>> DeserializeSeed<'de> for Below<'_, S> {
    type Value = S::Value;

    fn deserialize<D: Deserializer<'de>>(self, inner: D) -> Result<S::Value, D::Error> {
        self.seed.deserialize(Shaped { inner, seen: self.seen, outermost: false })
    }
}

/// A visitor that looks into an option, a list or a map.
struct Into<'a, V> {
    visitor: V,
    seen: &'a Seen,
    outermost: bool,
}

impl<'de, V: Visitor<'de>> Visitor<'de> for Into<'_, V> {
    type Value = V::Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.visitor.expecting(f)
    }

    fn visit_none<E: Error>(self) -> Result<V::Value, E> {
        self.visitor.visit_none()
    }

    fn visit_unit<E: Error>(self) -> Result<V::Value, E> {
        self.visitor.visit_unit()
    }

    fn visit_some<D: Deserializer<'de>>(self, inner: D) -> Result<V::Value, D::Error> {
        let Self { visitor, seen, outermost } = self;
        visitor.visit_some(Shaped { inner, seen, outermost })
    }

    fn visit_newtype_struct<D: Deserializer<'de>>(self, inner: D) -> Result<V::Value, D::Error> {
        let Self { visitor, seen, outermost } = self;
        visitor.visit_newtype_struct(Shaped { inner, seen, outermost })
    }

    fn visit_seq<A: SeqAccess<'de>>(self, inner: A) -> Result<V::Value, A::Error> {
        self.visitor.visit_seq(Items { inner, seen: self.seen })
    }

    fn visit_map<A: MapAccess<'de>>(self, inner: A) -> Result<V::Value, A::Error> {
        self.visitor.visit_map(Entries { inner, seen: self.seen, names: BTreeSet::new() })
    }
}

struct Items<'a, A> {
    inner: A,
    seen: &'a Seen,
}

impl<'de, A: SeqAccess<'de>> SeqAccess<'de> for Items<'_, A> {
    type Error = A::Error;

    fn next_element_seed<S: DeserializeSeed<'de>>(
        &mut self,
        seed: S,
    ) -> Result<Option<S::Value>, A::Error> {
        self.inner.next_element_seed(Below { seed, seen: self.seen })
    }

    fn size_hint(&self) -> Option<usize> {
        self.inner.size_hint()
    }
}

/// The entries of a map, which takes any name, but each only once: of two, a program in between may have looked at the
/// other one.
struct Entries<'a, A> {
    inner: A,
    seen: &'a Seen,
    names: BTreeSet<String>,
}

impl<'de, A: MapAccess<'de>> MapAccess<'de> for Entries<'_, A> {
    type Error = A::Error;

    fn next_key_seed<S: DeserializeSeed<'de>>(
        &mut self,
        seed: S,
    ) -> Result<Option<S::Value>, A::Error> {
        let Some(name) = self.inner.next_key_seed(Key)? else { return Ok(None) };
        if !self.names.insert(name.clone().into_owned()) {
            // In the words in which serde says so of a struct.
            return Err(A::Error::custom(format_args!("duplicate field `{name}`")));
        }
        let name: CowStrDeserializer<'_, A::Error> = name.into_deserializer();
        seed.deserialize(name).map(Some)
    }

    fn next_value_seed<S: DeserializeSeed<'de>>(&mut self, seed: S) -> Result<S::Value, A::Error> {
        self.inner.next_value_seed(Below { seed, seen: self.seen })
    }

    fn size_hint(&self) -> Option<usize> {
        self.inner.size_hint()
    }
}

/// A visitor that takes an object for a struct, and no list.
struct Object<'a, V> {
    visitor: V,
    known: &'static [&'static str],
    seen: &'a Seen,
    outermost: bool,
}

impl<'de, V: Visitor<'de>> Visitor<'de> for Object<'_, V> {
    type Value = V::Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, inner: A) -> Result<V::Value, A::Error> {
        let Self { visitor, known, seen, outermost } = self;
        visitor.visit_map(Members { inner, known, seen, outermost })
    }

    fn visit_seq<A: SeqAccess<'de>>(self, _: A) -> Result<V::Value, A::Error> {
        Err(A::Error::invalid_type(Unexpected::Seq, &self))
    }
}

/// The members of an object, looked at one by one.
struct Members<'a, A> {
    inner: A,
    known: &'static [&'static str],
    seen: &'a Seen,
    outermost: bool,
}

impl<'de, A: MapAccess<'de>> MapAccess<'de> for Members<'_, A> {
    type Error = A::Error;

    fn next_key_seed<S: DeserializeSeed<'de>>(
        &mut self,
        seed: S,
    ) -> Result<Option<S::Value>, A::Error> {
        let Some(member) = self.inner.next_key_seed(Key)? else { return Ok(None) };
        let known = self.known.contains(&member.as_ref());
        // Read in any case: what keeps track of the path learns of the member here, and the type says
        // whether it takes others than those that it knows.
        let name: CowStrDeserializer<'_, A::Error> = Cow::Borrowed(&*member).into_deserializer();
        let read = seed.deserialize(name);
        if !known {
            self.seen.unknown(&member, self.known, self.outermost, read.is_err())?;
        }
        read.map(Some)
    }

    fn next_value_seed<S: DeserializeSeed<'de>>(&mut self, seed: S) -> Result<S::Value, A::Error> {
        self.inner.next_value_seed(Below { seed, seen: self.seen })
    }

    fn size_hint(&self) -> Option<usize> {
        self.inner.size_hint()
    }
}

/// The name of a member, borrowed from the body where it is written plainly.
struct Key;

impl<'de> DeserializeSeed<'de> for Key {
    type Value = Cow<'de, str>;

    fn deserialize<D: Deserializer<'de>>(self, key: D) -> Result<Self::Value, D::Error> {
        key.deserialize_str(self)
    }
}

impl<'de> Visitor<'de> for Key {
    type Value = Cow<'de, str>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the name of a member")
    }

    fn visit_borrowed_str<E: Error>(self, name: &'de str) -> Result<Self::Value, E> {
        Ok(Cow::Borrowed(name))
    }

    fn visit_str<E: Error>(self, name: &str) -> Result<Self::Value, E> {
        Ok(Cow::Owned(name.to_owned()))
    }
}

/// A visitor that takes a string for the word of an enum, and nothing that holds one.
struct Word<V>(V);

impl<'de, V: Visitor<'de>> Visitor<'de> for Word<V> {
    type Value = V::Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a word, as a string")
    }

    fn visit_str<E: Error>(self, word: &str) -> Result<V::Value, E> {
        let word: StrDeserializer<'_, E> = word.into_deserializer();
        self.0.visit_enum(word)
    }
}
