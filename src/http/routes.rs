//! Every operation of the service, on one screen.

use super::{
    Surface,
    auth::{Access, admit},
    backfill, bindings, completeness, connections, deployments, discovery, docs, doctor, events,
    extract::{Call, Segment, call},
    health, hooks, integration, notifications,
    problem::{Kind, Problem},
    projects, relations, replay, sinks, stream, subscriptions, survey, tokens, work_items,
};
use std::{convert::Infallible, sync::Arc};
use utoipa::OpenApi;
use warp::{Filter, Reply, filters::BoxedFilter, http::Method, path::FullPath, reject, reply::Response};

type Row = BoxedFilter<(Response,)>;

/// A row as the fallback, the document and the tests see it.
#[derive(Debug, Clone, Copy)]
pub struct Pattern {
    /// In lower case.
    pub method: &'static str,
    /// Who may call it.
    pub access: Access,
    /// Literals in quotes, parameters bare, separated by slashes.
    pub path: &'static str,
}

macro_rules! segment {
    ($literal:literal) => {
        warp::path($literal)
    };
    ($parameter:ty) => {
        warp::path::param::<$parameter>()
    };
}

/// From each row come the router's filter, the operation of the document, and the pattern for 404 and 405.
macro_rules! routes {
    ($( $method:ident $access:ident $head:literal $(/ $seg:tt)* => $module:ident :: $handler:ident; )+) => {
        /// The document as the rows give it; `openapi` adds what all operations share.
        #[derive(OpenApi)]
        #[openapi(paths($( $module::$handler ),+))]
        pub(super) struct ApiDoc;

        /// The rows.
        pub const PATTERNS: &[Pattern] = &[$( Pattern {
            method: stringify!($method),
            access: Access::$access,
            path: concat!(stringify!($head) $(, "/", stringify!($seg))*),
        } ),+];

        fn table(surface: &Arc<Surface>) -> Vec<Row> {
            let admitted = |access| admitted(surface, access);
            vec![$(
                // The path goes first: a method that fails first would turn an unknown path into a 405. Boxing what was
                // extracted leaves the handler as the only type that differs between two rows.
                segment!($head) $( .and(segment!($seg)) )*
                    .and(warp::path::end())
                    .and(method(stringify!($method)))
                    .and(never_rejects(admitted(Access::$access)))
                    .boxed()
                    .then($module::$handler)
                    .map(Reply::into_response)
                    .boxed()
            ),+]
        }
    };
}

