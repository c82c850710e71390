//! What was deployed, a line each, as the API shows it.

use crate::harness::Gateway;
use jiff::Timestamp;
use serde_json::Value;
use std::collections::BTreeSet;

/// `day:hour` since the story began, or nothing.
fn moment(began: Timestamp, at: &Value) -> String {
    let Some(at) = at.as_str() else { return "-".to_owned() };
    let at: Timestamp = at.parse().unwrap();
    let minutes = at.duration_since(began).as_secs().div_euclid(60);
    // What waits for its order moves the clock by seconds.
    let hours = (minutes + 30).div_euclid(60);
    format!("{}:{}", hours.div_euclid(24), hours.rem_euclid(24))
}

fn words<'a>(list: &'a Value, word: impl Fn(&'a Value) -> String) -> String {
    list.as_array().unwrap().iter().map(word).collect::<Vec<_>>().join(", ")
}

fn first_line(own: &Value) -> String {
    own.as_str().unwrap_or_default().lines().next().unwrap_or_default().to_owned()
}

fn line(shown: &Value, began: Timestamp) -> String {
    let text = |name: &str| shown[name].as_str().unwrap();
    let commits = shown["commits"].as_array().unwrap();
    let head = commits.first().map(|own| first_line(&own["message"])).unwrap_or_default();
    let by: BTreeSet<&str> =
        commits.iter().map(|own| own["author"]["name"].as_str().unwrap().split(' ').next().unwrap()).collect();
    let by: Vec<&str> = by.into_iter().collect();
    let outcome = |own: &Value| own["outcome"].as_str().or(own["state"].as_str()).unwrap_or_default().to_owned();
    let lead = &shown["lead_time"];
    let anchors = ["work_started", "first_commit", "first_pull_request", "first_review", "last_merge"];
    let anchors: Vec<String> = anchors.iter().map(|anchor| moment(began, &lead[anchor])).collect();
    assert_eq!(shown["missing"], serde_json::json!([]), "{shown}");
    format!(
        "{} → {} {} {} {:?}, {} commits by [{}], {} files, PR [{}], AB [{}], builds [{}], lead time {}",
        text("name"),
        text("environment"),
        moment(began, &shown["at"]),
        text("step"),
        head,
        shown["size"]["commits"],
        by.join(", "),
        shown["size"]["files"],
        words(&shown["pull_requests"], |own| first_line(&own["title"])),
        words(&shown["work_items"], |own| first_line(&own["title"])),
        words(&shown["builds"], outcome),
        anchors.join(" "),
    )
}

/// Deployments by name, environment and time, then how far production is behind.
pub(super) async fn table(gateway: &Gateway, began: Timestamp) -> Vec<String> {
    let list = gateway.get("/v1/projects/web/deployments?limit=1000").await.json();
    let mut lines = Vec::new();
    for own in list["data"].as_array().unwrap() {
        let id = own["id"].as_str().unwrap();
        let shown = gateway.get(&format!("/v1/projects/web/deployments/{id}")).await.json();
        let at: Timestamp = shown["at"].as_str().unwrap().parse().unwrap();
        let place = (shown["name"].as_str().unwrap().to_owned(), shown["environment"].as_str().unwrap().to_owned());
        lines.push((place, at, line(&shown, began)));
    }
    lines.sort();
    let environments = gateway.get("/v1/projects/web/environments").await.json();
    let mut drifts = Vec::new();
    for current in environments["data"][1]["current"].as_array().unwrap() {
        let (drift, name) = (&current["drift"], current["deployment"]["name"].as_str().unwrap());
        drifts.push(if drift.is_null() {
            format!("{name}: production has what staging never had")
        } else {
            let hours = (drift["days"].as_f64().unwrap() * 24.0).round();
            format!(
                "{name}: production is {} commits, {} deployments, {hours} hours behind",
                drift["commits"], drift["deployments"]
            )
        });
    }
    drifts.sort();
    lines.into_iter().map(|(.., line)| line).chain(drifts).collect()
}

