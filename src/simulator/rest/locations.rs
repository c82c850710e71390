//! The resources by their real ids, and what the real one says of each: clients that look a resource up in `OPTIONS _apis`
//! find it as they do there.
//!
//! Source: the ids are those of azure-devops-python-api 7.1. `locations.tsv` is what dev.azure.com said to `OPTIONS _apis` in
//! 2025 (recorded in Microsoft's azure-devops-cli-extension): id, area, resource, template, resource version, and the oldest,
//! the newest and the newest released api-version.

use super::Location;
use std::{collections::HashMap, sync::OnceLock};
use uuid::{Uuid, uuid};

/// One line of what was recorded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Resource {
    pub(crate) id: Uuid,
    pub(crate) area: &'static str,
    pub(crate) name: &'static str,
    /// As clients fill it in; what they do not fill is left out, with its slash.
    pub(crate) template: &'static str,
    /// Of the resource's own shape, as `-preview.N` counts it.
    pub(crate) version: u32,
    pub(crate) min: (u16, u16),
    pub(crate) max: (u16, u16),
    /// `(0, 0)`: there are only previews.
    pub(crate) released: (u16, u16),
}

/// Nobody recorded the hosts of releases and of the audit log: the templates are those of Microsoft's documented addresses, the resource versions those
/// that azure-devops-node-api 17 asks for, and the audit log's is that of the client for Go.
const ON_OTHER_HOSTS: &str = "\
d8f96f24-8ea7-4cb6-baab-2df8fc515665\tRelease\tdefinitions\t{project}/_apis/{area}/{resource}/{definitionId}\t4\t1.0\t7.2\t7.1
a166fde7-27ad-408e-ba75-703c2cc9d500\tRelease\treleases\t{project}/_apis/{area}/{resource}/{releaseId}\t9\t1.0\t7.2\t7.1
b005ef73-cddc-448e-9ba2-5193bf36b19f\tRelease\tdeployments\t{project}/_apis/{area}/{resource}\t2\t1.0\t7.2\t7.1
4e5fa14f-7097-4b73-9c85-00abc7353c61\taudit\tauditLog\t_apis/{area}/{resource}\t1\t1.0\t7.2\t0.0
";

impl Resource {
    /// `None` is a line that is not one.
    fn read(line: &'static str) -> Option<Self> {
        let mut cells = line.split('\t');
        let mut cell = || cells.next();
        let version = |text: &str| {
            let (major, minor) = text.split_once('.')?;
            Some((major.parse().ok()?, minor.parse().ok()?))
        };
        Some(Self {
            id: cell()?.parse().ok()?,
            area: cell()?,
            name: cell()?,
            template: cell()?,
            version: cell()?.parse().ok()?,
            min: version(cell()?)?,
            max: version(cell()?)?,
            released: version(cell()?)?,
        })
    }
}

struct Resources {
    recorded: Vec<Resource>,
    by_id: HashMap<Uuid, Resource>,
}

fn resources() -> &'static Resources {
    static READ: OnceLock<Resources> = OnceLock::new();
    READ.get_or_init(|| {
        let read = |text: &'static str| text.lines().filter_map(Resource::read);
        let recorded: Vec<Resource> = read(include_str!("locations.tsv")).collect();
        let all = recorded.iter().copied().chain(read(ON_OTHER_HOSTS));
        let by_id = all.map(|own| (own.id, own)).collect();
        Resources { recorded, by_id }
    })
}

/// Everything that was recorded of the main host.
pub(super) fn recorded() -> &'static [Resource] {
    &resources().recorded
}

impl Location {
    /// Finds the recorded resource.
    pub(crate) fn resource(&self) -> &'static Resource {
        resources().by_id.get(&self.0).expect("a test asks for each")
    }
}

const fn at(id: Uuid) -> Location {
    Location(id)
}

