//! What creating and changing a connection take: the document's schemas and the reader beside each other.

use super::super::{
    fields::{
        AUTHORITY, CA_BUNDLE, CERTIFICATE, DESCRIPTION, GUID, NAME, PROXY, SECRET, SIGNATURE_SECRET, TENANT, closed,
    },
    headers,
    members::{Given, Members},
    problem::Problem,
};
use crate::{
    app::connections::{ConnectionChange, NewConnection, NewProof, NewServicePrincipal, Secret, check_ca_bundle},
    azure::{GivenUrl, client::check_certificate},
    domain::{Delivery, HookMode, ManagedIdentity},
};
use serde_json::{Value, json as value};
use url::Url;
use utoipa::ToSchema;

/// Forms of URL that are taken for sure. The reader takes more (other ports and hosts, spaces around it): it is there to
/// understand what people paste, and a pattern for all of that would say nothing to anybody.
const URL_PATTERN: &str = concat!(
    "^https?://([A-Za-z0-9._-]{1,64}@)?",
    r"[A-Za-z][A-Za-z0-9]{0,30}(-[A-Za-z0-9]{1,30})?(\.[A-Za-z][A-Za-z0-9]{0,30}(-[A-Za-z0-9]{1,30})?){0,3}(:[1-9][0-9]{0,3})?",
    "/(tfs/)?[A-Za-z0-9]([A-Za-z0-9._-]|%[2-7][0-9A-E]){0,100}(/[A-Za-z0-9_-]([A-Za-z0-9._-]|%[2-7][0-9A-E]){0,100}){0,4}/?$",
);

/// In the document; [`new_schema`] says what it is.
#[derive(ToSchema)]
pub struct NewConnectionBody;

/// In the document; [`change_schema`] says what it is.
#[derive(ToSchema)]
pub struct ConnectionChangeBody;

fn url_schema() -> Value {
    value!({
        "type": "string", "maxLength": 2048, "pattern": URL_PATTERN,
        "description": "The organization or collection, in any form: https://dev.azure.com/…, https://….visualstudio.com, a \
                        server with port and virtual directory, also a link to something inside it. Where the path of a \
                        Server can mean several things, the server is asked which it is. Kept in its canonical form. \
                        Several connections may have the same one.",
        "examples": ["https://dev.azure.com/fabrikam"],
    })
}

fn principal_schema() -> Value {
    let mut schema = closed(
        &["tenant", "client_id"],
        &value!({
            "tenant": TENANT.schema("The Entra tenant, by id or domain."),
            "client_id": GUID.schema("The application's id."),
            "client_secret": SECRET.schema("Its secret. Kept sealed, never shown."),
            "certificate": CERTIFICATE.schema("Instead of the secret: a private key (RSA, without a password) and its certificate, in PEM. Kept sealed, never shown, never sent: requests for tokens are signed with it (PS256)."),
            "federated_token": {
                "type": "boolean", "const": true,
                "description": "Instead of both (workload identity): the file that `AZURE_FEDERATED_TOKEN_FILE` of the gateway's process names, read anew for each token.",
            },
            "authority": AUTHORITY.nullable("Where its tokens come from, when not https://login.microsoftonline.com."),
        }),
    );
    schema["oneOf"] = PROOFS.iter().map(|name| value!({ "required": [name] })).collect();
    schema["type"] = value!(["object", "null"]);
    schema["description"] =
        "A Microsoft Entra service principal instead of the token (Services only); takes the token's place.".into();
    schema
}

/// The members of a service principal of which one is given.
const PROOFS: [&str; 3] = ["client_secret", "certificate", "federated_token"];

fn identity_schema() -> Value {
    let client_id = GUID.nullable("Which, where the machine has several; not with Azure Arc.");
    let mut schema = closed(&[], &value!({ "client_id": client_id }));
    schema["type"] = value!(["object", "null"]);
    schema["description"] =
        "The identity that Azure gave the gateway's machine (a virtual machine, App Service, Container \
        Apps, Azure Arc), instead of token and service principal (Services only). Nothing of it is kept."
            .into();
    schema
}

fn hooks_schema() -> Value {
    value!({
        "type": "string", "enum": ["managed", "manual"],
        "description": "Who makes the service hooks: `managed`, Hookwell from the bindings; `manual`, a person, because the \
                        credential must not.",
    })
}

fn delivery_schema() -> Value {
    value!({
        "type": "string", "enum": ["hooks", "poll"],
        "description": "How events come: `hooks`, Azure DevOps delivers them within seconds; `poll`, Hookwell asks Azure \
                        DevOps every minute, for a gateway that Azure DevOps cannot reach. Then no service hooks are made \
                        and ours are removed; an event comes one to three minutes late, comments and stages of a run \
                        that goes on up to twelve; and what no record tells does not \
                        come: votes, reviewers and edits of pull requests, attempts to merge, approvals, what stages waited \
                        for, changes of repositories, deleted and restored work items.",
    })
}

