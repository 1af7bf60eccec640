//! HTTP answers of any framework: the status says how the call went.

use http::{Response, StatusCode};

use crate::guard::{CallOutcome, Outcome};

/// A status of 400 or above is a failure of the type `http 404`.
impl Outcome for StatusCode {
    fn outcome(&self) -> CallOutcome {
        if self.as_u16() < 400 {
            return CallOutcome::Success;
        }
        CallOutcome::failure(format!("http {}", self.as_u16()))
    }
}

/// The outcome of a response is that of its status.
impl<B> Outcome for Response<B> {
    fn outcome(&self) -> CallOutcome {
        self.status().outcome()
    }
}

/// The outcome of an answer is that of the status, which axum's handlers put in front of a body.
impl<B> Outcome for (StatusCode, B) {
    fn outcome(&self) -> CallOutcome {
        self.0.outcome()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_of_400_or_above_is_a_failure_named_after_its_status() {
        for (status, outcome) in [
            (StatusCode::NO_CONTENT, CallOutcome::Success),
            (StatusCode::NOT_MODIFIED, CallOutcome::Success),
            (StatusCode::BAD_REQUEST, CallOutcome::failure("http 400")),
            (StatusCode::BAD_GATEWAY, CallOutcome::failure("http 502")),
        ] {
            let mut response = Response::new("the body says nothing");
            *response.status_mut() = status;
            assert_eq!(response.outcome(), outcome);
            assert_eq!((status, "the body says nothing").outcome(), outcome);
        }
    }
}