/// Checked by hand against the story. A moment is `day:hour`; lead time is counted from: work, commit, pull request, review,
/// merge. What was squashed began with the first commit of its pull request (Prices: 1:2, and not the merge at 2:2), as did
/// what is deployed first without a base to count from (mail: 3:4; gifts: 9:2).
pub(super) const TABLE: &[&str] = &[
    r#"build → production 0:3 first "cart begins", 1 commits by [Ana], 1 files, PR [], AB [], builds [success], lead time - 0:1 - - -"#,
    r#"build → production 4:4 forward "mail ends", 3 commits by [Mei, Sam], 4 files, PR [Prices, AB#4, Mail and more], AB [Prices, Mail], builds [success], lead time 1:1 1:2 1:3 2:1 4:2"#,
    r#"build → production 5:1 back "", 0 commits by [], 0 files, PR [], AB [], builds [success], lead time - - - - -"#,
    r#"build → production 10:4 forward "Merged PR 6: Gifts, AB#7", 7 commits by [Ana, Lena, Mei, Sam], 5 files, PR [Prices, AB#4, Mail and more, Revert "Mail and more", Gifts, AB#7], AB [Prices, Mail, Gifts], builds [success], lead time 1:1 1:2 1:3 2:1 10:2"#,
    r#"build → staging 0:2 first "cart begins", 1 commits by [Ana], 1 files, PR [], AB [], builds [running], lead time - 0:1 - - -"#,
    r#"build → staging 3:1 forward "Merged PR 3: Prices, AB#4", 1 commits by [Mei], 2 files, PR [Prices, AB#4], AB [Prices], builds [running], lead time 1:1 1:2 1:3 2:1 2:2"#,
    r#"build → staging 4:3 forward "mail ends", 2 commits by [Sam], 2 files, PR [Mail and more], AB [Mail], builds [running], lead time 3:3 3:4 3:5 4:1 4:2"#,
    r#"build → staging 10:3 forward "Merged PR 6: Gifts, AB#7", 4 commits by [Ana, Lena, Mei], 2 files, PR [Revert "Mail and more", Gifts, AB#7], AB [Gifts], builds [running], lead time 8:4 8:1 8:1 8:2 10:2"#,
    r#"build → staging 11:3 forward "only words", 1 commits by [Ana], 1 files, PR [], AB [], builds [running], lead time - 11:2 - - -"#,
    r#"cart → production 7:3 first "hotfix, AB#6", 1 commits by [Lena], 1 files, PR [], AB [Empty cart], builds [], lead time 7:2 7:3 - - -"#,
    r#"cart → staging 0:1 first "cart begins", 1 commits by [Ana], 1 files, PR [], AB [], builds [], lead time - 0:1 - - -"#,
    r#"mail → staging 4:2 first "mail ends", 1 commits by [Sam], 1 files, PR [Mail and more], AB [Mail], builds [], lead time 3:3 3:4 3:5 4:1 4:2"#,
    r#"mail → staging 8:3 forward "Merged PR 5: Revert \"Mail and more\"", 2 commits by [Ana], 1 files, PR [Revert "Mail and more"], AB [], builds [], lead time - 8:1 8:1 8:2 8:3"#,
    r#"price → staging 2:2 first "Merged PR 3: Prices, AB#4", 1 commits by [Mei], 2 files, PR [Prices, AB#4], AB [Prices], builds [], lead time 1:1 1:2 1:3 2:1 2:2"#,
    r#"price → staging 10:2 forward "Merged PR 6: Gifts, AB#7", 6 commits by [Ana, Lena, Mei, Sam], 3 files, PR [Mail and more, Revert "Mail and more", Gifts, AB#7], AB [Mail, Gifts], builds [], lead time 3:3 3:4 3:5 4:1 10:2"#,
    r#"pull request → staging 2:2 first "Merged PR 3: Prices, AB#4", 1 commits by [Mei], 2 files, PR [Prices, AB#4], AB [Prices], builds [], lead time 1:1 1:2 1:3 2:1 2:2"#,
    r#"pull request → staging 4:2 forward "mail ends", 2 commits by [Sam], 2 files, PR [Mail and more], AB [Mail], builds [], lead time 3:3 3:4 3:5 4:1 4:2"#,
    r#"pull request → staging 8:3 forward "Merged PR 5: Revert \"Mail and more\"", 2 commits by [Ana], 1 files, PR [Revert "Mail and more"], AB [], builds [], lead time - 8:1 8:1 8:2 8:3"#,
    r#"pull request → staging 10:2 forward "Merged PR 6: Gifts, AB#7", 2 commits by [Lena, Mei], 1 files, PR [Gifts, AB#7], AB [Gifts], builds [], lead time 8:4 9:2 9:3 10:1 10:2"#,
    r#"push → production 7:3 first "hotfix, AB#6", 1 commits by [Lena], 1 files, PR [], AB [Empty cart], builds [], lead time 7:2 7:3 - - -"#,
    r#"push → staging 0:1 first "cart begins", 1 commits by [Ana], 1 files, PR [], AB [], builds [], lead time - 0:1 - - -"#,
    r#"push → staging 2:2 forward "Merged PR 3: Prices, AB#4", 1 commits by [Mei], 2 files, PR [Prices, AB#4], AB [Prices], builds [], lead time 1:1 1:2 1:3 2:1 2:2"#,
    r#"push → staging 4:2 forward "mail ends", 2 commits by [Sam], 2 files, PR [Mail and more], AB [Mail], builds [], lead time 3:3 3:4 3:5 4:1 4:2"#,
    r#"push → staging 8:3 forward "Merged PR 5: Revert \"Mail and more\"", 2 commits by [Ana], 1 files, PR [Revert "Mail and more"], AB [], builds [], lead time - 8:1 8:1 8:2 8:3"#,
    r#"push → staging 10:2 forward "Merged PR 6: Gifts, AB#7", 2 commits by [Lena, Mei], 1 files, PR [Gifts, AB#7], AB [Gifts], builds [], lead time 8:4 9:2 9:3 10:1 10:2"#,
    r#"push → staging 11:2 forward "only words", 1 commits by [Ana], 1 files, PR [], AB [], builds [], lead time - 11:2 - - -"#,
    r#"tag → production 11:1 first "Merged PR 6: Gifts, AB#7", 1 commits by [Mei], 1 files, PR [Gifts, AB#7], AB [Gifts], builds [success], lead time 8:4 9:2 9:3 10:1 10:2"#,
    r#"tag → staging 4:5 first "mail ends", 1 commits by [Sam], 1 files, PR [Mail and more], AB [Mail], builds [success], lead time 3:3 3:4 3:5 4:1 4:2"#,
    "build: production is 1 commits, 1 deployments, 24 hours behind",
    "cart: production has what staging never had",
    "push: production has what staging never had",
    "tag: production has what staging never had",
];
