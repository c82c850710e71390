//! Microsoft Entra, and the places where a machine of Azure asks for its own tokens.

use super::{Answer, Request};
use crate::simulator::{
    instance::Instance,
    people::{Believed, Token, TokenState, tokens},
};
use base64::{Engine as _, prelude::BASE64_URL_SAFE_NO_PAD};
use http::StatusCode;
use jiff::SignedDuration;
use rustls::{SignatureScheme, pki_types::CertificateDer, server::ParsedCertificate};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

/// How long a bearer token is good.
const BEARER_LIFE: SignedDuration = SignedDuration::from_secs(3_599);
/// How far clocks may differ.
const SKEW_SECONDS: i64 = 300;
const AZURE_DEVOPS: &str = "499b84ac-1321-427f-aa17-267ca6975798";
const ASSERTION: &str = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";
/// Whom the token of a federated credential is for, by entra-docs, "Workload identity federation".
const EXCHANGE: &str = "api://AzureADTokenExchange";

/// Entra's no: status, error and description.
type No = (StatusCode, &'static str, String);

fn no(error: &'static str, description: impl Into<String>) -> No {
    let status = if error == "invalid_client" { StatusCode::UNAUTHORIZED } else { StatusCode::BAD_REQUEST };
    (status, error, description.into())
}

/// `POST /{tenant}/oauth2/v2.0/token`.
pub(super) fn token(instance: &Instance, tenant: &str, form: &[u8]) -> Answer {
    let form: Vec<(String, String)> = url::form_urlencoded::parse(form).into_owned().collect();
    let field = |name: &str| form.iter().find(|(key, _)| key == name).map_or("", |(_, value)| value.as_str());
    match asked(instance, tenant, field) {
        Ok(()) => {
            let text = bearer(instance);
            Answer::json(json!({
                "token_type": "Bearer", "expires_in": BEARER_LIFE.as_secs(), "ext_expires_in": BEARER_LIFE.as_secs(),
                "access_token": text,
            }))
        }
        Err((status, error, description)) => Answer::json(json!({
            "error": error, "error_description": format!("{description} Trace ID: 0 Correlation ID: 0"),
            "error_codes": [], "timestamp": instance.now().to_string(),
        }))
        .with_status(status),
    }
}

fn asked<'a>(instance: &Instance, tenant: &str, field: impl Fn(&str) -> &'a str) -> Result<(), No> {
    if tenant != tokens::TENANT {
        let description = "AADSTS90002: Tenant not found. Check to make sure you have the correct tenant ID.";
        return Err(no("invalid_request", description));
    }
    if field("grant_type") != "client_credentials" {
        return Err(no("unsupported_grant_type", "AADSTS70003: The app requested an unsupported grant type."));
    }
    if field("scope") != format!("{AZURE_DEVOPS}/.default") {
        return Err(no("invalid_scope", "AADSTS1002012: The provided value for scope is not valid."));
    }
    let is_known = field("client_id").eq_ignore_ascii_case(tokens::CLIENT_ID);
    match (field("client_assertion"), field("client_assertion_type")) {
        ("", _) if is_known && field("client_secret") == tokens::CLIENT_SECRET => Ok(()),
        ("", _) => Err(no(
            "invalid_client",
            "AADSTS7000215: Invalid client secret provided. Ensure the secret being sent in the request is the client secret \
             value, not the client secret ID.",
        )),
        (assertion, ASSERTION) if is_known => believed(instance, tenant, assertion),
        (_, ASSERTION) => Err(no("unauthorized_client", "AADSTS700016: Application was not found in the directory.")),
        _ => Err(no("invalid_request", "AADSTS900144: The request body must contain client_assertion_type.")),
    }
}

/// Whether an assertion is the application's own, or of somebody whom it was told to believe.
///
/// Source: entra-docs, "certificate credentials", and "Microsoft Entra authentication error codes".
fn believed(instance: &Instance, tenant: &str, assertion: &str) -> Result<(), No> {
    let malformed = || no("invalid_client", "AADSTS50027: JWT token is invalid or malformed.");
    let decoded = |part: &str| BASE64_URL_SAFE_NO_PAD.decode(part).map_err(|_| malformed());
    let (signed, signature) = assertion.rsplit_once('.').ok_or_else(malformed)?;
    let (header, claims) = signed.split_once('.').ok_or_else(malformed)?;
    let read = |part: &str| serde_json::from_slice::<Value>(&decoded(part)?).map_err(|_| malformed());
    let (header, claims, signature) = (read(header)?, read(claims)?, decoded(signature)?);
    let scheme = match header["alg"].as_str() {
        Some("PS256") => SignatureScheme::RSA_PSS_SHA256,
        Some("RS256") => SignatureScheme::RSA_PKCS1_SHA256,
        _ => return Err(malformed()),
    };
    let (now, date) = (instance.now().as_second(), |name: &str| claims[name].as_i64());
    if date("exp").is_none_or(|at| at <= now - SKEW_SECONDS) || date("nbf").is_some_and(|at| at > now + SKEW_SECONDS) {
        return Err(no("invalid_client", "AADSTS700024: Client assertion is not within its valid time range."));
    }
    let text = |name: &str| claims[name].as_str().unwrap_or_default();
    let is_own = text("iss") == tokens::CLIENT_ID;
    let world = instance.world();
    let whose = |known: &&Believed| match &known.subject {
        None => {
            let thumbprint = BASE64_URL_SAFE_NO_PAD.encode(Sha256::digest(&known.certificate));
            is_own && header["x5t#S256"] == thumbprint
        }
        Some((issuer, subject)) => text("iss") == issuer && text("sub") == subject,
    };
    let Some(known) = world.believed.iter().find(whose) else {
        return Err(if is_own {
            no(
                "invalid_client",
                "AADSTS700027: The certificate with identifier used to sign the client assertion is not \
                registered on application.",
            )
        } else {
            no(
                "invalid_request",
                format!(
                    "AADSTS700213: No matching federated identity record found for presented assertion subject '{}'.",
                    text("sub")
                ),
            )
        });
    };
    let (own, audience) = (known.subject.is_none(), text("aud"));
    let is_for_us =
        if own { audience.ends_with(&format!("/{tenant}/oauth2/v2.0/token")) } else { audience == EXCHANGE };
    if !is_for_us || own && (text("sub") != tokens::CLIENT_ID || text("jti").is_empty()) {
        return Err(no("invalid_client", "AADSTS700023: Client assertion audience claim does not match Realm issuer."));
    }
    let certificate = CertificateDer::from(known.certificate.as_slice());
    if is_signed(&certificate, scheme, signed.as_bytes(), &signature) {
        Ok(())
    } else {
        Err(no("invalid_client", "AADSTS700027: Client assertion failed signature validation."))
    }
}

