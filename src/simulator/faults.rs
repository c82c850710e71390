//! What goes wrong on purpose: everything that the real one is known to do to its clients, as switches.

use super::{forget::Forget, hooks::Misbehaviour};
use serde::{Deserialize, Serialize};

/// The switches. All off is an Azure DevOps on a good day.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[expect(clippy::struct_excessive_bools, reason = "switches are")]
pub struct Faults {
    /// How a missing, dead or expired credential is refused.
    pub refusal: Refusal,
    /// Whether `X-TFS-FedAuthRedirect: Suppress` changes nothing, as on some hosts.
    pub suppress_is_ignored: bool,
    /// No credential is good any more.
    pub credentials_dead: bool,
    /// How a token without the scope is refused.
    pub scope_refusal: ScopeRefusal,
    /// The call about permissions wants a token with full access: no scope is documented for it.
    pub permissions_need_full_access: bool,
    /// The token for the next page of builds says nothing, and the first page comes again (vsts-rest-api-specs#178).
    pub build_tokens_say_nothing: bool,
    /// The audit log's entries are below `value`, as in the reference's sample; clients read them beside it.
    pub audit_log_is_below_value: bool,
    /// Every answer takes this much longer, in real time whatever the clock: it is the network that is slow.
    pub delay_milliseconds: u64,
    /// What happens to an identity that uses too much; off, nothing is limited.
    pub rate_limit: Option<RateLimit>,
    /// The listing of all subscriptions takes this much longer, in real time.
    pub subscription_listing_delay_milliseconds: u64,
    /// Where the page of a question for commits is read from.
    pub commits_paged_by: CommitsPagedBy,
    /// Requests that fail; the first rule that strikes wins.
    pub rules: Vec<Rule>,
    /// Stretches of time that nothing is remembered of.
    pub forget: Vec<Forget>,
    /// What the hooks do wrong.
    pub hooks: Misbehaviour,
}

/// How a bad credential is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Refusal {
    /// 203 and the sign-in page.
    #[default]
    SignInPage,
    /// 302 to the sign-in page.
    Redirect,
    /// 401.
    Unauthorized,
}

/// Where the page of `commitsbatch` is read from: the specification has it in the query, and the body's criteria have members
/// for it as well. Nobody has recorded which the service reads.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CommitsPagedBy {
    /// The query, else the body.
    #[default]
    Either,
    /// The query alone.
    Query,
    /// The body alone.
    Body,
}

/// How a token without the scope is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ScopeRefusal {
    /// 401.
    #[default]
    Unauthorized,
    /// 403.
    Forbidden,
    /// 203 and the sign-in page, as in some areas.
    SignInPage,
}

/// A limit on what one identity uses within 5 minutes.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RateLimit {
    /// In throughput units; Azure's own is 200.
    pub tstu: f64,
    /// What happens over it.
    pub then: Throttle,
}

/// How too much is slowed down.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Throttle {
    /// The answer comes, late, and with `Retry-After`.
    Delay {
        /// What the headers say.
        seconds: u32,
        /// How late it really comes.
        milliseconds: u64,
    },
    /// 429.
    Block {
        /// `Retry-After`, where it is sent.
        retry_after_seconds: Option<u32>,
    },
    /// The connection is cut.
    Cut,
}

/// Requests that fail.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Rule {
    /// Of this method; `None` is any.
    #[serde(default)]
    pub method: Option<String>,
    /// Whose path and query contain this, without regard to case.
    #[serde(default)]
    pub contains: Option<String>,
    /// Which of them.
    #[serde(default)]
    pub when: When,
    /// What they get.
    pub answer: Failing,
    /// How many matching requests there were.
    #[serde(default)]
    pub seen: u32,
}

/// Which of the matching requests fail.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum When {
    /// All.
    #[default]
    Always,
    /// The next so many.
    Next(u32),
    /// Every so-many-th.
    Every(u32),
    /// By dice, from 0 to 1.
    Probability(f64),
}

/// What a failing request gets.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Failing {
    /// 503 in JSON behind a byte order mark, as of an organization that is stopped (TF24668).
    Unavailable,
    /// 502 and a gateway's own page.
    BadGateway,
    /// 500 in JSON.
    Internal,
    /// 403 in JSON.
    Forbidden,
    /// 404 in JSON.
    NotFound,
    /// 200 and a page.
    Html,
    /// 200 and JSON that ends too early.
    Broken,
    /// 200 and JSON of another shape.
    OtherShape,
    /// Too much is asked.
    Throttled(Throttle),
    /// The change is made and the connection cut before the answer.
    CutAfter,
    /// The answer comes so much later.
    Slow {
        /// In real time.
        milliseconds: u64,
    },
}

impl Rule {
    /// That every request of this kind fails.
    pub fn new(method: &str, contains: &str, when: When, answer: Failing) -> Self {
        Self { method: Some(method.to_owned()), contains: Some(contains.to_owned()), when, answer, seen: 0 }
    }

    /// Counts a request, and says whether it fails. `dice` is from 0 to 1.
    pub(super) fn strikes(&mut self, method: &str, target: &str, dice: f64) -> bool {
        let of_method = self.method.as_ref().is_none_or(|own| own.eq_ignore_ascii_case(method));
        let target = target.to_ascii_lowercase();
        if !of_method || !self.contains.as_ref().is_none_or(|own| target.contains(&own.to_ascii_lowercase())) {
            return false;
        }
        self.seen = self.seen.saturating_add(1);
        match self.when {
            When::Always => true,
            When::Next(n) => self.seen <= n,
            When::Every(n) => n > 0 && self.seen.is_multiple_of(n),
            When::Probability(p) => dice < p,
        }
    }
}
