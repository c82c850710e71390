// The tool of a stranger: Microsoft's own package for Node, pointed at the simulated Azure DevOps.
//
// Arguments: the organization's or collection's URL, a personal access token, a hook's URL. Prints what it saw as JSON, as
// package.py does with Microsoft's package for Python.

import { createRequire } from "node:module";

const require = createRequire(new URL("../../../target/azure-devops-node/package.json", import.meta.url));
const azure = require("azure-devops-node-api");
const Git = require("azure-devops-node-api/interfaces/GitInterfaces.js");
const Build = require("azure-devops-node-api/interfaces/BuildInterfaces.js");
const Pipelines = require("azure-devops-node-api/interfaces/PipelinesInterfaces.js");

const [url, token, hook] = process.argv.slice(2);
const connection = new azure.WebApi(url, azure.getPersonalAccessTokenHandler(token));
const core = await connection.getCoreApi();
const git = await connection.getGitApi();
const build = await connection.getBuildApi();
const pipelines = await connection.getPipelinesApi();
const release = await connection.getReleaseApi();
const tasks = await connection.getTaskAgentApi();
const wit = await connection.getWorkItemTrackingApi();

const P = "Fiber Café";
const R = (await git.getRepositories(P)).find((one) => one.name === "web shop").id;
const ZERO = "0".repeat(40);
const seen = {};
const see = async (name, call, look) => {
  const reply = await call();
  try {
    seen[name] = look(reply);
  } catch (error) {
    throw new Error(`${name}: ${JSON.stringify(reply)}`, { cause: error });
  }
  return reply;
};
const names = (all) => all.map((one) => one.name).sort();
const titles = (all) => all.map((one) => one.fields["System.Title"]);
const ids = (all) => all.map((one) => one.id);
const patch = (members) => [{ op: "add", ...members }];
// The package gives numbers for words.
const word = (of, value) => of[value].toLowerCase();

const head = (await git.getRefs(R, P, "heads/main"))[0].objectId;
const ci = (await build.getDefinitions(P, "web shop CI"))[0].id;
const branch = { version: "main", versionType: Git.GitVersionType.Branch };

await see("projects", () => core.getProjects(), names);
await see("projects_by_page", () => core.getProjects(undefined, 1, 1), (it) => it.length);
await see("project", () => core.getProject(P), (it) => it.name);
await see("repositories", () => git.getRepositories(P), names);
await see("repository", () => git.getRepository("web shop", P), (it) => it.defaultBranch);
await see("refs", () => git.getRefs(R, P, "heads/"), names);
await see("commits", () => git.getCommits(R, { itemVersion: branch }, P, 0, 2), (it) => it.map((one) => one.comment));
await see("commit", () => git.getCommit(head, R, P), (it) => it.parents.length);
await see("changes", () => git.getChanges(head, R, P), (it) => it.changeCounts !== undefined);
await see("commits_batch", () => git.getCommitsBatch({ itemVersion: branch }, R, P), (it) => it.length);
await see("pushes", () => git.getPushes(R, P), (it) => it.at(-1).pushId);
await see("push", () => git.getPush(R, 1, P, 100, true), (it) => it.refUpdates[0].name);
const all = { status: Git.PullRequestStatus.All };
await see("pull_requests", () => git.getPullRequests(R, all, P), (it) => it.map((one) => one.title));
const active = { status: Git.PullRequestStatus.Active };
await see("pull_requests_of_project", () => git.getPullRequestsByProject(P, active), (it) => it.length);
await see("pull_request", () => git.getPullRequest(R, 1, P), (it) => it.title);
await see("pull_request_by_id", () => git.getPullRequestById(2), (it) => it.sourceRefName);
await see("pull_request_commits", () => git.getPullRequestCommits(R, 1, P), (it) => it[0].comment);
await see("pull_request_iterations", () => git.getPullRequestIterations(R, 1, P), (it) => it.length);
await see("pull_request_work_items", () => git.getPullRequestWorkItemRefs(R, 1, P), (it) => it.length);
await see("threads", () => git.getThreads(R, 2, P), (it) => it[0].comments[0].content);
await see("reviewers", () => git.getPullRequestReviewers(R, 1, P), (it) => [it[0].displayName, it[0].vote]);
await see("definitions", () => build.getDefinitions(P), names);
await see("definition", () => build.getDefinition(P, ci), (it) => it.name);
await see("builds", () => build.getBuilds(P, [ci]), ids);
await see("build", () => build.getBuild(P, 100), (it) => it.sourceBranch);
await see("timeline", () => build.getBuildTimeline(P, 100), (it) => names(it.records.filter((one) => one.type === "Stage")));
await see("build_changes", () => build.getBuildChanges(P, 100), (it) => it.length > 0);
await see("pipelines", () => pipelines.listPipelines(P), names);
await see("pipeline", () => pipelines.getPipeline(P, ci), (it) => it.name);
await see("runs", () => pipelines.listRuns(P, ci), ids);
await see("run", () => pipelines.getRun(P, ci, 100), (it) => it.id);
await see("environments", () => tasks.getEnvironments(P), names);
await see("release_definitions", () => release.getReleaseDefinitions(P), names);
await see("releases", () => release.getReleases(P), names);
await see("deployments", () => release.getDeployments(P), (it) => it.length);
await see("work_item", () => wit.getWorkItem(2), (it) => it.fields["System.State"]);
await see("work_items", () => wit.getWorkItems([1, 2]), titles);
await see("work_items_batch", () => wit.getWorkItemsBatch({ ids: [1, 3], fields: ["System.Title"] }), titles);
await see("updates", () => wit.getUpdates(2), ids);
await see("revisions", () => wit.getRevisions(2), (it) => it.map((one) => one.rev));
await see("types", () => wit.getWorkItemTypes(P), names);
await see("states", () => wit.getWorkItemTypeStates(P, "Bug"), (it) => it.map((one) => one.name));
const wiql = { query: "SELECT [System.Id] FROM WorkItems WHERE [System.WorkItemType] = 'Bug'" };
await see("wiql", () => wit.queryByWiql(wiql), (it) => ids(it.workItems));

