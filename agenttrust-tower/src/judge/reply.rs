//! The outcome of a call by the answer of the server, plain or as server-sent events.

use agenttrust::{CallOutcome, Outcome, Permit};
use http::header::{CONTENT_ENCODING, CONTENT_TYPE};
use http::{HeaderMap, Response};

use super::Judge;
use super::scan::{Reply, Scan};
use super::unanswered::{SessionStream, UnansweredCall, no_reply};

/// Waits for the answer in a body.
#[derive(Debug)]
pub(crate) struct ReplyJudge {
    scan: Scan,
    events: Option<Line>,
    after_return: bool,
    said: Option<Reply>,
    /// An event had an id, from which a client can go on.
    resumes: bool,
    /// The call whose answer may come elsewhere, if not here.
    call: Option<UnansweredCall>,
    /// The stream that is listened to: answers in it are those of calls whose own stream has ended.
    stream: Option<SessionStream>,
}

/// A position in a line of server-sent events.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Line {
    /// The position after so many bytes of `data:`.
    Field(usize),
    /// The very beginning, after so many bytes of a byte-order mark.
    Mark(usize),
    /// The position after so many bytes of `id:`.
    Id(usize),
    /// The data of the event.
    Data,
    /// Another field, or a comment.
    Other,
}

const DATA: &[u8] = b"data:";
const ID: &[u8] = b"id:";
/// A stream may begin with it, and it is no part of its first line.
const MARK: &[u8] = "\u{feff}".as_bytes();

/// Returns how to judge an answer: by its content where that can be read, else by its status. A good status says
/// nothing of a call where the answer cannot hold its result.
pub(crate) fn judge<B>(response: &Response<B>, call: Option<UnansweredCall>) -> Judge {
    let headers = response.headers();
    let media = media_type(headers).unwrap_or_default();
    let events = is_of_events(headers);
    if !response.status().is_success() {
        Judge::Known(response.outcome())
    } else if !events && !media.eq_ignore_ascii_case("application/json") {
        Judge::Known(no_reply())
    } else if is_compressed(headers) {
        Judge::Known(response.outcome())
    } else {
        let judge = ReplyJudge::new(events.then_some(Line::Mark(0)));
        Judge::JsonRpc(ReplyJudge { call, ..judge })
    }
}

/// Returns how to listen to an answer for those of other calls, where it is a stream that can be read.
pub(crate) fn listening<B>(
    response: &Response<B>,
    stream: impl FnOnce() -> Option<SessionStream>,
) -> Option<Judge> {
    let headers = response.headers();
    let is_read =
        response.status().is_success() && is_of_events(headers) && !is_compressed(headers);
    let stream = is_read.then(stream)??;
    Some(Judge::JsonRpc(ReplyJudge {
        stream: Some(stream),
        ..ReplyJudge::new(Some(Line::Mark(0)))
    }))
}

impl ReplyJudge {
    fn new(events: Option<Line>) -> Self {
        let (after_return, resumes, said) = (false, false, None);
        let (call, stream) = (None, None);
        Self { scan: Scan::default(), events, after_return, said, resumes, call, stream }
    }

    pub(crate) fn data(&mut self, data: &[u8]) -> bool {
        for byte in data {
            match self.events {
                None => self.scan.push(*byte),
                Some(line) => self.events = Some(self.in_events(line, *byte)),
            }
        }
        self.said.is_some()
    }

    pub(crate) fn outcome(&self) -> CallOutcome {
        self.said.or_else(|| self.scan.reply()).map_or_else(no_reply, outcome_of)
    }

    /// Reports the call whose answer has ended.
    pub(crate) fn finish(self, permit: Permit) {
        let is_said = self.said.is_some() || self.scan.reply().is_some();
        match self.call {
            Some(call) if !is_said && self.events.is_some() => call.ended(permit, self.resumes),
            _ => permit.finish_with(self.outcome()),
        }
    }

    fn in_events(&mut self, line: Line, byte: u8) -> Line {
        // Of the two that may end a line together, the second ends nothing.
        if std::mem::replace(&mut self.after_return, byte == b'\r') && byte == b'\n' {
            return line;
        }
        if byte == b'\n' || byte == b'\r' {
            match line {
                // An empty line ends an event.
                Line::Field(0) | Line::Mark(0) => self.end_event(),
                // Between two lines of data there is a line break, which is white space.
                Line::Data => self.scan.push(b'\n'),
                Line::Field(_) | Line::Id(_) | Line::Mark(_) | Line::Other => {}
            }
            return Line::Field(0);
        }
        // Where there is no mark, the stream begins with its first field.
        let line = if line == Line::Mark(0) && MARK.first() != Some(&byte) {
            Line::Field(0)
        } else {
            line
        };
        match line {
            Line::Mark(place) if MARK.get(place) == Some(&byte) => {
                if place + 1 == MARK.len() {
                    Line::Field(0)
                } else {
                    Line::Mark(place + 1)
                }
            }
            Line::Data => {
                self.scan.push(byte);
                Line::Data
            }
            Line::Field(place) if DATA.get(place) == Some(&byte) => {
                if place + 1 == DATA.len() {
                    Line::Data
                } else {
                    Line::Field(place + 1)
                }
            }
            Line::Field(0) if ID.first() == Some(&byte) => Line::Id(1),
            Line::Id(place) if ID.get(place) == Some(&byte) => {
                self.resumes |= place + 1 == ID.len();
                Line::Id(place + 1)
            }
            Line::Field(_) | Line::Id(_) | Line::Mark(_) | Line::Other => Line::Other,
        }
    }

