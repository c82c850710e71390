//! Completeness as the API shows it.

use crate::{
    domain::{Gap, Stream},
    ledger::{
        Completeness, Verdict, Verified,
        chain::{Break, Fault},
        entry::Entry,
    },
};
use jiff::Timestamp;
use serde::Serialize;
use utoipa::ToSchema;
use uuid::Uuid;

/// Most gaps of a binding that are listed; all are counted.
const GAPS_SHOWN_MAX: usize = 200;

/// A page of bindings with how complete each is.
#[derive(Debug, Serialize, ToSchema)]
pub struct CompletenessPage {
    /// The hours are from this time on.
    #[schema(value_type = String, format = DateTime, max_length = 40)]
    pub from: Timestamp,
    /// The hours are before this time.
    #[schema(value_type = String, format = DateTime, max_length = 40)]
    pub to: Timestamp,
    /// The ledger that this is read from.
    pub chain: ChainView,
    /// The bindings, by id.
    #[schema(max_items = 100)]
    pub data: Vec<BindingCompletenessView>,
    /// Send it as `after` for the next page; null at the end.
    pub next: Option<Uuid>,
}

/// Whether the ledger is as it was written.
#[derive(Debug, Clone, Copy, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum ChainVerdict {
    /// Each entry names the hash of the one before it, from the oldest that is kept to the newest.
    Intact,
    /// It holds as far as it was read since the gateway started; ask again for the rest.
    Unfinished,
    /// It was changed behind the gateway's back: `broken` says where first.
    Broken,
}

/// What is wrong with an entry of the ledger.
#[derive(Debug, Clone, Copy, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum ChainFault {
    /// It is not what was written.
    Changed,
    /// It should be there and is not.
    Removed,
    /// It stands where another one should.
    OutOfPlace,
    /// The registry does not know the newest entry any more.
    HeadLost,
}

/// The first place where the ledger is not as it was written.
#[derive(Debug, Serialize, ToSchema)]
pub struct BrokenView {
    /// The entry's number.
    pub number: u64,
    /// What is wrong with it.
    pub fault: ChainFault,
}

/// The ledger's chain.
#[derive(Debug, Serialize, ToSchema)]
pub struct ChainView {
    /// Whether it is as it was written.
    pub verdict: ChainVerdict,
    /// How many entries hold, from the oldest that is kept on.
    pub entries: u64,
    /// The number of the newest of them; 0 before the first.
    pub head_number: u64,
    /// Its SHA-256. Noted elsewhere, it proves later that nothing before it was written anew.
    #[schema(min_length = 64, max_length = 64, pattern = "^[0-9a-f]{64}$")]
    pub head_hash: String,
    /// Where it does not hold.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub broken: Option<BrokenView>,
}

impl From<Verified> for ChainView {
    fn from(verified: Verified) -> Self {
        let Verified { verdict, entries, head } = verified;
        let (verdict, broken) = match verdict {
            Verdict::Intact => (ChainVerdict::Intact, None),
            Verdict::Unfinished => (ChainVerdict::Unfinished, None),
            Verdict::Broken(Break { number, fault }) => {
                let fault = match fault {
                    Fault::Changed => ChainFault::Changed,
                    Fault::Removed => ChainFault::Removed,
                    Fault::OutOfPlace => ChainFault::OutOfPlace,
                    Fault::HeadLost => ChainFault::HeadLost,
                };
                (ChainVerdict::Broken, Some(BrokenView { number, fault }))
            }
        };
        Self { verdict, entries, head_number: head.number, head_hash: head.hash.to_string(), broken }
    }
}

/// A kind of Azure's records.
#[derive(Debug, Clone, Copy, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum StreamView {
    /// Pushes to a repository.
    Pushes,
    /// Pull requests of a repository.
    PullRequests,
    /// Builds with their stages and jobs.
    Builds,
    /// Classic releases and their deployments.
    Releases,
    /// Revisions of work items.
    WorkItems,
}

impl From<Stream> for StreamView {
    fn from(stream: Stream) -> Self {
        match stream {
            Stream::Pushes => Self::Pushes,
            Stream::PullRequests => Self::PullRequests,
            Stream::Builds => Self::Builds,
            Stream::Releases => Self::Releases,
            Stream::WorkItems => Self::WorkItems,
        }
    }
}

/// What was found of an hour. `expected` is the sum of the four others.
#[derive(Debug, Serialize, ToSchema)]
pub struct HourView {
    /// Its beginning.
    #[schema(value_type = String, format = DateTime, max_length = 40)]
    pub hour: Timestamp,
    /// When it was compared with Azure's records, and this found.
    #[schema(value_type = String, format = DateTime, max_length = 40)]
    pub compared_at: Timestamp,
    /// Up to when it was compared: its end, or before that while it is running.
    #[schema(value_type = String, format = DateTime, max_length = 40)]
    pub compared_until: Timestamp,
    /// Facts that Azure's records tell.
    pub expected: u64,
    /// Of those, delivered by a hook.
    pub received: u64,
    /// Come back by the history of our subscriptions.
    pub recovered_by_history: u64,
    /// Come back by Azure's records.
    pub recovered_by_rest: u64,
    /// Not here, and not to be made from what is known.
    pub unexplained: u64,
    /// What the unexplained ones are about, the first twenty.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schema(max_items = 20)]
    pub entities: Vec<String>,
}

