//! The means of one run: the gateway, the connection, Azure DevOps.

use crate::{
    app::{App, Kept},
    azure::client::AzureDevOps,
    domain::Connection,
};
use url::Url;
use uuid::Uuid;

/// The hands of one run.
pub(super) struct Hands<'a> {
    /// The gateway.
    pub app: &'a App,
    /// The connection, as the plan knows it.
    pub kept: &'a Kept<Connection>,
    /// Azure DevOps.
    pub azure: &'a dyn AzureDevOps,
    /// Where the gateway is reached.
    pub gateway: &'a Url,
    /// Our own identity at Azure.
    pub identity: Option<Uuid>,
}
