//! A service manager hears when the Guardian is ready, and when it stops.

use tokio::net::UnixDatagram;

use crate::program::{LONG, Program};

async fn next(socket: &UnixDatagram) -> String {
    let mut state = [0; 64];
    let read = tokio::time::timeout(LONG, socket.recv(&mut state)).await;
    let length = read.expect("nothing is said").unwrap();
    String::from_utf8_lossy(&state[..length]).into_owned()
}

#[tokio::test]
async fn service_manager_is_told_when_signals_are_heard_and_when_it_stops() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("notify");
    let socket = UnixDatagram::bind(&path).unwrap();
    let variable = ("NOTIFY_SOCKET", path.to_str().unwrap());
    let mut program = Program::serve(&["--dev"], &[variable]).await;
    assert_eq!(next(&socket).await, "READY=1");
    // Before it is ready, this would end it.
    program.signal("HUP");
    program.logs("SIGHUP").await;
    program.signal("TERM");
    assert_eq!(next(&socket).await, "STOPPING=1");
    assert!(program.ends().await.success());
}

#[tokio::test]
async fn service_manager_that_does_not_listen_is_no_reason_to_end() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("notify");
    let variable = ("NOTIFY_SOCKET", path.to_str().unwrap());
    let mut program = Program::serve(&["--dev"], &[variable]).await;
    program.logs("the service manager cannot be told READY=1").await;
    program.signal("TERM");
    assert!(program.ends().await.success());
}
