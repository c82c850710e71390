//! A bug of ours is our caller's 500, not its cut connection.

use super::faulty::Faulty;
use crate::harness::Gateway;
use hookwell::{
    config::{Listen, Settings},
    gateway::{loopback_client, watchdog},
    serve,
    store::MemoryStore,
};
use serde_json::Value;
use std::{sync::Arc, time::Duration};
use tokio::{net::TcpListener, sync::oneshot};

#[tokio::test]
async fn a_panic_is_a_500_problem_without_its_words_and_the_next_request_is_answered() {
    let inner = Arc::new(MemoryStore::default());
    let store = Faulty::new(Arc::clone(&inner));
    let gateway = Gateway::on(Settings::default(), Arc::clone(&store) as _, inner).await;
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let (stop, stopped) = oneshot::channel::<()>();
    let app = Arc::clone(&gateway.app);
    let serving = tokio::spawn(async move {
        let listen = Listen {
            address,
            tls: None,
            connections_max: 16,
            connections_per_address_max: 16,
            header_timeout: Duration::from_secs(30),
        };
        serve::run(app, listener, &listen, None, async { drop(stopped.await) }).await;
    });

    let client = loopback_client(Duration::from_secs(30)).unwrap();
    let ask =
        async || client.get(format!("http://{address}/v1/events")).bearer_auth(&gateway.admin).send().await.unwrap();
    store.panic(true);
    let reply = ask().await;
    assert_eq!(reply.status(), 500);
    assert_eq!(reply.headers()["content-type"], "application/problem+json");
    let id = reply.headers()["x-request-id"].to_str().unwrap().to_owned();
    let problem = reply.text().await.unwrap();
    assert!(!problem.contains("planned"), "{problem}");
    assert_eq!(serde_json::from_str::<Value>(&problem).unwrap()["request_id"], id);
    store.panic(false);
    assert_eq!(ask().await.status(), 200);
    stop.send(()).unwrap();
    serving.await.unwrap();
}

#[tokio::test]
async fn a_worker_that_panicked_is_said_by_readyz_and_started_again() {
    let gateway = Gateway::start().await;
    let (starts, mut started) = tokio::sync::watch::channel(0);
    let starts = Arc::new(starts);
    let worker = move |_| {
        let starts = Arc::clone(&starts);
        async move {
            starts.send_modify(|count| *count += 1);
            assert!(*starts.borrow() > 1, "a planned panic");
            std::future::pending::<()>().await;
        }
    };
    let watching = tokio::spawn(watchdog::watched(Arc::clone(&gateway.app), "sample", worker));
    let ready = async || gateway.get("/readyz").await;
    loop {
        let reply = ready().await;
        if reply.status == 503 {
            assert!(reply.json()["detail"].as_str().unwrap().contains("\"sample\" panicked"), "{reply:?}");
            break;
        }
        tokio::task::yield_now().await;
    }
    // The watchdog waits for the clock now, at most a minute.
    while *started.borrow_and_update() < 2 {
        gateway.clock.advance(Duration::from_secs(1));
        tokio::task::yield_now().await;
    }
    assert_eq!(ready().await.status, 200);
    gateway.app.stop();
    watching.abort();
}
