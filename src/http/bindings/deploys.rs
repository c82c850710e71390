//! How the revisions of a code deployment get to environments: schema, reader and view beside each other.

use super::{
    super::{
        fields::{AZURE_REF, BRANCH, NAME, SLUG, Text, closed, list},
        members::Members,
    },
    both_branches, branch_rule,
};
use crate::{
    deployments::is_glob,
    domain::{AzureRef, BranchRule, BuildRule, Deploys, Ignored, Part, Reach, Revision, Tracking},
};
use serde::Serialize;
use serde_json::{Value, json};
use utoipa::ToSchema;

/// Most environments, and most entries of each list.
const REACHES_MAX: usize = 50;
const LISTED_MAX: usize = 50;
/// A week: what is deployed later than that is told by a call.
const DELAY_MINUTES_MAX: u64 = 7 * 24 * 60;
const TRACKINGS: [(&str, Tracking); 5] = [
    ("build", Tracking::Build),
    ("pull_request", Tracking::PullRequest),
    ("push", Tracking::Push),
    ("tag", Tracking::Tag),
    ("manual", Tracking::Manual),
];
const REVISIONS: [(&str, Revision); 3] =
    [("automatic", Revision::Automatic), ("own", Revision::Own), ("triggering_build", Revision::TriggeringBuild)];

/// Letters that a glob of no special form is made of; the reader takes every glob.
const GLOB: Text = Text::new((1, 400), r"^[A-Za-z0-9 ._/*?-]+$", is_glob, "a glob such as services/cart/** or v*");

/// As it is given.
pub(super) fn schema() -> Value {
    let text = |text: &Text, description: &str| text.schema(description);
    let rule = closed(
        &["pipeline"],
        &json!({
            "pipeline": text(&AZURE_REF, "The pipeline or classic release pipeline, by id or name; also one that does not exist yet."),
            "stage": NAME.nullable("The stage that deploys, or the environment of a release; `*` at its end: any that begins so. Without stage and job: the whole run."),
            "job": NAME.nullable("The job that deploys: by its name in the YAML file, the one that people see, or its identifier (stage.job). `*` at its end: any that begins so."),
            "azure_environment": NAME.nullable("The Azure DevOps environment that a deployment job deploys to: the stages that have such a job deploy. `*` at its end: any that begins so."),
            "match_branch": { "type": "boolean", "default": false, "description": "Only runs within this environment's branch; those outside the binding's never deploy." },
            "revision": { "type": ["string", "null"], "enum": ["automatic", "own", "triggering_build", null], "description": "Of what the run was made of, what it deploys. `automatic`, as without it: what the run that started it, or whose artifacts it takes (resources.pipelines), was built of; of a run that stands alone, what it checked out. `own`: what it checked out. `triggering_build`: what the other run was built of, and nothing without one." },
            "tags": GLOB.nullable("Runs of these tags deploy, too, whatever their branch; left out, runs of tags do not."),
            "pull_requests": { "type": "boolean", "default": false, "description": "Runs that validate pull requests deploy, too: what they deploy is a test merge, which stays nowhere." },
        }),
    );
    let mut reach = closed(
        &["environment"],
        &json!({
            "environment": text(&SLUG, "One of the project's environments."),
            "branch": BRANCH.nullable("Only revisions of this branch."),
            "branch_prefix": BRANCH.nullable("Only revisions of branches that begin so."),
            "builds": list(&rule, LISTED_MAX, "With tracking build: what deploys there, at least one."),
            "tags": GLOB.nullable("With tracking tag: which tags; left out means all."),
        }),
    );
    reach["not"] = both_branches();
    let ignore = closed(
        &[],
        &json!({
            "authors": list(&text(&NAME, "An account or a name."), LISTED_MAX, "Who pushed, made the pull request or started the run."),
            "labels": list(&text(&NAME, "A label."), LISTED_MAX, "Labels of pull requests."),
            "titles": list(&text(&GLOB, "A glob."), LISTED_MAX, "Titles of pull requests."),
            "drafts": { "type": "boolean", "default": false, "description": "Pull requests that were drafts to the end." },
            "reviewers": list(&text(&NAME, "An account or a name."), LISTED_MAX, "Bots: what they say to a pull request is no review, as nothing is that service identities say. They ignore no deployment."),
        }),
    );
    let mut schema = closed(
        &["tracking", "environments"],
        &json!({
            "tracking": { "type": "string", "enum": TRACKINGS.map(|(word, _)| word), "description": "What makes a revision one that was deployed." },
            "environments": { "type": "array", "items": reach, "minItems": 1, "maxItems": REACHES_MAX, "description": "Where to, each environment once." },
            "include_paths": list(&text(&GLOB, "A folder with all below it, or a glob."), LISTED_MAX, "Only revisions that touch one of these; empty or left out means all."),
            "exclude_paths": list(&text(&GLOB, "A folder with all below it, or a glob."), LISTED_MAX, "Paths that do not count."),
            "ignore": ignore,
            "delay_minutes": { "type": "integer", "minimum": 0, "maximum": DELAY_MINUTES_MAX, "default": 0, "description": "How long after what made it the revision counts as deployed." },
        }),
    );
    schema["type"] = json!(["object", "null"]);
    schema["description"] = "How its revisions get to environments; without it nobody knows of deployments.".into();
    schema
}

