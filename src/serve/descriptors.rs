//! As many open files as the connections need, as far as the system allows.

use super::guests::LEAVING_PART;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// The descriptors that the gateway itself needs: the store, the sinks, the calls to Azure DevOps.
const OWN: usize = 128;
/// Fewest connections that are tried, however few files there may be.
const CONNECTIONS_MIN: usize = 16;

/// Raises the process's soft limit to what so many connections need; answers how many there can be, and says so in the
/// log where it is fewer.
pub fn connections_within(connections_max: usize) -> usize {
    let needed = needed_for(connections_max);
    let limit = getrlimit(Resource::Nofile);
    let count = |limit: Option<u64>| limit.map_or(usize::MAX, |limit| usize::try_from(limit).unwrap_or(usize::MAX));
    let (mut soft, hard) = (count(limit.current), count(limit.maximum));
    if soft < needed && soft < hard {
        let raised = needed.min(hard);
        if setrlimit(Resource::Nofile, Rlimit { current: Some(raised as u64), maximum: limit.maximum }).is_ok() {
            soft = raised;
        }
    }
    if soft >= needed {
        return connections_max;
    }
    let possible = possible_with(soft).min(connections_max);
    tracing::warn!(
        "the system allows {soft} open files; {connections_max} connections (--connections-max) need {needed}, so at most \
         {possible} are taken: raise the hard limit (ulimit -Hn, LimitNOFILE=) to {needed}"
    );
    possible
}

fn needed_for(connections: usize) -> usize {
    connections + connections.div_ceil(LEAVING_PART) + OWN
}

fn possible_with(files: usize) -> usize {
    (files.saturating_sub(OWN) * LEAVING_PART / (LEAVING_PART + 1)).max(CONNECTIONS_MIN)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn as_many_as_are_possible_need_no_more_than_there_is() {
        for files in [256, 1_024, 4_096, 65_536] {
            assert!(needed_for(possible_with(files)) <= files, "{files}");
            assert!(needed_for(possible_with(files) + 2) > files, "{files}");
        }
        assert_eq!(possible_with(10), CONNECTIONS_MIN);
    }
}
