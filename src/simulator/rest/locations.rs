//! The resources by their real ids: clients that look a resource up in `OPTIONS _apis` find it here.
//!
//! Source: the location ids of azure-devops-python-api 7.1.

use super::Location;
use uuid::{Uuid, uuid};

const fn at(id: Uuid, area: &'static str, resource: &'static str, template: &'static str) -> Location {
    Location::new(id, area, resource, template)
}

pub(crate) const CONNECTION_DATA: Location =
    at(uuid!("00d9565f-ed9c-4a06-9a50-00e7896ccab4"), "Location", "ConnectionData", "_apis/{resource}").preview_only();
pub(crate) const RESOURCE_AREAS: Location =
    at(uuid!("e81700f7-3be2-46de-8624-2eb35882fcaa"), "Location", "ResourceAreas", "_apis/{resource}/{areaId}")
        .preview_only();
pub(crate) const COLLECTIONS: Location =
    at(uuid!("8031090f-ef1d-4af6-85fc-698cd75d42bf"), "core", "projectCollections", "_apis/{resource}/{collectionId}");
pub(crate) const PROJECTS: Location =
    at(uuid!("603fe2ac-9723-48b9-88ad-09305aa6c6e1"), "core", "projects", "_apis/{resource}/{*projectId}");
pub(crate) const PERMISSIONS: Location = at(
    uuid!("dd3b8bd6-c7fc-4cbd-929a-933d9c011c9d"),
    "Security",
    "Permissions",
    "_apis/{resource}/{securityNamespaceId}/{permissions}",
);

/// Source of its id: the client for Go.
pub(crate) const AUDIT_LOG: Location =
    at(uuid!("4e5fa14f-7097-4b73-9c85-00abc7353c61"), "audit", "auditLog", "_apis/{area}/{resource}").preview_only();

pub(crate) const REPOSITORIES: Location = at(
    uuid!("225f7195-f9c7-4d14-ab28-a83f7ff77e1f"),
    "git",
    "repositories",
    "{project}/_apis/{area}/{resource}/{repositoryId}",
);
pub(crate) const REFS: Location = at(
    uuid!("2d874a60-a811-4f62-9c9f-963a6ea0a55b"),
    "git",
    "refs",
    "{project}/_apis/{area}/repositories/{repositoryId}/{resource}/{*filter}",
);
pub(crate) const COMMITS: Location = at(
    uuid!("c2570c3b-5b3f-41b8-98bf-5407bfde8d58"),
    "git",
    "commits",
    "{project}/_apis/{area}/repositories/{repositoryId}/{resource}/{commitId}",
);
pub(crate) const COMMITS_BATCH: Location = at(
    uuid!("6400dfb2-0bcb-462b-b992-5a57f8f1416c"),
    "git",
    "commitsBatch",
    "{project}/_apis/{area}/repositories/{repositoryId}/{resource}",
);
pub(crate) const CHANGES: Location = at(
    uuid!("5bf884f5-3e07-42e9-afb8-1b872267bf16"),
    "git",
    "changes",
    "{project}/_apis/{area}/repositories/{repositoryId}/commits/{commitId}/{resource}",
);
pub(crate) const DIFFS: Location = at(
    uuid!("615588d5-c0c7-4b88-88f8-e625306446e8"),
    "git",
    "commitDiffs",
    "{project}/_apis/{area}/repositories/{repositoryId}/diffs/commits",
);
pub(crate) const PUSHES: Location = at(
    uuid!("ea98d07b-3c87-4971-8ede-a613694ffb55"),
    "git",
    "pushes",
    "{project}/_apis/{area}/repositories/{repositoryId}/{resource}/{pushId}",
);
pub(crate) const PULL_REQUESTS: Location = at(
    uuid!("9946fd70-0d40-406e-b686-b4744cbbcc37"),
    "git",
    "pullRequests",
    "{project}/_apis/{area}/repositories/{repositoryId}/{resource}/{pullRequestId}",
);
pub(crate) const PULL_REQUEST: Location = at(
    uuid!("01a46dea-7d46-4d40-bc84-319e7c260d99"),
    "git",
    "pullRequests",
    "{project}/_apis/{area}/{resource}/{pullRequestId}",
);
pub(crate) const PROJECT_PULL_REQUESTS: Location =
    at(uuid!("a5d28130-9cd2-40fa-9f08-902e7daa9efb"), "git", "pullRequests", "{project}/_apis/{area}/{resource}");
pub(crate) const PULL_REQUEST_COMMITS: Location = at(
    uuid!("52823034-34a8-4576-922c-8d8b77e9e4c4"),
    "git",
    "pullRequestCommits",
    "{project}/_apis/{area}/repositories/{repositoryId}/pullRequests/{pullRequestId}/commits",
);
pub(crate) const THREADS: Location = at(
    uuid!("ab6e2e5d-a0b7-4153-b64a-a4efe0d49449"),
    "git",
    "pullRequestThreads",
    "{project}/_apis/{area}/repositories/{repositoryId}/pullRequests/{pullRequestId}/threads/{threadId}",
);
pub(crate) const ITERATIONS: Location = at(
    uuid!("d43911ee-6958-46b0-a42b-8445b8a0d004"),
    "git",
    "pullRequestIterations",
    "{project}/_apis/{area}/repositories/{repositoryId}/pullRequests/{pullRequestId}/iterations/{iterationId}",
);
pub(crate) const PULL_REQUEST_QUERY: Location = at(
    uuid!("b3a6eebe-9cf0-49ea-b6cb-1a4c5f5007b0"),
    "git",
    "pullRequestQuery",
    "{project}/_apis/{area}/repositories/{repositoryId}/{resource}",
);
pub(crate) const PULL_REQUEST_WORK_ITEMS: Location = at(
    uuid!("0a637fcc-5370-4ce8-b0e8-98091f5f9482"),
    "git",
    "pullRequestWorkItems",
    "{project}/_apis/{area}/repositories/{repositoryId}/pullRequests/{pullRequestId}/workitems",
);