/// As it is given whether pushes count as changes.
pub(super) fn direct_schema() -> Value {
    json!({
        "type": "boolean", "default": false,
        "description": "Whether a push to its branches that no pull request explains is told as change.merged of its head, too.",
    })
}

/// Reads it over what is there.
pub(super) fn direct(members: &mut Members, there: bool) -> bool {
    let given = members.read("direct_pushes", |value| value.as_bool().ok_or_else(|| "must be true or false".into()));
    members.not_null("direct_pushes", given).unwrap_or(there)
}

/// Reads it; nothing when something is wrong, which stays in the members.
pub(super) fn read(members: &mut Members) -> Option<Deploys> {
    let tracking = members.read("tracking", |value| {
        let known = TRACKINGS.into_iter().find(|(word, _)| value == *word).map(|(_, tracking)| tracking);
        known.ok_or_else(|| format!("must be one of {}", TRACKINGS.map(|(word, _)| word).join(", ")))
    });
    let tracking = members.required("tracking", tracking);
    let mut seen = Vec::new();
    let reaches = members.objects("environments", REACHES_MAX, |object| {
        let reach = reach(object, tracking)?;
        if seen.contains(&reach.environment) {
            object.wrong("environment", "is there twice");
        }
        seen.push(reach.environment.clone());
        Some(reach)
    });
    let reaches = members.required("environments", reaches);
    if reaches.as_ref().is_some_and(Vec::is_empty) {
        members.wrong("environments", "must name at least one");
    }
    let (include_paths, exclude_paths) =
        (listed(members, "include_paths", &GLOB), listed(members, "exclude_paths", &GLOB));
    let ignored = members.object("ignore", |ignore| Ignored {
        authors: listed(ignore, "authors", &NAME),
        labels: listed(ignore, "labels", &NAME),
        titles: listed(ignore, "titles", &GLOB),
        drafts: flag(ignore, "drafts"),
        reviewers: listed(ignore, "reviewers", &NAME),
    });
    let delay = members.read("delay_minutes", |value| {
        let fits = value.as_u64().filter(|minutes| *minutes <= DELAY_MINUTES_MAX);
        let fits = fits.and_then(|minutes| u32::try_from(minutes).ok());
        fits.ok_or_else(|| format!("must be a whole number from 0 to {DELAY_MINUTES_MAX}"))
    });
    Some(Deploys {
        tracking: tracking?,
        reaches: reaches?.into_iter().flatten().collect(),
        include_paths,
        exclude_paths,
        ignored: ignored.flatten().unwrap_or_default(),
        delay_minutes: members.not_null("delay_minutes", delay).unwrap_or_default(),
    })
}

