//! A file of checkpoints that is not as its Guardian left it.

use agenttrust_testkit::ADMIN;
use serde_json::Value;

use crate::audit::Place;
use crate::program::Program;

fn lines(place: &Place) -> Vec<String> {
    let text = std::fs::read_to_string(place.checkpoints()).unwrap();
    text.lines().map(str::to_owned).collect()
}

/// A place with two lines in its file.
async fn noted_twice() -> Place {
    let place = Place::sqlite();
    place.ten_rows().await;
    let api = place.guardian("one").await;
    api.agent(&[]).await;
    api.guardian.close().await;
    assert!(lines(&place).len() >= 2, "{:?}", lines(&place));
    place
}

/// What a Guardian that is served on a place says of its file.
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
    let (_, said) = place.verify();
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
    warned(&place, "are cut, changed or signed by nobody").await;
    assert!(place.verify().0, "the next line has one of its own");
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
