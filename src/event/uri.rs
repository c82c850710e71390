//! Addresses that hold against RFC 3986, made of those that Azure DevOps sends: names with spaces and letters outside
//! ASCII stand raw in some of them, and a raw space makes the whole event invalid (`format: uri`).

use std::borrow::Cow;
use url::Url;

/// The address with whatever RFC 3986 does not allow percent-encoded; nothing when it is no http address. A user name
/// is left out (`https://org@dev.azure.com/…`): it says nothing, and what stands there could be a secret.
pub fn uri(text: &str) -> Option<Cow<'_, str>> {
    let text = text.trim();
    let (scheme, rest) = text.split_once("://")?;
    if !scheme.eq_ignore_ascii_case("https") && !scheme.eq_ignore_ascii_case("http") {
        return None;
    }
    let (authority, path) = rest.split_at(rest.find(['/', '?', '#']).unwrap_or(rest.len()));
    let host = authority.rsplit_once('@').map_or(authority, |(_, host)| host);
    if !plain_host(host) && Url::parse(&format!("https://{host}/")).ok()?.host_str()? != bare(host) {
        return None;
    }
    match escaped(path) {
        Cow::Borrowed(_) if host.len() == authority.len() => Some(Cow::Borrowed(text)),
        path => Some(Cow::Owned(format!("{scheme}://{host}{path}"))),
    }
}

/// What follows the host, percent-encoded where RFC 3986 asks for it.
pub fn escaped(text: &str) -> Cow<'_, str> {
    let bytes = text.as_bytes();
    let mut fragment = false;
    let mut allowed = |at: usize| match bytes[at] {
        b'%' => bytes.get(at + 1..at + 3).is_some_and(|digits| digits.iter().all(u8::is_ascii_hexdigit)),
        b'#' => !std::mem::replace(&mut fragment, true),
        byte => byte.is_ascii_alphanumeric() || b"-._~!$&'()*+,;=:@/?".contains(&byte),
    };
    let Some(first) = (0..bytes.len()).find(|at| !allowed(*at)) else { return Cow::Borrowed(text) };
    let mut out = String::with_capacity(text.len() + 16);
    out.push_str(&text[..first]);
    encode(&mut out, bytes[first]);
    for (at, byte) in bytes.iter().enumerate().skip(first + 1) {
        if allowed(at) { out.push(char::from(*byte)) } else { encode(&mut out, *byte) }
    }
    Cow::Owned(out)
}

fn encode(out: &mut String, byte: u8) {
    const DIGITS: &[u8; 16] = b"0123456789ABCDEF";
    out.push('%');
    out.push(char::from(DIGITS[usize::from(byte >> 4)]));
    out.push(char::from(DIGITS[usize::from(byte & 15)]));
}

/// A name or IPv4 address, perhaps with a port: nearly every host there is.
fn plain_host(host: &str) -> bool {
    let (name, port) = host.split_once(':').unwrap_or((host, ""));
    !name.is_empty()
        && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-._".contains(&byte))
        && port.len() <= 5
        && port.bytes().all(|byte| byte.is_ascii_digit())
}

/// The host without its port, for an IPv6 address.
fn bare(host: &str) -> &str {
    host.find(']').map_or(host, |end| &host[..=end])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_taken_escaped_or_refused() {
        for (text, expected) in [
            ("https://dev.azure.com/org/_git/repo", Some("https://dev.azure.com/org/_git/repo")),
            (
                "https://dev.azure.com/org/My Project/_git/Größe",
                Some("https://dev.azure.com/org/My%20Project/_git/Gr%C3%B6%C3%9Fe"),
            ),
            ("https://dev.azure.com/a%20b/50%/c#d#e", Some("https://dev.azure.com/a%20b/50%25/c#d%23e")),
            ("https://org@dev.azure.com/org/x", Some("https://dev.azure.com/org/x")),
            ("https://user:secret@host:8080/a[1]|b", Some("https://host:8080/a%5B1%5D%7Cb")),
            ("http://[::1]:8080/tfs", Some("http://[::1]:8080/tfs")),
            ("https://host?q=a b", Some("https://host?q=a%20b")),
            ("https:///nothing", None),
            ("https://bad host/x", None),
            ("https://[::zz]/x", None),
            ("vstfs:///Build/Build/1", None),
            ("git@ssh.dev.azure.com:v3/org/p/r", None),
            ("", None),
        ] {
            assert_eq!(uri(text).as_deref(), expected, "{text}");
        }
    }
}
