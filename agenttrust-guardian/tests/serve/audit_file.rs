//! A file of checkpoints that is not as its Guardian left it.

use agenttrust_testkit::ADMIN;
use serde_json::Value;

use crate::audit::Place;
use crate::program::Program;

fn lines(place: &Place) -> Vec<String> {
    let text = std::fs::read_to_string(place.checkpoints()).unwrap();
    text.lines().map(str::to_owned).collect()
}

/// Returns a place with two lines in its file.
async fn noted_twice() -> Place {
    let place = Place::sqlite();
    place.ten_rows().await;
    let api = place.guardian("one").await;
    api.agent(&[]).await;
    api.guardian.close().await;
    assert!(lines(&place).len() >= 2, "{:?}", lines(&place));
    place
}

/// Checks what a Guardian that is served on a place logs of its file.
async fn warned(place: &Place, what: &str) {
    let database = place.url();
    let environment = [("AGENTTRUST_ADMIN_KEY", ADMIN)];
    let mut program = Program::serve(&["--database", &database], &environment).await;
    program.logs(what).await;
    program.signal("TERM");
    program.ends().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn emptied_or_shortened_file_is_said_at_the_start_and_by_verification() {
    let place = noted_twice().await;
    let whole = lines(&place);
    std::fs::write(place.checkpoints(), "").unwrap();
    let (is_shown, said) = place.verify();
    assert!(!is_shown && said.contains("is empty: its lines were removed"), "{said}");
    assert!(said.contains("the audit log is whole"), "{said}");
    assert!(said.contains("compared with no checkpoint from outside"), "{said}");
    warned(&place, "ends before a row that the database has a checkpoint of").await;

    // Only the first line is left.
    std::fs::write(place.checkpoints(), format!("{}\n", whole[0])).unwrap();
    let (whole_log, said) = place.verify();
    assert!(whole_log && said.contains("lines are missing"), "{said}");
    warned(&place, "ends before a row that the database has a checkpoint of").await;

    // The last line is cut.
    let last = whole.last().unwrap();
    let cut = format!("{}\n{}", whole[0], &last[..last.len() - 30]);
    std::fs::write(place.checkpoints(), cut).unwrap();
    let (_, said) = place.verify();
    assert!(said.contains("1 lines of what was noted are cut, changed"), "{said}");
    warned(&place, "are cut, changed or not signed").await;
    assert!(place.verify().0, "the next line has one of its own");
}

#[tokio::test(flavor = "multi_thread")]
async fn acceptance_by_an_emptied_file_does_not_say_that_a_log_is_whole() {
    let place = noted_twice().await;
    std::fs::write(place.checkpoints(), "").unwrap();
    let done = place.run("accept", &["--reason", "none"]);
    let said = String::from_utf8(done.stdout).unwrap();
    assert!(!done.status.success() && said.contains("says nothing of any log"), "{said}");
    assert!(
        !said.contains("whole") && said.contains(place.checkpoints().to_str().unwrap()),
        "{said}"
    );
}

#[cfg(unix)]
#[tokio::test(flavor = "multi_thread")]
async fn device_in_the_place_of_the_file_fails_verification_and_the_start() {
    let place = noted_twice().await;
    std::fs::remove_file(place.checkpoints()).unwrap();
    std::os::unix::fs::symlink("/dev/null", place.checkpoints()).unwrap();
    let noted = place.checkpoints();
    for more in [&[][..], &["--checkpoint", noted.to_str().unwrap()]] {
        let (is_shown, said) = place.verify_by(more);
        assert!(!is_shown && said.contains("is no regular file, which it must be"), "{said}");
        assert!(said.contains("the audit log is whole"), "{said}");
    }
    assert!(place.verify_by(&["--checkpoint", "/dev/null"]).0, "that says what it means");
    let Err(refused) = place.try_guardian("one").await else { panic!("it starts") };
    assert!(refused.contains("must be a regular file"), "{refused}");
}

#[tokio::test(flavor = "multi_thread")]
async fn file_of_another_key_and_log_is_refused_by_name() {
    let (place, other) = (noted_twice().await, noted_twice().await);
    std::fs::copy(other.checkpoints(), place.checkpoints()).unwrap();
    let Err(refused) = place.try_guardian("one").await else { panic!("it starts") };
    assert!(refused.contains("is another one than"), "{refused}");
    assert!(refused.contains(place.checkpoints().to_str().unwrap()), "{refused}");
    let (whole, said) = place.verify();
    assert!(!whole && said.contains("another"), "{said}");
}

#[tokio::test(flavor = "multi_thread")]
async fn line_by_another_key_neither_hides_what_was_seen_nor_stands_before_the_true_one() {
    let (place, other) = (noted_twice().await, noted_twice().await);
    // As if it were of this log, further on; whoever has no key cannot sign it.
    let mut line: Value = serde_json::from_str(lines(&other).last().unwrap()).unwrap();
    let own: Value = serde_json::from_str(lines(&place).last().unwrap()).unwrap();
    line["log_id"] = own["log_id"].clone();
    line["seq"] = 99.into();
    let text = std::fs::read_to_string(place.checkpoints()).unwrap();
    std::fs::write(place.checkpoints(), format!("{text}{line}\n")).unwrap();
    let (whole, said) = place.verify();
    assert!(whole && said.contains("1 lines of what was noted are cut, changed"), "{said}");
    place.guardian("one").await.guardian.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn folder_in_the_place_of_the_file_is_refused_by_name() {
    let place = Place::sqlite();
    place.ten_rows().await;
    std::fs::remove_file(place.checkpoints()).unwrap();
    std::fs::create_dir(place.checkpoints()).unwrap();
    let Err(refused) = place.try_guardian("one").await else { panic!("it starts") };
    assert!(refused.contains("directory") && refused.contains("--audit-checkpoints"), "{refused}");
}

#[tokio::test(flavor = "multi_thread")]
async fn older_copies_of_database_and_file_together_are_told_by_a_line_from_elsewhere_alone() {
    let place = Place::sqlite();
    place.ten_rows().await;
    let older = [place.url().into(), place.checkpoints()]
        .map(|path| (path.clone(), std::fs::read(path).unwrap()));
    let api = place.guardian("one").await;
    api.agent(&[]).await;
    api.guardian.close().await;
    let kept_elsewhere = lines(&place).last().unwrap().clone();
    for file in ["at.db-wal", "at.db-shm"] {
        let _ = std::fs::remove_file(place.folder.path().join(file));
    }
    for (path, bytes) in older {
        std::fs::write(path, bytes).unwrap();
    }
    assert!(place.verify().0, "nothing here knows better");
    let (whole, said) = place.verify_by(&["--checkpoint", &kept_elsewhere]);
    assert!(!whole && said.contains("removed from the end"), "{said}");
}

#[cfg(unix)]
#[tokio::test(flavor = "multi_thread")]
async fn back_up_in_a_folder_that_cannot_be_written_is_verified() {
    use std::fs::{Permissions, copy, hard_link, set_permissions};
    use std::os::unix::fs::{MetadataExt, PermissionsExt};
    use std::os::unix::process::CommandExt;

    const NOBODY: u32 = 65_534;
    let (place, backup) = (Place::sqlite(), tempfile::tempdir().unwrap());
    place.ten_rows().await;
    let mut program = env!("CARGO_BIN_EXE_agenttrust").into();
    // Root may write everywhere.
    let is_root = std::fs::metadata("/proc/self").is_ok_and(|own| own.uid() == 0);
    if is_root {
        let to = backup.path().join("agenttrust");
        hard_link(&program, &to).or_else(|_| copy(&program, &to).map(drop)).unwrap();
        program = to;
    }
    let at = |name: &str| backup.path().join(name);
    for name in ["at.db", "at.db.audit-key", "at.db.checkpoints"] {
        copy(place.folder.path().join(name), at(name)).unwrap();
        set_permissions(at(name), Permissions::from_mode(0o444)).unwrap();
    }
    set_permissions(backup.path(), Permissions::from_mode(0o555)).unwrap();
    let verify = || {
        let mut command = std::process::Command::new(&program);
        command.env_clear().args(["audit", "verify", "--database"]).arg(at("at.db"));
        if is_root {
            command.uid(NOBODY).gid(NOBODY);
        }
        command.output().unwrap()
    };
    let done = verify();
    let said = String::from_utf8_lossy(&done.stdout);
    assert!(done.status.success() && said.contains("is whole: 10 rows"), "{done:?}");
    // Newer rows may be in a write-ahead log.
    set_permissions(backup.path(), Permissions::from_mode(0o755)).unwrap();
    std::fs::write(at("at.db-wal"), "not yet moved into the database").unwrap();
    set_permissions(backup.path(), Permissions::from_mode(0o555)).unwrap();
    let done = verify();
    let said = String::from_utf8_lossy(&done.stderr);
    assert!(!done.status.success() && said.contains("newer rows are in"), "{done:?}");
    assert!(said.contains("copy both into a folder that can be written"), "{said}");
    set_permissions(backup.path(), Permissions::from_mode(0o755)).unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn file_that_is_gone_or_leads_nowhere_fails_verification_with_what_is_no_longer_shown() {
    let place = noted_twice().await;
    let line = lines(&place).last().unwrap().clone();
    std::fs::remove_file(place.checkpoints()).unwrap();
    let says = |what: &str| {
        for (more, named) in [(vec![], false), (vec!["--checkpoint"], true)] {
            let noted = place.checkpoints();
            let more = more.into_iter().chain(named.then_some(noted.to_str().unwrap()));
            let (is_shown, said) = place.verify_by(&more.collect::<Vec<_>>());
            assert!(!is_shown && said.contains(what), "{said}");
            assert!(said.contains("the audit log is whole"), "{said}");
            assert!(said.contains("Without it cannot be shown that no rows are missing"), "{said}");
            assert!(said.contains("no Guardian saw the log changed"), "{said}");
        }
    };
    says("is not there: it was deleted or moved");
    std::fs::write(place.checkpoints(), "{}\n{}\n").unwrap();
    says("has 2 lines and no signed checkpoint among them");
    #[cfg(unix)]
    {
        std::fs::remove_file(place.checkpoints()).unwrap();
        std::os::unix::fs::symlink("nowhere", place.checkpoints()).unwrap();
        says("is a link to nowhere, which is not there");
    }
    // Who has a line of it, or means to compare with nothing, says so.
    let (is_shown, said) = place.verify_by(&["--checkpoint", &line]);
    assert!(is_shown && !said.contains("Without it"), "{said}");
    assert!(place.verify_by(&["--checkpoint", "/dev/null"]).0);
    // A database that nothing was signed for lacks nothing.
    std::fs::remove_file(place.checkpoints()).unwrap();
    std::fs::remove_file(place.key()).unwrap();
    place.drop_triggers().await;
    place.execute("DELETE FROM audit_checkpoints").await;
    let (is_shown, said) = place.verify_by(&[]);
    assert!(is_shown && said.contains("no checkpoint vouches for its end"), "{said}");
}
