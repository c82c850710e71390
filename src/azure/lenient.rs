//! JSON members as Azure DevOps really sends them: null, absent, a number as a string, or of another type altogether.
//!
//! Every type here takes *any* JSON value and never fails on one it does not expect; it is then as if the member were
//! absent. Strings are borrowed from the body unless they hold escapes. What is not understood is skipped by
//! `IgnoredAny`, which does not recurse: nesting cannot overflow the stack.
//!
//! Source of the oddities: the contract's §a (numbers as strings in workitem samples, nulls in approval samples,
//! identities as text or object by resource version).

use serde::{
    Deserialize, Deserializer,
    de::{Error, IgnoredAny, MapAccess, SeqAccess, Visitor, value::MapAccessDeserializer},
};
use std::{borrow::Cow, fmt, marker::PhantomData, ops::Deref};

/// The visits a type does not name: the value is consumed and counts as absent.
macro_rules! absent {
    ($($visit:ident)*) => { $(absent!(@ $visit);)* };
    (@ bool) => { fn visit_bool<E: Error>(self, _: bool) -> Result<Self::Value, E> { Ok(Self::Value::default()) } };
    (@ i64) => { fn visit_i64<E: Error>(self, _: i64) -> Result<Self::Value, E> { Ok(Self::Value::default()) } };
    (@ u64) => { fn visit_u64<E: Error>(self, _: u64) -> Result<Self::Value, E> { Ok(Self::Value::default()) } };
    (@ f64) => { fn visit_f64<E: Error>(self, _: f64) -> Result<Self::Value, E> { Ok(Self::Value::default()) } };
    (@ str) => { fn visit_str<E: Error>(self, _: &str) -> Result<Self::Value, E> { Ok(Self::Value::default()) } };
    (@ unit) => { fn visit_unit<E: Error>(self) -> Result<Self::Value, E> { Ok(Self::Value::default()) } };
    (@ seq) => {
        fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Self::Value, A::Error> {
            while seq.next_element::<IgnoredAny>()?.is_some() {}
            Ok(Self::Value::default())
        }
    };
    (@ map) => {
        fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
            while map.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
            Ok(Self::Value::default())
        }
    };
}

fn expecting(f: &mut fmt::Formatter<'_>) -> fmt::Result {
    f.write_str("any JSON value")
}

/// A text; numbers and booleans are taken as they are written, an empty text counts as absent.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Text<'a>(Option<Cow<'a, str>>);

impl<'a> Text<'a> {
    /// The text, if there is a non-empty one.
    pub fn as_str(&self) -> Option<&str> {
        self.0.as_deref().filter(|text| !text.is_empty())
    }

    /// Whether it is this word, without regard to case: Azure's casing of enum words varies.
    pub fn is(&self, word: &str) -> bool {
        self.0.as_deref().is_some_and(|text| text.eq_ignore_ascii_case(word))
    }

    /// The text as it was, borrowed where it could be.
    pub fn into_inner(self) -> Option<Cow<'a, str>> {
        self.0.filter(|text| !text.is_empty())
    }
}

impl<'a> From<Option<Cow<'a, str>>> for Text<'a> {
    fn from(text: Option<Cow<'a, str>>) -> Self {
        Self(text)
    }
}

impl<'a> From<&'a str> for Text<'a> {
    fn from(text: &'a str) -> Self {
        Self(Some(Cow::Borrowed(text)))
    }
}

impl<'de: 'a, 'a> Deserialize<'de> for Text<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(TextVisitor)
    }
}

struct TextVisitor;

impl<'de> Visitor<'de> for TextVisitor {
    type Value = Text<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        expecting(f)
    }

    fn visit_borrowed_str<E: Error>(self, text: &'de str) -> Result<Self::Value, E> {
        Ok(Text(Some(Cow::Borrowed(text))))
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Self::Value, E> {
        Ok(Text(Some(Cow::Owned(text.to_owned()))))
    }

    fn visit_i64<E: Error>(self, number: i64) -> Result<Self::Value, E> {
        Ok(Text(Some(Cow::Owned(number.to_string()))))
    }

    fn visit_u64<E: Error>(self, number: u64) -> Result<Self::Value, E> {
        Ok(Text(Some(Cow::Owned(number.to_string()))))
    }

    fn visit_f64<E: Error>(self, number: f64) -> Result<Self::Value, E> {
        Ok(Text(Some(Cow::Owned(number.to_string()))))
    }

    fn visit_bool<E: Error>(self, flag: bool) -> Result<Self::Value, E> {
        Ok(Text::from(if flag { "true" } else { "false" }))
    }

    absent!(unit seq map);
}

/// A whole number, also when written as a string (`"12"`) or with a zero fraction.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Int(pub Option<i64>);

impl Int {
    /// The number of a thing; Azure counts from one, and its samples write 0 for "none".
    pub fn positive(self) -> Option<i64> {
        self.0.filter(|number| *number > 0)
    }
}

impl<'de> Deserialize<'de> for Int {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(IntVisitor)
    }
}

struct IntVisitor;

impl<'de> Visitor<'de> for IntVisitor {
    type Value = Int;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        expecting(f)
    }

    fn visit_i64<E: Error>(self, number: i64) -> Result<Int, E> {
        Ok(Int(Some(number)))
    }

    fn visit_u64<E: Error>(self, number: u64) -> Result<Int, E> {
        Ok(Int(i64::try_from(number).ok()))
    }

    fn visit_f64<E: Error>(self, number: f64) -> Result<Int, E> {
        // Through text: a fraction, or more than an i64 holds, is then simply no whole number.
        Ok(Int(format!("{number}").parse().ok()))
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Int, E> {
        Ok(Int(text.trim().parse().ok()))
    }

    absent!(bool unit seq map);
}