#[rustfmt::skip]
mod ids {
    use super::{Location, at, uuid};
    pub(crate) const CONNECTION_DATA: Location = at(uuid!("00d9565f-ed9c-4a06-9a50-00e7896ccab4"));
    pub(crate) const RESOURCE_AREAS: Location = at(uuid!("e81700f7-3be2-46de-8624-2eb35882fcaa"));
    pub(crate) const COLLECTIONS: Location = at(uuid!("8031090f-ef1d-4af6-85fc-698cd75d42bf"));
    pub(crate) const PROJECTS: Location = at(uuid!("603fe2ac-9723-48b9-88ad-09305aa6c6e1"));
    pub(crate) const PERMISSIONS: Location = at(uuid!("dd3b8bd6-c7fc-4cbd-929a-933d9c011c9d"));
    pub(crate) const REPOSITORIES: Location = at(uuid!("225f7195-f9c7-4d14-ab28-a83f7ff77e1f"));
    pub(crate) const REFS: Location = at(uuid!("2d874a60-a811-4f62-9c9f-963a6ea0a55b"));
    pub(crate) const COMMITS: Location = at(uuid!("c2570c3b-5b3f-41b8-98bf-5407bfde8d58"));
    pub(crate) const COMMITS_BATCH: Location = at(uuid!("6400dfb2-0bcb-462b-b992-5a57f8f1416c"));
    pub(crate) const CHANGES: Location = at(uuid!("5bf884f5-3e07-42e9-afb8-1b872267bf16"));
    pub(crate) const DIFFS: Location = at(uuid!("615588d5-c0c7-4b88-88f8-e625306446e8"));
    pub(crate) const PUSHES: Location = at(uuid!("ea98d07b-3c87-4971-8ede-a613694ffb55"));
    pub(crate) const PULL_REQUESTS: Location = at(uuid!("9946fd70-0d40-406e-b686-b4744cbbcc37"));
    pub(crate) const PULL_REQUEST: Location = at(uuid!("01a46dea-7d46-4d40-bc84-319e7c260d99"));
    pub(crate) const PROJECT_PULL_REQUESTS: Location = at(uuid!("a5d28130-9cd2-40fa-9f08-902e7daa9efb"));
    pub(crate) const PULL_REQUEST_COMMITS: Location = at(uuid!("52823034-34a8-4576-922c-8d8b77e9e4c4"));
    pub(crate) const THREADS: Location = at(uuid!("ab6e2e5d-a0b7-4153-b64a-a4efe0d49449"));
    pub(crate) const ITERATIONS: Location = at(uuid!("d43911ee-6958-46b0-a42b-8445b8a0d004"));
    pub(crate) const PULL_REQUEST_QUERY: Location = at(uuid!("b3a6eebe-9cf0-49ea-b6cb-1a4c5f5007b0"));
    pub(crate) const PULL_REQUEST_WORK_ITEMS: Location = at(uuid!("0a637fcc-5370-4ce8-b0e8-98091f5f9482"));
    pub(crate) const DEFINITIONS: Location = at(uuid!("dbeaf647-6167-421a-bda9-c9327b25e2e6"));
    pub(crate) const BUILDS: Location = at(uuid!("0cd358e1-9217-4d94-8269-1c1ee6f93dcf"));
    pub(crate) const TIMELINE: Location = at(uuid!("8baac422-4c6e-4de5-8532-db96d92acffa"));
    pub(crate) const BUILD_CHANGES: Location = at(uuid!("54572c7b-bbd3-45d4-80dc-28be08941620"));
    pub(crate) const PIPELINES: Location = at(uuid!("28e1305e-2afe-47bf-abaf-cbb0e6a91988"));
    pub(crate) const RUNS: Location = at(uuid!("7859261e-d2e9-4a68-b820-a5d84cc5bb3d"));
    pub(crate) const ENVIRONMENTS: Location = at(uuid!("8572b1fc-2482-47fa-8f74-7e3ed53ee54b"));
    pub(crate) const ENVIRONMENT_DEPLOYMENTS: Location = at(uuid!("51bb5d21-4305-4ea6-9dbb-b7488af73334"));
    pub(crate) const RELEASE_DEFINITIONS: Location = at(uuid!("d8f96f24-8ea7-4cb6-baab-2df8fc515665"));
    pub(crate) const RELEASES: Location = at(uuid!("a166fde7-27ad-408e-ba75-703c2cc9d500"));
    pub(crate) const DEPLOYMENTS: Location = at(uuid!("b005ef73-cddc-448e-9ba2-5193bf36b19f"));
    pub(crate) const WORK_ITEMS: Location = at(uuid!("72c7ddf8-2cdc-4f60-90cd-ab71c14a399b"));
    pub(crate) const WORK_ITEMS_BATCH: Location = at(uuid!("908509b6-4248-4475-a1cd-829139ba419f"));
    pub(crate) const WIQL: Location = at(uuid!("1a9c53f7-f243-4447-b110-35ef023636e4"));
    pub(crate) const UPDATES: Location = at(uuid!("6570bf97-d02c-4a91-8d93-3abe9895b1a9"));
    pub(crate) const REVISIONS: Location = at(uuid!("a00c85a5-80fa-4565-99c3-bcd2181434bb"));
    pub(crate) const REPORTING_REVISIONS: Location = at(uuid!("f828fe59-dd87-495d-a17c-7a8d6211ca6c"));
    pub(crate) const REPORTING_LINKS: Location = at(uuid!("b5b5b6d0-0308-40a1-b3f4-b9bb3c66878f"));
    pub(crate) const WORK_ITEM_TYPES: Location = at(uuid!("7c8d7a76-4a09-43e8-b5df-bd792f4ac6aa"));
    pub(crate) const STATES: Location = at(uuid!("7c9d7a76-4a09-43e8-b5df-bd792f4ac6aa"));
    pub(crate) const FIELDS: Location = at(uuid!("b51fd764-e5c2-4b9b-aaf7-3395cf4bdd94"));
    pub(crate) const AUDIT_LOG: Location = at(uuid!("4e5fa14f-7097-4b73-9c85-00abc7353c61"));
    pub(crate) const WORK_ITEM_OF_TYPE: Location = at(uuid!("62d3d110-0047-428c-ad3c-4fe872c91c74"));
    pub(crate) const WORK_ITEM_COMMENTS: Location = at(uuid!("608aac0a-32e1-4493-a863-b9cf4566d257"));
    pub(crate) const REVIEWERS: Location = at(uuid!("4b6702c7-aa35-4b89-9c96-b9abf6d3e540"));
}

pub(crate) use self::ids::*;
