//! Binary mode: the `CloudEvent`'s attributes as headers, its data as the body, byte for byte.

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, header};
use serde_json::value::RawValue;
use std::{collections::BTreeMap, fmt::Write as _};

/// Puts the attributes into `headers` and answers the data; `None` when it is no `CloudEvent` that can be sent so.
pub(in crate::sink) fn parts(json: &Bytes, headers: &mut HeaderMap) -> Option<Bytes> {
    let event: BTreeMap<&str, &RawValue> = serde_json::from_slice(json).ok()?;
    let mut body = Bytes::new();
    for (name, value) in event {
        match name {
            "data" => body = Bytes::copy_from_slice(value.get().as_bytes()),
            "datacontenttype" => {
                let text: String = serde_json::from_str(value.get()).ok()?;
                headers.insert(header::CONTENT_TYPE, HeaderValue::from_str(&text).ok()?);
            }
            name => {
                let text = match serde_json::from_str(value.get()).ok()? {
                    serde_json::Value::String(text) => text,
                    serde_json::Value::Null => continue,
                    other => other.to_string(),
                };
                let name: HeaderName = format!("ce-{name}").parse().ok()?;
                headers.insert(name, HeaderValue::from_str(&encoded(&text)).ok()?);
            }
        }
    }
    Some(body)
}

/// As the HTTP binding has it: visible ASCII as it is, but for the quotation mark and the per cent sign; everything else
/// as the per cent signs and upper-case hexadecimal of its UTF-8.
fn encoded(text: &str) -> String {
    text.bytes().fold(String::with_capacity(text.len()), |mut encoded, byte| {
        if (0x21..=0x7e).contains(&byte) && byte != b'"' && byte != b'%' {
            encoded.push(byte.into());
        } else {
            let _ = write!(encoded, "%{byte:02X}");
        }
        encoded
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn attributes_become_headers_and_the_data_keeps_its_bytes() {
        let json = Bytes::from_static(
            r#"{"sequence":"01","specversion":"1.0","id":"a","subject":"heads/ß \"x\" 5%","datacontenttype":"application/json","n":7,"data":{"b" : [1,2]}}"#
                .as_bytes(),
        );
        let mut headers = HeaderMap::new();
        assert_eq!(parts(&json, &mut headers).unwrap(), r#"{"b" : [1,2]}"#);
        for (name, value) in [
            ("ce-sequence", "01"),
            ("ce-specversion", "1.0"),
            ("ce-id", "a"),
            ("ce-subject", "heads/%C3%9F%20%22x%22%205%25"),
            ("ce-n", "7"),
            ("content-type", "application/json"),
        ] {
            assert_eq!(headers[name], value, "{name}");
        }
        assert_eq!(headers.len(), 6);
    }

    #[test]
    fn a_line_break_in_an_attribute_is_no_new_header() {
        let mut headers = HeaderMap::new();
        let json = Bytes::from_static(br#"{"subject":"a\r\nX-B: b","data":1}"#);
        parts(&json, &mut headers).unwrap();
        assert_eq!(headers["ce-subject"], "a%0D%0AX-B:%20b");
        assert!(parts(&Bytes::from_static(b"[]"), &mut HeaderMap::new()).is_none());
    }
}
