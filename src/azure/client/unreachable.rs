//! Why nothing came back at all, in words and without what was sent.

use super::{Failure, Unreachable, descriptors};
use std::{error::Error, io};

/// Says what failed on the way to `host`. A call that got no whole answer may have arrived all the same.
pub(super) fn unreachable(error: &reqwest::Error, host: &str, by_proxy: bool) -> Failure {
    let (at, words) = place(error, by_proxy);
    if at == Unreachable::Descriptors {
        return Failure::Unreachable { at, detail: words };
    }
    let proxy = if by_proxy && at != Unreachable::Proxy { " through the proxy" } else { "" };
    Failure::Unreachable { at, detail: format!("{host} cannot be reached{proxy}: {words}") }
}

/// The same without a proxy, in words alone.
pub(crate) fn unreachable_words(error: &reqwest::Error, host: &str) -> String {
    match place(error, false) {
        (Unreachable::Descriptors, words) => words,
        (_, words) => format!("{host} cannot be reached: {words}"),
    }
}

/// The TLS error that it came of, if it did.
pub fn tls_error(error: &reqwest::Error) -> Option<&rustls::Error> {
    std::iter::successors(error.source(), |error| next(*error)).find_map(tls)
}

/// Where it failed, and how, in words without what was sent.
pub fn place(error: &reqwest::Error, by_proxy: bool) -> (Unreachable, String) {
    let chain = || std::iter::successors(error.source(), |error| next(*error));
    if let Some(tls) = tls_error(error) {
        return (Unreachable::Tls, words_of_tls(tls));
    }
    // A name server's client says only that it failed, so it is asked of the system too where no connection came about.
    if (error.is_connect() || error.is_builder()) && descriptors::used_up(error.source()) {
        return (Unreachable::Descriptors, descriptors::USED_UP.to_owned());
    }
    // The tunnel's own error type is private to the HTTP library; its text is all there is.
    if let Some(tunnel) = chain().map(ToString::to_string).find(|text| text.starts_with("tunnel error")) {
        let refused = if tunnel.contains("authorization required") {
            "the proxy wants to know who we are; give its URL with user name and password".to_owned()
        } else if let Some(words) = chain().find_map(of_the_system) {
            format!("the proxy: {words}")
        } else {
            format!("the proxy does not let us through ({})", tunnel.trim_start_matches("tunnel error: "))
        };
        return (Unreachable::Proxy, refused);
    }
    if error.is_timeout() && !error.is_connect() {
        return (Unreachable::Silent, "it did not answer in time".to_owned());
    }
    if error.is_connect() {
        let at = if by_proxy { Unreachable::Proxy } else { Unreachable::Connect };
        let subject = if by_proxy { "the proxy" } else { "its name" };
        if error.is_dns() {
            let at = if by_proxy { Unreachable::Proxy } else { Unreachable::Name };
            return (at, format!("{subject} is not known to the name servers"));
        }
        let timed_out = || "no connection within 10 s; a firewall may be between".to_owned();
        let words = chain().find_map(of_the_system).unwrap_or_else(timed_out);
        return (at, if by_proxy { format!("the proxy: {words}") } else { words });
    }
    (Unreachable::Silent, "the connection was cut".to_owned())
}

fn next<'a>(error: &'a (dyn Error + 'static)) -> Option<&'a (dyn Error + 'static)> {
    error.source()
}

/// The error inside, through I/O errors that do nothing but wrap it.
fn unwrapped<'a>(error: &'a (dyn Error + 'static)) -> &'a (dyn Error + 'static) {
    match error.downcast_ref::<io::Error>().and_then(io::Error::get_ref) {
        Some(inner) => unwrapped(inner),
        None => error,
    }
}

fn tls<'a>(error: &'a (dyn Error + 'static)) -> Option<&'a rustls::Error> {
    unwrapped(error).downcast_ref()
}

fn words_of_tls(error: &rustls::Error) -> String {
    use rustls::{AlertDescription as Alert, CertificateError};
    let reason = match error {
        rustls::Error::InvalidCertificate(reason) => reason,
        rustls::Error::AlertReceived(Alert::CertificateRequired) => {
            return "it demands a client certificate and was given none".to_owned();
        }
        rustls::Error::AlertReceived(
            alert @ (Alert::BadCertificate
            | Alert::UnsupportedCertificate
            | Alert::CertificateRevoked
            | Alert::CertificateExpired
            | Alert::CertificateUnknown
            | Alert::UnknownCA
            | Alert::AccessDenied
            | Alert::DecryptError),
        ) => return format!("it does not accept our client certificate, or the lack of one ({alert:?})"),
        error => return format!("TLS failed: {error}"),
    };
    match reason {
        CertificateError::BadSignature => {
            "its certificate is not signed by the CA of that name which is trusted here; give its CA as it is now"
                .to_owned()
        }
        CertificateError::UnknownIssuer => {
            "nobody that is trusted here issued its certificate; give its CA as well".to_owned()
        }
        CertificateError::Expired | CertificateError::ExpiredContext { .. } => "its certificate has expired".to_owned(),
        CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. } => {
            "its certificate is for another name".to_owned()
        }
        reason => format!("its certificate is not accepted: {reason}"),
    }
}

fn of_the_system(error: &(dyn Error + 'static)) -> Option<String> {
    let error: &io::Error = unwrapped(error).downcast_ref()?;
    // Errors that wrap others may repeat what they were given; the system's own are fixed texts.
    error.raw_os_error().map(|_| error.to_string())
}
