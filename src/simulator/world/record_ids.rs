//! Ids of stages, phases and jobs: hashes of their names, so that they are the same in each run, and others in each attempt.
//!
//! Source: actions/runner (MIT), `TimelineRecordIdGenerator` and `PipelineAttemptBuilder`; two recorded ids are in the tests.
//! How the attempt is written into the name of a phase or job below a stage nobody has recorded: here it is the stage's.

use uuid::Uuid;

const NAMESPACE: [u8; 16] =
    [0x53, 0x37, 0x1b, 0x7f, 0xd4, 0x61, 0x4b, 0x5d, 0xc5, 0xe2, 0x27, 0x33, 0x53, 0x23, 0xdf, 0x24];
/// A pipeline without stages has one of this name, which is left out before those of its jobs.
const DEFAULT: &str = "__default";

/// SHA-1 over the namespace and the lower-case name in big-endian UTF-16; of it the first half, with the version 5, is the
/// GUID in Microsoft's order of bytes.
fn record_id(instance: &str) -> Uuid {
    let name = instance.to_lowercase();
    let mut hash = sha1_smol::Sha1::from(NAMESPACE);
    hash.update(&name.encode_utf16().flat_map(u16::to_be_bytes).collect::<Vec<u8>>());
    let mut id: [u8; 16] = std::array::from_fn(|at| hash.digest().bytes()[at]);
    id[7] = id[7] & 0x0f | 0x50;
    Uuid::from_bytes_le(id)
}

fn instance(stage: &str, attempt: u32) -> String {
    if attempt > 1 { format!("{stage}.{attempt}") } else { stage.to_owned() }
}

/// A stage in one of its attempts.
pub(crate) fn stage_id(stage: &str, attempt: u32) -> Uuid {
    record_id(&instance(stage, attempt))
}

/// The phase of a stage's job.
pub(crate) fn phase_id(stage: &str, job: &str, attempt: u32) -> Uuid {
    record_id(&phase(stage, job, attempt))
}

/// The job of a stage.
pub(crate) fn job_id(stage: &str, job: &str, attempt: u32) -> Uuid {
    record_id(&format!("{}.{DEFAULT}", phase(stage, job, attempt)))
}

fn phase(stage: &str, job: &str, attempt: u32) -> String {
    let job = written(job);
    if stage == DEFAULT { instance(&job, attempt) } else { format!("{}.{job}", instance(&written(stage), attempt)) }
}

/// As a name stands in the pipeline's text, whose names have no letters but these.
fn written(name: &str) -> String {
    name.replace(|letter: char| !letter.is_ascii_alphanumeric() && letter != '_', "_").to_ascii_lowercase()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_ids_are_those_that_were_recorded() {
        assert_eq!(stage_id("Deploy", 1).to_string(), "d4a9a205-d52e-57fb-7b17-15a9d984af62");
        assert_eq!(job_id("__default", "job_2", 1).to_string(), "cfa20e98-6997-523c-4233-f0a7302c929f");
        assert_eq!(stage_id("Deploy", 2).to_string(), "826fe661-88f0-511e-fb64-b4ffe8c2bca2");
        assert!(phase_id("__default", "job_2", 1).to_string().starts_with("9ecf18fe-"));
        assert!(stage_id("__default", 1).to_string().starts_with("96ac2280-"));
    }
}
