//! Telling the service manager that started the program how far it is, as systemd asks of a service of `Type=notify`.

/// Tells the service manager a state, such as `READY=1`, at the socket that `NOTIFY_SOCKET` names, if it names one.
#[cfg(unix)]
pub(super) fn notify(state: &str) {
    let Some(socket) = std::env::var_os("NOTIFY_SOCKET").filter(|socket| !socket.is_empty()) else {
        return;
    };
    if let Err(error) = send(state, &socket) {
        tracing::warn!(%error, ?socket, "the service manager cannot be told {state}");
    }
}

#[cfg(not(unix))]
pub(super) fn notify(_state: &str) {}

#[cfg(unix)]
fn send(state: &str, socket: &std::ffi::OsStr) -> std::io::Result<()> {
    use std::os::unix::net::{SocketAddr, UnixDatagram};

    let own = UnixDatagram::unbound()?;
    // A name that begins with `@` is one without a file, which Linux has.
    #[cfg(target_os = "linux")]
    let address = {
        use std::os::linux::net::SocketAddrExt;
        use std::os::unix::ffi::OsStrExt;

        match socket.as_bytes().strip_prefix(b"@") {
            Some(name) => SocketAddr::from_abstract_name(name)?,
            None => SocketAddr::from_pathname(socket)?,
        }
    };
    #[cfg(not(target_os = "linux"))]
    let address = SocketAddr::from_pathname(socket)?;
    own.send_to_addr(state.as_bytes(), &address).map(drop)
}
