//! What happens in the two weeks, hour by hour.

use crate::real::SHOP;
use hookwell::simulator::{Edit, MergeStrategy, RefChange, Simulator};
use uuid::Uuid;

const ANA: &str = "ana@fabrikam.example";
const JUERGEN: &str = "juergen@fabrikam.example";
const MEI: &str = "mei@fabrikam.example";
const SAM: &str = "sam@fabrikam.example";
const LENA: &str = "lena@fabrikam.example";

/// Who does what where.
pub(super) struct Story<'a> {
    simulator: &'a Simulator,
    project: Uuid,
    web: Uuid,
    ci: u32,
    first: u32,
    prices: u32,
    mail: u32,
    cart: u32,
    gifts: u32,
}

impl<'a> Story<'a> {
    pub(super) fn new(simulator: &'a Simulator) -> Self {
        simulator.hire("Lena Lindqvist", LENA, false);
        let project = simulator.project(SHOP).unwrap();
        let web = simulator.repository(project, "web shop").unwrap();
        let ci = simulator.definition(project, "web shop CI").unwrap();
        let item = |kind: &str, title: &str| simulator.create_work_item(project, kind, title).unwrap();
        Self {
            simulator,
            project,
            web,
            ci,
            first: 0,
            prices: item("User Story", "Prices"),
            mail: item("Task", "Mail"),
            cart: item("Bug", "Empty cart"),
            gifts: item("User Story", "Gifts"),
        }
    }

    fn push(&self, who: &str, branch: &str, message: &str, path: &str) {
        self.simulator.acts(who);
        self.simulator.push_commit(self.web, branch, message, &[path]).unwrap();
    }

    fn propose(&self, who: &str, branch: &str, title: &str) -> u32 {
        self.simulator.acts(who);
        self.simulator.create_pull_request(self.web, branch, "main", title).unwrap()
    }

    fn merge(&self, who: &str, number: u32, strategy: MergeStrategy) {
        self.simulator.acts(who);
        self.simulator.merge_pull_request(number, strategy, true).unwrap();
    }

    fn tag(&self, tag: &str) {
        self.simulator.push(self.web, "", &[RefChange::Tag { tag: tag.to_owned() }]).unwrap();
    }

    fn start(&self, who: &str) -> u32 {
        self.simulator.acts(who);
        let build = self.simulator.queue_build(self.ci, "main").unwrap();
        self.simulator.start_build(build).unwrap();
        build
    }

    fn stage(&self, build: u32, stage: &str, result: &'static str) {
        self.simulator.start_stage(build, stage).unwrap();
        self.simulator.finish_stage(build, stage, result).unwrap();
    }

    /// The second stage, and with it the end.
    fn deploy(&self, build: u32, result: &'static str) {
        self.stage(build, "Deploy to production", result);
        self.simulator.finish_build(build, result).unwrap();
    }
}

/// All of it; `until` lets time pass until so many hours are over.
pub(super) async fn two_weeks(story: &mut Story<'_>, mut until: impl AsyncFnMut(u64)) {
    let mut at = async |day: u64, hour: u64| until(day * 24 + hour).await;
    first_week(story, &mut at).await;
    second_week(story, &mut at).await;
}

