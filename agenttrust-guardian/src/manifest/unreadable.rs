//! A list of tools of which one cannot be read: half a character in a text, a name that is there twice. The others are
//! what they are.

use agenttrust_tower::internal::mcp::parse;
use serde::Deserialize;
use serde_json::value::RawValue;

/// An answer that lists tools, each as it is written.
#[derive(Deserialize)]
struct Answer<'a> {
    #[serde(borrow)]
    result: Listed<'a>,
}

#[derive(Deserialize)]
struct Listed<'a> {
    #[serde(borrow)]
    tools: Vec<&'a RawValue>,
}

/// Writes an answer that lists tools again, with `null` for each tool that cannot be read; `None` where no such tool
/// is listed, where no tools are listed, and where it may hold more than `most` values.
pub(crate) fn without_unreadable(text: &[u8], most: usize) -> Option<Vec<u8>> {
    // Each tool takes its place in memory before it is looked at.
    if text.iter().filter(|byte| **byte == b',').count() > most {
        return None;
    }
    let answer: Answer<'_> = serde_json::from_slice(text).ok()?;
    let (mut rewritten, mut at) = (Vec::new(), 0);
    for tool in answer.result.tools {
        let tool = tool.get().as_bytes();
        if parse(tool, most).is_ok() {
            continue;
        }
        // Each is a part of the text.
        let begin = tool.as_ptr().addr().checked_sub(text.as_ptr().addr())?;
        rewritten.extend_from_slice(text.get(at..begin)?);
        rewritten.extend_from_slice(b"null");
        at = begin + tool.len();
    }
    if at == 0 {
        return None;
    }
    rewritten.extend_from_slice(text.get(at..)?);
    Some(rewritten)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rewritten(text: &str) -> Option<String> {
        without_unreadable(text.as_bytes(), 100).map(|text| String::from_utf8(text).unwrap())
    }

    #[test]
    fn tool_that_cannot_be_read_is_none_and_the_others_stay_as_they_are_written() {
        let list =
            |tools: &str| format!(r#"{{"id": 1, "result": {{"tools": [{tools}], "a" : 1}}}}"#);
        let (good, half, twice) = (r#"{"name" :"a"}"#, r#"{"name":"\ud83d"}"#, r#"{"a":1,"a":2}"#);
        for (tools, left) in [
            (format!("{half},{good}"), format!("null,{good}")),
            (format!(" {good} , {twice},{half}"), format!(" {good} , null,null")),
        ] {
            assert_eq!(rewritten(&list(&tools)), Some(list(&left)));
        }
        for none in [&*list(good), &*list(""), r#"{"result":{"a":"\ud83d"}}"#, "[1]", "{"] {
            assert_eq!(rewritten(none), None, "{none}");
        }
        assert_eq!(rewritten(&list(&format!("{half}{}", ",0".repeat(100)))), None, "too many");
    }
}
