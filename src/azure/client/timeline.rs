//! The timeline of a build: what is in it now, and the earlier attempts of what was run again, which lie in timelines of
//! their own.
//!
//! Source: `TimelineRecord.previousAttempts` and Timeline - Get with a `timelineId` (build 7.1). That an earlier timeline
//! counts its records as of that attempt is not documented; where it does not, they are the same as those known already.

use super::{Failure, TimelineRecord, calls::api, engine::Client, records_shapes as shapes, wire};
use std::collections::BTreeSet;

/// Timelines of earlier attempts that are asked for of one build.
const EARLIER_MAX: usize = 20;

impl Client {
    pub(super) async fn timeline_of(&self, project: &str, build: i64) -> Result<Vec<TimelineRecord>, Failure> {
        let number = build.to_string();
        let (mut parts, earlier) = self.timeline_at(project, &["build", "builds", &number, "timeline"]).await?;
        for timeline in earlier.iter().take(EARLIER_MAX) {
            let (then, _) = self.timeline_at(project, &["build", "builds", &number, "timeline", timeline]).await?;
            let is_known =
                |part: &TimelineRecord| parts.iter().any(|own| (&own.id, own.attempt) == (&part.id, part.attempt));
            let then: Vec<TimelineRecord> = then.into_iter().filter(|part| !is_known(part)).collect();
            parts.extend(then);
        }
        Ok(parts)
    }

    /// The records of a timeline, and the timelines of earlier attempts that they name; none where there is no timeline.
    async fn timeline_at(
        &self,
        project: &str,
        path: &[&str],
    ) -> Result<(Vec<TimelineRecord>, BTreeSet<String>), Failure> {
        let call = api("the timeline", self.base(), Some(project), path)?;
        let reply = self.ask(&call).await?;
        if reply.body.is_empty() {
            return Ok((Vec::new(), BTreeSet::new()));
        }
        let timeline: shapes::Timeline<'_> = wire::object(&reply, call.name)?;
        let parts = wire::records_in::<shapes::Part<'_>>(timeline.records, &reply, call.name, "records")?;
        let earlier = wire::records_in::<shapes::Attempts<'_>>(timeline.records, &reply, call.name, "records")?;
        Ok((parts.items, earlier.into_iter().flatten().collect()))
    }
}