async fn first_week(story: &mut Story<'_>, at: &mut impl AsyncFnMut(u64, u64)) {
    let (simulator, prices, mail) = (story.simulator, story.prices, story.mail);
    // The cart, deployed at once.
    at(0, 1).await;
    story.push(ANA, "main", "cart begins", "/services/cart/main.rs");
    at(0, 2).await;
    let first = story.start(JUERGEN);
    story.first = first;
    story.stage(first, "Build", "succeeded");
    at(0, 3).await;
    story.deploy(first, "succeeded");

    // Prices, squashed; they do not get to production.
    at(1, 1).await;
    simulator.move_work_item(prices, "Active").unwrap();
    at(1, 2).await;
    story.push(MEI, "topic/prices", "prices begin", "/services/price/main.rs");
    at(1, 3).await;
    story.push(MEI, "topic/prices", "prices end", "/services/price/list.rs");
    let squashed = story.propose(MEI, "topic/prices", &format!("Prices, AB#{prices}"));
    at(2, 1).await;
    simulator.acts(JUERGEN);
    simulator.comment_pull_request(squashed, "Looks good").unwrap();
    at(2, 2).await;
    story.merge(MEI, squashed, MergeStrategy::Squash);
    at(3, 1).await;
    let build = story.start(JUERGEN);
    story.stage(build, "Build", "succeeded");
    at(3, 2).await;
    story.deploy(build, "failed");

    // Mail, rebased; its task turns out to be a bug.
    at(3, 3).await;
    simulator.move_work_item(mail, "Active").unwrap();
    at(3, 4).await;
    story.push(SAM, "topic/mail", "mail begins", "/services/mail/main.rs");
    at(3, 5).await;
    story.push(SAM, "topic/mail", "mail ends", "/services/mail/send.rs");
    let rebased = story.propose(SAM, "topic/mail", "Mail and more");
    let link = format!("vstfs:///Git/PullRequestId/{}%2f{}%2f{rebased}", story.project, story.web);
    simulator.link_work_item(mail, "ArtifactLink", &link).unwrap();
    at(4, 1).await;
    let bug = [("System.WorkItemType".to_owned(), Edit::Set("Bug".into()))];
    simulator.update_work_item(mail, "", &bug).unwrap();
    simulator.vote(rebased, ANA, 10).unwrap();
    at(4, 2).await;
    story.merge(SAM, rebased, MergeStrategy::Rebase);
    at(4, 3).await;
    let build = story.start(JUERGEN);
    story.stage(build, "Build", "succeeded");
    at(4, 4).await;
    story.deploy(build, "succeeded");
    at(4, 5).await;
    story.tag("rc1");
}

async fn second_week(story: &Story<'_>, at: &mut impl AsyncFnMut(u64, u64)) {
    let Story { simulator, first, prices, mail, cart, gifts, .. } = *story;
    // It was not good: back to the first.
    at(5, 1).await;
    simulator.retry_stage(first, "Deploy to production").unwrap();
    story.deploy(first, "succeeded");
    at(7, 1).await;
    simulator.rename_repository(story.web, "storefront").unwrap();

    // A hotfix, past everything.
    at(7, 2).await;
    simulator.move_work_item(cart, "Active").unwrap();
    at(7, 3).await;
    story.push(LENA, "release/1", &format!("hotfix, AB#{cart}"), "/services/cart/main.rs");

    // The mail is reverted.
    at(8, 1).await;
    story.push(ANA, "topic/revert", "Revert \"Mail and more\"", "/services/mail/main.rs");
    let revert = story.propose(ANA, "topic/revert", "Revert \"Mail and more\"");
    at(8, 2).await;
    simulator.acts(SAM);
    simulator.comment_pull_request(revert, "A pity").unwrap();
    at(8, 3).await;
    story.merge(ANA, revert, MergeStrategy::NoFastForward);

    // Gifts come from a fork.
    at(8, 4).await;
    simulator.move_work_item(gifts, "Active").unwrap();
    at(9, 1).await;
    simulator.acts(LENA);
    let fork = simulator.fork_repository(story.web, "storefront of Lena").unwrap();
    at(9, 2).await;
    simulator.push_commit(fork, "gifts", "gift cards", &["/services/price/gift.rs"]).unwrap();
    at(9, 3).await;
    let forked = simulator.create_pull_request_of_fork(fork, "gifts", "main", &format!("Gifts, AB#{gifts}")).unwrap();
    at(10, 1).await;
    simulator.acts(MEI);
    simulator.comment_pull_request(forked, "Nice").unwrap();
    at(10, 2).await;
    story.merge(MEI, forked, MergeStrategy::RebaseMerge);
    at(10, 3).await;
    let build = story.start(JUERGEN);
    story.stage(build, "Build", "succeeded");
    at(10, 4).await;
    story.deploy(build, "succeeded");
    at(11, 1).await;
    story.tag("v1");

    // Words stay in staging.
    at(11, 2).await;
    story.push(ANA, "main", "only words", "/docs/read.me");
    at(11, 3).await;
    let build = story.start(JUERGEN);
    story.stage(build, "Build", "succeeded");
    at(11, 4).await;
    story.deploy(build, "canceled");
    for (item, state) in [(prices, "Closed"), (mail, "Closed"), (cart, "Resolved"), (gifts, "Closed")] {
        simulator.move_work_item(item, state).unwrap();
    }
    at(14, 0).await;
}
