//! Acts of a random story. An act names its thing by a number that is taken modulo how many there are, so
//! that a story which lost an act is still a story.

use proptest::prelude::*;

/// One thing that somebody does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Act {
    Push(u8),
    PushSeveral(u8),
    /// Back to where the branch was before its last push.
    Back(u8),
    Branch(u8),
    Unbranch(u8),
    Tag(u8),
    Untag(u8),
    Open(u8),
    Comment(u8),
    Reviewers(u8),
    Vote(u8, u8),
    Draft(u8, bool),
    Retitle(u8),
    Retarget(u8),
    Abandon(u8),
    Reactivate(u8),
    Complete(u8, bool),
    /// In one moment.
    RenameAndSwitch,
    Queue,
    Stage(u8, u8),
    EndStage(u8, u8, u8),
    EndRun(u8, u8),
    Rerun(u8, u8),
    Ask(u8, u8),
    Answer(u8, bool),
    Release,
    GiveUp(u8),
    Deploy(u8, u8, bool),
    Decide(u8, u8, bool),
    Deployed(u8, u8, u8),
    Item(u8),
    Edit(u8),
    Move(u8, u8),
    Say(u8),
    /// Fields and a comment in one revision.
    EditAndSay(u8, u8),
    /// Fields and a link to a commit in one revision.
    EditAndLink(u8),
    Retype(u8, u8),
    Attach(u8),
    Detach(u8),
    Link(u8, u8),
    Unlink(u8, u8),
    Delete(u8),
    Restore(u8),
}

/// An act, and how long it is until the next one: nothing, or a minute.
pub(super) type Step = (Act, bool);

fn pick() -> impl Strategy<Value = u8> {
    0..4_u8
}

fn code() -> impl Strategy<Value = Act> {
    prop_oneof![
        4 => pick().prop_map(Act::Push),
        1 => pick().prop_map(Act::PushSeveral),
        2 => pick().prop_map(Act::Back),
        1 => pick().prop_map(Act::Branch),
        1 => pick().prop_map(Act::Unbranch),
        1 => pick().prop_map(Act::Tag),
        1 => pick().prop_map(Act::Untag),
        1 => Just(Act::RenameAndSwitch),
    ]
}

fn pull_requests() -> impl Strategy<Value = Act> {
    prop_oneof![
        3 => pick().prop_map(Act::Open),
        1 => pick().prop_map(Act::Comment),
        1 => pick().prop_map(Act::Reviewers),
        3 => (pick(), pick()).prop_map(|(one, vote)| Act::Vote(one, vote)),
        2 => (pick(), any::<bool>()).prop_map(|(one, is)| Act::Draft(one, is)),
        1 => pick().prop_map(Act::Retitle),
        1 => pick().prop_map(Act::Retarget),
        1 => pick().prop_map(Act::Abandon),
        1 => pick().prop_map(Act::Reactivate),
        1 => (pick(), any::<bool>()).prop_map(|(one, deletes)| Act::Complete(one, deletes)),
    ]
}

fn runs() -> impl Strategy<Value = Act> {
    prop_oneof![
        2 => Just(Act::Queue),
        3 => (pick(), pick()).prop_map(|(run, stage)| Act::Stage(run, stage)),
        3 => (pick(), pick(), pick()).prop_map(|(run, stage, how)| Act::EndStage(run, stage, how)),
        2 => (pick(), pick()).prop_map(|(run, how)| Act::EndRun(run, how)),
        2 => (pick(), pick()).prop_map(|(run, stage)| Act::Rerun(run, stage)),
        1 => (pick(), pick()).prop_map(|(run, stage)| Act::Ask(run, stage)),
        1 => (pick(), any::<bool>()).prop_map(|(run, yes)| Act::Answer(run, yes)),
        1 => Just(Act::Release),
        1 => pick().prop_map(Act::GiveUp),
        2 => (pick(), pick(), any::<bool>()).prop_map(|(one, at, asks)| Act::Deploy(one, at, asks)),
        1 => (pick(), pick(), any::<bool>()).prop_map(|(one, at, yes)| Act::Decide(one, at, yes)),
        2 => (pick(), pick(), pick()).prop_map(|(one, at, how)| Act::Deployed(one, at, how)),
    ]
}

fn items() -> impl Strategy<Value = Act> {
    prop_oneof![
        2 => pick().prop_map(Act::Item),
        2 => pick().prop_map(Act::Edit),
        2 => (pick(), pick()).prop_map(|(one, state)| Act::Move(one, state)),
        1 => pick().prop_map(Act::Say),
        2 => (pick(), pick()).prop_map(|(one, state)| Act::EditAndSay(one, state)),
        2 => pick().prop_map(Act::EditAndLink),
        1 => (pick(), pick()).prop_map(|(one, kind)| Act::Retype(one, kind)),
        1 => pick().prop_map(Act::Attach),
        1 => pick().prop_map(Act::Detach),
        2 => (pick(), pick()).prop_map(|(one, other)| Act::Link(one, other)),
        1 => (pick(), pick()).prop_map(|(one, other)| Act::Unlink(one, other)),
        1 => pick().prop_map(Act::Delete),
        1 => pick().prop_map(Act::Restore),
    ]
}

/// Stories of everything together.
pub(super) fn stories(longest: usize) -> impl Strategy<Value = Vec<Step>> {
    let act = prop_oneof![code(), pull_requests(), runs(), items()];
    prop::collection::vec((act, prop::bool::weighted(0.7)), 4..longest)
}