    fn end_event(&mut self) {
        let scan = std::mem::take(&mut self.scan);
        match &self.stream {
            Some(stream) => {
                if let (Some(reply), Some(id)) = (scan.reply(), scan.id()) {
                    stream.answered(&id, outcome_of(reply));
                }
            }
            None => self.said = self.said.or_else(|| scan.reply()),
        }
    }
}

fn outcome_of(reply: Reply) -> CallOutcome {
    match reply {
        Reply::Success => CallOutcome::Success,
        Reply::ToolError => CallOutcome::failure("ToolError"),
        Reply::Error => CallOutcome::failure("JsonRpcError"),
    }
}

fn is_of_events(headers: &HeaderMap) -> bool {
    let media = media_type(headers).unwrap_or_default();
    media.eq_ignore_ascii_case("text/event-stream")
}

fn is_compressed(headers: &HeaderMap) -> bool {
    let encoding = headers.get(CONTENT_ENCODING).map(|value| value.as_bytes());
    encoding.is_some_and(|encoding| !encoding.eq_ignore_ascii_case(b"identity"))
}

fn media_type(headers: &HeaderMap) -> Option<&str> {
    let value = headers.get(CONTENT_TYPE)?.to_str().ok()?;
    value.split(';').next().map(str::trim)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn outcome(events: bool, pieces: &[&str]) -> CallOutcome {
        let mut judge = ReplyJudge::new(events.then_some(Line::Mark(0)));
        for piece in pieces {
            judge.data(piece.as_bytes());
        }
        judge.outcome()
    }

    #[test]
    fn the_answer_is_found_among_the_events_of_a_stream() {
        let progress = "event: message\ndata: {\"method\":\"notifications/progress\"}\n\n";
        let failed = "id: 4\ndata: {\"id\":1,\"result\":{\"isError\":true}}\n\n";
        assert_eq!(outcome(true, &[progress]), CallOutcome::failure("NoReply"));
        assert_eq!(outcome(true, &[progress, failed]), CallOutcome::failure("ToolError"));
        let returns = failed.replace('\n', "\r\n");
        assert_eq!(outcome(true, &[&returns]), CallOutcome::failure("ToolError"));
        let lines = "data: {\"result\":\r\ndata: {\"isError\":\r\ndata:true}}\r\n\r\n";
        assert_eq!(outcome(true, &[lines]), CallOutcome::failure("ToolError"));
        assert_eq!(outcome(true, &[": data: {\"error\":1}\n\n"]), CallOutcome::failure("NoReply"));
    }

    #[test]
    fn the_answer_is_known_before_the_stream_ends_and_wherever_it_is_cut() {
        let stream = ": hello\n\ndata:{\"id\":1,\"result\":{\"content\":[]}}\n\n";
        for cut in 0..stream.len() {
            let (first, second) = stream.split_at(cut);
            assert_eq!(outcome(true, &[first, second]), CallOutcome::Success, "{cut}");
        }
        let mut judge = ReplyJudge::new(Some(Line::Mark(0)));
        assert!(judge.data(stream.as_bytes()));
    }

    #[test]
    fn a_byte_order_mark_is_skipped_at_the_beginning_and_nowhere_else() {
        let answer = "data: {\"id\":1,\"result\":{}}\n\n";
        let marked = format!("\u{feff}{answer}").into_bytes();
        for cut in 0..marked.len() {
            let mut judge = ReplyJudge::new(Some(Line::Mark(0)));
            let (first, second) = marked.split_at(cut);
            judge.data(first);
            judge.data(second);
            assert_eq!(judge.outcome(), CallOutcome::Success, "{cut}");
        }
        for before in ["\u{feff}\u{feff}", "\n\u{feff}", "\u{feee}"] {
            let outcome = outcome(true, &[&format!("{before}{answer}")]);
            assert_eq!(outcome, CallOutcome::failure("NoReply"), "{before:?}");
        }
        assert_eq!(outcome(true, &[&format!("\u{feff}\n{answer}")]), CallOutcome::Success);
    }

    #[test]
    fn a_plain_answer_is_read_whole() {
        let error = "{\"jsonrpc\":\"2.0\",\"id\":1,\"error\":{\"code\":-32602}}";
        let (first, second) = error.split_at(30);
        assert_eq!(outcome(false, &[first, second]), CallOutcome::failure("JsonRpcError"));
        assert_eq!(outcome(false, &["{\"id\":1,\"result\":{}}"]), CallOutcome::Success);
    }

    #[test]
    fn an_answer_that_was_cut_is_none() {
        let answer = "{\"id\":1,\"result\":{\"content\":[{\"type\":\"text\"}]}}";
        for cut in 0..answer.len() {
            let (there, _) = answer.split_at(cut);
            assert_eq!(outcome(false, &[there]), CallOutcome::failure("NoReply"), "{there}");
            let event = format!("data: {there}");
            assert_eq!(outcome(true, &[&event]), CallOutcome::failure("NoReply"), "{event}");
        }
    }
}
