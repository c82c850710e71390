//! The levers for people, what they may do, and their tokens.

use super::{
    Simulator,
    people::{Audit, Believed, Person, Scope, Token, TokenState, hook_rights},
    world::Impossible,
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

    /// The audit log has an entry more: what somebody (by account, else by any name) did with something, now.
    pub fn audits(&self, who: &str, action: &str, details: &str, about: Uuid) {
        let at = self.instance.now();
        let mut world = self.instance.world();
        let who = world.people.named(who).map_or_else(|| who.to_owned(), |person| person.name.clone());
        world.audit.push(Audit { at, who, action: action.to_owned(), details: details.to_owned(), about });
    }

    /// Has Entra believe what is signed with this certificate (PEM): as the service principal's own, or as the token of a
    /// federated credential with that issuer and subject.
    ///
    /// # Errors
    /// [`Impossible::Absent`] when there is no certificate in it.
    pub fn believe(&self, certificate: &str, subject: Option<(String, String)>) -> Result<(), Impossible> {
        let certificate = CertificateDer::from_pem_slice(certificate.as_bytes())
            .map_err(|_| Impossible::Absent("certificate in PEM in it".to_owned()))?
            .to_vec();
        self.instance.world().believed.push(Believed { certificate, subject });
        Ok(())
    }
}
