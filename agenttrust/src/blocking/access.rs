//! Access evaluations without `.await`.

use super::resources::resources;
use super::wait;
use crate::client::{AccessOptions, AgentTrustClient};
use crate::error::Result;
use crate::model::{
    AccessDecision, AccessDecisions, AccessEvaluation, AccessEvaluations, AccessRequest,
    AccessTaskResponse, AuthzenConfiguration, CancelAccessRequest,
};

resources! {
    /// Evaluations as AuthZEN has them, and requests for access; the async one is [`crate::client::Access`].
    Access by access {
        /// Asks whether a subject may do something to a resource.
        ///
        /// # Errors
        ///
        /// As for the async [`evaluate`](crate::client::Access::evaluate).
        fn evaluate(&self, evaluation: &AccessEvaluation) -> AccessDecision;

        /// Does the same as [`evaluate`](Self::evaluate), and says which agent acts for the subject.
        ///
        /// # Errors
        ///
        /// As for the async [`evaluate_with`](crate::client::Access::evaluate_with).
        fn evaluate_with(&self, evaluation: &AccessEvaluation, options: &AccessOptions) -> AccessDecision;

        /// Asks several evaluations at once, and returns their decisions in the same order.
        ///
        /// # Errors
        ///
        /// As for the async [`evaluations`](crate::client::Access::evaluations).
        fn evaluations(&self, evaluations: &AccessEvaluations) -> AccessDecisions;

        /// Does the same as [`evaluations`](Self::evaluations), and says which agent acts for the subjects.
        ///
        /// # Errors
        ///
        /// As for the async [`evaluations_with`](crate::client::Access::evaluations_with).
        fn evaluations_with(&self, evaluations: &AccessEvaluations, options: &AccessOptions) -> AccessDecisions;

        /// Returns what the gateway says of itself as a policy decision point.
        ///
        /// # Errors
        ///
        /// As for the async [`configuration`](crate::client::Access::configuration).
        fn configuration(&self) -> AuthzenConfiguration;

        /// Requests access that was denied and can be approved, and returns the task that stands for it.
        ///
        /// # Errors
        ///
        /// As for the async [`request`](crate::client::Access::request).
        fn request(&self, request: &AccessRequest) -> AccessTaskResponse;

        /// Does the same as [`request`](Self::request), under a name of the caller's own, and says which agent acts for
        /// the subject.
        ///
        /// # Errors
        ///
        /// As for the async [`request_with`](crate::client::Access::request_with).
        fn request_with(&self, request: &AccessRequest, options: &AccessOptions) -> AccessTaskResponse;

        /// Returns where a request for access stands, and the approval once there is one.
        ///
        /// # Errors
        ///
        /// As for the async [`task`](crate::client::Access::task).
        fn task(&self, task_id: &str) -> AccessTaskResponse;

        /// Cancels a request for access that is not decided yet, and returns where it stands.
        ///
        /// # Errors
        ///
        /// As for the async [`cancel`](crate::client::Access::cancel).
        fn cancel(&self, task_id: &str, request: &CancelAccessRequest) -> AccessTaskResponse;
    }
}
