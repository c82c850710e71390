//! What the doctor says: a step for everything that has to hold, in the order in which one rests on the other.

use crate::{
    app::checks::advice::Advice,
    domain::{AzureScope, ConnectionId},
};
use jiff::Timestamp;

/// Everything that has to hold for what happens at Azure DevOps to become an event here.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum StepName {
    /// The gateway knows where it is reached, and Azure DevOps sends credentials there.
    PublicUrl,
    /// Its name has an address.
    Name,
    /// Somebody listens there.
    Port,
    /// Its certificate is good.
    Certificate,
    /// It is this gateway that answers.
    Gateway,
    /// What is in front of it passes the credentials on.
    Authorization,
    /// Our clock is right.
    Clock,
    /// Azure DevOps is reached and takes the credential.
    AzureDevops,
    /// The credential may do something.
    Scope(AzureScope),
    /// The subscriptions that the bindings want are there and deliver.
    Subscriptions,
    /// The store takes notifications.
    Store,
    /// Notifications become events soon.
    Translation,
    /// A test notification comes all the way.
    RoundTrip,
}

impl StepName {
    /// Its word.
    pub fn word(self) -> &'static str {
        match self {
            Self::PublicUrl => "public_url",
            Self::Name => "name",
            Self::Port => "port",
            Self::Certificate => "certificate",
            Self::Gateway => "gateway",
            Self::Authorization => "authorization",
            Self::Clock => "clock",
            Self::AzureDevops => "azure_devops",
            Self::Scope(AzureScope::ProjectAndTeam) => "scope_project_and_team",
            Self::Scope(AzureScope::Code) => "scope_code",
            Self::Scope(AzureScope::Build) => "scope_build",
            Self::Scope(AzureScope::WorkItems) => "scope_work_items",
            Self::Scope(AzureScope::Release) => "scope_release",
            Self::Scope(AzureScope::ServiceHooks) => "scope_service_hooks",
            Self::Subscriptions => "subscriptions",
            Self::Store => "store",
            Self::Translation => "translation",
            Self::RoundTrip => "round_trip",
        }
    }
}

/// How it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// It holds.
    Ok,
    /// It holds, but something is to be known, or will be.
    Warning(Advice),
    /// It does not.
    Failed(Advice),
    /// It was not looked at, because this one failed; `None` where the connection has no use for it.
    Skipped(Option<StepName>),
}

/// One step.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Step {
    /// What has to hold.
    pub name: StepName,
    /// How it is.
    pub verdict: Verdict,
    /// What was found, in one line.
    pub found: String,
}

impl Step {
    pub(super) fn new(name: StepName, verdict: Verdict, found: impl Into<String>) -> Self {
        Self { name, verdict, found: found.into() }
    }

    pub(super) fn ok(name: StepName, found: impl Into<String>) -> Self {
        Self::new(name, Verdict::Ok, found)
    }

    pub(super) fn warning(name: StepName, advice: Advice) -> Self {
        Self::new(name, Verdict::Warning(advice), "")
    }

    pub(super) fn failed(name: StepName, advice: Advice) -> Self {
        Self::new(name, Verdict::Failed(advice), "")
    }

    pub(super) fn skipped(name: StepName, because: StepName) -> Self {
        Self::new(name, Verdict::Skipped(Some(because)), "")
    }
}

/// One examination of one connection.
#[derive(Debug, Clone)]
pub struct Report {
    /// Of which.
    pub connection: ConnectionId,
    /// What people call it.
    pub name: String,
    /// When it was begun.
    pub at: Timestamp,
    /// All steps.
    pub steps: Vec<Step>,
}

impl Report {
    /// A step.
    pub fn step(&self, name: StepName) -> Option<&Step> {
        self.steps.iter().find(|step| step.name == name)
    }

    /// Whether one of them failed.
    pub fn has_failed(&self) -> bool {
        self.steps.iter().any(|step| matches!(step.verdict, Verdict::Failed(_)))
    }

    /// Whether one of them is a warning.
    pub fn has_warnings(&self) -> bool {
        self.steps.iter().any(|step| matches!(step.verdict, Verdict::Warning(_)))
    }
}
