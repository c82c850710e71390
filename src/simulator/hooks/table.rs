//! The table of the hooks' routes, and where clients find them.
//!
//! Source: the location ids of Microsoft's own clients.

use super::{describe, history_routes, subscription_routes as subscriptions, values};
use crate::simulator::rest::{HOOKS, Handler, InProject, Location, Route};
use uuid::uuid;

#[rustfmt::skip]
mod locations {
    use super::{Location, uuid};
    pub(super) static SUBSCRIPTIONS: Location = Location(uuid!("fc50d02a-849f-41fb-8af1-0a5216103269"));
    pub(super) static SUBSCRIPTIONS_QUERY: Location = Location(uuid!("c7c3c1cf-9e05-4c0d-a425-a0f922c2c6ed"));
    pub(super) static DIAGNOSTICS: Location = Location(uuid!("3b36bcb5-02ad-43c6-bbfa-6dfc6f8e9d68"));
    pub(super) static NOTIFICATIONS: Location = Location(uuid!("0c62d343-21b0-4732-997b-017fde84dc28"));
    pub(super) static NOTIFICATIONS_QUERY: Location = Location(uuid!("1a57562f-160a-4b5c-9185-905e95b39d36"));
    pub(super) static TESTS: Location = Location(uuid!("1139462c-7e27-4524-a997-31b9b73551fe"));
    pub(super) static PUBLISHERS: Location = Location(uuid!("1e83a210-5b53-43bc-90f0-d476a4e5d731"));
    pub(super) static PUBLISHERS_QUERY: Location = Location(uuid!("99b44a8a-65a8-4670-8f3e-e7f7842cce64"));
    pub(super) static PUBLISHER_VALUES: Location = Location(uuid!("d815d352-a566-4dc1-a3e3-fd245acf688c"));
    pub(super) static VALUES: Location = Location(uuid!("140ed26d-ed51-4583-a1bd-0dd3fdd708bd"));
    pub(super) static EVENT_TYPES: Location = Location(uuid!("db4777cd-8e08-4a84-8ba3-c974ea033718"));
    pub(super) static CONSUMERS: Location = Location(uuid!("4301c514-5f34-4f5d-a145-f0ea7b5b7d19"));
    pub(super) static ACTIONS: Location = Location(uuid!("c3428e90-7a69-4194-8ed8-0f153185ee0d"));
}

const fn row(
    method: &'static str,
    path: &'static str,
    location: &'static Location,
    tstu: f64,
    handler: Handler,
) -> Route {
    Route::new(method, InProject::Never, path, location, HOOKS, handler).on_every_host().costs(tstu)
}

/// Rows of the table of routes.
#[rustfmt::skip]
pub(crate) static ROUTES: &[Route] = &[
    row("GET", "hooks/subscriptions", &locations::SUBSCRIPTIONS, 0.134, subscriptions::list),
    row("POST", "hooks/subscriptions", &locations::SUBSCRIPTIONS, 0.12, subscriptions::create),
    row("GET", "hooks/subscriptions/{subscription}", &locations::SUBSCRIPTIONS, 0.02, subscriptions::one),
    row("PUT", "hooks/subscriptions/{subscription}", &locations::SUBSCRIPTIONS, 0.12, subscriptions::replace),
    row("DELETE", "hooks/subscriptions/{subscription}", &locations::SUBSCRIPTIONS, 0.11, subscriptions::delete),
    row("POST", "hooks/subscriptionsquery", &locations::SUBSCRIPTIONS_QUERY, 0.134, subscriptions::query),
    row("GET", "hooks/subscriptions/{subscription}/diagnostics", &locations::DIAGNOSTICS, 0.01, subscriptions::diagnostics),
    row("PUT", "hooks/subscriptions/{subscription}/diagnostics", &locations::DIAGNOSTICS, 0.02, subscriptions::set_diagnostics),
    row("GET", "hooks/subscriptions/{subscription}/notifications", &locations::NOTIFICATIONS, 0.05, history_routes::list),
    row("GET", "hooks/subscriptions/{subscription}/notifications/{notification}", &locations::NOTIFICATIONS, 0.02, history_routes::one),
    row("POST", "hooks/notificationsquery", &locations::NOTIFICATIONS_QUERY, 0.1, history_routes::query),
    row("POST", "hooks/testnotifications", &locations::TESTS, 0.1, history_routes::test),
    row("GET", "hooks/testnotifications/{notification}", &locations::TESTS, 0.01, history_routes::tested),
    row("GET", "hooks/publishers", &locations::PUBLISHERS, 0.02, describe::publishers),
    row("GET", "hooks/publishers/{publisher}", &locations::PUBLISHERS, 0.02, describe::publisher),
    row("GET", "hooks/publishers/{publisher}/eventtypes", &locations::EVENT_TYPES, 0.02, describe::event_types),
    row("GET", "hooks/publishers/{publisher}/eventtypes/{eventType}", &locations::EVENT_TYPES, 0.01, describe::event_type),
    row("POST", "hooks/publishersquery", &locations::PUBLISHERS_QUERY, 0.02, describe::publishers_query),
    row("POST", "hooks/publishers/{publisher}/inputvaluesquery", &locations::PUBLISHER_VALUES, 0.05, values::of_publisher),
    row("POST", "hooks/inputvaluesquery", &locations::VALUES, 0.05, values::of_subscription),
    row("GET", "hooks/consumers", &locations::CONSUMERS, 0.01, describe::consumers),
    row("GET", "hooks/consumers/{consumer}", &locations::CONSUMERS, 0.01, describe::consumer),
    row("GET", "hooks/consumers/{consumer}/actions", &locations::ACTIONS, 0.01, describe::actions),
    row("GET", "hooks/consumers/{consumer}/actions/{action}", &locations::ACTIONS, 0.01, describe::action),
];
