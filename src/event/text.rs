//! `CloudEvents` calls text a String when it has no control characters and no noncharacters.
//!
//! Source: `CloudEvents` 1.0.2, "Type System": U+0000 to U+001F, U+007F to U+009F and noncharacters are disallowed, and
//! surrogates, which no text of Rust has.

use std::{borrow::Cow, fmt::Write as _};

/// The same text where it is one already. Else what is disallowed is percent-encoded, and with it every `%`, so that what
/// was sent can be read back and two such texts never become the same.
///
/// Not promised: that no text with a literal `%0D` is there beside one with a carriage return. What was allowed stays as it
/// is, because consumers know it by that.
pub(super) fn string(text: &str) -> Cow<'_, str> {
    if text.chars().all(is_allowed) {
        return Cow::Borrowed(text);
    }
    let mut encoded = String::with_capacity(text.len() + 16);
    for one in text.chars() {
        if is_allowed(one) && one != '%' {
            encoded.push(one);
        } else {
            for byte in one.encode_utf8(&mut [0; 4]).bytes() {
                let _ = write!(encoded, "%{byte:02X}");
            }
        }
    }
    Cow::Owned(encoded)
}

fn is_allowed(one: char) -> bool {
    let code = u32::from(one);
    let is_nothing = code & 0xFFFE == 0xFFFE || (0xFDD0..=0xFDEF).contains(&code);
    !one.is_control() && !is_nothing
}

#[cfg(test)]
mod tests {
    use super::*;
    use percent_encoding::percent_decode_str;
    use std::collections::BTreeSet;

    #[test]
    fn what_is_allowed_stays_as_it_is() {
        for text in ["", "wit/workItems/7", "git/refs/heads/100%25 ä\u{a0}日本\u{1f600}", "%0D"] {
            assert!(matches!(string(text), Cow::Borrowed(same) if same == text), "{text:?}");
        }
    }

    #[test]
    fn what_is_disallowed_is_encoded_and_can_be_read_back() {
        let mut seen = BTreeSet::new();
        let disallowed =
            (0..=0x1f).chain(0x7f..=0x9f).chain(0xfdd0..=0xfdef).chain([0xfffe, 0xffff, 0x1_fffe, 0x10_ffff]);
        for one in disallowed.map(|code| char::from_u32(code).unwrap()) {
            for text in [format!("a{one}"), format!("a%{one}b"), format!("a%25{one}b")] {
                let clean = string(&text).into_owned();
                assert!(clean.chars().all(is_allowed), "{text:?} became {clean:?}");
                assert_eq!(percent_decode_str(&clean).decode_utf8().unwrap(), text);
                assert!(seen.insert(clean), "two became the same: {text:?}");
            }
        }
        assert_eq!(
            string("git/repositories/ - test2\r\n/pullRequests/77"),
            "git/repositories/ - test2%0D%0A/pullRequests/77"
        );
    }
}
