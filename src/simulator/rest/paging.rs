//! Both ways to page: a continuation token in a header, and `$top` with `$skip`.

use super::{Answer, Call, Outcome, Refusal};
use serde_json::Value;

/// A page of a list by `$top` and `continuationToken`; the token is where to go on, and its form is nobody's business.
pub(crate) struct Listing {
    from: usize,
    items_max: usize,
}

impl Listing {
    /// As the call asks for it.
    pub(crate) fn of(call: &Call, default: usize, most: usize) -> Outcome<Self> {
        let token = call.query("continuationToken");
        let skip: Option<usize> = call.query_as("$skip")?;
        let from = match token {
            Some(token) => token.strip_prefix("next-").unwrap_or(token).parse().map_err(|_| {
                Refusal::bad_request("InvalidContinuationTokenException", "The continuation token is not valid.")
            })?,
            None => skip.unwrap_or_default(),
        };
        let top: Option<usize> = call.query_as("$top")?;
        Ok(Self { from, items_max: top.unwrap_or(default).clamp(1, most) })
    }

    /// Where the parameters have other names, and there is no token.
    pub(crate) fn named(call: &Call, skip: &str, top: &str, default: usize) -> Outcome<Self> {
        let sent = |name: &str| -> Outcome<Option<usize>> {
            // `$skip` and `$top` are taken everywhere.
            let plain = if name.ends_with("skip") { "$skip" } else { "$top" };
            Ok(call.query_as(name)?.or(call.query_as(plain)?))
        };
        Ok(Self { from: sent(skip)?.unwrap_or_default(), items_max: sent(top)?.unwrap_or(default).max(1) })
    }

    /// The page, and the token in the header where there is more. Only what is on it is rendered.
    pub(crate) fn answer<T>(&self, items: impl IntoIterator<Item = T>, render: impl Fn(T) -> Value) -> Answer {
        let (page, more) = self.page(items);
        let next = more.then(|| format!("next-{}", self.from + self.items_max));
        Answer::list(page.into_iter().map(render).collect()).continued(next)
    }

    /// The page of a list that only knows `$skip`: nothing says that there is more.
    pub(crate) fn silent_answer<T>(&self, items: impl IntoIterator<Item = T>, render: impl Fn(T) -> Value) -> Answer {
        Answer::list(self.page(items).0.into_iter().map(render).collect())
    }

    /// The page, and whether there is more.
    pub(crate) fn page<T>(&self, items: impl IntoIterator<Item = T>) -> (Vec<T>, bool) {
        let mut rest = items.into_iter().skip(self.from);
        let page = rest.by_ref().take(self.items_max).collect();
        (page, rest.next().is_some())
    }
}