fn is_signed(certificate: &CertificateDer<'_>, scheme: SignatureScheme, message: &[u8], signature: &[u8]) -> bool {
    let algorithms = rustls::crypto::ring::default_provider().signature_verification_algorithms;
    let Ok(parsed) = ParsedCertificate::try_from(certificate) else { return false };
    let key = parsed.subject_public_key_info();
    let Some(key) = key_of(&key) else { return false };
    let fitting = algorithms.mapping.iter().filter(|(known, _)| *known == scheme).flat_map(|(_, all)| *all);
    fitting.into_iter().any(|algorithm| algorithm.verify_signature(key, message, signature).is_ok())
}

/// The key in a `SubjectPublicKeyInfo`: a sequence of the algorithm and a string of bits (RFC 5280, 4.1).
fn key_of(info: &[u8]) -> Option<&[u8]> {
    let (inner, _) = element(info)?;
    let (_, bits) = element(inner)?;
    // The first byte says how many bits of the last one are none.
    element(bits)?.0.get(1..)
}

/// The content of the first element of DER, and what is behind it.
fn element(der: &[u8]) -> Option<(&[u8], &[u8])> {
    let first = usize::from(*der.get(1)?);
    let (length, from) = if first < 0x80 {
        (first, 2)
    } else {
        let bytes = der.get(2..2 + (first & 0x7f))?;
        (bytes.iter().fold(0, |length, byte| length << 8 | usize::from(*byte)), 2 + bytes.len())
    };
    Some((der.get(from..from + length)?, der.get(from + length..)?))
}

fn bearer(instance: &Instance) -> String {
    let expires = instance.now() + BEARER_LIFE;
    let mut world = instance.world();
    let text = format!("simulated-bearer-{}", world.tokens.len());
    let token =
        Token { person: tokens::CLIENT_ID.into(), scopes: None, state: TokenState::Live, expires: Some(expires) };
    world.tokens.insert(text.clone(), token);
    text
}

/// `GET /metadata/identity/oauth2/token`: the instance metadata service, and, with its header, App Service.
///
/// Sources: entra-docs, "How to use managed identities for Azure resources on an Azure VM to acquire an access token"; azure-docs,
/// "How to use managed identities for App Service".
pub(super) fn machine(instance: &Instance, request: &Request) -> Answer {
    let query: Vec<(String, String)> = url::form_urlencoded::parse(request.raw_query.as_bytes()).into_owned().collect();
    let parameter = |name: &str| query.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str());
    let header = |name: &str| request.headers.get(name).and_then(|value| value.to_str().ok());
    let refused = |description: &str| {
        Answer::json(json!({"error": "invalid_request", "error_description": description}))
            .with_status(StatusCode::BAD_REQUEST)
    };
    let of_app_service = parameter("api-version") == Some("2019-08-01");
    if of_app_service && header("x-identity-header") != Some(tokens::IDENTITY_HEADER) {
        return Answer::empty(StatusCode::UNAUTHORIZED);
    }
    if !of_app_service && (header("metadata") != Some("true") || header("x-forwarded-for").is_some()) {
        return refused("Required metadata header not specified");
    }
    if !of_app_service && parameter("api-version") != Some("2018-02-01") {
        return refused("Required query variable 'api-version' is missing");
    }
    if parameter("resource") != Some(AZURE_DEVOPS) {
        return refused("AADSTS500011: The resource principal was not found in the tenant.");
    }
    if parameter("client_id").is_some_and(|id| !id.eq_ignore_ascii_case(tokens::CLIENT_ID)) {
        return refused("Identity not found");
    }
    let (text, until) = (bearer(instance), (instance.now() + BEARER_LIFE).as_second().to_string());
    let mut body = json!({
        "access_token": text, "expires_on": until, "resource": AZURE_DEVOPS, "token_type": "Bearer",
        "client_id": tokens::CLIENT_ID,
    });
    if !of_app_service {
        // Numbers are texts there.
        body["expires_in"] = BEARER_LIFE.as_secs().to_string().into();
        body["not_before"] = instance.now().as_second().to_string().into();
    }
    Answer::json(body)
}
