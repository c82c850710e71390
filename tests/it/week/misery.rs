//! What goes wrong during the week, and when it is over.

use super::dice::Dice;
use hookwell::{
    simulator::{Failing, Odds, Rule, Simulator, Throttle, TokenState, When, tokens},
    store::Error,
};

/// One kind of trouble.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Trouble {
    /// The gateway was killed, and nobody starts it.
    Killed,
    /// It runs, and Azure does not reach it.
    CutOff,
    /// Its disk is full.
    DiskFull,
    /// Its token has expired.
    TokenExpired,
    /// Azure's REST cannot answer.
    AzureDown,
    /// Azure's REST asks to wait.
    Throttled,
    /// Deliveries are lost without a trace, stuck for ever, late, doubled.
    Hooks,
}

const ALL: [Trouble; 7] = [
    Trouble::Killed,
    Trouble::CutOff,
    Trouble::DiskFull,
    Trouble::TokenExpired,
    Trouble::AzureDown,
    Trouble::Throttled,
    Trouble::Hooks,
];

/// What goes wrong now, each with the turns that are left.
#[derive(Default)]
pub(super) struct Misery {
    pub(super) now: Vec<(Trouble, usize)>,
}

/// What begins or ends this turn.
#[derive(Default)]
pub(super) struct Turn {
    pub(super) begun: Vec<Trouble>,
    pub(super) ended: Vec<Trouble>,
}

impl Misery {
    pub(super) fn has(&self, trouble: Trouble) -> bool {
        self.now.iter().any(|(now, _)| *now == trouble)
    }

    /// Time goes on: some of it ends, some begins.
    pub(super) fn turn(&mut self, dice: &mut Dice) -> Turn {
        let mut turn = Turn::default();
        for (trouble, left) in &mut self.now {
            *left -= 1;
            if *left == 0 {
                turn.ended.push(*trouble);
            }
        }
        self.now.retain(|(_, left)| *left > 0);
        if dice.once_in(6) {
            let trouble = *dice.pick(&ALL).unwrap();
            if !self.has(trouble) {
                // A quarter of an hour to five hours.
                self.now.push((trouble, 1 + dice.roll(20)));
                turn.begun.push(trouble);
            }
        }
        turn
    }

    /// All of it is over.
    pub(super) fn end(&mut self) -> Vec<Trouble> {
        std::mem::take(&mut self.now).into_iter().map(|(trouble, _)| trouble).collect()
    }

    /// Tells Azure DevOps how bad its day is.
    pub(super) fn tell(&self, simulator: &Simulator) {
        let mut rules = Vec::new();
        let rule = |when, answer| Rule { method: None, ..Rule::new("", "_apis", when, answer) };
        if self.has(Trouble::AzureDown) {
            rules.push(rule(When::Always, Failing::Unavailable));
        }
        if self.has(Trouble::Throttled) {
            let block = Throttle::Block { retry_after_seconds: Some(30) };
            rules.push(rule(When::Probability(0.3), Failing::Throttled(block)));
            rules.push(rule(When::Probability(0.1), Failing::Throttled(Throttle::Cut)));
        }
        let bad = self.has(Trouble::Hooks);
        simulator.fail(|faults| {
            faults.rules = rules;
            let odds = |probability| if bad { Odds::probability(probability) } else { Odds::default() };
            faults.hooks.lose = odds(0.1);
            faults.hooks.stuck = odds(0.1);
            faults.hooks.reorder = odds(0.2);
            faults.hooks.duplicate = odds(0.2);
        });
        let state = if self.has(Trouble::TokenExpired) { TokenState::Expired } else { TokenState::Live };
        simulator.set_token(tokens::FULL, state);
    }

    /// What the store answers.
    pub(super) fn of_disk(&self) -> Option<Error> {
        self.has(Trouble::DiskFull).then(|| Error::Unavailable { reason: "no space left on the device".to_owned() })
    }
}

/// Somebody or something harms one of the gateway's hooks.
pub(super) fn harm(simulator: &Simulator, hook: &str, dice: &mut Dice) {
    let (hooks, id) = (simulator.hooks(), hook.parse().unwrap());
    match dice.roll(4) {
        0 => drop(hooks.delete(id)),
        1 => hooks.disable_by_system(id),
        2 => hooks.put_on_probation(id),
        _ => drop(hooks.duplicate(id)),
    }
}
