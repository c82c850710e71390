//! What Azure DevOps says of a delivery that failed, made into what can be done about it. Pure.

/// What Azure's text about a delivery that failed comes down to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Heard {
    /// This status was answered.
    Status(u16),
    /// The certificate was not accepted.
    Tls,
    /// The name was not known.
    Name,
    /// There was no answer in time.
    Silence,
    /// No connection.
    Connect,
    /// Something else.
    Other,
}

/// The text is .NET's and in the server's language; what is not understood is repeated as it is.
pub(super) fn heard(text: &str) -> Heard {
    let lower = text.to_ascii_lowercase();
    let says = |words: &[&str]| words.iter().any(|word| lower.contains(word));
    if let Some(status) = status(text) {
        Heard::Status(status)
    } else if says(&["certificate", "ssl", "tls", "trust relationship", "secure channel"]) {
        Heard::Tls
    } else if says(&[
        "could not be resolved",
        "no such host",
        "name or service not known",
        "dns error",
        "name resolution",
    ]) {
        Heard::Name
    } else if says(&["in time", "timed out", "timeout", "was canceled"]) {
        Heard::Silence
    } else if says(&["refused", "unable to connect", "could not be reached", "unreachable"]) {
        Heard::Connect
    } else {
        Heard::Other
    }
}

/// A number of three digits from 300 to 599 that stands alone: a port has a colon before it.
fn status(text: &str) -> Option<u16> {
    let is_edge = |c: Option<char>| c.is_none_or(|c| !c.is_alphanumeric() && !":.-_/".contains(c));
    let digits = text.char_indices().filter(|(_, c)| c.is_ascii_digit());
    digits.map(|(at, _)| at).find_map(|at| {
        let number = text.get(at..at + 3)?;
        let alone = is_edge(text[..at].chars().next_back()) && is_word_end(&text[at + 3..]);
        number.parse().ok().filter(|status| alone && (300..600).contains(status))
    })
}

fn is_word_end(rest: &str) -> bool {
    rest.chars().next().is_none_or(|c| !c.is_alphanumeric())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_azure_says_of_a_failed_delivery_is_understood() {
        for (text, meaning) in [
            ("Unauthorized (401)", Heard::Status(401)),
            ("Response status code does not indicate success: 404 (Not Found).", Heard::Status(404)),
            ("Found (302)", Heard::Status(302)),
            ("The remote name could not be resolved: 'hooks.example.com'", Heard::Name),
            ("Could not establish trust relationship for the SSL/TLS secure channel.", Heard::Tls),
            (
                "the receiver could not be reached: client error (Connect): invalid peer certificate: Expired",
                Heard::Tls,
            ),
            ("the receiver could not be reached: tcp connect error: Connection refused (os error 111)", Heard::Connect),
            ("No connection could be made because the target machine actively refused it 10.0.0.1:443", Heard::Connect),
            ("The operation has timed out.", Heard::Silence),
            ("Etwas anderes ging schief", Heard::Other),
            ("12345 and 4015", Heard::Other),
        ] {
            assert_eq!(heard(text), meaning, "{text}");
        }
    }
}
