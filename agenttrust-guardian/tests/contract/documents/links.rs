//! Links from one document to another lead somewhere: to a file of the repository, and to a heading in it.

use std::collections::HashMap;
use std::path::{Component, Path, PathBuf};

use super::{Document, documents, none_of, pieces, repository};

/// Returns the targets of the links in a paragraph.
fn targets(paragraph: &str) -> Vec<String> {
    let prose =
        pieces(paragraph).into_iter().filter(|(is_code, _)| !is_code).map(|(_, piece)| piece);
    let text = prose.collect::<Vec<_>>().join("``");
    let behind_texts = text.split("](").skip(1);
    let inline = behind_texts.filter_map(|rest| rest.split([')', ' ']).next()).map(str::to_owned);
    // `[name]: target`, which links elsewhere go by.
    let definition = text
        .strip_prefix('[')
        .and_then(|rest| rest.split_once("]: "))
        .and_then(|(_, target)| target.split_whitespace().next())
        .map(str::to_owned);
    inline.chain(definition).collect()
}

/// Returns the anchor of a heading, as GitHub makes it.
fn slug(heading: &str) -> String {
    // Of a link in a heading only its text counts.
    let mut text = String::new();
    let mut rest = heading;
    while let Some((before, target)) = rest.split_once("](") {
        text.push_str(before);
        rest = target.split_once(')').map_or("", |(_, after)| after);
    }
    text.push_str(rest);
    text.trim()
        .to_lowercase()
        .chars()
        .filter_map(|letter| match letter {
            ' ' => Some('-'),
            '-' | '_' => Some(letter),
            _ => letter.is_alphanumeric().then_some(letter),
        })
        .collect()
}

/// Returns the anchors of a document: one of the same name as an earlier one has a number.
fn anchors(document: &Document) -> Vec<String> {
    let mut times: HashMap<String, usize> = HashMap::new();
    let headings = document.prose().filter_map(|(_, line)| {
        let heading = line.trim_start_matches('#');
        let level = line.len() - heading.len();
        ((1..=6).contains(&level) && heading.starts_with(' ')).then(|| slug(heading))
    });
    headings
        .map(|slug| {
            let seen = times.entry(slug.clone()).or_default();
            *seen += 1;
            if *seen == 1 { slug } else { format!("{slug}-{}", *seen - 1) }
        })
        .collect()
}

/// Returns where a path leads from the folder of a document; `None` out of the repository.
fn resolved(document: &str, path: &str) -> Option<PathBuf> {
    let folder = Path::new(document).parent().unwrap_or(Path::new(""));
    let mut way = PathBuf::new();
    for part in folder.join(path).components() {
        match part {
            Component::Normal(name) => way.push(name),
            Component::ParentDir => {
                if !way.pop() {
                    return None;
                }
            }
            Component::CurDir => {}
            Component::RootDir | Component::Prefix(_) => return None,
        }
    }
    Some(way)
}

/// Returns why a link of `document` leads nowhere, if it does.
fn fault(document: &Document, target: &str, documents: &[Document]) -> Option<String> {
    if ["https://", "http://", "mailto:"].iter().any(|scheme| target.starts_with(scheme)) {
        return None;
    }
    let (path, anchor) = target.split_once('#').unwrap_or((target, ""));
    let way = if path.is_empty() {
        PathBuf::from(&document.name)
    } else {
        match resolved(&document.name, path) {
            Some(way) if repository().join(&way).exists() => way,
            _ => return Some(format!("there is no {path}")),
        }
    };
    if anchor.is_empty() {
        return None;
    }
    let Some(other) = documents.iter().find(|other| Path::new(&other.name) == way) else {
        return Some(format!("{path} is no document that has headings"));
    };
    let is_there = anchors(other).iter().any(|known| known == anchor);
    (!is_there).then(|| format!("{} has no heading `#{anchor}`", other.name))
}

#[test]
fn every_link_between_documents_leads_to_a_file_and_a_heading() {
    let documents = documents();
    let mut faults = Vec::new();
    for document in &documents {
        for (begin, paragraph) in document.paragraphs() {
            for target in targets(&paragraph) {
                let before = paragraph.split(&target).next().unwrap_or_default();
                let line = begin + before.matches('\n').count();
                let said = fault(document, &target, &documents);
                faults.extend(
                    said.map(|said| format!("{}:{line}: ({target}): {said}", document.name)),
                );
            }
        }
    }
    none_of(&faults);
}

#[test]
fn link_that_leads_nowhere_is_found() {
    let of = |name: &str, text: &str| Document { name: name.to_owned(), text: text.to_owned() };
    let documents = [
        of("README.md", "# The `first` hour, in [one](b.md) go\n## A\n```sh\n# B\n```\n## A\n"),
        of("docs/OPERATIONS.md", "# Nachts & später\n"),
    ];
    let from = |document: usize, target: &str| fault(&documents[document], target, &documents);
    for (document, target) in [
        (0, "https://example.com/#no"),
        (0, "#the-first-hour-in-one-go"),
        (0, "#a-1"),
        (0, "docs/OPERATIONS.md#nachts--später"),
        (0, "docs"),
        (1, "../README.md#a"),
        (1, "OPERATIONS.md"),
        (1, "../agenttrust/src/lib.rs"),
    ] {
        assert_eq!(from(document, target), None, "{target}");
    }
    for (document, target) in [
        (0, "#b"),
        (0, "#a-2"),
        (0, "docs/NOWHERE.md"),
        (0, "docs/OPERATIONS.md#a"),
        (0, "clippy.toml#a"),
        (1, "docs/OPERATIONS.md"),
        (1, "../../README.md"),
        (1, "/README.md"),
    ] {
        assert!(from(document, target).is_some(), "{target}");
    }
    let line = "see [one](a.md) and [`two`](b.md#c \"title\"), not `[x](y)`";
    assert_eq!(targets(line), ["a.md", "b.md#c"]);
    assert_eq!(targets("[one]: a.md"), ["a.md"]);
}