/// What both take in the same way.
fn common(schema: &mut Value) {
    let properties = &mut schema["properties"];
    properties["name"] = NAME.schema("What people call it. Several may be called the same: the id tells them apart.");
    properties["description"] = DESCRIPTION.nullable("What it is for; null takes it away.");
    properties["url"] = url_schema();
    properties["service_principal"] = principal_schema();
    properties["managed_identity"] = identity_schema();
    properties["headers"] = headers::schema(true);
    properties["ca_bundle"] = CA_BUNDLE.nullable(
        "Certificates in PEM that are trusted besides the system's, for a server with an authority of its own. What is no \
         certificate is refused.",
    );
    properties["proxy"] = PROXY.nullable(
        "The HTTP proxy on the way there, with user name and password where it wants them. Kept sealed; only its host is \
         shown.",
    );
    properties["hooks"] = hooks_schema();
    properties["accept_untrusted_certs"] = value!({
        "type": ["boolean", "null"],
        "description": "Whether service hooks that Hookwell makes accept a certificate that Azure DevOps does not trust (its \
                        *Accept untrusted SSL certificates*), for a Server that does not know the authority of the gateway's. \
                        null leaves each as it is: what a person ticks by hand stays ticked.",
    });
    properties["delivery"] = delivery_schema();
    let both = |one: &str, other: &str| {
        let given = |name| value!({ "type": if name == "token" { "string" } else { "object" } });
        value!({ "properties": { one: given(one), other: given(other) }, "required": [one, other] })
    };
    schema["not"] = value!({ "anyOf": [
        both("token", "service_principal"), both("token", "managed_identity"), both("service_principal", "managed_identity"),
    ] });
}

/// What creating one takes.
pub fn new_schema() -> Value {
    let mut schema = closed(
        &["name", "url"],
        &value!({
            "token": SECRET.nullable("The personal access token. Kept sealed, never shown."),
            "collection_id": GUID.nullable("The collection's GUID: notifications of another one are then quarantined."),
            "signature_secret": SIGNATURE_SECRET.nullable("Set it when a relay signs the bodies (`X-Hub-Signature-256`): unsigned deliveries are then refused."),
        }),
    );
    common(&mut schema);
    schema
}

/// What changing one takes.
pub fn change_schema() -> Value {
    let mut schema = closed(
        &[],
        &value!({
            "token": SECRET.nullable("Another personal access token; null takes it away. Needed when url moves to another server."),
            "collection_id": GUID.nullable("The collection's GUID; null takes it away."),
            "signature_secret": SIGNATURE_SECRET.nullable("Another secret: the one before it is accepted for the overlap, 7 days unless configured otherwise. Null: deliveries need no signature any more."),
        }),
    );
    common(&mut schema);
    schema
}

/// Members that both take in the same way, as they were sent.
struct Common {
    token: Given<Secret>,
    service_principal: Given<NewServicePrincipal>,
    managed_identity: Given<ManagedIdentity>,
    headers: Given<Vec<(String, Secret)>>,
    ca_bundle: Given<String>,
    proxy: Given<Secret>,
    hooks: Given<HookMode>,
    accept_untrusted_certs: Given<bool>,
    delivery: Given<Delivery>,
}

impl Common {
    fn read(members: &mut Members) -> Self {
        let secret = |given: Given<String>| given.map(|value| value.map(Secret::from));
        let token = secret(members.text("token", &SECRET));
        let service_principal = members.object("service_principal", read_principal).map(Option::flatten);
        if matches!((&token, &service_principal), (Some(Some(_)), Some(Some(_)))) {
            members.wrong("service_principal", "excludes token: give one of them");
        }
        let managed_identity = members.object("managed_identity", |identity| ManagedIdentity {
            client_id: identity.text("client_id", &GUID).flatten(),
        });
        let others = matches!(token, Some(Some(_))) || matches!(service_principal, Some(Some(_)));
        if others && matches!(managed_identity, Some(Some(_))) {
            members.wrong("managed_identity", "excludes token and service_principal: give one of them");
        }
        Self {
            token,
            service_principal,
            managed_identity,
            headers: members.read("headers", headers::read),
            ca_bundle: members.read("ca_bundle", |value| {
                let Value::String(pem) = value else { return Err("must be a text".to_owned()) };
                CA_BUNDLE.check(&pem)?;
                check_ca_bundle(&pem).map(|()| pem)
            }),
            proxy: secret(members.text("proxy", &PROXY)),
            hooks: members.read("hooks", |hooks| match hooks.as_str() {
                Some("managed") => Ok(HookMode::Managed),
                Some("manual") => Ok(HookMode::Manual),
                _ => Err("must be managed or manual".to_owned()),
            }),
            accept_untrusted_certs: members.read("accept_untrusted_certs", |accept| {
                accept.as_bool().ok_or_else(|| "must be true, false or null".to_owned())
            }),
            delivery: members.read("delivery", |delivery| match delivery.as_str() {
                Some("hooks") => Ok(Delivery::Hooks),
                Some("poll") => Ok(Delivery::Poll),
                _ => Err("must be hooks or poll".to_owned()),
            }),
        }
    }
}

