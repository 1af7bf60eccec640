//! The same folder over HTTP. The handlers know of no guard; the layer around them does it all.

use std::io;

use agenttrust::AgentTrustGuard;
use agenttrust_tower::GuardLayer;
use axum::Router;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::routing::get;

use crate::Folder;

/// Returns the website: `GET` and `DELETE` of `/files/{name}`, each request checked before it is
/// handled.
pub(crate) fn website(folder: Folder, guard: AgentTrustGuard) -> Router {
    Router::new()
        .route("/files/{name}", get(read).delete(delete))
        .layer(GuardLayer::http(guard))
        .with_state(folder)
}

async fn read(
    State(folder): State<Folder>,
    Path(name): Path<String>,
) -> Result<String, (StatusCode, String)> {
    folder.read(&name).await.map_err(answer)
}

async fn delete(
    State(folder): State<Folder>,
    Path(name): Path<String>,
) -> Result<StatusCode, (StatusCode, String)> {
    folder.delete(&name).await.map_err(answer)?;
    Ok(StatusCode::NO_CONTENT)
}

fn answer(error: io::Error) -> (StatusCode, String) {
    let status = match error.kind() {
        io::ErrorKind::NotFound => StatusCode::NOT_FOUND,
        io::ErrorKind::InvalidInput => StatusCode::BAD_REQUEST,
        _ => StatusCode::INTERNAL_SERVER_ERROR,
    };
    (status, error.to_string())
}
