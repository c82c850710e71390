//! The machine's identity as Azure tells it to a process, in the variables of Microsoft's own clients.
//!
//! Sources: the documentation of Microsoft Entra Workload ID for Kubernetes (`AZURE_FEDERATED_TOKEN_FILE`,
//! `AZURE_AUTHORITY_HOST`), of App Service (`IDENTITY_ENDPOINT`, `IDENTITY_HEADER`), of Azure Arc (`IMDS_ENDPOINT`) and of
//! Azure's client libraries (`AZURE_POD_IDENTITY_AUTHORITY_HOST`, `IDENTITY_SERVER_THUMBPRINT`).

use crate::azure::client::Machine;
use zeroize::Zeroizing;

/// Reads them; what is no URL counts as absent.
pub fn machine() -> Machine {
    let text = |name: &str| std::env::var(name).ok().filter(|value| !value.trim().is_empty());
    let url = |name: &str| text(name)?.trim().parse().ok();
    Machine {
        federated_token_file: text("AZURE_FEDERATED_TOKEN_FILE").map(Into::into),
        authority: url("AZURE_AUTHORITY_HOST"),
        identity_endpoint: url("IDENTITY_ENDPOINT"),
        identity_header: text("IDENTITY_HEADER").map(Zeroizing::new),
        is_arc: text("IMDS_ENDPOINT").is_some(),
        is_service_fabric: text("IDENTITY_SERVER_THUMBPRINT").is_some(),
        metadata: url("AZURE_POD_IDENTITY_AUTHORITY_HOST"),
        ..Machine::default()
    }
}
