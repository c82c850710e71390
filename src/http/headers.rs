//! The extra headers of a connection, as an object or as the comma-separated list that other forms take.

use super::fields::{HEADER_NAME, HEADER_VALUE};
use crate::app::connections::Secret;
use serde_json::{Value, json};

/// Most extra headers of one connection.
pub const HEADERS_MAX: usize = 20;
/// Longest list.
const LIST_CHARS_MAX: usize = 16_384;
/// Headers that are ours to set.
const OURS: [&str; 5] = ["authorization", "connection", "content-length", "host", "transfer-encoding"];

/// Reads either form. A name that is there twice is sent twice: HTTP allows it, and both may be wanted.
pub fn read(value: Value) -> Result<Vec<(String, Secret)>, String> {
    read_but(&OURS, value)
}

/// The same with other headers that cannot be set.
pub fn read_but(ours: &[&str], value: Value) -> Result<Vec<(String, Secret)>, String> {
    let pairs: Vec<(String, String)> = match value {
        Value::Object(object) => {
            let pair = |(name, value)| match value {
                Value::String(value) => Ok((name, value)),
                _ => Err("must have texts as values".to_owned()),
            };
            object.into_iter().map(pair).collect::<Result<_, _>>()?
        }
        Value::String(list) => listed(&list)?,
        _ => return Err("must be an object, or a list like \"Name: value, Other-Name: value\"".to_owned()),
    };
    if pairs.len() > HEADERS_MAX {
        return Err(format!("must be at most {HEADERS_MAX} headers"));
    }
    let mut headers: Vec<(String, Secret)> = Vec::new();
    for (name, value) in pairs {
        HEADER_NAME.check(&name).map_err(|why| format!("has a name that is not one; it {why}"))?;
        HEADER_VALUE.check(&value).map_err(|why| format!("has a value for {name} that is not one; it {why}"))?;
        if ours.iter().any(|ours| name.eq_ignore_ascii_case(ours)) {
            return Err(format!("cannot set {name}: the gateway does"));
        }
        headers.push((name, value.into()));
    }
    Ok(headers)
}

/// A value with a comma in it needs the object: the list cannot tell it from the next header.
fn listed(list: &str) -> Result<Vec<(String, String)>, String> {
    if list.chars().count() > LIST_CHARS_MAX {
        return Err(format!("must be at most {LIST_CHARS_MAX} characters"));
    }
    if list.trim().is_empty() {
        return Ok(Vec::new());
    }
    let pair = |part: &str| {
        let (name, value) = part.split_once(':').ok_or("must have a colon between each header's name and its value")?;
        Ok((name.trim().to_owned(), value.trim().to_owned()))
    };
    list.split(',').map(pair).collect()
}

/// Both forms, as the document has them.
pub fn schema(nullable: bool) -> Value {
    let mut forms = vec![
        json!({
            "type": "object", "maxProperties": HEADERS_MAX, "propertyNames": HEADER_NAME.schema("A header's name."),
            "additionalProperties": HEADER_VALUE.schema("Its value."),
        }),
        json!({
            "type": "string", "maxLength": LIST_CHARS_MAX,
            "pattern": "^([!#$%&'*+.^_`|~0-9A-Za-z-]{1,100}: ?[!-+.-~]{1,4096}(, ?[!#$%&'*+.^_`|~0-9A-Za-z-]{1,100}: ?[!-+.-~]{1,4096}){0,19})?$",
        }),
    ];
    if nullable {
        forms.push(json!({ "type": "null" }));
    }
    json!({
        "description": "Extra headers of our requests to Azure DevOps, such as those of Cloudflare Access: an object, or a list \
                        with commas. The values are never shown again.",
        "anyOf": forms,
        "examples": [{ "CF-Access-Client-Id": "abc" }, "CF-Access-Client-Id: abc, CF-Access-Client-Secret: def"],
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(value: Value) -> Result<Vec<String>, String> {
        let text = |(name, value): (String, Secret)| format!("{name}={}", *value);
        read(value).map(|headers| headers.into_iter().map(text).collect())
    }

    #[test]
    fn an_object_and_a_list_say_the_same() {
        let both = vec!["CF-Access-Client-Id=abc".to_owned(), "CF-Access-Client-Secret=def:g".to_owned()];
        let list = json!("CF-Access-Client-Id: abc, CF-Access-Client-Secret:def:g");
        assert_eq!(names(list).unwrap(), both);
        let object = json!({ "CF-Access-Client-Id": "abc", "CF-Access-Client-Secret": "def:g" });
        assert_eq!(names(object).unwrap(), both);
        assert_eq!(names(json!(" ")).unwrap(), Vec::<String>::new());
    }

    #[test]
    fn what_is_no_header_is_named() {
        for (value, part) in [
            (json!("a"), "colon"),
            (json!("a b: c"), "name"),
            (json!("a:"), "value for a"),
            (json!({ "a": 1 }), "texts"),
            (json!({ "a": "b\r\nc: d" }), "value for a"),
            (json!({ "Authorization": "x" }), "the gateway does"),
            (json!(7), "must be an object"),
        ] {
            let error = names(value.clone()).unwrap_err();
            assert!(error.contains(part), "{value}: {error}");
        }
    }
}
