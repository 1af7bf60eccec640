//! The default transport over real sockets.

use std::error::Error as _;
use std::net::SocketAddr;
use std::time::Duration;

use agenttrust::{
    Action, AgentTrustClient, AgentTrustError, AgentTrustGuard, PermitBasis, TransportErrorKind,
};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpSocket, TcpStream};

/// Answers every connection with `response`, and hands over what it was sent.
async fn serve(response: &'static str) -> (String, tokio::sync::mpsc::UnboundedReceiver<String>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = format!("http://{}", listener.local_addr().unwrap());
    let (heard, hears) = tokio::sync::mpsc::unbounded_channel();
    tokio::spawn(async move {
        while let Ok((mut socket, _)) = listener.accept().await {
            let mut request = vec![0; 8192];
            let read = socket.read(&mut request).await.unwrap();
            heard.send(String::from_utf8_lossy(&request[..read]).into_owned()).unwrap();
            socket.write_all(response.as_bytes()).await.unwrap();
        }
    });
    (address, hears)
}

fn client(url: &str) -> AgentTrustClient {
    let timeout = Duration::from_millis(500);
    AgentTrustClient::builder().base_url(url).api_key("sk_test_1").timeout(timeout).build().unwrap()
}

#[tokio::test]
async fn a_refused_connection_is_unreachable_and_leads_to_the_reqwest_error() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    drop(listener);
    let error = client(&url).health().await.unwrap_err();
    assert!(error.is_unreachable());
    assert!(error.source().unwrap().is::<reqwest::Error>(), "{error:?}");
    let AgentTrustError::Network(error) = error else { panic!("{error:?}") };
    assert_eq!(error.kind(), TransportErrorKind::Connect);
}

#[tokio::test]
async fn a_server_that_never_answers_is_a_time_out() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let error = client(&url).health().await.unwrap_err();
    let AgentTrustError::Network(error) = error else { panic!("{error:?}") };
    assert_eq!(error.kind(), TransportErrorKind::Timeout);
}

#[tokio::test]
async fn an_answer_that_breaks_off_is_not_unreachable() {
    let (url, _requests) =
        serve("HTTP/1.1 200 OK\r\ncontent-length: 100\r\nconnection: close\r\n\r\n{").await;
    let error = client(&url).agents().create(&Default::default()).await.unwrap_err();
    assert!(!error.is_unreachable(), "{error:?}");
    assert_eq!(error.code(), "NETWORK_ERROR");
}

#[tokio::test]
async fn a_redirect_is_an_error_and_the_key_goes_nowhere_else() {
    let (elsewhere, mut there) =
        serve("HTTP/1.1 200 OK\r\ncontent-length: 2\r\nconnection: close\r\n\r\n{}").await;
    let redirect: &'static str = Box::leak(
        format!(
            "HTTP/1.1 307 Temporary Redirect\r\nlocation: {elsewhere}/health\r\n\
             content-length: 0\r\nconnection: close\r\n\r\n"
        )
        .into_boxed_str(),
    );
    let (url, mut here) = serve(redirect).await;
    let error = client(&url).health().await.unwrap_err();
    assert_eq!((error.code(), error.status()), ("HTTP_307", Some(307)));
    assert!(here.recv().await.unwrap().contains("sk_test_1"));
    assert!(there.try_recv().is_err(), "the redirect was followed");
}

#[tokio::test]
async fn gateway_that_moved_to_https_says_what_the_base_url_is_now() {
    for status in [301, 302, 307, 308] {
        let (elsewhere, mut there) = serve("HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}").await;
        let https = elsewhere.replace("http://", "https://");
        let (url, mut here) = serve(Box::leak(
            format!(
                "HTTP/1.1 {status} Moved\r\nlocation: {https}/api/v1/agenttrust/check\r\ncontent-length: 0\r\n\
                 connection: close\r\n\r\n"
            )
            .into_boxed_str(),
        ))
        .await;
        let guard = AgentTrustGuard::builder(client(&url), "a").fail_open(true).build();
        let error = guard.authorize(Action::new("t")).await.unwrap_err();
        assert_eq!((error.code(), error.status()), (&*format!("HTTP_{status}"), Some(status)));
        let says = format!("it moved to {https}; set the base URL to that");
        assert!(error.to_string().contains(&says), "{error}");
        assert!(here.recv().await.unwrap().contains("sk_test_1"));
        assert!(there.try_recv().is_err(), "the redirect was followed");
    }
}

#[tokio::test]
async fn the_gateways_own_words_and_code_come_through() {
    let (url, _requests) = serve(
        "HTTP/1.1 403 Forbidden\r\ncontent-length: 51\r\nconnection: close\r\n\r\n\
         {\"error\": \"AGENT_REVOKED\", \"message\": \"it is over\"}",
    )
    .await;
    let error = client(&url).agents().list().await.unwrap_err();
    assert_eq!((error.code(), error.to_string()), ("AGENT_REVOKED", "it is over".to_owned()));
}