pub(crate) const DEFINITIONS: Location = at(
    uuid!("dbeaf647-6167-421a-bda9-c9327b25e2e6"),
    "build",
    "Definitions",
    "{project}/_apis/{area}/{resource}/{definitionId}",
);
pub(crate) const BUILDS: Location =
    at(uuid!("0cd358e1-9217-4d94-8269-1c1ee6f93dcf"), "build", "Builds", "{project}/_apis/{area}/{resource}/{buildId}");
pub(crate) const TIMELINE: Location = at(
    uuid!("8baac422-4c6e-4de5-8532-db96d92acffa"),
    "build",
    "Timeline",
    "{project}/_apis/{area}/builds/{buildId}/{resource}/{timelineId}",
);
pub(crate) const BUILD_CHANGES: Location = at(
    uuid!("54572c7b-bbd3-45d4-80dc-28be08941620"),
    "build",
    "Changes",
    "{project}/_apis/{area}/builds/{buildId}/{resource}",
);
pub(crate) const PIPELINES: Location = at(
    uuid!("28e1305e-2afe-47bf-abaf-cbb0e6a91988"),
    "pipelines",
    "pipelines",
    "{project}/_apis/{resource}/{pipelineId}",
)
.since(6, 0);
pub(crate) const RUNS: Location = at(
    uuid!("7859261e-d2e9-4a68-b820-a5d84cc5bb3d"),
    "pipelines",
    "runs",
    "{project}/_apis/pipelines/{pipelineId}/{resource}/{runId}",
)
.since(6, 0);

pub(crate) const ENVIRONMENTS: Location = at(
    uuid!("8572b1fc-2482-47fa-8f74-7e3ed53ee54b"),
    "distributedtask",
    "environments",
    "{project}/_apis/pipelines/{resource}/{environmentId}",
)
.since(5, 0);
pub(crate) const ENVIRONMENT_DEPLOYMENTS: Location = at(
    uuid!("51bb5d21-4305-4ea6-9dbb-b7488af73334"),
    "distributedtask",
    "environmentdeploymentRecords",
    "{project}/_apis/pipelines/environments/{environmentId}/{resource}",
)
.since(5, 0);

pub(crate) const RELEASE_DEFINITIONS: Location = at(
    uuid!("d8f96f24-8ea7-4cb6-baab-2df8fc515665"),
    "Release",
    "definitions",
    "{project}/_apis/{area}/{resource}/{definitionId}",
);
pub(crate) const RELEASES: Location = at(
    uuid!("a166fde7-27ad-408e-ba75-703c2cc9d500"),
    "Release",
    "releases",
    "{project}/_apis/{area}/{resource}/{releaseId}",
);
pub(crate) const DEPLOYMENTS: Location =
    at(uuid!("b005ef73-cddc-448e-9ba2-5193bf36b19f"), "Release", "deployments", "{project}/_apis/{area}/{resource}");

pub(crate) const WORK_ITEMS: Location =
    at(uuid!("72c7ddf8-2cdc-4f60-90cd-ab71c14a399b"), "wit", "workItems", "{project}/_apis/{area}/{resource}/{id}");
pub(crate) const WORK_ITEMS_BATCH: Location =
    at(uuid!("908509b6-4248-4475-a1cd-829139ba419f"), "wit", "workItemsBatch", "{project}/_apis/{area}/{resource}")
        .since(5, 0);
pub(crate) const WIQL: Location =
    at(uuid!("1a9c53f7-f243-4447-b110-35ef023636e4"), "wit", "wiql", "{project}/{team}/_apis/{area}/{resource}");
pub(crate) const UPDATES: Location = at(
    uuid!("6570bf97-d02c-4a91-8d93-3abe9895b1a9"),
    "wit",
    "updates",
    "{project}/_apis/{area}/workItems/{id}/{resource}/{updateNumber}",
);
pub(crate) const REVISIONS: Location = at(
    uuid!("a00c85a5-80fa-4565-99c3-bcd2181434bb"),
    "wit",
    "revisions",
    "{project}/_apis/{area}/workItems/{id}/{resource}/{revisionNumber}",
);
pub(crate) const REPORTING_REVISIONS: Location = at(
    uuid!("f828fe59-dd87-495d-a17c-7a8d6211ca6c"),
    "wit",
    "workItemRevisions",
    "{project}/_apis/{area}/reporting/{resource}",
)
.since(2, 0);
pub(crate) const REPORTING_LINKS: Location = at(
    uuid!("b5b5b6d0-0308-40a1-b3f4-b9bb3c66878f"),
    "wit",
    "workItemLinks",
    "{project}/_apis/{area}/reporting/{resource}",
)
.since(2, 0);
pub(crate) const WORK_ITEM_TYPES: Location = at(
    uuid!("7c8d7a76-4a09-43e8-b5df-bd792f4ac6aa"),
    "wit",
    "workItemTypes",
    "{project}/_apis/{area}/{resource}/{type}",
);
pub(crate) const STATES: Location = at(
    uuid!("7c9d7a76-4a09-43e8-b5df-bd792f4ac6aa"),
    "wit",
    "workItemTypeStates",
    "{project}/_apis/{area}/workitemtypes/{type}/states",
);
pub(crate) const FIELDS: Location = at(
    uuid!("b51fd764-e5c2-4b9b-aaf7-3395cf4bdd94"),
    "wit",
    "fields",
    "{project}/_apis/{area}/{resource}/{fieldNameOrRefName}",
);
