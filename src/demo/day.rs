//! A busy day: what happens at the office, in order, with the things that go wrong in life.

use crate::simulator::{Delivery, Organization};

/// One thing that is sent.
pub(super) struct Step {
    pub(super) delivery: Delivery,
    /// Somebody who does not know the hook's password.
    pub(super) wrong_password: bool,
}

/// The whole day.
pub(super) fn steps(office: &mut Organization) -> Vec<Step> {
    let mut day = Vec::new();
    day.extend(morning(office));
    day.extend(release(office));
    let push = office.push("main");
    day.push(push.clone());
    // The same delivery once more: our answer was slow, or lost.
    day.push(Delivery { title: format!("{} (delivered again)", push.title), ..push });
    day.push(office.test_button());
    day.push(office.unknown());
    day.push(office.broken());
    let stranger = office.push("main");
    let mut steps: Vec<Step> = day.into_iter().map(|delivery| Step { delivery, wrong_password: false }).collect();
    let title = "a push from somebody without the password".to_owned();
    steps.push(Step { delivery: Delivery { title, ..stranger }, wrong_password: true });
    steps
}

fn morning(office: &mut Organization) -> Vec<Delivery> {
    vec![
        office.create_work_item(17, "The checkout is slow"),
        office.move_work_item(17, 2, "The checkout is slow", "New", "Active"),
        office.create_branch("feature/41"),
        office.push("feature/41"),
        office.pull_request("created", 41, "active", None),
        // Azure computes a test merge at once, and calls that "merged".
        office.pull_request("merged", 41, "active", None),
        office.push("feature/41"),
        office.pull_request("updated", 41, "active", Some("PushNotification")),
        office.pull_request("updated", 41, "active", Some("ReviewerVoteNotification")),
        office.pull_request("updated", 41, "completed", Some("StatusUpdateNotification")),
        // The same completion, told by the other event: no second change.merged.
        office.pull_request("merged", 41, "completed", None),
        office.push("main"),
        office.delete_branch("feature/41"),
    ]
}

fn release(office: &mut Organization) -> Vec<Delivery> {
    vec![
        office.run(880, "inProgress", None),
        office.stage(880, "Build", "running", None),
        office.stage(880, "Build", "completed", Some("succeeded")),
        office.stage(880, "Deploy to production", "waiting", None),
        office.stage(880, "Deploy to production", "running", None),
        office.stage(880, "Deploy to production", "completed", Some("succeeded")),
        office.build(880, "succeeded"),
        office.build(881, "failed"),
        office.build(882, "partiallySucceeded"),
        office.push_tags("v1.4.0", "latest"),
        office.pull_request("created", 42, "active", None),
        office.pull_request("updated", 42, "abandoned", Some("StatusUpdateNotification")),
        office.move_work_item(17, 3, "The checkout is slow", "Active", "Resolved"),
        office.move_work_item(17, 4, "The checkout is slow", "Resolved", "Closed"),
    ]
}
