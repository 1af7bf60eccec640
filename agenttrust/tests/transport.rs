//! The default transport over real sockets.

use std::error::Error as _;
use std::time::Duration;

use agenttrust::{AgentTrustClient, AgentTrustError, TransportErrorKind};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

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
async fn the_gateways_own_words_and_code_come_through() {
    let (url, _requests) = serve(
        "HTTP/1.1 403 Forbidden\r\ncontent-length: 51\r\nconnection: close\r\n\r\n\
         {\"error\": \"AGENT_REVOKED\", \"message\": \"it is over\"}",
    )
    .await;
    let error = client(&url).agents().list().await.unwrap_err();
    assert_eq!((error.code(), error.to_string()), ("AGENT_REVOKED", "it is over".to_owned()));
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

/// The smallest executor there is: parks the thread between polls.
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
