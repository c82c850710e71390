//! What a path names: which host, which collection, which project, which resource.

use crate::simulator::{
    instance::Instance,
    options::{Edition, Place},
    site::Site,
};
use http::{HeaderMap, header};

/// A path, taken apart.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Target {
    pub(super) host: Site,
    /// `None` is the deployment itself, above its collections.
    pub(super) is_collection: bool,
    pub(super) project: Option<String>,
    /// What follows `_apis`.
    pub(super) resource: Vec<String>,
}

/// The addresses in the form that the request used.
pub(super) fn place(instance: &Instance, headers: &HeaderMap) -> Place {
    let origin = instance.origin();
    let scheme = origin.split_once("://").map_or("http", |(scheme, _)| scheme);
    match headers.get(header::HOST).and_then(|value| value.to_str().ok()) {
        Some(host) => Place::new(&instance.options, &format!("{scheme}://{host}")),
        None => instance.place(),
    }
}

impl Target {
    /// `None`: nothing of ours begins like that.
    pub(super) fn read(instance: &Instance, path: &str) -> Option<Self> {
        let decode = |part: &str| percent_encoding::percent_decode_str(part).decode_utf8_lossy().into_owned();
        let parts: Vec<String> = path.split('/').filter(|part| !part.is_empty()).map(decode).collect();
        let mut rest = parts.as_slice();
        let is = |part: Option<&String>, name: &str| part.is_some_and(|part| part.eq_ignore_ascii_case(name));
        let mut host = Site::Main;
        match instance.options.edition {
            Edition::Services => {
                for (prefix, own) in
                    [("_vsrm", Site::Release), ("_advsec", Site::Security), ("_auditservice", Site::Audit)]
                {
                    if is(rest.first(), prefix) {
                        host = own;
                        rest = &rest[1..];
                        break;
                    }
                }
            }
            Edition::Server(_) => {
                if let Some(directory) = &instance.options.virtual_directory {
                    // The virtual directory may be several segments deep.
                    for part in directory.split('/').filter(|part| !part.is_empty()) {
                        rest = is(rest.first(), part).then(|| &rest[1..])?;
                    }
                }
                if is(rest.first(), "_apis") {
                    let resource = rest[1..].to_vec();
                    return Some(Self { host, is_collection: false, project: None, resource });
                }
            }
        }
        rest = is(rest.first(), &instance.options.name).then(|| &rest[1..])?;
        let at = rest.iter().position(|part| part.eq_ignore_ascii_case("_apis")).filter(|at| *at <= 2)?;
        Some(Self {
            host,
            is_collection: true,
            project: rest.first().filter(|_| at > 0).cloned(),
            resource: rest[at + 1..].to_vec(),
        })
    }
}
