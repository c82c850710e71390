//! Half surrogate pairs: .NET cuts UTF-16 texts wherever a limit falls, and writes what is left as `\ud83d`. That is
//! JSON by its grammar but no text, so it would make the whole body unreadable.

use std::borrow::Cow;

/// The escape that stands for "a character was here".
const REPLACEMENT: &str = "\\ufffd";

/// Bytes of `\uXXXX`.
const ESCAPE_BYTES: usize = 6;

/// The same JSON text with every half pair replaced; borrowed when there is none.
pub(super) fn mended(text: &str) -> Cow<'_, str> {
    let mut out = String::new();
    let (mut copied, mut at) = (0, 0);
    while let Some(found) = text.get(at..).and_then(|rest| rest.find('\\')) {
        let escape = at + found;
        at = match unit(text, escape) {
            // Any other escape is two bytes long, or four more that hold no backslash.
            None => escape + 2,
            Some(0xD800..=0xDBFF) if matches!(unit(text, escape + ESCAPE_BYTES), Some(0xDC00..=0xDFFF)) => {
                escape + 2 * ESCAPE_BYTES
            }
            Some(0xD800..=0xDFFF) => {
                out.push_str(&text[copied..escape]);
                out.push_str(REPLACEMENT);
                copied = escape + ESCAPE_BYTES;
                copied
            }
            Some(_) => escape + ESCAPE_BYTES,
        };
    }
    if copied == 0 {
        return Cow::Borrowed(text);
    }
    out.push_str(&text[copied..]);
    Cow::Owned(out)
}

/// The UTF-16 unit that a `\uXXXX` at this place stands for.
fn unit(text: &str, at: usize) -> Option<u16> {
    let digits = text.get(at..at + ESCAPE_BYTES)?.strip_prefix("\\u")?;
    u16::from_str_radix(digits, 16).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn half_pairs_are_replaced_and_nothing_else_is() {
        for (text, expected) in [
            (r#""plain""#, r#""plain""#),
            (r#""\ud83d\ude00 \u00e9 \\ud83d \n""#, r#""\ud83d\ude00 \u00e9 \\ud83d \n""#),
            (r#""cut \ud83d""#, r#""cut \ufffd""#),
            (r#""\ude00\ud83d\ud83d\ude00""#, r#""\ufffd\ufffd\ud83d\ude00""#),
            (r#""\uD83D\n é\"#, r#""\ufffd\n é\"#),
            (r#""\u12"#, r#""\u12"#),
        ] {
            assert_eq!(mended(text), expected, "{text}");
        }
    }
}