impl From<&Entry> for HourView {
    fn from(entry: &Entry) -> Self {
        let account = &entry.account;
        Self {
            hour: entry.hour,
            compared_at: entry.compared_at,
            compared_until: entry.compared_until,
            expected: account.expected,
            received: account.received,
            recovered_by_history: account.history,
            recovered_by_rest: account.rest,
            unexplained: account.unexplained,
            entities: account.entities.clone(),
        }
    }
}

/// The hours of one kind of record.
#[derive(Debug, Serialize, ToSchema)]
pub struct StreamHoursView {
    /// Which kind.
    pub stream: StreamView,
    /// The hours that were compared, oldest first.
    #[schema(max_items = 745)]
    pub hours: Vec<HourView>,
}

/// Something that must have happened, because what came after it says so, and that nobody tells.
#[derive(Debug, Serialize, ToSchema)]
pub struct GapView {
    /// Which kind of record is missing.
    pub stream: StreamView,
    /// What it is about.
    #[schema(max_length = 1000, example = "wit/workItems/12")]
    pub entity: String,
    /// What is missing.
    #[schema(max_length = 1000, example = "revisions 6 to 7")]
    pub what: String,
    /// It happened after this.
    #[schema(value_type = String, format = DateTime, max_length = 40)]
    pub after: Timestamp,
    /// And before this.
    #[schema(value_type = String, format = DateTime, max_length = 40)]
    pub before: Timestamp,
}

impl From<&Gap> for GapView {
    fn from(gap: &Gap) -> Self {
        Self {
            stream: gap.stream.into(),
            entity: gap.entity.clone(),
            what: gap.what.clone(),
            after: gap.after,
            before: gap.before,
        }
    }
}

/// How complete a binding is.
#[derive(Debug, Serialize, ToSchema)]
pub struct BindingCompletenessView {
    /// The binding's id.
    pub binding: Uuid,
    /// Its project.
    #[schema(max_length = 63)]
    pub project: String,
    /// Its connection.
    pub connection: Uuid,
    /// What people call it.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(max_length = 100)]
    pub name: Option<String>,
    /// Whether all hours asked for were compared and nothing in them is missing. Without `to` it is enough that the
    /// comparison is less than two hours late; without `from` it need not go back before the binding's beginning.
    pub is_complete: bool,
    /// From when on it was compared; null before the first time.
    #[schema(value_type = Option<String>, format = DateTime, max_length = 40)]
    pub complete_from: Option<Timestamp>,
    /// Up to here everything that is known to have happened is an event: as far as it was compared, but not beyond the
    /// oldest thing that is missing and whose events would still be kept. Null before the first time.
    #[schema(value_type = Option<String>, format = DateTime, max_length = 40)]
    pub complete_until: Option<Timestamp>,
    /// How far it was compared, whatever was found.
    #[schema(value_type = Option<String>, format = DateTime, max_length = 40)]
    pub compared_until: Option<Timestamp>,
    /// Unexplained facts that are within what is kept, also outside the hours asked for.
    pub unexplained: u64,
    /// Each kind of record of this binding.
    #[schema(max_items = 5)]
    pub streams: Vec<StreamHoursView>,
    /// What must have happened in these hours and nobody tells, the first 200.
    #[schema(max_items = 200)]
    pub gaps: Vec<GapView>,
}

impl BindingCompletenessView {
    /// Of what was found; `is_covered` when all that was asked for was compared.
    pub fn new(found: &Completeness, is_covered: bool) -> Self {
        let Completeness { binding, reach, streams, gaps } = found;
        let missing = streams.iter().flat_map(|stream| &stream.hours).any(|hour| hour.account.unexplained > 0);
        Self {
            binding: binding.id.0,
            project: binding.project.to_string(),
            connection: binding.connection.0,
            name: binding.name.clone(),
            is_complete: is_covered && !missing && gaps.is_empty(),
            complete_from: reach.from,
            complete_until: reach.until,
            compared_until: reach.compared_until,
            unexplained: reach.unexplained,
            streams: streams
                .iter()
                .map(|stream| StreamHoursView {
                    stream: stream.stream.into(),
                    hours: stream.hours.iter().map(HourView::from).collect(),
                })
                .collect(),
            gaps: gaps.iter().take(GAPS_SHOWN_MAX).map(GapView::from).collect(),
        }
    }
}
