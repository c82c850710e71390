//! The levers for people, what they may do, and their tokens.

use super::{
    Simulator,
    people::{Person, Scope, Token, TokenState, hook_rights},
};
use jiff::Timestamp;
use rustls::pki_types::{CertificateDer, pem::PemObject as _};
use uuid::Uuid;

impl Simulator {
    /// Somebody new, with all rights on hooks or only that to see them.
    pub fn hire(&self, name: &str, account: &str, edits_hooks: bool) -> Uuid {
        let mut person = Person::new(self.instance.options.collection_id(), name, account);
        if edits_hooks {
            person.hook_rights.insert(None, hook_rights::ALL);
        }
        let id = person.id;
        self.change(|world| world.people.add(person));
        id
    }

    /// From now on the person of this account does what is done without a name; with an unknown one the first person does.
    pub fn acts(&self, account: &str) {
        self.change(|world| world.acting = world.people.named(account).map(|person| person.id));
    }

    /// Gives the person of this account bits of the namespace `ServiceHooks` (view 1, edit 2, delete 4), in a project or
    /// in the whole collection.
    pub fn allow_hooks(&self, account: &str, project: Option<Uuid>, bits: u32) {
        self.change(|world| {
            if let Some(person) = world.people.named_mut(account) {
                person.hook_rights.insert(project, bits);
            }
        });
    }

    /// The person of this account leaves: nothing of theirs works any more.
    pub fn dismiss(&self, account: &str) {
        self.set_active(account, false);
    }

    /// They come back.
    pub fn reinstate(&self, account: &str) {
        self.set_active(account, true);
    }

    fn set_active(&self, account: &str, is_active: bool) {
        self.change(|world| {
            if let Some(person) = world.people.named_mut(account) {
                person.is_active = is_active;
            }
        });
    }

    /// A token of the person of this account; without scopes it has full access.
    pub fn issue_token(&self, text: &str, account: &str, scopes: Option<&[Scope]>) {
        let scopes = scopes.map(<[Scope]>::to_vec);
        let token = Token { person: account.into(), scopes, state: TokenState::Live, expires: None };
        self.change(|world| drop(world.tokens.insert(text.to_owned(), token)));
    }

    /// A token is good until then, by the clock, whatever it was before; without a time it is good for ever.
    pub fn renew_token(&self, text: &str, until: Option<Timestamp>) {
        self.change(|world| {
            if let Some(token) = world.tokens.get_mut(text) {
                (token.state, token.expires) = (TokenState::Live, until);
            }
        });
    }

    /// Makes a token expired, revoked, or live again.
    pub fn set_token(&self, text: &str, state: TokenState) {
        self.change(|world| {
            if let Some(token) = world.tokens.get_mut(text) {
                token.state = state;
            }
        });
    }
}