/// A truth value, also as a string.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Flag(pub Option<bool>);

impl<'de> Deserialize<'de> for Flag {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(FlagVisitor)
    }
}

struct FlagVisitor;

impl<'de> Visitor<'de> for FlagVisitor {
    type Value = Flag;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        expecting(f)
    }

    fn visit_bool<E: Error>(self, flag: bool) -> Result<Flag, E> {
        Ok(Flag(Some(flag)))
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Flag, E> {
        Ok(Flag(text.to_ascii_lowercase().parse().ok()))
    }

    absent!(i64 u64 f64 unit seq map);
}

/// An object; anything else is as an object without members.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Object<T>(pub T);

impl<T> Deref for Object<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.0
    }
}

impl<'de, T: Deserialize<'de> + Default> Deserialize<'de> for Object<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(ObjectVisitor(PhantomData))
    }
}

struct ObjectVisitor<T>(PhantomData<T>);

impl<'de, T: Deserialize<'de> + Default> Visitor<'de> for ObjectVisitor<T> {
    type Value = Object<T>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        expecting(f)
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Object<T>, A::Error> {
        T::deserialize(MapAccessDeserializer::new(map)).map(Object)
    }

    absent!(bool i64 u64 f64 str unit seq);
}

/// A list; anything else is as an empty one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct List<T>(pub Vec<T>);

impl<T> Default for List<T> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

impl<T> Deref for List<T> {
    type Target = [T];

    fn deref(&self) -> &[T] {
        &self.0
    }
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for List<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(ListVisitor(PhantomData))
    }
}

struct ListVisitor<T>(PhantomData<T>);

impl<'de, T: Deserialize<'de>> Visitor<'de> for ListVisitor<T> {
    type Value = List<T>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        expecting(f)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<List<T>, A::Error> {
        let mut items = Vec::new();
        while let Some(item) = seq.next_element()? {
            items.push(item);
        }
        Ok(List(items))
    }

    absent!(bool i64 u64 f64 str unit map);
}

/// An object with members that nobody can name beforehand, in the order they came.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pairs<'a, V>(pub Vec<(Text<'a>, V)>);

impl<V> Default for Pairs<'_, V> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

impl<V> Pairs<'_, V> {
    /// The member of that name, without regard to case (old samples write `Definition` for `definition`).
    pub fn member(&self, name: &str) -> Option<&V> {
        self.0.iter().find(|(key, _)| key.is(name)).map(|(_, value)| value)
    }
}

impl<'de: 'a, 'a, V: Deserialize<'de>> Deserialize<'de> for Pairs<'a, V> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(PairsVisitor(PhantomData))
    }
}

struct PairsVisitor<'a, V>(PhantomData<(&'a (), V)>);

impl<'de: 'a, 'a, V: Deserialize<'de>> Visitor<'de> for PairsVisitor<'a, V> {
    type Value = Pairs<'a, V>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        expecting(f)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut pairs = Vec::with_capacity(map.size_hint().unwrap_or(16));
        while let Some(pair) = map.next_entry()? {
            pairs.push(pair);
        }
        Ok(Pairs(pairs))
    }

    absent!(bool i64 u64 f64 str unit seq);
}

/// A text or an object, for members that are the one or the other by resource version; anything else is neither.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Either<'a, T> {
    /// The text form.
    pub text: Text<'a>,
    /// The object form.
    pub object: T,
}

impl<'de: 'a, 'a, T: Deserialize<'de> + Default> Deserialize<'de> for Either<'a, T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(EitherVisitor(PhantomData))
    }
}

struct EitherVisitor<'a, T>(PhantomData<(&'a (), T)>);

impl<'a, T: Default> EitherVisitor<'a, T> {
    fn text<E>(text: Result<Text<'a>, E>) -> Result<Either<'a, T>, E> {
        text.map(|text| Either { text, object: T::default() })
    }
}

impl<'de: 'a, 'a, T: Deserialize<'de> + Default> Visitor<'de> for EitherVisitor<'a, T> {
    type Value = Either<'a, T>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        expecting(f)
    }

    fn visit_borrowed_str<E: Error>(self, text: &'de str) -> Result<Self::Value, E> {
        Self::text(TextVisitor.visit_borrowed_str(text))
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Self::Value, E> {
        Self::text(TextVisitor.visit_str(text))
    }

    fn visit_i64<E: Error>(self, number: i64) -> Result<Self::Value, E> {
        Self::text(TextVisitor.visit_i64(number))
    }

    fn visit_u64<E: Error>(self, number: u64) -> Result<Self::Value, E> {
        Self::text(TextVisitor.visit_u64(number))
    }

    fn visit_f64<E: Error>(self, number: f64) -> Result<Self::Value, E> {
        Self::text(TextVisitor.visit_f64(number))
    }

    fn visit_bool<E: Error>(self, flag: bool) -> Result<Self::Value, E> {
        Self::text(TextVisitor.visit_bool(flag))
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Self::Value, A::Error> {
        let object = T::deserialize(MapAccessDeserializer::new(map))?;
        Ok(Either { text: Text::default(), object })
    }

    absent!(unit seq);
}
