//! Names are resolved here and the addresses looked at before any of them is connected to, at each connect: a name that
//! was public when the sink was made may be private a minute later.

use super::address::not_public;
use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use std::net::{IpAddr, SocketAddr};

/// Gives public addresses only.
pub(super) struct PublicOnly;

/// A name or address that is not to be connected to.
#[derive(Debug, thiserror::Error)]
#[error("{host} is {what}; an admin can allow private addresses for this sink")]
pub(super) struct Refused {
    host: String,
    what: &'static str,
}

impl Resolve for PublicOnly {
    fn resolve(&self, name: Name) -> Resolving {
        Box::pin(async move {
            let host = name.as_str().to_owned();
            let (mut public, mut refused) = (Vec::new(), None);
            for address in tokio::net::lookup_host((host.as_str(), 0)).await? {
                match not_public(address.ip()) {
                    None => public.push(address),
                    Some(what) => refused = Some(what),
                }
            }
            match refused {
                // One private address among public ones is no accident that we should route around.
                Some(what) => Err(Refused { host, what }.into()),
                None => Ok(Box::new(public.into_iter()) as Addrs),
            }
        })
    }
}

/// A literal address is connected to without being resolved.
pub(super) fn check_literal(url: &url::Url) -> Result<(), Refused> {
    let address: Option<IpAddr> = match url.host() {
        Some(url::Host::Ipv4(v4)) => Some(v4.into()),
        Some(url::Host::Ipv6(v6)) => Some(v6.into()),
        _ => None,
    };
    match address.and_then(|address| Some((address, not_public(address)?))) {
        Some((address, what)) => Err(Refused { host: SocketAddr::new(address, 0).ip().to_string(), what }),
        None => Ok(()),
    }
}
