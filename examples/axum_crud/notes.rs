//! The service: notes in memory, over HTTP. Of guards it knows one thing: whose call it is answering.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use agenttrust_tower::axum::Permit;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::routing::get;
use axum::{Json, Router};
use serde::{Deserialize, Serialize};

/// The largest number of notes.
const MOST: usize = 3;

#[derive(Clone, Debug, Deserialize, Serialize)]
pub(crate) struct Note {
    pub(crate) id: u64,
    pub(crate) text: String,
    /// The agent that wrote it last, by its permit and not by what it says of itself.
    pub(crate) author: String,
    /// The check that allowed it, to be found in the audit trail.
    pub(crate) check_id: Option<String>,
}

/// The notes of all agents. Clones are the same notes.
#[derive(Clone, Debug, Default)]
pub(crate) struct Notes(Arc<Mutex<BTreeMap<u64, Note>>>);

impl Notes {
    /// Creates, reads, updates and deletes notes; the caller that adds the routes guards them.
    pub(crate) fn router(&self) -> Router {
        Router::new()
            .route("/notes", get(list).post(create))
            .route("/notes/{id}", get(read).put(update).delete(delete))
            .with_state(self.clone())
    }

    pub(crate) fn get(&self, id: u64) -> Option<Note> {
        self.all().get(&id).cloned()
    }

    fn all(&self) -> MutexGuard<'_, BTreeMap<u64, Note>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn written(id: u64, text: String, permit: &Permit) -> Note {
    let check_id = permit.check_id().map(str::to_owned);
    Note { id, text, author: permit.agent_id().to_owned(), check_id }
}

async fn list(State(notes): State<Notes>) -> Json<Vec<Note>> {
    Json(notes.all().values().cloned().collect())
}

async fn create(
    State(notes): State<Notes>,
    permit: Permit,
    text: String,
) -> (StatusCode, Json<Option<Note>>) {
    let mut all = notes.all();
    if all.len() >= MOST {
        // Taken, and not written. The status does not say so, and the report has to.
        permit.set_failure("NoRoom");
        return (StatusCode::ACCEPTED, Json(None));
    }
    let id = all.last_key_value().map_or(1, |(last, _)| last + 1);
    let note = written(id, text, &permit);
    all.insert(id, note.clone());
    (StatusCode::CREATED, Json(Some(note)))
}

async fn read(State(notes): State<Notes>, Path(id): Path<u64>) -> Result<Json<Note>, StatusCode> {
    notes.get(id).map(Json).ok_or(StatusCode::NOT_FOUND)
}

async fn update(
    State(notes): State<Notes>,
    Path(id): Path<u64>,
    permit: Permit,
    text: String,
) -> Result<Json<Note>, StatusCode> {
    let mut all = notes.all();
    let note = all.get_mut(&id).ok_or(StatusCode::NOT_FOUND)?;
    *note = written(id, text, &permit);
    Ok(Json(note.clone()))
}

async fn delete(State(notes): State<Notes>, Path(id): Path<u64>) -> StatusCode {
    match notes.all().remove(&id) {
        Some(_) => StatusCode::NO_CONTENT,
        None => StatusCode::NOT_FOUND,
    }
}