#[rustfmt::skip]
routes! {
    // First, because rows are tried in order and this one is asked day and night.
    post   Hook   "hooks" / "azure-devops" / Segment                      => hooks::receive;

    get    Public "hooks" / "azure-devops" / "who"                        => hooks::who;

    get    Public "healthz"                                               => health::healthz;
    get    Public "readyz"                                                => health::readyz;
    get    Read   "metrics"                                               => health::metrics;
    get    Public "openapi.json"                                          => docs::openapi;
    get    Public "docs"                                                  => docs::page;
    get    Public "docs" / Segment                                        => docs::file;

    get    Read   "v1" / "integration"                                    => integration::show;

    get    Read   "v1" / "connections"                                    => connections::list;
    post   Admin  "v1" / "connections"                                    => connections::create;
    get    Read   "v1" / "connections" / Segment                          => connections::show;
    patch  Admin  "v1" / "connections" / Segment                          => connections::edit;
    delete Admin  "v1" / "connections" / Segment                          => connections::remove;
    get    Read   "v1" / "connections" / Segment / "removal"              => connections::removal;
    post   Admin  "v1" / "connections" / Segment / "check"                => connections::check;
    post   Admin  "v1" / "connections" / Segment / "sync"                 => connections::sync;
    post   Admin  "v1" / "connections" / Segment / "doctor"               => doctor::examine;
    get    Admin  "v1" / "connections" / Segment / "survey"               => survey::show;
    post   Admin  "v1" / "connections" / Segment / "survey"               => survey::begin;
    delete Admin  "v1" / "connections" / Segment / "survey"               => survey::stop;
    get    Read   "v1" / "connections" / Segment / "azure" / "projects"        => discovery::projects;
    get    Read   "v1" / "connections" / Segment / "azure" / "repositories"    => discovery::repositories;
    get    Read   "v1" / "connections" / Segment / "azure" / "branches"        => discovery::branches;
    get    Read   "v1" / "connections" / Segment / "azure" / "pipelines"       => discovery::pipelines;
    get    Read   "v1" / "connections" / Segment / "azure" / "work-item-types" => discovery::work_item_types;
    post   Admin  "v1" / "connections" / Segment / "rotate-hook-secret"   => connections::rotate;

    get    Read   "v1" / "projects"                                       => projects::list;
    get    Read   "v1" / "projects" / Segment                             => projects::show;
    put    Admin  "v1" / "projects" / Segment                             => projects::put;
    delete Admin  "v1" / "projects" / Segment                             => projects::remove;
    get    Read   "v1" / "projects" / Segment / "bindings"                => bindings::list;
    post   Admin  "v1" / "projects" / Segment / "bindings"                => bindings::create;
    get    Read   "v1" / "projects" / Segment / "deployments"             => deployments::list;
    post   Admin  "v1" / "projects" / Segment / "deployments"             => deployments::create;
    get    Read   "v1" / "projects" / Segment / "deployments" / Segment   => deployments::show;
    get    Read   "v1" / "projects" / Segment / "environments"            => deployments::environments;
    get    Read   "v1" / "projects" / Segment / "builds"                  => relations::builds;
    get    Read   "v1" / "projects" / Segment / "work-items" / Segment    => work_items::show;
    get    Read   "v1" / "bindings" / Segment                             => bindings::show;
    patch  Admin  "v1" / "bindings" / Segment                             => bindings::edit;
    delete Admin  "v1" / "bindings" / Segment                             => bindings::remove;
    post   Admin  "v1" / "bindings" / Segment / "deployments"             => deployments::look_again;
    post   Admin  "v1" / "bindings" / Segment / "deployments" / "preview" => deployments::preview;
    get    Read   "v1" / "bindings" / Segment / "backfill"                => backfill::show;
    post   Admin  "v1" / "bindings" / Segment / "backfill"                => backfill::begin;
    delete Admin  "v1" / "bindings" / Segment / "backfill"                => backfill::cancel;

    get    Read   "v1" / "subscriptions"                                  => subscriptions::list;
    post   Admin  "v1" / "subscriptions" / "reconcile"                    => subscriptions::reconcile_now;

    get    Read   "v1" / "notifications"                                  => notifications::list;
    get    Read   "v1" / "notifications" / Segment                        => notifications::show;
    post   Admin  "v1" / "notifications" / Segment / "replay"             => replay::one;
    post   Admin  "v1" / "replay"                                         => replay::stretch;
    get    Read   "v1" / "events"                                         => events::list;
    get    Read   "v1" / "events" / "stream"                              => stream::follow;
    get    Read   "v1" / "events" / Segment                               => events::show;
    get    Read   "v1" / "events" / Segment / "deliveries"                => sinks::of_event;
    get    Read   "v1" / "events" / Segment / "related"                   => relations::related;

    get    Read   "v1" / "sinks"                                          => sinks::list;
    post   Admin  "v1" / "sinks"                                          => sinks::create;
    get    Read   "v1" / "sinks" / Segment                                => sinks::show;
    patch  Admin  "v1" / "sinks" / Segment                                => sinks::edit;
    delete Admin  "v1" / "sinks" / Segment                                => sinks::remove;
    post   Admin  "v1" / "sinks" / Segment / "pause"                      => sinks::pause;
    post   Admin  "v1" / "sinks" / Segment / "resume"                     => sinks::resume;
    post   Admin  "v1" / "sinks" / Segment / "rotate-secret"              => sinks::rotate;
    post   Admin  "v1" / "sinks" / Segment / "test"                       => sinks::test;
    post   Admin  "v1" / "sinks" / Segment / "replay"                     => sinks::replay;
    get    Read   "v1" / "sinks" / Segment / "deliveries"                 => sinks::list_deliveries;

    get    Read   "v1" / "completeness"                                   => completeness::show;

    get    Admin  "v1" / "tokens"                                         => tokens::list;
    post   Admin  "v1" / "tokens"                                         => tokens::create;
    delete Admin  "v1" / "tokens" / Segment                               => tokens::remove;
}

