//! The fate of a test notification at Azure DevOps.

use super::{super::heard::Heard, NO_REDIRECT};
use crate::{
    app::checks::advice::{Advice, is_services},
    domain::Connection,
};
use url::Url;

pub(in crate::doctor) fn delivered_elsewhere(url: &Url) -> Advice {
    Advice::new(
        format!("Azure DevOps says that it delivered a test notification to {url}, but it did not arrive here"),
        "Find who answers there instead: another server behind that name for Azure DevOps, or a proxy that answers without \
         passing it on.",
    )
}

pub(in crate::doctor) fn lost(url: &Url, connection: &Connection) -> Advice {
    Advice::new(
        format!("a test notification to {url} did not arrive, and Azure DevOps does not say yet what became of it"),
        format!(
            "Ask again in a few minutes. If it stays so, a firewall between Azure DevOps and the gateway drops what it sends.{}",
            from_where(connection)
        ),
    )
}

/// From where Azure DevOps calls, for whoever looks after a firewall.
///
/// Source: "Allowed IP addresses and domain URLs" of azure-devops-docs, inbound connections: service hooks come from the
/// addresses of the service tag `AzureDevOps`, which differ by region and change.
fn from_where(connection: &Connection) -> &'static str {
    if is_services(connection) {
        " Azure DevOps Services calls from the addresses of the service tag AzureDevOps; without service tags see \
         https://learn.microsoft.com/azure/devops/organizations/security/allow-list-ip-url, inbound connections."
    } else {
        ""
    }
}

pub(in crate::doctor) fn not_delivered(url: &Url, said: &str, heard: Heard, connection: &Connection) -> Advice {
    let cause = format!("Azure DevOps could not deliver a test notification to {url}: {said}");
    let remedy = match heard {
        Heard::Status(401) if connection.signature.is_some() => {
            "Let the hooks go through the relay that signs them (its URL as --public-url), or take the connection's signature \
             secret away: unsigned ones are answered 401."
        }
        Heard::Status(401) => {
            "Have what stands before the gateway pass the header Authorization on unchanged for /hooks/, and ask for no sign-in \
             of its own there."
        }
        Heard::Status(403) => {
            "Let Azure DevOps through the firewall or sign-in of what stands before the gateway for /hooks/."
        }
        Heard::Status(300..=399) => NO_REDIRECT,
        Heard::Status(404) => {
            "Have what answers at the public URL pass /hooks/ on to the gateway with its path unchanged."
        }
        Heard::Status(502..=504) => {
            "Point what stands before the gateway to where the gateway listens, and see by /readyz that it is ready."
        }
        Heard::Tls => {
            "Give the public URL a certificate that Azure DevOps trusts, for this name, not expired, with its intermediate \
             certificates."
        }
        Heard::Name => "Make an entry for the public URL's name in the DNS that Azure DevOps asks.",
        Heard::Silence => {
            "See that what stands before the gateway answers within seconds, and that no firewall drops packets."
        }
        Heard::Connect => {
            "Open the way from Azure DevOps to the gateway: what listens at the public URL, the firewall, the port."
        }
        Heard::Status(_) | Heard::Other => {
            "Look in the log of what stands before the gateway for what was answered to Azure DevOps there."
        }
    };
    let is_of_a_firewall = matches!(heard, Heard::Status(403) | Heard::Silence | Heard::Connect);
    Advice::new(cause, format!("{remedy}{}", if is_of_a_firewall { from_where(connection) } else { "" }))
}
