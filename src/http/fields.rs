//! The bounds of every text that a client may send: the document and the reader take them from the same constants, so
//! what is documented is what is enforced.

use crate::{app::connections::CA_BUNDLE_BYTES_MAX, azure::client::CERTIFICATE_BYTES_MAX};
use serde_json::{Value, json};
use url::Url;

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

/// Names of hosts that are taken for sure, with a port.
macro_rules! host {
    () => {
        r"[A-Za-z][A-Za-z0-9]{0,30}(-[A-Za-z0-9]{1,30})?(\.[A-Za-z][A-Za-z0-9]{0,30}(-[A-Za-z0-9]{1,30})?){0,3}(:[1-9][0-9]{0,3})?"
    };
}

const NO_CONTROL: &str = r"^[^\x00-\x1f\x7f-\x9f]*$";

/// What people call something.
pub const NAME: Text = plain(1, 100);
/// A project, repository or pipeline of Azure DevOps, by id or name.
pub const AZURE_REF: Text = plain(1, 256);
/// A repository of Azure DevOps, by id, name or address.
pub const REPOSITORY: Text = plain(1, 2_048);
/// An area path.
pub const AREA_PATH: Text = plain(1, 400);
/// A work item type.
pub const WORK_ITEM_TYPE: Text = plain(1, 128);
/// A state of work items.
pub const STATE: Text = plain(1, 128);
/// A field of work items, by its reference name.
pub const FIELD: Text = Text {
    chars_min: 1,
    chars_max: 128,
    pattern: "^[A-Za-z0-9_.-]+$",
    allows: |text| text.bytes().all(|b| b.is_ascii_alphanumeric() || b"_.-".contains(&b)),
    words: "a reference name like System.Title",
};
/// What something is for; lines are welcome.
pub const DESCRIPTION: Text =
    Text { chars_min: 0, chars_max: 2_000, pattern: "", allows: |_| true, words: "any characters" };
/// A credential.
pub const SECRET: Text = visible(1, 4_096);
/// An Entra tenant.
pub const TENANT: Text = Text {
    chars_min: 1,
    chars_max: 253,
    pattern: "^[A-Za-z0-9]([A-Za-z0-9.-]{0,251}[A-Za-z0-9])?$",
    allows: |text| {
        let inner = |b: u8| b.is_ascii_alphanumeric() || b == b'.' || b == b'-';
        text.bytes().all(inner) && !text.starts_with(['.', '-']) && !text.ends_with(['.', '-'])
    },
    words: "a tenant's GUID or domain",
};
/// Where a service principal's tokens come from.
pub const AUTHORITY: Text = Text {
    chars_min: 1,
    chars_max: 500,
    pattern: concat!("^https?://", host!(), "/?$"),
    allows: |text| is_origin(text) && !text.contains('@'),
    words: "a URL like https://login.microsoftonline.us, without a path",
};
/// A proxy. The pattern has the forms that are taken for sure; a password may have more in it, percent-encoded.
pub const PROXY: Text = Text {
    chars_min: 1,
    chars_max: 1_000,
    pattern: concat!("^https?://([A-Za-z0-9._~-]{1,64}(:[A-Za-z0-9._~-]{1,128})?@)?", host!(), "/?$"),
    allows: is_origin,
    words: "a URL like http://user:password@proxy.example:3128, without a path",
};
/// Certificates.
pub const CA_BUNDLE: Text = Text {
    chars_min: 1,
    chars_max: CA_BUNDLE_BYTES_MAX,
    pattern: r"^[\t\n\r -~]+$",
    allows: |text| text.bytes().all(|b| matches!(b, b'\t' | b'\n' | b'\r' | b' '..=b'~')),
    words: "certificates in PEM",
};
/// A private key and its certificate.
pub const CERTIFICATE: Text =
    Text { chars_max: CERTIFICATE_BYTES_MAX, words: "a private key and its certificate in PEM", ..CA_BUNDLE };
/// A part of a name to look for.
pub const SEARCH: Text = plain(1, 2_048);
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
/// A moment.
pub const TIME: Text = Text {
    chars_min: 20,
    chars_max: 40,
    pattern: r"^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]{1,9})?(Z|[+-][0-9]{2}:[0-9]{2})$",
    allows: |text| text.parse::<jiff::Timestamp>().is_ok(),
    words: "a time like 2026-11-22T10:00:00Z",
};
/// A place in a log, as `next` gives it.
pub const CURSOR: Text = Text {
    chars_min: 1,
    chars_max: 64,
    pattern: "^[A-Za-z0-9_-]+$",
    allows: |text| text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_' || b == b'-'),
    words: "a cursor as next gives it",
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

/// A URL that names a server and nothing on it.
fn is_origin(text: &str) -> bool {
    let bare = |url: &Url| url.path() == "/" && url.query().is_none() && url.fragment().is_none();
    let known = |url: &Url| matches!(url.scheme(), "https" | "http") && url.has_host();
    text.bytes().all(|b| b.is_ascii_graphic()) && Url::parse(text).is_ok_and(|url| known(&url) && bare(&url))
}

impl Text {
    /// So many characters, least and most; what they may be for the document, for the reader and for people.
    pub const fn new(
        chars: (usize, usize),
        pattern: &'static str,
        allows: fn(&str) -> bool,
        words: &'static str,
    ) -> Self {
        Self { chars_min: chars.0, chars_max: chars.1, pattern, allows, words }
    }

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