#[tokio::test]
async fn what_is_wrong_on_this_side_is_said_beside_what_the_gateway_said() {
    let refused = "HTTP/1.1 401 Unauthorized\r\ncontent-length: 41\r\nconnection: close\r\n\r\n\
                   {\"error\": \"AUTH_FAILED\", \"message\": \"no\"}";
    let (url, _requests) = serve(refused).await;
    let keyless = AgentTrustClient::builder().base_url(&url).build().unwrap();
    let error = keyless.agents().list().await.unwrap_err().to_string();
    assert!(error.starts_with("no; this client has no API key"), "{error}");
    assert!(error.contains("AGENTTRUST_API_KEY"), "{error}");
    // One that has a key, and a wrong one, is told what the gateway said.
    assert_eq!(client(&url).agents().list().await.unwrap_err().to_string(), "no");

    let (url, _requests) =
        serve("HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\nconnection: close\r\n\r\n").await;
    let error = client(&format!("{url}/api/")).agents().list().await.unwrap_err().to_string();
    assert!(error.contains("the base URL ends in /api"), "{error}");
    let error = client(&url).agents().list().await.unwrap_err().to_string();
    assert!(!error.contains("base URL"), "{error}");
}

#[test]
fn an_executor_that_is_not_tokio_is_served_by_the_background_runtime() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let body = "{\"status\": \"healthy\"}";
    let response: &'static str = Box::leak(
        format!(
            "HTTP/1.1 200 OK\r\ncontent-length: {}\r\nconnection: close\r\n\r\n{body}",
            body.len()
        )
        .into_boxed_str(),
    );
    let (url, _requests) = runtime.block_on(serve(response));
    let client = client(&url);
    assert_eq!(block_on(client.health()).unwrap().status, "healthy");
}

fn kind(error: AgentTrustError) -> TransportErrorKind {
    let AgentTrustError::Network(error) = error else { panic!("{error:?}") };
    assert_eq!(error.is_unreachable(), error.kind() == TransportErrorKind::Connect);
    error.kind()
}

/// Returns a client without a time-out that would end it first.
fn patient(scheme: &str, address: SocketAddr) -> AgentTrustClient {
    AgentTrustClient::builder().base_url(format!("{scheme}://{address}")).build().unwrap()
}

/// Returns a host that takes no more connections and refuses none, as one that is switched off
/// does.
async fn deaf() -> (TcpListener, Vec<TcpStream>) {
    let socket = TcpSocket::new_v4().unwrap();
    socket.bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let listener = socket.listen(1).unwrap();
    let address = listener.local_addr().unwrap();
    let mut queued = Vec::new();
    while let Ok(connected) =
        tokio::time::timeout(Duration::from_millis(300), TcpStream::connect(address)).await
    {
        queued.push(connected.unwrap());
    }
    (listener, queued)
}

#[tokio::test]
async fn a_host_that_is_switched_off_is_unreachable_before_a_guards_time_is_up() {
    let (listener, _queued) = deaf().await;
    let address = listener.local_addr().unwrap();
    let guard = AgentTrustGuard::builder(patient("http", address), "a").fail_open(true).build();
    let secure = AgentTrustGuard::builder(patient("https", address), "a").fail_open(true).build();
    let (permit, secured) =
        tokio::join!(guard.authorize(Action::new("t")), secure.authorize(Action::new("t")));
    assert_eq!(permit.unwrap().basis(), PermitBasis::FailOpen);
    assert_eq!(secured.unwrap().basis(), PermitBasis::FailOpen);
}

#[tokio::test]
async fn a_tls_handshake_that_hangs_is_a_time_out_and_no_missing_connection() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let error = patient("https", listener.local_addr().unwrap()).health().await.unwrap_err();
    assert_eq!(kind(error), TransportErrorKind::Timeout);
}

#[tokio::test]
async fn a_tls_handshake_that_breaks_is_no_missing_connection() {
    for answer in ["", "HTTP/1.1 400 no TLS here\r\n\r\n"] {
        let (url, _requests) = serve(answer).await;
        let address = url.trim_start_matches("http://").parse().unwrap();
        let error = patient("https", address).health().await.unwrap_err();
        assert_eq!(kind(error), TransportErrorKind::Broken, "{answer:?}");
    }
    let refused = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    let error = patient("https", refused).health().await.unwrap_err();
    assert_eq!(kind(error), TransportErrorKind::Connect);
}

#[tokio::test]
async fn a_request_that_broke_stays_so_when_its_repetition_finds_no_connection() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        let (mut socket, _) = listener.accept().await.unwrap();
        drop(listener);
        assert!(socket.read(&mut [0; 8192]).await.unwrap() > 0);
    });
    let client = patient("http", address);
    assert_eq!(kind(client.agents().list().await.unwrap_err()), TransportErrorKind::Broken);
    assert_eq!(kind(client.agents().list().await.unwrap_err()), TransportErrorKind::Connect);
}

/// Returns the smallest executor there is: parks the thread between polls.
fn block_on<F: Future>(future: F) -> F::Output {
    struct Unpark(std::thread::Thread);
    impl std::task::Wake for Unpark {
        fn wake(self: std::sync::Arc<Self>) {
            self.0.unpark();
        }
    }
    let waker = std::sync::Arc::new(Unpark(std::thread::current())).into();
    let mut context = std::task::Context::from_waker(&waker);
    let mut future = std::pin::pin!(future);
    loop {
        if let std::task::Poll::Ready(output) = future.as_mut().poll(&mut context) {
            return output;
        }
        std::thread::park();
    }
}
