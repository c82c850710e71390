//! The bounds of every text that a client may send: the document and the reader take them from the same constants, so
//! what is documented is what is enforced.

use serde_json::{Value, json};

/// What a text may be.
pub struct Text {
    chars_min: usize,
    chars_max: usize,
    /// As the document says it.
    pattern: &'static str,
    /// The same as code.
    allows: fn(&str) -> bool,
    /// The same for people.
    words: &'static str,
}

const NO_CONTROL: &str = r"^[^\x00-\x1f\x7f-\x9f]*$";

/// What people call something.
pub const NAME: Text = plain(1, 100);
/// A project, repository or pipeline of Azure DevOps, by id or name.
pub const AZURE_REF: Text = plain(1, 256);
/// An area path.
pub const AREA_PATH: Text = plain(1, 400);
/// A work item type.
pub const WORK_ITEM_TYPE: Text = plain(1, 128);
/// What something is for; lines are welcome.
pub const DESCRIPTION: Text =
    Text { chars_min: 0, chars_max: 2_000, pattern: "", allows: |_| true, words: "any characters" };
/// A credential.
pub const SECRET: Text = visible(1, 4_096);
/// A relay's signature secret.
pub const SIGNATURE_SECRET: Text = visible(16, 256);
/// A branch or the beginning of one, by the rules of git.
pub const BRANCH: Text = Text {
    chars_min: 1,
    chars_max: 250,
    pattern: r"^[^\x00-\x20\x7f-\x9f~^:?*\[\\]+$",
    allows: |text| !text.chars().any(|c| c.is_control() || " ~^:?*[\\".contains(c)),
    words: r"no spaces, control characters or any of ~ ^ : ? * [ \",
};
/// The name of one of our projects or environments.
pub const SLUG: Text = Text {
    chars_min: 1,
    chars_max: 63,
    pattern: "^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$",
    allows: |text| text.parse::<crate::domain::Slug>().is_ok(),
    words: "a-z, 0-9 and inner hyphens",
};
/// A GUID.
pub const GUID: Text = Text {
    chars_min: 36,
    chars_max: 36,
    pattern: "^[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{12}$",
    allows: |text| uuid::Uuid::try_parse(text).is_ok(),
    words: "a GUID with its hyphens",
};
/// A header's name.
pub const HEADER_NAME: Text = Text {
    chars_min: 1,
    chars_max: 100,
    pattern: r"^[!#$%&'*+.^_`|~0-9A-Za-z-]+$",
    allows: |text| text.bytes().all(|b| b.is_ascii_alphanumeric() || b"!#$%&'*+.^_`|~-".contains(&b)),
    words: "letters, digits and hyphens",
};
/// A header's value.
pub const HEADER_VALUE: Text = Text {
    chars_min: 1,
    chars_max: 4_096,
    pattern: "^[!-~]([ -~]*[!-~])?$",
    allows: |text| text.trim() == text && text.bytes().all(|b| (b' '..=b'~').contains(&b)),
    words: "visible ASCII characters and inner spaces",
};

const fn plain(chars_min: usize, chars_max: usize) -> Text {
    let allows: fn(&str) -> bool = |text| !text.chars().any(char::is_control);
    Text { chars_min, chars_max, pattern: NO_CONTROL, allows, words: "no control characters" }
}

const fn visible(chars_min: usize, chars_max: usize) -> Text {
    let allows: fn(&str) -> bool = |text| text.bytes().all(|b| b.is_ascii_graphic());
    Text { chars_min, chars_max, pattern: "^[!-~]+$", allows, words: "visible ASCII characters without spaces" }
}

impl Text {
    /// What is wrong with a text, if anything.
    pub fn check(&self, text: &str) -> Result<(), String> {
        let chars = text.chars().count();
        if (self.chars_min..=self.chars_max).contains(&chars) && (self.allows)(text) {
            return Ok(());
        }
        let Self { chars_min, chars_max, words, .. } = self;
        let length = if chars_min == chars_max { chars_max.to_string() } else { format!("{chars_min} to {chars_max}") };
        Err(format!("must be {length} characters: {words}"))
    }

    /// As the document has it.
    pub fn schema(&self, description: &str) -> Value {
        let mut schema = json!({
            "type": "string", "description": description, "minLength": self.chars_min, "maxLength": self.chars_max,
        });
        if !self.pattern.is_empty() {
            schema["pattern"] = self.pattern.into();
        }
        schema
    }

    /// As the document has it where `null` takes the value away or leaves it out.
    pub fn nullable(&self, description: &str) -> Value {
        let mut schema = self.schema(description);
        schema["type"] = json!(["string", "null"]);
        schema
    }
}

/// An object that takes these members and no others.
pub fn closed(required: &[&str], properties: &Value) -> Value {
    let mut schema = json!({ "type": "object", "additionalProperties": false, "properties": properties });
    if !required.is_empty() {
        schema["required"] = json!(required);
    }
    schema
}

/// A list without repetitions.
pub fn list(items: &Value, items_max: usize, description: &str) -> Value {
    json!({ "type": "array", "items": items, "maxItems": items_max, "uniqueItems": true, "description": description })
}
