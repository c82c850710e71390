"""What a stranger's tool does: Microsoft's own Python package, pointed at the simulated Azure DevOps.

Arguments: the organization's or collection's URL, a personal access token, a hook's URL. Prints what it saw as JSON: a call's
name, and of its reply what a person would look at. package.mjs does the same with Microsoft's package for Node.
"""

import json
import sys

from azure.devops.connection import Connection
from azure.devops.exceptions import AzureDevOpsServiceError
from azure.devops.v7_1.git.models import GitPullRequestSearchCriteria, GitQueryCommitsCriteria, GitVersionDescriptor
from msrest.authentication import BasicAuthentication

url, token, hook = sys.argv[1:]
clients = Connection(base_url=url, creds=BasicAuthentication("", token)).clients_v7_1
core, git, build = clients.get_core_client(), clients.get_git_client(), clients.get_build_client()
pipelines, release, tasks = clients.get_pipelines_client(), clients.get_release_client(), clients.get_task_agent_client()
wit, hooks = clients.get_work_item_tracking_client(), clients.get_service_hooks_client()

P = "Fiber Café"
R = next(one.id for one in git.get_repositories(P) if one.name == "web shop")
ZERO = "0" * 40
seen = {}


def see(name, call, look):
    reply = call()
    try:
        seen[name] = look(reply)
    except Exception as error:
        raise RuntimeError(f"{name}: {reply}") from error
    return reply


def names(all):
    return sorted(one.name for one in all)


def titles(all):
    return [one.fields["System.Title"] for one in all]


def patch(**members):
    return [{"op": "add", **members}]


head = git.get_refs(R, P, filter="heads/main")[0].object_id
ci = build.get_definitions(P, name="web shop CI")[0].id
branch = GitQueryCommitsCriteria(item_version=GitVersionDescriptor(version="main", version_type="branch"))
every, active = GitPullRequestSearchCriteria(status="all"), GitPullRequestSearchCriteria(status="active")

# 43 reads.
see("projects", core.get_projects, names)
see("projects_by_page", lambda: core.get_projects(top=1, skip=1), len)
see("project", lambda: core.get_project(P), lambda it: it.name)
see("repositories", lambda: git.get_repositories(P), names)
see("repository", lambda: git.get_repository("web shop", P), lambda it: it.default_branch)
see("refs", lambda: git.get_refs(R, P, filter="heads/"), names)
see("commits", lambda: git.get_commits(R, branch, P, top=2), lambda it: [one.comment for one in it])
see("commit", lambda: git.get_commit(head, R, P), lambda it: len(it.parents))
see("changes", lambda: git.get_changes(head, R, P), lambda it: it.change_counts is not None)
see("commits_batch", lambda: git.get_commits_batch(branch, R, P), len)
see("pushes", lambda: git.get_pushes(R, P), lambda it: it[-1].push_id)
see("push", lambda: git.get_push(R, 1, P, include_ref_updates=True), lambda it: it.ref_updates[0].name)
see("pull_requests", lambda: git.get_pull_requests(R, every, P), lambda it: [one.title for one in it])
see("pull_requests_of_project", lambda: git.get_pull_requests_by_project(P, active), len)
see("pull_request", lambda: git.get_pull_request(R, 1, P), lambda it: it.title)
see("pull_request_by_id", lambda: git.get_pull_request_by_id(2), lambda it: it.source_ref_name)
see("pull_request_commits", lambda: git.get_pull_request_commits(R, 1, P), lambda it: it[0].comment)
see("pull_request_iterations", lambda: git.get_pull_request_iterations(R, 1, P), len)
see("pull_request_work_items", lambda: git.get_pull_request_work_item_refs(R, 1, P), len)
see("threads", lambda: git.get_threads(R, 2, P), lambda it: it[0].comments[0].content)
see("reviewers", lambda: git.get_pull_request_reviewers(R, 1, P), lambda it: [it[0].display_name, it[0].vote])
see("definitions", lambda: build.get_definitions(P), names)
see("definition", lambda: build.get_definition(P, ci), lambda it: it.name)
see("builds", lambda: build.get_builds(P, definitions=[ci]), lambda it: [one.id for one in it])
see("build", lambda: build.get_build(P, 100), lambda it: it.source_branch)
see("timeline", lambda: build.get_build_timeline(P, 100), lambda it: [r.name for r in it.records if r.type == "Stage"])
see("build_changes", lambda: build.get_build_changes(P, 100), lambda it: len(it) > 0)
see("pipelines", lambda: pipelines.list_pipelines(P), names)
see("pipeline", lambda: pipelines.get_pipeline(P, ci), lambda it: it.name)
see("runs", lambda: pipelines.list_runs(P, ci), lambda it: [one.id for one in it])
see("run", lambda: pipelines.get_run(P, ci, 100), lambda it: it.id)
see("environments", lambda: tasks.get_environments(P), names)
see("release_definitions", lambda: release.get_release_definitions(P), names)
see("releases", lambda: release.get_releases(P), names)
see("deployments", lambda: release.get_deployments(P), len)
see("work_item", lambda: wit.get_work_item(2), lambda it: it.fields["System.State"])
see("work_items", lambda: wit.get_work_items([1, 2]), titles)
see("work_items_batch", lambda: wit.get_work_items_batch({"ids": [1, 3], "fields": ["System.Title"]}), titles)
see("updates", lambda: wit.get_updates(2), lambda it: [one.id for one in it])
see("revisions", lambda: wit.get_revisions(2), lambda it: [one.rev for one in it])
see("types", lambda: wit.get_work_item_types(P), names)
see("states", lambda: wit.get_work_item_type_states(P, "Bug"), lambda it: [one.name for one in it])
wiql = {"query": "SELECT [System.Id] FROM WorkItems WHERE [System.WorkItemType] = 'Bug'"}
see("wiql", lambda: wit.query_by_wiql(wiql), lambda it: [one.id for one in it.work_items])

