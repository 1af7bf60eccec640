//! Programs of others that send a body and read the answer: curl, and the two clients of Python.

use std::io::{ErrorKind, Write as _};
use std::process::{Command, Stdio};

/// A program that posts bodies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Uploader {
    /// curl by HTTP/1.1.
    Curl,
    /// curl by HTTP/2.
    Curl2,
    /// Python's own client.
    HttpClient,
    /// Python's `requests`, on one session.
    Requests,
}

/// All uploaders.
pub const UPLOADERS: [Uploader; 4] =
    [Uploader::Curl, Uploader::Curl2, Uploader::HttpClient, Uploader::Requests];

/// The script for Python; a missing module ends it with 9.
const SCRIPT: &str = r#"
import sys
kind, url, size, times = sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4])
body = b" " * size
if kind == "Requests":
    try:
        import requests
    except ImportError:
        sys.exit(9)
    session = requests.Session()
    session.trust_env = False
    post = lambda: session.post(url, data=body, timeout=60).status_code
else:
    import http.client, urllib.parse
    at = urllib.parse.urlparse(url)
    connection = http.client.HTTPConnection(at.hostname, at.port, timeout=60)
    def post():
        connection.request("POST", at.path, body)
        answer = connection.getresponse()
        answer.read()
        return answer.status
for _ in range(times):
    try:
        print(post())
    except Exception as error:
        print(repr(error)[:200])
        kind == "Requests" or connection.close()
"#;

impl Uploader {
    /// Posts a body of so many bytes so often; returns what it read, a status each or what went wrong. `None` where the
    /// program is not installed, which it says. Blocks.
    ///
    /// # Panics
    ///
    /// When the program cannot be run for another reason.
    #[must_use]
    pub fn post(self, url: &str, bytes: usize, times: usize) -> Option<Vec<String>> {
        match self {
            Self::Curl | Self::Curl2 => (0..times).map(|_| self.curl(url, bytes)).collect(),
            Self::HttpClient | Self::Requests => self.python(url, bytes, times),
        }
    }

    fn curl(self, url: &str, bytes: usize) -> Option<String> {
        let version = if self == Self::Curl2 { "--http2-prior-knowledge" } else { "--http1.1" };
        let mut command = Command::new("curl");
        command.args([version, "-sS", "--noproxy", "*", "-m", "60", "-H", "Expect:"]);
        command.args(["-H", "Content-Type: application/json"]);
        command.args(["-w", "%{http_code}", "-o", "/dev/null", "--data-binary", "@-", url]);
        let (code, out, error) = self.run(command, &vec![b' '; bytes])?;
        Some(if code == Some(0) { out } else { format!("{out} {}", error.trim()) })
    }

    fn python(self, url: &str, bytes: usize, times: usize) -> Option<Vec<String>> {
        let mut command = Command::new("python3");
        let [size, times] = [bytes, times].map(|number| number.to_string());
        command.args(["-c", SCRIPT, &format!("{self:?}"), url, &size, &times]);
        let (code, out, error) = self.run(command, &[])?;
        if code == Some(9) {
            eprintln!("skipped {self:?}: its Python module is not installed");
            return None;
        }
        assert_eq!(code, Some(0), "{error}");
        Some(out.lines().map(str::to_owned).collect())
    }

    /// Runs a program on this input; returns its code and what it wrote.
    fn run(self, mut command: Command, input: &[u8]) -> Option<(Option<i32>, String, String)> {
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = match command.spawn() {
            Ok(child) => child,
            Err(error) if error.kind() == ErrorKind::NotFound => {
                eprintln!("skipped {self:?}: the program is not installed");
                return None;
            }
            Err(error) => panic!("{self:?}: {error}"),
        };
        child.stdin.take().unwrap().write_all(input).unwrap();
        let output = child.wait_with_output().unwrap();
        let [out, error] =
            [output.stdout, output.stderr].map(|text| String::from_utf8_lossy(&text).into_owned());
        Some((output.status.code(), out, error))
    }
}
