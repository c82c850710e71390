//! The free parts of an event: custom data, and the content of custom events.

use jiff::Timestamp;
use serde::{Serialize, Serializer, ser::SerializeMap};
use std::borrow::Cow;
use uuid::Uuid;

/// The value of a member.
#[derive(Debug, Clone, PartialEq)]
pub enum Value<'a> {
    /// A text.
    Text(Cow<'a, str>),
    /// A whole number.
    Int(i64),
    /// A truth value.
    Flag(bool),
    /// A moment.
    Time(Timestamp),
    /// A UUID.
    Uuid(Uuid),
    /// An object.
    Object(Members<'a>),
    /// A list.
    List(Vec<Value<'a>>),
    /// A number as it was written.
    Number(serde_json::Number),
    /// An object whose members others name.
    Named(Vec<(Cow<'a, str>, Value<'a>)>),
}

/// An object whose members keep their order. There is no way to put a null, an empty text, an empty object or an empty
/// list in: what is not known is not said.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Members<'a>(Vec<(&'static str, Value<'a>)>);

impl<'a> Members<'a> {
    /// None yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    fn with(mut self, name: &'static str, value: Option<Value<'a>>) -> Self {
        if let Some(value) = value {
            self.0.push((name, value));
        }
        self
    }

    /// A text, unless empty.
    #[must_use]
    pub fn text(self, name: &'static str, text: Option<impl Into<Cow<'a, str>>>) -> Self {
        let text = text.map(Into::into).filter(|text| !text.is_empty());
        self.with(name, text.map(Value::Text))
    }

    /// A whole number.
    #[must_use]
    pub fn int(self, name: &'static str, number: Option<i64>) -> Self {
        self.with(name, number.map(Value::Int))
    }

    /// A truth value.
    #[must_use]
    pub fn flag(self, name: &'static str, flag: Option<bool>) -> Self {
        self.with(name, flag.map(Value::Flag))
    }

    /// A moment.
    #[must_use]
    pub fn time(self, name: &'static str, moment: Option<Timestamp>) -> Self {
        self.with(name, moment.map(Value::Time))
    }

    /// A UUID.
    #[must_use]
    pub fn uuid(self, name: &'static str, uuid: Option<Uuid>) -> Self {
        self.with(name, uuid.map(Value::Uuid))
    }

    /// An object, unless empty.
    #[must_use]
    pub fn object(self, name: &'static str, members: Members<'a>) -> Self {
        let members = Some(members).filter(|members| !members.is_empty());
        self.with(name, members.map(Value::Object))
    }

    /// An object whose members others name, unless empty.
    #[must_use]
    pub fn named(self, name: &'static str, members: Vec<(Cow<'a, str>, Value<'a>)>) -> Self {
        let members = Some(members).filter(|members| !members.is_empty());
        self.with(name, members.map(Value::Named))
    }

    /// A value that there may be.
    #[must_use]
    pub fn value(self, name: &'static str, value: Option<Value<'a>>) -> Self {
        self.with(name, value)
    }

    /// A list, unless empty.
    #[must_use]
    pub fn list(self, name: &'static str, values: Vec<Value<'a>>) -> Self {
        let values = Some(values).filter(|values| !values.is_empty());
        self.with(name, values.map(Value::List))
    }

    /// A list of the texts that are not empty.
    #[must_use]
    pub fn texts(self, name: &'static str, texts: impl IntoIterator<Item = &'a str>) -> Self {
        let text = |text: &'a str| (!text.is_empty()).then_some(Value::Text(Cow::Borrowed(text)));
        self.list(name, texts.into_iter().filter_map(text).collect())
    }

    /// A list of the objects that are not empty.
    #[must_use]
    pub fn objects(self, name: &'static str, objects: impl IntoIterator<Item = Members<'a>>) -> Self {
        let object = |members: Members<'a>| (!members.is_empty()).then_some(Value::Object(members));
        self.list(name, objects.into_iter().filter_map(object).collect())
    }

    /// Writes them among others.
    pub fn entries<M: SerializeMap>(&self, map: &mut M) -> Result<(), M::Error> {
        self.0.iter().try_for_each(|(name, value)| map.serialize_entry(name, value))
    }

    /// These and then those.
    #[must_use]
    pub fn and(mut self, more: Self) -> Self {
        self.0.extend(more.0);
        self
    }
}

impl Serialize for Members<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(self.0.len()))?;
        self.entries(&mut map)?;
        map.end()
    }
}

impl Serialize for Value<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Text(text) => serializer.serialize_str(text),
            Self::Int(number) => serializer.serialize_i64(*number),
            Self::Flag(flag) => serializer.serialize_bool(*flag),
            Self::Time(moment) => serializer.collect_str(moment),
            Self::Uuid(uuid) => uuid.serialize(serializer),
            Self::Object(members) => members.serialize(serializer),
            Self::List(values) => serializer.collect_seq(values),
            Self::Number(number) => number.serialize(serializer),
            Self::Named(members) => serializer.collect_map(members.iter().map(|(name, value)| (name, value))),
        }
    }
}