const title = patch({ path: "/fields/System.Title", value: "The cup is empty" });
const item = await see("create_work_item", () => wit.createWorkItem({}, title, P, "Bug"), (it) => [it.rev, ...titles([it])]);
const state = patch({ path: "/fields/System.State", value: "Active" });
const moved = (it) => [it.rev, it.fields["System.State"]];
await see("update_work_item", () => wit.updateWorkItem({}, state, item.id), moved);
const to = { rel: "System.LinkTypes.Related", url: `${url}/_apis/wit/workItems/1` };
const link = patch({ path: "/relations/-", value: to });
await see("link", () => wit.updateWorkItem({}, link, item.id), (it) => [it.rev, it.relations.length]);
await see("comment", () => wit.addComment({ text: "Who drank it?" }, P, item.id), (it) => it.text);
await see("comments", () => wit.getComments(P, item.id), (it) => it.comments.map((one) => one.text));
await see("delete_work_item", () => wit.deleteWorkItem(item.id), (it) => it.id === item.id);
const made = { name: "refs/heads/topic/cups", oldObjectId: ZERO, newObjectId: head };
const status = (it) => [it[0].success, Git.GitRefUpdateStatus[it[0].updateStatus].toLowerCase()];
await see("create_branch", () => git.updateRefs([made], R, P), status);
const change = {
  changeType: Git.VersionControlChangeType.Add,
  item: { path: "/cups.md" },
  newContent: { content: "Two", contentType: Git.ItemContentType.RawText },
};
const push = {
  refUpdates: [{ name: made.name, oldObjectId: head }],
  commits: [{ comment: "Count the cups", changes: [change] }],
};
await see("push_commit", () => git.createPush(push, R, P), (it) => [it.commits[0].comment, it.refUpdates[0].name]);
const asked = { sourceRefName: made.name, targetRefName: "refs/heads/main", title: "Cups" };
const { pullRequestId } = await see("create_pull_request", () => git.createPullRequest(asked, R, P), (it) => it.title);
const edit = { title: "Cups, counted" };
await see("update_pull_request", () => git.updatePullRequest(edit, R, pullRequestId, P), (it) => it.title);
const { createdBy, lastMergeSourceCommit } = await git.getPullRequest(R, pullRequestId, P);
const review = () => git.createPullRequestReviewer({ vote: 10 }, R, pullRequestId, createdBy.id, P);
await see("vote", review, (it) => it.vote);
const thread = { comments: [{ content: "Two?", commentType: Git.CommentType.Text }], status: Git.CommentThreadStatus.Active };
await see("comment_pull_request", () => git.createThread(thread, R, pullRequestId, P), (it) => it.comments[0].content);
const done = {
  status: Git.PullRequestStatus.Completed,
  lastMergeSourceCommit,
  completionOptions: { mergeStrategy: Git.GitPullRequestMergeStrategy.Squash, deleteSourceBranch: true },
};
const merge = (it) => word(Git.PullRequestAsyncStatus, it.mergeStatus);
await see("complete_pull_request", () => git.updatePullRequest(done, R, pullRequestId, P), merge);
const how = (it) => word(Git.PullRequestStatus, it.status);
await see("completed_pull_request", () => git.getPullRequest(R, pullRequestId, P), how);
const queued = await see("queue_build", () => build.queueBuild({ definition: { id: ci } }, P), (it) => it.sourceBranch);
const cancel = { status: Build.BuildStatus.Cancelling };
await see("cancel_build", () => build.updateBuild(cancel, P, queued.id), (it) => word(Build.BuildStatus, it.status));
await see("canceled_build", () => build.getBuild(P, queued.id), (it) => word(Build.BuildResult, it.result));
const of = { resources: { repositories: { self: { refName: "refs/heads/feature/3" } } } };
await see("run_pipeline", () => pipelines.runPipeline(of, P, ci), (it) => word(Pipelines.RunState, it.state));

// The package has no client of service hooks: their resource is found by its id, as the package finds all others.
const hooks = async (subscriptionId) => {
  const id = "fc50d02a-849f-41fb-8af1-0a5216103269";
  const { requestUrl, apiVersion } = await core.vsoClient.getVersioningData("7.1", "hooks", id, { subscriptionId });
  return [requestUrl, core.createRequestOptions("application/json", apiVersion)];
};
const [place, headers] = await hooks();
const subscription = {
  publisherId: "tfs",
  eventType: "git.push",
  resourceVersion: "1.0",
  consumerId: "webHooks",
  consumerActionId: "httpRequest",
  publisherInputs: { projectId: (await core.getProject(P)).id, repository: "", branch: "", pushedBy: "" },
  consumerInputs: { url: hook, basicAuthUsername: "someone", basicAuthPassword: "a-planted-password" },
};
const hidden = (it) => [it.result.status, it.result.consumerInputs.basicAuthPassword];
const { result } = await see("create_subscription", () => core.rest.create(place, subscription, headers), hidden);
await see("subscriptions", () => core.rest.get(place, headers), (it) => ids(it.result.value).includes(result.id));
const [its] = await hooks(result.id);
await see("subscription", () => core.rest.get(its, headers), (it) => "tfsSubscriptionId" in it.result.publisherInputs);
await core.rest.del(its, headers);
// A missing thing is null to the package.
await see("delete_subscription", () => core.rest.get(its, headers), (it) => it.result === null);

process.stdout.write(JSON.stringify(seen));