fn reach(members: &mut Members, tracking: Option<Tracking>) -> Option<Reach> {
    let given = members.text("environment", &SLUG);
    let environment = members.required("environment", given).and_then(|slug| slug.parse().ok());
    let branch = branch_rule(members).unwrap_or(BranchRule::Any);
    let builds = members.objects("builds", LISTED_MAX, build_rule);
    let builds: Vec<BuildRule> = builds.flatten().unwrap_or_default().into_iter().flatten().collect();
    let tags = members.text("tags", &GLOB).flatten();
    match tracking {
        Some(Tracking::Build) if builds.is_empty() => {
            members.wrong("builds", "must name at least one pipeline with tracking build");
        }
        Some(tracking) if tracking != Tracking::Build && !builds.is_empty() => {
            members.wrong("builds", "means something only with tracking build");
        }
        Some(tracking) if tracking != Tracking::Tag && tags.is_some() => {
            members.wrong("tags", "means something only with tracking tag");
        }
        _ => {}
    }
    Some(Reach { environment: environment?, branch, builds, tags })
}

fn build_rule(members: &mut Members) -> Option<BuildRule> {
    let given = members.text("pipeline", &AZURE_REF);
    let pipeline = members.required("pipeline", given).map(AzureRef);
    let parts = ["stage", "job", "azure_environment"].map(|name| (name, members.text(name, &NAME).flatten()));
    let mut given = parts.into_iter().filter_map(|(name, value)| Some((name, value?)));
    let (part, second) = (given.next(), given.next());
    if let (Some((first, _)), Some((second, _))) = (&part, second) {
        members.wrong(second, format!("cannot be given together with {first}"));
    }
    let part = match part {
        Some(("stage", name)) => Part::Stage(name),
        Some(("job", name)) => Part::Job(name),
        Some((_, name)) => Part::AzureEnvironment(name),
        None => Part::Run,
    };
    let match_branch = flag(members, "match_branch");
    let revision = members.read("revision", |value| {
        let known = REVISIONS.into_iter().find(|(word, _)| value == *word).map(|(_, revision)| revision);
        known.ok_or_else(|| format!("must be one of {}", REVISIONS.map(|(word, _)| word).join(", ")))
    });
    let revision = revision.flatten().unwrap_or_default();
    let tags = members.text("tags", &GLOB).flatten();
    let pull_requests = flag(members, "pull_requests");
    Some(BuildRule { pipeline: pipeline?, part, match_branch, revision, tags, pull_requests })
}

fn flag(members: &mut Members, name: &'static str) -> bool {
    let given = members.read(name, |value| value.as_bool().ok_or_else(|| "must be true or false".to_owned()));
    members.not_null(name, given).unwrap_or_default()
}

fn listed(members: &mut Members, name: &'static str, bounds: &Text) -> Vec<String> {
    let given = members.texts(name, bounds, LISTED_MAX);
    members.not_null(name, given).unwrap_or_default()
}

/// How the revisions of a code deployment get to environments.
#[derive(Debug, Serialize, ToSchema)]
pub struct DeploysView {
    /// `build`, `pull_request`, `push`, `tag` or `manual`: what makes a revision one that was deployed.
    #[schema(max_length = 20, example = "build")]
    pub tracking: &'static str,
    /// Where to.
    #[schema(max_items = 50)]
    pub environments: Vec<ReachView>,
    /// Only revisions that touch one of these; empty means all.
    #[schema(max_items = 50)]
    pub include_paths: Vec<String>,
    /// Paths that do not count.
    #[schema(max_items = 50)]
    pub exclude_paths: Vec<String>,
    /// What does not become a deployment.
    pub ignore: IgnoredView,
    /// How long after what made it the revision counts as deployed.
    pub delay_minutes: u32,
}

/// An environment that a code deployment reaches.
#[derive(Debug, Serialize, ToSchema)]
pub struct ReachView {
    /// One of the project's.
    #[schema(max_length = 63, example = "production")]
    pub environment: String,
    /// Only revisions of this branch.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(max_length = 250)]
    pub branch: Option<String>,
    /// Only revisions of branches that begin so.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(max_length = 250)]
    pub branch_prefix: Option<String>,
    /// With tracking `build`: what deploys there.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schema(max_items = 50)]
    pub builds: Vec<BuildRuleView>,
    /// With tracking `tag`: which tags.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(max_length = 400)]
    pub tags: Option<String>,
}