/// Reads what creating one takes.
pub(super) fn read_new(body: &[u8]) -> Result<NewConnection, Problem> {
    let mut members = Members::parse(body)?;
    let given = members.text("name", &NAME);
    let name = members.required("name", given);
    let given = members.read("url", read_url);
    let url = members.required("url", given);
    let description = members.text("description", &DESCRIPTION).flatten();
    let common = Common::read(&mut members);
    let hooks = members.not_null("hooks", common.hooks);
    let delivery = members.not_null("delivery", common.delivery);
    let collection_id = members.guid("collection_id").flatten();
    let signature_secret = members.text("signature_secret", &SIGNATURE_SECRET).flatten().map(Secret::from);
    members.finish()?;
    let (Some(name), Some(url)) = (name, url) else { unreachable!("what is required and absent is an error") };
    Ok(NewConnection {
        name,
        description,
        url,
        token: common.token.flatten(),
        service_principal: common.service_principal.flatten(),
        managed_identity: common.managed_identity.flatten(),
        headers: common.headers.flatten().unwrap_or_default(),
        ca_bundle: common.ca_bundle.flatten(),
        proxy: common.proxy.flatten(),
        hooks: hooks.unwrap_or_default(),
        accept_untrusted_certs: common.accept_untrusted_certs.flatten(),
        delivery: delivery.unwrap_or_default(),
        collection_id,
        signature_secret,
    })
}

/// Reads what changing one takes.
pub(super) fn read_change(body: &[u8]) -> Result<ConnectionChange, Problem> {
    let mut members = Members::parse(body)?;
    let given = members.text("name", &NAME);
    let name = members.not_null("name", given);
    let given = members.read("url", read_url);
    let url = members.not_null("url", given);
    let description = members.text("description", &DESCRIPTION);
    let common = Common::read(&mut members);
    let hooks = members.not_null("hooks", common.hooks);
    let delivery = members.not_null("delivery", common.delivery);
    let collection_id = members.guid("collection_id");
    let signature_secret = members.text("signature_secret", &SIGNATURE_SECRET);
    members.finish()?;
    Ok(ConnectionChange {
        name,
        description,
        url,
        token: common.token,
        service_principal: common.service_principal,
        managed_identity: common.managed_identity,
        headers: common.headers.map(Option::unwrap_or_default),
        ca_bundle: common.ca_bundle,
        proxy: common.proxy,
        hooks,
        accept_untrusted_certs: common.accept_untrusted_certs,
        delivery,
        collection_id,
        signature_secret: signature_secret.map(|secret| secret.map(Secret::from)),
    })
}

fn read_principal(members: &mut Members) -> Option<NewServicePrincipal> {
    let given = members.text("tenant", &TENANT);
    let tenant = members.required("tenant", given);
    let given = members.text("client_id", &GUID);
    let client_id = members.required("client_id", given);
    let given = PROOFS.iter().filter(|name| members.is_given(name)).count();
    let secret = members.text("client_secret", &SECRET);
    let certificate = members.read("certificate", |pem| {
        let Value::String(pem) = pem else { return Err("must be a text".to_owned()) };
        CERTIFICATE.check(&pem)?;
        check_certificate(&pem).map(|()| pem)
    });
    let federated = members.read("federated_token", |given| match given {
        Value::Bool(true) => Ok(()),
        _ => Err("must be true, or left out".to_owned()),
    });
    let proof = match (secret.flatten(), certificate.flatten(), federated.flatten()) {
        (Some(secret), None, None) => Some(NewProof::ClientSecret(secret.into())),
        (None, Some(pem), None) => Some(NewProof::Certificate(pem.into())),
        (None, None, Some(())) => Some(NewProof::FederatedToken),
        _ => None,
    };
    match given {
        0 => members.wrong("client_secret", "is required, or certificate, or federated_token"),
        1 => {}
        _ => members.wrong("client_secret", "excludes certificate and federated_token: give one of them"),
    }
    let authority = members.text("authority", &AUTHORITY).flatten();
    Some(NewServicePrincipal {
        tenant: tenant?,
        client_id: client_id?,
        proof: proof?,
        authority: authority.and_then(|authority| Url::parse(&authority).ok()),
    })
}

fn read_url(value: Value) -> Result<GivenUrl, String> {
    let Value::String(text) = value else { return Err("must be a text".to_owned()) };
    let given = GivenUrl::parse(&text).map_err(|e| e.to_string())?;
    let is_escape = |rest: &str| rest.bytes().take(2).filter(u8::is_ascii_hexdigit).count() == 2;
    let has_escapes_only = |url: &str| url.split('%').skip(1).all(is_escape);
    if given.may_be.iter().chain([&given.taken]).all(|url| has_escapes_only(url.as_str())) {
        Ok(given)
    } else {
        Err("has a % that two hexadecimal digits do not follow".to_owned())
    }
}
