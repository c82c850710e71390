//! Reads the members of a JSON object and collects everything that is wrong with them, where serde would stop at the
//! first.

use super::{
    fields::Text,
    problem::{FieldError, Kind, Problem},
};
use serde_json::{Map, Value};
use uuid::Uuid;

/// An object being read: each member is taken out once; what is left at the end is unknown.
pub struct Members {
    object: Map<String, Value>,
    /// Pointer of the object itself.
    at: String,
    known: Vec<&'static str>,
    errors: Vec<FieldError>,
}

/// A member as it was sent: absent, `null`, or there.
pub type Given<T> = Option<Option<T>>;

impl Members {
    /// From a body.
    pub fn parse(body: &[u8]) -> Result<Self, Problem> {
        let value = serde_json::from_slice(body).map_err(|e| {
            Problem::because(
                Kind::BadRequest,
                format!("the body is not JSON: line {}, column {}", e.line(), e.column()),
            )
        })?;
        Self::of(value, String::new()).map_err(|error| Problem::listing(Kind::InvalidBody, vec![error]))
    }

    fn of(value: Value, at: String) -> Result<Self, FieldError> {
        match value {
            Value::Object(object) => Ok(Self { object, at, known: Vec::new(), errors: Vec::new() }),
            _ => Err(FieldError::member(at, "must be an object")),
        }
    }

    /// Notes that a member is wrong.
    pub fn wrong(&mut self, name: &str, detail: impl Into<String>) {
        let escaped = name.replace('~', "~0").replace('/', "~1");
        self.errors.push(FieldError::member(format!("{}/{escaped}", self.at), detail));
    }

    /// A member in any form.
    pub fn take(&mut self, name: &'static str) -> Given<Value> {
        self.known.push(name);
        self.object.remove(name).map(|value| if value.is_null() { None } else { Some(value) })
    }

    /// Whether a member that was not read yet is there, and not `null`.
    pub fn is_given(&self, name: &str) -> bool {
        self.object.get(name).is_some_and(|value| !value.is_null())
    }

    /// A member that `read` understands, or says why not.
    pub fn read<T>(&mut self, name: &'static str, read: impl FnOnce(Value) -> Result<T, String>) -> Given<T> {
        match self.take(name)? {
            None => Some(None),
            Some(value) => match read(value) {
                Ok(read) => Some(Some(read)),
                Err(detail) => {
                    self.wrong(name, detail);
                    None
                }
            },
        }
    }

    /// A text.
    pub fn text(&mut self, name: &'static str, bounds: &Text) -> Given<String> {
        self.read(name, |value| text(value, bounds))
    }

    /// A GUID.
    pub fn guid(&mut self, name: &'static str) -> Given<Uuid> {
        let text = self.text(name, &super::fields::GUID)?;
        Some(text.and_then(|text| text.parse().ok()))
    }

    /// A list of texts, none twice.
    pub fn texts(&mut self, name: &'static str, bounds: &Text, items_max: usize) -> Given<Vec<String>> {
        let list = self.read(name, |value| match value {
            Value::Array(list) if list.len() <= items_max => Ok(list),
            Value::Array(_) => Err(format!("must have at most {items_max} elements")),
            _ => Err("must be a list".to_owned()),
        })?;
        let Some(list) = list else { return Some(None) };
        let mut texts: Vec<String> = Vec::new();
        for (at, value) in list.into_iter().enumerate() {
            match text(value, bounds) {
                Ok(text) if texts.contains(&text) => self.wrong_in(name, at, "is there twice"),
                Ok(text) => texts.push(text),
                Err(detail) => self.wrong_in(name, at, &detail),
            }
        }
        Some(Some(texts))
    }

    fn wrong_in(&mut self, name: &str, at: usize, detail: &str) {
        self.errors.push(FieldError::member(format!("{}/{name}/{at}", self.at), detail));
    }

    /// An object, read by `read`, which leaves what is wrong in the object it was given.
    pub fn object<T>(&mut self, name: &'static str, read: impl FnOnce(&mut Self) -> T) -> Given<T> {
        let Some(value) = self.take(name)? else { return Some(None) };
        match Self::of(value, format!("{}/{name}", self.at)) {
            Ok(mut object) => {
                let value = read(&mut object);
                self.errors.append(&mut object.all_errors());
                Some(Some(value))
            }
            Err(error) => {
                self.errors.push(error);
                None
            }
        }
    }

    /// Lays an object that is given over what is there (RFC 7396), so that it reads as the whole.
    pub fn over(&mut self, name: &str, there: Value) {
        if let Some(given) = self.object.get_mut(name).filter(|given| given.is_object()) {
            *given = merged(there, given.take());
        }
    }

    /// A list of objects, each read by `read`, which leaves what is wrong in the object it was given.
    pub fn objects<T>(
        &mut self,
        name: &'static str,
        items_max: usize,
        mut read: impl FnMut(&mut Self) -> T,
    ) -> Given<Vec<T>> {
        let list = self.read(name, |value| match value {
            Value::Array(list) if list.len() <= items_max => Ok(list),
            Value::Array(_) => Err(format!("must have at most {items_max} elements")),
            _ => Err("must be a list".to_owned()),
        })?;
        let Some(list) = list else { return Some(None) };
        let mut all = Vec::new();
        for (at, value) in list.into_iter().enumerate() {
            match Self::of(value, format!("{}/{name}/{at}", self.at)) {
                Ok(mut object) => {
                    all.push(read(&mut object));
                    self.errors.append(&mut object.all_errors());
                }
                Err(error) => self.errors.push(error),
            }
        }
        Some(Some(all))
    }

    /// The value of a member that must be there.
    pub fn required<T>(&mut self, name: &'static str, given: Given<T>) -> Option<T> {
        let noted = self.errors.iter().any(|e| e.pointer.as_deref() == Some(&format!("{}/{name}", self.at)));
        let value = given.flatten();
        if value.is_none() && !noted {
            self.wrong(name, "is required");
        }
        value
    }

    /// The value of a member that may be left out or changed but not taken away.
    pub fn not_null<T>(&mut self, name: &'static str, given: Given<T>) -> Option<T> {
        if matches!(given, Some(None)) {
            self.wrong(name, "cannot be null");
        }
        given.flatten()
    }

    fn all_errors(&mut self) -> Vec<FieldError> {
        let unknown: Vec<String> = self.object.keys().take(20).map(|name| name.chars().take(100).collect()).collect();
        let known = self.known.join(", ");
        for name in unknown {
            self.wrong(&name, format!("is not a member; the known ones are: {known}"));
        }
        std::mem::take(&mut self.errors)
    }

    /// Everything that is wrong, or nothing.
    pub fn finish(mut self) -> Result<(), Problem> {
        let mut errors = self.all_errors();
        errors.truncate(200);
        if errors.is_empty() { Ok(()) } else { Err(Problem::listing(Kind::InvalidBody, errors)) }
    }
}

fn merged(there: Value, given: Value) -> Value {
    let Value::Object(given) = given else { return given };
    let mut whole = if let Value::Object(there) = there { there } else { Map::new() };
    for (name, value) in given {
        if value.is_null() {
            whole.remove(&name);
        } else {
            let before = whole.remove(&name).unwrap_or_default();
            whole.insert(name, merged(before, value));
        }
    }
    Value::Object(whole)
}

fn text(value: Value, bounds: &Text) -> Result<String, String> {
    let Value::String(text) = value else { return Err("must be a text".to_owned()) };
    bounds.check(&text).map(|()| text)
}
