//! Processes that may open few files: a Guardian, and a client of it.

use agenttrust_testkit::eventually_within;
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;
use tokio::process::Command;

use crate::program::{DEV_KEY, LONG, Program, client, text};

#[tokio::test]
async fn guardian_that_may_open_64_files_answers_whoever_comes_after_a_crowd() {
    let mut program = Program::serve_with_files(64, &["--dev"]).await;
    let mut crowd = Vec::new();
    for number in 0..100 {
        let mut stream = TcpStream::connect(program.address).await.unwrap();
        // One in four begins a request and does not end it.
        if number % 4 == 0 {
            let head = "POST /api/v1/agents HTTP/1.1\r\nHost: localhost\r\nX-API-Key: sk_test_dev\r\n\
                        Content-Length: 100\r\n\r\n{";
            // It may have been told already that there is no room.
            let _ = stream.write_all(head.as_bytes()).await;
        }
        crowd.push(stream);
    }
    assert!(open_files(&program) <= 64);
    drop(crowd);
    let answered = async || {
        let answer = client().get(program.url("/health")).send().await;
        answer.is_ok_and(|answer| answer.status() == 200)
    };
    eventually_within(LONG, "there is no room again", answered).await;
    program.signal("TERM");
    assert_eq!(program.ends().await.code(), Some(0));
}

fn open_files(program: &Program) -> usize {
    std::fs::read_dir(format!("/proc/{}/fd", program.id())).unwrap().count()
}

#[tokio::test]
async fn client_that_may_open_no_more_files_says_so_and_not_that_the_guardian_is_away() {
    let program = Program::serve(&["--dev"], &[]).await;
    let mut said = Vec::new();
    // How many it takes until only the connection is missing is the machine's affair.
    for files in 4..=16 {
        let script = format!("ulimit -n {files} && exec \"$0\" agents list");
        let mut command = Command::new("/bin/sh");
        command.args(["-c", &script, env!("CARGO_BIN_EXE_agenttrust")]).env_clear();
        command.env("AGENTTRUST_URL", program.url("")).env("AGENTTRUST_API_KEY", DEV_KEY);
        let output = command.output().await.unwrap();
        if !output.status.success() {
            said.push(text(&output.stderr));
        }
    }
    assert!(said.iter().all(|said| said.contains("Too many open files")), "{said:#?}");
    let told: Vec<_> = said.iter().filter(|said| said.contains("no connection")).collect();
    assert!(!told.is_empty(), "{said:#?}");
    for told in told {
        assert!(told.contains("no more files can be opened here"), "{told}");
        assert!(told.contains("ulimit -n") && !told.contains("see that the Guardian"), "{told}");
    }
}