# 17 writes, and what they came to.
title = patch(path="/fields/System.Title", value="The cup is empty")
made = see("create_work_item", lambda: wit.create_work_item(title, P, "Bug"), lambda it: [it.rev, *titles([it])]).id
state = patch(path="/fields/System.State", value="Active")
see("update_work_item", lambda: wit.update_work_item(state, made), lambda it: [it.rev, it.fields["System.State"]])
link = patch(path="/relations/-", value={"rel": "System.LinkTypes.Related", "url": f"{url}/_apis/wit/workItems/1"})
see("link", lambda: wit.update_work_item(link, made), lambda it: [it.rev, len(it.relations)])
see("comment", lambda: wit.add_comment({"text": "Who drank it?"}, P, made), lambda it: it.text)
see("comments", lambda: wit.get_comments(P, made), lambda it: [one.text for one in it.comments])
see("delete_work_item", lambda: wit.delete_work_item(made), lambda it: it.id == made)
ref = {"name": "refs/heads/topic/cups", "oldObjectId": ZERO, "newObjectId": head}
see("create_branch", lambda: git.update_refs([ref], R, P), lambda it: [it[0].success, it[0].update_status])
change = {"changeType": "add", "item": {"path": "/cups.md"}, "newContent": {"content": "Two", "contentType": "rawtext"}}
ref = {"name": "refs/heads/topic/cups", "oldObjectId": head}
push = {"refUpdates": [ref], "commits": [{"comment": "Count the cups", "changes": [change]}]}
see("push_commit", lambda: git.create_push(push, R, P), lambda it: [it.commits[0].comment, it.ref_updates[0].name])
new = {"sourceRefName": "refs/heads/topic/cups", "targetRefName": "refs/heads/main", "title": "Cups"}
pull = see("create_pull_request", lambda: git.create_pull_request(new, R, P), lambda it: it.title).pull_request_id
edit = {"title": "Cups, counted"}
see("update_pull_request", lambda: git.update_pull_request(edit, R, pull, P), lambda it: it.title)
me = git.get_pull_request(R, pull, P).created_by.id
see("vote", lambda: git.create_pull_request_reviewer({"vote": 10}, R, pull, me, P), lambda it: it.vote)
thread = {"comments": [{"content": "Two?", "commentType": "text"}], "status": "active"}
see("comment_pull_request", lambda: git.create_thread(thread, R, pull, P), lambda it: it.comments[0].content)
sha = git.get_pull_request(R, pull, P).last_merge_source_commit.commit_id
options = {"mergeStrategy": "squash", "deleteSourceBranch": True}
done = {"status": "completed", "lastMergeSourceCommit": {"commitId": sha}, "completionOptions": options}
see("complete_pull_request", lambda: git.update_pull_request(done, R, pull, P), lambda it: it.merge_status.lower())
see("completed_pull_request", lambda: git.get_pull_request(R, pull, P), lambda it: it.status.lower())
queued = see("queue_build", lambda: build.queue_build({"definition": {"id": ci}}, P), lambda it: it.source_branch).id
see("cancel_build", lambda: build.update_build({"status": "cancelling"}, P, queued), lambda it: it.status.lower())
see("canceled_build", lambda: build.get_build(P, queued), lambda it: it.result.lower())
of = {"resources": {"repositories": {"self": {"refName": "refs/heads/feature/3"}}}}
see("run_pipeline", lambda: pipelines.run_pipeline(of, P, ci), lambda it: it.state.lower())
made = see(
    "create_subscription",
    lambda: hooks.create_subscription(
        {
            "publisherId": "tfs",
            "eventType": "git.push",
            "resourceVersion": "1.0",
            "consumerId": "webHooks",
            "consumerActionId": "httpRequest",
            "publisherInputs": {"projectId": core.get_project(P).id, "repository": "", "branch": "", "pushedBy": ""},
            "consumerInputs": {"url": hook, "basicAuthUsername": "someone", "basicAuthPassword": "a-planted-password"},
        }
    ),
    lambda it: [it.status, it.consumer_inputs["basicAuthPassword"]],
).id
see("subscriptions", lambda: hooks.list_subscriptions(publisher_id="tfs"), lambda it: made in [one.id for one in it])
see("subscription", lambda: hooks.get_subscription(made), lambda it: "tfsSubscriptionId" in it.publisher_inputs)
hooks.delete_subscription(made)
try:
    hooks.get_subscription(made)
    seen["delete_subscription"] = False
except AzureDevOpsServiceError:
    seen["delete_subscription"] = True

print(json.dumps(seen))
