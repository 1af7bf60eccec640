//! The identity provider to try federation with: what it says to type is what works.

use std::process::Stdio;

use anyhow::{Context as _, Result, ensure};
use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::process::Command;

use crate::built::{example, program};
use crate::first_hour::serve;
use crate::running::in_time;

/// The last line that it prints.
const LAST: &str = "agenttrust federation init";

#[tokio::test]
async fn what_the_issuer_says_to_type_opens_a_session() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let (_served, url) = serve().await?;
    let mut issuer = example("issuer").current_dir(folder.path()).stdout(Stdio::piped()).spawn()?;
    let mut lines = BufReader::new(issuer.stdout.take().context("it is piped")?).lines();
    let said = async {
        let mut said = Vec::new();
        while let Some(line) = lines.next_line().await? {
            let is_last = line.starts_with(LAST);
            said.push(line);
            if is_last {
                return anyhow::Ok(said);
            }
        }
        anyhow::bail!("it ended: {said:?}")
    };
    let said = in_time("the issuer", said).await??;
    // The first line is for people, the others are for a shell.
    let script = format!("set -e\n{}", said[1..].join("\n"));
    let place = program("agenttrust").as_std().get_program().to_owned();
    let place = std::path::Path::new(&place).parent().context("it is in a folder")?.to_owned();
    let path = std::env::var("PATH").unwrap_or_default();
    let mut shell = Command::new("sh");
    shell.args(["-c", &script]).current_dir(folder.path()).stdin(Stdio::null());
    shell.env("PATH", format!("{}:{path}", place.display())).env("AGENTTRUST_URL", &url);
    let output = in_time("what it says to type", shell.output()).await??;
    let printed = String::from_utf8(output.stdout)?;
    let complained = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "{printed}\n{complained}");
    let session = printed.lines().last().unwrap_or_default();
    ensure!(session.starts_with("ats_"), "{printed}");
    Ok(())
}