/// Answers every request: the error type says that none is left over.
pub(super) fn routes(surface: &Arc<Surface>) -> impl Filter<Extract = (Response,), Error = Infallible> + Clone + use<> {
    one_of(table(surface)).or(fallback()).unify()
}

fn admitted(
    surface: &Arc<Surface>,
    access: Access,
) -> impl Filter<Extract = (Result<Call, Problem>,), Error = Infallible> + Clone + use<> {
    call(Arc::clone(surface)).map(move |call| admit(access, call))
}

/// Only the path and the method may pass a request on to the next row.
fn never_rejects<F: Filter<Error = Infallible>>(filter: F) -> F {
    filter
}

/// The row's method; a row for `GET` takes `HEAD` too, whose body the service drops.
fn method(name: &'static str) -> impl Filter<Extract = (), Error = warp::Rejection> + Clone {
    warp::method()
        .and_then(move |method: Method| async move {
            let takes = method.as_str().eq_ignore_ascii_case(name) || (name == "get" && method == Method::HEAD);
            if takes { Ok(()) } else { Err(reject::reject()) }
        })
        .untuple_one()
}

/// As a balanced tree of one type: a chain would nest as deep as the table is long.
fn one_of(mut rows: Vec<Row>) -> Row {
    match rows.len() {
        0 | 1 => rows.pop().expect("the table has rows"),
        n => {
            let rest = rows.split_off(n / 2);
            one_of(rows).or(one_of(rest)).unify().boxed()
        }
    }
}

fn fallback() -> impl Filter<Extract = (Response,), Error = Infallible> + Clone {
    warp::path::full().map(|path: FullPath| {
        let mut allow: Vec<String> = PATTERNS
            .iter()
            .filter(|pattern| pattern.matches(path.as_str()))
            .map(|pattern| pattern.method.to_uppercase())
            .collect();
        if allow.is_empty() {
            return Problem::because(Kind::NoSuchRoute, "/docs lists the paths").into_response();
        }
        if allow.iter().any(|method| method == "GET") {
            allow.push("HEAD".to_owned());
        }
        Problem::method_not_allowed(&allow.join(", ")).into_response()
    })
}

impl Pattern {
    fn matches(&self, path: &str) -> bool {
        let path = path.trim_start_matches('/').trim_end_matches('/');
        let (mut rows, mut sent) = (self.path.split('/'), path.split('/'));
        loop {
            match (rows.next(), sent.next()) {
                (None, None) => return true,
                (Some(row), Some(sent)) if !row.starts_with('"') || row.trim_matches('"') == sent => {}
                _ => return false,
            }
        }
    }

    /// As the document writes it, with `{}` for every parameter.
    pub fn template(&self) -> String {
        let part = |part: &str| if part.starts_with('"') { part.trim_matches('"').to_owned() } else { "{}".to_owned() };
        self.path.split('/').flat_map(|segment| ["/".to_owned(), part(segment)]).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Where a literal and a parameter are siblings the literal's row comes first, or it could not be reached.
    #[test]
    fn a_literal_comes_before_the_parameter_beside_it() {
        for (at, parameter) in PATTERNS.iter().enumerate() {
            for literal in &PATTERNS[at + 1..] {
                let shadowed = literal.method == parameter.method
                    && parameter.path != literal.path
                    && parameter.matches(&literal.path.replace('"', ""));
                assert!(!shadowed, "{} cannot be reached behind {}", literal.path, parameter.path);
            }
        }
    }
}