/// A part of a pipeline whose success is a deployment.
#[derive(Debug, Serialize, ToSchema)]
pub struct BuildRuleView {
    /// The pipeline, by id or name.
    #[schema(max_length = 256)]
    pub pipeline: String,
    /// The stage that deploys.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(max_length = 100)]
    pub stage: Option<String>,
    /// The job that deploys.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(max_length = 100)]
    pub job: Option<String>,
    /// The Azure DevOps environment to which a job of a stage that deploys deploys.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(max_length = 100)]
    pub azure_environment: Option<String>,
    /// Only runs within the environment's branch.
    pub match_branch: bool,
    /// Of what the run was made of, what it deploys: `own` or `triggering_build`; without it, what fits.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(max_length = 20, example = "triggering_build")]
    pub revision: Option<&'static str>,
    /// Runs of these tags deploy, too.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(max_length = 400)]
    pub tags: Option<String>,
    /// Runs that validate pull requests deploy, too.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub pull_requests: bool,
}

/// What does not become a deployment.
#[derive(Debug, Serialize, ToSchema)]
pub struct IgnoredView {
    /// Who pushed, made the pull request or started the run.
    #[schema(max_items = 50)]
    pub authors: Vec<String>,
    /// Labels of pull requests.
    #[schema(max_items = 50)]
    pub labels: Vec<String>,
    /// Titles of pull requests, as globs.
    #[schema(max_items = 50)]
    pub titles: Vec<String>,
    /// Pull requests that were drafts to the end.
    pub drafts: bool,
    /// Bots, whose reviews do not count.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schema(max_items = 50)]
    pub reviewers: Vec<String>,
}

impl From<&Deploys> for DeploysView {
    fn from(deploys: &Deploys) -> Self {
        let word = TRACKINGS.into_iter().find(|(_, tracking)| *tracking == deploys.tracking);
        Self {
            tracking: word.expect("the table has every tracking").0,
            environments: deploys.reaches.iter().map(ReachView::from).collect(),
            include_paths: deploys.include_paths.clone(),
            exclude_paths: deploys.exclude_paths.clone(),
            ignore: IgnoredView {
                authors: deploys.ignored.authors.clone(),
                labels: deploys.ignored.labels.clone(),
                titles: deploys.ignored.titles.clone(),
                drafts: deploys.ignored.drafts,
                reviewers: deploys.ignored.reviewers.clone(),
            },
            delay_minutes: deploys.delay_minutes,
        }
    }
}

impl From<&Reach> for ReachView {
    fn from(reach: &Reach) -> Self {
        let (branch, branch_prefix) = match &reach.branch {
            BranchRule::Any => (None, None),
            BranchRule::Exact(name) => (Some(name.clone()), None),
            BranchRule::Prefix(prefix) => (None, Some(prefix.clone())),
        };
        let build = |rule: &BuildRule| {
            let (mut stage, mut job, mut azure_environment) = (None, None, None);
            match &rule.part {
                Part::Run => {}
                Part::Stage(name) => stage = Some(name.clone()),
                Part::Job(name) => job = Some(name.clone()),
                Part::AzureEnvironment(name) => azure_environment = Some(name.clone()),
            }
            let word = REVISIONS.into_iter().find(|(_, revision)| *revision == rule.revision);
            BuildRuleView {
                pipeline: rule.pipeline.0.clone(),
                stage,
                job,
                azure_environment,
                match_branch: rule.match_branch,
                revision: word.filter(|_| !rule.revision.is_default()).map(|(word, _)| word),
                tags: rule.tags.clone(),
                pull_requests: rule.pull_requests,
            }
        };
        Self {
            environment: reach.environment.to_string(),
            branch,
            branch_prefix,
            builds: reach.builds.iter().map(build).collect(),
            tags: reach.tags.clone(),
        }
    }
}
