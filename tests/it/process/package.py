"""What a stranger's tool does: Microsoft's own Python package, pointed at the simulated Azure DevOps.

Arguments: the organization's or collection's URL, a personal access token, a hook's URL. Prints what it saw as JSON.
"""

import json
import sys

from azure.devops.connection import Connection
from azure.devops.exceptions import AzureDevOpsServiceError
from azure.devops.v7_1.service_hooks.models import Subscription
from azure.devops.v7_1.work_item_tracking.models import Wiql
from msrest.authentication import BasicAuthentication

url, token, hook = sys.argv[1:]
connection = Connection(base_url=url, creds=BasicAuthentication("", token))
clients = connection.clients_v7_1
core, git, build = clients.get_core_client(), clients.get_git_client(), clients.get_build_client()
items, hooks = clients.get_work_item_tracking_client(), clients.get_service_hooks_client()

projects, page = [], core.get_projects(top=1)
while page:
    projects += page
    page = core.get_projects(top=1, skip=len(projects))

seen = {"projects": sorted(project.name for project in projects), "repositories": {}, "builds": {}, "work_items": {}}
for project in projects:
    repositories = git.get_repositories(project.id)
    seen["repositories"][project.name] = sorted(repository.name for repository in repositories)
    seen["builds"][project.name] = [
        {"id": one.id, "result": one.result, "definition": one.definition.name} for one in build.get_builds(project.id)
    ]
    query = Wiql(query=f"SELECT [System.Id] FROM WorkItems WHERE [System.TeamProject] = '{project.name}'")
    found = [item.id for item in items.query_by_wiql(query).work_items]
    read = items.get_work_items(found) if found else []
    seen["work_items"][project.name] = {str(item.id): item.fields["System.State"] for item in read}

made = hooks.create_subscription(
    Subscription(
        publisher_id="tfs",
        event_type="git.push",
        resource_version="1.0",
        consumer_id="webHooks",
        consumer_action_id="httpRequest",
        publisher_inputs={"projectId": projects[0].id, "repository": "", "branch": "", "pushedBy": ""},
        consumer_inputs={"url": hook, "basicAuthUsername": "someone", "basicAuthPassword": "a-planted-password"},
    )
)
listed = [one.id for one in hooks.list_subscriptions(publisher_id="tfs", consumer_id="webHooks")]
read = hooks.get_subscription(made.id)
seen["subscription"] = {
    "status": read.status,
    "is_listed": made.id in listed,
    "password": read.consumer_inputs["basicAuthPassword"],
    "added": sorted(set(read.publisher_inputs) - {"projectId", "repository", "branch", "pushedBy"}),
}
hooks.delete_subscription(made.id)
try:
    hooks.get_subscription(made.id)
    seen["deleted"] = False
except AzureDevOpsServiceError as error:
    seen["deleted"] = error.type_key or str(error)

print(json.dumps(seen))
