//! Members of a binding besides its selection, by its role: read alike when it is made and when it is changed.

use super::{super::members::Members, deploys, issues, partial};
use crate::domain::{Binding, BindingId, Deploys, Issues, Partial, Role};
use serde_json::json;

/// Members of another role stay as they begin; a body that names one is refused, because nobody reads it.
#[derive(Default)]
pub(super) struct Duties {
    pub code_deployment: Option<BindingId>,
    pub partial: Partial,
    pub deploys: Option<Deploys>,
    pub direct_pushes: bool,
    pub issues: Issues,
}

impl Duties {
    pub(super) fn of(binding: &Binding) -> Self {
        Self {
            code_deployment: binding.code_deployment,
            partial: binding.partial,
            deploys: binding.deploys.clone(),
            direct_pushes: binding.direct_pushes,
            issues: binding.issues.clone(),
        }
    }

    /// With what the body says. What it does not name stays.
    pub(super) fn changed(self, members: &mut Members, role: Role) -> Self {
        match role {
            Role::CodeDeployment => {
                if let Some(there) = &self.deploys {
                    members.over("deploys", json!(deploys::DeploysView::from(there)));
                }
                Self {
                    deploys: members.object("deploys", deploys::read).map_or(self.deploys, Option::flatten),
                    direct_pushes: deploys::direct(members, self.direct_pushes),
                    ..Self::default()
                }
            }
            Role::BuildProvider => Self {
                code_deployment: members
                    .guid("code_deployment")
                    .map_or(self.code_deployment, |given| given.map(BindingId)),
                partial: partial::read(members, self.partial),
                ..Self::default()
            },
            Role::IssueProvider => Self { issues: issues::read(members, self.issues), ..Self::default() },
        }
    }
}
