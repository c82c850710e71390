//! What a certificate says of itself: how long it is good, and for which names. Whether anybody trusts it is not its to say.
//!
//! Of X.509 only the way to the validity is read, six elements of DER. A whole parser was not taken: nothing else of it is
//! asked.

use jiff::{Timestamp, civil};
use rustls::{
    CertificateError, client::verify_server_name, pki_types::CertificateDer, pki_types::ServerName,
    server::ParsedCertificate,
};

const SEQUENCE: u8 = 0x30;
const INTEGER: u8 = 0x02;
const UTC_TIME: u8 = 0x17;
const GENERALIZED_TIME: u8 = 0x18;
/// `[0]`, explicit: the version, where it is not 1.
const VERSION: u8 = 0xa0;

/// A server's own certificate.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Certificate {
    /// From when on it is good.
    pub(super) from: Timestamp,
    /// Until when.
    pub(super) until: Timestamp,
    /// Where it is not for the name that was asked for: the names that it is for, as far as they are known.
    pub(super) for_others: Option<Vec<String>>,
}

impl Certificate {
    /// Reads it, as it was shown for `host`; `None` when it is not understood.
    pub(super) fn read(der: &[u8], host: &str) -> Option<Self> {
        let (from, until) = validity(der)?;
        Some(Self { from, until, for_others: for_others(der, host) })
    }
}

fn for_others(der: &[u8], host: &str) -> Option<Vec<String>> {
    let name = ServerName::try_from(host.trim_start_matches('[').trim_end_matches(']')).ok()?;
    let der = CertificateDer::from(der);
    match verify_server_name(&ParsedCertificate::try_from(&der).ok()?, &name) {
        Err(rustls::Error::InvalidCertificate(CertificateError::NotValidForNameContext { presented, .. })) => {
            Some(presented)
        }
        Err(rustls::Error::InvalidCertificate(CertificateError::NotValidForName)) => Some(Vec::new()),
        _ => None,
    }
}

/// notBefore and notAfter of RFC 5280's `Certificate.tbsCertificate.validity`.
fn validity(der: &[u8]) -> Option<(Timestamp, Timestamp)> {
    let (certificate, _) = element(der, SEQUENCE)?;
    let (mut rest, _) = element(certificate, SEQUENCE)?;
    if rest.first() == Some(&VERSION) {
        (_, rest) = element(rest, VERSION)?;
    }
    for tag in [INTEGER, SEQUENCE, SEQUENCE] {
        // The serial number, the signature's algorithm, the issuer.
        (_, rest) = element(rest, tag)?;
    }
    let (validity, _) = element(rest, SEQUENCE)?;
    let (from, rest) = time(validity)?;
    let (until, _) = time(rest)?;
    Some((from, until))
}

/// The content of the element that comes first, and what is behind it; `None` when it is another.
fn element(der: &[u8], tag: u8) -> Option<(&[u8], &[u8])> {
    let (&found, rest) = der.split_first()?;
    let (&first, rest) = rest.split_first()?;
    let (length, rest) = match usize::from(first) {
        short @ 0..=0x7f => (short, rest),
        long => {
            let (digits, rest) =
                rest.split_at_checked(long - 0x80).filter(|(digits, _)| (1..=4).contains(&digits.len()))?;
            (digits.iter().fold(0, |length, digit| length << 8 | usize::from(*digit)), rest)
        }
    };
    rest.split_at_checked(length).filter(|_| found == tag)
}

/// `YYMMDDHHMMSSZ`, where YY from 50 on is of the last century, or `YYYYMMDDHHMMSSZ`.
fn time(der: &[u8]) -> Option<(Timestamp, &[u8])> {
    let (text, rest, century) = match element(der, UTC_TIME) {
        Some((text, rest)) => (text, rest, if text.first()? < &b'5' { "20" } else { "19" }),
        None => element(der, GENERALIZED_TIME).map(|(text, rest)| (text, rest, ""))?,
    };
    let text = format!("{century}{}", std::str::from_utf8(text).ok()?);
    let digits = text.strip_suffix('Z').filter(|text| text.len() == 14 && text.bytes().all(|b| b.is_ascii_digit()))?;
    let year = digits[..4].parse().ok()?;
    let part = |at: usize| digits[at..at + 2].parse::<i8>().ok();
    let at = civil::DateTime::new(year, part(4)?, part(6)?, part(8)?, part(10)?, part(12)?, 0).ok()?;
    Some((at.to_zoned(jiff::tz::TimeZone::UTC).ok()?.timestamp(), rest))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn made(names: &[&str], until_year: i32) -> Vec<u8> {
        let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
        let mut parameters = rcgen::CertificateParams::new(names).unwrap();
        parameters.not_before = rcgen::date_time_ymd(2020, 1, 2);
        parameters.not_after = rcgen::date_time_ymd(until_year, 3, 4);
        parameters.self_signed(&rcgen::KeyPair::generate().unwrap()).unwrap().der().to_vec()
    }

    #[test]
    fn a_certificate_says_how_long_it_is_good_and_for_whom() {
        let read = Certificate::read(&made(&["hooks.example.com"], 2027), "hooks.example.com").unwrap();
        let time = |text: &str| text.parse::<Timestamp>().unwrap();
        assert_eq!((read.from, read.until), (time("2020-01-02T00:00:00Z"), time("2027-03-04T00:00:00Z")));
        assert_eq!(read.for_others, None);
        let far = Certificate::read(&made(&["127.0.0.1"], 2060), "127.0.0.1").unwrap();
        assert_eq!((far.until, far.for_others), (time("2060-03-04T00:00:00Z"), None));
        let other = Certificate::read(&made(&["intranet.example"], 2027), "hooks.example.com").unwrap();
        assert!(other.for_others.unwrap()[0].contains("intranet.example"));
    }

    #[test]
    fn what_is_no_certificate_is_not_read() {
        let good = made(&["a.example"], 2027);
        for end in 0..100 {
            assert_eq!(Certificate::read(&good[..end], "a.example"), None);
        }
        for bad in
            [&[0x30, 0x80][..], &[0x30, 0x84, 0xff, 0xff, 0xff, 0xff], &[0x30, 0x89, 1, 1, 1, 1, 1, 1, 1, 1, 1], b"no"]
        {
            assert_eq!(Certificate::read(bad, "a.example"), None);
        }
    }
}
